//! Errors of the use cases.

use std::path::PathBuf;

use jiff::Timestamp;
use thiserror::Error;

use super::narrowing::{NarrowingError, PersonSelector};
use super::observer::Declined;
use super::planned::Planned;
use crate::diagnostic::Diagnostic;
use crate::engine::{RecoveryError, RestoreError};
use crate::i18n::Text;
use crate::model::{CardKey, CardKind, DepartmentId, KindNames, PortalId, RunId, UserId};
use crate::ports::{PortalError, StoreError};
use crate::records::FormatError;
use crate::store::ConsumePlanError;

/// Step of a use case that asks the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// People and departments are looked up.
    Lookup,
    /// People of a plan file are looked up.
    People,
    /// Cards are read.
    ReadCards,
    /// The cards of all people are read.
    Inventory,
    /// The employees are counted.
    Employees,
    /// The rights of the caller are looked at.
    Permissions,
}

/// Reason why a plan file cannot be used here and now.
#[derive(Debug)]
pub enum UnusablePlanFile {
    /// The plan file is for another portal.
    OtherPortal {
        /// The portal of the file.
        planned: PortalId,
        /// The portal of the session.
        portal: PortalId,
    },
    /// The plan file was made after now.
    FromTheFuture {
        /// Time of its making.
        created: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// The plan file has expired.
    Expired(Timestamp),
    /// The plan file lasts longer than any plan may.
    LastsTooLong {
        /// Time of its making.
        created: Timestamp,
        /// Time of its end.
        expires: Timestamp,
    },
    /// The manifests differ from those that it was made from.
    OtherManifests(Text),
    /// The plan file was made by another caller.
    OtherCaller {
        /// The caller of the file.
        planned: UserId,
        /// The caller of the session.
        caller: UserId,
    },
}

/// Error of a use case. Nothing was written, unless the variant says so.
#[derive(Debug, Error)]
pub enum Error {
    /// The portal could not be asked.
    #[error("cannot ask the portal")]
    Portal(Phase, #[source] PortalError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger in a file cannot be used.
    #[error("cannot use the ledger {path}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Reason.
        #[source]
        source: Box<StoreError>,
    },
    /// A run marks its resets in a ledger that was not named.
    #[error("the run {run} keeps its ledger in {}", ledger.as_deref().unwrap_or("a lost place"))]
    LedgerNotNamed {
        /// The run.
        run: RunId,
        /// The file; `None` if its name is lost, and there may be none.
        ledger: Option<String>,
    },
    /// Backups cannot be written.
    #[error("backups cannot be written")]
    NoBackups(#[source] StoreError),
    /// The portal has no such person, or several.
    #[error("not exactly one person is meant")]
    NotOnePerson {
        /// The person as named.
        selector: PersonSelector,
        /// The ids of those who fit.
        found: Vec<UserId>,
    },
    /// The run is narrowed to what the manifests do not select.
    #[error("the manifests do not select what the run is narrowed to")]
    Narrowing(Box<NarrowingError>),
    /// The manifests select what the portal does not have.
    #[error("the manifests have problems")]
    Manifests(Vec<Diagnostic>),
    /// The plan failed verification: an internal error.
    #[error("the plan failed verification: {0}")]
    Verification(Box<Text>),
    /// The approval found the plan faulty: an internal error.
    #[error("the plan is faulty")]
    FaultyPlan,
    /// A card would be reset that was not reviewed so: an internal error.
    #[error("{0} would be reset, but was not reviewed so")]
    NotReviewed(CardKey),
    /// Guards refuse a plan of manifests.
    #[error("guards refuse the plan")]
    Guards(Box<Planned>),
    /// Guards refuse what is left of a plan file.
    #[error("guards refuse the plan file")]
    PlanFileGuards(Box<crate::plan::Plan>),
    /// The plan was not approved.
    #[error("the plan was not approved")]
    Declined(Declined),
    /// An earlier run was cut before its end.
    #[error("the run {0} was cut before its end")]
    Unfinished(RunId),
    /// The journal of the newest run cannot be read, and no other record tells that the run ended.
    #[error(transparent)]
    UnreadableRun(StoreError),
    /// A run belongs to another portal.
    #[error("the run {run} is of the portal {of}")]
    OtherPortal {
        /// The run.
        run: RunId,
        /// Its portal.
        of: PortalId,
        /// The portal of the session.
        portal: PortalId,
    },
    /// No file tells which portal a run belongs to.
    #[error("no file tells which portal the run {run} is of")]
    NoHeader {
        /// The run.
        run: RunId,
        /// Damage of its journal, if there is any.
        damage: Option<Box<StoreError>>,
    },
    /// The store has no apply that changed a card.
    #[error("no apply in the store has changed a card")]
    NoRun,
    /// The filter of a restore selects no card of the run.
    #[error("the filter selects no card of the run {run}")]
    Filter {
        /// The run.
        run: RunId,
        /// The cards of the run.
        cards: Vec<CardKey>,
    },
    /// The portal has no department with this id.
    #[error("the portal has no department {0}")]
    UnknownDepartment(DepartmentId),
    /// The portal does not list a kind of card.
    #[error("the portal does not list the kind of card {kind}")]
    UnlistedKind {
        /// The kind.
        kind: CardKind,
        /// The names of the kinds that it lists of this type.
        listed: KindNames,
    },
    /// No person of a department is in the run that is to be restored.
    #[error("no person of the department {department} is in the run {run}")]
    NotInDepartment {
        /// The run.
        run: RunId,
        /// The department.
        department: DepartmentId,
        /// The cards of the run.
        cards: Vec<CardKey>,
    },
    /// A plan file cannot be used.
    #[error("the plan file cannot be used")]
    PlanFile(Box<UnusablePlanFile>),
    /// A plan file was used before.
    #[error(transparent)]
    Consumed(ConsumePlanError),
    /// A plan cannot be written as a file.
    #[error("cannot write the plan")]
    PlanFormat(#[source] FormatError),
    /// A plan file cannot expire so late.
    #[error("the plan file would expire too late: {0}")]
    PlanAge(jiff::Error),
    /// A run cannot be named.
    #[error("cannot name a run: {0}")]
    RunName(String),
    /// A journal has no header.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A run could not be recovered. Cards may have changed.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}

impl From<Declined> for Error {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
}
