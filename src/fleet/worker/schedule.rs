//! Time of the next round of a portal.

use std::time::Duration;

/// Longest wait after failures, unless the interval of the portal is longer.
const MAX_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// Returns the time to the next round after one that did not fail: the interval of the portal, ten
/// percent more or less. `random` is between 0 and 1.
pub fn due_after_success(every: Duration, random: f64) -> Duration {
    spread(every, 0.1, random)
}

/// Returns the time to the next round after so many failed ones in a row, the last included: the
/// interval of the portal, doubled with each further failure up to an hour, a quarter more or
/// less. `random` is between 0 and 1.
pub fn due_after_failure(every: Duration, failures: u32, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let backoff = every.saturating_mul(1 << doublings).min(MAX_BACKOFF.max(every));
    spread(backoff, 0.25, random)
}

/// Returns a time that is longer or shorter by at most a share.
fn spread(time: Duration, share: f64, random: f64) -> Duration {
    time.mul_f64(1.0 + share * (2.0 * random.clamp(0.0, 1.0) - 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn failures_double_the_wait_up_to_an_hour_or_the_interval() {
        let middle = |every: u64, failures| {
            due_after_failure(Duration::from_secs(every), failures, 0.5).as_secs()
        };
        let waits: Vec<u64> = (1..=5).map(|failures| middle(900, failures)).collect();
        assert_eq!(waits, [900, 1800, 3600, 3600, 3600]);
        assert_eq!((middle(30, 1), middle(30, 2), middle(30, u32::MAX)), (30, 60, 3600));
        assert_eq!((middle(7200, 1), middle(7200, 9)), (7200, 7200));
    }

    proptest! {
        #[test]
        fn wait_stays_within_its_spread(every in 1_u64..1_000_000, failures in 1_u32..40, random in 0.0..1.0) {
            let every = Duration::from_secs(every);
            let waits = due_after_success(every, random).as_secs_f64() / every.as_secs_f64();
            prop_assert!((0.9..=1.1).contains(&waits));
            let failed = due_after_failure(every, failures, random);
            prop_assert!(failed >= every.mul_f64(0.7499));
            prop_assert!(failed <= MAX_BACKOFF.max(every).mul_f64(1.2501));
        }
    }
}
