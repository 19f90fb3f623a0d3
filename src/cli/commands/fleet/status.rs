//! `recard fleet status`: what is known of each portal, from the store alone.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::cli::args::{FleetStatusArgs, GlobalArgs};
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::{files, reports, rows};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::manifest::FleetPortal;
use crate::ports::Clock as _;
use crate::records::fleet::{FleetCounts, PortalOutcome, PortalRow};
use crate::report::Purpose;
use crate::store::Store;

/// Shows the last round of each portal, and runs that were cut since.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetStatusArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    reports::check_formats(&arguments.output_args)?;
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.output_args)?;
    outputs.finish(show(&outputs, global, arguments, interrupt).await)
}

async fn show(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &FleetStatusArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let started = Instant::now();
    let loaded = files::load(outputs, &arguments.fleet, interrupt).await?;
    let fleet = &loaded.fleet;
    let path = reports::kept_file(global.store.folder(), &fleet.name);
    let mut known: BTreeMap<String, PortalRow> = BTreeMap::new();
    if path.exists() {
        let rows = reports::read(&path)?.portals.into_iter();
        known.extend(rows.map(|row| (row.portal.clone(), row)));
    } else {
        outputs.ui.note(tr!("no round over this fleet is in the store {}", global.store));
    }
    let now = SystemClock.now();
    let mut row = |portal: &FleetPortal| {
        let declared = rows::row(fleet, portal, PortalOutcome::NeverSeen);
        let last = known.remove(portal.name()).map_or_else(
            || declared.clone(),
            // Labels and waves are those of now.
            |row| PortalRow {
                wave: declared.wave.clone(),
                labels: declared.labels.clone(),
                counts: pending(&row),
                ..row
            },
        );
        let of_fleet = rows::row_without_round(fleet, portal, now);
        of_fleet.map(|row| PortalRow { last: last.last.clone(), ..row }).unwrap_or(last)
    };
    let mut rows = Vec::with_capacity(fleet.portals.len());
    for portal in &fleet.portals {
        rows.push(with_cut_run(global, portal, row(portal)).await?);
    }
    let name = (&*fleet.name, &*fleet.reason);
    let report = reports::report("status", name, rows, Vec::new(), started);
    outputs.write_fleet(&report)?;
    Ok(reports::exit_code(&report, exit::DONE, false))
}

/// Returns the numbers of what is left: resets that were done are not.
fn pending(row: &PortalRow) -> FleetCounts {
    match row.last.as_ref().is_some_and(|last| last.command == "apply") {
        true => FleetCounts { people: 0, reset: 0, ..row.counts },
        false => row.counts,
    }
}

/// Marks a portal whose last run was cut: nothing is written to it before `recard recover`.
async fn with_cut_run(
    global: &GlobalArgs,
    portal: &FleetPortal,
    mut row: PortalRow,
) -> Result<PortalRow, CliError> {
    let Some(name) = &portal.portal else { return Ok(row) };
    if let Some(run) = Store::open(&global.store, name)?.unfinished().await? {
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
