//! Rate limiter of one portal: both limits in one pure state machine.
//!
//! Decides whether a request may leave, and if not, how long it has to wait. [`crate::admission`]
//! does the waiting.

use std::time::Duration;

use crate::leaky_bucket::LeakyBucket;
use crate::method_budget::{LIMIT_SECONDS, MethodBudgets, MethodUsage, WINDOW};
use crate::quota::{Limit, Rate};

/// Level of the request limit at one moment, to be kept between processes.
///
/// The caller stores the time of day with it and calls [`LimiterLevel::aged`] before the next use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LimiterLevel {
    /// Level of the request counter.
    pub level: f64,
}

impl LimiterLevel {
    /// Returns the level without any knowledge: no room is left for requests.
    pub fn full(rate: Rate) -> Self {
        match rate {
            Rate::Limited { burst, per_second: _ } => Self { level: burst },
            Rate::Unlimited => Self { level: 0.0 },
        }
    }

    /// Returns the level after a time without requests of this program.
    pub fn aged(self, by: Duration, rate: Rate) -> Self {
        Self { level: LeakyBucket::new(rate, self.level).level(by) }
    }
}

/// Methods of a request with their numbers of commands. A batch weighs on its commands and on
/// itself.
pub type CallWeights = Vec<(&'static str, usize)>;

/// Decision about one request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Admission {
    /// The request may leave and is counted.
    Admitted,
    /// The request has to wait this long because of a limit.
    RetryAfter(Duration, Limit),
}

/// Room that the request limit leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Requests that could leave at once.
    pub available: f64,
    /// Requests a second once there is no room.
    pub refill_rate: f64,
}

/// State of both limits.
#[derive(Clone, Debug)]
pub(crate) struct RateLimiter {
    bucket: LeakyBucket,
    methods: MethodBudgets,
}

impl RateLimiter {
    /// Creates a limiter at time zero.
    pub(crate) fn new(rate: Rate, operating_share: f64, level: LimiterLevel) -> Self {
        Self {
            bucket: LeakyBucket::new(rate, level.level),
            methods: MethodBudgets::new(operating_share),
        }
    }

    /// Counts a request, or returns its waiting time and the limit.
    pub(crate) fn admit(&mut self, weights: &CallWeights, now: Duration) -> Admission {
        if let Some(wait) =
            weights.iter().filter_map(|(method, _)| self.methods.wait(method, now)).max()
        {
            return Admission::RetryAfter(wait, Limit::OperatingTime);
        }
        match self.bucket.admit(now) {
            Ok(()) => Admission::Admitted,
            Err(wait) => Admission::RetryAfter(wait, Limit::Rate),
        }
    }

    /// Records that the portal accepted a request. Returns `true` if waiting requests may leave
    /// earlier.
    pub(crate) fn on_accepted(&mut self, sent: Duration) -> bool {
        self.bucket.on_accepted(sent)
    }

    /// Records that an admitted request never reached the portal.
    pub(crate) fn on_not_sent(&mut self, now: Duration) {
        self.bucket.on_not_sent(now);
    }

    /// Records that the portal refused a request, or commands of a method in it, because of a
    /// limit.
    pub(crate) fn on_throttled(
        &mut self,
        limit: Limit,
        method: &str,
        sent: Duration,
        now: Duration,
    ) {
        match limit {
            Limit::Rate => self.bucket.on_throttled(sent, now),
            Limit::OperatingTime => self.methods.on_throttled(method, sent, now),
        }
    }

    /// Records the operating time that an answer names for a method.
    pub(crate) fn record_usage(&mut self, method: &str, usage: MethodUsage, now: Duration) {
        self.methods.record_usage(method, usage, now);
    }

    /// Returns the room that the request limit leaves.
    pub(crate) fn budget(&mut self, now: Duration) -> Budget {
        Budget { available: self.bucket.available(now), refill_rate: self.bucket.refill_rate() }
    }

    /// Returns the share of the portal's operating time that these seconds of one method take, and
    /// the duration of the necessary pauses. Both are zero on a portal that names no operating
    /// time.
    pub(crate) fn operating_estimate(&self, seconds: f64) -> (f64, Duration) {
        if !self.methods.is_metered() || !seconds.is_finite() {
            return (0.0, Duration::ZERO);
        }
        let windows = (seconds / self.methods.share()).ceil() - 1.0;
        let pauses = Duration::try_from_secs_f64(WINDOW.as_secs_f64() * windows.max(0.0));
        (seconds / LIMIT_SECONDS, pauses.unwrap_or(Duration::MAX))
    }

    /// Returns the level to be kept for the next process.
    pub(crate) fn level(&mut self, now: Duration) -> LimiterLevel {
        LimiterLevel { level: self.bucket.level(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str = "crm.lead.details.configuration.get";

    fn weights() -> CallWeights {
        vec![(GET, 50), ("batch", 1)]
    }

    fn usage(operating: f64) -> MethodUsage {
        MethodUsage { operating, reset_in: Some(90.0) }
    }

    #[test]
    fn limiter_unknown_level_waits_before_the_first_request() {
        for rate in [Rate::STANDARD, Rate::ENTERPRISE] {
            let mut limiter = RateLimiter::new(rate, 0.8, LimiterLevel::full(rate));
            assert!(matches!(
                limiter.admit(&weights(), Duration::ZERO),
                Admission::RetryAfter(_, Limit::Rate)
            ));
            assert_eq!(limiter.admit(&weights(), Duration::from_secs(2)), Admission::Admitted);
        }
        let mut limiter =
            RateLimiter::new(Rate::Unlimited, 0.8, LimiterLevel::full(Rate::Unlimited));
        assert_eq!(limiter.admit(&weights(), Duration::ZERO), Admission::Admitted);
    }

    #[test]
    fn level_aged_without_requests_leaks() {
        let level = LimiterLevel { level: 48.0 };
        assert_eq!(level.aged(Duration::from_secs(10), Rate::STANDARD).level, 28.0);
        assert_eq!(level.aged(Duration::from_secs(120), Rate::STANDARD).level, 0.0);
        assert_eq!(level.aged(Duration::MAX, Rate::STANDARD).level, 0.0);
    }

    #[test]
    fn limiter_batch_waits_for_each_of_its_methods() {
        for method in [GET, "batch"] {
            let mut limiter = RateLimiter::new(Rate::Unlimited, 0.8, LimiterLevel::default());
            limiter.record_usage(method, usage(400.0), Duration::ZERO);
            let wait = Admission::RetryAfter(Duration::from_secs(90), Limit::OperatingTime);
            assert_eq!(limiter.admit(&weights(), Duration::ZERO), wait);
            assert_eq!(limiter.admit(&vec![("user.get", 1)], Duration::ZERO), Admission::Admitted);
        }
    }

    #[test]
    fn estimate_operating_time_counts_only_on_a_portal_that_names_it() {
        let mut limiter = RateLimiter::new(Rate::Unlimited, 0.5, LimiterLevel::default());
        assert_eq!(limiter.operating_estimate(1000.0), (0.0, Duration::ZERO));
        limiter.record_usage(GET, usage(1.0), Duration::ZERO);
        assert_eq!(limiter.operating_estimate(42.0), (0.1, Duration::ZERO));
        // 210 seconds go into each of three windows, with two pauses between them.
        assert_eq!(limiter.operating_estimate(630.0), (1.5, Duration::from_secs(1200)));
        assert_eq!(limiter.operating_estimate(f64::NAN), (0.0, Duration::ZERO));
        assert_eq!(limiter.operating_estimate(1e300).1, Duration::MAX);
    }
}
