//! `recard fleet halt`: ends a rollout by hand.

use std::time::Instant;

use crate::cli::args::{FleetHaltArgs, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::fleet::{publishing, reports, state};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::{env, exit};
use crate::ports::{FleetState as _, HaltCause, RolloutChange, RolloutState};
use crate::report::Purpose;

/// Opens no further wave.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetHaltArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    reports::check_formats(&arguments.output_args)?;
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.output_args)?;
    let work = halt(&outputs, global, arguments);
    outputs.finish(interrupt.unless_cancelled(work).await)
}

async fn halt(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &FleetHaltArgs,
) -> Result<u8, CliError> {
    let started = Instant::now();
    let state = state::open(global);
    let (by, reason) = (env::actor(), arguments.reason.clone());
    let change = RolloutChange::Halt(HaltCause::Command { by, reason });
    loop {
        let (fleet, view) = state::find(&state, arguments.name.as_deref()).await?;
        if view.head.rollout.state != RolloutState::Running {
            outputs.ui.note(tr!("no rollout is under way; nothing was changed"));
            break;
        }
        // A worker may have opened a wave since.
        if state.change_rollout(&fleet, view.head.step(), &change).await? {
            break;
        }
    }
    let (fleet, _) = state::find(&state, arguments.name.as_deref()).await?;
    let report = publishing::report(outputs.ui, global, &state, "halt", &fleet, started).await;
    let report = report.map_err(publishing::without_report)?;
    outputs.write_fleet(&report)?;
    Ok(exit::DONE)
}
