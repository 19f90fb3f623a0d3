//! How long the portal has worked for this webhook: its second limit.
//!
//! The portal adds up the time that it spends in each method, in ten buckets of a minute, and refuses a method whose sum
//! is above the limit. It tells the sum in `time.operating` of the answers, and inside a batch in `result_time` of each
//! command; whether a batch is charged to `batch` or to its commands is told differently by different people, so that
//! whatever method an answer names is kept, `batch` like any other.
//!
//! The model here follows the portal's sum and lets it fall as the buckets drop out. A request is held back if the method
//! would go beyond the share of the limit that this program takes for itself.
//!
//! What a command costs has to be learned while many are under way, whose cost is in the sums before they are answered, and
//! answers overtake each other. So the growth of the sum is compared with all commands: those that were answered must
//! have cost at least as if the ones under way were nearly done, and at most as if those had just begun. Between the two, the
//! portal's own clock says what a command takes.
//!
//! Pure: the time is passed in, as the time since any fixed moment.

use std::collections::BTreeMap;
use std::time::Duration;

/// The portal's limit for a method in ten minutes, in seconds. The documentation's example shows 480, the code's default
/// is 420; the smaller one is safe for both.
const LIMIT_SECONDS: f64 = 420.0;

/// How many buckets of a minute the model adds up. The portal has ten, whose minutes begin when nobody knows: with one more, none
/// drops out here before it does there. That one has dropped out there earlier is seen from its next answer.
pub(crate) const BUCKETS: usize = 11;

/// The length of a bucket.
const BUCKET: Duration = Duration::from_secs(60);

/// How long a method rests after a refusal: a second first, since it may have been a whim of a server on the way, then
/// twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The longest rest. The portal frees a bucket every minute, and a request in vain costs nothing but itself.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How long to wait if there may be room once requests that are under way are answered.
const UNTIL_ANSWERED: Duration = Duration::from_secs(1);

/// How much the answers before count against the next one: the last fifty or so tell what a command costs.
const FADE: f64 = 0.98;

/// A pause that is forecast to be longer is not counted to its end: some two months.
const LONGEST_FORECAST_MINUTES: u64 = 100_000;

/// A refusal so long after the last rest has nothing to do with the ones before it.
const REFUSALS_FORGOTTEN: Duration = BUCKET;

/// The seconds of each method in the last minutes, the newest first.
pub(crate) type Buckets = BTreeMap<String, [f64; BUCKETS]>;

/// What is known of the operating time of every method.
#[derive(Clone, Debug)]
pub(crate) struct OperatingTime {
    /// How many seconds of a method this program allows itself.
    budget: f64,
    methods: BTreeMap<String, MethodTime>,
    minute: u64,
}

/// What an answer tells of a method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The smallest sum that it names, in seconds: that after its first command of the method.
    pub(crate) lowest: f64,
    /// The greatest sum that it names, in seconds: that after its last command of the method.
    pub(crate) highest: f64,
    /// How many commands of the method it answers.
    pub(crate) commands: usize,
    /// How many seconds a command took by the portal's clock, if that can be told.
    pub(crate) each: Option<f64>,
    /// When the request was sent.
    pub(crate) sent: Duration,
}

#[derive(Clone, Debug, Default)]
struct MethodTime {
    buckets: [f64; BUCKETS],
    /// What one command costs.
    per_command: f64,
    /// By how much the sum has grown since the first answer, and for how many commands that were answered; both fade.
    grown: f64,
    answered: f64,
    /// When the answer came that the buckets follow. A request that was sent later knows of all that they hold.
    known_since: Option<Duration>,
    /// Commands that have left and not been answered.
    in_flight: usize,
    /// Until when the method rests after a refusal.
    rests_until: Duration,
    /// How long the last rest was.
    rest: Duration,
}

impl MethodTime {
    fn sum(&self) -> f64 {
        self.buckets.iter().sum()
    }

    fn pass(&mut self, steps: usize) {
        self.buckets.rotate_right(steps);
        self.buckets.iter_mut().take(steps).for_each(|seconds| *seconds = 0.0);
    }

    /// Takes note of a sum that is smaller than that of the buckets: the portal has forgotten the oldest.
    fn forget(&mut self, mut seconds: f64) {
        for bucket in self.buckets.iter_mut().rev() {
            let gone = bucket.min(seconds);
            *bucket -= gone;
            seconds -= gone;
        }
    }

    /// Learns what a command costs.
    fn learn(&mut self, grown: f64, commands: f64, each: Option<f64>) {
        self.grown = FADE * self.grown + grown;
        self.answered = FADE * self.answered + commands;
        let under_way = self.in_flight as f64;
        if self.answered + under_way < 1.0 {
            return;
        }
        let over = |commands: f64| if commands > 0.0 { self.grown / commands } else { f64::INFINITY };
        let (least, most) = (over(self.answered + under_way), over(self.answered));
        let each = each.filter(|each| each.is_finite());
        self.per_command = each.unwrap_or_else(|| over(self.answered + under_way / 2.0)).clamp(least, most);
    }
}

impl OperatingTime {
    /// Starts at the moment zero with what an earlier process left, and takes `share` of the portal's limit.
    pub(crate) fn new(share: f64, left: &Buckets) -> Self {
        let share = if share.is_finite() { share.clamp(0.05, 1.0) } else { 1.0 };
        let methods = left
            .iter()
            .map(|(name, buckets)| (name.clone(), MethodTime { buckets: *buckets, ..MethodTime::default() }));
        Self { budget: LIMIT_SECONDS * share, methods: methods.collect(), minute: 0 }
    }

    /// Says whether `commands` of a method may leave, and if not, how long they have to wait.
    pub(crate) fn admit(&mut self, method: &str, commands: usize, now: Duration) -> Result<(), Duration> {
        self.pass(now);
        let (budget, minute) = (self.budget, self.minute);
        let Some(time) = self.methods.get(method) else {
            return Ok(());
        };
        if time.rests_until > now {
            return Err(time.rests_until - now);
        }
        let (own, others) = (time.per_command * commands as f64, time.per_command * time.in_flight as f64);
        let mut sum = time.sum();
        // Whoever alone is too much for the budget goes when nothing else is left in it.
        let alone = sum <= f64::EPSILON && time.in_flight == 0;
        if sum + others + own <= budget || alone {
            return Ok(());
        }
        // What is under way may be in the sum already. Its answer tells.
        if time.in_flight > 0 && (sum + own <= budget || sum <= f64::EPSILON) {
            return Err(UNTIL_ANSWERED);
        }
        // The oldest buckets drop out one a minute: wait for as many as it takes.
        for (minutes, bucket) in time.buckets.iter().rev().enumerate() {
            sum -= bucket;
            if sum + others + own <= budget {
                return Err(until_minute(minute + 1 + minutes as u64, now));
            }
        }
        Err(until_minute(minute + BUCKETS as u64, now))
    }

    /// Counts commands that leave.
    pub(crate) fn sent(&mut self, method: &str, commands: usize) {
        self.methods.entry(method.to_owned()).or_default().in_flight += commands;
    }

    /// Takes note that commands are no longer in flight.
    pub(crate) fn back(&mut self, method: &str, commands: usize) {
        if let Some(time) = self.methods.get_mut(method) {
            time.in_flight = time.in_flight.saturating_sub(commands);
        }
    }

    /// Takes note of what an answer tells of a method. Its commands are no longer in flight.
    pub(crate) fn told(&mut self, method: &str, told: Told, now: Duration) {
        let Told { lowest, highest, commands, each, sent } = told;
        if !(0.0..f64::INFINITY).contains(&lowest) || !(lowest..f64::INFINITY).contains(&highest) {
            return;
        }
        self.pass(now);
        let time = self.methods.entry(method.to_owned()).or_default();
        let known = time.sum();
        // What stood there before the first answer is not the cost of what this process does.
        let (grown, commands) = match time.known_since {
            None => (highest - lowest, commands.saturating_sub(1)),
            Some(_) => ((highest - known).max(0.0), commands),
        };
        if highest >= known {
            if let Some(newest) = time.buckets.first_mut() {
                *newest += highest - known;
            }
            time.known_since = Some(now);
        } else if time.known_since.is_none_or(|since| sent >= since) {
            time.forget(known - highest);
            time.known_since = Some(now);
        }
        time.learn(grown, commands as f64, each);
    }

    /// Takes note that the portal refused a method for its operating time.
    pub(crate) fn refused(&mut self, method: &str, now: Duration) {
        self.pass(now);
        let time = self.methods.entry(method.to_owned()).or_default();
        // Requests that were in flight together are refused together: that is one refusal.
        if time.rests_until > now {
            return;
        }
        let again = !time.rest.is_zero() && now - time.rests_until < REFUSALS_FORGOTTEN;
        time.rest = if again { (time.rest * 2).min(LONGEST_REST) } else { FIRST_REST };
        time.rests_until = now + time.rest;
    }

    /// Which part of the portal's limit so many further commands of a method take, if they all fall into ten minutes, and how
    /// long the pauses are that the budget makes necessary after what was spent already. A method without a cost of its own
    /// is taken to cost what another one does.
    pub(crate) fn forecast(&mut self, method: &str, commands: usize, like: &str, now: Duration) -> (f64, Duration) {
        self.pass(now);
        let known = |method: &str| self.methods.get(method).map(|time| time.per_command).filter(|cost| *cost > 0.0);
        let cost = known(method).or_else(|| known(like)).unwrap_or_default();
        let needed = cost * commands as f64;
        let mut time = self.methods.get(method).cloned().unwrap_or_default();
        let (mut left, mut minutes) = (needed, 0);
        while left > f64::EPSILON && minutes < LONGEST_FORECAST_MINUTES {
            let spent = (self.budget - time.sum()).clamp(0.0, left);
            if let Some(newest) = time.buckets.first_mut() {
                *newest += spent;
            }
            left -= spent;
            if left > f64::EPSILON {
                time.pass(1);
                minutes += 1;
            }
        }
        let pause = if minutes > 0 { until_minute(self.minute + minutes, now) } else { Duration::ZERO };
        let rest = if commands > 0 { time.rests_until.saturating_sub(now) } else { Duration::ZERO };
        (needed / LIMIT_SECONDS, pause.max(rest))
    }

    /// What is to be kept for a later process. Methods without any time are left out.
    pub(crate) fn buckets(&mut self, now: Duration) -> Buckets {
        self.pass(now);
        let used = self.methods.iter().filter(|(_, time)| time.buckets.iter().any(|seconds| *seconds > 0.0));
        used.map(|(name, time)| (name.clone(), time.buckets)).collect()
    }

    /// Lets the minutes pass until `now`: the newest bucket becomes the second, and so on; the oldest is forgotten.
    fn pass(&mut self, now: Duration) {
        let minute = now.as_secs() / BUCKET.as_secs();
        let steps = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(BUCKETS).min(BUCKETS);
        self.methods.values_mut().for_each(|time| time.pass(steps));
        self.minute = self.minute.max(minute);
    }
}

/// How long it is until a minute begins.
fn until_minute(minute: u64, now: Duration) -> Duration {
    Duration::from_secs(minute * BUCKET.as_secs()).saturating_sub(now).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;

    const METHOD: &str = "crm.lead.details.configuration.get";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// An answer to a request that left after every other one was answered.
    fn told(lowest: f64, highest: f64, commands: usize) -> Told {
        Told { lowest, highest, commands, each: None, sent: Duration::MAX }
    }

    #[test]
    fn a_method_waits_until_enough_of_its_minutes_have_dropped_out() {
        let mut time = OperatingTime::new(0.5, &Buckets::new());
        time.told(METHOD, told(2.0, 100.0, 50), seconds(10));
        time.told(METHOD, told(102.0, 200.0, 50), seconds(70));
        assert_eq!(time.admit(METHOD, 1, seconds(70)), Ok(()), "202 of 210 seconds");
        // 50 commands of 2 seconds each would make it 300: the first minute must go, which it surely has in the twelfth.
        assert_eq!(time.admit(METHOD, 50, seconds(70)), Err(seconds(590)));
        assert_eq!(time.admit(METHOD, 50, seconds(660)), Ok(()));
        assert_eq!(time.admit("user.get", 50, seconds(70)), Ok(()), "another method has a sum of its own");
    }

    #[test]
    fn commands_in_flight_count_until_they_are_answered() {
        let mut time = OperatingTime::new(0.5, &Buckets::new());
        time.told(METHOD, told(2.0, 100.0, 50), seconds(0));
        time.sent(METHOD, 50);
        assert_eq!(time.admit(METHOD, 50, seconds(0)), Err(UNTIL_ANSWERED));
        time.back(METHOD, 50);
        assert_eq!(time.admit(METHOD, 50, seconds(0)), Ok(()));
    }

    #[test]
    fn a_refused_method_rests_longer_each_time_and_is_asked_again() {
        let mut time = OperatingTime::new(0.8, &Buckets::new());
        let (mut now, mut rests) = (seconds(5), Vec::new());
        for _ in 0..7 {
            time.refused("batch", now);
            time.refused("batch", now);
            let rest = time.admit("batch", 1, now).unwrap_err();
            assert_eq!(time.forecast("batch", 1, "batch", now).1, rest);
            rests.push(rest.as_secs());
            now += rest;
            assert_eq!(time.admit("batch", 1, now), Ok(()));
        }
        assert_eq!(rests, [1, 2, 4, 8, 16, 30, 30]);
        time.refused("batch", now + seconds(60));
        assert_eq!(time.admit("batch", 1, now + seconds(60)), Err(seconds(1)));
    }

    #[test]
    fn an_older_answer_takes_nothing_back_and_a_newer_one_does() {
        let mut time = OperatingTime::new(0.8, &Buckets::new());
        time.told(METHOD, told(9.0, 9.0, 1), seconds(5));
        time.told(METHOD, Told { sent: seconds(4), ..told(4.0, 4.0, 1) }, seconds(6));
        assert_eq!(time.buckets(seconds(6))[METHOD][0], 9.0);
        time.told(METHOD, told(12.0, 12.0, 1), seconds(70));
        // The portal has forgotten the first minute.
        time.told(METHOD, Told { sent: seconds(71), ..told(3.0, 3.0, 1) }, seconds(72));
        assert_eq!(time.buckets(seconds(72))[METHOD][..2], [3.0, 0.0]);
    }

    #[test]
    fn what_an_earlier_process_left_counts_and_fades() {
        let mut left = Buckets::from([(METHOD.to_owned(), [0.0; BUCKETS])]);
        *left.get_mut(METHOD).unwrap().last_mut().unwrap() = 400.0;
        let mut time = OperatingTime::new(0.8, &left);
        assert_eq!(time.admit(METHOD, 1, seconds(0)), Err(seconds(60)));
        assert_eq!(time.admit(METHOD, 1, seconds(60)), Ok(()));
        assert!(time.buckets(seconds(60)).is_empty());
    }

    #[test]
    fn what_others_have_spent_before_is_not_the_cost_of_a_command() {
        let mut left = Buckets::from([(METHOD.to_owned(), [0.0; BUCKETS])]);
        left.get_mut(METHOD).unwrap()[3] = 100.0;
        for left in [Buckets::new(), left] {
            let mut time = OperatingTime::new(0.8, &left);
            time.told(METHOD, told(250.2, 260.0, 50), seconds(1));
            let (share, pause) = time.forecast(METHOD, 100, METHOD, seconds(1));
            assert!((share - 20.0 / LIMIT_SECONDS).abs() < 0.001 && pause.is_zero(), "{share} {pause:?}");
            assert_eq!(time.admit(METHOD, 50, seconds(1)), Ok(()));
        }
    }

    #[test]
    fn a_forecast_counts_on_the_minutes_that_drop_out() {
        let mut left = Buckets::from([(METHOD.to_owned(), [0.0; BUCKETS])]);
        left.get_mut(METHOD).unwrap()[BUCKETS - 2] = 200.0;
        let mut time = OperatingTime::new(0.5, &left);
        time.told(METHOD, told(200.1, 205.0, 50), seconds(0));
        // 10 s more are 215 of 210; the 200 drop out in two minutes.
        let (share, pause) = time.forecast(METHOD, 100, METHOD, seconds(0));
        assert!((share - 10.0 / LIMIT_SECONDS).abs() < 0.001, "{share}");
        assert_eq!(pause, seconds(120));
    }

    #[test]
    fn a_command_that_is_too_much_for_the_whole_budget_goes_alone() {
        let mut time = OperatingTime::new(0.05, &Buckets::new());
        time.told(METHOD, told(1.0, 31.0, 2), seconds(0));
        assert_eq!(time.admit(METHOD, 1, seconds(0)), Err(seconds(660)));
        assert_eq!(time.admit(METHOD, 1, seconds(660)), Ok(()));
    }

    /// A portal that charges each command at its end, and a client with several connections, in virtual time.
    struct Trial {
        /// Seconds of a command.
        cost: f64,
        commands: usize,
        requests: usize,
        /// Whether the portal's clock tells what a command takes.
        told: bool,
        /// When the portal's minutes begin, in milliseconds.
        phase: u64,
        /// What the portal has charged before, and whether the client knows.
        before: f64,
        known: bool,
        /// How long each answer is on its way, in milliseconds, one after the other.
        ways: Vec<u64>,
    }

    /// What came of a trial.
    #[derive(Debug)]
    struct Ended {
        at: Duration,
        waits: Vec<(Duration, Duration)>,
        /// The greatest sum that the portal has seen.
        highest: f64,
    }

    impl Trial {
        fn run(&self) -> Ended {
            let minute = |at: u64| (at + self.phase) / 60_000;
            let mut charged: Vec<(u64, f64)> = vec![(minute(0), self.before)];
            let sum = |charged: &[(u64, f64)], at: u64| -> f64 {
                charged.iter().filter(|(then, _)| then + 10 > minute(at)).map(|(_, seconds)| seconds).sum()
            };
            let mut left = Buckets::new();
            if self.known {
                left.entry(METHOD.to_owned()).or_insert([0.0; BUCKETS])[0] = self.before;
            }
            let mut time = OperatingTime::new(0.8, &left);
            // The ends of commands and the arrivals of answers, the earliest first.
            let mut events: BinaryHeap<Reverse<(u64, usize, bool)>> = BinaryHeap::new();
            let mut under_way: BTreeMap<usize, (u64, Vec<f64>)> = BTreeMap::new();
            let (mut now, mut next, mut waits, mut highest, mut told_until) = (0, 0, Vec::new(), 0.0_f64, 0);
            loop {
                while next < self.requests && under_way.len() < 8 && now >= told_until {
                    match time.admit(METHOD, self.commands, Duration::from_millis(now)) {
                        Ok(()) => {
                            time.sent(METHOD, self.commands);
                            let end = |command: usize| now + (self.cost * 1000.0 * (command + 1) as f64) as u64;
                            (0..self.commands).for_each(|command| events.push(Reverse((end(command), next, false))));
                            let way = self.ways[next % self.ways.len()];
                            events.push(Reverse((end(self.commands - 1) + way, next, true)));
                            under_way.insert(next, (now, Vec::new()));
                            next += 1;
                        }
                        Err(wait) => {
                            if wait > UNTIL_ANSWERED {
                                waits.push((Duration::from_millis(now), wait));
                            }
                            told_until = now + u64::try_from(wait.as_millis()).unwrap();
                        }
                    }
                }
                let Some(Reverse((at, request, arrived))) = events.pop() else {
                    if next == self.requests {
                        return Ended { at: Duration::from_millis(now), waits, highest };
                    }
                    now = told_until;
                    continue;
                };
                if told_until > now && told_until < at && next < self.requests {
                    events.push(Reverse((at, request, arrived)));
                    now = told_until;
                    continue;
                }
                now = at;
                if arrived {
                    let (sent, sums) = under_way.remove(&request).unwrap();
                    time.back(METHOD, self.commands);
                    let told = Told {
                        lowest: sums.iter().copied().fold(f64::INFINITY, f64::min),
                        highest: sums.iter().copied().fold(0.0, f64::max),
                        commands: self.commands,
                        each: self.told.then_some(self.cost),
                        sent: Duration::from_millis(sent),
                    };
                    time.told(METHOD, told, Duration::from_millis(now));
                    told_until = now;
                } else {
                    charged.push((minute(now), self.cost));
                    let stands = sum(&charged, now);
                    highest = highest.max(stands);
                    under_way.get_mut(&request).unwrap().1.push(stands);
                }
            }
        }

        fn needs(&self) -> f64 {
            self.cost * (self.commands * self.requests) as f64
        }

        /// The most that can be under way at the same time.
        fn under_way(&self) -> f64 {
            self.cost * (self.commands * 8) as f64
        }
    }

    proptest! {
        #[test]
        fn nobody_waits_without_need_and_no_share_is_exceeded(
            cost in 0.02_f64..0.3,
            commands in 4_usize..=50,
            requests in 1_usize..80,
            told: bool,
            phase in 0_u64..60_000,
            before in prop_oneof![Just(0.0), 0.0..250.0],
            known: bool,
            ways in proptest::collection::vec(5_u64..900, 5),
        ) {
            let trial = Trial { cost, commands, requests, told, phase, before, known, ways };
            let ended = trial.run();
            let budget = 0.8 * LIMIT_SECONDS;
            let needs = before + trial.needs();
            // What is under way counts twice near the limit.
            if needs + 2.0 * trial.under_way() <= budget {
                prop_assert!(ended.waits.is_empty(), "{:?} for {needs} of {budget}", ended.waits);
            }
            // Nothing can be known before the first answers.
            let blind = trial.under_way().min(trial.needs());
            // A command that is being carried out is in no sum. Without the portal's clock the cost of all that are under way
            // is a guess between two bounds.
            let guessed = 2.0 + 24.0 * cost + if told { 0.0 } else { trial.under_way() / 2.0 };
            prop_assert!(ended.highest <= (budget + guessed).max(before + blind + 0.001), "{ended:?}");
            // At most the pauses that the portal makes necessary, each of which may last a minute longer.
            let pauses = 1.0 + (needs + 2.0 * trial.under_way()) / (budget - trial.under_way()).max(1.0);
            prop_assert!(ended.at < Duration::from_secs_f64(trial.needs() + 660.0 * pauses.floor() + 60.0), "{ended:?}");
        }
    }

    #[test]
    fn eight_connections_of_slow_commands_do_not_look_like_eight_times_their_cost() {
        for told in [false, true] {
            let ways = vec![40, 700, 10, 300, 90];
            let (phase, before) = (7_000, 0.0);
            let trial = Trial { cost: 0.15, commands: 50, requests: 12, told, phase, before, known: true, ways };
            let ended = trial.run();
            assert!(ended.waits.is_empty() && ended.at < seconds(40), "{told} {ended:?}");
        }
    }
}
