//! Restore plan file: made from the plan of a restore, and executed once, as it was reviewed or
//! less of it.
//!
//! No question is asked: the file was reviewed. Ahead of the first write the file is marked as
//! used, so that it is executed once, whatever becomes of this process.

use std::time::Duration;

use jiff::Timestamp;

use super::apply_plan_file::consume;
use super::observer::{Approver, Observer, Proposal};
use super::plan_file::{check_binding, check_caller};
use super::planned_restore::PlannedRestoreRun;
use super::restore::ApprovedRestore;
use super::restore_plan::{RestoreSelection, plan_restore};
use super::{Error, RestoredRun, Session, TargetFilter, UnusablePlanFile, run};
use crate::engine::{self, CheckedRestorePlan, NewerLayouts};
use crate::model::PortalId;
use crate::ports::PlannedCard;
use crate::records::plan_file::{
    PlanContent as _, RestorePlanContent, RestorePlanFile, RestorePlanTarget,
};
use crate::store::ConsumePlanError;

/// Makes a restore plan file that expires after a time.
///
/// # Errors
///
/// If the plan cannot be written, or would expire beyond all times.
pub fn new_restore_plan_file(
    session: &Session,
    planned: &PlannedRestoreRun,
    max_age: Duration,
) -> Result<RestorePlanFile, Error> {
    let created = session.now();
    let expires = created.checked_add(max_age).map_err(Error::PlanAge)?;
    let content = planned.content(&session.caller, created, expires);
    RestorePlanFile::new(content).map_err(Error::PlanFormat)
}

/// Checks that a restore plan file may be used now, for this portal. Sends nothing.
///
/// # Errors
///
/// If it may not.
pub fn check_restore_plan_file(
    content: &RestorePlanContent,
    portal: &PortalId,
    now: Timestamp,
) -> Result<(), UnusablePlanFile> {
    check_binding(content.binding(), portal, now)
}

/// Executes a restore plan file, as far as its cards are as they were reviewed.
///
/// # Errors
///
/// If nothing was written. What became of a run that wrote is in its end.
pub async fn restore_plan_file(
    session: &Session,
    file: &RestorePlanFile,
    lock_timeout: Duration,
    approver: &impl Approver,
    observer: &impl Observer,
) -> Result<RestoredRun, Error> {
    let content = &file.content;
    check_caller(session, content.binding())?;
    let mut locked = run::lock(session, "restore", lock_timeout, observer).await?;
    if let Some(used) = session.store.consumed_at(file.id).await? {
        return Err(Error::Consumed(ConsumePlanError::AlreadyUsed(used)));
    }
    let planned = plan_restore(session, &selection(content), observer).await?;
    let CheckedRestorePlan { plan, settled } = engine::check_restore_plan(content, planned.plan);
    let planned = PlannedRestoreRun { plan, ..planned };
    run::continue_over_damage(&mut locked, observer).await?;
    approver.show(Proposal::RestorePlanFile(file, &planned)).await?;
    if content.actions().next().is_none() {
        return Ok(RestoredRun { planned, run: None });
    }
    observer.begin_writing()?;
    run::probe(&locked).await?;
    consume(&mut locked, file.id).await?;
    let card = |target: &RestorePlanTarget| PlannedCard {
        key: target.key,
        digest: target.decision.replaced(),
        generation: None,
    };
    let approved = ApprovedRestore {
        settled: &settled,
        targets: content.actions().map(card).collect(),
        age: planned.age,
        planned: &planned,
    };
    let finished = approved.execute(session, &mut locked, observer).await?;
    Ok(RestoredRun { planned, run: Some(finished) })
}

/// Returns the selection of the cards that a file writes. Newer layouts are planned to be
/// overwritten, so that the check can compare each with the reviewed one.
pub(super) fn selection(content: &RestorePlanContent) -> RestoreSelection {
    RestoreSelection {
        run: content.run.to_string(),
        filter: TargetFilter::only(content.actions().map(|target| target.key)),
        newer: NewerLayouts::Overwrite,
    }
}
