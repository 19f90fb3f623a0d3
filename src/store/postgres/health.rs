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
    /// Tables of recard that are not there.
    pub missing: Vec<String>,
    /// Tables of recard on which this role may not do what a worker must.
    pub refused: Vec<String>,
}

/// Tables with what `worker.sql` grants.
const RIGHTS: &str = "with needed (name, rights) as (values \
     ('portal', array['select', 'insert', 'update']), \
     ('worker', array['select', 'insert', 'update']), \
     ('rollout', array['select', 'insert', 'update']), \
     ('revision', array['select', 'insert', 'update']), \
     ('run_file', array['select', 'insert', 'update']), \
     ('document', array['select', 'insert', 'update', 'delete']), \
     ('run', array['select', 'insert']), ('backup', array['select', 'insert']), \
     ('run_backup', array['select', 'insert']), ('audit', array['select', 'insert']), \
     ('ledger', array['select', 'insert']), ('used_plan', array['select', 'insert']), \
     ('journal', array['select', 'insert'])), \
     held as (select name, bool_and(has_table_privilege(t, wanted)) as may \
     from needed, unnest(rights) as wanted, to_regclass('recard.' || name) as t group by name) \
     select coalesce(array_agg(name order by name) filter (where may is null), '{}') as missing, \
     coalesce(array_agg(name order by name) filter (where not may), '{}') as refused from held";

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
        let rights = self.query(RIGHTS, &[]).await?;
        let rights = rights.first().ok_or_else(|| self.nonsense("no answer"))?;
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
            missing: self.column(rights, "missing")?,
            refused: self.column(rights, "refused")?,
        })
    }
}
