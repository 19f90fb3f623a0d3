//! Content of the plan file of a restore.
//!
//! It is bound to the restored run, and to the digests of the present card and of the backup of
//! every card that it writes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::sealed_plan::{PlanContent, is_sorted};
use super::{PlanBinding, v1};
use crate::model::{CardKey, Digest, Layout, PersonName, PortalId, RunId, UserId};
use crate::records::FormatError;

/// Content of a restore plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestorePlanContent {
    /// The caller.
    pub caller: UserId,
    /// The caller's name, for display; may be empty.
    pub caller_name: String,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time from which it is refused.
    pub expires: Timestamp,
    /// Lines of the run's journal are lost, so that cards may be missing in the plan.
    pub incomplete: bool,
    /// The portal.
    pub portal: PortalId,
    /// The run whose removals are restored.
    pub run: RunId,
    /// The cards that were asked for, sorted by key, each key once.
    pub targets: Vec<RestorePlanTarget>,
}

/// Card of a restore plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestorePlanTarget {
    /// The decision.
    pub decision: PlannedRestore,
    /// The name of the person, for display; empty for common cards and nameless people.
    #[serde(with = "v1::name")]
    pub name: PersonName,
    /// The card.
    #[serde(rename = "target")]
    pub key: CardKey,
}

/// Decision about one card of a restore plan. Layouts are named by their digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PlannedRestore {
    /// The card is as it was before the run.
    AsBefore,
    /// The backup is missing or damaged; the text describes the damage.
    BackupUnusable(String),
    /// The card holds this newer layout, which stays.
    NewerKept(LayoutSummary),
    /// There is no backup: the reset was blind.
    NoBackup,
    /// The card is reset, because it was at its default before the run. This layout is removed.
    Reset(LayoutSummary),
    /// The layout of the backup is restored.
    Restore {
        /// The layout of the backup.
        backup: LayoutSummary,
        /// The present layout, which is overwritten; `None` if the card is at its default.
        over: Option<LayoutSummary>,
    },
    /// The card cannot be read, or the read cannot be trusted.
    Unreadable,
}

/// Digest and size of a layout, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayoutSummary {
    /// The digest of the canonical form.
    pub digest: Digest,
    /// The number of fields.
    pub fields: u32,
    /// The number of sections.
    pub sections: u32,
}

/// Number of cards of a restore plan by decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RestoreCounts {
    /// Cards that get the layout of their backup.
    pub restore: u32,
    /// Cards that are reset.
    pub reset: u32,
    /// Cards that are as they were before the run.
    pub keep: u32,
    /// Cards that are held.
    pub hold: u32,
}

impl RestorePlanContent {
    /// Iterates over the cards that the plan writes.
    pub fn actions(&self) -> impl Iterator<Item = &RestorePlanTarget> {
        self.targets.iter().filter(|target| target.decision.is_action())
    }

    /// Returns the number of cards by decision.
    pub fn counts(&self) -> RestoreCounts {
        let mut counts = RestoreCounts::default();
        for target in &self.targets {
            let count = match target.decision {
                PlannedRestore::Restore { .. } => &mut counts.restore,
                PlannedRestore::Reset(_) => &mut counts.reset,
                PlannedRestore::AsBefore => &mut counts.keep,
                PlannedRestore::NewerKept(_)
                | PlannedRestore::Unreadable
                | PlannedRestore::NoBackup
                | PlannedRestore::BackupUnusable(_) => &mut counts.hold,
            };
            *count += 1;
        }
        counts
    }

    /// Returns the card with this key.
    pub fn target(&self, key: CardKey) -> Option<&RestorePlanTarget> {
        let index = self.targets.binary_search_by_key(&key, |target| target.key).ok()?;
        self.targets.get(index)
    }
}

impl PlannedRestore {
    /// Returns `true` if the card is written.
    pub fn is_action(&self) -> bool {
        matches!(self, Self::Restore { .. } | Self::Reset(_))
    }

    /// Returns the present layout that a write replaces; `None` for a card at its default, and for
    /// one that is not written.
    pub fn replaced(&self) -> Option<Digest> {
        match self {
            Self::Restore { over, .. } => over.map(|layout| layout.digest),
            Self::Reset(layout) => Some(layout.digest),
            Self::AsBefore
            | Self::BackupUnusable(_)
            | Self::NewerKept(_)
            | Self::NoBackup
            | Self::Unreadable => None,
        }
    }

    /// Returns the present layout, as far as the plan names one.
    pub fn present(&self) -> Option<LayoutSummary> {
        match self {
            Self::Restore { over, .. } => *over,
            Self::Reset(layout) | Self::NewerKept(layout) => Some(*layout),
            Self::AsBefore | Self::BackupUnusable(_) | Self::NoBackup | Self::Unreadable => None,
        }
    }

    /// Returns the layout of the backup that is restored.
    pub fn backup(&self) -> Option<LayoutSummary> {
        match self {
            Self::Restore { backup, .. } => Some(*backup),
            _ => None,
        }
    }
}

impl From<&Layout> for LayoutSummary {
    fn from(layout: &Layout) -> Self {
        let (fields, sections) = (layout.fields(), layout.sections());
        Self { digest: layout.digest(), fields, sections }
    }
}

impl PlanContent for RestorePlanContent {
    const VERSION: u32 = 1;
    const NAME: &'static str = "restore-plan-file";

    fn binding(&self) -> PlanBinding<'_> {
        let (portal, caller) = (&self.portal, self.caller);
        PlanBinding { portal, caller, created: self.created, expires: self.expires }
    }

    fn check(&self) -> Result<(), FormatError> {
        let keys: Vec<CardKey> = self.targets.iter().map(|target| target.key).collect();
        if is_sorted(&keys) {
            Ok(())
        } else {
            Err(FormatError::invalid("its cards are not sorted, or one stands there twice"))
        }
    }
}
