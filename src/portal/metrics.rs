//! Numbers of requests, commands, retries and refusals of one client.

use std::time::Duration;

use super::methods::{RESET, SET};

/// Numbers of one client so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestMetrics {
    /// Requests that were sent, those without a connection included.
    pub requests: u64,
    /// Commands in them; a request that is not a batch counts as one.
    pub commands: u64,
    /// Commands that reset a card.
    pub resets: u64,
    /// Commands and requests that store a card.
    pub sets: u64,
    /// Requests and commands that the portal refused because of a limit.
    pub throttled: u64,
    /// Requests that were repeated, whole or in part, after a failure.
    pub retried: u64,
    /// The time spent waiting for the limits.
    pub waited: Duration,
    /// Requests without a usable answer: cut, late, malformed, or with an error page.
    pub http_errors: u64,
}

impl From<bitrix24::RequestMetrics> for RequestMetrics {
    fn from(metrics: bitrix24::RequestMetrics) -> Self {
        let bitrix24::RequestMetrics {
            requests,
            commands,
            by_method,
            throttled,
            retried,
            waited,
            http_errors,
        } = metrics;
        let of = |method: &str| by_method.get(method).copied().unwrap_or_default();
        let (resets, sets) = (of(RESET), of(SET));
        Self { requests, commands, resets, sets, throttled, retried, waited, http_errors }
    }
}
