//! Apply: an approved plan as tasks of the [executor](super::execute).

use std::collections::BTreeMap;

use super::execute::Executor;
use super::options::ExecuteOptions;
use super::run_report::{ApplyError, ApplyReport, TargetOutcome};
use super::task::{CardTask, Goal};
use super::{CancellationToken, Event, EventSink};
use crate::model::{CardKey, Generation, LedgerEntry, Outcome};
use crate::plan::{ApprovedPlan, Decision, KeepReason, Plan, PlannedTarget, Removal};
use crate::ports::{RunLog, WritePortal};

/// Executes an approved plan by the protocol of [the module](super).
///
/// The journal must be open: the log was created with the run's header. Every target of the plan
/// gets exactly one outcome, and so do the targets with an outcome from the start: those of the
/// header that the plan no longer contains.
///
/// # Errors
///
/// If the store fails or the portal refuses the caller. Failures of single targets are outcomes,
/// not errors.
pub async fn apply<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    plan: ApprovedPlan<'_>,
    beforehand: &[TargetOutcome],
    options: ExecuteOptions,
    stop: &CancellationToken,
    events: &dyn EventSink,
) -> Result<ApplyReport, ApplyError> {
    let plan = plan.plan();
    let mut executor = Executor::new(portal, log, &plan.common_defaults, options, events);
    let tasks: Vec<CardTask> = plan.resets().map(|target| task(target, options)).collect();
    let planned: Vec<CardKey> = tasks.iter().map(|task| task.key).collect();
    events.on_event(Event::Applying { total: tasks.len() + beforehand.len() });
    executor.add(tasks);
    executor
        .settle(beforehand.iter().map(|target| (target.key, target.outcome.clone())).collect())
        .await;
    executor.work(stop).await;
    executor.finish(&planned, stop, |outcomes| ledger_updates(plan, outcomes)).await
}

fn task(target: &PlannedTarget, options: ExecuteOptions) -> CardTask {
    let expected = match &target.decision {
        Decision::Reset(Removal::Layout(layout)) => Some(layout.clone()),
        Decision::Reset(Removal::Unread) | Decision::Keep(_) | Decision::Hold(_) => None,
    };
    let blind = expected.is_none();
    CardTask {
        blind,
        ..CardTask::new(target.key, Goal::Reset, expected, options.snapshot_age.read_at())
    }
}

/// Returns the marks for targets in mode `once`: those that were verified in this run, and no
/// others.
fn ledger_updates(
    plan: &Plan,
    outcomes: &BTreeMap<CardKey, Outcome>,
) -> Vec<(Generation, CardKey, LedgerEntry)> {
    let mark = |target: &PlannedTarget| {
        let generation = target.generation.clone()?;
        let removed = match &target.decision {
            Decision::Keep(KeepReason::AtDefault | KeepReason::CommonDefault) => None,
            Decision::Reset(Removal::Layout(layout)) => match outcomes.get(&target.key)? {
                Outcome::Reset | Outcome::ResetUnseen => Some(layout.digest()),
                Outcome::AlreadyDefault => None,
                _ => return None,
            },
            _ => return None,
        };
        Some((generation, target.key, LedgerEntry { removed }))
    };
    plan.targets.iter().filter_map(mark).collect()
}
