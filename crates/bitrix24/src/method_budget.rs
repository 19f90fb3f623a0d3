//! Budgets of the portal's second limit: the time that it spends in each method for this webhook.
//!
//! The portal adds up the execution time of each method over ten minutes and names the sum
//! (`operating`) in its answers, and the moment at which the oldest minute of the sum drops out
//! (`operating_reset_at`). A method whose sum has passed this program's share of the limit pauses
//! until that moment. A method that the portal refuses pauses for 1, 2, 4, ... 30 seconds.
//!
//! Pure state machine: the time is passed in, as the time since any fixed moment.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::response::Times;

/// The portal's limit for a method in ten minutes, in seconds. The documentation's example shows
/// 480, the code's default is 420; the smaller one is safe for both (`docs/portal-behaviour.md`,
/// section 10).
pub(crate) const LIMIT_SECONDS: f64 = 420.0;

/// Time over which the portal adds up.
pub(crate) const WINDOW: Duration = Duration::from_secs(600);

/// Pause of a method over its share if the portal names no usable moment: the length of one of the
/// portal's ten buckets.
const BUCKET: Duration = Duration::from_secs(60);

/// Largest sum that is believed: ten minutes of 64 connections, the most that this program opens.
const MAX_SECONDS: f64 = 600.0 * 64.0;

/// Pause after the first refusal of a method; each further one doubles it.
const FIRST_COOLDOWN: Duration = Duration::from_secs(1);

/// Longest pause after a refusal. The portal frees a bucket every minute.
const MAX_COOLDOWN: Duration = Duration::from_secs(30);

/// Time without a refusal after which the pauses begin anew.
const REFUSAL_MEMORY: Duration = Duration::from_secs(60);

/// Operating time of a method as one answer tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MethodUsage {
    /// Sum of the last ten minutes, in seconds.
    pub(crate) operating: f64,
    /// Seconds from the answer to the moment at which the oldest bucket drops out.
    pub(crate) reset_in: Option<f64>,
}

impl MethodUsage {
    /// Reads the operating time out of the times of an answer or of one command, if they name it.
    /// Both moments are of the portal's clock.
    pub(crate) fn from_times(times: &Times) -> Option<Self> {
        let reset_in =
            times.operating_reset_at.zip(times.finish).map(|(reset_at, finish)| reset_at - finish);
        Some(Self { operating: times.operating?, reset_in })
    }
}

/// Budgets of all methods.
#[derive(Clone, Debug)]
pub(crate) struct MethodBudgets {
    /// Seconds of a method that this program takes.
    share: f64,
    methods: BTreeMap<String, MethodBudget>,
}

#[derive(Clone, Debug, Default)]
struct MethodBudget {
    paused_until: Duration,
    refused_at: Option<Duration>,
    cooldown: Duration,
}

impl MethodBudgets {
    /// Creates budgets of `share` of the portal's limit.
    pub(crate) fn new(share: f64) -> Self {
        let share = if share.is_finite() { share.clamp(0.05, 1.0) } else { 1.0 };
        Self { share: LIMIT_SECONDS * share, methods: BTreeMap::new() }
    }

    /// Returns the waiting time of a method, if it has to wait.
    pub(crate) fn wait(&self, method: &str, now: Duration) -> Option<Duration> {
        let paused_until = self.methods.get(method)?.paused_until;
        (paused_until > now).then(|| paused_until - now)
    }

    /// Records the operating time that an answer names for a method. Sums that no portal can have
    /// are ignored.
    pub(crate) fn record_usage(&mut self, method: &str, usage: MethodUsage, now: Duration) {
        if !(0.0..=MAX_SECONDS).contains(&usage.operating) {
            return;
        }
        let budget = self.methods.entry(method.to_owned()).or_default();
        if usage.operating > self.share {
            let window = 0.0..=WINDOW.as_secs_f64();
            let reset_in = usage.reset_in.filter(|seconds| window.contains(seconds));
            budget.pause_until(now + reset_in.map_or(BUCKET, Duration::from_secs_f64));
        }
    }

    /// Records that the portal refused a method, in a request that was sent at `sent`.
    pub(crate) fn on_throttled(&mut self, method: &str, sent: Duration, now: Duration) {
        let budget = self.methods.entry(method.to_owned()).or_default();
        // Requests that were in flight together are refused together: that is one refusal.
        if budget.refused_at.is_some_and(|refused_at| sent <= refused_at) {
            return;
        }
        let again = budget
            .refused_at
            .is_some_and(|at| now.saturating_sub(at + budget.cooldown) < REFUSAL_MEMORY);
        budget.cooldown =
            if again { (budget.cooldown * 2).min(MAX_COOLDOWN) } else { FIRST_COOLDOWN };
        budget.refused_at = Some(now);
        budget.pause_until(now + budget.cooldown);
    }

    /// Returns the seconds of a method that this program takes in a window.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// Returns `true` if the portal has named an operating time, which it does only if it limits
    /// it.
    pub(crate) fn is_metered(&self) -> bool {
        !self.methods.is_empty()
    }
}

impl MethodBudget {
    fn pause_until(&mut self, until: Duration) {
        self.paused_until = self.paused_until.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "crm.lead.details.configuration.get";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn usage(operating: f64, reset_in: f64) -> MethodUsage {
        MethodUsage { operating, reset_in: Some(reset_in) }
    }

    #[test]
    fn budget_over_share_pauses_until_reset() {
        let mut budgets = MethodBudgets::new(0.5);
        budgets.record_usage(METHOD, usage(210.0, 45.0), seconds(10));
        assert_eq!(budgets.wait(METHOD, seconds(10)), None, "exactly the share is not over it");
        budgets.record_usage(METHOD, usage(210.5, 45.0), seconds(10));
        assert_eq!(budgets.wait(METHOD, seconds(10)), Some(seconds(45)));
        assert_eq!(budgets.wait("user.get", seconds(10)), None, "each method has its own");
        // An answer that was overtaken names a smaller sum and ends no pause.
        budgets.record_usage(METHOD, usage(190.0, 45.0), seconds(11));
        assert_eq!(budgets.wait(METHOD, seconds(11)), Some(seconds(44)));
        assert_eq!(budgets.wait(METHOD, seconds(55)), None);
    }

    #[test]
    fn budget_without_usable_reset_pauses_a_minute() {
        for reset_in in
            [None, Some(-1.0), Some(1e300), Some(600.1), Some(f64::NAN), Some(f64::INFINITY)]
        {
            let mut budgets = MethodBudgets::new(0.8);
            budgets.record_usage(METHOD, MethodUsage { operating: 400.0, reset_in }, seconds(10));
            assert_eq!(budgets.wait(METHOD, seconds(10)), Some(seconds(60)), "{reset_in:?}");
        }
    }

    #[test]
    fn budget_impossible_sum_is_ignored() {
        for operating in
            [1e300, f64::MAX, 38_400.1, -1.0, -1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
        {
            let mut budgets = MethodBudgets::new(0.8);
            budgets.record_usage(METHOD, usage(operating, 1e300), seconds(10));
            assert_eq!(budgets.wait(METHOD, seconds(10)), None, "{operating}");
            assert!(!budgets.is_metered(), "{operating}");
        }
    }

    #[test]
    fn usage_reset_is_a_difference_of_two_moments_of_the_portal() {
        let times = |finish, operating_reset_at| Times {
            operating: Some(400.5),
            finish,
            operating_reset_at,
            ..Times::default()
        };
        let reset_in = |times: Times| MethodUsage::from_times(&times).unwrap().reset_in;
        assert_eq!(reset_in(times(Some(1_795_437_623.5), Some(1_795_437_660.0))), Some(36.5));
        assert_eq!(reset_in(times(None, Some(1_795_437_660.0))), None);
        assert_eq!(MethodUsage::from_times(&Times::default()), None);
    }

    #[test]
    fn budget_share_out_of_range_is_bounded() {
        for (share, seconds) in [(f64::NAN, 420.0), (1e300, 420.0), (-3.0, 21.0), (0.8, 336.0)] {
            assert_eq!(MethodBudgets::new(share).share(), seconds, "{share}");
        }
    }

    #[test]
    fn budget_refused_again_pauses_twice_as_long() {
        let mut budgets = MethodBudgets::new(0.8);
        let (mut now, mut pauses) = (seconds(5), Vec::new());
        for _ in 0..7 {
            let sent = now;
            now += Duration::from_millis(10);
            budgets.on_throttled(METHOD, sent, now);
            budgets.on_throttled(METHOD, sent, now);
            let pause = budgets.wait(METHOD, now).unwrap();
            pauses.push(pause.as_secs());
            now += pause;
            assert_eq!(budgets.wait(METHOD, now), None);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        now += seconds(60);
        budgets.on_throttled(METHOD, now, now);
        assert_eq!(budgets.wait(METHOD, now), Some(seconds(1)), "a minute without a refusal");
    }
}
