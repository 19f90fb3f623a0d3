//! Names of the records of a portal, the state of its lock, and the errors of a record.

use crate::model::RunId;
use crate::ports::{LockOwner, StoreError};
use crate::records::FormatError;

/// Record of a portal, by its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// State of the rate limiter; a document.
    LimiterState,
    /// Evidence that reads of other people's cards can be trusted; a document.
    ReadProof,
    /// Labels of fields; a document.
    FieldLabels,
    /// Targets that had their reset in mode once; a document.
    Ledger,
    /// People that the manifests selected; a document.
    Selection,
    /// Plan of a run; a document.
    Plan(RunId),
    /// Report of a run; a document.
    Report(RunId),
    /// Used plan files; a log.
    UsedPlans,
    /// Audit log.
    Audit,
    /// Journal of a run; a log.
    Journal(RunId),
    /// Backups of a run; a log.
    Backups(RunId),
    /// Mark of a run whose old backups were deleted; a document.
    Collected(RunId),
    /// Mark of records that have moved to another store; a document.
    Moved,
}

/// Part of a log: the bytes of a line without its checksum, and the number of the line, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinePart {
    pub(super) bytes: std::ops::Range<u64>,
    pub(super) number: usize,
}

/// State of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// The lock is free.
    Free,
    /// A live process holds it.
    Held(LockOwner),
    /// Its owner is dead and left it behind. The next process takes it over.
    Left(LockOwner),
    /// Its owner left it behind, and its liveness is not visible here: another machine, or this one
    /// before a restart, or another namespace of process ids.
    Unknown(LockOwner),
}

impl Place {
    /// Returns `true` for a log, which is made of lines.
    pub(super) fn is_log(&self) -> bool {
        matches!(self, Self::UsedPlans | Self::Audit | Self::Journal(_) | Self::Backups(_))
    }
}

/// Returns the error for a record that differs from what recard wrote.
pub(super) fn damaged(name: &str, problem: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: name.to_owned(), problem: problem.into() }
}

/// Converts an error of a format to the error of its record.
pub(super) fn misread(name: &str, problem: FormatError, line: Option<usize>) -> StoreError {
    if let FormatError::TooNew { found, known } = problem {
        return StoreError::TooNew { path: name.to_owned(), found, known };
    }
    let mut text = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    text.push_str(&problem.to_string());
    if let FormatError::NotJson(source) = problem {
        text.push_str(&format!(" ({source})"));
    }
    damaged(name, text)
}
