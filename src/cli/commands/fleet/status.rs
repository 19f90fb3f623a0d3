//! `recard fleet status`: what is known of each portal, from the store alone.

use std::path::Path;
use std::time::Instant;

use crate::cli::args::{FleetStatusArgs, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::{files, publishing, reports, state, statuses};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::ports::FleetState as _;
use crate::records::fleet::{FleetReport, PortalOutcome};
use crate::report::Purpose;

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
    let report = interrupt.unless_cancelled(report(outputs, global, arguments, interrupt)).await?;
    if report.portals.iter().all(|row| row.outcome == PortalOutcome::NeverSeen) {
        outputs.ui.note(tr!("no round over this fleet is in the store {}", global.store));
    }
    outputs.write_fleet(&report)?;
    Ok(reports::exit_code(&report, exit::DONE, false))
}

async fn report(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &FleetStatusArgs,
    interrupt: &Interrupt,
) -> Result<FleetReport, CliError> {
    let started = Instant::now();
    let state = state::open(global);
    let FleetStatusArgs { fleet: named, name, .. } = arguments;
    let is_file = !named.named().is_empty() || Path::new("fleet.yaml").exists();
    if name.is_some() || (!is_file && !state.heads().await?.is_empty()) {
        let (name, _) = state::find(&state, name.as_deref()).await?;
        let mut report =
            publishing::report(outputs.ui, global, &state, "status", &name, started).await?;
        if let Some(selector) = &named.selector {
            report.portals.retain(|row| selector.matches(&row.labels));
            if report.portals.is_empty() {
                return Err(files::nothing_selected());
            }
            report.count();
        }
        return Ok(report);
    }
    let loaded = files::load(outputs, named, interrupt).await?;
    let view = state.view(&loaded.fleet.name).await?;
    statuses::report(outputs.ui, global, "status", &loaded.fleet, view.as_ref(), started).await
}
