//! Timing of an execution: the age of its reads, and the wait for late writes.

use std::time::Duration;

use tokio::time::Instant;

/// Age of the reads that a plan was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotAge {
    /// This process began to read at this moment, and waited only for the portal since.
    ReadAt(Instant),
    /// A question, a lock, an approval or another process lies in between: every card is read again
    /// ahead of its write.
    ReadAgain,
}

impl SnapshotAge {
    /// Returns the age of reads that begin now.
    pub fn now() -> Self {
        Self::ReadAt(Instant::now())
    }

    pub(super) fn read_at(self) -> Option<Instant> {
        match self {
            Self::ReadAt(moment) => Some(moment),
            Self::ReadAgain => None,
        }
    }
}

/// Timing of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecuteOptions {
    /// The age of the plan's reads.
    pub snapshot_age: SnapshotAge,
    /// The time for which a request without an answer may still be executed by the portal. Its
    /// cards are read back once more after that.
    pub late_writes: Duration,
}

impl ExecuteOptions {
    /// Creates the default timing: a request without an answer gets two seconds.
    pub fn new(snapshot_age: SnapshotAge) -> Self {
        Self { snapshot_age, late_writes: Duration::from_secs(2) }
    }
}
