//! Review of a plan file: its cards are read again and compared with those that it names. Reads
//! only, by type, and takes no lock.

use super::observer::Observer;
use super::plan::read_cards;
use super::plan_file::check_caller;
use super::restore_plan::plan_restore;
use super::restore_plan_file::selection;
use super::{Error, Phase, Session, read_ledger};
use crate::engine::{self, RestorePlan, TargetOutcome};
use crate::model::{CardKey, Snapshot};
use crate::plan::{self, BlindReset, Policy};
use crate::records::plan_file::{
    PlanContent as _, PlanFileContent, PlanFileTarget, PlannedRemoval, RestorePlanContent,
};

/// Present cards of the plan file of an apply.
#[derive(Debug)]
pub struct ReviewedPlanFile {
    /// What was read.
    pub snapshot: Snapshot,
    /// The cards that an apply of the file would leave alone, with the reason.
    pub settled: Vec<TargetOutcome>,
}

/// Present cards of a restore plan file.
#[derive(Debug)]
pub struct ReviewedRestore {
    /// The restore of the cards that the file writes, as it would be planned now.
    pub plan: RestorePlan,
    /// The cards that a restore of the file would leave alone, with the reason.
    pub settled: Vec<TargetOutcome>,
}

/// Reads the cards of a plan file again.
///
/// # Errors
///
/// If the file was made by another caller, or the portal or the ledger cannot be read.
pub async fn review_plan_file(
    session: &Session,
    content: &PlanFileContent,
    observer: &impl Observer,
) -> Result<ReviewedPlanFile, Error> {
    check_caller(session, content.binding())?;
    let people = engine::look_up(&session.portal.reader(), engine::reviewed_people(content))
        .await
        .map_err(|error| Error::Portal(Phase::People, error))?;
    let desired = engine::reviewed_targets(content, &people, None);
    let keys: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    let snapshot = read_cards(session, &keys, observer).await?;
    let is_blind = |target: &PlanFileTarget| target.removal == PlannedRemoval::Unread;
    let blind =
        if content.targets.iter().any(is_blind) { BlindReset::Allowed } else { BlindReset::Never };
    let ledger = read_ledger(&session.store, None).await?;
    let policy = Policy { blind, ledger, ..Policy::default() };
    let now = plan::plan(&desired, &snapshot, &policy);
    let present = engine::present_kinds(&session.portal.reader(), content)
        .await
        .map_err(|error| Error::Portal(Phase::Lookup, error))?;
    let renamed = engine::renamed_kinds(content, &present);
    let settled = engine::check_plan_file(content, &people, &renamed, None, now).settled;
    Ok(ReviewedPlanFile { snapshot, settled })
}

/// Reads the cards that a restore plan file writes again, and their backups.
///
/// # Errors
///
/// If the file was made by another caller, or the portal or the store cannot be read.
pub async fn review_restore_plan_file(
    session: &Session,
    content: &RestorePlanContent,
    observer: &impl Observer,
) -> Result<ReviewedRestore, Error> {
    check_caller(session, content.binding())?;
    let plan = plan_restore(session, &selection(content), observer).await?.plan;
    let settled = engine::check_restore_plan(content, plan.clone()).settled;
    Ok(ReviewedRestore { plan, settled })
}
