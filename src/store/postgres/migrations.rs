//! Versions of the schema. Only `recard store migrate` changes it, and within a major version of
//! recard a step only adds.

use super::connection::Schema;
use super::schema::{KNOWN, THERE, VERSION};
use super::{Database, DatabaseAccess, DatabaseAddress};
use crate::ports::StoreError;

/// Steps of the schema; the first makes version 1.
const STEPS: &[&str] = &[include_str!("migrations/0001.sql")];

const _: () = assert!(STEPS.len() == KNOWN as usize, "each step makes one version");

/// The lowest version that a program must know to work with what the last step made.
const USABLE_FROM: i32 = 1;

/// Lock of a transaction that changes the schema; "recard" in ASCII.
const MIGRATION_LOCK: i64 = 0x7265_6361_7264;

/// Change of the schema by `recard store migrate`. Equal versions: nothing was left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Version before; 0 for a database without tables of recard.
    pub from: u32,
    /// Version now.
    pub to: u32,
}

/// Rights of a role of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Rights of workers and commands: reads everything, but only adds to the audit log, the
    /// ledger, the journals and the list of used plans.
    Worker,
    /// Rights of dashboards: reads the views.
    Reader,
}

impl Database {
    /// Makes ready for connections, and opens the first.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or its schema is older or too new.
    pub async fn open(
        address: DatabaseAddress,
        access: &DatabaseAccess,
    ) -> Result<Self, StoreError> {
        let database = Self::new(address, access)?;
        database.query("select 1", &[]).await?;
        Ok(database)
    }

    /// Brings the schema up to date. The role needs the right to create a schema in the database.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, refuses a step, or has a schema that is too new. A step
    /// is done as a whole or not at all.
    pub async fn migrate(&self) -> Result<Migration, StoreError> {
        let database = self.apart(Schema::Unchecked)?;
        let from = database.version().await?;
        for (step, version) in STEPS.iter().zip(1i32..).skip(from as usize) {
            let step = format!(
                "select pg_advisory_xact_lock({MIGRATION_LOCK});\n{step}\n;\
                 insert into recard.schema_version (version, usable_from) \
                 values ({version}, {USABLE_FROM})"
            );
            if let Err(problem) = database.in_transaction(&step).await {
                // Another process may have done this step meanwhile.
                if database.version().await? < version.unsigned_abs() {
                    return Err(problem);
                }
            }
        }
        self.query("select 1", &[]).await?;
        Ok(Migration { from, to: from.max(KNOWN.unsigned_abs()) })
    }

    /// Gives rights to a role that exists.
    ///
    /// # Errors
    ///
    /// If there is no such role, or this one may not give them.
    pub async fn grant(&self, role: &str, rights: Rights) -> Result<(), StoreError> {
        let statements = match rights {
            Rights::Worker => include_str!("migrations/worker.sql"),
            Rights::Reader => include_str!("migrations/reader.sql"),
        };
        let quoted = format!("\"{}\"", role.replace('"', "\"\""));
        self.in_transaction(&statements.replace("ROLE", &quoted)).await
    }

    /// Returns the version of the schema; 0 if there is none.
    async fn version(&self) -> Result<u32, StoreError> {
        let rows = self.query(THERE, &[]).await?;
        let is_there = rows.first().is_some_and(|row| row.get(0));
        let rows = if is_there { self.query(VERSION, &[]).await? } else { Vec::new() };
        let version = rows.first().map(|row| self.column::<i32>(row, "version")).transpose()?;
        Ok(version.unwrap_or_default().unsigned_abs())
    }
}
