//! Work queue in a database.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Database;
use super::columns::{ParkColumns, digest, micros, portal, secret_mark, usable, whole_micros};
use super::connection::Parameters;
use crate::model::PortalId;
use crate::ports::{
    Claim, ClaimId, ClaimState, Extension, LaneLimits, ParkReason, QueueOverview, Release,
    RoundClass, RoundEnd, SecretMark, StoreError, WorkQueue, Worker,
};

/// Queue of the portals of a database.
///
/// `now()` is the time at which the database began with a statement: never later than the moment at
/// which a lease is measured.
#[derive(Clone, Debug)]
pub struct PostgresQueue {
    database: Database,
}

impl PostgresQueue {
    /// Returns the queue of a database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    fn claim_of(&self, row: &Row) -> Result<Claim, StoreError> {
        let text = |name| self.database.column::<&str>(row, name);
        let count = |name| self.database.column::<i32>(row, name).map(i32::unsigned_abs);
        let id = u128::from_str_radix(text("claim")?, 16);
        Ok(Claim {
            id: ClaimId::new(id.map_err(|problem| self.database.nonsense(problem))?),
            portal: portal(&self.database, text("portal")?)?,
            token: self.database.column::<i64>(row, "token")?.unsigned_abs(),
            revision: digest(&self.database, text("revision")?)?,
            attempts: count("attempts")?,
            failures: count("failures")?,
            left: micros(self.database.column(row, "left_micros")?),
            overdue: micros(self.database.column(row, "overdue_micros")?),
        })
    }

    /// Executes a statement that ends a claim: it returns a row if the claim was the present one.
    async fn end(
        &self,
        statement: &str,
        parameters: Parameters<'_>,
    ) -> Result<ClaimState, StoreError> {
        let rows = self.database.query(statement, parameters).await?;
        Ok(if rows.is_empty() { ClaimState::Lost } else { ClaimState::Current })
    }
}

/// Rows of one lane that are due; the parameter is their limit. A pause without an end is infinite.
macro_rules! lane {
    ($rows:literal, $limit:literal) => {
        concat!(
            "select portal from recard.portal \
             where revision is not null and parked is null and due <= now() and moved_to is null \
             and coalesce(pause <= now(), true) and coalesce(declared_pause <= now(), true) \
             and coalesce(lease <= now(), true) and ",
            $rows,
            " order by due, portal limit ",
            $limit,
            " for update skip locked"
        )
    };
}

const CLAIM: &str = concat!(
    "with healthy as materialized (",
    lane!("attempts = 0 and failures = 0", "$3"),
    "), failing as materialized (",
    lane!("attempts = 0 and failures > 0", "$4"),
    "), suspect as materialized (",
    lane!("attempts > 0", "$5"),
    "), chosen as (select portal from healthy union all select portal from failing \
     union all select portal from suspect) \
     update recard.portal p set token = token + 1, attempts = attempts + 1, worker = $1, \
     owner = null, lease = now() + $2 * interval '1 microsecond', \
     claim = replace(gen_random_uuid()::text, '-', '') \
     from chosen where p.portal = chosen.portal \
     returning p.portal, claim, token, revision, attempts, failures, \
     (extract(epoch from lease - now()) * 1000000)::int8 as left_micros, \
     case when isfinite(due) then (extract(epoch from now() - due) * 1000000)::int8 else 0 end \
     as overdue_micros"
);

/// The rows are locked in one order, so that no two statements wait for each other.
const EXTEND: &str = "with alive as (insert into recard.worker (worker, version) values ($1, $2) \
     on conflict (worker) do update set seen = now(), version = excluded.version, ended = null), \
     held as materialized (select portal from recard.portal \
     where claim = any($4) and worker = $1 order by portal for update) \
     update recard.portal p set lease = now() + $3 * interval '1 microsecond' \
     from held where p.portal = held.portal \
     returning claim, (extract(epoch from lease - now()) * 1000000)::int8 as left_micros";

/// `$5` is null for a round that did not reach the portal. A worker may not know yet that a shorter
/// interval was published.
const RELEASE: &str = "update recard.portal set claim = null, worker = null, lease = null, \
     attempts = 0, due = case when revision is distinct from $7 then now() \
     when $5 is false then now() + least($4 * interval '1 microsecond', every * 1.1) \
     else now() + $4 * interval '1 microsecond' end, \
     failures = case when $5 is false then 0 else failures + 1 end, \
     round_people = case when $5 is null then round_people \
     else greatest($6, case when round_revision = $7 then round_people end) end, \
     round_revision = case when $5 is null then round_revision else $7 end, \
     round_at = case when $5 is null then round_at else now() end, \
     round_failed = coalesce($5, round_failed), report_row = $8 \
     where portal = $1 and token = $2 and claim = $3 returning portal";

const GIVE_BACK: &str = "update recard.portal set claim = null, worker = null, lease = null, \
     attempts = $5, due = case when revision = $6 then now() + $4 * interval '1 microsecond' \
     else now() end where portal = $1 and token = $2 and claim = $3 returning portal";

const PARK: &str = "update recard.portal set claim = null, worker = null, lease = null, \
     attempts = 0, parked = $4, parked_at = now(), parked_deaths = $5, parked_text = $6, \
     parked_salt = $7, parked_digest = $8 \
     where portal = $1 and token = $2 and claim = $3 returning portal";

const FREE: &str = "update recard.portal set parked = null, parked_at = null, due = now() \
     where portal = $1 and parked = 'webhook' and parked_salt = $2 and parked_digest = $3";

/// A state comes before those below it, so that each portal is counted once.
const OVERVIEW: &str = "with portals as (select failures, due, case \
     when parked is not null then 'parked' \
     when coalesce(pause > now(), false) or coalesce(declared_pause > now(), false) then 'paused' \
     when coalesce(lease > now(), false) then 'claimed' \
     when due <= now() then 'due' else 'waiting' end as state \
     from recard.portal where revision is not null and moved_to is null) \
     select count(*) filter (where state = 'parked') as parked, \
     count(*) filter (where state = 'paused') as paused, \
     count(*) filter (where state = 'claimed') as claimed, \
     count(*) filter (where state = 'due') as due, \
     count(*) filter (where state = 'waiting') as waiting, \
     count(*) filter (where failures > 0) as failing, \
     coalesce((extract(epoch from now() - min(due) filter (where state = 'due' and isfinite(due))) \
     * 1000000)::int8, 0) as oldest_micros from portals";

impl WorkQueue for PostgresQueue {
    async fn claim(
        &self,
        worker: &Worker,
        limits: LaneLimits,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let limit = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
        let limits = [limits.healthy, limits.failing, limits.suspect].map(limit);
        let [healthy, failing, suspect] = &limits;
        let lease = whole_micros(lease);
        let parameters: Parameters<'_> = &[
            (&worker.id, Type::TEXT),
            (&lease, Type::INT8),
            (healthy, Type::INT8),
            (failing, Type::INT8),
            (suspect, Type::INT8),
        ];
        let rows = self.database.query(CLAIM, parameters).await?;
        let mut claims = usable(&rows, |row| self.claim_of(row));
        claims.sort_by(|a, b| b.overdue.cmp(&a.overdue).then_with(|| a.portal.cmp(&b.portal)));
        Ok(claims)
    }

    async fn extend(
        &self,
        worker: &Worker,
        claims: &[ClaimId],
        lease: Duration,
    ) -> Result<Vec<Extension>, StoreError> {
        let lease = whole_micros(lease);
        let ids: Vec<String> = claims.iter().map(ToString::to_string).collect();
        let parameters: Parameters<'_> = &[
            (&worker.id, Type::TEXT),
            (&worker.version, Type::TEXT),
            (&lease, Type::INT8),
            (&ids, Type::TEXT_ARRAY),
        ];
        let rows = self.database.query(EXTEND, parameters).await?;
        let extension = |row: &Row| {
            let id = u128::from_str_radix(self.database.column(row, "claim")?, 16);
            Ok(Extension {
                claim: ClaimId::new(id.map_err(|problem| self.database.nonsense(problem))?),
                left: micros(self.database.column(row, "left_micros")?),
            })
        };
        Ok(usable(&rows, extension))
    }

    async fn release(&self, claim: &Claim, release: &Release) -> Result<ClaimState, StoreError> {
        let (id, due) = (claim.id.to_string(), whole_micros(release.due_in));
        let token = token(claim);
        let (portal, revision) = (claim.portal.as_str(), claim.revision.to_string());
        match &release.end {
            RoundEnd::Ended(result) => {
                let failed = result.class.map(|class| class == RoundClass::Failed);
                let people = i32::try_from(result.people).unwrap_or(i32::MAX);
                let parameters: Parameters<'_> = &[
                    (&portal, Type::TEXT),
                    (&token, Type::INT8),
                    (&id, Type::TEXT),
                    (&due, Type::INT8),
                    (&failed, Type::BOOL),
                    (&people, Type::INT4),
                    (&revision, Type::TEXT),
                    (&result.row, Type::TEXT),
                ];
                self.end(RELEASE, parameters).await
            }
            RoundEnd::GivenBack => {
                let attempts = i32::try_from(claim.attempts.saturating_sub(1)).unwrap_or(i32::MAX);
                let parameters: Parameters<'_> = &[
                    (&portal, Type::TEXT),
                    (&token, Type::INT8),
                    (&id, Type::TEXT),
                    (&due, Type::INT8),
                    (&attempts, Type::INT4),
                    (&revision, Type::TEXT),
                ];
                self.end(GIVE_BACK, parameters).await
            }
        }
    }

    async fn park(&self, claim: &Claim, reason: &ParkReason) -> Result<ClaimState, StoreError> {
        let (id, token, portal) = (claim.id.to_string(), token(claim), claim.portal.as_str());
        let park = ParkColumns::from_reason(reason);
        let parameters: Parameters<'_> = &[
            (&portal, Type::TEXT),
            (&token, Type::INT8),
            (&id, Type::TEXT),
            (&park.kind, Type::TEXT),
            (&park.deaths, Type::INT4),
            (&park.text, Type::TEXT),
            (&park.salt, Type::TEXT),
            (&park.digest, Type::TEXT),
        ];
        self.end(PARK, parameters).await
    }

    async fn refused_webhooks(&self) -> Result<Vec<(PortalId, SecretMark)>, StoreError> {
        let text = "select portal, parked_salt, parked_digest from recard.portal \
                    where parked = 'webhook' and revision is not null order by portal";
        let rows = self.database.query(text, &[]).await?;
        let refused = |row: &Row| {
            let name = self.database.column(row, "portal")?;
            Ok((portal(&self.database, name)?, secret_mark(&self.database, row)?))
        };
        Ok(usable(&rows, refused))
    }

    async fn free(&self, portal: &PortalId, refused: &SecretMark) -> Result<(), StoreError> {
        let (portal, mark) = (portal.as_str(), refused.digest.to_string());
        let parameters: Parameters<'_> =
            &[(&portal, Type::TEXT), (&refused.salt, Type::TEXT), (&mark, Type::TEXT)];
        self.database.query_patiently(FREE, parameters).await.map(drop)
    }

    async fn overview(&self) -> Result<QueueOverview, StoreError> {
        let rows = self.database.query(OVERVIEW, &[]).await?;
        let row = rows.first().ok_or_else(|| self.database.nonsense("no answer"))?;
        let count = |name| self.database.column::<i64>(row, name).map(i64::unsigned_abs);
        Ok(QueueOverview {
            parked: count("parked")?,
            paused: count("paused")?,
            claimed: count("claimed")?,
            due: count("due")?,
            waiting: count("waiting")?,
            failing: count("failing")?,
            oldest_overdue: micros(self.database.column(row, "oldest_micros")?),
        })
    }

    async fn sign_off(&self, worker: &Worker) -> Result<(), StoreError> {
        let text = "update recard.worker set ended = now() where worker = $1";
        self.database.query_patiently(text, &[(&worker.id, Type::TEXT)]).await.map(drop)
    }
}

fn token(claim: &Claim) -> i64 {
    i64::try_from(claim.token).unwrap_or(i64::MAX)
}
