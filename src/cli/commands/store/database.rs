//! `recard store migrate` and `recard store check`: the database of a store.

use crate::cli::args::{GlobalArgs, StoreMigrateArgs};
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::store::StoreLocation;

/// Returns the error for a store that is not a database.
fn no_database(store: &StoreLocation) -> CliError {
    CliError::new(exit::USAGE, tr!("{store} is a folder, which needs neither tables nor a server", store))
        .hint(tr!("name a database with --store postgres://USER@HOST/DATABASE; `recard doctor` checks a folder"))
}

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
    use crate::report::{Check, CheckStatus, DoctorReport};
    use crate::store::postgres::{Database, DatabaseHealth, Migration, Rights};

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
        let health = database.health().await?;
        let portal = database.address().to_string();
        let report = DoctorReport { portal, emulator: false, checks: checks(&health) };
        ui.result(&report)?;
        Ok(match report.verdict() {
            CheckStatus::Ok | CheckStatus::Warning => exit::DONE,
            CheckStatus::Failure => exit::ERROR,
        })
    }

    fn checks(health: &DatabaseHealth) -> Vec<Check> {
        let DatabaseHealth { server, schema, encoding, synchronous_commit, standbys, .. } = health;
        let setting = |name: &'static str, is_on: bool, fine: crate::i18n::Text| match is_on {
            true => Check::ok(name, fine),
            false => Check::failure(
                name,
                tr!("is off: a crash of the machine loses backups that were acknowledged"),
                tr!("set {name} = on in postgresql.conf, and restart the server", name),
            ),
        };
        let mut checks = vec![
            match health.major {
                13.. => Check::ok("server", tr!("PostgreSQL {server}", server)),
                _ => Check::failure(
                    "server",
                    tr!("PostgreSQL {server} is too old", server),
                    tr!("recard needs version 13 or newer"),
                ),
            },
            Check::ok("schema", tr!("has version {schema}", schema)),
            match encoding.as_str() {
                "UTF8" => Check::ok("encoding", "UTF8"),
                other => Check::failure(
                    "encoding",
                    tr!("is {other}, which cannot hold every layout", other),
                    tr!("create the database anew with encoding UTF8"),
                ),
            },
            setting("fsync", health.fsync, tr!("commits reach the disk")),
            setting("full_page_writes", health.full_page_writes, tr!("torn pages are repaired")),
            match synchronous_commit.as_str() {
                "off" => Check::warning(
                    "synchronous_commit",
                    tr!("is off; recard turns it on for what must not be lost"),
                    tr!("leave it on for other users of this database too"),
                ),
                level => Check::ok("synchronous_commit", tr!("is {level}", level)),
            },
        ];
        checks.push(match (health.has_synchronous_standbys, synchronous_commit.as_str(), standbys) {
            (true, "on" | "remote_apply" | "remote_write", _) => {
                Check::ok("standbys", tr!("a commit waits for them"))
            }
            (_, _, 0) => Check::ok("standbys", tr!("none is connected")),
            _ => Check::warning(
                "standbys",
                tr!("they are not synchronous: a failover can LOSE acknowledged backups, and with them the way back from a reset"),
                tr!("name them in synchronous_standby_names, or accept that after a failover a reset of the last moments may have no backup"),
            ),
        });
        checks
    }
}
