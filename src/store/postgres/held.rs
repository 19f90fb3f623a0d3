//! Held lease: its token and claim, the heartbeat that extends it, and its release.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};

use super::columns::whole_micros;
use super::connection::{Parameters, Schema};
use super::records::Records;
use crate::ports::{Clock, LeasePermit, Moment, StoreError};

/// Length of a lease: a request that writes fits, with the time that a server may be away.
pub(super) const LEASE: Duration = Duration::from_secs(150);

/// Time that must be left of a lease for a request that writes: more than its timeout.
const RESERVE: Duration = Duration::from_secs(80);

/// Interval of the heartbeat that extends the lease of a command.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Time for the release at the end of a command.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// Begin of a statement that writes: the row of the portal, if the lease is held. `$1` is the
/// portal, `$2` the token, `$3` the claim.
macro_rules! held {
    ($rest:literal) => {
        concat!(
            "with held as materialized (select portal, worker from recard.portal \
             where portal = $1 and token = $2 and claim = $3 for share) ",
            $rest
        )
    };
}
pub(super) use held;

/// End of a statement that waits for the disk, whatever the server's default is.
macro_rules! waiting {
    ($($statement:tt)*) => {
        concat!(
            $($statement)*,
            " select (select count(*) from held) as held, (select count(*) from new) as new, \
             set_config('synchronous_commit', case current_setting('synchronous_commit') \
             when 'off' then 'on' else current_setting('synchronous_commit') end, true)"
        )
    };
}
pub(super) use waiting;

/// Token and claim of a lease.
pub(super) struct Held {
    pub(super) records: Records,
    pub(super) token: i64,
    pub(super) claim: String,
    /// The task that extends the lease, and the permit; `None` if its worker has both.
    kept: Option<(JoinHandle<()>, Arc<LeasePermit>)>,
}

/// Extends the lease of a command until it is lost.
async fn keep(
    records: Records,
    token: i64,
    claim: String,
    permit: Arc<LeasePermit>,
    clock: Arc<dyn Clock>,
) {
    let text = "update recard.portal set lease = now() + $4 * interval '1 microsecond' \
                where portal = $1 and token = $2 and claim = $3 returning portal";
    let lease = whole_micros(LEASE);
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let asked = Moment::now(&*clock);
        let portal = records.portal.as_str();
        let parameters: Parameters<'_> = &[
            (&portal, Type::TEXT),
            (&token, Type::INT8),
            (&claim, Type::TEXT),
            (&lease, Type::INT8),
        ];
        match records.database.query_patiently(text, parameters).await {
            Ok(rows) if rows.is_empty() => return permit.withdraw(),
            Ok(_) => permit.extend(asked, LEASE),
            // The permit ends before the lease does.
            Err(problem) => tracing::debug!(%problem, "lease is not extended"),
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("portal", &self.records.portal)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl Held {
    /// Returns a lease that was asked for at a moment. A task extends it, and it ends with this
    /// value.
    pub(super) fn kept(
        records: Records,
        token: i64,
        claim: String,
        asked: Moment,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        let permit = LeasePermit::new(Arc::clone(clock), RESERVE, asked, LEASE);
        let permit = Arc::new(permit);
        records.permit.set(&permit);
        let keeping =
            keep(records.clone(), token, claim.clone(), Arc::clone(&permit), Arc::clone(clock));
        let kept = Some((tokio::spawn(keeping), permit));
        Self { records, token, claim, kept }
    }

    /// Returns the lease of a claim, which its worker extends and ends.
    pub(super) fn of_claim(records: Records, token: i64, claim: String) -> Self {
        Self { records, token, claim, kept: None }
    }

    pub(super) fn lost(&self) -> StoreError {
        StoreError::LeaseLost { portal: self.records.portal.clone() }
    }

    /// Executes a statement that writes under the lease; returns the number of new rows.
    pub(super) async fn write(
        &self,
        statement: &str,
        more: Parameters<'_>,
    ) -> Result<i64, StoreError> {
        let portal = self.records.portal.as_str();
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&portal, Type::TEXT), (&self.token, Type::INT8), (&self.claim, Type::TEXT)];
        parameters.extend_from_slice(more);
        let database = &self.records.database;
        let rows = database.query_patiently(statement, &parameters).await?;
        let row = rows.first().ok_or_else(|| database.nonsense("no answer"))?;
        match database.column::<i64>(row, "held")? {
            0 => Err(self.lost()),
            _ => database.column(row, "new"),
        }
    }

    async fn release(&self) -> Result<(), StoreError> {
        let text = "update recard.portal set claim = null, worker = null, owner = null, \
                    lease = null where portal = $1 and token = $2 and claim = $3";
        let portal = self.records.portal.as_str();
        // The connections of the pool belong to a runtime that may be ending.
        let database = self.records.database.apart(Schema::Checked)?;
        let parameters: Parameters<'_> =
            &[(&portal, Type::TEXT), (&self.token, Type::INT8), (&self.claim, Type::TEXT)];
        database.query(text, parameters).await.map(drop)
    }
}

impl Drop for Held {
    /// Releases the lease of a command. If that fails, the next one waits for its end.
    fn drop(&mut self) {
        let Some((heartbeat, permit)) = self.kept.take() else { return };
        heartbeat.abort();
        permit.withdraw();
        let release = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let release = async { tokio::time::timeout(RELEASE_TIMEOUT, self.release()).await };
            let released = runtime.block_on(release);
            released.map_err(std::io::Error::other)?.map_err(std::io::Error::other)
        };
        // A runtime cannot be started on a thread of another one.
        let released = std::thread::scope(|scope| scope.spawn(release).join());
        if let Ok(Err(problem)) = released {
            tracing::debug!(%problem, "lease is not released");
        }
    }
}
