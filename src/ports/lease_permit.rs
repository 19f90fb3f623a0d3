//! Permit of a claim: its lease must outlast a request, by two clocks.
//!
//! The monotonic clock stands still in a suspended machine, and the time of day can be set. Neither
//! alone tells how much of a lease is left, so that both must.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Clock, NoPermit, Permit};

/// Moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    monotonic: Instant,
    time: Timestamp,
}

impl Moment {
    /// Returns the present moment.
    pub fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: Instant::now(), time: clock.now() }
    }
}

/// Permit of a claim.
pub struct LeasePermit {
    clock: Arc<dyn Clock>,
    /// Time that must be left: longer than a request may take.
    reserve: Duration,
    /// Lease, counted from a moment; `None` once it was lost.
    lease: Mutex<Option<(Moment, Duration)>>,
}

impl LeasePermit {
    /// Creates the permit of a lease with so much time left when it was asked for.
    pub fn new(clock: Arc<dyn Clock>, reserve: Duration, asked: Moment, left: Duration) -> Self {
        Self { clock, reserve, lease: Mutex::new(Some((asked, left))) }
    }

    /// Takes an extension that was asked for at a moment. A permit that was withdrawn stays so.
    pub fn extend(&self, asked: Moment, left: Duration) {
        let mut lease = self.lease();
        if lease.is_some() {
            *lease = Some((asked, left));
        }
    }

    /// Refuses from now on: the lease was lost, or given back.
    pub fn withdraw(&self) {
        *self.lease() = None;
    }

    fn lease(&self) -> MutexGuard<'_, Option<(Moment, Duration)>> {
        // Every change is one assignment, so that a panic elsewhere leaves a valid lease.
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit for LeasePermit {
    fn check(&self) -> Result<(), NoPermit> {
        let lease = *self.lease();
        let Some((asked, left)) = lease else { return Err(NoPermit::Lost) };
        let now = Moment::now(&*self.clock);
        if now.monotonic.duration_since(asked.monotonic) + self.reserve > left {
            return Err(NoPermit::EndsTooSoon);
        }
        // A clock that was set back counts as no time at all: the other clock holds then.
        let passed = now.time.duration_since(asked.time).max(SignedDuration::ZERO);
        if passed.unsigned_abs() + self.reserve > left {
            return Err(NoPermit::EndsTooSoonByTimeOfDay);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(150);
    const RESERVE: Duration = Duration::from_secs(80);

    /// Time of day that is set by hand.
    struct SetClock(Mutex<Timestamp>);

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    /// Lets time pass by each clock, and asks the permit.
    async fn after(monotonic: u64, time: i64) -> Result<(), NoPermit> {
        let start = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(400_000);
        let clock = Arc::new(SetClock(Mutex::new(start)));
        let asked = Moment::now(&*clock);
        let permit = LeasePermit::new(Arc::clone(&clock) as _, RESERVE, asked, LEASE);
        tokio::time::advance(Duration::from_secs(monotonic)).await;
        *clock.0.lock().unwrap() = start + SignedDuration::from_secs(time);
        permit.check()
    }

    #[tokio::test(start_paused = true)]
    async fn permit_needs_time_by_both_clocks() {
        let soon = Err(NoPermit::EndsTooSoon);
        let soon_by_time = Err(NoPermit::EndsTooSoonByTimeOfDay);
        for (monotonic, time, expected) in [
            (0, 0, Ok(())),
            (70, 70, Ok(())),
            (71, 71, soon),
            (1_000, 1_000, soon),
            // A suspended machine, or a clock that was set forward: the time of day alone sees it.
            (0, 71, soon_by_time),
            (1, 3_600, soon_by_time),
            (70, 71, soon_by_time),
            // A clock that stands, or was set back: the monotonic clock alone sees it.
            (71, 0, soon),
            (71, -3_600, soon),
            (3_600, 70, soon),
            // A clock that was set back takes nothing from a lease that lasts.
            (70, -3_600, Ok(())),
        ] {
            assert_eq!(after(monotonic, time).await, expected, "{monotonic} s, {time} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn permit_counts_an_extension_from_the_moment_of_its_question() {
        let clock = Arc::new(SetClock(Mutex::new(Timestamp::UNIX_EPOCH)));
        let permit =
            LeasePermit::new(Arc::clone(&clock) as _, RESERVE, Moment::now(&*clock), LEASE);
        tokio::time::advance(Duration::from_secs(60)).await;
        let asked = Moment::now(&*clock);
        // The answer comes a minute later.
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(permit.check(), Err(NoPermit::EndsTooSoon));
        permit.extend(asked, LEASE);
        assert_eq!(permit.check(), Ok(()));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(permit.check(), Err(NoPermit::EndsTooSoon));
    }

    #[tokio::test(start_paused = true)]
    async fn permit_that_was_withdrawn_is_not_given_again() {
        let clock = Arc::new(SetClock(Mutex::new(Timestamp::UNIX_EPOCH)));
        let permit =
            LeasePermit::new(Arc::clone(&clock) as _, RESERVE, Moment::now(&*clock), LEASE);
        permit.withdraw();
        permit.extend(Moment::now(&*clock), LEASE);
        assert_eq!(permit.check(), Err(NoPermit::Lost));
    }
}
