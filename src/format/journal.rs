//! The records of a run's journal: one JSON object a line, numbered, so that a missing line is
//! noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::document::{Format, masked};
use super::listed::Listed;
use super::outcome::OutcomeForm;
use super::{FormatError, generation_if_there, parsed, parsed_if_there};
use crate::model::{CardKey, Digest};
use crate::port::{Interrupted, JournalRecord, PlannedCard, RunHeader, RunPurpose, SetPurpose};

/// Version 2 adds the field `trust` to the head of a run.
const FORMAT: Format = Format { name: "journal", version: 2 };

/// One line: its format, its number and its record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineForm<'a> {
    format: String,
    number: u32,
    record: RecordForm<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum RecordForm<'a> {
    Opened(Box<HeaderForm<'a>>),
    Intent(IntentForm),
    SetIntent(SetIntentForm),
    Settled(SettledForm),
    Closed(ClosedForm),
}

/// What a run is about; also the head of its report, in which fields are sorted by their names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderForm<'a> {
    actor: String,
    caller: u32,
    commit: Option<String>,
    manifest: Option<String>,
    manifests: Vec<ReasonForm>,
    portal: String,
    purpose: PurposeForm,
    targets: Listed<'a, PlannedCard, PlannedForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum PurposeForm {
    Apply,
    /// The run whose resets are undone.
    Restore(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonForm {
    name: String,
    reason: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedForm {
    digest: Option<String>,
    generation: Option<String>,
    target: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntentForm {
    targets: Vec<BackedUpForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackedUpForm {
    target: String,
    digest: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetIntentForm {
    target: String,
    digest: String,
    /// Absent in records of earlier versions, and for a `set` of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<SetPurposeForm>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SetPurposeForm {
    Compensation,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettledForm {
    target: String,
    result: OutcomeForm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosedForm {
    end: EndForm,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EndForm {
    /// By itself.
    Complete,
    /// Because it was stopped.
    Interrupted,
}

/// A record as one JSON object on one line; the number counts the journal's records from 1.
///
/// # Errors
///
/// If JSON cannot hold it; nothing that recard keeps is such a value.
pub fn encode_record(number: u32, record: &JournalRecord) -> Result<String, FormatError> {
    let line = LineForm { format: FORMAT.text(), number, record: record.into() };
    let json = serde_json::to_string(&line).map_err(FormatError::not_writable)?;
    Ok(masked(json.as_bytes()).unwrap_or(json))
}

/// The record of a line that should have this number.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, has another number, or is damaged.
pub fn decode_record(number: u32, json: &str) -> Result<JournalRecord, FormatError> {
    match numbered_record(json)? {
        (found, record) if found == number => Ok(record),
        (found, _) => Err(FormatError::Senseless(format!(
            "record {number} is missing; record {found} stands in its place"
        ))),
    }
}

/// Reads the record of a line with the number that the line gives itself.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or is damaged.
pub fn numbered_record(json: &str) -> Result<(u32, JournalRecord), FormatError> {
    // The version comes first: a newer record is to be called newer, whatever its fields.
    let object: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(FormatError::NotJson)?;
    let format =
        object.get("format").and_then(|format| serde_json::from_str::<String>(format.get()).ok());
    FORMAT.check(format.as_deref().unwrap_or_default())?;
    let LineForm { format: _, number, record } =
        serde_json::from_str(json).map_err(FormatError::senseless)?;
    Ok((number, record.try_into()?))
}

impl<'a> From<&'a JournalRecord> for RecordForm<'a> {
    fn from(record: &'a JournalRecord) -> Self {
        match record {
            JournalRecord::Opened(header) => Self::Opened(Box::new(header.into())),
            JournalRecord::Intent { targets } => {
                let form = |(key, digest): &(CardKey, Option<Digest>)| BackedUpForm {
                    target: key.to_string(),
                    digest: digest.map(|digest| digest.to_string()),
                };
                Self::Intent(IntentForm { targets: targets.iter().map(form).collect() })
            }
            JournalRecord::SetIntent { target, digest, purpose } => {
                Self::SetIntent(SetIntentForm {
                    target: target.to_string(),
                    digest: digest.to_string(),
                    purpose: match purpose {
                        SetPurpose::Planned => None,
                        SetPurpose::Compensation => Some(SetPurposeForm::Compensation),
                    },
                })
            }
            JournalRecord::Settled { target, outcome } => {
                Self::Settled(SettledForm { target: target.to_string(), result: outcome.into() })
            }
            JournalRecord::Closed { interrupted } => {
                Self::Closed(ClosedForm { end: (*interrupted).into() })
            }
        }
    }
}

impl TryFrom<RecordForm<'_>> for JournalRecord {
    type Error = FormatError;

    fn try_from(form: RecordForm<'_>) -> Result<Self, FormatError> {
        Ok(match form {
            RecordForm::Opened(header) => Self::Opened((*header).try_into()?),
            RecordForm::Intent(IntentForm { targets }) => {
                let read = |BackedUpForm { target, digest }: BackedUpForm| {
                    Ok((parsed(&target)?, parsed_if_there(digest.as_ref())?))
                };
                Self::Intent {
                    targets: targets.into_iter().map(read).collect::<Result<_, FormatError>>()?,
                }
            }
            RecordForm::SetIntent(SetIntentForm { target, digest, purpose }) => Self::SetIntent {
                target: parsed(&target)?,
                digest: parsed(&digest)?,
                purpose: match purpose {
                    None => SetPurpose::Planned,
                    Some(SetPurposeForm::Compensation) => SetPurpose::Compensation,
                },
            },
            RecordForm::Settled(SettledForm { target, result }) => {
                Self::Settled { target: parsed(&target)?, outcome: result.into() }
            }
            RecordForm::Closed(ClosedForm { end }) => Self::Closed { interrupted: end.into() },
        })
    }
}

impl<'a> From<&'a RunHeader> for HeaderForm<'a> {
    fn from(header: &'a RunHeader) -> Self {
        let RunHeader { purpose, portal, caller, actor, manifest, commit, reasons, trust, targets } =
            header;
        let reason = |(name, reason): &(String, String)| ReasonForm {
            name: name.clone(),
            reason: reason.clone(),
        };
        Self {
            purpose: match purpose {
                RunPurpose::Apply => PurposeForm::Apply,
                RunPurpose::Restore(run) => PurposeForm::Restore(run.to_string()),
            },
            portal: portal.to_string(),
            caller: caller.get(),
            actor: actor.clone(),
            manifest: manifest.map(|digest| digest.to_string()),
            commit: commit.clone(),
            manifests: reasons.iter().map(reason).collect(),
            targets: Listed::of(targets),
            trust: trust.map(|evidence| evidence.word().to_owned()),
        }
    }
}

impl From<&PlannedCard> for PlannedForm {
    fn from(PlannedCard { key, digest, generation }: &PlannedCard) -> Self {
        Self {
            target: key.to_string(),
            digest: digest.map(|digest| digest.to_string()),
            generation: generation.as_ref().map(ToString::to_string),
        }
    }
}

impl TryFrom<PlannedForm> for PlannedCard {
    type Error = FormatError;

    fn try_from(
        PlannedForm { target, digest, generation }: PlannedForm,
    ) -> Result<Self, FormatError> {
        Ok(Self {
            key: parsed(&target)?,
            digest: parsed_if_there(digest.as_ref())?,
            generation: generation_if_there(generation.as_ref())?,
        })
    }
}

impl TryFrom<HeaderForm<'_>> for RunHeader {
    type Error = FormatError;

    fn try_from(form: HeaderForm<'_>) -> Result<Self, FormatError> {
        let HeaderForm {
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
                PurposeForm::Apply => RunPurpose::Apply,
                PurposeForm::Restore(run) => RunPurpose::Restore(parsed(&run)?),
            },
            portal: parsed(&portal)?,
            caller: crate::model::UserId::new(u64::from(caller)).map_err(FormatError::senseless)?,
            actor,
            manifest: parsed_if_there(manifest.as_ref())?,
            commit,
            reasons: manifests
                .into_iter()
                .map(|ReasonForm { name, reason }| (name, reason))
                .collect(),
            trust: parsed_if_there(trust.as_ref())?,
            targets: targets.into_items(),
        })
    }
}

impl From<Interrupted> for EndForm {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::No => Self::Complete,
            Interrupted::Yes => Self::Interrupted,
        }
    }
}

impl From<EndForm> for Interrupted {
    fn from(form: EndForm) -> Self {
        match form {
            EndForm::Complete => Self::No,
            EndForm::Interrupted => Self::Yes,
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
        let header = RunHeader { trust: None, ..crate::format::samples::header(&[]) };
        let record = JournalRecord::Opened(header);
        let text = encode_record(1, &record).unwrap();
        assert!(!text.contains("trust"), "{text}");
        assert_eq!(decode_record(1, &text.replace("journal/v2", "journal/v1")).unwrap(), record);
        let unknown = text.replace("\"targets\":[]", "\"targets\":[],\"trust\":\"hearsay\"");
        assert!(matches!(decode_record(1, &unknown), Err(FormatError::Senseless(_))), "{unknown}");
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let text = r#"{"format":"recard.journal/v1","number":1,"record":{"closed":{"end":"complete","more":1}}}"#;
        assert!(matches!(decode_record(1, text), Err(FormatError::Senseless(_))));
        assert!(decode_record(1, &text.replace(",\"more\":1", "")).is_ok());
    }
}
