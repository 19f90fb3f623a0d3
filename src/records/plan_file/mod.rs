//! Plan file: a reviewed plan that may be executed once.
//!
//! It is bound to a portal, to its caller, to the meaning of the manifests and to the digest of
//! every layout that it removes, and it expires. It holds no secret and no card content, so it may
//! be an artifact of a pipeline.
//!
//! The file is canonical JSON (RFC 8785) with a seal: the SHA-256 sum of all other fields in it.
//! The seal detects an edited file; it is not a signature, and does not detect a file that was
//! sealed anew. The plan's id is the digest of its content, without format, id and seal: a
//! reformatted file is the same plan, and counts as used.

mod v1;
mod violation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::sealed::{RecordFormat, canonical_digest, masked, seal_sorted, sorted_digest, unseal};
use super::{FormatError, stored};
use crate::model::{
    CardKey, Digest, Generation, GuardLimits, Layout, Origin, PersonName, PortalId, UserId,
};
use crate::plan::{Decision, KeepReason, Plan, PlanCounts, PlannedTarget, Removal, Violation};
use v1::CountsV1;

/// Version 2 names the kind in targets.
const FORMAT: RecordFormat = RecordFormat { name: "plan-file", version: 2 };

/// Tolerated difference of two machines' clocks.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Maximum lifetime of a plan.
pub const MAX_PLAN_AGE: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Plan file, read or to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// The id: the digest of the content.
    pub id: Digest,
    /// The content.
    pub content: PlanFileContent,
}

/// What a plan file says.
///
/// Fields are declared in the order of their names in the file, which is the order of the canonical
/// form: a file is written as it is sealed, one target after the other. A field in another place is
/// found by the reader, which sorts before it compares with the seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileContent {
    /// What would have stood against the plan, had a manifest not acknowledged it.
    #[serde(with = "stored::list")]
    pub acknowledged: Vec<Violation>,
    /// The violations that blocked the plan when it was made.
    #[serde(rename = "breaches", with = "stored::list")]
    pub violations: Vec<Violation>,
    /// The caller.
    pub caller: UserId,
    /// The caller's name, for display; may be empty.
    pub caller_name: String,
    /// The commit of the manifests, if it is known.
    pub commit: Option<String>,
    /// The number of targets by decision; `reset` is the number of `targets`.
    #[serde(with = "CountsV1")]
    pub counts: PlanCounts,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time from which it is refused.
    pub expires: Timestamp,
    /// The limits of the manifests. They are measured again at apply.
    #[serde(with = "stored")]
    pub limits: GuardLimits,
    /// The digest of the manifests' meaning.
    pub manifest: Digest,
    /// The manifests.
    pub manifests: Vec<PlanManifest>,
    /// The cards at their default with mode `once`: no request is sent for them, they are only
    /// marked in the ledger. Sorted by key, and none of them stands in `targets`.
    pub marks: Vec<PlanFileMark>,
    /// The portal.
    pub portal: PortalId,
    /// The people whom each manifest selects, sorted, by the name of the manifest.
    #[serde(with = "stored")]
    pub selected: BTreeMap<Arc<str>, Vec<UserId>>,
    /// The cards to be reset, sorted by key, each key once.
    pub targets: Vec<PlanFileTarget>,
}

/// Manifest of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanManifest {
    /// The file, as it was named on the command line.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Its reason.
    pub reason: String,
}

/// Reset of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileTarget {
    /// The names of the other manifests that select it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<Arc<str>>,
    /// The content that the reset removes.
    #[serde(rename = "decision")]
    pub removal: PlannedRemoval,
    /// The once key of the reset, in mode `once`.
    pub generation: Option<Generation>,
    /// The name of the person, for display; empty for common cards and nameless people.
    #[serde(with = "v1::name")]
    pub name: PersonName,
    /// The origin in the manifests, for display.
    #[serde(with = "stored")]
    pub origin: Origin,
    /// The card.
    #[serde(rename = "target")]
    pub key: CardKey,
}

/// Target that is only marked in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileMark {
    /// The once key.
    pub generation: Generation,
    /// The origin in the manifests, for display.
    #[serde(with = "stored")]
    pub origin: Origin,
    /// The card.
    #[serde(rename = "target")]
    pub key: CardKey,
}

/// Content that a planned reset removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PlannedRemoval {
    /// The layout with this digest, and no other.
    #[serde(rename = "reset")]
    Layout(Digest),
    /// Unknown content: a blind reset.
    #[serde(rename = "reset-blind")]
    Unread,
}

/// A plan file that is written.
#[derive(Serialize)]
struct SealedPlanFile<'a> {
    format: String,
    id: Digest,
    plan: &'a PlanFileContent,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<Digest>,
}

/// A plan file that was unsealed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnsealedPlanFile {
    id: Digest,
    plan: Value,
}

/// Error: bytes are not a usable plan file.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// The bytes are not JSON: truncated, empty or another kind of file.
    #[error("{}", tr!("this is not a plan file: it is not JSON"))]
    NotJson(#[source] serde_json::Error),
    /// The JSON is not a plan file.
    #[error("{}", tr!("this is not a plan file: its field `format` does not say recard.plan-file"))]
    NotAPlanFile,
    /// A newer recard wrote it.
    #[error("{}", tr!("a newer recard wrote this plan file (version {found}; this one knows versions up to {known})", found, known))]
    TooNew {
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// The file was changed after it was written.
    #[error("{}", tr!("the plan file was changed after it was written: its content does not fit its seal"))]
    Tampered,
    /// The seal fits, but the content is invalid.
    #[error("{}", tr!("the plan file makes no sense: {what}", what = .0))]
    Invalid(String),
}

impl PlanFile {
    /// Gives content its id. Known secrets in it are covered.
    ///
    /// # Errors
    ///
    /// If the content contradicts itself: unsorted targets, a wrong count, an end before the
    /// beginning.
    pub fn new(content: PlanFileContent) -> Result<Self, FormatError> {
        let content = content.masked()?;
        content.check()?;
        let id = sorted_digest(&content)?;
        Ok(Self { id, content })
    }

    /// Returns the bytes of a new file. The id of a file that was read is the digest of its own
    /// text, which an earlier version may have written.
    ///
    /// # Errors
    ///
    /// If JSON cannot hold it; values of recard always fit.
    pub fn encode(&self) -> Result<Vec<u8>, FormatError> {
        let Self { id, content: plan } = self;
        seal_sorted(|seal| SealedPlanFile { format: FORMAT.text(), id: *id, plan, seal })
    }

    /// Decodes a file. The caller checks portal, caller, expiry and use.
    ///
    /// # Errors
    ///
    /// If it is not a sealed plan file, of a newer version, changed since it was written, or has
    /// invalid content.
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanFileError> {
        let UnsealedPlanFile { id, plan } = unseal(FORMAT, bytes)?;
        // The id is of the text that stands there: earlier versions wrote targets in another form.
        if id != canonical_digest(&plan)? {
            return Err(PlanFileError::Tampered);
        }
        let content: PlanFileContent =
            serde_json::from_value(plan).map_err(FormatError::invalid)?;
        content.check()?;
        Ok(Self { id, content })
    }
}

impl PlanFileContent {
    /// Returns the content with its known secrets covered: the id must be that of the written
    /// content.
    fn masked(self) -> Result<Self, FormatError> {
        let json = serde_json::to_vec(&self).map_err(FormatError::not_writable)?;
        match masked(&json) {
            None => Ok(self),
            Some(masked) => serde_json::from_str(&masked).map_err(FormatError::not_writable),
        }
    }

    /// Returns `true` if the plan is too old to be executed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// Returns `true` if the plan comes from a clock that is ahead by more than the tolerated
    /// difference.
    pub fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.created > now.saturating_add(MAX_CLOCK_SKEW).unwrap_or(now)
    }

    /// Returns `true` if the plan's lifetime exceeds the maximum.
    pub fn lasts_too_long(&self) -> bool {
        self.expires.duration_since(self.created) > MAX_PLAN_AGE
    }

    /// Returns the layout of a target that may be removed; `None` for a blind reset and for a card
    /// that is not a target.
    pub fn digest_of(&self, key: CardKey) -> Option<Digest> {
        let index = self.targets.binary_search_by_key(&key, |target| target.key).ok()?;
        match self.targets.get(index)?.removal {
            PlannedRemoval::Layout(digest) => Some(digest),
            PlannedRemoval::Unread => None,
        }
    }

    /// Checks the invariants that a reader relies on.
    fn check(&self) -> Result<(), FormatError> {
        let target_keys: Vec<CardKey> = self.targets.iter().map(|target| target.key).collect();
        let mark_keys: Vec<CardKey> = self.marks.iter().map(|mark| mark.key).collect();
        if !is_sorted(&target_keys) || !is_sorted(&mark_keys) {
            return Err(FormatError::invalid(
                "its targets are not sorted, or one stands there twice",
            ));
        }
        if mark_keys.iter().any(|key| target_keys.binary_search(key).is_ok()) {
            return Err(FormatError::invalid(
                "it resets a target and says that there is nothing to do for it",
            ));
        }
        if u32::try_from(self.targets.len()) != Ok(self.counts.reset) {
            return Err(FormatError::invalid("it does not count as many resets as it has targets"));
        }
        if self.expires < self.created {
            return Err(FormatError::invalid("it expires before it was made"));
        }
        Ok(())
    }
}

/// Returns the targets of a plan for its file: those to be reset, and those that are only marked.
pub fn plan_file_targets(plan: &Plan) -> (Vec<PlanFileTarget>, Vec<PlanFileMark>) {
    let (mut targets, mut marks) = (Vec::new(), Vec::new());
    for PlannedTarget { key, decision, generation, once: _, origin } in &plan.targets {
        let removal = match decision {
            Decision::Reset(Removal::Layout(layout)) => {
                PlannedRemoval::Layout(Layout::digest(layout))
            }
            Decision::Reset(Removal::Unread) => PlannedRemoval::Unread,
            Decision::Keep(KeepReason::AtDefault | KeepReason::CommonDefault) => {
                let origin = Origin::clone(origin);
                marks.extend(generation.clone().map(|generation| PlanFileMark {
                    key: *key,
                    generation,
                    origin,
                }));
                continue;
            }
            Decision::Keep(KeepReason::AlreadyReset(_) | KeepReason::CustomizedAgain(_))
            | Decision::Hold(_) => continue,
        };
        targets.push(PlanFileTarget {
            key: *key,
            removal,
            generation: generation.clone(),
            origin: Origin::clone(origin),
            name: PersonName::new(plan.person_name(*key), ""),
            also: plan.shared.get(key).cloned().unwrap_or_default(),
        });
    }
    (targets, marks)
}

fn is_sorted(keys: &[CardKey]) -> bool {
    keys.iter().zip(keys.iter().skip(1)).all(|(one, next)| one < next)
}

impl From<FormatError> for PlanFileError {
    fn from(problem: FormatError) -> Self {
        match problem {
            FormatError::NotJson(source) => Self::NotJson(source),
            FormatError::OtherFormat { .. } => Self::NotAPlanFile,
            FormatError::TooNew { found, known } => Self::TooNew { found, known },
            FormatError::Altered(_) => Self::Tampered,
            FormatError::Invalid(problem) | FormatError::NotWritable(problem) => {
                Self::Invalid(problem)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    fn bytes() -> Vec<u8> {
        PlanFile::new(samples::plan()).unwrap().encode().unwrap()
    }

    #[test]
    fn an_edited_plan_file_is_found_whatever_was_edited() {
        let text = String::from_utf8(bytes()).unwrap();
        for (old, new) in [
            ("personal/7/lead/simple", "personal/8/lead/simple"),
            ("company.bitrix24.com", "company.bitrix24.eu"),
            ("2026-11-02T09:00:00Z", "2027-11-02T09:00:00Z"),
            ("\"people\":30", "\"people\":31"),
        ] {
            let edited = text.replace(old, new);
            assert_ne!(edited, text, "{old}");
            assert!(
                matches!(PlanFile::parse(edited.as_bytes()), Err(PlanFileError::Tampered)),
                "{old}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_gives_an_error_or_the_same_plan() {
        let plan = samples::plan();
        samples::flip_every_bit(&bytes(), |damaged| {
            if let Ok(read) = PlanFile::parse(damaged) {
                assert_eq!(read.content, plan);
            }
        });
    }

    #[test]
    fn a_plan_file_cut_anywhere_is_no_plan_file() {
        let bytes = bytes();
        // Without its last line end the file is still complete.
        for cut in 0..bytes.len() - 1 {
            assert!(PlanFile::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn other_files_are_told_what_they_are() {
        let told = |text: &str| PlanFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(told(""), "this is not a plan file: it is not JSON");
        assert_eq!(told("spec:\n  portal: x\n"), "this is not a plan file: it is not JSON");
        assert_eq!(
            told("{}"),
            "this is not a plan file: its field `format` does not say recard.plan-file"
        );
        let newer = told(r#"{"format":"recard.plan-file/v3"}"#);
        assert_eq!(
            newer,
            "a newer recard wrote this plan file (version 3; this one knows versions up to 2)"
        );
    }

    #[test]
    fn a_plan_file_laid_out_anew_is_the_same_plan() {
        let value: serde_json::Value = serde_json::from_slice(&bytes()).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        assert_eq!(PlanFile::parse(&pretty).unwrap(), PlanFile::new(samples::plan()).unwrap());
    }

    #[test]
    fn a_plan_that_contradicts_itself_is_neither_written_nor_read() {
        let mut twice = samples::plan();
        twice.targets = vec![twice.targets[0].clone(), twice.targets[0].clone()];
        twice.counts.reset = 2;
        let mut miscounted = samples::plan();
        miscounted.counts.reset += 1;
        let mut backwards = samples::plan();
        backwards.expires = backwards.created - std::time::Duration::from_secs(1);
        let mut both = samples::plan();
        both.marks[0].key = both.targets[0].key;
        for content in [twice, miscounted, backwards, both] {
            assert!(PlanFile::new(content).is_err());
        }
    }

    #[test]
    fn a_plan_from_a_clock_that_is_far_ahead_is_not_believed() {
        let plan = samples::plan();
        assert!(!plan.is_from_the_future(plan.created));
        assert!(!plan.is_from_the_future(plan.created - MAX_CLOCK_SKEW));
        assert!(
            plan.is_from_the_future(plan.created - MAX_CLOCK_SKEW - SignedDuration::from_nanos(1))
        );
    }

    #[test]
    fn a_plan_is_expired_from_its_last_moment_on() {
        let plan = samples::plan();
        assert!(!plan.is_expired(plan.created));
        assert!(!plan.is_expired(plan.expires - std::time::Duration::from_nanos(1)));
        assert!(plan.is_expired(plan.expires));
    }
}
