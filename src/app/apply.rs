//! Apply: plans, has the plan approved, and executes it.

use std::time::Duration;

use super::observer::{Approval, Approver, Observer, Proposal};
use super::plan::selection;
use super::{Error, ManifestSet, PlanOptions, Planned, Session, new_plan_file, run};
use crate::engine::{self, ApplyError, ApplyReport, ExecuteOptions, SnapshotAge, TargetOutcome};
use crate::manifest::Document;
use crate::model::{CurrentSelection, Layout};
use crate::plan::{ApprovedPlan, NotApproved, Plan, PlanExtent, PlannedTarget};
use crate::ports::{PlannedCard, RunHeader, RunPurpose, StoreError};
use crate::store::WriteGuard;

/// Age of the plan that is stored with a run: it is never used again.
const STORED_PLAN_AGE: Duration = Duration::ZERO;

/// Options of an apply.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    /// Options of its plan.
    pub plan: PlanOptions,
    /// Time to wait for the lock of another process.
    pub lock_timeout: Duration,
}

/// End of an apply.
#[derive(Debug)]
pub struct AppliedRun {
    /// The plan.
    pub planned: Planned,
    /// The run; none if there was nothing to do.
    pub run: Option<FinishedRun>,
}

/// End of a run that writes.
#[derive(Debug)]
pub struct FinishedRun {
    /// Outcome of every target.
    pub report: ApplyReport,
    /// Reason why the run ended before its end, if it did.
    pub failure: Option<ApplyError>,
    /// Reason why the selections of the manifests could not be stored.
    pub unsaved: Option<StoreError>,
}

/// Plans, shows the plan, and executes it if guards and approver allow it.
///
/// # Errors
///
/// If nothing was written. What became of a run that wrote is in its end.
pub async fn apply(
    session: &Session,
    manifests: ManifestSet<'_>,
    options: &ApplyOptions,
    approver: &impl Approver,
    observer: &impl Observer,
) -> Result<AppliedRun, Error> {
    let mut locked = run::lock(session, "apply", options.lock_timeout, observer).await?;
    run::refuse_unfinished(session, observer).await?;
    use_ledger_file(&mut locked, &options.plan);
    let age = SnapshotAge::now();
    let planned = super::plan(session, manifests, &options.plan, observer).await?;
    let plan = &planned.plan;
    approver.show(Proposal::Apply(&planned)).await?;
    // A selection that shrank is refused also if nothing is to be reset: stored, it would be the
    // measure of the next run.
    if plan.counts().reset == 0 && plan.new_marks() == 0 && plan.guards.holds() {
        save_selections(&mut locked, manifests.files, plan).await?;
        return Ok(AppliedRun { planned, run: None });
    }
    let approved = match ApprovedPlan::new(plan, Vec::new()) {
        Ok(approved) => approved,
        Err(NotApproved::Guards(_)) => return Err(Error::Guards(Box::new(planned))),
        Err(NotApproved::Faulty(_)) => return Err(Error::FaultyPlan),
    };
    let approval = match plan.counts().reset {
        0 => Approval::Given,
        _ => approver.approve(Proposal::Apply(&planned)).await?,
    };
    let documents = &manifests.declaration.documents;
    let reason = |document: &Document| (document.name.to_string(), document.reason.to_string());
    let header = RunHeader {
        manifest: Some(manifests.declaration.digest),
        reasons: documents.iter().map(reason).collect(),
        ledger: ledger_of(&options.plan, plan),
        ..run::header(session, RunPurpose::Apply, plan.trust, planned_cards(plan))
    };
    let plan_file = new_plan_file(session, manifests, &planned, STORED_PLAN_AGE)?;
    let approved_run = ApprovedRun {
        approved,
        prior_outcomes: &[],
        header,
        plan_file: plan_file.encode().map_err(Error::PlanFormat)?,
        age: age_after(approval, age),
        files: manifests.files,
    };
    observer.begin_writing()?;
    run::probe(&locked).await?;
    // Most rounds of a fleet execute nothing, and their futures need no room for it.
    let finished = Box::pin(approved_run.execute(session, &mut locked, observer)).await?;
    Ok(AppliedRun { planned, run: Some(finished) })
}

/// Returns the age of reads after an approval: a person may have taken their time for it.
pub(super) fn age_after(approval: Approval, age: SnapshotAge) -> SnapshotAge {
    match approval {
        Approval::Given => age,
        Approval::Asked => SnapshotAge::ReadAgain,
    }
}

/// Updates the ledger of `mode: once` in a file, too.
pub(super) fn use_ledger_file(locked: &mut WriteGuard, options: &PlanOptions) {
    if let Some(path) = &options.ledger {
        locked.keep_ledger_in(path);
    }
}

/// Returns the file in which a run marks the resets of `mode: once`. A recovery must mark them
/// there.
pub(super) fn ledger_of(options: &PlanOptions, plan: &Plan) -> Option<String> {
    let marks = plan.targets.iter().any(|target| target.generation.is_some());
    options.ledger.as_ref().filter(|_| marks).map(|path| path.display().to_string())
}

/// Plan that is about to be executed.
pub(super) struct ApprovedRun<'a> {
    pub(super) approved: ApprovedPlan<'a>,
    /// Outcomes of targets of the header that the plan does not touch any more.
    pub(super) prior_outcomes: &'a [TargetOutcome],
    pub(super) header: RunHeader,
    /// The plan as it is stored with the run.
    pub(super) plan_file: Vec<u8>,
    pub(super) age: SnapshotAge,
    /// Name and file of each manifest.
    pub(super) files: &'a [(String, String)],
}

impl ApprovedRun<'_> {
    /// Begins the run, executes the plan, and stores the report and the selections of the
    /// manifests.
    pub(super) async fn execute(
        self,
        session: &Session,
        locked: &mut WriteGuard,
        observer: &impl Observer,
    ) -> Result<FinishedRun, Error> {
        let Self { approved, prior_outcomes, header, plan_file, age, files } = self;
        let run = run::new_run_id(session, locked).await?;
        locked.write_plan(&run, plan_file).await?;
        let mut log = locked.start_run(run.clone(), header).await?;
        let progress = observer.progress();
        let writer = session.portal.writer();
        let applied = engine::apply(
            &writer,
            &mut log,
            approved,
            prior_outcomes,
            ExecuteOptions::new(age),
            &session.cancellation,
            &progress,
        )
        .await;
        drop(progress);
        drop(log);
        run::save_report(session, locked, &run, observer).await;
        Ok(match applied {
            Ok(report) => {
                let unsaved = save_selections(locked, files, approved.plan()).await.err();
                FinishedRun { report, failure: None, unsaved }
            }
            Err(failure) => {
                let report = failure.report().clone();
                FinishedRun { report, failure: Some(failure), unsaved: None }
            }
        })
    }
}

/// Stores whom the manifests selected, for the guard of the next run. A second apply finds it there
/// and writes nothing.
async fn save_selections(
    locked: &mut WriteGuard,
    files: &[(String, String)],
    plan: &Plan,
) -> Result<(), StoreError> {
    // A narrowed run is no run of the manifests: the next whole one is compared with the last whole
    // one.
    if plan.extent == PlanExtent::Partial {
        return Ok(());
    }
    let measured = &plan.guards.impact.manifests;
    let people = |manifest: &str| measured.get(manifest).map(|measure| &measure.selected);
    let run: Vec<CurrentSelection<'_>> =
        files.iter().map(|(manifest, file)| selection(manifest, file, people(manifest))).collect();
    locked.save_selections(&run).await
}

fn planned_cards(plan: &Plan) -> Vec<PlannedCard> {
    let card = |target: &PlannedTarget| PlannedCard {
        key: target.key,
        digest: target.decision.layout().map(Layout::digest),
        generation: target.generation.clone(),
    };
    plan.resets().map(card).collect()
}
