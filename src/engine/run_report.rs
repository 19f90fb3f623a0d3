//! What became of a run, of an apply as well as of a restore.
//!
//! True whatever happened: the report of a run that failed tells of every target, and its sums are
//! those of the targets.

use thiserror::Error;

use crate::model::{CardKey, Outcome, RunId, Totals};
use crate::ports::{PortalError, StoreError};

/// What became of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetOutcome {
    /// The target.
    pub key: CardKey,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a run. True whatever happened: the sums come from the single outcomes and add up
/// to what was planned.
#[derive(Clone, Debug)]
pub struct ApplyReport {
    /// The run.
    pub run: RunId,
    /// Every target that was to be reset, sorted.
    pub targets: Vec<TargetOutcome>,
    /// The sums.
    pub totals: Totals,
    /// Why the run ended before it had tried everything, if it did.
    pub stopped: Option<String>,
    /// A request that writes was sent, or was about to be: cards may have changed.
    pub sent: bool,
}

/// Why a run could not be brought to its end. What was done until then is in the report.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The store failed. Nothing was sent after that.
    #[error("{}", tr!("the store failed; the run stopped"))]
    Store {
        /// What failed.
        #[source]
        source: StoreError,
        /// What became of every target.
        report: Box<ApplyReport>,
    },
    /// The portal accepts nothing from this webhook. Nothing was sent after that.
    #[error("{}", tr!("the portal refuses to work with us; the run stopped"))]
    Portal {
        /// What failed.
        #[source]
        source: PortalError,
        /// What became of every target.
        report: Box<ApplyReport>,
    },
}

impl ApplyError {
    /// What became of every target.
    pub fn report(&self) -> &ApplyReport {
        match self {
            Self::Store { report, .. } | Self::Portal { report, .. } => report,
        }
    }
}
