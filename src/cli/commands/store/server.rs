//! Checks of the server of a store in a database.

use crate::i18n::Text;
use crate::report::Check;
use crate::store::postgres::DatabaseHealth;

/// Returns the checks of a server: what it acknowledges must survive a crash.
pub(super) fn server_checks(health: &DatabaseHealth) -> Vec<Check> {
    let DatabaseHealth { server, schema, encoding, synchronous_commit, standbys, .. } = health;
    let setting = |name: &'static str, is_on: bool, fine: Text| match is_on {
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
        match (&*health.missing, &*health.refused) {
            ([], []) => Check::ok("rights", tr!("this role may do what a worker must")),
            ([], refused) => {
                let tables = refused.join(", ");
                Check::failure(
                    "rights",
                    tr!("this role may not read or write {tables}", tables),
                    tr!(
                        "`recard store migrate --worker ROLE`, by the role that owns the tables, gives the rights"
                    ),
                )
            }
            (missing, _) => {
                let tables = missing.join(", ");
                Check::failure(
                    "rights",
                    tr!("there is no table {tables} in the schema recard", tables),
                    tr!("it was removed: load a backup of the database"),
                )
            }
        },
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
