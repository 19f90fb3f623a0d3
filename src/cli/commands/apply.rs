//! `recard apply`: plans, shows the plan, asks, and carries it out.

use std::time::{Duration, Instant};

use crate::cli::args::{ApplyArguments, Global};
use crate::cli::environment::Need;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::planning::{self, Planned};
use crate::cli::progress::Progress;
use crate::cli::running::{self, Approval};
use crate::cli::session::{Address, Session};
use crate::cli::sources::{self, Manifest};
use crate::cli::ui::Ui;
use crate::engine::{self, Freshness};
use crate::model::{CardKey, Layout};
use crate::plan::{ApprovedPlan, NotApproved, Plan};
use crate::port::{PlannedCard, RunHeader, RunPurpose};
use crate::report::{Format, Held, Purpose, Report, SettledRun, Subject};
use crate::store::Locked;

/// A plan older than this is read again before anything is reset: somebody took their time to answer the question.
const FRESH: Duration = Duration::from_secs(30);

/// Plans, shows, asks and applies.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &Global,
    arguments: &ApplyArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let outputs = Outputs::showing(ui, Purpose::Apply, &arguments.shown)?;
    let outcome = async {
        let manifest = sources::load(&outputs, &arguments.manifests.files)?;
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
    let address = Address::find(global, Need::Write).await?;
    address.check_pin(manifest.declaration.portal(), &manifest.pin_place())?;
    let ui = outputs.ui;
    let session = address.connect(global, ui, interrupt).await?;
    let mut locked = running::lock(ui, global, &session, "apply").await?;
    running::refuse_unfinished(&session)?;
    let read_at = Instant::now();
    let planned = planning::make(outputs, &session, manifest, &arguments.rules).await?;
    let outcome = decide(outputs, arguments, interrupt, &session, &mut locked, manifest, &planned, read_at).await;
    drop(locked);
    session.close(ui)?;
    outcome
}

/// Shows the plan and carries it out, if it may be.
#[expect(clippy::too_many_arguments, reason = "the parts of one command, which belong to nothing smaller")]
async fn decide(
    outputs: &Outputs<'_>,
    arguments: &ApplyArguments,
    interrupt: &Interrupt,
    session: &Session,
    locked: &mut Locked,
    manifest: &Manifest,
    planned: &Planned,
    read_at: Instant,
) -> Result<u8, Failure> {
    let ui = outputs.ui;
    let plan = &planned.plan;
    let counts = plan.counts();
    sources::show(ui, &planned.warnings, &manifest.sources);
    let planned_report = planned.report(session, manifest);
    outputs.preview(Subject::Plan(&planned_report))?;
    let settled = SettledRun {
        run: None,
        portal: plan.portal.as_str(),
        manifests: planned_report.manifests.clone(),
        targets: &[],
        stopped: None,
        held: Held::of(plan),
        plan: Some(plan),
    };
    let marks = plan.new_marks();
    if counts.reset == 0 && marks == 0 {
        outputs.write(Subject::Run(&settled))?;
        keep_selection(session, locked, manifest, plan)?;
        return Ok(if counts.hold > 0 { exit::PARTIAL } else { exit::DONE });
    }
    let approved = match ApprovedPlan::new(plan.clone(), Vec::new()) {
        Ok(approved) => approved,
        Err(NotApproved::Guards(report)) => {
            outputs.without_stdout_text(Subject::Plan(&planned_report));
            let failure = Failure::refused(match report.breaches.first() {
                Some(first) => format!("a guard stands against the plan: {first}; nothing was written"),
                None => "the guards stand against the plan; nothing was written".to_owned(),
            });
            return Err(match report.acknowledgement() {
                Some(lines) => failure.hint(format!("if this is what you want, put under spec:\n{lines}")),
                None => failure.hint("a protected person cannot be acknowledged; leave them out with except"),
            });
        }
        Err(NotApproved::Faulty(_)) => {
            return Err(Failure::error("recard does not trust its own plan; nothing was written"));
        }
    };
    if counts.reset > 0 {
        if !arguments.auto_approve && ui.can_ask() && !outputs.has_text() {
            let shown = Report { purpose: Purpose::Apply, subject: Subject::Plan(&planned_report) };
            ui.diagnostics(&shown.render(Format::Text, outputs.options()));
        }
        let question = format!("Reset {} cards on {}? What they hold is backed up first.", counts.reset, plan.portal);
        running::approve(ui, interrupt, Approval::of(arguments.auto_approve), &question).await?;
    }
    running::probe(locked)?;

    let header = RunHeader {
        manifest: Some(manifest.declaration.digest),
        reasons: manifest.reasons(),
        ..running::header(session, RunPurpose::Apply, planned_cards(plan))
    };
    let run = running::new_run(locked)?;
    let mut log = locked.start_run(run, header)?;
    let progress = Progress::new(ui);
    let freshness = if read_at.elapsed() < FRESH { Freshness::JustRead } else { Freshness::ReadAgain };
    let writer = session.portal.writer();
    let applied = engine::apply(&writer, &mut log, &approved, freshness, interrupt.signal(), &progress).await;
    progress.finish();
    drop(log);
    let (report, failure) = match applied {
        Ok(report) => (report, None),
        Err(problem) => (problem.report().clone(), Some(Failure::from(problem))),
    };
    let settled =
        SettledRun { run: Some(&report.run), targets: &report.targets, stopped: report.stopped.as_deref(), ..settled };
    finish(outputs, &settled)?;
    keep_selection(session, locked, manifest, plan)?;
    match failure {
        Some(failure) => Err(failure),
        None if counts.hold > 0 => Ok(exit::PARTIAL),
        None => Ok(running::exit_code(&report)),
    }
}

/// Writes the report, and tells the way back.
fn finish(outputs: &Outputs<'_>, settled: &SettledRun<'_>) -> Result<(), Failure> {
    // An empty line between the plan and what became of it.
    outputs.preview_text("\n")?;
    outputs.write(Subject::Run(settled))?;
    if let (Some(run), true) = (settled.run, settled.totals().done > 0 && outputs.has_text()) {
        outputs.ui.note(format_args!("To put everything back: recard restore {run} --everything"));
    }
    Ok(())
}

/// Keeps how many people were selected, for the guard of the next run. A second apply finds it there and writes nothing.
fn keep_selection(session: &Session, locked: &mut Locked, manifest: &Manifest, plan: &Plan) -> Result<(), Failure> {
    let selected = plan.guards.measure.selected;
    let names = manifest.names();
    if session.store.selection(&names)? != Some(selected) {
        locked.write_selection(&names, selected)?;
    }
    Ok(())
}

fn planned_cards(plan: &Plan) -> Vec<PlannedCard> {
    let card = |(key, layout, generation): (CardKey, Option<&Layout>, _)| PlannedCard {
        key,
        digest: layout.map(Layout::digest),
        generation,
    };
    plan.resets().map(|target| card((target.key, target.decision.layout(), target.generation.clone()))).collect()
}
