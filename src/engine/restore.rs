//! Restore: a restore plan as tasks of the [executor](super::execute).
//!
//! A restore is a run of its own: planned, shown, journaled, recoverable, and undone by restoring
//! it in turn. Layouts that a command of a batch carries unchanged travel in batches; the portal
//! cuts or changes others there (behavior notes, sections 9.5 and 9.6), so that they are sent as
//! single calls.

use super::execute::Executor;
use super::options::ExecuteOptions;
use super::restore_plan::{RestoreDecision, RestorePlan, RestoreTarget};
use super::run_report::{ApplyError, ApplyReport, TargetOutcome};
use super::task::{CardTask, Goal};
use super::{CancellationToken, Event, EventSink};
use crate::model::CardKey;
use crate::ports::{RunLog, WritePortal};

/// Executes a restore. Every card that the plan writes to gets exactly one outcome.
///
/// # Errors
///
/// If the store fails or the portal refuses the caller. The report holds the outcomes so far.
pub async fn restore<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    plan: &RestorePlan,
    options: ExecuteOptions,
    stop: &CancellationToken,
    events: &dyn EventSink,
) -> Result<ApplyReport, ApplyError> {
    restore_rest(portal, log, plan, &[], options, stop, events).await
}

/// Executes what is left of a reviewed restore, as [`restore`] does; `beforehand` are the outcomes
/// of its other cards.
pub async fn restore_rest<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    plan: &RestorePlan,
    beforehand: &[TargetOutcome],
    options: ExecuteOptions,
    stop: &CancellationToken,
    events: &dyn EventSink,
) -> Result<ApplyReport, ApplyError> {
    let mut executor = Executor::new(portal, log, &plan.common_defaults, options, events);
    let tasks: Vec<CardTask> =
        plan.actions().filter_map(|target| task(portal, target, options)).collect();
    let planned: Vec<CardKey> = tasks.iter().map(|task| task.key).collect();
    events.on_event(Event::Applying { total: tasks.len() + beforehand.len() });
    executor.add(tasks);
    executor
        .settle(beforehand.iter().map(|target| (target.key, target.outcome.clone())).collect())
        .await;
    executor.work(stop).await;
    executor.finish(&planned, stop, |_| Vec::new()).await
}

fn task<P: WritePortal>(
    portal: &P,
    target: &RestoreTarget,
    options: ExecuteOptions,
) -> Option<CardTask> {
    let (goal, expected) = match &target.decision {
        RestoreDecision::Restore { wanted, over } => (Goal::Set(wanted.clone()), over.clone()),
        RestoreDecision::Remove(layout) => (Goal::Reset, Some(layout.clone())),
        RestoreDecision::AsBefore
        | RestoreDecision::NewerKept(_)
        | RestoreDecision::Unreadable(_)
        | RestoreDecision::NoBackup
        | RestoreDecision::BackupUnusable(_) => return None,
    };
    let alone = goal.target().is_some_and(|layout| !portal.fits_batch(layout));
    Some(CardTask {
        alone,
        ..CardTask::new(target.key, goal, expected, options.snapshot_age.read_at())
    })
}
