//! Leaky bucket of the portal's request limit, as far as one client can know it.
//!
//! The portal's counter rises by 1 with each request and falls by Y once a second, at a moment that
//! no client knows; a request that would lift it above X is refused. This bucket leaks evenly and
//! is Y smaller. The portal's counter is therefore always lower than this one plus Y, and a client
//! that is alone is never refused. The portal counts in whole numbers, so that this holds for
//! requests that arrive up to 1/Y seconds later than others, too.
//!
//! Refusals come in rows: a row ends when the portal accepts a request that was sent after its last
//! refusal. The first refusal of a row pauses all requests for about a second. The second one sets
//! the level to full. Each further one reduces the rate by 10 %.
//!
//! The first row may be a mistake of a server on the way. When it ends, level and rate are again
//! those of this client's own requests. A refusal within a minute of the last one means that other
//! clients share the counter: it sets the level to full at once, further ones reduce the rate, and
//! neither is undone. The rate recovers within minutes.
//!
//! Pure state machine: the time is passed in, as the time since any fixed moment.

use std::time::Duration;

use crate::quota::Rate;

/// Pause after the first refusal of a row. Also the pause after each refusal by a portal whose
/// limits are not known: somewhat less than a second, so that twelve in a row cost at most 15.
const PAUSE: Duration = Duration::from_millis(950);

/// Factor of the rate for each refusal after the second.
const THROTTLE_FACTOR: f64 = 0.9;

/// Lowest share of the rate, so that a pace is always left.
const MIN_SHARE: f64 = 0.1;

/// Slowest rate that is believed, in requests a second.
const MIN_RATE: f64 = 1e-6;

/// Seconds in which half of the reduction of the rate is undone.
const RECOVERY_HALF_LIFE: f64 = 60.0;

/// Time without a refusal after which earlier refusals no longer count.
const REFUSAL_MEMORY: Duration = Duration::from_secs(60);

/// Longest time that one answer of the bucket lets a request wait.
const MAX_WAIT: f64 = 3600.0;

/// Tolerance for sums of fractions, in requests.
const EPSILON: f64 = 1e-6;

/// Client's model of the portal's request counter.
#[derive(Clone, Debug)]
pub(crate) struct LeakyBucket {
    rate: Rate,
    level: f64,
    /// Share of the rate that is used: 1 unless the portal refused more than its limit explains.
    share: f64,
    /// Moment that `level` and `share` are of.
    at: Duration,
    paused_until: Duration,
    refusals: Option<RefusalStreak>,
}

/// Refusals that still count.
#[derive(Clone, Debug)]
struct RefusalStreak {
    streak: Streak,
    last: Duration,
    count: u32,
}

#[derive(Clone, Copy, Debug)]
enum Streak {
    /// First row, which adds to the level and changes the share of the rate.
    First { added: f64, share_before: f64 },
    /// First row, which has ended.
    Ended,
    /// Row that began within a minute of the first one.
    Later,
}

impl LeakyBucket {
    /// Creates a bucket at `level` at time zero. An impossible level counts as full.
    pub(crate) fn new(rate: Rate, level: f64) -> Self {
        let most = match rate {
            Rate::Limited { burst, per_second: _ } => {
                if burst.is_nan() {
                    0.0
                } else {
                    burst.clamp(0.0, f64::MAX)
                }
            }
            Rate::Unlimited => 0.0,
        };
        let level = if level.is_nan() { most } else { level.clamp(0.0, most) };
        Self {
            rate,
            level,
            share: 1.0,
            at: Duration::ZERO,
            paused_until: Duration::ZERO,
            refusals: None,
        }
    }

    /// Adds a request, or returns its waiting time.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        self.advance_to(now);
        if self.paused_until > now {
            return Err(self.paused_until - now);
        }
        let excess = self.level + 1.0 - self.capacity();
        if excess > EPSILON {
            // Rounded up to a millisecond, so that a request that has waited never comes a moment
            // too early.
            let seconds = (excess / self.refill_rate() * 1000.0).ceil() / 1000.0;
            return Err(Duration::from_secs_f64(seconds.clamp(0.001, MAX_WAIT)));
        }
        if self.capacity().is_finite() {
            self.level += 1.0;
        }
        Ok(())
    }

    /// Records that the portal refused a request that was sent at `sent`.
    pub(crate) fn on_throttled(&mut self, sent: Duration, now: Duration) {
        self.advance_to(now);
        let new = RefusalStreak {
            streak: Streak::First { added: 0.0, share_before: self.share },
            last: now,
            count: 0,
        };
        let mut refusals = match self.refusals.take() {
            // Requests that were in flight together are refused together: that is one refusal.
            Some(refusals) if sent <= refusals.last => return self.refusals = Some(refusals),
            Some(refusals) if now.saturating_sub(refusals.last) < REFUSAL_MEMORY => refusals,
            _ => new,
        };
        refusals.count += 1;
        refusals.last = now;
        let missing = (self.capacity() - self.level).max(0.0);
        match &mut refusals.streak {
            Streak::First { added, .. } if refusals.count > 1 && missing.is_finite() => {
                *added += missing
            }
            Streak::Ended => refusals.streak = Streak::Later,
            Streak::First { .. } | Streak::Later => {}
        }
        if refusals.count == 1 || !missing.is_finite() {
            self.paused_until = now + PAUSE;
        } else {
            self.level = self.level.max(self.capacity());
        }
        if refusals.count > 2 {
            self.share = (self.share * THROTTLE_FACTOR).max(MIN_SHARE);
        }
        self.refusals = Some(refusals);
    }

    /// Records that the portal accepted a request that was sent at `sent`. Returns `true` if
    /// waiting requests may leave earlier.
    pub(crate) fn on_accepted(&mut self, sent: Duration) -> bool {
        let Some(refusals) = self.refusals.as_mut().filter(|refusals| sent > refusals.last) else {
            return false;
        };
        let Streak::First { added, share_before } = refusals.streak else {
            return false;
        };
        refusals.streak = Streak::Ended;
        self.level = (self.level - added).max(0.0);
        self.share = share_before;
        added > 0.0
    }

    /// Takes back a request that never reached the portal.
    pub(crate) fn on_not_sent(&mut self, now: Duration) {
        self.advance_to(now);
        self.level = (self.level - 1.0).max(0.0);
    }

    /// Returns the level.
    pub(crate) fn level(&mut self, now: Duration) -> f64 {
        self.advance_to(now);
        self.level
    }

    /// Returns the number of requests that could leave at once.
    pub(crate) fn available(&mut self, now: Duration) -> f64 {
        self.advance_to(now);
        (self.capacity() - self.level).max(0.0)
    }

    /// Returns the number of requests a second that the bucket admits once it is full.
    pub(crate) fn refill_rate(&self) -> f64 {
        match self.rate {
            Rate::Limited { burst: _, per_second } => per_second.max(MIN_RATE) * self.share,
            Rate::Unlimited => f64::INFINITY,
        }
    }

    fn capacity(&self) -> f64 {
        match self.rate {
            Rate::Limited { burst, per_second } => (burst - per_second).max(1.0),
            Rate::Unlimited => f64::INFINITY,
        }
    }

    /// Lets the time pass until `now`. A moment in the past changes nothing.
    fn advance_to(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        if seconds > 0.0 {
            self.level = (self.level - self.refill_rate() * seconds).max(0.0);
            self.share = 1.0 - (1.0 - self.share) * 0.5_f64.powf(seconds / RECOVERY_HALF_LIFE);
            self.at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Portal's counter as the recordings and the vendor's words describe it: it steps down once a
    /// second.
    struct PortalCounter {
        burst: f64,
        per_second: f64,
        phase: f64,
        steps: f64,
        level: f64,
    }

    impl PortalCounter {
        fn new(rate: Rate, phase: f64, level: f64) -> Self {
            let Rate::Limited { burst, per_second } = rate else { panic!("a portal that counts") };
            Self { burst, per_second, phase, steps: 0.0, level }
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

    /// Sends a request, repeated until it is accepted. Requests arrive `late` milliseconds after
    /// they were sent. Returns the number of refusals.
    fn send(
        bucket: &mut LeakyBucket,
        portal: &mut PortalCounter,
        now: &mut Duration,
        late: u64,
    ) -> usize {
        let mut refused = 0;
        loop {
            if let Err(wait) = bucket.admit(*now) {
                *now += wait;
            } else if portal.accepts(*now + Duration::from_millis(late)) {
                bucket.on_accepted(*now);
                return refused;
            } else {
                refused += 1;
                let sent = *now;
                *now += Duration::from_millis(1);
                bucket.on_throttled(sent, *now);
            }
        }
    }

    proptest! {
        #[test]
        fn bucket_alone_is_never_refused(
            phase in 0..40_u32,
            pauses in prop::collection::vec((prop_oneof![9 => Just(0_u64), 1 => 0..30_000_u64], 0.0..1.0_f64), 1..400),
            enterprise: bool,
        ) {
            let rate = if enterprise { Rate::ENTERPRISE } else { Rate::STANDARD };
            // The portal counts in whole numbers, which leaves one request of room for those that
            // are late.
            let latest = if enterprise { 200.0 } else { 500.0 };
            let (mut bucket, mut portal) = (LeakyBucket::new(rate, 0.0), PortalCounter::new(rate, f64::from(phase) / 40.0, 0.0));
            let mut now = Duration::ZERO;
            for (pause, late) in pauses {
                now += Duration::from_millis(pause);
                prop_assert_eq!(send(&mut bucket, &mut portal, &mut now, (late * latest) as u64), 0);
            }
        }
    }

    #[test]
    fn bucket_pace_loses_at_most_a_second() {
        for phase in 0..40 {
            for (rate, per_second, burst) in
                [(Rate::STANDARD, 2.0, 50.0), (Rate::ENTERPRISE, 5.0, 250.0)]
            {
                let mut portal = PortalCounter::new(rate, f64::from(phase) / 40.0, 0.0);
                let (mut bucket, mut now) = (LeakyBucket::new(rate, 0.0), Duration::ZERO);
                let refused: usize =
                    (0..1000).map(|_| send(&mut bucket, &mut portal, &mut now, 0)).sum();
                let best = (1000.0 - burst) / per_second;
                assert_eq!(refused, 0, "{rate} {phase}");
                assert!(
                    now.as_secs_f64() <= best + 1.1,
                    "{rate} {phase}: {now:?} instead of {best}"
                );
            }
        }
    }

    /// Refuses `refusals` requests that are sent one after the other, and returns when the next one
    /// may leave.
    fn streak(bucket: &mut LeakyBucket, refusals: u32, mut now: Duration) -> Duration {
        for _ in 0..refusals {
            while let Err(wait) = bucket.admit(now) {
                now += wait;
            }
            bucket.on_throttled(now, now + Duration::from_millis(1));
            now += Duration::from_millis(1);
        }
        while let Err(wait) = bucket.admit(now) {
            now += wait;
        }
        now
    }

    #[test]
    fn bucket_row_of_refusals_costs_seconds_and_leaves_no_trace() {
        for (rate, refusals, most) in [
            (Rate::STANDARD, 1, 1.1),
            (Rate::STANDARD, 5, 4.0),
            (Rate::STANDARD, 12, 11.5),
            (Rate::ENTERPRISE, 5, 2.5),
            (Rate::ENTERPRISE, 12, 5.5),
            (Rate::Unlimited, 5, 5.1),
            (Rate::Unlimited, 12, 12.1),
        ] {
            let mut bucket = LeakyBucket::new(rate, 10.0);
            let now = streak(&mut bucket, refusals, Duration::from_secs(1));
            assert!((now.as_secs_f64() - 1.0) <= most, "{rate} {refusals}: {now:?}");
            bucket.on_accepted(now);
            // Everything that could leave before can leave again.
            let more = (0..25).take_while(|_| bucket.admit(now).is_ok()).count();
            assert_eq!((more, bucket.share), (25, 1.0), "{rate} {refusals}: {bucket:?}");
        }
    }

    #[test]
    fn bucket_second_row_within_a_minute_sets_the_level_to_full() {
        let mut bucket = LeakyBucket::new(Rate::STANDARD, 0.0);
        let now = streak(&mut bucket, 1, Duration::from_secs(1));
        bucket.on_accepted(now);
        let now = streak(&mut bucket, 1, now + Duration::from_secs(20));
        bucket.on_accepted(now);
        assert_eq!(bucket.admit(now), Err(Duration::from_millis(500)));
        assert_eq!(bucket.share, 1.0);
        // A minute later it is as if nothing had been.
        let later = now + Duration::from_secs(60);
        let paused = streak(&mut bucket, 1, later);
        assert_eq!((paused - later).as_millis(), 951);
    }

    #[test]
    fn bucket_refusals_in_flight_together_are_one() {
        let mut bucket = LeakyBucket::new(Rate::STANDARD, 0.0);
        let sent = Duration::from_secs(1);
        for answer in 1..=8 {
            bucket.on_throttled(sent, sent + Duration::from_millis(answer));
        }
        assert_eq!(bucket.admit(sent), Err(Duration::from_millis(951)));
        assert!(bucket.admit(sent + Duration::from_millis(951)).is_ok());
        assert!(!bucket.on_accepted(sent), "it was sent before the refusals");
        assert_eq!(bucket.refusals.as_ref().unwrap().count, 1);
    }

    #[test]
    fn bucket_shared_with_others_finds_their_pace() {
        let (mut refused, mut worst) = (0, 0.0_f64);
        for phase in 0..40 {
            let (mut bucket, mut now) = (LeakyBucket::new(Rate::STANDARD, 0.0), Duration::ZERO);
            let mut portal = PortalCounter::new(Rate::STANDARD, f64::from(phase) / 40.0, 0.0);
            let mut foreign = 0;
            for _ in 0..600 {
                refused += send(&mut bucket, &mut portal, &mut now, 0);
                while foreign * 2 < now.as_secs() {
                    foreign += 1;
                    portal.accepts(now);
                }
            }
            worst = worst.max(now.as_secs_f64() / ((600.0 - 50.0) / 1.5));
        }
        assert!(
            refused <= 40 * 60 && worst <= 1.10,
            "{refused} of {} were refused, {worst}",
            40 * 600
        );
    }

    #[test]
    fn bucket_filled_by_others_costs_few_refusals() {
        let mut bucket = LeakyBucket::new(Rate::STANDARD, 0.0);
        let (mut portal, mut now) = (PortalCounter::new(Rate::STANDARD, 0.3, 50.0), Duration::ZERO);
        let refused: usize = (0..100).map(|_| send(&mut bucket, &mut portal, &mut now, 0)).sum();
        assert!(refused <= 6 && now <= Duration::from_secs(56), "{refused} refusals, {now:?}");
    }

    #[test]
    fn bucket_level_of_an_earlier_process_is_respected() {
        let mut bucket = LeakyBucket::new(Rate::STANDARD, 48.0);
        assert_eq!(bucket.admit(Duration::ZERO), Err(Duration::from_millis(500)));
        assert_eq!(bucket.available(Duration::from_secs(10)), 20.0);
    }

    #[test]
    fn bucket_impossible_numbers_are_bounded() {
        for level in [1e300, f64::INFINITY, f64::NAN] {
            let mut bucket = LeakyBucket::new(Rate::STANDARD, level);
            assert_eq!(bucket.admit(Duration::ZERO), Err(Duration::from_millis(1500)), "{level}");
        }
        assert_eq!(LeakyBucket::new(Rate::STANDARD, -1e300).admit(Duration::ZERO), Ok(()));
        for rate in [(1e300, 1e-300), (f64::MAX, f64::MAX), (2.0, 2.0), (f64::NAN, f64::NAN)] {
            let mut bucket =
                LeakyBucket::new(Rate::Limited { burst: rate.0, per_second: rate.1 }, 1e300);
            for _ in 0..3 {
                let wait = bucket.admit(Duration::from_secs(1)).err().unwrap_or_default();
                assert!(wait <= Duration::from_secs(3600), "{rate:?}");
                bucket.on_throttled(Duration::MAX, Duration::from_secs(1));
            }
        }
        let mut bucket = LeakyBucket::new(Rate::STANDARD, 0.0);
        bucket.on_throttled(Duration::ZERO, Duration::ZERO);
        assert!(bucket.admit(Duration::MAX).is_ok());
    }

    #[test]
    fn bucket_unlimited_never_waits_unless_refused() {
        let mut bucket = LeakyBucket::new(Rate::Unlimited, 0.0);
        assert!((0..10_000).all(|_| bucket.admit(Duration::ZERO).is_ok()));
        bucket.on_throttled(Duration::ZERO, Duration::ZERO);
        assert_eq!(bucket.admit(Duration::ZERO), Err(PAUSE));
    }
}
