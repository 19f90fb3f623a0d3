//! A run that writes: the lock, the checks before the first request, and the report at the end.

use jiff::Timestamp;

use super::args::{GlobalArgs, LedgerArgs};
use super::clock::SystemClock;
use super::env;
use super::error::CliError;
use super::exit;
use super::output::Outputs;
use super::plan_files;
use super::session::Session;
use super::signals::Interrupt;
use super::ui::Ui;
use crate::engine::{self, ApplyReport, MendedJournal, TargetOutcome};
use crate::i18n::Text;
use crate::model::{PortalId, ReadTrust, RunId};
use crate::ports::{
    Clock as _, JournalLoss, LockOwner, PlannedCard, RunHeader, RunPurpose, SalvagedJournal,
    StoreError,
};
use crate::report::{ReportedRun, RunText, Subject};
use crate::store::WriteGuard;

/// Takes the lock of the session's portal, waiting for it if the command line says so.
pub(super) async fn lock(
    ui: &Ui,
    global: &GlobalArgs,
    session: &Session,
    command: &str,
) -> Result<WriteGuard, CliError> {
    let clock = std::sync::Arc::new(SystemClock);
    let (locked, note) =
        session.store.lock_waiting(owner(command), clock, global.lock_timeout).await?;
    if let Some(note) = &note {
        ui.note(note);
    }
    Ok(locked)
}

/// This process, as the owner of a lock.
pub(super) fn owner(command: &str) -> LockOwner {
    LockOwner {
        process: std::process::id(),
        host: env::host(),
        actor: env::actor(),
        command: command.to_owned(),
        since: plan_files::format_time(SystemClock.now()),
    }
}

/// Refuses to start a run over one that was cut.
pub(super) fn refuse_unfinished(session: &Session) -> Result<(), CliError> {
    match session.store.unfinished()? {
        None => Ok(()),
        Some(run) => {
            let salvaged = session.store.salvage(&run, session.caller.user)?;
            if let Some(header) = salvaged.header {
                refuse_other_portal(session, &run, &header.portal)?;
            }
            Err(CliError::refused(tr!(
                "the run {run} was cut before its end; nothing was written",
                run
            ))
            .hint(tr!("`recard resume` finds out what became of it, and closes it")))
        }
    }
}

/// Refuses to write for a run of another portal, in whatever folder it lies: the same number is
/// another person there.
pub(super) fn refuse_other_portal(
    session: &Session,
    run: &RunId,
    portal: &PortalId,
) -> Result<(), CliError> {
    let here = session.store.portal();
    if portal == here {
        return Ok(());
    }
    Err(CliError::refused(tr!(
        "the run {run} is of the portal {portal}, and the webhook is one of {here}; nothing was written",
        run,
        portal,
        here
    ))
    .hint(tr!("move the folder of the run back to the store of {portal}, and use a webhook of that portal", portal)))
}

/// Reads the journal of a run of this portal for a way back, damaged or not, and tells what is
/// lost.
pub(super) fn salvage(
    ui: &Ui,
    session: &Session,
    run: &RunId,
) -> Result<(SalvagedJournal, MendedJournal), CliError> {
    let mut salvaged = session.store.salvage(run, session.caller.user)?;
    let Some(header) = salvaged.header.take() else {
        let failure = match salvaged.damage {
            Some(damage) => CliError::from_store(damage),
            None => CliError::general(tr!("the journal has no head of a run")),
        };
        return Err(CliError {
            code: exit::REFUSED,
            ..failure
                .context(tr!("no file tells which portal the run {run} is of; nothing was written", run))
                .hint(tr!("fetch its journal, plan.json, report.json or the audit trail from a copy of the store"))
        });
    };
    refuse_other_portal(session, run, &header.portal)?;
    let mended = engine::mend(header, &salvaged, &session.store);
    if let Some(damage) = &salvaged.damage {
        ui.warn(tr!("{damage}; its whole lines and the backups are used", damage));
    }
    if salvaged.lost == JournalLoss::Lines {
        if !mended.doubtful.is_empty() {
            ui.warn(tr!(
                "lines of the journal are lost: {n} card has no intent in a whole line and may have been written to"
                    | "lines of the journal are lost: {n} cards have no intent in a whole line and may have been written to"
                    % mended.doubtful.len()
            ));
        }
        if !mended.unplanned.is_empty() {
            ui.warn(tr!(
                "what {n} card held before the run is lost with the head of the journal; it cannot be put back"
                    | "what {n} cards held before the run is lost with the head of the journal; they cannot be put back"
                        % mended.unplanned.len()
            ));
        }
        if mended.unnamed_backups > 0 {
            ui.warn(tr!(
                "{n} backup belongs to no card that a whole line names; it lies in backups.jsonl beside the journal"
                    | "{n} backups belong to no card that a whole line names; they lie in backups.jsonl beside the journal"
                    % mended.unnamed_backups
            ));
        }
    }
    Ok((salvaged, mended))
}

/// Goes on over a damaged audit trail, and tells of the damage: a way back does not need the trail.
pub(super) fn continue_over_damage(ui: &Ui, locked: &mut WriteGuard) -> Result<(), CliError> {
    if let Some(damage) = locked.accept_damaged_audit_log()? {
        ui.warn(tr!(
            "{damage}; new lines follow its last whole one, and `recard audit verify` tells the damage",
            damage
        ));
    }
    Ok(())
}

/// A name for a run that starts now. It sorts behind every run of the store: `last` means the last
/// one.
pub(super) fn new_run_id(locked: &WriteGuard) -> Result<RunId, CliError> {
    let started = run_time(SystemClock.now());
    let run = RunId::new(&started, rand::random())
        .map_err(|problem| CliError::general(tr!("cannot name a run: {problem}", problem)))?;
    let earlier = locked.store().run_ids()?;
    Ok(match earlier.last() {
        Some(last) => run.behind(last),
        None => run,
    })
}

fn run_time(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The first record of a run's journal.
pub(super) fn header(
    session: &Session,
    purpose: RunPurpose,
    trust: ReadTrust,
    targets: Vec<PlannedCard>,
) -> RunHeader {
    RunHeader {
        purpose,
        portal: crate::ports::ReadPortal::portal(&session.portal.reader()).clone(),
        caller: session.caller.user,
        actor: env::actor(),
        manifest: None,
        commit: env::commit(),
        reasons: Vec::new(),
        trust: trust.evidence(),
        targets,
    }
}

/// The exit code that a report means.
pub(super) fn exit_code(report: &ApplyReport) -> u8 {
    exit_code_from_targets(&report.targets)
}

/// Returns the exit code that the outcomes of a run mean.
pub(super) fn exit_code_from_targets(targets: &[TargetOutcome]) -> u8 {
    if targets.iter().all(|settled| settled.outcome.is_resolved()) {
        exit::DONE
    } else {
        exit::PARTIAL
    }
}

/// Whether a run is approved beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Approval {
    /// By `--auto-approve`.
    Given,
    /// Somebody is asked.
    Asked,
}

impl Approval {
    pub(super) fn from_flag(auto_approve: bool) -> Self {
        if auto_approve { Self::Given } else { Self::Asked }
    }
}

/// Whether somebody may be asked, and said yes.
pub(super) async fn approve(
    ui: &Ui,
    interrupt: &Interrupt,
    approval: Approval,
    question: &Text,
) -> Result<(), CliError> {
    match approval {
        Approval::Given => return Ok(()),
        Approval::Asked => {}
    }
    if !ui.can_ask() {
        return Err(CliError::refused(tr!("nobody can be asked here, so nothing was written"))
            .hint(tr!("add --auto-approve after somebody has reviewed the plan")));
    }
    tokio::select! {
        yes = ui.confirm(question, "yes") => {
            if yes { Ok(()) } else { Err(CliError::refused(tr!("the answer was no; nothing was written"))) }
        }
        () = interrupt.cancelled() => Err(CliError::refused(tr!("interrupted at the question; nothing was written"))),
    }
}

/// Keeps mode once in a file, too, if the command line says so.
pub(super) fn use_ledger_file(locked: &mut WriteGuard, ledger_args: &LedgerArgs) {
    if let Some(path) = &ledger_args.ledger {
        locked.keep_ledger_in(path);
    }
}

/// Finds out whether the store takes what is coming, and keeps the plan of the run that is about to
/// begin under its name.
pub(super) fn begin_run(locked: &mut WriteGuard, plan_file: &[u8]) -> Result<RunId, CliError> {
    probe(locked)?;
    let run = new_run_id(locked)?;
    locked.write_plan(&run, plan_file)?;
    Ok(run)
}

/// Keeps the report of a run beside its journal. The journal is what counts, and a report can be
/// made from it at any time, so that a report that cannot be kept is worth a warning and no more.
pub(super) fn save_report(ui: &Ui, session: &Session, locked: &mut WriteGuard, run: &RunId) {
    let kept = session.store.summary(run).and_then(|summary| match summary.into_report() {
        None => Ok(()),
        Some(report) => locked.write_run_report(&report),
    });
    if let Err(problem) = kept {
        ui.warn(tr!(
            "the report of the run could not be kept ({problem}); recard show makes it from the journal",
            problem
        ));
    }
}

/// Writes the report of a run into all outputs, and gives back why the run failed, if it did. A
/// report that cannot be written does not hide the run: stderr has it in its place, with the way
/// back, and the exit code is 3.
pub(super) fn write_report(
    outputs: &Outputs<'_>,
    session: &Session,
    settled: &ReportedRun<'_>,
    failure: Option<CliError>,
) -> Result<(), CliError> {
    let ui = outputs.ui;
    let written =
        outputs.write(Subject::Run(settled)).and_then(|()| ui.stdout_closed().map_or(Ok(()), Err));
    let unwritten = match (written, settled.run) {
        (Ok(()), _) => None,
        (Err(problem), None) => Some(problem),
        (Err(problem), Some(run)) => {
            let text =
                RunText::new(run, settled.targets, settled.totals()).with_reason(settled.stopped);
            Some(report_write_error(ui, &text, problem, run, session.global_flags()))
        }
    };
    match (failure, unwritten) {
        (None, None) => Ok(()),
        (Some(problem), None) | (None, Some(problem)) => Err(problem),
        (Some(failure), Some(unwritten)) => {
            ui.fail(&failure);
            Err(unwritten)
        }
    }
}

/// Tells on stderr of a run whose report could not be written.
pub(super) fn report_write_error(
    ui: &Ui,
    text: &RunText<'_>,
    problem: CliError,
    run: &RunId,
    again: &str,
) -> CliError {
    ui.diagnostics(&text.to_string());
    // The hints of the problem are about outputs before a run.
    CliError { code: exit::PARTIAL, hints: Vec::new(), ..problem }
        .context(tr!("the run {run} is over, but its report could not be written", run))
        .hint(tr!("the store has it: recard show {run}{again}", run, again))
        .hint(tr!("To put everything back: recard restore {run} --all{again}", run, again))
}

/// Finds out before the first request whether the store can take backups.
pub(super) fn probe(locked: &WriteGuard) -> Result<(), CliError> {
    locked.probe().map_err(|problem: StoreError| {
        CliError::from(problem).context(tr!("backups cannot be written, so nothing was reset"))
    })
}
