//! Status of a fleet: a row for each portal, from the store alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::rows::Pauses;
use super::{reports, rows, state};
use crate::cli::args::GlobalArgs;
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::ui::Ui;
use crate::i18n::Text;
use crate::manifest::{Fleet, FleetPortal};
use crate::model::PortalId;
use crate::ports::{
    Clock as _, FleetState as _, FleetView, ParkReason, PortalState, QueueState, WorkerSign,
};
use crate::records::fleet::{FleetCounts, FleetReport, PortalOutcome, PortalRow, WorkerReport};
use crate::store::Store;

/// Makes the report of a fleet from the store: the last round of each portal, runs that were cut
/// since, pauses, parked portals and the rollout.
pub(in crate::cli) async fn report(
    ui: &Ui,
    global: &GlobalArgs,
    command: &str,
    fleet: &Fleet,
    view: Option<&FleetView>,
    started: Instant,
) -> Result<FleetReport, CliError> {
    let path = reports::kept_file(global.store.folder(), &fleet.name);
    let mut known: BTreeMap<String, PortalRow> = BTreeMap::new();
    if path.exists() {
        match reports::read(&path) {
            Ok(kept) => {
                known.extend(kept.portals.into_iter().map(|row| (row.portal.clone(), row)));
            }
            // What was published or halted already has taken effect all the same.
            Err(problem) => ui.warn(tr!(
                "rows of earlier rounds are missing, since the kept report is damaged: {problem}",
                problem
            )),
        }
    }
    let names: Vec<PortalId> =
        fleet.portals.iter().filter_map(|portal| portal.portal.clone()).collect();
    let mut in_database = state::open(global).kept_rows(&names).await?;
    let pauses = state::open(global).pauses().await?;
    let states: BTreeMap<&PortalId, &PortalState> = view
        .iter()
        .flat_map(|view| &view.portals)
        .map(|portal| (&portal.published.portal, portal))
        .collect();
    // A worker that reads files reconciles what nobody has published.
    let unpublished: Vec<PortalId> =
        names.iter().filter(|name| !states.contains_key(name)).cloned().collect();
    let unpublished = state::open(global).queue_states(&unpublished).await?;
    let mut rows = Vec::with_capacity(fleet.portals.len());
    for portal in &fleet.portals {
        let state = portal.portal.as_ref().and_then(|name| states.get(name).copied());
        let queue = state.map(|state| &state.queue);
        let queue = queue.or_else(|| unpublished.get(portal.portal.as_ref()?));
        let in_database = portal.portal.as_ref().and_then(|name| in_database.remove(name));
        let of_worker = queue.and_then(|queue| queue.row.clone());
        let kept = [in_database, of_worker].into_iter().flatten();
        let kept = kept.filter_map(|row| PortalRow::parse(&row)).chain(known.remove(portal.name()));
        let row = row(fleet, portal, kept, &pauses);
        // What a living worker has begun is no cut run.
        let is_held = queue.is_some_and(|queue| queue.worker.is_some());
        let is_moved = state.map(|state| state.is_moved);
        let mut row =
            if is_held { row } else { with_cut_run(global, portal, is_moved, row).await? };
        if let Some(queue) = queue {
            row.worker.clone_from(&queue.worker);
            let overdue = match (state, view) {
                (Some(state), Some(view)) => {
                    row.revision = state.revision.map(|revision| revision.to_string());
                    state.overdue(view.now).filter(|overdue| *overdue > state.published.every)
                }
                _ => overdue(portal, &row, queue),
            };
            row.overdue_seconds =
                overdue.map(|overdue| u32::try_from(overdue.as_secs()).unwrap_or(u32::MAX));
            if let Some(parked) = &queue.parked {
                row.outcome = PortalOutcome::Parked;
                rows::set_cause(&mut row, &park_reason(&parked.reason));
            }
        }
        rows.push(row);
    }
    let name = (&*fleet.name, &*fleet.reason);
    let mut report = reports::report(command, name, rows, Vec::new(), started);
    report.rollout = view.map(state::rollout_report);
    let workers = state::open(global).workers().await?.into_iter();
    report.workers = workers
        .map(|WorkerSign { worker, age }| WorkerReport {
            id: worker.id,
            version: worker.version,
            silent_seconds: u32::try_from(age.as_secs()).unwrap_or(u32::MAX),
        })
        .collect();
    Ok(report)
}

fn row(
    fleet: &Fleet,
    portal: &FleetPortal,
    kept: impl Iterator<Item = PortalRow>,
    pauses: &Pauses,
) -> PortalRow {
    let declared = rows::row(fleet, portal, PortalOutcome::NeverSeen);
    let at = |row: &PortalRow| row.last.as_ref().map(|last| last.at);
    let last = kept.max_by_key(at);
    let last = last.map_or_else(
        || declared.clone(),
        // Labels and waves are those of now.
        |row| PortalRow {
            wave: declared.wave.clone(),
            labels: declared.labels.clone(),
            counts: pending(&row),
            ..row
        },
    );
    let of_fleet = rows::row_without_round(fleet, portal, pauses, SystemClock.now());
    of_fleet.map(|row| PortalRow { last: last.last.clone(), ..row }).unwrap_or(last)
}

/// Returns the numbers of what is left: cards that a run has reset are as they should be.
fn pending(row: &PortalRow) -> FleetCounts {
    let writes = |command: &str| matches!(command, "apply" | "worker");
    match row.last.as_ref().is_some_and(|last| writes(&last.command)) && row.run.is_some() {
        true => FleetCounts {
            people: 0,
            reset: 0,
            keep: row.counts.keep + row.counts.reset,
            hold: row.counts.hold,
        },
        false => row.counts,
    }
}

/// Returns for how long a portal that was not published has been due, if a worker had its last
/// round and it is more than the interval. Otherwise no worker is waited for.
fn overdue(portal: &FleetPortal, row: &PortalRow, queue: &QueueState) -> Option<Duration> {
    let is_of_worker = row.last.as_ref().is_some_and(|last| last.command == "worker");
    let is_waited_for = queue.parked.is_none() && row.outcome != PortalOutcome::Paused;
    let due = queue.due.filter(|_| is_of_worker && is_waited_for)?;
    let overdue = Duration::try_from(SystemClock.now().duration_since(due)).ok()?;
    (overdue > portal.every).then_some(overdue)
}

/// Returns the words of the reason why a portal is parked.
pub(in crate::cli) fn park_reason(reason: &ParkReason) -> Text {
    match reason {
        ParkReason::Deaths(deaths) => {
            tr!("{n} worker ended while it held the portal; `recard fleet retry` frees it"
                | "{n} workers ended while they held the portal; `recard fleet retry` frees it"
                    % *deaths)
        }
        ParkReason::WebhookRefused(_) => tr!(
            "the portal refuses the webhook for good; another secret in its place frees it, or `recard fleet retry`"
        ),
        ParkReason::RecoveryNeedsPerson(problem) => {
            tr!("the recovery of a run needs a person: {problem}", problem)
        }
        ParkReason::UnreadableRow(problem) => tr!(
            "its row in the work queue cannot be read, and needs a person: {problem}; keep that file elsewhere, or mend that row of the database",
            problem
        ),
    }
}

/// Marks a portal that has moved to another store, or whose last run was cut: nothing is written to
/// it before `recard recover`. The store is asked for a move that is not known.
async fn with_cut_run(
    global: &GlobalArgs,
    portal: &FleetPortal,
    is_moved: Option<bool>,
    mut row: PortalRow,
) -> Result<PortalRow, CliError> {
    let Some(name) = &portal.portal else { return Ok(row) };
    let store = match is_moved {
        Some(false) => Store::open(&global.store, name),
        _ => Store::open_current(&global.store, name).await,
    };
    let found = match store {
        Ok(store) => store.unfinished().await,
        Err(problem) => Err(problem),
    };
    let found = match found {
        Ok(found) => found,
        Err(problem) if problem.is_of_database() => return Err(problem.into()),
        // The records of one portal do not hide the others.
        Err(problem) => return Ok(rows::failed(row, &CliError::from(problem))),
    };
    if let Some(run) = found {
        row.outcome = PortalOutcome::Failed;
        row.run = Some(run.to_string());
        rows::set_cause(
            &mut row,
            &tr!(
                "a run was cut before its end, or is under way; `recard recover` finds out what became of it"
            ),
        );
    }
    Ok(row)
}
