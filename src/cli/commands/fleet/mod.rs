//! `recard fleet`: the commands over many portals, one file each.

mod apply;
mod halt;
mod pauses;
mod plan;
mod publish;
mod rollback;
mod status;
mod validate;

use crate::cli::args::{FleetAction, FleetArgs, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;

/// Runs a command over a fleet.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    match &arguments.action {
        FleetAction::Validate(arguments) => validate::run(ui, arguments, interrupt).await,
        FleetAction::Plan(arguments) => plan::plan(ui, global, arguments, interrupt).await,
        FleetAction::Drift(arguments) => plan::drift(ui, global, arguments, interrupt).await,
        FleetAction::Apply(arguments) => apply::run(ui, global, arguments, interrupt).await,
        FleetAction::Status(arguments) => status::run(ui, global, arguments, interrupt).await,
        FleetAction::Publish(arguments) => publish::run(ui, global, arguments, interrupt).await,
        FleetAction::Pause(arguments) => pauses::pause(ui, global, arguments, interrupt).await,
        FleetAction::Unpause(arguments) => pauses::unpause(ui, global, arguments, interrupt).await,
        FleetAction::Retry(arguments) => pauses::retry(ui, global, arguments, interrupt).await,
        FleetAction::Halt(arguments) => halt::run(ui, global, arguments, interrupt).await,
        FleetAction::Rollback(arguments) => rollback::run(ui, global, arguments, interrupt).await,
    }
}
