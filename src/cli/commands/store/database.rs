//! `recard store migrate` and `recard store check`: the database of a store.

use super::no_database;
use crate::cli::args::{GlobalArgs, StoreMigrateArgs};
use crate::cli::error::CliError;
use crate::cli::ui::Ui;

#[cfg(not(feature = "postgres"))]
pub(super) use without::{check, migrate};

#[cfg(not(feature = "postgres"))]
mod without {
    use super::*;

    /// Refuses: without the feature every store is a folder.
    pub(in crate::cli::commands::store) async fn migrate(
        _ui: &Ui,
        global: &GlobalArgs,
        _arguments: &StoreMigrateArgs,
    ) -> Result<u8, CliError> {
        Err(no_database(&global.store))
    }

    /// Refuses: without the feature every store is a folder.
    pub(in crate::cli::commands::store) async fn check(
        _ui: &Ui,
        global: &GlobalArgs,
    ) -> Result<u8, CliError> {
        Err(no_database(&global.store))
    }
}

#[cfg(feature = "postgres")]
pub(super) use with::{check, migrate};

#[cfg(feature = "postgres")]
mod with {
    use super::*;
    use crate::cli::commands::store::server::server_checks;
    use crate::cli::exit;
    use crate::ports::StoreError;
    use crate::report::{CheckStatus, DoctorReport};
    use crate::store::StoreLocation;
    use crate::store::postgres::{Database, Migration, Rights};

    fn database(global: &GlobalArgs) -> Result<&Database, CliError> {
        match &global.store {
            StoreLocation::Database(database) => Ok(database),
            folder @ StoreLocation::Folder(_) => Err(no_database(folder)),
        }
    }

    /// Brings the schema up to date, and gives rights.
    pub(in crate::cli::commands::store) async fn migrate(
        ui: &Ui,
        global: &GlobalArgs,
        arguments: &StoreMigrateArgs,
    ) -> Result<u8, CliError> {
        let database = database(global)?;
        let Migration { from, to } = database.migrate().await?;
        let roles = arguments.worker.iter().map(|role| (role, Rights::Worker));
        let readers = arguments.reader.iter().map(|role| (role, Rights::Reader));
        for (role, rights) in roles.chain(readers) {
            database.grant(role, rights).await?;
        }
        let address = database.address();
        let text = match from == to {
            true => tr!(
                "The schema of {address} has version {to}: nothing was left to do.",
                address,
                to
            ),
            false => tr!(
                "The schema of {address} has version {to} now; it had {from}.",
                address,
                to,
                from
            ),
        };
        ui.changed(&format!("{text}\n"))?;
        Ok(exit::DONE)
    }

    /// Prints the state of the server; exits with 1 if it does not keep what it acknowledged.
    pub(in crate::cli::commands::store) async fn check(
        ui: &Ui,
        global: &GlobalArgs,
    ) -> Result<u8, CliError> {
        let database = database(global)?;
        let health = database.health().await.map_err(|problem| match problem {
            StoreError::Database { .. } => CliError::from_store(problem).hint(tr!(
                "see that the server runs, and that host, port, user, password and certificate are right; psql with the same address tells more; `recard store migrate --worker ROLE`, by the role that owns the tables, gives rights"
            )),
            problem => problem.into(),
        })?;
        let checks = server_checks(&health);
        let heading = Some(tr!("Store {}", global.store));
        let report = DoctorReport { heading, portal: String::new(), emulator: false, checks };
        ui.result(&report)?;
        Ok(match report.verdict() {
            CheckStatus::Ok | CheckStatus::Warning => exit::DONE,
            CheckStatus::Failure => exit::ERROR,
        })
    }
}
