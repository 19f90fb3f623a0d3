//! Content of the plan file of an apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::PlanBinding;
use super::sealed_plan::{PlanContent, is_sorted};
use super::v1::{self, CountsV1};
use crate::model::{
    CardKey, Digest, Generation, GuardLimits, KindNames, Layout, Origin, PersonName, PortalId,
    UserId,
};
use crate::plan::{Decision, KeepReason, Plan, PlanCounts, PlannedTarget, Removal, Violation};
use crate::records::{FormatError, stored};

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
    /// The names of the kinds of cards, for display; none for leads.
    #[serde(default, with = "stored", skip_serializing_if = "KindNames::is_empty")]
    pub kinds: KindNames,
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
    /// `true` if the run was narrowed: the manifests select more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub narrowed: bool,
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

impl PlanFileContent {
    /// Returns the layout of a target that may be removed; `None` for a blind reset and for a card
    /// that is not a target.
    pub fn digest_of(&self, key: CardKey) -> Option<Digest> {
        let index = self.targets.binary_search_by_key(&key, |target| target.key).ok()?;
        match self.targets.get(index)?.removal {
            PlannedRemoval::Layout(digest) => Some(digest),
            PlannedRemoval::Unread => None,
        }
    }
}

impl PlanContent for PlanFileContent {
    /// Version 2 names the kind in targets.
    const VERSION: u32 = 2;
    const NAME: &'static str = "plan-file";

    fn binding(&self) -> PlanBinding<'_> {
        let (portal, caller) = (&self.portal, self.caller);
        PlanBinding { portal, caller, created: self.created, expires: self.expires }
    }

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
