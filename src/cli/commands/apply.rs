//! `recard apply`: plans, shows the plan, asks, and carries it out.

use std::time::Duration;

use crate::cli::args::{ApplyArgs, GlobalArgs};
use crate::cli::commands::apply_plan_file;
use crate::cli::env::WebhookAccess;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::cli::plan_files;
use crate::cli::planning::{self, Planned};
use crate::cli::progress::ProgressReporter;
use crate::cli::run_lifecycle::{self, Approval};
use crate::cli::session::{PortalEndpoint, Session};
use crate::cli::signals::Interrupt;
use crate::cli::sources::{self, LoadedManifests};
use crate::cli::ui::Ui;
use crate::engine::{self, ExecuteOptions, SnapshotAge, TargetOutcome};
use crate::model::{CardKey, CurrentSelection, Layout};
use crate::plan::{ApprovedPlan, NotApproved, Plan};
use crate::ports::{PlannedCard, RunHeader, RunPurpose};
use crate::report::{HeldTarget, OutputFormat, Purpose, Report, ReportedRun, Subject};
use crate::store::WriteGuard;

/// The plan that is kept with a run is never used again, so when it expires does not matter.
const STORED_PLAN_AGE: Duration = Duration::ZERO;

/// Plans, shows, asks and applies; or applies what was reviewed.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &ApplyArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open_for_plan(ui, Purpose::Apply, &arguments.view)?;
    let outcome = async {
        if let Some(path) = &arguments.plan {
            return apply_plan_file::run_with(&outputs, global, arguments, path, interrupt).await;
        }
        let manifest = sources::load(&outputs, &arguments.files, interrupt).await?;
        run_with(&outputs, global, arguments, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

/// Applies manifests that were read.
pub(in crate::cli) async fn run_with(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &ApplyArgs,
    manifest: &LoadedManifests,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let endpoint = PortalEndpoint::find(global, WebhookAccess::Write, interrupt).await?;
    endpoint.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let ui = outputs.ui;
    let session = endpoint.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        let mut locked = run_lifecycle::lock(ui, global, session, "apply").await?;
        run_lifecycle::refuse_unfinished(session)?;
        run_lifecycle::use_ledger_file(&mut locked, &arguments.policy_args.ledger_args);
        let snapshot_age = SnapshotAge::now();
        let planned =
            planning::make_plan(outputs, session, manifest, &arguments.policy_args).await?;
        decide(
            outputs,
            arguments,
            interrupt,
            session,
            &mut locked,
            manifest,
            &planned,
            snapshot_age,
        )
        .await
    };
    session.run_and_close(ui, work).await
}

/// Shows the plan and carries it out, if it may be.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one command, which belong to nothing smaller"
)]
async fn decide(
    outputs: &Outputs<'_>,
    arguments: &ApplyArgs,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut WriteGuard,
    manifest: &LoadedManifests,
    planned: &Planned,
    snapshot_age: SnapshotAge,
) -> Result<u8, CliError> {
    let ui = outputs.ui;
    let plan = &planned.plan;
    let counts = plan.counts();
    sources::show(ui, &planned.warnings, &manifest.sources);
    let planned_report = planned.report(session, manifest, planning::cost(session, &planned.plan));
    outputs.preview(Subject::Plan(&planned_report))?;
    let settled = ReportedRun {
        manifests: planned_report.manifests.clone(),
        held: HeldTarget::from_plan(plan),
        plan: Some(plan),
        ..ReportedRun::not_begun(plan.portal.as_str())
    };
    let files = manifest.files();
    if counts.reset == 0 && plan.new_marks() == 0 {
        outputs.write(Subject::Run(&settled))?;
        keep_selections(locked, &files, plan)?;
        return Ok(if counts.hold > 0 { exit::PARTIAL } else { exit::DONE });
    }
    let approved = approved(plan)
        .inspect_err(|_| outputs.write_after_stderr(Subject::Plan(&planned_report)))?;
    if counts.reset > 0 {
        if !arguments.auto_approve && ui.can_ask() && !outputs.has_text() {
            let shown = Report { purpose: Purpose::Apply, subject: Subject::Plan(&planned_report) };
            ui.diagnostics(&shown.render(OutputFormat::Text, outputs.options()));
        }
        let question = tr!(
            "Reset {n} card on {portal}? What it holds is backed up first."
                | "Reset {n} cards on {portal}? What they hold is backed up first." % counts.reset,
            portal = plan.portal
        );
        run_lifecycle::approve(
            ui,
            interrupt,
            Approval::from_flag(arguments.auto_approve),
            &question,
        )
        .await?;
    }
    // A person may have taken their time for the answer.
    let snapshot_age = if arguments.auto_approve { snapshot_age } else { SnapshotAge::ReadAgain };
    let header = RunHeader {
        manifest: Some(manifest.declaration.digest),
        reasons: manifest.reasons(),
        ..run_lifecycle::header(session, RunPurpose::Apply, plan.trust, planned_cards(plan))
    };
    let plan_file = plan_files::new_plan_file(session, manifest, planned, STORED_PLAN_AGE)?
        .encode()
        .map_err(|problem| CliError::general(tr!("cannot keep the plan: {problem}", problem)))?;
    let approved_run = ApprovedRun {
        approved,
        prior_outcomes: &[],
        header,
        plan_file,
        snapshot_age,
        report: settled,
    };
    let code = approved_run.execute(outputs, interrupt, session, locked, &files).await?;
    Ok(if code == exit::DONE && counts.hold > 0 { exit::PARTIAL } else { code })
}

/// A plan that is about to be carried out.
pub(super) struct ApprovedRun<'a> {
    pub(super) approved: ApprovedPlan<'a>,
    /// Targets of the header that the plan does not touch any more.
    pub(super) prior_outcomes: &'a [TargetOutcome],
    pub(super) header: RunHeader,
    /// The plan as it is kept with the run.
    pub(super) plan_file: Vec<u8>,
    pub(super) snapshot_age: SnapshotAge,
    /// The report, but for what becomes of the run.
    pub(super) report: ReportedRun<'a>,
}

impl ApprovedRun<'_> {
    /// Begins the run, carries the plan out, writes and keeps the report, and keeps whom the
    /// manifests selected, which have these files.
    pub(super) async fn execute(
        self,
        outputs: &Outputs<'_>,
        interrupt: &Interrupt,
        session: &Session,
        locked: &mut WriteGuard,
        files: &[(String, String)],
    ) -> Result<u8, CliError> {
        let Self { approved, prior_outcomes, header, plan_file, snapshot_age, report: settled } =
            self;
        session.begin_writing()?;
        let run = run_lifecycle::begin_run(locked, &plan_file)?;
        drop(plan_file);
        let mut log = locked.start_run(run.clone(), header)?;
        let progress = ProgressReporter::new(outputs.ui, session.duration_estimator());
        let writer = session.portal.writer();
        let (signal, options) = (interrupt.signal(), ExecuteOptions::new(snapshot_age));
        let applied =
            engine::apply(&writer, &mut log, approved, prior_outcomes, options, signal, &progress)
                .await;
        progress.finish();
        drop(log);
        run_lifecycle::save_report(outputs.ui, session, locked, &run);
        let (report, failure) = match applied {
            Ok(report) => (report, None),
            Err(problem) => (problem.report().clone(), Some(CliError::from(problem))),
        };
        let stopped = report.stopped.as_deref();
        let kept = match failure {
            None => keep_selections(locked, files, approved.plan()),
            Some(_) => Ok(()),
        };
        let settled =
            ReportedRun { run: Some(&report.run), targets: &report.targets, stopped, ..settled };
        finish(outputs, session, &settled, failure)?;
        // The run has written, whatever becomes of the number of people.
        kept.map_err(|problem| CliError { code: exit::PARTIAL, ..problem })?;
        Ok(run_lifecycle::exit_code(&report))
    }
}

/// The right to apply a plan, or which guard stands against it and what would allow it.
pub(super) fn approved(plan: &Plan) -> Result<ApprovedPlan<'_>, CliError> {
    match ApprovedPlan::new(plan, Vec::new()) {
        Ok(approved) => Ok(approved),
        Err(NotApproved::Guards(report)) => {
            let refused = CliError::refused(match report.violations.first() {
                Some(first) => {
                    tr!("a guard stands against the plan: {first}; nothing was written", first)
                }
                None => tr!("the guards stand against the plan; nothing was written"),
            });
            Err(report.advice().iter().fold(refused, |refused, advice| {
                let lines: String = advice.lines().map(|line| format!("\n{line}")).collect();
                refused.hint(format!("{advice}{lines}"))
            }))
        }
        Err(NotApproved::Faulty(_)) => {
            Err(CliError::general(tr!("recard does not trust its own plan; nothing was written")))
        }
    }
}

/// Writes the report, and tells the way back. Gives back why the run failed, if it did.
fn finish(
    outputs: &Outputs<'_>,
    session: &Session,
    settled: &ReportedRun<'_>,
    failure: Option<CliError>,
) -> Result<(), CliError> {
    // An empty line between the plan and what became of it. If it cannot be written, neither can
    // the report.
    let _ = outputs.preview_text("\n");
    let reported = run_lifecycle::write_report(outputs, session, settled, failure);
    if let (Some(run), true) = (settled.run, settled.totals().done > 0 && outputs.has_text()) {
        outputs.ui.note(tr!(
            "To put everything back: recard restore {run} --all{again}",
            run,
            again = session.global_flags()
        ));
    }
    reported
}

/// Keeps whom the manifests selected, for the guard of the next run. A second apply finds it there
/// and writes nothing.
fn keep_selections(
    locked: &mut WriteGuard,
    files: &[(String, String)],
    plan: &Plan,
) -> Result<(), CliError> {
    let measured = &plan.guards.impact.manifests;
    let people = |manifest: &str| measured.get(manifest).map(|measure| &measure.selected);
    let run: Vec<CurrentSelection<'_>> = files
        .iter()
        .map(|(manifest, file)| planning::selecting(manifest, file, people(manifest)))
        .collect();
    Ok(locked.save_selections(&run)?)
}

fn planned_cards(plan: &Plan) -> Vec<PlannedCard> {
    let card = |(key, layout, generation): (CardKey, Option<&Layout>, _)| PlannedCard {
        key,
        digest: layout.map(Layout::digest),
        generation,
    };
    plan.resets()
        .map(|target| card((target.key, target.decision.layout(), target.generation.clone())))
        .collect()
}
