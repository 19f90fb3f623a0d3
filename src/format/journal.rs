//! The records of a run's journal.

use serde::{Deserialize, Serialize};

use super::outcome::OutcomeForm;
use super::{FormatError, parsed};
use crate::model::{CardKey, Digest, Generation};
use crate::port::{Interrupted, JournalRecord, PlannedCard, RunHeader, RunPurpose};

/// The version that stands in a journal's first record.
pub const JOURNAL_VERSION: u32 = 1;

/// One record with its number, which tells a line that is missing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbered {
    n: usize,
    record: RecordForm,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum RecordForm {
    Opened(Box<HeaderForm>),
    Intent { targets: Vec<TargetForm> },
    SetIntent { target: String, digest: String },
    Settled { target: String, result: OutcomeForm },
    Closed { interrupted: bool },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeaderForm {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore_of: Option<String>,
    portal: String,
    caller: String,
    actor: String,
    manifest: Option<String>,
    commit: Option<String>,
    reasons: Vec<(String, String)>,
    targets: Vec<PlannedForm>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetForm {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlannedForm {
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
}

/// A record as one JSON object on one line; the number counts the journal's records from 0.
pub fn encode_record(number: usize, record: &JournalRecord) -> String {
    let numbered = Numbered { n: number, record: record.into() };
    // The forms hold texts, numbers and lists only, which JSON can always write.
    serde_json::to_string(&numbered).unwrap_or_default()
}

/// The record of a line.
///
/// # Errors
///
/// If the line is not a record with this number, or was written by a newer recard.
pub fn decode_record(number: usize, json: &str) -> Result<JournalRecord, FormatError> {
    if number == 0 {
        check_version(json)?;
    }
    let Numbered { n, record } = serde_json::from_str(json).map_err(FormatError::damaged)?;
    if n != number {
        return Err(FormatError::Damaged(format!("record {number} is missing; record {n} stands in its place")));
    }
    record.try_into()
}

/// Looks at the version alone, so that a newer journal is called newer and not damaged.
fn check_version(json: &str) -> Result<(), FormatError> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(FormatError::damaged)?;
    let version = value.pointer("/record/opened/version").and_then(serde_json::Value::as_u64);
    match version.and_then(|version| u32::try_from(version).ok()) {
        Some(version) if version <= JOURNAL_VERSION => Ok(()),
        Some(found) => Err(FormatError::TooNew { found, known: JOURNAL_VERSION }),
        None => Err(FormatError::Damaged("the journal does not begin with a run's header".into())),
    }
}

impl From<&JournalRecord> for RecordForm {
    fn from(record: &JournalRecord) -> Self {
        match record {
            JournalRecord::Opened(header) => Self::Opened(Box::new(header.into())),
            JournalRecord::Intent { targets } => {
                let form = |(key, digest): &(CardKey, Option<Digest>)| TargetForm {
                    target: key.to_string(),
                    digest: digest.map(|digest| digest.to_string()),
                };
                Self::Intent { targets: targets.iter().map(form).collect() }
            }
            JournalRecord::SetIntent { target, digest } => {
                Self::SetIntent { target: target.to_string(), digest: digest.to_string() }
            }
            JournalRecord::Settled { target, outcome } => {
                Self::Settled { target: target.to_string(), result: outcome.into() }
            }
            JournalRecord::Closed { interrupted } => Self::Closed { interrupted: *interrupted == Interrupted::Yes },
        }
    }
}

impl From<&RunHeader> for HeaderForm {
    fn from(header: &RunHeader) -> Self {
        let RunHeader { purpose, portal, caller, actor, manifest, commit, reasons, targets } = header;
        let planned = |PlannedCard { key, digest, generation }: &PlannedCard| PlannedForm {
            target: key.to_string(),
            digest: digest.map(|digest| digest.to_string()),
            generation: generation.as_ref().map(ToString::to_string),
        };
        Self {
            version: JOURNAL_VERSION,
            restore_of: match purpose {
                RunPurpose::Apply => None,
                RunPurpose::Restore(run) => Some(run.to_string()),
            },
            portal: portal.to_string(),
            caller: caller.to_string(),
            actor: actor.clone(),
            manifest: manifest.map(|digest| digest.to_string()),
            commit: commit.clone(),
            reasons: reasons.clone(),
            targets: targets.iter().map(planned).collect(),
        }
    }
}

impl TryFrom<RecordForm> for JournalRecord {
    type Error = FormatError;

    fn try_from(form: RecordForm) -> Result<Self, FormatError> {
        Ok(match form {
            RecordForm::Opened(header) => Self::Opened((*header).try_into()?),
            RecordForm::Intent { targets } => {
                let read = |TargetForm { target, digest }: TargetForm| {
                    Ok((parsed(&target)?, digest.as_deref().map(parsed).transpose()?))
                };
                Self::Intent { targets: targets.into_iter().map(read).collect::<Result<_, FormatError>>()? }
            }
            RecordForm::SetIntent { target, digest } => {
                Self::SetIntent { target: parsed(&target)?, digest: parsed(&digest)? }
            }
            RecordForm::Settled { target, result } => {
                Self::Settled { target: parsed(&target)?, outcome: result.try_into()? }
            }
            RecordForm::Closed { interrupted } => {
                Self::Closed { interrupted: if interrupted { Interrupted::Yes } else { Interrupted::No } }
            }
        })
    }
}

impl TryFrom<HeaderForm> for RunHeader {
    type Error = FormatError;

    fn try_from(form: HeaderForm) -> Result<Self, FormatError> {
        let HeaderForm { version: _, restore_of, portal, caller, actor, manifest, commit, reasons, targets } = form;
        let planned = |PlannedForm { target, digest, generation }: PlannedForm| {
            Ok(PlannedCard {
                key: parsed(&target)?,
                digest: digest.as_deref().map(parsed).transpose()?,
                generation: generation.as_deref().map(read_generation).transpose()?,
            })
        };
        Ok(Self {
            purpose: match restore_of {
                None => RunPurpose::Apply,
                Some(run) => RunPurpose::Restore(parsed(&run)?),
            },
            portal: parsed(&portal)?,
            caller: parsed(&caller)?,
            actor,
            manifest: manifest.as_deref().map(parsed).transpose()?,
            commit,
            reasons,
            targets: targets.into_iter().map(planned).collect::<Result<_, FormatError>>()?,
        })
    }
}

pub(super) fn read_generation(text: &str) -> Result<Generation, FormatError> {
    Generation::new(text).ok_or_else(|| FormatError::Damaged(format!("{text:?} is no generation")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{LeadCustomerType, Outcome, PortalId, RunId, UserId};

    fn keys() -> impl Strategy<Value = CardKey> {
        (0_u64..=2_147_483_646, prop::bool::ANY).prop_map(|(id, simple)| {
            let lead = if simple { LeadCustomerType::Simple } else { LeadCustomerType::Repeat };
            UserId::new(id).map_or_else(|_| CardKey::common(lead), |user| CardKey::personal(user, lead))
        })
    }

    fn digests() -> impl Strategy<Value = Digest> {
        any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes))
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        let plain = [
            Outcome::Reset,
            Outcome::ResetBlind,
            Outcome::AlreadyDefault,
            Outcome::Changed,
            Outcome::PutBack,
            Outcome::Restored,
            Outcome::NewerKept,
            Outcome::StillCustomised,
        ];
        prop_oneof![
            prop::sample::select(plain.to_vec()),
            any::<String>().prop_map(Outcome::RestoredInPart),
            any::<String>().prop_map(Outcome::Lost),
            any::<String>().prop_map(Outcome::Unknown),
            any::<String>().prop_map(Outcome::NotAttempted),
            (any::<String>(), any::<String>()).prop_map(|(code, message)| Outcome::Refused { code, message }),
        ]
    }

    fn headers() -> impl Strategy<Value = RunHeader> {
        let planned = (keys(), prop::option::of(digests()), prop::option::of("[a-z0-9._-]{1,8}"));
        (prop::bool::ANY, any::<String>(), prop::option::of(digests()), prop::collection::vec(planned, 0..5)).prop_map(
            |(apply, text, manifest, targets)| RunHeader {
                purpose: if apply {
                    RunPurpose::Apply
                } else {
                    RunPurpose::Restore(RunId::new("20261101T090000Z", 7).unwrap())
                },
                portal: PortalId::new("company.bitrix24.com").unwrap(),
                caller: UserId::new(7).unwrap(),
                actor: text.clone(),
                manifest,
                commit: Some(text.clone()),
                reasons: vec![(text.clone(), text)],
                targets: targets
                    .into_iter()
                    .map(|(key, digest, generation)| PlannedCard {
                        key,
                        digest,
                        generation: generation.map(|name| Generation::new(&name).unwrap()),
                    })
                    .collect(),
            },
        )
    }

    fn records() -> impl Strategy<Value = JournalRecord> {
        prop_oneof![
            headers().prop_map(JournalRecord::Opened),
            prop::collection::vec((keys(), prop::option::of(digests())), 0..4)
                .prop_map(|targets| JournalRecord::Intent { targets }),
            (keys(), digests()).prop_map(|(target, digest)| JournalRecord::SetIntent { target, digest }),
            (keys(), outcomes()).prop_map(|(target, outcome)| JournalRecord::Settled { target, outcome }),
            Just(JournalRecord::Closed { interrupted: Interrupted::Yes }),
            Just(JournalRecord::Closed { interrupted: Interrupted::No }),
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(record in records(), number in 1_usize..9) {
            let json = encode_record(number, &record);
            prop_assert!(!json.contains('\n'));
            prop_assert_eq!(decode_record(number, &json).unwrap(), record);
        }
    }

    #[test]
    fn a_missing_record_and_a_newer_journal_are_told_apart() {
        let closed = JournalRecord::Closed { interrupted: Interrupted::No };
        let missing = decode_record(3, &encode_record(4, &closed)).unwrap_err();
        assert_eq!(missing.to_string(), "record 3 is missing; record 4 stands in its place");
        let newer = r#"{"n":0,"record":{"opened":{"version":2,"more":true}}}"#;
        assert_eq!(decode_record(0, newer), Err(FormatError::TooNew { found: 2, known: 1 }));
    }
}
