//! Records of a run's journal: one numbered JSON object a line, so that a missing line is detected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::FormatError;
use super::sealed::{RecordFormat, masked};
use super::stored::{self, Stored};
use crate::model::{CardKey, Digest, Generation, Outcome, PortalId, RunId, TrustEvidence, UserId};
use crate::ports::{Interrupted, JournalRecord, PlannedCard, RunHeader, RunPurpose, SetPurpose};

/// Version 2 adds the field `trust` to the head of a run; version 3 names the kind in targets, and
/// the file of the ledger.
const FORMAT: RecordFormat = RecordFormat { name: "journal", version: 3 };

/// One line that is written: its format, its number and its record.
#[derive(Serialize)]
struct JournalLine<'a> {
    format: String,
    number: u32,
    #[serde(serialize_with = "record")]
    record: &'a JournalRecord,
}

/// One line that is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalLineV2 {
    #[serde(rename = "format")]
    _format: String,
    number: u32,
    #[serde(with = "RecordV2")]
    record: JournalRecord,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "JournalRecord", rename_all = "kebab-case", deny_unknown_fields)]
enum RecordV2 {
    Opened(#[serde(with = "HeaderV2")] RunHeader),
    Intent {
        #[serde(with = "stored::list")]
        targets: Vec<(CardKey, Option<Digest>)>,
    },
    SetIntent {
        target: CardKey,
        digest: Digest,
        /// Absent in records of earlier versions, and for a `set` of the plan.
        #[serde(default = "planned", skip_serializing_if = "is_planned", with = "SetPurposeV2")]
        purpose: SetPurpose,
    },
    #[serde(rename = "settled")]
    Completed {
        target: CardKey,
        #[serde(rename = "result", with = "stored")]
        outcome: Outcome,
    },
    Closed {
        #[serde(rename = "end", with = "EndV1")]
        interrupted: Interrupted,
    },
}

/// Header of a run; also that of its report, in which fields are sorted by their names.
#[derive(Serialize, Deserialize)]
#[serde(remote = "RunHeader", deny_unknown_fields)]
pub(super) struct HeaderV2 {
    actor: String,
    caller: UserId,
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ledger: Option<String>,
    manifest: Option<Digest>,
    #[serde(rename = "manifests", with = "stored::list")]
    reasons: Vec<(String, String)>,
    portal: PortalId,
    #[serde(with = "PurposeV2")]
    purpose: RunPurpose,
    #[serde(with = "stored::list")]
    targets: Vec<PlannedCard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<TrustEvidence>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "RunPurpose", rename_all = "kebab-case", deny_unknown_fields)]
enum PurposeV2 {
    Apply,
    /// The run whose resets are undone.
    Restore(RunId),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReasonV2 {
    name: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedCardV2 {
    digest: Option<Digest>,
    generation: Option<Generation>,
    target: CardKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackedUpV2 {
    target: CardKey,
    digest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SetPurpose", rename_all = "kebab-case")]
enum SetPurposeV2 {
    Planned,
    Compensation,
}

/// End of a run.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Interrupted")]
pub(super) enum EndV1 {
    #[serde(rename = "complete")]
    No,
    #[serde(rename = "interrupted")]
    Yes,
}

/// Encodes a record as one JSON object on one line; the number counts the journal's records from 1.
pub fn encode_record(number: u32, record: &JournalRecord) -> Result<String, FormatError> {
    let line = JournalLine { format: FORMAT.text(), number, record };
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
    let JournalLineV2 { _format, number, record } =
        serde_json::from_str(json).map_err(FormatError::invalid)?;
    Ok((number, record))
}

fn record<S: Serializer>(record: &&JournalRecord, serializer: S) -> Result<S::Ok, S::Error> {
    RecordV2::serialize(record, serializer)
}

fn planned() -> SetPurpose {
    SetPurpose::Planned
}

fn is_planned(purpose: &SetPurpose) -> bool {
    *purpose == SetPurpose::Planned
}

impl Stored for (String, String) {
    type Form = ReasonV2;
}

impl From<&(String, String)> for ReasonV2 {
    fn from((name, reason): &(String, String)) -> Self {
        Self { name: name.clone(), reason: reason.clone() }
    }
}

impl From<ReasonV2> for (String, String) {
    fn from(ReasonV2 { name, reason }: ReasonV2) -> Self {
        (name, reason)
    }
}

impl Stored for PlannedCard {
    type Form = PlannedCardV2;
}

impl From<&PlannedCard> for PlannedCardV2 {
    fn from(PlannedCard { key, digest, generation }: &PlannedCard) -> Self {
        Self { digest: *digest, generation: generation.clone(), target: *key }
    }
}

impl From<PlannedCardV2> for PlannedCard {
    fn from(PlannedCardV2 { digest, generation, target }: PlannedCardV2) -> Self {
        Self { key: target, digest, generation }
    }
}

impl Stored for (CardKey, Option<Digest>) {
    type Form = BackedUpV2;
}

impl From<&(CardKey, Option<Digest>)> for BackedUpV2 {
    fn from((target, digest): &(CardKey, Option<Digest>)) -> Self {
        Self { target: *target, digest: *digest }
    }
}

impl From<BackedUpV2> for (CardKey, Option<Digest>) {
    fn from(BackedUpV2 { target, digest }: BackedUpV2) -> Self {
        (target, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_record_and_a_newer_one_are_told_apart() {
        let closed = JournalRecord::Closed { interrupted: Interrupted::No };
        let missing = decode_record(3, &encode_record(4, &closed).unwrap()).unwrap_err();
        assert_eq!(missing.to_string(), "record 3 is missing; record 4 stands in its place");
        let newer = decode_record(1, r#"{"format":"recard.journal/v4","number":1,"more":true}"#);
        assert!(matches!(newer, Err(FormatError::TooNew { found: 4, known: 3 })));
    }

    #[test]
    fn head_without_trust_as_version_1_wrote_it_is_read() {
        let header = RunHeader { trust: None, ..crate::records::samples::header(&[]) };
        let record = JournalRecord::Opened(header);
        let text = encode_record(1, &record).unwrap();
        assert!(!text.contains("trust"), "{text}");
        assert_eq!(decode_record(1, &text.replace("journal/v3", "journal/v1")).unwrap(), record);
        let unknown = text.replace("\"targets\":[]", "\"targets\":[],\"trust\":\"hearsay\"");
        assert!(matches!(decode_record(1, &unknown), Err(FormatError::Invalid(_))), "{unknown}");
    }

    #[test]
    fn unknown_field_is_refused() {
        let text = r#"{"format":"recard.journal/v1","number":1,"record":{"closed":{"end":"complete","more":1}}}"#;
        assert!(matches!(decode_record(1, text), Err(FormatError::Invalid(_))));
        assert!(decode_record(1, &text.replace(",\"more\":1", "")).is_ok());
    }
}
