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
//! Pure: the time is passed in, as the time since any fixed moment.

use std::collections::BTreeMap;
use std::time::Duration;

/// The portal's limit for a method in ten minutes, in seconds. The documentation's example shows 480, the code's default
/// is 420; the smaller one is safe for both.
const LIMIT_SECONDS: f64 = 420.0;

/// How many buckets of a minute the portal adds up.
pub(crate) const BUCKETS: usize = 10;

/// The length of a bucket.
const BUCKET: Duration = Duration::from_secs(60);

/// How long a method rests after a refusal: a second first, since it may have been a whim of a server on the way, then
/// twice as long each time.
const FIRST_REST: Duration = Duration::from_secs(1);

/// The longest rest. The portal frees a bucket every minute, and a request in vain costs nothing but itself.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// A refusal so long after the last rest has nothing to do with the ones before it.
const REFUSALS_FORGOTTEN: Duration = BUCKET;

/// The seconds of each method in the last ten minutes, the newest minute first.
pub(crate) type Buckets = BTreeMap<String, [f64; BUCKETS]>;

/// What is known of the operating time of every method.
#[derive(Clone, Debug)]
pub(crate) struct OperatingTime {
    /// How many seconds of a method this program allows itself.
    budget: f64,
    methods: BTreeMap<String, MethodTime>,
    minute: u64,
}

#[derive(Clone, Debug, Default)]
struct MethodTime {
    buckets: [f64; BUCKETS],
    /// The running mean of what one command costs.
    per_command: f64,
    /// The sum that the portal named last.
    told: f64,
    /// Commands that have left and not been answered.
    in_flight: usize,
    /// Until when the method rests after a refusal.
    rests_until: Duration,
    /// How long the last rest was.
    rest: Duration,
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
        let expected = time.per_command * (time.in_flight + commands) as f64;
        let mut sum = time.buckets.iter().sum::<f64>();
        // Whoever alone is too much for the budget goes when nothing else is left in it.
        if sum + expected <= budget || sum <= f64::EPSILON {
            return Ok(());
        }
        // The oldest buckets drop out one a minute: wait for as many as it takes.
        for (minutes, bucket) in time.buckets.iter().rev().enumerate() {
            sum -= bucket;
            if sum + expected <= budget {
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

    /// Takes note of the sum that the portal named for a method, after `commands` of it.
    pub(crate) fn told(&mut self, method: &str, sum: f64, commands: usize, now: Duration) {
        if !sum.is_finite() || sum < 0.0 {
            return;
        }
        self.pass(now);
        let time = self.methods.entry(method.to_owned()).or_default();
        let known = time.buckets.iter().sum::<f64>();
        // A smaller sum is an older answer, or a bucket that drops out here within the minute.
        if sum > known
            && let Some(newest) = time.buckets.first_mut()
        {
            *newest += sum - known;
        }
        if sum >= time.told && commands > 0 {
            let cost = (sum - time.told) / commands as f64;
            time.per_command = if time.per_command > 0.0 { 0.7 * time.per_command + 0.3 * cost } else { cost };
        }
        time.told = sum;
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

    /// Which part of the portal's limit a method will have taken after so many further commands, in ten minutes if they all
    /// fall into ten minutes, and how long the pauses are that its budget makes necessary. A method without a cost of its own
    /// is taken to cost what another one does.
    pub(crate) fn forecast(&mut self, method: &str, commands: usize, like: &str, now: Duration) -> (f64, Duration) {
        self.pass(now);
        let known = |method: &str| self.methods.get(method).map(|time| time.per_command).filter(|cost| *cost > 0.0);
        let cost = known(method).or_else(|| known(like)).unwrap_or_default();
        let before = self.methods.get(method).map_or(0.0, |time| time.buckets.iter().sum::<f64>());
        let sum = before + cost * commands as f64;
        let rounds = (sum / self.budget).ceil() - 1.0;
        let pause = if commands > 0 && rounds > 0.0 { rounds * (BUCKETS as f64) * BUCKET.as_secs_f64() } else { 0.0 };
        (sum / LIMIT_SECONDS, Duration::try_from_secs_f64(pause).unwrap_or(Duration::MAX))
    }

    /// What is to be kept for a later process. Methods without any time are left out.
    pub(crate) fn buckets(&mut self, now: Duration) -> Buckets {
        self.pass(now);
        let used = self.methods.iter().filter(|(_, time)| time.buckets.iter().any(|seconds| *seconds > 0.0));
        used.map(|(name, time)| (name.clone(), time.buckets)).collect()
    }

    /// Lets the minutes pass until `now`: the newest bucket becomes the second, and so on; the tenth is forgotten.
    fn pass(&mut self, now: Duration) {
        let minute = now.as_secs() / BUCKET.as_secs();
        let steps = usize::try_from(minute.saturating_sub(self.minute)).unwrap_or(BUCKETS).min(BUCKETS);
        for time in self.methods.values_mut() {
            time.buckets.rotate_right(steps);
            time.buckets.iter_mut().take(steps).for_each(|seconds| *seconds = 0.0);
        }
        self.minute = self.minute.max(minute);
    }
}

/// How long it is until a minute begins.
fn until_minute(minute: u64, now: Duration) -> Duration {
    Duration::from_secs(minute * BUCKET.as_secs()).saturating_sub(now).max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "crm.lead.details.configuration.get";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_method_waits_until_enough_of_its_minutes_have_dropped_out() {
        let mut time = OperatingTime::new(0.5, &Buckets::new());
        time.told(METHOD, 100.0, 50, seconds(10));
        time.told(METHOD, 200.0, 50, seconds(70));
        assert_eq!(time.admit(METHOD, 1, seconds(70)), Ok(()), "201 of 210 seconds");
        // 50 commands of 2 seconds each would make it 300: the first minute must go, which it does when the eleventh starts.
        assert_eq!(time.admit(METHOD, 50, seconds(70)), Err(seconds(530)));
        assert_eq!(time.admit(METHOD, 50, seconds(600)), Ok(()));
        assert_eq!(time.admit("user.get", 50, seconds(70)), Ok(()), "another method has a sum of its own");
    }

    #[test]
    fn commands_in_flight_count_as_if_they_were_answered() {
        let mut time = OperatingTime::new(0.5, &Buckets::new());
        time.told(METHOD, 100.0, 50, seconds(0));
        time.sent(METHOD, 50);
        assert!(time.admit(METHOD, 50, seconds(0)).is_err());
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
            rests.push(rest.as_secs());
            now += rest;
            assert_eq!(time.admit("batch", 1, now), Ok(()));
        }
        assert_eq!(rests, [1, 2, 4, 8, 16, 30, 30]);
        time.refused("batch", now + seconds(60));
        assert_eq!(time.admit("batch", 1, now + seconds(60)), Err(seconds(1)));
    }

    #[test]
    fn an_older_answer_takes_nothing_back() {
        let mut time = OperatingTime::new(0.8, &Buckets::new());
        time.told(METHOD, 9.0, 1, seconds(0));
        time.told(METHOD, 4.0, 1, seconds(0));
        assert_eq!(time.buckets(seconds(0))[METHOD][0], 9.0);
    }

    #[test]
    fn what_an_earlier_process_left_counts_and_fades() {
        let left = Buckets::from([(METHOD.to_owned(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 400.0])]);
        let mut time = OperatingTime::new(0.8, &left);
        assert_eq!(time.admit(METHOD, 1, seconds(0)), Err(seconds(60)));
        assert_eq!(time.admit(METHOD, 1, seconds(60)), Ok(()));
        assert!(time.buckets(seconds(60)).is_empty());
    }

    #[test]
    fn a_command_that_is_too_much_for_the_whole_budget_goes_alone() {
        let mut time = OperatingTime::new(0.05, &Buckets::new());
        time.told(METHOD, 30.0, 1, seconds(0));
        assert_eq!(time.admit(METHOD, 1, seconds(0)), Err(seconds(600)));
        assert_eq!(time.admit(METHOD, 1, seconds(600)), Ok(()));
    }
}
