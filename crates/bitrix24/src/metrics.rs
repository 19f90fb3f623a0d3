//! Numbers of requests, commands, retries and refusals of one client.

use std::collections::BTreeMap;
use std::time::Duration;

/// Metrics of a client so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMetrics {
    /// Requests that were sent, those without a connection included.
    pub requests: u64,
    /// Commands in them; a request that is not a batch counts as one.
    pub commands: u64,
    /// Commands by method.
    pub by_method: BTreeMap<&'static str, u64>,
    /// Requests and commands that the portal refused because of a limit.
    pub throttled: u64,
    /// Requests that were repeated, whole or in part, after a failure.
    pub retried: u64,
    /// The time spent waiting for the limits.
    pub waited: Duration,
    /// Requests without a usable answer: cut, late, malformed, or with an error page.
    pub http_errors: u64,
}
