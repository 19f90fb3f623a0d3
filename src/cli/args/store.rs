//! Arguments of the commands on a store as a whole.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::value_parsers;
use crate::store::StoreLocation;

/// Arguments of `store`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct StoreArgs {
    #[command(subcommand)]
    pub(in crate::cli) action: StoreAction,
}

/// Command on a store.
#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum StoreAction {
    /// Create the tables of a database, or bring them up to date
    ///
    /// Needs a role that may create a schema. No other command changes the tables.
    Migrate(StoreMigrateArgs),
    /// Check if a database can be reached and keeps what it acknowledged
    Check,
    /// Copy the records of a portal into another store, which is in charge from then on
    ///
    /// Both stores are locked and compared. The records of this store stay, and every command
    /// refuses to work with them.
    Copy(StoreCopyArgs),
    /// Delete old backups of a database, after showing what would go
    ///
    /// Only backups of closed runs go, and never the newest of a card; audit log, ledger, journals
    /// and used plans stay. Needs the role that owns the tables. A folder keeps everything.
    Gc(StoreGcArgs),
}

/// Arguments of `store migrate`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct StoreMigrateArgs {
    /// Role of the database that gets the rights of workers and commands; may be repeated
    #[arg(long, value_name = "ROLE")]
    pub(in crate::cli) worker: Vec<String>,
    /// Role that gets the rights of dashboards: to read the views; may be repeated
    #[arg(long, value_name = "ROLE")]
    pub(in crate::cli) reader: Vec<String>,
}

/// Arguments of `store gc`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct StoreGcArgs {
    /// Age of the runs whose backups may go (2160h is 90 days)
    #[arg(long, value_name = "TIME", value_parser = value_parsers::duration)]
    pub(in crate::cli) older: Duration,
    /// Number of the newest runs of each portal that keep their backups whatever their age
    #[arg(long, value_name = "NUMBER", value_parser = value_parsers::count, default_value = "10")]
    pub(in crate::cli) keep: u64,
    /// Do not ask
    #[arg(long, visible_alias = "yes")]
    pub(in crate::cli) auto_approve: bool,
}

/// Arguments of `store copy`.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct StoreCopyArgs {
    /// The other store: a folder, or the address of a database
    #[arg(long, value_name = "STORE", value_parser = value_parsers::store())]
    pub(in crate::cli) to: StoreLocation,
}
