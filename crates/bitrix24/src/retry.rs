//! Retry state of one operation: attempts, start of the failure, next backoff.
//!
//! When a batch is narrowed down its halves inherit the trial, so that patience is not given anew
//! at each halving.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::Lane;
use crate::settings::RetryBudget;

/// Permission to send a request again once the portal may have executed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// It only reads: any number of times does no harm.
    Safe,
    /// It writes: only if it was surely not carried out.
    Unsafe,
}

/// Retry state of one operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct RetryState {
    urgent: bool,
    since: Option<Instant>,
    attempts: u32,
    /// How many of the attempts were those of the larger batch.
    attempts_before_split: u32,
    throttled_since: Option<Instant>,
}

impl RetryState {
    /// Returns the state of work in a lane that nothing was sent of yet.
    pub fn in_lane(lane: Lane) -> Self {
        Self { urgent: lane == Lane::Urgent, ..Self::default() }
    }

    /// Returns the lane of the work.
    pub fn lane(&self) -> Lane {
        if self.urgent { Lane::Urgent } else { Lane::Normal }
    }

    /// Counts an attempt that failed, and says how long to pause before the next one.
    pub(crate) fn next_backoff(&mut self, budget: &RetryBudget) -> Duration {
        self.since.get_or_insert_with(Instant::now);
        self.attempts = self.attempts.saturating_add(1);
        pause(budget, self.attempts)
    }

    /// Records a refusal because of a limit. The rate limiter does the waiting.
    pub(crate) fn on_throttled(&mut self) {
        // A portal that refuses is there, and waiting for its limits is no failure: patience begins
        // anew.
        self.since = None;
        self.throttled_since.get_or_insert_with(Instant::now);
    }

    /// What one half of a batch starts with: the patience that is left, and attempts of its own.
    /// After long trouble the pauses stay long: then it is rather the portal that is to blame, and
    /// half a batch will hardly fare better.
    pub(crate) fn split(self, budget: &RetryBudget) -> Self {
        if self.budget_half_spent(budget) {
            Self { attempts_before_split: self.attempts, ..self }
        } else {
            Self { attempts: 0, ..self }
        }
    }

    /// Whether half of the patience is used up.
    pub(crate) fn budget_half_spent(&self, budget: &RetryBudget) -> bool {
        self.duration() > budget.max_elapsed / 2
    }

    /// How many attempts have failed, since the batch was halved if it was.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.saturating_sub(self.attempts_before_split)
    }

    /// Since when there is trouble, if there is.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// How long there has been trouble.
    pub(crate) fn duration(&self) -> Duration {
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// How long a limit has stood in the way.
    pub(crate) fn throttled_for(&self) -> Duration {
        self.throttled_since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

/// The pause after so many failures: exponential, with jitter, so that many clients do not come
/// back together.
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
