//! Use cases: plan, apply, apply a plan file, restore, its plan and its plan file, recover, drift,
//! inventory.
//!
//! Each is a function of a [`Session`] and plain options that returns what happened. An
//! [`Approver`] decides about writes, an [`Observer`] hears of progress and warnings. Nothing here
//! prints, parses a command line, reads the environment or asks for the time of day: the session
//! has the clock. Sessions share no state, so that several portals can be worked on at the same
//! time in one process.

mod apply;
mod apply_plan_file;
mod collect;
mod error;
mod field_labels;
mod inventory;
mod narrowing;
mod observer;
mod permissions;
mod person_cards;
mod person_names;
mod plan;
mod plan_file;
mod plan_file_review;
mod planned;
mod planned_restore;
mod recover;
mod restore;
mod restore_filter;
mod restore_plan;
mod restore_plan_file;
mod rounds;
mod run;
mod session;

pub use apply::{AppliedRun, ApplyOptions, FinishedRun, apply};
pub use apply_plan_file::{AppliedPlanFile, PlanFileOptions, apply_plan_file};
pub use collect::deletable_backups;
pub use error::{Error, Phase, UnusablePlanFile};
pub use field_labels::{known_labels, save_labels};
pub use inventory::inventory;
pub use narrowing::{Narrowing, NarrowingError, PersonSelector, Unmatched};
pub use observer::{Approval, Approver, Declined, Observer, Proposal, Warning};
pub use person_cards::{PersonCards, person_cards};
pub use person_names::names_of_run;
pub use plan::{ManifestSet, PlanOptions, drift, plan, read_ledger};
pub use plan_file::{check_plan_file, new_plan_file};
pub use plan_file_review::{
    ReviewedPlanFile, ReviewedRestore, review_plan_file, review_restore_plan_file,
};
pub use planned::Planned;
pub use planned_restore::PlannedRestoreRun;
pub use recover::{RecoverOptions, RecoveredRun, recover};
pub use restore::{RestoreOptions, RestoredRun, restore};
pub use restore_filter::TargetFilter;
pub use restore_plan::{RestoreSelection, plan_restore};
pub use restore_plan_file::{check_restore_plan_file, new_restore_plan_file, restore_plan_file};
pub use rounds::{PortalRound, panic_text, rounds};
pub use session::{RunOrigin, Session, save_proof};
