//! What the portal's request counter stands at, as far as one of its clients can know.
//!
//! The portal's counter steps down once a second, at a moment of the second that nobody outside knows, and this one leaks
//! evenly. The portal's is therefore always less than this one plus what leaks in one second, and since it counts in whole
//! numbers, a client that keeps this one below `burst - per_second + 1` is never refused while it is alone. That holds if
//! all requests take the same time to the portal; some of that 1 is kept for those that take longer than others. It is the
//! promise, and the tests hold it against a model of the portal.
//!
//! Others may share the counter. A refusal says that the portal's stands at `burst`; what is then missing here was added
//! by others since the last refusal, and from there on their pace is taken off the leak.
//!
//! A refusal that comes while this counter is far from full is doubted: either others have filled the portal's, or it was
//! a whim of a server on the way. A few requests are then sent without their pauses. If they are all taken, the portal's
//! cannot have been full; if not, that cost one more refusal.
//!
//! Pure: the time is passed in, as the time since any fixed moment.

use std::time::Duration;

use super::Rate;

/// How many seconds later than others a request may arrive, with the portal's counter standing higher for it, before that
/// can lead to a refusal.
const JITTER: f64 = 0.15;

/// How quickly the pace of others is forgotten: it halves in this many seconds without a refusal. Long enough that steady
/// traffic of others costs a refusal about once in a hundred requests, short enough that a burst does not slow down a
/// whole run.
const FORGET_HALF: f64 = 240.0;

/// A refusal says something about the pace of others only if the counter was known for at least this many seconds.
/// Several requests are in flight at once, and their refusals come together.
const SHORTEST_OBSERVATION: f64 = 2.0;

/// One refusal raises the pace of others by at most this share of the leak.
const LARGEST_FOREIGN_STEP: f64 = 0.25;

/// Others are never believed to take more than this share of the leak, so that there is always a pace left.
const LARGEST_FOREIGN_SHARE: f64 = 0.9;

/// A refusal is doubted if more than this share of `burst` cannot be explained. Steady traffic of others shows much
/// earlier, as a gap of a few requests.
const DOUBTFUL_SHARE: f64 = 0.25;

/// How many requests have to be taken without their pauses to prove that the counter was not full. Between a refusal and
/// the first of them the counter leaks for a second and a half, which is room for three at the most.
const PROBES: u32 = 5;

/// Requests that wait leave together, as many as leak in this many seconds.
const TOGETHER: f64 = 4.0;

/// Whoever takes less than this share of the leak is forgotten again.
const ALONE: f64 = 0.05;

/// Sums of fractions are compared with this much tolerance, in requests.
const EPSILON: f64 = 1e-6;

/// The client's model of the portal's counter.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    rate: Rate,
    level: f64,
    /// The moment that `level` and `foreign` are of.
    at: Duration,
    /// Requests a second that others are believed to make.
    foreign: f64,
    /// When the portal's counter was last known for certain: at the last refusal.
    known_since: Option<Duration>,
    doubt: Option<Doubt>,
}

/// A refusal that may have been a whim.
#[derive(Clone, Debug)]
struct Doubt {
    /// The moment of the refusal.
    since: Duration,
    /// How much the refusal added to the level.
    added: f64,
    /// Requests that were sent since without their pauses.
    sent: u32,
    /// Requests of those after the refusal that were taken.
    taken: u32,
}

impl Counter {
    /// A counter that stands at `level` at the moment zero.
    pub(crate) fn new(rate: Rate, level: f64) -> Self {
        // The portal's never stands higher than it may, whatever somebody kept of it.
        let most = match rate {
            Rate::Limited { burst, per_second: _ } => burst,
            Rate::Unlimited => f64::MAX,
        };
        let level = if level.is_nan() { most } else { level.clamp(0.0, most) };
        Self { rate, level, at: Duration::ZERO, foreign: 0.0, known_since: None, doubt: None }
    }

    /// Counts a request, or says how long it has to wait.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        self.pass(now);
        let Rate::Limited { burst: _, per_second } = self.rate else {
            return Ok(());
        };
        let excess = self.level + 1.0 - self.ceiling();
        if excess <= EPSILON {
            self.level += 1.0;
            return Ok(());
        }
        // The first request after a doubted refusal waits like any other; the probes are those behind it.
        if let Some(doubt) = &mut self.doubt
            && doubt.sent < PROBES
            && now.saturating_sub(doubt.since).as_secs_f64() >= (1.0 + per_second) / per_second
        {
            doubt.sent += 1;
            self.level += 1.0;
            return Ok(());
        }
        // Rounded up to a millisecond, so that the one who waited never comes a moment too early.
        let milliseconds = (excess / self.leak() * 1000.0).ceil();
        Err(Duration::from_secs_f64((milliseconds / 1000.0).min(3600.0)))
    }

    /// Takes note that the portal refused a request: its counter is full.
    pub(crate) fn refused(&mut self, now: Duration) {
        self.pass(now);
        let Rate::Limited { burst, per_second } = self.rate else {
            return;
        };
        let missing = (burst - self.level).max(0.0);
        let observed = self.known_since.map(|known_since| now.saturating_sub(known_since).as_secs_f64());
        let doubtful = missing > DOUBTFUL_SHARE * burst;
        if !doubtful && let Some(observed) = observed.filter(|observed| *observed >= SHORTEST_OBSERVATION) {
            let unexplained = (missing / observed).min(LARGEST_FOREIGN_STEP * per_second);
            self.foreign = (self.foreign + unexplained).min(LARGEST_FOREIGN_SHARE * per_second);
        }
        self.doubt = match self.doubt.take() {
            // Requests that were in flight together are refused together: that is one refusal.
            Some(doubt) if doubt.sent == 0 => Some(doubt),
            // The probes were refused as well.
            Some(_) => None,
            None => doubtful.then_some(Doubt { since: now, added: missing, sent: 0, taken: 0 }),
        };
        self.level = burst;
        self.known_since = Some(now);
    }

    /// Takes note that the portal took a request that was sent at a moment. Tells whether there is more room now than was
    /// thought: whoever waits for it waits too long.
    pub(crate) fn taken(&mut self, sent: Duration) -> bool {
        let Some(doubt) = &mut self.doubt else {
            return false;
        };
        if sent > doubt.since {
            doubt.taken += 1;
        }
        if doubt.taken < PROBES {
            return false;
        }
        self.level = (self.level - doubt.added).max(0.0);
        self.doubt = None;
        self.known_since = None;
        true
    }

    /// Takes note that an admitted request never reached the portal.
    pub(crate) fn unsent(&mut self, now: Duration) {
        self.pass(now);
        self.level = (self.level - 1.0).max(0.0);
    }

    /// What the counter stands at.
    pub(crate) fn level(&mut self, now: Duration) -> f64 {
        self.pass(now);
        self.level
    }

    /// How much longer a request has to wait that waits anyway, so that others may leave with it, at most so many in all: those
    /// that wait behind it, and those that come meanwhile.
    pub(crate) fn together(&self, most: usize) -> Duration {
        let Rate::Limited { burst: _, per_second } = self.rate else {
            return Duration::ZERO;
        };
        // Those who share the counter are served best by an even pace.
        if self.known_since.is_some() || self.foreign > ALONE * per_second {
            return Duration::ZERO;
        }
        let group = (most as f64).min(self.leak() * TOGETHER).min(self.ceiling()).floor();
        Duration::from_secs_f64((group - 1.0).max(0.0) / self.leak())
    }

    /// How many requests could leave at once.
    pub(crate) fn room(&mut self, now: Duration) -> f64 {
        self.pass(now);
        (self.ceiling() - self.level).max(0.0)
    }

    /// How many requests could leave at once if the counter stood at zero.
    pub(crate) fn most_room(&self) -> f64 {
        self.ceiling().max(0.0)
    }

    /// Requests a second that can be sustained.
    pub(crate) fn pace(&self) -> f64 {
        match self.rate {
            Rate::Limited { .. } => self.leak(),
            Rate::Unlimited => f64::INFINITY,
        }
    }

    /// Lets the time pass until `now`. A moment in the past changes nothing.
    fn pass(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level - self.leak() * seconds).max(0.0);
        self.foreign *= 0.5_f64.powf(seconds / FORGET_HALF);
        self.at = self.at.max(now);
    }

    /// How high this counter may stand.
    fn ceiling(&self) -> f64 {
        match self.rate {
            Rate::Limited { burst, per_second } => {
                // A counter that goes down in fractions may stand at any height between two whole numbers. And whoever was
                // refused shares the portal's with others, who need more than what is kept for those that come late.
                let exact = burst.fract() == 0.0 && per_second.fract() == 0.0 && self.known_since.is_none();
                let spare = if exact { (1.0 - JITTER * per_second).max(0.0) } else { 0.0 };
                burst - per_second + spare
            }
            Rate::Unlimited => f64::INFINITY,
        }
    }

    fn leak(&self) -> f64 {
        match self.rate {
            Rate::Limited { per_second, .. } => per_second - self.foreign,
            Rate::Unlimited => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The portal's counter as the recordings and the vendor's words describe it: it steps down once a second.
    struct Portal {
        burst: f64,
        per_second: f64,
        phase: f64,
        steps: f64,
        level: f64,
    }

    impl Portal {
        fn new(rate: Rate, phase: f64) -> Self {
            let Rate::Limited { burst, per_second } = rate else { panic!("a portal that counts") };
            Self { burst, per_second, phase, steps: 0.0, level: 0.0 }
        }

        fn accepts(&mut self, at: Duration) -> bool {
            // Requests that overtake each other on their way come after the same step.
            let steps = (at.as_secs_f64() + self.phase).floor().max(self.steps);
            self.level = (self.level - (steps - self.steps) * self.per_second).max(0.0);
            self.steps = steps;
            if self.level + 1.0 > self.burst + 1e-6 {
                return false;
            }
            self.level += 1.0;
            true
        }
    }

    /// Runs a client that always has something to send after the given pauses; returns the end and the refusals.
    fn run(rate: Rate, phase: f64, pauses: &[u64], foreign_pause: Option<f64>) -> (Duration, usize) {
        let on_time = pauses.iter().map(|pause| (*pause, 0)).collect::<Vec<_>>();
        run_late(rate, phase, &on_time, foreign_pause)
    }

    /// The same for requests that arrive late, each by its own time.
    fn run_late(rate: Rate, phase: f64, pauses: &[(u64, u64)], foreign_pause: Option<f64>) -> (Duration, usize) {
        let (mut counter, mut portal) = (Counter::new(rate, 0.0), Portal::new(rate, phase));
        let (mut now, mut refused, mut next_foreign) = (Duration::ZERO, 0, foreign_pause);
        for (pause, late) in pauses {
            now += Duration::from_millis(*pause);
            loop {
                if let Err(wait) = counter.admit(now) {
                    now += wait;
                    continue;
                }
                while let (Some(at), Some(pause)) = (next_foreign, foreign_pause) {
                    if at > now.as_secs_f64() {
                        break;
                    }
                    portal.accepts(Duration::from_secs_f64(at));
                    next_foreign = Some(at + pause);
                }
                if portal.accepts(now + Duration::from_millis(*late)) {
                    counter.taken(now);
                    break;
                }
                refused += 1;
                counter.refused(now);
            }
        }
        (now, refused)
    }

    proptest! {
        #[test]
        fn a_client_that_is_alone_is_never_refused_whatever_the_phase(
            phase in 0.0..1.0_f64,
            pauses in prop::collection::vec((prop_oneof![9 => Just(0_u64), 1 => 0..30_000_u64], 0..150_u64), 1..400),
            enterprise: bool,
        ) {
            let rate = if enterprise { Rate::ENTERPRISE } else { Rate::STANDARD };
            prop_assert_eq!(run_late(rate, phase, &pauses, None).1, 0);
        }

        #[test]
        fn the_pace_loses_at_most_a_second_against_the_best_possible(phase in 0.0..1.0_f64, count in 50..1000_usize) {
            let (end, _) = run(Rate::STANDARD, phase, &vec![0; count], None);
            let best = (count as f64 - 50.0) / 2.0;
            prop_assert!(end.as_secs_f64() <= best + 0.7, "{end:?} instead of {best}");
        }

        #[test]
        fn steady_traffic_of_others_costs_few_refusals(phase in 0.0..1.0_f64) {
            let (end, refused) = run(Rate::STANDARD, phase, &vec![0; 600], Some(2.0));
            prop_assert!(refused <= 12, "{refused} of 600 were refused");
            let best = (600.0 - 50.0) / 1.5;
            prop_assert!(end.as_secs_f64() <= best * 1.05, "{end:?} instead of {best}");
        }
    }

    #[test]
    fn what_leaks_in_four_seconds_leaves_together() {
        let extra = |rate: Rate, most: usize| Counter::new(rate, 0.0).together(most).as_secs_f64();
        let none = extra(Rate::STANDARD, 0) + extra(Rate::STANDARD, 1) + extra(Rate::Unlimited, 8);
        assert_eq!(none, 0.0);
        assert_eq!((extra(Rate::STANDARD, 2), extra(Rate::STANDARD, 8), extra(Rate::STANDARD, 20)), (0.5, 3.5, 3.5));
        assert_eq!((extra(Rate::ENTERPRISE, 7), extra(Rate::ENTERPRISE, 30)), (1.2, 3.8));
        // A counter that has never room for more than one makes nobody wait for others.
        assert_eq!(extra(Rate::Limited { burst: 4.0, per_second: 3.0 }, 8), 0.0);
        let mut shared = Counter::new(Rate::STANDARD, 40.0);
        shared.refused(Duration::ZERO);
        assert_eq!(shared.together(8), Duration::ZERO, "others share it");
    }

    #[test]
    fn a_whim_does_not_hide_that_others_share_the_counter() {
        let mut counter = Counter::new(Rate::STANDARD, 48.0);
        for seconds in [0, 3, 6] {
            counter.refused(Duration::from_secs(seconds));
        }
        // After a minute without a request a refusal is a whim.
        let now = Duration::from_secs(80);
        counter.refused(now);
        let proved = (0..PROBES).any(|_| counter.taken(now + Duration::from_secs(1)));
        assert!(proved);
        assert!(counter.known_since.is_none() && counter.foreign > 0.5, "{counter:?}");
        assert_eq!(counter.together(8), Duration::ZERO);
        // Those others are forgotten after some quarters of an hour.
        counter.pass(Duration::from_secs(4000));
        assert!(counter.together(8) > Duration::from_secs(1), "{counter:?}");
    }

    #[test]
    fn a_refusal_means_that_the_counter_is_full() {
        let mut counter = Counter::new(Rate::STANDARD, 0.0);
        counter.refused(Duration::from_millis(10));
        assert_eq!(counter.admit(Duration::from_millis(10)), Err(Duration::from_millis(1500)));
        assert_eq!(counter.admit(Duration::from_millis(1510)), Ok(()));
    }

    #[test]
    fn a_refusal_out_of_the_blue_costs_two_seconds_and_not_the_whole_room() {
        let mut counter = Counter::new(Rate::STANDARD, 0.0);
        let mut now = Duration::from_secs(1);
        assert!(counter.admit(now).is_ok());
        counter.refused(now);
        for _ in 0..30 {
            while let Err(wait) = counter.admit(now) {
                now += wait;
            }
            counter.taken(now);
        }
        assert!(now <= Duration::from_secs(3), "{now:?}");
    }

    #[test]
    fn a_counter_that_others_have_filled_costs_few_refusals() {
        let (mut counter, mut portal) = (Counter::new(Rate::STANDARD, 0.0), Portal::new(Rate::STANDARD, 0.3));
        portal.level = 50.0;
        let (mut now, mut refused) = (Duration::ZERO, 0);
        for _ in 0..100 {
            loop {
                if let Err(wait) = counter.admit(now) {
                    now += wait;
                } else if portal.accepts(now) {
                    counter.taken(now);
                    break;
                } else {
                    counter.refused(now);
                    refused += 1;
                }
            }
        }
        assert!(refused <= 3, "{refused} refusals");
        assert!(now <= Duration::from_secs(52), "{now:?}");
    }

    #[test]
    fn a_level_of_an_earlier_process_is_respected() {
        let mut counter = Counter::new(Rate::STANDARD, 48.0);
        assert_eq!(counter.admit(Duration::ZERO), Err(Duration::from_millis(150)));
        assert!((counter.room(Duration::from_secs(10)) - 20.7).abs() < 1e-9);
        // Nor is more believed than can be: whoever did would wait for ever.
        for level in [1e300, f64::INFINITY, f64::NAN] {
            let mut counter = Counter::new(Rate::STANDARD, level);
            assert_eq!(counter.admit(Duration::ZERO), Err(Duration::from_millis(1150)), "{level}");
        }
    }

    #[test]
    fn a_portal_that_does_not_count_never_lets_wait() {
        let mut counter = Counter::new(Rate::Unlimited, 0.0);
        assert!((0..10_000).all(|_| counter.admit(Duration::ZERO).is_ok()));
    }
}
