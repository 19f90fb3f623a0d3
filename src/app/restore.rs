//! Restore: writes back what a run removed.

use std::time::Duration;

use super::apply::age_after;
use super::observer::{Approver, Observer, Proposal};
use super::planned_restore::PlannedRestoreRun;
use super::restore_plan::{RestoreSelection, plan_restore};
use super::{Error, FinishedRun, Session, run};
use crate::engine::{self, ExecuteOptions, SnapshotAge, TargetOutcome};
use crate::ports::{PlannedCard, RunPurpose};
use crate::store::WriteGuard;

/// Options of a restore.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// The run, and the cards of it.
    pub selection: RestoreSelection,
    /// Time to wait for the lock of another process.
    pub lock_timeout: Duration,
}

/// End of a restore.
#[derive(Debug)]
pub struct RestoredRun {
    /// The plan.
    pub planned: PlannedRestoreRun,
    /// The run; none if there was nothing to do.
    pub run: Option<FinishedRun>,
}

/// Plans the restore, shows the plan, and executes it if the approver allows it.
///
/// # Errors
///
/// If nothing was written. What became of a run that wrote is in its end.
pub async fn restore(
    session: &Session,
    options: &RestoreOptions,
    approver: &impl Approver,
    observer: &impl Observer,
) -> Result<RestoredRun, Error> {
    let mut locked = run::lock(session, "restore", options.lock_timeout, observer).await?;
    let planned = plan_restore(session, &options.selection, observer).await?;
    run::continue_over_damage(&mut locked, observer).await?;
    let proposal = Proposal::Restore(&planned);
    approver.show(proposal).await?;
    if planned.plan.actions().next().is_none() {
        return Ok(RestoredRun { planned, run: None });
    }
    let approval = approver.approve(proposal).await?;
    observer.begin_writing()?;
    run::probe(&locked).await?;
    let approved = ApprovedRestore {
        planned: &planned,
        settled: &[],
        targets: planned.plan.planned_cards(),
        age: age_after(approval, planned.age),
    };
    let finished = approved.execute(session, &mut locked, observer).await?;
    Ok(RestoredRun { planned, run: Some(finished) })
}

/// Restore that is about to be executed.
pub(super) struct ApprovedRestore<'a> {
    pub(super) planned: &'a PlannedRestoreRun,
    /// Outcomes of targets of the header that the plan does not write any more.
    pub(super) settled: &'a [TargetOutcome],
    /// Targets of the header.
    pub(super) targets: Vec<PlannedCard>,
    pub(super) age: SnapshotAge,
}

impl ApprovedRestore<'_> {
    /// Begins the run, executes the plan, and stores the report.
    pub(super) async fn execute(
        self,
        session: &Session,
        locked: &mut WriteGuard,
        observer: &impl Observer,
    ) -> Result<FinishedRun, Error> {
        let Self { planned: PlannedRestoreRun { plan, .. }, settled, targets, age } = self;
        let purpose = RunPurpose::Restore(plan.restored_run.clone());
        let header = run::header(session, purpose, plan.trust, targets);
        let run = run::new_run_id(session, locked).await?;
        let mut log = locked.start_run(run.clone(), header).await?;
        let progress = observer.progress();
        let ended = engine::restore_rest(
            &session.portal.writer(),
            &mut log,
            plan,
            settled,
            ExecuteOptions::new(age),
            &session.cancellation,
            &progress,
        )
        .await;
        drop(progress);
        drop(log);
        run::save_report(session, locked, &run, observer).await;
        let (report, failure) = match ended {
            Ok(report) => (report, None),
            Err(failure) => (failure.report().clone(), Some(failure)),
        };
        Ok(FinishedRun { report, failure, unsaved: None })
    }
}
