//! State of fleets in a database: revisions, rollouts, pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::Database;
use super::columns::{digest, portal, usable};
use super::connection::Parameters;
use super::fleet_columns::{
    PAUSE_OF, PAUSES, PORTALS_OF_FLEET, PortalArrays, command_pause, portal_state, time,
};
use super::transaction::Transaction;
use crate::model::{Digest, PortalId};
use crate::ports::{
    CommandPause, FleetHead, FleetState, FleetView, NamedHead, Publication, Published,
    RetriedPortal, RolloutChange, RolloutStep, StoreError, Worker, WorkerSign,
};
use crate::records::FormatError;
use crate::records::fleet::FleetRecord;
use crate::store::place::misread;

/// State of the fleets of a database.
#[derive(Clone, Debug)]
pub struct PostgresFleets {
    database: Database,
}

/// Statement that lets one publication, or one change of a rollout, go on at a time.
const ONE_AT_A_TIME: &str = "lock table recard.rollout in share row exclusive mode";

/// Statement that locks the portals of a fleet in the order in which heartbeats do.
const LOCK_PORTALS: &str =
    "select 1 from recard.portal where fleet = $1 order by portal for update";

/// Assignments for a portal that gets the revision `$2`: it is due at once, unless it had a round
/// on that revision.
macro_rules! on_revision {
    () => {
        "revision = $2, failed_before = failures > 0 or parked is not null, \
         due = case when due is null or (revision is distinct from $2 \
         and round_revision is distinct from $2) then now() else due end"
    };
}

/// Portals that the revision does not name are of no fleet.
const LET_GO: &str = "update recard.portal set fleet = null, wave = null, revision = null \
     where fleet = $1 and portal <> all($2)";

/// The rows are locked in one order, so that no two statements wait for each other.
const KEEP_ROWS: &str = "insert into recard.portal (portal, report_row) \
     select portal, report_row from unnest($1::text[], $2::text[]) as given(portal, report_row) \
     order by portal on conflict (portal) do update set report_row = excluded.report_row";

/// What a publication says of its portals, whatever their wave. A shorter interval holds at once.
const PUBLISH: &str = "insert into recard.portal \
     (portal, fleet, wave, labels, every, declared_pause, declared_pause_reason) \
     select portal, $1, wave, labels::jsonb, every * interval '1 microsecond', \
     case when reason is null then null when until is null then 'infinity' \
     else timestamptz 'epoch' + until * interval '1 microsecond' end, reason \
     from unnest($2::text[], $3::int[], $4::text[], $5::int8[], $6::int8[], $7::text[]) \
     as given(portal, wave, labels, every, until, reason) order by portal \
     on conflict (portal) do update set fleet = excluded.fleet, wave = excluded.wave, \
     labels = excluded.labels, every = excluded.every, declared_pause = excluded.declared_pause, \
     declared_pause_reason = excluded.declared_pause_reason, failed_before = false, \
     due = case when excluded.every < recard.portal.every and recard.portal.failures = 0 \
     then least(recard.portal.due, now() + excluded.every) else recard.portal.due end";

/// The first wave, and the portals on the withdrawn revision that were on the new one before, get
/// the new one.
const OPEN_FIRST: &str = concat!(
    "update recard.portal set ",
    on_revision!(),
    " where fleet = $1 and (wave = 0 or revision = $3 and portal <> all($4))"
);

/// The others on the withdrawn revision get the one that they were on before it.
const TAKE_BACK: &str = "update recard.portal as taken set revision = given.revision, \
     due = case when given.revision is null then due else now() end \
     from unnest($3::text[], $4::text[]) as given(portal, revision) \
     where taken.portal = given.portal and taken.fleet = $1 and taken.wave <> 0 \
     and taken.revision = $2";

const OPEN: &str =
    concat!("update recard.portal set ", on_revision!(), " where fleet = $1 and wave = $3");

const PAUSE: &str = "insert into recard.portal (portal, pause, pause_at, pause_by, pause_reason) \
     select portal, case when $2::int8 is null then 'infinity' \
     else timestamptz 'epoch' + $2 * interval '1 microsecond' end, \
     timestamptz 'epoch' + $3 * interval '1 microsecond', $4, $5 \
     from unnest($1::text[]) as given(portal) order by portal \
     on conflict (portal) do update set pause = excluded.pause, pause_at = excluded.pause_at, \
     pause_by = excluded.pause_by, pause_reason = excluded.pause_reason";

impl PostgresFleets {
    /// Returns the fleets of a database.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    fn misread(&self, fleet: &str, problem: FormatError) -> StoreError {
        misread(&format!("{} fleet {fleet}", self.database.address()), problem, None)
    }

    /// Returns the head of a fleet and the time of the transaction.
    async fn head(
        &self,
        transaction: &Transaction<'_>,
        fleet: &str,
    ) -> Result<(Option<FleetHead>, Timestamp), StoreError> {
        let text = "select document, (extract(epoch from now()) * 1000000)::int8 as now \
                    from (select 1) as one left join recard.rollout on fleet = $1";
        let rows = transaction.query(text, &[(&fleet, Type::TEXT)]).await?;
        let row = rows.first().ok_or_else(|| self.database.nonsense("no answer"))?;
        let document = self.database.column::<Option<&str>>(row, "document")?;
        let record = document.map(|text| FleetRecord::parse(text.as_bytes())).transpose();
        let now = time(&self.database, self.database.column(row, "now")?)?;
        let record = record.map_err(|problem| self.misread(fleet, problem))?;
        Ok((record.map(|record| record.head), now))
    }

    /// Returns the revision that each portal of a fleet is on.
    async fn revisions(
        &self,
        transaction: &Transaction<'_>,
        fleet: &str,
    ) -> Result<BTreeMap<PortalId, Option<Digest>>, StoreError> {
        let text = "select portal, revision from recard.portal where fleet = $1";
        let rows = transaction.query(text, &[(&fleet, Type::TEXT)]).await?;
        let on = |row: &Row| {
            let name = portal(&self.database, self.database.column(row, "portal")?)?;
            let revision = self.database.column::<Option<&str>>(row, "revision")?;
            Ok((name, revision.map(|revision| digest(&self.database, revision)).transpose()?))
        };
        rows.iter().map(on).collect()
    }

    async fn set_head(
        &self,
        transaction: &Transaction<'_>,
        fleet: &str,
        head: &FleetHead,
    ) -> Result<(), StoreError> {
        // The portals have rows of their own.
        let record =
            FleetRecord { fleet: fleet.to_owned(), head: head.clone(), portals: BTreeMap::new() };
        let document = record.encode().map_err(|problem| self.misread(fleet, problem))?;
        let document = String::from_utf8_lossy(&document).into_owned();
        let text = "insert into recard.rollout (fleet, revision, document) values ($1, $2, $3) \
                    on conflict (fleet) do update set revision = $2, document = $3";
        let revision = head.revision.to_string();
        let parameters: Parameters<'_> =
            &[(&fleet, Type::TEXT), (&revision, Type::TEXT), (&document, Type::TEXT)];
        transaction.query(text, parameters).await.map(drop)
    }

    /// Returns a portal of a publication that is of another fleet, with that fleet.
    async fn of_another_fleet(
        &self,
        transaction: &Transaction<'_>,
        publication: &Publication,
        names: &[String],
    ) -> Result<Option<(PortalId, String)>, StoreError> {
        let text = "select portal, fleet from recard.portal \
                    where portal = any($2) and fleet <> $1 order by portal limit 1";
        let parameters: Parameters<'_> =
            &[(&publication.fleet, Type::TEXT), (&names, Type::TEXT_ARRAY)];
        let rows = transaction.query(text, parameters).await?;
        let found = |row: &Row| {
            let name = self.database.column(row, "portal")?;
            Ok((portal(&self.database, name)?, self.database.column(row, "fleet")?))
        };
        rows.first().map(found).transpose()
    }

    /// Keeps the rows of portals in the report over a fleet, as the release of a worker does. A
    /// revision has nothing to do with them.
    pub async fn keep_rows(&self, rows: &[(PortalId, String)]) -> Result<(), StoreError> {
        let (names, rows): (Vec<&str>, Vec<&str>) =
            rows.iter().map(|(portal, row)| (portal.as_str(), row.as_str())).unzip();
        let parameters: Parameters<'_> = &[(&names, Type::TEXT_ARRAY), (&rows, Type::TEXT_ARRAY)];
        self.database.query_patiently(KEEP_ROWS, parameters).await.map(drop)
    }

    /// Returns the rows of portals that are kept.
    pub async fn kept_rows(
        &self,
        portals: &[PortalId],
    ) -> Result<BTreeMap<PortalId, String>, StoreError> {
        let names: Vec<&str> = portals.iter().map(PortalId::as_str).collect();
        let text = "select portal, report_row from recard.portal \
                    where portal = any($1) and report_row is not null";
        let rows = self.database.query_patiently(text, &[(&names, Type::TEXT_ARRAY)]).await?;
        let kept = |row: &Row| {
            let name = portal(&self.database, self.database.column(row, "portal")?)?;
            Ok((name, self.database.column(row, "report_row")?))
        };
        rows.iter().map(kept).collect()
    }
}

impl FleetState for PostgresFleets {
    async fn heads(&self) -> Result<Vec<NamedHead>, StoreError> {
        let text = "select fleet, document from recard.rollout order by fleet";
        let rows = self.database.query_patiently(text, &[]).await?;
        let head = |row: &Row| {
            let fleet = self.database.column::<String>(row, "fleet")?;
            let document = self.database.column::<&str>(row, "document")?;
            let record = FleetRecord::parse(document.as_bytes());
            let head = record.map(|record| record.head);
            let head = head.map_err(|problem| self.misread(&fleet, problem));
            Ok((fleet, head))
        };
        rows.iter().map(head).collect()
    }

    async fn publish(&self, publication: &Publication) -> Result<Published, StoreError> {
        let Publication { fleet, revision, document, withdrawn, .. } = publication;
        let transaction = self.database.begin("read committed").await?;
        transaction.query(ONE_AT_A_TIME, &[]).await?;
        let (before, now) = self.head(&transaction, fleet).await?;
        if let Some(answer) = Published::without_change(publication, before.as_ref()) {
            return Ok(answer);
        }
        let arrays = PortalArrays::new(&publication.portals);
        let other = self.of_another_fleet(&transaction, publication, &arrays.names).await?;
        if let Some((portal, fleet)) = other {
            return Ok(Published::OfAnotherFleet(portal, fleet));
        }
        let on = self.revisions(&transaction, fleet).await?;
        let head = FleetHead::new(publication, before.as_ref().map(|before| (before, &on)), now);
        let digest = revision.to_string();
        let text = "insert into recard.revision (digest, fleet, document) values ($1, $2, $3) \
                    on conflict (digest) do update set document = excluded.document";
        let parameters: Parameters<'_> =
            &[(&digest, Type::TEXT), (fleet, Type::TEXT), (document, Type::BYTEA)];
        transaction.query(text, parameters).await?;
        self.set_head(&transaction, fleet, &head).await?;
        if before.as_ref().is_some_and(|before| before.number == head.number) {
            // Its rollout goes on, and the portals stay as they are.
            transaction.commit().await?;
            return Ok(Published::Current(Box::new(head)));
        }
        transaction.query(LOCK_PORTALS, &[(fleet, Type::TEXT)]).await?;
        let parameters: Parameters<'_> = &[(fleet, Type::TEXT), (&arrays.names, Type::TEXT_ARRAY)];
        transaction.query(LET_GO, parameters).await?;
        transaction.query(PUBLISH, &arrays.parameters(fleet)).await?;
        let withdrawn = withdrawn.map(|digest| digest.to_string());
        let behind = before.map(|before| before.behind).unwrap_or_default();
        let (names, revisions): (Vec<&str>, Vec<Option<String>>) = behind
            .iter()
            .map(|(portal, revision)| {
                (portal.as_str(), revision.map(|revision| revision.to_string()))
            })
            .unzip();
        let parameters: Parameters<'_> = &[
            (fleet, Type::TEXT),
            (&digest, Type::TEXT),
            (&withdrawn, Type::TEXT),
            (&names, Type::TEXT_ARRAY),
        ];
        transaction.query(OPEN_FIRST, parameters).await?;
        let parameters: Parameters<'_> = &[
            (fleet, Type::TEXT),
            (&withdrawn, Type::TEXT),
            (&names, Type::TEXT_ARRAY),
            (&revisions, Type::TEXT_ARRAY),
        ];
        transaction.query(TAKE_BACK, parameters).await?;
        transaction.commit().await?;
        Ok(Published::Current(Box::new(head)))
    }

    async fn revision(&self, revision: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "select document from recard.revision where digest = $1";
        let revision = revision.to_string();
        let rows = self.database.query_patiently(text, &[(&revision, Type::TEXT)]).await?;
        rows.first().map(|row| self.database.column(row, "document")).transpose()
    }

    async fn view(&self, fleet: &str) -> Result<Option<FleetView>, StoreError> {
        let transaction = self.database.begin("repeatable read read only").await?;
        let (head, now) = self.head(&transaction, fleet).await?;
        let Some(head) = head else { return Ok(None) };
        let text = PORTALS_OF_FLEET;
        let rows = transaction.query(text, &[(&fleet, Type::TEXT)]).await?;
        transaction.commit().await?;
        let portals = usable(&rows, |row| portal_state(&self.database, row, now));
        Ok(Some(FleetView { now, head, portals }))
    }

    async fn change_rollout(
        &self,
        fleet: &str,
        at: RolloutStep,
        change: &RolloutChange,
    ) -> Result<bool, StoreError> {
        let transaction = self.database.begin("read committed").await?;
        transaction.query(ONE_AT_A_TIME, &[]).await?;
        let (head, now) = self.head(&transaction, fleet).await?;
        let Some(mut head) = head.filter(|head| head.step() == at) else { return Ok(false) };
        head.rollout.change(change, now);
        self.set_head(&transaction, fleet, &head).await?;
        if let RolloutChange::Open(wave) = change {
            transaction.query(LOCK_PORTALS, &[(&fleet, Type::TEXT)]).await?;
            let (revision, wave) =
                (head.revision.to_string(), i32::try_from(*wave).unwrap_or(i32::MAX));
            let parameters: Parameters<'_> =
                &[(&fleet, Type::TEXT), (&revision, Type::TEXT), (&wave, Type::INT4)];
            transaction.query(OPEN, parameters).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn set_pause(
        &self,
        portals: &[PortalId],
        pause: Option<&CommandPause>,
    ) -> Result<(), StoreError> {
        let names: Vec<&str> = portals.iter().map(PortalId::as_str).collect();
        let Some(pause) = pause else {
            let text = "update recard.portal set pause = null, pause_at = null, pause_by = null, \
                        pause_reason = null where portal = any($1)";
            return self
                .database
                .query_patiently(text, &[(&names, Type::TEXT_ARRAY)])
                .await
                .map(drop);
        };
        let (until, at) = (pause.until.map(Timestamp::as_microsecond), pause.at.as_microsecond());
        let parameters: Parameters<'_> = &[
            (&names, Type::TEXT_ARRAY),
            (&until, Type::INT8),
            (&at, Type::INT8),
            (&pause.by, Type::TEXT),
            (&pause.reason, Type::TEXT),
        ];
        self.database.query_patiently(PAUSE, parameters).await.map(drop)
    }

    async fn pauses(&self) -> Result<BTreeMap<PortalId, CommandPause>, StoreError> {
        let text = PAUSES;
        let rows = self.database.query_patiently(text, &[]).await?;
        let pause = |row: &Row| {
            let name = portal(&self.database, self.database.column(row, "portal")?)?;
            Ok(command_pause(&self.database, row)?.map(|pause| (name, pause)))
        };
        rows.iter().filter_map(|row| pause(row).transpose()).collect()
    }

    async fn pause(&self, portal: &PortalId) -> Result<Option<CommandPause>, StoreError> {
        let name = portal.as_str();
        let rows = self.database.query_patiently(PAUSE_OF, &[(&name, Type::TEXT)]).await?;
        rows.first().map_or(Ok(None), |row| command_pause(&self.database, row))
    }

    async fn retry(&self, portals: &[PortalId]) -> Result<Vec<RetriedPortal>, StoreError> {
        let names: Vec<&str> = portals.iter().map(PortalId::as_str).collect();
        let text = "update recard.portal set parked = null, parked_at = null, attempts = 0, \
                    due = now() where portal = any($1) and parked is not null returning portal";
        let rows = self.database.query(text, &[(&names, Type::TEXT_ARRAY)]).await?;
        let freed = rows
            .iter()
            .map(|row| portal(&self.database, self.database.column::<&str>(row, "portal")?));
        let mut freed: Vec<PortalId> = freed.collect::<Result<_, _>>()?;
        freed.sort();
        Ok(freed.into_iter().map(|portal| (portal, Ok(()))).collect())
    }

    async fn workers(&self) -> Result<Vec<WorkerSign>, StoreError> {
        let text = "select worker, version, \
                    (extract(epoch from now() - seen) * 1000000)::int8 as micros \
                    from recard.worker where ended is null and seen > now() - interval '1 hour' \
                    order by worker";
        let rows = self.database.query_patiently(text, &[]).await?;
        let sign = |row: &Row| {
            let text = |name| self.database.column::<&str>(row, name).map(ToOwned::to_owned);
            let micros: i64 = self.database.column(row, "micros")?;
            Ok(WorkerSign {
                worker: Worker { id: text("worker")?, version: text("version")? },
                age: Duration::from_micros(u64::try_from(micros).unwrap_or_default()),
            })
        };
        rows.iter().map(sign).collect()
    }
}
