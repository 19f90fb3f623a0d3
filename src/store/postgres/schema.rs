//! Version of the schema, which every connection checks.

use tokio_postgres::{Client, Error, Row};

use super::address::DatabaseAddress;
use crate::ports::StoreError;

/// Version of the schema that this program needs.
pub(super) const KNOWN: i32 = 1;

pub(super) const THERE: &str = "select to_regclass('recard.schema_version') is not null as there";

pub(super) const VERSION: &str =
    "select version, usable_from from recard.schema_version order by version desc limit 1";

/// Version of a schema, and the lowest version that a program must know to use it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SchemaVersion {
    version: i32,
    usable_from: i32,
}

/// Returns the version of the schema at the end of a connection, if there is one.
pub(super) async fn version(client: &Client) -> Result<Option<SchemaVersion>, Error> {
    if !client.query_typed_one(THERE, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    let row = client.query_typed_opt(VERSION, &[]).await?;
    let version =
        |row: Row| Ok(SchemaVersion { version: row.try_get(0)?, usable_from: row.try_get(1)? });
    row.map(version).transpose()
}

/// Checks that this program can use a schema.
pub(super) fn check(
    address: &DatabaseAddress,
    found: Option<SchemaVersion>,
) -> Result<(), StoreError> {
    let address = address.to_string();
    match found {
        Some(SchemaVersion { usable_from, .. }) if usable_from > KNOWN => {
            let (found, known) = (usable_from.unsigned_abs(), KNOWN.unsigned_abs());
            Err(StoreError::SchemaTooNew { address, found, known })
        }
        Some(SchemaVersion { version, .. }) if version >= KNOWN => Ok(()),
        older => Err(StoreError::NotMigrated {
            address,
            found: older.map_or(0, |older| older.version.unsigned_abs()),
            wanted: KNOWN.unsigned_abs(),
        }),
    }
}
