//! Numbers of requests, commands, retries and refusals of one client.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::time::Duration;

use crate::quota::Limit;

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
    pub waited: LimitWaits,
    /// Requests without a usable answer: cut, late, malformed, or with an error page.
    pub http_errors: u64,
}

/// Time spent waiting for each limit of a portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimitWaits {
    /// For the limit on requests in a time.
    pub rate: Duration,
    /// For the limit on the time that the portal spends in a method.
    pub operating_time: Duration,
}

impl LimitWaits {
    /// Adds a wait for a limit.
    pub(crate) fn add(&mut self, limit: Limit, time: Duration) {
        match limit {
            Limit::Rate => self.rate += time,
            Limit::OperatingTime => self.operating_time += time,
        }
    }
}

impl AddAssign for LimitWaits {
    fn add_assign(&mut self, other: Self) {
        self.rate += other.rate;
        self.operating_time += other.operating_time;
    }
}
