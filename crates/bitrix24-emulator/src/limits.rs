//! The portal's limits: how many requests, and how much time.
//!
//! Behaviour notes, section 10. Off unless asked for, as on a portal of one's own.

use std::collections::BTreeMap;
use std::time::Duration;

/// Operating time is summed in this many buckets of a minute each.
const BUCKETS: u64 = 10;

/// Calls that take less than this are not summed.
const SHORTEST_SUMMED: f64 = 0.1;

/// How long the cloud lets a request run.
pub(super) const MAX_REQUEST_TIME: Duration = Duration::from_secs(60);

/// Which limits are imitated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// The counter of requests: above the first number a request is refused, the second leaks away
    /// each second. By source address.
    pub rate: Option<(f64, f64)>,
    /// The seconds that one method may take in ten minutes, by webhook.
    pub operating_seconds: Option<f64>,
    /// Whether a request is cut after 60 seconds.
    pub cut_long_requests: bool,
}

impl Limits {
    /// Those of the cloud's usual plans.
    pub fn standard() -> Self {
        Self { rate: Some((50.0, 2.0)), operating_seconds: Some(480.0), cut_long_requests: true }
    }

    /// Those of the cloud's Enterprise plans.
    pub fn enterprise() -> Self {
        Self { rate: Some((250.0, 5.0)), ..Self::standard() }
    }
}

/// What the limits stand at.
#[derive(Debug, Default)]
pub(super) struct LimitLevels {
    buckets: BTreeMap<String, (f64, u64)>,
    operating: BTreeMap<(String, String), Vec<(u64, f64)>>,
}

impl LimitLevels {
    /// Counts a request; tells whether it may pass. The counter steps down once a second.
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

    /// The seconds that a method has taken in the last ten minutes.
    pub(super) fn operating(&self, webhook: &str, method: &str, now: Duration) -> f64 {
        let minute = now.as_secs() / 60;
        let key = (webhook.to_owned(), method.to_owned());
        let recent = |(at, seconds): &(u64, f64)| (at + BUCKETS > minute).then_some(*seconds);
        self.operating.get(&key).into_iter().flatten().filter_map(recent).sum()
    }

    /// How long until the oldest time of a method is forgotten.
    pub(super) fn forgets_in(&self, webhook: &str, method: &str, now: Duration) -> u64 {
        let minute = now.as_secs() / 60;
        let key = (webhook.to_owned(), method.to_owned());
        let summed = self.operating.get(&key).into_iter().flatten();
        let oldest = summed.map(|(at, _)| *at).find(|at| at + BUCKETS > minute).unwrap_or(minute);
        ((oldest + BUCKETS) * 60).saturating_sub(now.as_secs())
    }

    /// Charges time to a method.
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
    fn the_counter_fills_up_and_leaks() {
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
