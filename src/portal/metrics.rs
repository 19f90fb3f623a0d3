//! What a client has sent and what came back, in numbers.

use std::time::Duration;

/// What a client has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestMetrics {
    /// Requests that were sent, those for which no connection came about included.
    pub requests: u64,
    /// Commands in them; a request that is no batch counts as one.
    pub commands: u64,
    /// Commands that reset a card.
    pub resets: u64,
    /// Requests that store a card.
    pub sets: u64,
    /// Requests and commands that the portal refused because of a limit.
    pub throttled: u64,
    /// Requests that were sent again, whole or in part, after trouble.
    pub retried: u64,
    /// The time spent waiting for the limits.
    pub waited: Duration,
    /// Requests without a usable answer: cut, late, garbled, or with an error page.
    pub http_errors: u64,
}
