//! A run that writes: the lock, the checks before the first request, and the report at the end.

use jiff::Timestamp;

use super::args::Global;
use super::clock::SystemClock;
use super::environment;
use super::exit;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::session::Session;
use super::ui::Ui;
use crate::engine::ApplyReport;
use crate::model::{OutcomeClass, RunId};
use crate::port::{Clock as _, LockOwner, PlannedCard, RunHeader, RunPurpose, StoreError};
use crate::store::Locked;

/// Takes the lock of the session's portal, waiting for it if the command line says so.
pub(super) async fn lock(ui: &Ui, global: &Global, session: &Session, command: &str) -> Result<Locked, Failure> {
    let owner = LockOwner {
        process: std::process::id(),
        host: environment::host(),
        actor: environment::actor(),
        command: command.to_owned(),
        since: SystemClock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    let clock = std::sync::Arc::new(SystemClock);
    let (locked, note) = session.store.lock_waiting(owner, clock, global.lock_timeout).await?;
    if let Some(note) = &note {
        ui.note(note);
    }
    Ok(locked)
}

/// Refuses to start a run over one that was cut.
pub(super) fn refuse_unfinished(session: &Session) -> Result<(), Failure> {
    match session.store.unfinished()? {
        None => Ok(()),
        Some(run) => Err(Failure::refused(format!("the run {run} was cut before its end; nothing was written"))
            .hint("`recard resume` finds out what became of it, and closes it")),
    }
}

/// A name for a run that starts now. It sorts behind every run of the store: `last` means the last one.
pub(super) fn new_run(locked: &Locked) -> Result<RunId, Failure> {
    let started = run_time(SystemClock.now());
    let run = RunId::new(&started, rand::random())
        .map_err(|problem| Failure::error(format!("cannot name a run: {problem}")))?;
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
pub(super) fn header(session: &Session, purpose: RunPurpose, targets: Vec<PlannedCard>) -> RunHeader {
    RunHeader {
        purpose,
        portal: crate::port::ReadPortal::portal(&session.portal.reader()).clone(),
        caller: session.caller.user,
        actor: environment::actor(),
        manifest: None,
        commit: environment::commit(),
        reasons: Vec::new(),
        targets,
    }
}

/// The exit code that a report means.
pub(super) fn exit_code(report: &ApplyReport) -> u8 {
    let clean = report.targets.iter().all(|settled| match settled.outcome.class() {
        OutcomeClass::Done | OutcomeClass::Skipped => true,
        OutcomeClass::Failed | OutcomeClass::Unknown => false,
    });
    if clean { exit::DONE } else { exit::PARTIAL }
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
    pub(super) fn of(auto_approve: bool) -> Self {
        if auto_approve { Self::Given } else { Self::Asked }
    }
}

/// Whether somebody may be asked, and said yes.
pub(super) async fn approve(ui: &Ui, interrupt: &Interrupt, approval: Approval, question: &str) -> Result<(), Failure> {
    match approval {
        Approval::Given => return Ok(()),
        Approval::Asked => {}
    }
    if !ui.can_ask() {
        return Err(Failure::refused("nobody can be asked here, so nothing was written")
            .hint("add --auto-approve after somebody has reviewed the plan"));
    }
    tokio::select! {
        yes = ui.confirm(question, "yes") => {
            if yes { Ok(()) } else { Err(Failure::refused("the answer was no; nothing was written")) }
        }
        () = interrupt.wished() => Err(Failure::refused("interrupted at the question; nothing was written")),
    }
}

/// Finds out before the first request whether the store can take backups.
pub(super) fn probe(locked: &Locked) -> Result<(), Failure> {
    locked.probe().map_err(|problem: StoreError| {
        Failure::from(problem).while_doing("backups cannot be written, so nothing was reset")
    })
}
