//! Numbers of one client: requests, latency, retries that it owes.

use tokio::time::Instant;

use crate::latency::Latency;
use crate::metrics::RequestMetrics;
use crate::settings::RetryBudget;

/// Numbers of one client.
#[derive(Default)]
pub(crate) struct ClientState {
    pub(crate) metrics: RequestMetrics,
    pub(crate) latency: Latency,
    /// Retries that are owed: see [`RetryBudget::retries`].
    retry_debt: f64,
    /// Moment of the last response with a result.
    pub(crate) last_success: Option<Instant>,
}

impl ClientState {
    /// Records a response with a result, which pays back half a retry.
    pub(crate) fn on_success(&mut self) {
        self.last_success = Some(Instant::now());
        self.retry_debt = (self.retry_debt - 0.5).max(0.0);
    }

    /// Counts a request without a usable response. Returns the moment of the last success.
    pub(crate) fn on_http_error(&mut self) -> Option<Instant> {
        self.metrics.http_errors += 1;
        self.last_success
    }

    /// Spends one retry. Returns `false` if the budget is exhausted: the portal fails more often
    /// than it answers.
    pub(crate) fn try_spend_retry(&mut self, budget: &RetryBudget) -> bool {
        let left = self.retry_debt < f64::from(budget.retries);
        self.retry_debt += if left { 1.0 } else { 0.0 };
        left
    }
}
