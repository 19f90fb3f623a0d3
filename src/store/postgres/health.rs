//! Settings of a server on which the promises of the store depend.

use super::Database;
use crate::ports::StoreError;

/// State of a database and its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHealth {
    /// Version of the server, as it names itself.
    pub server: String,
    /// Major version of the server.
    pub major: u32,
    /// Encoding of the database.
    pub encoding: String,
    /// Version of the schema.
    pub schema: u32,
    /// `true` if the server waits for its disk.
    pub fsync: bool,
    /// `true` if the server can repair pages that a crash tore.
    pub full_page_writes: bool,
    /// What a commit waits for, unless recard states it.
    pub synchronous_commit: String,
    /// `true` if commits wait for a standby.
    pub has_synchronous_standbys: bool,
    /// Number of connected standbys.
    pub standbys: u32,
}

impl Database {
    /// Asks the server for its state.
    pub async fn health(&self) -> Result<DatabaseHealth, StoreError> {
        let text = "select current_setting('server_version') as server, \
             current_setting('server_version_num')::int / 10000 as major, \
             current_setting('server_encoding') as encoding, \
             (select max(version) from recard.schema_version) as schema, \
             current_setting('fsync') = 'on' as fsync, \
             current_setting('full_page_writes') = 'on' as full_page_writes, \
             current_setting('synchronous_commit') as synchronous_commit, \
             current_setting('synchronous_standby_names') <> '' as has_standbys, \
             (select count(*)::int from pg_stat_replication) as standbys";
        let rows = self.query(text, &[]).await?;
        let row = rows.first().ok_or_else(|| self.nonsense("no answer"))?;
        Ok(DatabaseHealth {
            server: self.column(row, "server")?,
            major: self.column::<i32>(row, "major")?.unsigned_abs(),
            encoding: self.column(row, "encoding")?,
            schema: self.column::<i32>(row, "schema")?.unsigned_abs(),
            fsync: self.column(row, "fsync")?,
            full_page_writes: self.column(row, "full_page_writes")?,
            synchronous_commit: self.column(row, "synchronous_commit")?,
            has_synchronous_standbys: self.column(row, "has_standbys")?,
            standbys: self.column::<i32>(row, "standbys")?.unsigned_abs(),
        })
    }
}
