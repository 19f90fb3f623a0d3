//! `recard apply`: plans, shows the plan, asks, and carries it out.

use std::time::Duration;

use crate::cli::args::{ApplyArguments, Global};
use crate::cli::commands::apply_reviewed;
use crate::cli::environment::Need;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::plan_files;
use crate::cli::planning::{self, Planned};
use crate::cli::progress::Progress;
use crate::cli::running::{self, Approval};
use crate::cli::session::{Address, Session};
use crate::cli::sources::{self, Manifest};
use crate::cli::ui::Ui;
use crate::engine::{self, ExecuteOptions, Freshness, Settled};
use crate::model::{CardKey, Layout, Selecting};
use crate::plan::{ApprovedPlan, NotApproved, Plan};
use crate::port::{PlannedCard, RunHeader, RunPurpose};
use crate::report::{Format, Held, Purpose, Report, SettledRun, Subject};
use crate::store::Locked;

/// The plan that is kept with a run is never used again, so when it expires does not matter.
const KEPT_PLAN_AGE: Duration = Duration::ZERO;

/// Plans, shows, asks and applies; or applies what was reviewed.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &ApplyArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let outputs = Outputs::showing(ui, Purpose::Apply, &arguments.shown)?;
    let outcome = async {
        if let Some(path) = &arguments.plan {
            return apply_reviewed::with(&outputs, global, arguments, path, interrupt).await;
        }
        let manifest = sources::load(&outputs, &arguments.files, interrupt).await?;
        with(&outputs, global, arguments, &manifest, interrupt).await
    };
    outputs.finish(outcome.await)
}

/// Applies manifests that were read.
pub(in crate::cli) async fn with(
    outputs: &Outputs<'_>,
    global: &Global,
    arguments: &ApplyArguments,
    manifest: &Manifest,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let address = Address::find(global, Need::Write, interrupt).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let ui = outputs.ui;
    let session = address.connect(global, ui, interrupt).await?;
    let work = async |session: &Session| {
        let mut locked = running::lock(ui, global, session, "apply").await?;
        running::refuse_unfinished(session)?;
        running::remember(&mut locked, &arguments.rules.memory);
        let freshness = Freshness::now();
        let planned = planning::make(outputs, session, manifest, &arguments.rules).await?;
        decide(outputs, arguments, interrupt, session, &mut locked, manifest, &planned, freshness)
            .await
    };
    session.during(ui, work).await
}

/// Shows the plan and carries it out, if it may be.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of one command, which belong to nothing smaller"
)]
async fn decide(
    outputs: &Outputs<'_>,
    arguments: &ApplyArguments,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut Locked,
    manifest: &Manifest,
    planned: &Planned,
    freshness: Freshness,
) -> Result<u8, Failure> {
    let ui = outputs.ui;
    let plan = &planned.plan;
    let counts = plan.counts();
    sources::show(ui, &planned.warnings, &manifest.sources);
    let planned_report = planned.report(session, manifest, planning::cost(session, &planned.plan));
    outputs.preview(Subject::Plan(&planned_report))?;
    let settled = SettledRun {
        manifests: planned_report.manifests.clone(),
        held: Held::of(plan),
        plan: Some(plan),
        ..SettledRun::not_begun(plan.portal.as_str())
    };
    let files = manifest.files();
    if counts.reset == 0 && plan.new_marks() == 0 {
        outputs.write(Subject::Run(&settled))?;
        keep_selections(locked, &files, plan)?;
        return Ok(if counts.hold > 0 { exit::PARTIAL } else { exit::DONE });
    }
    let approved = approved(plan)
        .inspect_err(|_| outputs.without_stdout_text(Subject::Plan(&planned_report)))?;
    if counts.reset > 0 {
        if !arguments.auto_approve && ui.can_ask() && !outputs.has_text() {
            let shown = Report { purpose: Purpose::Apply, subject: Subject::Plan(&planned_report) };
            ui.diagnostics(&shown.render(Format::Text, outputs.options()));
        }
        let question = tr!(
            "Reset {n} card on {portal}? What it holds is backed up first."
                | "Reset {n} cards on {portal}? What they hold is backed up first." % counts.reset,
            portal = plan.portal
        );
        running::approve(ui, interrupt, Approval::of(arguments.auto_approve), &question).await?;
    }
    // A person may have taken their time for the answer.
    let freshness = if arguments.auto_approve { freshness } else { Freshness::ReadAgain };
    let header = RunHeader {
        manifest: Some(manifest.declaration.digest),
        reasons: manifest.reasons(),
        ..running::header(session, RunPurpose::Apply, plan.trust, planned_cards(plan))
    };
    let plan_file = plan_files::made(session, manifest, planned, KEPT_PLAN_AGE)?
        .encode()
        .map_err(|problem| Failure::error(tr!("cannot keep the plan: {problem}", problem)))?;
    let undertaking =
        Undertaking { approved, beforehand: &[], header, plan_file, freshness, report: settled };
    let code = undertaking.carry_out(outputs, interrupt, session, locked, &files).await?;
    Ok(if code == exit::DONE && counts.hold > 0 { exit::PARTIAL } else { code })
}

/// A plan that is about to be carried out.
pub(super) struct Undertaking<'a> {
    pub(super) approved: ApprovedPlan<'a>,
    /// Targets of the header that the plan does not touch any more.
    pub(super) beforehand: &'a [Settled],
    pub(super) header: RunHeader,
    /// The plan as it is kept with the run.
    pub(super) plan_file: Vec<u8>,
    pub(super) freshness: Freshness,
    /// The report, but for what becomes of the run.
    pub(super) report: SettledRun<'a>,
}

impl Undertaking<'_> {
    /// Begins the run, carries the plan out, writes and keeps the report, and keeps whom the
    /// manifests selected, which have these files.
    pub(super) async fn carry_out(
        self,
        outputs: &Outputs<'_>,
        interrupt: &Interrupt,
        session: &Session,
        locked: &mut Locked,
        files: &[(String, String)],
    ) -> Result<u8, Failure> {
        let Self { approved, beforehand, header, plan_file, freshness, report: settled } = self;
        session.begin_writing()?;
        let run = running::begin(locked, &plan_file)?;
        drop(plan_file);
        let mut log = locked.start_run(run.clone(), header)?;
        let progress = Progress::new(outputs.ui, session.forecast());
        let writer = session.portal.writer();
        let (signal, options) = (interrupt.signal(), ExecuteOptions::new(freshness));
        let applied =
            engine::apply(&writer, &mut log, approved, beforehand, options, signal, &progress)
                .await;
        progress.finish();
        drop(log);
        running::keep_report(outputs.ui, session, locked, &run);
        let (report, failure) = match applied {
            Ok(report) => (report, None),
            Err(problem) => (problem.report().clone(), Some(Failure::from(problem))),
        };
        let stopped = report.stopped.as_deref();
        let kept = match failure {
            None => keep_selections(locked, files, approved.plan()),
            Some(_) => Ok(()),
        };
        let settled =
            SettledRun { run: Some(&report.run), targets: &report.targets, stopped, ..settled };
        finish(outputs, session, &settled, failure)?;
        // The run has written, whatever becomes of the number of people.
        kept.map_err(|problem| Failure { code: exit::PARTIAL, ..problem })?;
        Ok(running::exit_code(&report))
    }
}

/// The right to apply a plan, or which guard stands against it and what would allow it.
pub(super) fn approved(plan: &Plan) -> Result<ApprovedPlan<'_>, Failure> {
    match ApprovedPlan::new(plan, Vec::new()) {
        Ok(approved) => Ok(approved),
        Err(NotApproved::Guards(report)) => {
            let refused = Failure::refused(match report.breaches.first() {
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
            Err(Failure::error(tr!("recard does not trust its own plan; nothing was written")))
        }
    }
}

/// Writes the report, and tells the way back. Gives back why the run failed, if it did.
fn finish(
    outputs: &Outputs<'_>,
    session: &Session,
    settled: &SettledRun<'_>,
    failure: Option<Failure>,
) -> Result<(), Failure> {
    // An empty line between the plan and what became of it. If it cannot be written, neither can
    // the report.
    let _ = outputs.preview_text("\n");
    let told = running::report(outputs, session, settled, failure);
    if let (Some(run), true) = (settled.run, settled.totals().done > 0 && outputs.has_text()) {
        outputs.ui.note(tr!(
            "To put everything back: recard restore {run} --all{again}",
            run,
            again = session.again()
        ));
    }
    told
}

/// Keeps whom the manifests selected, for the guard of the next run. A second apply finds it there
/// and writes nothing.
fn keep_selections(
    locked: &mut Locked,
    files: &[(String, String)],
    plan: &Plan,
) -> Result<(), Failure> {
    let measured = &plan.guards.measure.manifests;
    let people = |manifest: &str| measured.get(manifest).map(|measure| &measure.selected);
    let run: Vec<Selecting<'_>> = files
        .iter()
        .map(|(manifest, file)| planning::selecting(manifest, file, people(manifest)))
        .collect();
    Ok(locked.keep_selections(&run)?)
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
