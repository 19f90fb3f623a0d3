//! `recard store`: a store as a whole.

mod copy;
mod database;

use crate::cli::args::{GlobalArgs, StoreAction, StoreArgs};
use crate::cli::error::CliError;
use crate::cli::ui::Ui;

/// Executes a command on a store.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &StoreArgs,
) -> Result<u8, CliError> {
    match &arguments.action {
        StoreAction::Migrate(arguments) => database::migrate(ui, global, arguments).await,
        StoreAction::Check => database::check(ui, global).await,
        StoreAction::Copy(arguments) => copy::run(ui, global, arguments).await,
    }
}
