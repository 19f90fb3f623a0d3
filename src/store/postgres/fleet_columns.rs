//! Columns of the portals of a fleet, and the state that they hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::Database;
use super::columns::{digest, micros, portal, secret_mark, whole_micros};
use crate::ports::{
    CommandPause, DeclaredPause, ParkReason, Parked, PortalState, PublishedPortal, QueueState,
    RevisionRounds, RoundClass, StoreError,
};
use crate::store::place::damaged;

/// Microseconds since 1970 of a column; null for one that is infinite, or beyond what times can be.
macro_rules! micros_of {
    ($column:literal) => {
        concat!(
            "case when ",
            $column,
            " between '0001-01-02' and '9999-01-01' then (extract(epoch from ",
            $column,
            ") * 1000000)::int8 end"
        )
    };
}

/// Such a column with a name.
macro_rules! micros {
    ($column:literal, $name:literal) => {
        concat!(micros_of!($column), " as ", $name)
    };
}

/// Columns of a pause by command. One that somebody wrote by hand holds as well.
macro_rules! pause_columns {
    () => {
        concat!(
            micros!("pause", "pause_until"),
            ", case when pause is not null then coalesce(",
            micros_of!("pause_at"),
            ", ",
            micros_of!("now()"),
            ") end as paused_at, ",
            "coalesce(pause_by, '') as pause_by, coalesce(pause_reason, '') as pause_reason"
        )
    };
}

/// Statement that returns the pauses by command.
pub(super) const PAUSES: &str =
    concat!("select portal, ", pause_columns!(), " from recard.portal where pause is not null");

/// Statement that returns the pause by command of the portal `$1`.
pub(super) const PAUSE_OF: &str = concat!(
    "select ",
    pause_columns!(),
    " from recard.portal where portal = $1 and pause is not null"
);

/// Statement that returns the portals of the fleet `$1`.
pub(super) const PORTALS_OF_FLEET: &str = concat!(
    "select portal, wave, labels::text as labels, revision, failed_before, attempts, failures, ",
    "(extract(epoch from least(every, interval '100 years')) * 1000000)::int8 as every_micros, ",
    "declared_pause_reason, ",
    micros!("declared_pause", "declared_until"),
    ", ",
    pause_columns!(),
    ", ",
    micros!("due", "due_at"),
    ", parked, parked_deaths, parked_text, parked_salt, parked_digest, ",
    micros!("parked_at", "parked_since"),
    ", round_revision, round_failed, round_people, ",
    micros!("round_at", "round_end"),
    ", report_row, case when lease > now() then worker end as worker, ",
    "moved_to is not null as is_moved ",
    "from recard.portal where fleet = $1 order by portal"
);

/// Portals of a publication, column by column.
pub(super) struct PortalArrays {
    pub(super) names: Vec<String>,
    waves: Vec<i32>,
    labels: Vec<String>,
    every: Vec<i64>,
    until: Vec<Option<i64>>,
    reasons: Vec<Option<String>>,
}

impl PortalArrays {
    pub(super) fn new(portals: &[PublishedPortal]) -> Self {
        let pauses = || portals.iter().map(|portal| portal.pause.as_ref());
        Self {
            names: portals.iter().map(|portal| portal.portal.to_string()).collect(),
            waves: portals
                .iter()
                .map(|portal| i32::try_from(portal.wave).unwrap_or(i32::MAX))
                .collect(),
            labels: portals
                .iter()
                .map(|portal| serde_json::json!(portal.labels).to_string())
                .collect(),
            every: portals.iter().map(|portal| whole_micros(portal.every)).collect(),
            until: pauses().map(|pause| pause?.until.map(Timestamp::as_microsecond)).collect(),
            reasons: pauses().map(|pause| pause.map(|pause| pause.reason.clone())).collect(),
        }
    }

    /// Returns the parameters of a statement: the fleet, and the columns.
    pub(super) fn parameters<'a>(
        &'a self,
        fleet: &'a String,
    ) -> [(&'a (dyn ToSql + Sync), Type); 7] {
        [
            (fleet, Type::TEXT),
            (&self.names, Type::TEXT_ARRAY),
            (&self.waves, Type::INT4_ARRAY),
            (&self.labels, Type::TEXT_ARRAY),
            (&self.every, Type::INT8_ARRAY),
            (&self.until, Type::INT8_ARRAY),
            (&self.reasons, Type::TEXT_ARRAY),
        ]
    }
}

fn parked(database: &Database, row: &Row) -> Result<Option<Parked>, StoreError> {
    let Some(kind) = database.column::<Option<&str>>(row, "parked")? else { return Ok(None) };
    let reason = match kind {
        "deaths" => {
            ParkReason::Deaths(database.column::<i32>(row, "parked_deaths")?.unsigned_abs())
        }
        "webhook" => ParkReason::WebhookRefused(secret_mark(database, row)?),
        _ => ParkReason::RecoveryNeedsPerson(database.column(row, "parked_text")?),
    };
    let at = time(database, database.column(row, "parked_since")?)?;
    Ok(Some(Parked { at, reason }))
}

fn rounds(database: &Database, row: &Row) -> Result<Option<RevisionRounds>, StoreError> {
    let revision = database.column::<Option<&str>>(row, "round_revision")?;
    let Some(revision) = revision else { return Ok(None) };
    Ok(Some(RevisionRounds {
        revision: digest(database, revision)?,
        class: match database.column(row, "round_failed")? {
            true => RoundClass::Failed,
            false => RoundClass::Succeeded,
        },
        people: database.column::<i32>(row, "round_people")?.unsigned_abs(),
        at: time(database, database.column(row, "round_end")?)?,
    }))
}

/// Returns the pause by command of a portal.
pub(super) fn command_pause(
    database: &Database,
    row: &Row,
) -> Result<Option<CommandPause>, StoreError> {
    let Some(at) = database.column::<Option<i64>>(row, "paused_at")? else { return Ok(None) };
    Ok(Some(CommandPause {
        until: optional_time(database, row, "pause_until")?,
        at: time(database, at)?,
        by: database.column(row, "pause_by")?,
        reason: database.column(row, "pause_reason")?,
    }))
}

/// Returns the state of a portal of a fleet. One whose row makes no sense waits for a person, as a
/// parked portal does.
pub(super) fn portal_state(
    database: &Database,
    row: &Row,
    now: Timestamp,
) -> Result<PortalState, StoreError> {
    let problem = match state_of(database, row) {
        Ok(state) => return Ok(state),
        Err(problem) => problem,
    };
    let published = PublishedPortal {
        portal: portal(database, database.column(row, "portal")?)?,
        wave: wave(database, row).unwrap_or(usize::MAX),
        labels: labels(database, row).unwrap_or_default(),
        every: micros(database.column(row, "every_micros").unwrap_or_default()),
        pause: declared_pause(database, row).unwrap_or_default(),
    };
    let problem = match problem {
        StoreError::Database { address, problem, .. } => {
            damaged(&format!("{address} portal {}", published.portal), problem)
        }
        problem => problem,
    };
    let reason = ParkReason::UnreadableRow(problem.to_string());
    Ok(PortalState {
        published,
        revision: None,
        failed_before: database.column(row, "failed_before").unwrap_or_default(),
        pause: command_pause(database, row).unwrap_or_default(),
        is_moved: database.column(row, "is_moved").unwrap_or_default(),
        queue: QueueState {
            failures: 1,
            parked: Some(Parked { at: now, reason }),
            ..QueueState::default()
        },
    })
}

fn wave(database: &Database, row: &Row) -> Result<usize, StoreError> {
    database.column::<i32>(row, "wave").map(|wave| wave.unsigned_abs() as usize)
}

fn labels(database: &Database, row: &Row) -> Result<BTreeMap<String, String>, StoreError> {
    let labels = database.column::<&str>(row, "labels")?;
    serde_json::from_str(labels).map_err(|problem| database.nonsense(problem))
}

fn declared_pause(database: &Database, row: &Row) -> Result<Option<DeclaredPause>, StoreError> {
    let reason = database.column::<Option<String>>(row, "declared_pause_reason")?;
    let until = optional_time(database, row, "declared_until")?;
    Ok(reason.map(|reason| DeclaredPause { until, reason }))
}

fn state_of(database: &Database, row: &Row) -> Result<PortalState, StoreError> {
    let revision = database.column::<Option<&str>>(row, "revision")?;
    let count = |name| database.column::<i32>(row, name).map(i32::unsigned_abs);
    Ok(PortalState {
        published: PublishedPortal {
            portal: portal(database, database.column(row, "portal")?)?,
            wave: wave(database, row)?,
            labels: labels(database, row)?,
            every: micros(database.column(row, "every_micros")?),
            pause: declared_pause(database, row)?,
        },
        revision: revision.map(|revision| digest(database, revision)).transpose()?,
        failed_before: database.column(row, "failed_before")?,
        pause: command_pause(database, row)?,
        is_moved: database.column(row, "is_moved")?,
        queue: QueueState {
            due: optional_time(database, row, "due_at")?,
            attempts: count("attempts")?,
            failures: count("failures")?,
            parked: parked(database, row)?,
            rounds: rounds(database, row)?,
            row: database.column(row, "report_row")?,
            worker: database.column(row, "worker")?,
        },
    })
}

pub(super) fn time(database: &Database, micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|problem| database.nonsense(problem))
}

fn optional_time(
    database: &Database,
    row: &Row,
    name: &str,
) -> Result<Option<Timestamp>, StoreError> {
    database.column::<Option<i64>>(row, name)?.map(|micros| time(database, micros)).transpose()
}
