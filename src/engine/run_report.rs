//! Report of a run, apply or restore.
//!
//! The report of a failed run covers every target too, and its totals are those of the targets.

use thiserror::Error;

use crate::model::{CardKey, Outcome, RunId, Totals};
use crate::ports::{PortalError, StoreError};

/// Outcome of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetOutcome {
    /// The target.
    pub key: CardKey,
    /// The outcome.
    pub outcome: Outcome,
}

/// Report of a run. Its totals come from the single outcomes and add up to the number of planned
/// targets.
#[derive(Clone, Debug)]
pub struct ApplyReport {
    /// The run.
    pub run: RunId,
    /// Every planned target, sorted.
    pub targets: Vec<TargetOutcome>,
    /// The totals.
    pub totals: Totals,
    /// The reason why the run ended before all targets were attempted, if it did.
    pub stopped: Option<String>,
    /// `true` if a write request was sent, or was about to be: cards may have changed.
    pub sent: bool,
}

/// Error: a run could not finish. The report holds the outcomes so far.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The store failed. Nothing was sent after that.
    #[error("{}", tr!("the store failed; the run stopped"))]
    Store {
        /// The error of the store.
        #[source]
        source: StoreError,
        /// The outcomes of all targets.
        report: Box<ApplyReport>,
    },
    /// The portal refuses this webhook. Nothing was sent after that.
    #[error("{}", tr!("the portal refuses to work with us; the run stopped"))]
    Portal {
        /// The error of the portal.
        #[source]
        source: PortalError,
        /// The outcomes of all targets.
        report: Box<ApplyReport>,
    },
}

impl ApplyError {
    /// Returns the outcomes of all targets.
    pub fn report(&self) -> &ApplyReport {
        match self {
            Self::Store { report, .. } | Self::Portal { report, .. } => report,
        }
    }
}
