//! Columns of the portals, and the values that they hold.

use std::time::Duration;

use tokio_postgres::Row;

use super::Database;
use crate::model::{Digest, PortalId};
use crate::ports::{ParkReason, SecretMark, StoreError};
use crate::store::place::damaged;

/// Reason for which a portal is parked, column by column.
#[derive(Default)]
pub(super) struct ParkColumns<'a> {
    pub(super) kind: &'static str,
    pub(super) deaths: Option<i32>,
    pub(super) text: Option<&'a str>,
    pub(super) salt: Option<&'a str>,
    pub(super) digest: Option<String>,
}

impl<'a> ParkColumns<'a> {
    pub(super) fn from_reason(reason: &'a ParkReason) -> Self {
        match reason {
            ParkReason::Deaths(count) => Self {
                kind: "deaths",
                deaths: Some(i32::try_from(*count).unwrap_or(i32::MAX)),
                ..Self::default()
            },
            ParkReason::WebhookRefused(mark) => Self {
                kind: "webhook",
                salt: Some(&mark.salt),
                digest: Some(mark.digest.to_string()),
                ..Self::default()
            },
            ParkReason::RecoveryNeedsPerson(problem) | ParkReason::UnreadableRow(problem) => {
                Self { kind: "recovery", text: Some(problem), ..Self::default() }
            }
        }
    }
}

/// Returns the mark of a refused webhook.
pub(super) fn secret_mark(database: &Database, row: &Row) -> Result<SecretMark, StoreError> {
    Ok(SecretMark {
        salt: database.column(row, "parked_salt")?,
        digest: digest(database, database.column(row, "parked_digest")?)?,
    })
}

/// Returns a duration in microseconds, a century at most.
pub(super) fn whole_micros(duration: Duration) -> i64 {
    const CENTURY: i64 = 100 * 365 * 86_400 * 1_000_000;
    i64::try_from(duration.as_micros()).unwrap_or(CENTURY).min(CENTURY)
}

pub(super) fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// Returns what rows of several portals hold. One that makes no sense is logged and left out: a
/// row that somebody edited stops no other portal.
pub(super) fn usable<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, StoreError>) -> Vec<T> {
    let logged = |problem: &StoreError| tracing::error!(%problem, "a row is left out");
    rows.iter().filter_map(|row| read(row).inspect_err(logged).ok()).collect()
}

pub(super) fn portal(database: &Database, text: &str) -> Result<PortalId, StoreError> {
    let name = || format!("{} portal {text:?}", database.address());
    PortalId::new(text).map_err(|problem| damaged(&name(), problem.to_string()))
}

pub(super) fn digest(database: &Database, text: &str) -> Result<Digest, StoreError> {
    text.parse().map_err(|problem| database.nonsense(problem))
}
