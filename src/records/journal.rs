//! Records of a run's journal: one numbered JSON object a line, so that a missing line is detected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::lazy_seq::LazySeq;
use super::outcome::OutcomeV2;
use super::sealed::{RecordFormat, masked};
use super::{FormatError, parse_optional, parse_optional_generation, parsed};
use crate::model::{CardKey, Digest};
use crate::ports::{Interrupted, JournalRecord, PlannedCard, RunHeader, RunPurpose, SetPurpose};

/// Version 2 adds the field `trust` to the header of a run.
const FORMAT: RecordFormat = RecordFormat { name: "journal", version: 2 };

/// Line with its format, its number and its record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalLineV2<'a> {
    format: String,
    number: u32,
    record: RecordV2<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum RecordV2<'a> {
    Opened(Box<HeaderV2<'a>>),
    Intent(IntentV2),
    SetIntent(SetIntentV2),
    Settled(CompletedV2),
    Closed(ClosedV2),
}

/// Header of a run; also that of its report, in which fields are sorted by their names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderV2<'a> {
    actor: String,
    caller: u32,
    commit: Option<String>,
    manifest: Option<String>,
    manifests: Vec<ReasonV2>,
    portal: String,
    purpose: PurposeV2,
    targets: LazySeq<'a, PlannedCard, PlannedCardV2>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum PurposeV2 {
    Apply,
    /// The restored run.
    Restore(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonV2 {
    name: String,
    reason: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedCardV2 {
    digest: Option<String>,
    generation: Option<String>,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntentV2 {
    targets: Vec<BackedUpV2>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackedUpV2 {
    target: String,
    digest: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetIntentV2 {
    target: String,
    digest: String,
    /// Absent in records of earlier versions, and for a `set` of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<SetPurposeV2>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SetPurposeV2 {
    Compensation,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompletedV2 {
    target: String,
    result: OutcomeV2,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosedV2 {
    end: EndV1,
}

/// End of a run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EndV1 {
    /// The run finished.
    Complete,
    /// The run was stopped.
    Interrupted,
}

/// Encodes a record as one JSON object on one line; the number counts the journal's records from 1.
///
/// # Errors
///
/// If JSON cannot hold it; values of recard always fit.
pub fn encode_record(number: u32, record: &JournalRecord) -> Result<String, FormatError> {
    let line = JournalLineV2 { format: FORMAT.text(), number, record: record.into() };
    let json = serde_json::to_string(&line).map_err(FormatError::not_writable)?;
    Ok(masked(json.as_bytes()).unwrap_or(json))
}

/// Decodes the record of a line that must have this number.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, has another number, or is damaged.
pub fn decode_record(number: u32, json: &str) -> Result<JournalRecord, FormatError> {
    match numbered_record(json)? {
        (found, record) if found == number => Ok(record),
        (found, _) => Err(FormatError::Invalid(format!(
            "record {number} is missing; record {found} stands in its place"
        ))),
    }
}

/// Decodes the record of a line together with its number.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or is damaged.
pub fn numbered_record(json: &str) -> Result<(u32, JournalRecord), FormatError> {
    // The version is checked first: a newer record must be reported as newer, whatever its fields.
    let object: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(FormatError::NotJson)?;
    let format =
        object.get("format").and_then(|format| serde_json::from_str::<String>(format.get()).ok());
    FORMAT.check(format.as_deref().unwrap_or_default())?;
    let JournalLineV2 { format: _, number, record } =
        serde_json::from_str(json).map_err(FormatError::invalid)?;
    Ok((number, record.try_into()?))
}

impl<'a> From<&'a JournalRecord> for RecordV2<'a> {
    fn from(record: &'a JournalRecord) -> Self {
        match record {
            JournalRecord::Opened(header) => Self::Opened(Box::new(header.into())),
            JournalRecord::Intent { targets } => {
                let form = |(key, digest): &(CardKey, Option<Digest>)| BackedUpV2 {
                    target: key.to_string(),
                    digest: digest.map(|digest| digest.to_string()),
                };
                Self::Intent(IntentV2 { targets: targets.iter().map(form).collect() })
            }
            JournalRecord::SetIntent { target, digest, purpose } => Self::SetIntent(SetIntentV2 {
                target: target.to_string(),
                digest: digest.to_string(),
                purpose: match purpose {
                    SetPurpose::Planned => None,
                    SetPurpose::Compensation => Some(SetPurposeV2::Compensation),
                },
            }),
            JournalRecord::Completed { target, outcome } => {
                Self::Settled(CompletedV2 { target: target.to_string(), result: outcome.into() })
            }
            JournalRecord::Closed { interrupted } => {
                Self::Closed(ClosedV2 { end: (*interrupted).into() })
            }
        }
    }
}

impl TryFrom<RecordV2<'_>> for JournalRecord {
    type Error = FormatError;

    fn try_from(form: RecordV2<'_>) -> Result<Self, FormatError> {
        Ok(match form {
            RecordV2::Opened(header) => Self::Opened((*header).try_into()?),
            RecordV2::Intent(IntentV2 { targets }) => {
                let read = |BackedUpV2 { target, digest }: BackedUpV2| {
                    Ok((parsed(&target)?, parse_optional(digest.as_ref())?))
                };
                Self::Intent {
                    targets: targets.into_iter().map(read).collect::<Result<_, FormatError>>()?,
                }
            }
            RecordV2::SetIntent(SetIntentV2 { target, digest, purpose }) => Self::SetIntent {
                target: parsed(&target)?,
                digest: parsed(&digest)?,
                purpose: match purpose {
                    None => SetPurpose::Planned,
                    Some(SetPurposeV2::Compensation) => SetPurpose::Compensation,
                },
            },
            RecordV2::Settled(CompletedV2 { target, result }) => {
                Self::Completed { target: parsed(&target)?, outcome: result.into() }
            }
            RecordV2::Closed(ClosedV2 { end }) => Self::Closed { interrupted: end.into() },
        })
    }
}

impl<'a> From<&'a RunHeader> for HeaderV2<'a> {
    fn from(header: &'a RunHeader) -> Self {
        let RunHeader { purpose, portal, caller, actor, manifest, commit, reasons, trust, targets } =
            header;
        let reason = |(name, reason): &(String, String)| ReasonV2 {
            name: name.clone(),
            reason: reason.clone(),
        };
        Self {
            purpose: match purpose {
                RunPurpose::Apply => PurposeV2::Apply,
                RunPurpose::Restore(run) => PurposeV2::Restore(run.to_string()),
            },
            portal: portal.to_string(),
            caller: caller.get(),
            actor: actor.clone(),
            manifest: manifest.map(|digest| digest.to_string()),
            commit: commit.clone(),
            manifests: reasons.iter().map(reason).collect(),
            targets: LazySeq::from_slice(targets),
            trust: trust.map(|evidence| evidence.as_str().to_owned()),
        }
    }
}

impl From<&PlannedCard> for PlannedCardV2 {
    fn from(PlannedCard { key, digest, generation }: &PlannedCard) -> Self {
        Self {
            target: key.to_string(),
            digest: digest.map(|digest| digest.to_string()),
            generation: generation.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<PlannedCardV2> for PlannedCard {
    type Error = FormatError;

    fn try_from(
        PlannedCardV2 { target, digest, generation }: PlannedCardV2,
    ) -> Result<Self, FormatError> {
        Ok(Self {
            key: parsed(&target)?,
            digest: parse_optional(digest.as_ref())?,
            generation: parse_optional_generation(generation.as_ref())?,
        })
    }
}

impl TryFrom<HeaderV2<'_>> for RunHeader {
    type Error = FormatError;

    fn try_from(form: HeaderV2<'_>) -> Result<Self, FormatError> {
        let HeaderV2 {
            purpose,
            portal,
            caller,
            actor,
            manifest,
            commit,
            manifests,
            targets,
            trust,
        } = form;
        Ok(Self {
            purpose: match purpose {
                PurposeV2::Apply => RunPurpose::Apply,
                PurposeV2::Restore(run) => RunPurpose::Restore(parsed(&run)?),
            },
            portal: parsed(&portal)?,
            caller: crate::model::UserId::new(u64::from(caller)).map_err(FormatError::invalid)?,
            actor,
            manifest: parse_optional(manifest.as_ref())?,
            commit,
            reasons: manifests
                .into_iter()
                .map(|ReasonV2 { name, reason }| (name, reason))
                .collect(),
            trust: parse_optional(trust.as_ref())?,
            targets: targets.into_items(),
        })
    }
}

impl From<Interrupted> for EndV1 {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::No => Self::Complete,
            Interrupted::Yes => Self::Interrupted,
        }
    }
}

impl From<EndV1> for Interrupted {
    fn from(form: EndV1) -> Self {
        match form {
            EndV1::Complete => Self::No,
            EndV1::Interrupted => Self::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_record_and_a_newer_one_are_told_apart() {
        let closed = JournalRecord::Closed { interrupted: Interrupted::No };
        let missing = decode_record(3, &encode_record(4, &closed).unwrap()).unwrap_err();
        assert_eq!(missing.to_string(), "record 3 is missing; record 4 stands in its place");
        let newer = decode_record(1, r#"{"format":"recard.journal/v3","number":1,"more":true}"#);
        assert!(matches!(newer, Err(FormatError::TooNew { found: 3, known: 2 })));
    }

    #[test]
    fn a_head_without_trust_as_version_1_wrote_it_is_read() {
        let header = RunHeader { trust: None, ..crate::records::samples::header(&[]) };
        let record = JournalRecord::Opened(header);
        let text = encode_record(1, &record).unwrap();
        assert!(!text.contains("trust"), "{text}");
        assert_eq!(decode_record(1, &text.replace("journal/v2", "journal/v1")).unwrap(), record);
        let unknown = text.replace("\"targets\":[]", "\"targets\":[],\"trust\":\"hearsay\"");
        assert!(matches!(decode_record(1, &unknown), Err(FormatError::Invalid(_))), "{unknown}");
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = r#"{"format":"recard.journal/v1","number":1,"record":{"closed":{"end":"complete","more":1}}}"#;
        assert!(matches!(decode_record(1, text), Err(FormatError::Invalid(_))));
        assert!(decode_record(1, &text.replace(",\"more\":1", "")).is_ok());
    }
}
