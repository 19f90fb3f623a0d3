//! Sides of the caller: approval of writes, progress, warnings.

use std::future::Future;

use super::planned::Planned;
use super::planned_restore::PlannedRestoreRun;
use crate::diagnostic::Diagnostic;
use crate::engine::{self, ListedKinds};
use crate::i18n::Text;
use crate::model::{CardKind, KindNames, PersonName, UserId};
use crate::plan::Plan;
use crate::ports::StoreError;
use crate::records::plan_file::{PlanFile, RestorePlanFile};

/// Problem that changes nothing of what the use case does.
#[derive(Debug)]
pub enum Warning {
    /// Problems of the manifests, as the portal shows them.
    Manifests(Vec<Diagnostic>),
    /// Note of the lock: whose lock was taken over.
    Lock(Text),
    /// The proof of the portal's release could not be stored.
    ProofNotSaved(StoreError),
    /// The labels of fields could not be stored.
    LabelsNotSaved(StoreError),
    /// The report of the run could not be stored. It can be made from the journal.
    ReportNotSaved(StoreError),
    /// Kinds of cards that the portal may hide from the caller, when all kinds were asked for.
    HiddenKinds {
        /// The kinds that it lists, and the refusals.
        listed: Box<ListedKinds>,
        /// `true` if the caller sees all pipelines.
        is_complete: bool,
    },
    /// Kinds of cards of a plan file whose pipeline or type has another name now: the kinds, the
    /// names of the file, and the present ones.
    RenamedKinds(Vec<CardKind>, KindNames, KindNames),
    /// People of a plan file who have another name now: the name in the file, and the present one.
    RenamedPeople(Vec<(UserId, PersonName, PersonName)>),
    /// The journal of a run that ended cannot be read. No other run needs it.
    UnreadJournal(StoreError),
    /// A journal is damaged; its whole lines and the backups are used.
    DamagedJournal(Text),
    /// This number of cards has no intent in an undamaged line, and may have been written to.
    LostIntents(usize),
    /// The journal lost what so many cards held before the run.
    LostPreImages(usize),
    /// This number of backups belongs to no card of an undamaged line.
    UnnamedBackups(usize),
    /// The audit log is damaged; new lines follow its last whole one.
    DamagedAudit(Text),
}

/// Listener of a use case.
pub trait Observer: Sync {
    /// Listener of one phase, which ends when it is dropped.
    type Progress: engine::EventSink;

    /// Begins a phase that takes time.
    fn progress(&self) -> Self::Progress;

    /// Takes a warning.
    fn warn(&self, warning: Warning);

    /// Notes that the run is about to write. From now on a stop waits for the end of the run.
    ///
    /// # Errors
    ///
    /// If a stop was asked for: then the run does not begin.
    fn begin_writing(&self) -> Result<(), Declined>;
}

/// Plan that is about to be executed.
#[derive(Clone, Copy)]
pub enum Proposal<'a> {
    /// A plan of manifests.
    Apply(&'a Planned),
    /// The rest of a plan file, with the plan.
    PlanFile(&'a PlanFile, &'a Plan),
    /// A restore.
    Restore(&'a PlannedRestoreRun),
    /// The rest of a restore plan file, with the file.
    RestorePlanFile(&'a RestorePlanFile, &'a PlannedRestoreRun),
}

/// Way in which a plan was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Beforehand: no time has passed.
    Given,
    /// By an answer, which may have taken any time: cards are read again before they are written.
    Asked,
}

/// Reason why nothing was written although the plan is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// The answer was no.
    No,
    /// No person can be asked here.
    NotAsked,
    /// A stop was asked for at the question.
    InterruptedAtQuestion,
    /// A stop was asked for before the run began.
    Interrupted,
    /// The plan could not be shown. The approver knows why.
    NotShown,
}

/// Decider about writes.
pub trait Approver {
    /// Shows a plan, also one that changes nothing or that a guard refuses.
    fn show(&self, proposal: Proposal<'_>) -> impl Future<Output = Result<(), Declined>>;

    /// Decides whether a plan that changes cards is executed.
    ///
    /// # Errors
    ///
    /// If it is not approved.
    fn approve(&self, proposal: Proposal<'_>) -> impl Future<Output = Result<Approval, Declined>>;
}
