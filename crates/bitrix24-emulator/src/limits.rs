//! Limits of the portal: requests and operating time.
//!
//! Behavior notes, section 10. Off by default, as on a self-hosted portal.

use std::collections::BTreeMap;
use std::time::Duration;

/// Number of buckets of operating time, one minute each.
const BUCKETS: u64 = 10;

/// Duration below which a call is not summed.
const SHORTEST_SUMMED: f64 = 0.1;

/// Maximum duration of a request in the cloud.
pub(super) const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);

/// Emulated limits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The request counter: above the first number a request is refused, the second leaks away each
    /// second. By source address.
    pub rate: Option<(f64, f64)>,
    /// The seconds of one method in ten minutes, by webhook.
    pub operating_seconds: Option<f64>,
    /// `true` if a request is cut after 60 seconds.
    pub cut_long_requests: bool,
}

impl Limits {
    /// Returns the limits of the cloud's usual plans.
    pub fn standard() -> Self {
        Self { rate: Some((50.0, 2.0)), operating_seconds: Some(480.0), cut_long_requests: true }
    }

    /// Returns the limits of the cloud's Enterprise plans.
    pub fn enterprise() -> Self {
        Self { rate: Some((250.0, 5.0)), ..Self::standard() }
    }
}

/// Levels of the limits.
#[derive(Debug, Default)]
pub(super) struct LimitLevels {
    buckets: BTreeMap<String, (f64, u64)>,
    operating: BTreeMap<(String, String), Vec<(u64, f64)>>,
}

impl LimitLevels {
    /// Counts a request; returns `true` if it may pass. The counter steps down once a second.
    pub(super) fn admit(&mut self, limits: &Limits, source: &str, now: Duration) -> bool {
        let Some((most, leak)) = limits.rate else { return true };
        let second = now.as_secs();
        let (level, last) = self.buckets.entry(source.to_owned()).or_insert((0.0, second));
        *level = (*level - leak * (second.saturating_sub(*last)) as f64).max(0.0);
        *last = second;
        if *level + 1.0 > most {
            return false;
        }
        *level += 1.0;
        true
    }

    /// Returns the seconds of a method in the last ten minutes.
    pub(super) fn operating(&self, webhook: &str, method: &str, now: Duration) -> f64 {
        let minute = now.as_secs() / 60;
        let key = (webhook.to_owned(), method.to_owned());
        let recent = |(at, seconds): &(u64, f64)| (at + BUCKETS > minute).then_some(*seconds);
        self.operating.get(&key).into_iter().flatten().filter_map(recent).sum()
    }

    /// Returns the time until the oldest bucket of a method drops out.
    pub(super) fn forgets_in(&self, webhook: &str, method: &str, now: Duration) -> u64 {
        let minute = now.as_secs() / 60;
        let key = (webhook.to_owned(), method.to_owned());
        let summed = self.operating.get(&key).into_iter().flatten();
        let oldest = summed.map(|(at, _)| *at).find(|at| at + BUCKETS > minute).unwrap_or(minute);
        ((oldest + BUCKETS) * 60).saturating_sub(now.as_secs())
    }

    /// Charges a duration to a method.
    pub(super) fn charge(&mut self, webhook: &str, method: &str, now: Duration, seconds: f64) {
        if seconds < SHORTEST_SUMMED {
            return;
        }
        let minute = now.as_secs() / 60;
        let buckets = self.operating.entry((webhook.to_owned(), method.to_owned())).or_default();
        buckets.retain(|(at, _)| at + BUCKETS > minute);
        match buckets.last_mut() {
            Some((at, sum)) if *at == minute => *sum += seconds,
            _ => buckets.push((minute, seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_fills_up_and_leaks() {
        let (mut levels, limits) = (LimitLevels::default(), Limits::standard());
        let mut passed = |second| levels.admit(&limits, "a", Duration::from_secs(second));
        assert!((0..50).all(|_| passed(0)));
        assert!(!passed(0));
        assert!(passed(1) && passed(1) && !passed(1));
        assert!(levels.admit(&limits, "b", Duration::ZERO));
    }

    #[test]
    fn operating_time_is_forgotten_after_ten_minutes() {
        let mut levels = LimitLevels::default();
        levels.charge("w", "m", Duration::from_secs(30), 2.0);
        levels.charge("w", "m", Duration::from_secs(90), 1.0);
        levels.charge("w", "m", Duration::from_secs(95), 0.09);
        assert_eq!(levels.operating("w", "m", Duration::from_secs(100)), 3.0);
        assert_eq!(levels.forgets_in("w", "m", Duration::from_secs(100)), 500);
        assert_eq!(levels.forgets_in("w", "m", Duration::from_secs(600)), 60);
        assert_eq!(levels.forgets_in("w", "other", Duration::from_secs(100)), 560);
        assert_eq!(levels.operating("w", "m", Duration::from_secs(600)), 1.0);
        assert_eq!(levels.operating("w", "other", Duration::from_secs(100)), 0.0);
    }
}
