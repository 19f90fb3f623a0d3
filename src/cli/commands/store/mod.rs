//! `recard store`: a store as a whole.

mod copy;
mod database;
mod gc;
#[cfg(feature = "postgres")]
mod server;

use crate::cli::args::{GlobalArgs, StoreAction, StoreArgs};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::ports::StoreError;
use crate::report::Check;
use crate::store::StoreLocation;

/// Returns the checks of the server of a store; none for a folder.
pub(in crate::cli) async fn server_checks(store: &StoreLocation) -> Result<Vec<Check>, StoreError> {
    match store {
        StoreLocation::Folder(_) => Ok(Vec::new()),
        #[cfg(feature = "postgres")]
        StoreLocation::Database(database) => Ok(server::server_checks(&database.health().await?)),
    }
}

/// Returns the error for a store that is not a database.
fn no_database(store: &StoreLocation) -> CliError {
    CliError::new(exit::USAGE, tr!("{store} is a folder, which needs neither tables nor a server", store))
        .hint(tr!("name a database with --store postgres://USER@HOST/DATABASE; `recard doctor` checks a folder"))
}

/// Executes a command on a store.
pub(in crate::cli) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &StoreArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    match &arguments.action {
        StoreAction::Migrate(arguments) => database::migrate(ui, global, arguments).await,
        StoreAction::Check => database::check(ui, global).await,
        StoreAction::Copy(arguments) => copy::run(ui, global, arguments).await,
        StoreAction::Gc(arguments) => gc::run(ui, global, arguments, interrupt).await,
    }
}
