//! Retry state of one operation: attempts, start of the failure, next backoff.
//!
//! When a batch is bisected its halves inherit the state, so that the budget does not grow with
//! each split.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::Lane;
use crate::settings::RetryBudget;

/// Permission to send a request again once the portal may have executed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// The request only reads: retries are harmless.
    Safe,
    /// The request writes: retries are safe only if it was certainly not executed.
    Unsafe,
}

/// Retry state of one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetryState {
    urgent: bool,
    since: Option<Instant>,
    attempts: u32,
    /// The number of attempts of the larger batch.
    attempts_before_split: u32,
    throttled_since: Option<Instant>,
}

impl RetryState {
    /// Creates the state of an operation in a lane.
    pub fn in_lane(lane: Lane) -> Self {
        Self { urgent: lane == Lane::Urgent, ..Self::default() }
    }

    /// Returns the lane of the work.
    pub fn lane(&self) -> Lane {
        if self.urgent { Lane::Urgent } else { Lane::Normal }
    }

    /// Counts a failed attempt, and returns the backoff before the next one.
    pub(crate) fn next_backoff(&mut self, budget: &RetryBudget) -> Duration {
        self.since.get_or_insert_with(Instant::now);
        self.attempts = self.attempts.saturating_add(1);
        pause(budget, self.attempts)
    }

    /// Records a refusal because of a limit. The rate limiter does the waiting.
    pub(crate) fn on_throttled(&mut self) {
        // A portal that refuses is up, and waiting for its limits is not a failure: the budget
        // starts anew.
        self.since = None;
        self.throttled_since.get_or_insert_with(Instant::now);
    }

    /// Returns the state of one half of a batch: the remaining time, and attempts of its own. After
    /// a long failure the backoff stays long: the cause is then the portal, and half a batch will
    /// hardly succeed.
    pub(crate) fn split(self, budget: &RetryBudget) -> Self {
        if self.budget_half_spent(budget) {
            Self { attempts_before_split: self.attempts, ..self }
        } else {
            Self { attempts: 0, ..self }
        }
    }

    /// Returns `true` if half of the time is used up.
    pub(crate) fn budget_half_spent(&self, budget: &RetryBudget) -> bool {
        self.duration() > budget.max_elapsed / 2
    }

    /// Returns the number of failed attempts, since the split if there was one.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.saturating_sub(self.attempts_before_split)
    }

    /// Returns the start of the failure, if there is one.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Returns the duration of the failure.
    pub(crate) fn duration(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Returns the duration for which a limit has blocked it.
    pub(crate) fn throttled_for(&self) -> Duration {
        self.throttled_since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

/// Returns the backoff after this number of failures: exponential, with jitter, so that many
/// clients do not return together.
fn pause(budget: &RetryBudget, failures: u32) -> Duration {
    let pauses = ExponentialBuilder::new()
        .with_min_delay(budget.initial_backoff)
        .with_max_delay(budget.max_backoff)
        .with_jitter()
        .without_max_times();
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(64);
    pauses.build().nth(index).unwrap_or(budget.max_backoff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_with_jitter_up_to_a_bound() {
        let budget = RetryBudget::default();
        let mut retry = RetryState::default();
        let pauses: Vec<u128> = (0..8).map(|_| retry.next_backoff(&budget).as_millis()).collect();
        for (index, pause) in pauses.iter().enumerate() {
            let least = (200 << index).min(4000);
            assert!((least..=2 * least).contains(pause), "{pauses:?}");
        }
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((retry.attempts(), retry.duration()), (8, Duration::from_secs(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn time_spent_waiting_for_a_limit_is_no_trouble() {
        let budget = RetryBudget::default();
        let mut retry = RetryState::default();
        retry.next_backoff(&budget);
        tokio::time::advance(budget.max_elapsed).await;
        assert!(retry.budget_half_spent(&budget));
        retry.on_throttled();
        tokio::time::advance(budget.max_elapsed).await;
        retry.next_backoff(&budget);
        assert_eq!(
            (retry.attempts(), retry.duration(), retry.budget_half_spent(&budget)),
            (2, Duration::ZERO, false)
        );
        assert_eq!(retry.throttled_for(), budget.max_elapsed);
    }
}
