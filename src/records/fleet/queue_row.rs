//! Row of a portal in the work queue of a folder.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Digest, PortalId};
use crate::ports::{
    ClaimId, ParkReason, Parked, QueueState, RevisionRounds, RoundClass, SecretMark,
};
use crate::records::FormatError;
use crate::records::sealed::{RecordFormat, seal, unseal};

const FORMAT: RecordFormat = RecordFormat { name: "queue-row", version: 1 };

/// Row of a portal in the work queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueRow {
    /// The token of the last claim.
    pub token: u64,
    /// The claim that has not ended, with the end of its lease.
    pub claim: Option<(ClaimId, Timestamp)>,
    /// The time of the last change.
    pub changed: Timestamp,
    /// What other commands may know. It names a worker exactly if there is a claim.
    pub state: QueueState,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct QueueRowV1 {
    portal: PortalId,
    // Canonical JSON has no integers of this size.
    token: String,
    changed: Timestamp,
    claim: Option<ClaimV1>,
    due: Option<Timestamp>,
    attempts: u32,
    failures: u32,
    parked: Option<ParkedV1>,
    rounds: Option<RoundsV1>,
    row: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimV1 {
    id: String,
    until: Timestamp,
    worker: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParkedV1 {
    at: Timestamp,
    reason: ParkReasonV1,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
enum ParkReasonV1 {
    Deaths(u32),
    WebhookRefused { salt: String, digest: Digest },
    RecoveryNeedsPerson(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoundsV1 {
    revision: Digest,
    failed: bool,
    people: u32,
    at: Timestamp,
}

/// Encodes the row of a portal as a sealed document.
pub fn encode_queue_row(portal: &PortalId, row: &QueueRow) -> Result<Vec<u8>, FormatError> {
    let QueueRow { token, claim, changed, state } = row.clone();
    let QueueState { due, attempts, failures, parked, rounds, row, worker } = state;
    let claim = claim.map(|(id, until)| ClaimV1 {
        id: id.to_string(),
        until,
        worker: worker.unwrap_or_default(),
    });
    let parked = parked.map(|Parked { at, reason }| ParkedV1 { at, reason: reason.into() });
    let rounds = rounds.map(|RevisionRounds { revision, class, people, at }| RoundsV1 {
        revision,
        failed: class == RoundClass::Failed,
        people,
        at,
    });
    seal(
        FORMAT,
        &QueueRowV1 {
            portal: portal.clone(),
            token: token.to_string(),
            changed,
            claim,
            due,
            attempts,
            failures,
            parked,
            rounds,
            row,
        },
    )
}

/// Decodes the row of a portal from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind and portal, of a newer version, or changed since it
/// was written.
pub fn decode_queue_row(portal: &PortalId, bytes: &[u8]) -> Result<QueueRow, FormatError> {
    let stored: QueueRowV1 = unseal(FORMAT, bytes)?;
    if stored.portal != *portal {
        return Err(FormatError::Invalid(format!("it is the row of {}", stored.portal)));
    }
    let (claim, worker) = match stored.claim {
        None => (None, None),
        Some(ClaimV1 { id, until, worker }) => {
            let id = u128::from_str_radix(&id, 16).map_err(FormatError::invalid)?;
            (Some((ClaimId::new(id), until)), Some(worker))
        }
    };
    let parked = stored.parked.map(|ParkedV1 { at, reason }| Parked { at, reason: reason.into() });
    let rounds = stored.rounds.map(|RoundsV1 { revision, failed, people, at }| {
        let class = if failed { RoundClass::Failed } else { RoundClass::Succeeded };
        RevisionRounds { revision, class, people, at }
    });
    Ok(QueueRow {
        token: stored.token.parse().map_err(FormatError::invalid)?,
        claim,
        changed: stored.changed,
        state: QueueState {
            due: stored.due,
            attempts: stored.attempts,
            failures: stored.failures,
            parked,
            rounds,
            row: stored.row,
            worker,
        },
    })
}

impl From<ParkReason> for ParkReasonV1 {
    fn from(reason: ParkReason) -> Self {
        match reason {
            ParkReason::Deaths(deaths) => Self::Deaths(deaths),
            ParkReason::WebhookRefused(SecretMark { salt, digest }) => {
                Self::WebhookRefused { salt, digest }
            }
            ParkReason::RecoveryNeedsPerson(problem) | ParkReason::UnreadableRow(problem) => {
                Self::RecoveryNeedsPerson(problem)
            }
        }
    }
}

impl From<ParkReasonV1> for ParkReason {
    fn from(reason: ParkReasonV1) -> Self {
        match reason {
            ParkReasonV1::Deaths(deaths) => Self::Deaths(deaths),
            ParkReasonV1::WebhookRefused { salt, digest } => {
                Self::WebhookRefused(SecretMark { salt, digest })
            }
            ParkReasonV1::RecoveryNeedsPerson(problem) => Self::RecoveryNeedsPerson(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn queue_row_of_any_content_is_read_back_and_of_no_other_portal() {
        let digest = Digest::hash(b"revision");
        let mark = SecretMark { salt: "ab".to_owned(), digest };
        for reason in [
            ParkReason::Deaths(3),
            ParkReason::WebhookRefused(mark),
            ParkReason::RecoveryNeedsPerson("another owner".to_owned()),
        ] {
            let at = Timestamp::UNIX_EPOCH;
            let (class, people) = (RoundClass::Failed, 7);
            let row = QueueRow {
                token: u64::MAX,
                claim: Some((ClaimId::new(u128::MAX), at)),
                changed: at,
                state: QueueState {
                    due: Some(at),
                    attempts: 2,
                    failures: 1,
                    parked: Some(Parked { at, reason }),
                    rounds: Some(RevisionRounds { revision: digest, class, people, at }),
                    row: Some("{}".to_owned()),
                    worker: Some("host-1".to_owned()),
                },
            };
            let bytes = encode_queue_row(&samples::portal(), &row).unwrap();
            assert_eq!(decode_queue_row(&samples::portal(), &bytes).unwrap(), row);
            let other = PortalId::new("other.example").unwrap();
            assert!(decode_queue_row(&other, &bytes).is_err());
        }
    }
}
