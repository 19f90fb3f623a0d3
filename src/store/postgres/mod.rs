//! Store in a PostgreSQL database, which several machines share.
//!
//! The only module that names the driver. Everything that writes for a portal names the token and
//! the claim of its lease in the same statement, so that a process that has lost the lease writes
//! nothing.

mod address;
mod columns;
mod connection;
mod error;
mod fleet_columns;
mod fleets;
mod health;
mod held;
mod held_permit;
mod lease;
mod log;
mod migrations;
mod password;
mod queue;
mod records;
mod schema;
mod seal;
mod transaction;

use std::time::Duration;

pub(super) use lease::Lease;
pub(super) use log::LeaseLog;
pub(super) use records::Records;

pub use address::{AddressError, DatabaseAddress};
pub use connection::{Database, DatabaseAccess};
pub use fleets::PostgresFleets;
pub use health::DatabaseHealth;
pub use migrations::{Migration, Rights};
pub use queue::PostgresQueue;

/// Time for a connection with one server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the answer to one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(15);
