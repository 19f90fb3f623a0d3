//! Reports over a fleet: made from rows, compared with an earlier one, written, and kept in the
//! store for `fleet status`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::state;
use crate::cli::args::{GlobalArgs, OutputArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::model::PortalId;
use crate::ports::{Clock as _, FleetState as _};
use crate::records::fleet::{
    FLEET_REPORT_FORMAT, FleetCounts, FleetReport, FleetViolation, LastRound, PortalRow,
};
use crate::report::pretty;
use crate::store::{FolderFleets, fleet_file_name, read_whole, write_whole};

/// Maximum size of a report that is read.
const MAX_REPORT_BYTES: u64 = 256 << 20;

/// Refuses formats that reports over a fleet do not have.
pub(in crate::cli) fn check_formats(outputs: &OutputArgs) -> Result<(), CliError> {
    let other = outputs.output.iter().find(|output| !FleetReport::FORMATS.contains(&output.format));
    let Some(other) = other else { return Ok(()) };
    let known = FleetReport::FORMATS.map(|format| format.to_string()).join(", ");
    Err(CliError::new(
        exit::USAGE,
        tr!("a report over a fleet has no format {}; there are {known}", other.format, known),
    ))
}

/// Makes the report of a command.
pub(in crate::cli) fn report(
    command: &str,
    (fleet, reason): (&str, &str),
    rows: Vec<PortalRow>,
    violations: Vec<FleetViolation>,
    started: Instant,
) -> FleetReport {
    let mut report = FleetReport {
        format: FLEET_REPORT_FORMAT.to_owned(),
        command: command.to_owned(),
        fleet: fleet.to_owned(),
        reason: reason.to_owned(),
        made: SystemClock.now(),
        seconds: u32::try_from(started.elapsed().as_secs()).unwrap_or(u32::MAX),
        totals: BTreeMap::new(),
        sums: FleetCounts::default(),
        violations,
        stopped_in: None,
        rollout: None,
        workers: Vec::new(),
        portals: rows,
    };
    report.count();
    report
}

/// Reads the report of `--new-since`. A command does that before its first request: one that cannot
/// be read must not hide what was done.
pub(in crate::cli) fn earlier(path: Option<&Path>) -> Result<Option<FleetReport>, CliError> {
    path.map(read).transpose()
}

/// Reads a report that a person names.
pub(in crate::cli) fn read(path: &Path) -> Result<FleetReport, CliError> {
    let hint = || tr!("such a report is what `recard fleet plan -o json=FILE` has written");
    read_at(path).map_err(|problem| problem.hint(hint()))
}

/// Reads the last rows of a fleet in the store; none if there was no round.
fn kept_rows(path: &Path) -> Result<Vec<PortalRow>, CliError> {
    let hint = || {
        tr!(
            "the guard of lost portals measures by that file; keep it elsewhere, and it begins anew with the next round"
        )
    };
    match path.exists() {
        true => read_at(path).map(|report| report.portals).map_err(|problem| problem.hint(hint())),
        false => Ok(Vec::new()),
    }
}

fn read_at(path: &Path) -> Result<FleetReport, CliError> {
    let cannot = |problem: &dyn std::fmt::Display| {
        CliError::general(tr!("cannot read the report {}: {problem}", path.display(), problem))
    };
    let bytes = read_whole(path, MAX_REPORT_BYTES).map_err(|problem| cannot(&problem))?;
    FleetReport::parse(&bytes).map_err(|problem| cannot(&problem))
}

/// Writes a report into all outputs, and keeps its rows in the store: in its database, and for the
/// guard of lost portals in a file.
pub(in crate::cli) async fn finish(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    report: &FleetReport,
    all: Option<&BTreeSet<String>>,
) -> Result<(), CliError> {
    let kept = keep(global, report, all).await;
    if let Err(problem) = kept {
        outputs.ui.warn(tr!("the report could not be kept for `fleet status`: {problem}", problem));
    }
    outputs.write_fleet(report)
}

/// Returns the file of the last rows of a fleet in the store.
pub(in crate::cli) fn kept_file(store: &Path, fleet: &str) -> PathBuf {
    store.join("fleets").join(format!("{}.json", fleet_file_name(fleet)))
}

/// Returns the names of the portals that the fleet had: those of its current revision, or without
/// one those of the last round that is in the store; none if there was none. The row of a broken
/// file that names no portal is none.
pub(in crate::cli) async fn known_portals(
    global: &GlobalArgs,
    fleet: &str,
) -> Result<BTreeSet<String>, CliError> {
    if let Some(view) = state::open(global).view(fleet).await? {
        let portals = view.portals.iter();
        return Ok(portals.map(|portal| portal.published.portal.to_string()).collect());
    }
    let rows = kept_rows(&kept_file(global.store.folder(), fleet))?;
    let names = rows.into_iter().map(|row| row.portal);
    Ok(names.filter(|name| PortalId::new(name).is_ok()).collect())
}

/// Keeps the last row of each portal, with its command and time. Rows of other portals stay, unless
/// the fleet, with `all` its portals, lost them and that is no violation.
async fn keep(
    global: &GlobalArgs,
    report: &FleetReport,
    all: Option<&BTreeSet<String>>,
) -> Result<(), CliError> {
    let path = kept_file(global.store.folder(), &report.fleet);
    let mut kept = report.clone();
    for row in &mut kept.portals {
        row.last = Some(LastRound { command: report.command.clone(), at: report.made });
        row.new = false;
    }
    let name = |row: &PortalRow| PortalId::new(&row.portal).ok();
    let rows: Vec<(PortalId, String)> =
        kept.portals.iter().filter_map(|row| Some((name(row)?, row.encode()))).collect();
    state::open(global).keep_rows(&rows).await?;
    // Commands over other portals of the fleet may end at the same time.
    let folder = FolderFleets::new(global.store.folder(), Arc::new(SystemClock));
    let _held = folder.lock().await?;
    let names: BTreeSet<String> = kept.portals.iter().map(|row| row.portal.clone()).collect();
    let earlier = kept_rows(&path)?.into_iter();
    let is_lost = report.violations.iter().any(|found| found.guard == "lostPortals");
    let all = all.filter(|_| !is_lost);
    let is_there = |row: &PortalRow| all.is_none_or(|all| all.contains(&row.portal));
    kept.portals.extend(earlier.filter(|row| !names.contains(&row.portal)).filter(is_there));
    kept.count();
    Ok(write_whole(&path, pretty(&kept).as_bytes())?)
}

/// Returns the exit code of a report; `pending` is that of changes.
pub(in crate::cli) fn exit_code(report: &FleetReport, pending: u8, is_gate: bool) -> u8 {
    if !report.violations.is_empty() && is_gate {
        exit::REFUSED
    } else if report.has_failures() || report.stopped_in.is_some() || report.is_halted() {
        exit::PARTIAL
    } else if report.is_pending() {
        pending
    } else {
        exit::DONE
    }
}
