//! Versions of the schema. Only `recard store migrate` changes it, and within a major version of
//! recard a step only adds.

use tokio_postgres::types::Type;

use super::{Database, DatabaseAccess, DatabaseAddress};
use crate::ports::StoreError;

/// Steps of the schema; the first makes version 1.
const STEPS: &[&str] = &[include_str!("migrations/0001.sql")];

/// The lowest version that a program must know to work with what the last step made.
const USABLE_FROM: i32 = 1;

/// Lock of a transaction that changes the schema; "recard" in ASCII.
const MIGRATION_LOCK: i64 = 0x72_65_63_61_72_64;

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
    /// Connects to a database whose schema this program can use.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, or its schema is older or too new.
    pub async fn open(
        address: DatabaseAddress,
        access: &DatabaseAccess,
    ) -> Result<Self, StoreError> {
        let database = Self::new(address, access)?;
        let known = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
        match database.version().await? {
            Some((_, usable_from)) if usable_from > known => Err(StoreError::TooNew {
                path: database.address().to_string(),
                found: usable_from.unsigned_abs(),
                known: known.unsigned_abs(),
            }),
            Some((version, _)) if version >= known => Ok(database),
            older => Err(StoreError::NotMigrated {
                address: database.address().to_string(),
                found: older.map_or(0, |(version, _)| version.unsigned_abs()),
                wanted: known.unsigned_abs(),
            }),
        }
    }

    /// Brings the schema up to date. The role needs the right to create a schema in the database.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, refuses a step, or has a schema that is too new. A step
    /// is done as a whole or not at all.
    pub async fn migrate(
        address: DatabaseAddress,
        access: &DatabaseAccess,
    ) -> Result<(Self, Migration), StoreError> {
        let database = Self::new(address, access)?;
        let before = database.version().await?.map_or(0, |(version, _)| version);
        let from = before.unsigned_abs();
        for (step, version) in STEPS.iter().zip(1i32..).skip(from as usize) {
            let step = format!(
                "select pg_advisory_xact_lock({MIGRATION_LOCK});\n{step}\n;\
                 insert into recard.schema_version (version, usable_from) \
                 values ({version}, {USABLE_FROM})"
            );
            if let Err(problem) = database.in_transaction(&step).await {
                // Another process may have done this step meanwhile.
                if database.version().await?.is_none_or(|(there, _)| there < version) {
                    return Err(problem);
                }
            }
        }
        let address = (*database.address()).clone();
        Ok((
            Self::open(address, access).await?,
            Migration { from, to: (STEPS.len() as u32).max(from) },
        ))
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

    /// Returns the version of the schema, and the lowest version that a program must know.
    async fn version(&self) -> Result<Option<(i32, i32)>, StoreError> {
        let text = "select to_regclass('recard.schema_version') is not null as there";
        let rows = self.query(text, &[]).await?;
        let row = rows.first().ok_or_else(|| self.nonsense("no answer"))?;
        if !self.column::<bool>(row, "there")? {
            return Ok(None);
        }
        let text = "select version, usable_from from recard.schema_version \
                    where version > $1 order by version desc limit 1";
        let rows = self.query(text, &[(&0i32, Type::INT4)]).await?;
        let version = |row| Ok((self.column(row, "version")?, self.column(row, "usable_from")?));
        rows.first().map(version).transpose()
    }
}
