//! Settings of a worker.

use std::time::Duration;

/// Settings of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Number of portals that are worked on at the same time.
    pub slots: usize,
    /// Times of a lease.
    pub lease: LeaseTimes,
    /// Interval at which due portals are claimed.
    pub poll: Duration,
    /// Time that a round may take before it is stopped.
    pub round: Duration,
    /// Time for the rounds to end after the worker is told to stop.
    pub drain: Duration,
    /// Interval at which numbers and replaced secrets are looked at.
    pub survey: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            slots: 200,
            lease: LeaseTimes::default(),
            poll: Duration::from_millis(250),
            round: Duration::from_secs(15 * 60),
            drain: Duration::from_secs(60),
            survey: Duration::from_secs(10),
        }
    }
}

/// Times of a lease. Each is a fixed share of the lease, so that none can be set wrong alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Length of a lease.
    pub lease: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self { lease: Duration::from_secs(150) }
    }
}

impl LeaseTimes {
    /// Returns the timeout of a request: half of the lease.
    pub fn request(self) -> Duration {
        self.lease / 2
    }

    /// Returns the time that must be left before a request that writes: longer than its timeout.
    pub fn reserve(self) -> Duration {
        self.lease * 8 / 15
    }

    /// Returns the interval of heartbeats. Two may fail before a write is refused.
    pub fn heartbeat(self) -> Duration {
        self.lease / 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::PortalSettings;

    #[test]
    fn lease_times_are_those_of_the_default_request() {
        let times = LeaseTimes::default();
        let seconds = Duration::from_secs;
        assert_eq!(times.request(), PortalSettings::default().request_timeout);
        assert_eq!(
            (times.request(), times.reserve(), times.heartbeat()),
            (seconds(75), seconds(80), seconds(30))
        );
        assert!(times.reserve() + 2 * times.heartbeat() <= times.lease);
    }
}
