//! `recard audit`: the audit log of a portal. Reads the store alone.

use std::collections::{BTreeMap, BTreeSet};

use super::audit_heads;
use crate::cli::args::{AuditAction, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::cli::use_cases::format_time;
use crate::cli::{exit, session};
use crate::diagnostic::visible;
use crate::engine;
use crate::i18n::Text;
use crate::model::{RunId, Totals};
use crate::ports::{Archive as _, Interrupted, StoreError};
use crate::records::{AuditEntry, AuditEvent};
use crate::store::{RunEnd, RunSummary, Store};

/// Shows the audit log, or verifies it.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    action: AuditAction,
) -> Result<u8, CliError> {
    if let AuditAction::Heads(arguments) = &action {
        return audit_heads::run(ui, global, arguments).await;
    }
    let store = session::store(global).await?;
    // A missing store is an error: a mistyped folder, or one that a pipeline did not restore, must
    // not pass.
    if matches!(action, AuditAction::Verify) && !store.is_there().await? {
        let (store, portal) = (&global.store, store.portal());
        return Err(CliError::general(tr!(
            "the store {store} knows nothing of {portal}: nothing was verified",
            store,
            portal
        ))
        .hint(tr!("name the store with --store; the first apply makes one")));
    }
    let entries = store.audit_entries().await?;
    match action {
        AuditAction::Heads(_) => {}
        AuditAction::Show => ui.result(entries.iter().map(line).collect::<String>())?,
        AuditAction::Verify => {
            let VerifiedCounts { runs, backups } = verify(ui, &store, &entries).await?;
            let events = tr!("{n} event" | "{n} events" % entries.len());
            let runs = tr!("{n} run" | "{n} runs" % runs);
            let holds = tr!(
                "The audit log of {} is intact: {events}, {runs}, each bound to the one before.",
                store.portal(),
                events,
                runs
            );
            let kept = tr!("What they removed can be put back: the backup of {n} card is whole."
                | "What they removed can be put back: the backups of {n} cards are whole."
                    % backups);
            ui.result(format_args!("{holds}\n{kept}\n"))?;
        }
    }
    Ok(exit::DONE)
}

/// Number of verified records.
struct VerifiedCounts {
    runs: usize,
    /// Cards whose layout a run removed, with an undamaged backup.
    backups: usize,
}

/// Compares the audit log with the journals, since the chain alone cannot show a truncated end, and
/// the journals with the backups.
async fn verify(
    ui: &Ui,
    store: &Store,
    entries: &[AuditEntry],
) -> Result<VerifiedCounts, CliError> {
    let mut started = BTreeSet::new();
    let mut closed: BTreeMap<&RunId, Totals> = BTreeMap::new();
    for entry in entries {
        match &entry.event {
            AuditEvent::RunStarted { run, .. } => {
                started.insert(run);
            }
            AuditEvent::RunClosed { run, totals, .. } => {
                closed.insert(run, *totals);
            }
            AuditEvent::RunReopened { .. }
            | AuditEvent::PlanUsed(_)
            | AuditEvent::LockTakenOver(_) => {}
        }
    }
    let broken = |text: Text| {
        CliError::general(text).hint(tr!("the store was changed by something else than recard"))
    };
    let runs = store.runs().await?;
    for run in &runs {
        if !started.contains(&run.run) {
            return Err(broken(tr!(
                "the audit log has no record of the run {}: its end was cut off",
                run.run
            )));
        }
        match (run.end, closed.get(&run.run)) {
            (RunEnd::Closed(_), Some(totals)) if *totals != run.totals() => {
                return Err(broken(tr!(
                    "the audit log and the journal of the run {} differ in their sums",
                    run.run
                )));
            }
            (RunEnd::Unfinished, Some(totals)) if *totals != run.totals() => {
                return Err(broken(tr!("the journal of the run {} lost its end", run.run)));
            }
            // The end goes to the audit log just before the journal, and a process may have died in
            // between.
            (RunEnd::Unfinished, Some(_)) => {
                ui.warn(tr!(
                    "the audit log records the end of the run {}, and its journal is not closed: `recard recover` closes it",
                    run.run
                ));
            }
            (RunEnd::Closed(_), None) => {
                return Err(broken(tr!(
                    "the audit log does not record the end of the run {}: its end was cut off",
                    run.run
                )));
            }
            (RunEnd::Closed(_), Some(_)) | (RunEnd::Unfinished, None) => {}
        }
    }
    let there: BTreeSet<&RunId> = runs.iter().map(|run| &run.run).collect();
    if let Some(lost) = closed.keys().find(|run| !there.contains(**run)) {
        return Err(broken(tr!("the run {lost} came to its end, and its journal is gone", lost)));
    }
    let mut backups = 0;
    for RunSummary { run, .. } in &runs {
        let mut lost = Vec::new();
        for (key, digest) in engine::needed_backups(&store.journal(run).await?)? {
            match store.backup(run, key, digest).await {
                Ok(_) => backups += 1,
                Err(StoreError::Missing(_)) if store.collected(run).await?.is_some() => {}
                Err(problem) => lost.push(problem),
            }
        }
        if let Some(problem) = lost.first() {
            return Err(CliError::general(tr!(
                "{n} card of the run {run} cannot be put back: {problem}"
                    | "{n} cards of the run {run} cannot be put back: {problem}" % lost.len(),
                run,
                problem
            ))
            .hint(tr!(
                "sealed backups of a database need their --backup-key-file; all others were changed by something else than recard"
            )));
        }
    }
    Ok(VerifiedCounts { runs: runs.len(), backups })
}

fn line(entry: &AuditEntry) -> String {
    let AuditEntry { at, actor, host, process, event } = entry;
    let who = if actor.is_empty() { Text::default() } else { tr!("{actor} on ", actor) };
    let what = match event {
        AuditEvent::RunStarted { run, restores: None, targets } => {
            tr!(
                "run {run} begun: apply, {n} card" | "run {run} begun: apply, {n} cards" % *targets,
                run
            )
        }
        AuditEvent::RunStarted { run, restores: Some(of), targets } => {
            tr!(
                "run {run} begun: restore of {of}, {n} card"
                    | "run {run} begun: restore of {of}, {n} cards" % *targets,
                run,
                of
            )
        }
        AuditEvent::RunReopened { run, torn: 0 } => tr!("run {run} taken up again", run),
        AuditEvent::RunReopened { run, torn } => {
            tr!("run {run} taken up again; a torn line of {torn} bytes cut off", run, torn)
        }
        AuditEvent::RunClosed { run, totals, interrupted } => {
            let Totals { done, skipped, failed, unknown } = totals;
            let end = match interrupted {
                Interrupted::No => tr!("ended"),
                Interrupted::Yes => tr!("stopped"),
            };
            tr!(
                "run {run} {end}: {done} done, {skipped} skipped, {failed} failed, {unknown} unknown",
                run,
                end,
                done,
                skipped,
                failed,
                unknown
            )
        }
        AuditEvent::PlanUsed(plan) => tr!("plan {} used", plan.short()),
        AuditEvent::LockTakenOver(text) => Text::from(text.as_str()),
    };
    let line = format!("{}  {who}{host} ({process})  {what}", format_time(*at));
    visible(&line).into_owned() + "\n"
}
