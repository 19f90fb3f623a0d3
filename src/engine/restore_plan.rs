//! Works out what it takes to put back what a run removed: from its journal, and from what stands
//! there now.
//!
//! Pure. What the run changed is read from its journal; a card that somebody has arranged anew
//! since stays as it is, unless the caller says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::i18n::english;
use crate::model::{
    CardKey, CardState, Digest, Layout, LeadCustomerType, Observed, RunId, Snapshot,
    UnreadableReason,
};
use crate::ports::{
    Archive, JournalRecord, PlannedCard, RunHeader, RunPurpose, SetPurpose, StoreError,
};

/// Whether a layout that is newer than the backup may be overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewerLayouts {
    /// No: somebody has arranged the card anew, and that stays.
    #[default]
    Keep,
    /// Yes. The newer layout is backed up first.
    Overwrite,
}

/// What is to happen with one target of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreDecision {
    /// This layout is put back.
    Restore {
        /// The layout of the backup.
        wanted: Layout,
        /// What stands there now, and is overwritten; nothing if the card is at its default.
        over: Option<Layout>,
    },
    /// The card is reset, because it was at its default before the run that is being undone.
    Remove(Layout),
    /// The card is as it was before the run.
    AsBefore,
    /// The card holds a newer layout, which stays.
    NewerKept(Layout),
    /// The card cannot be read, or the read cannot be believed.
    Unreadable(UnreadableReason),
    /// There is no backup: the reset was blind.
    NoBackup,
    /// The backup is missing or damaged; the text says how.
    BackupUnusable(String),
}

/// One target of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreTarget {
    /// The card.
    pub key: CardKey,
    /// What is to happen.
    pub decision: RestoreDecision,
}

/// All decisions of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestorePlan {
    /// The run whose removals are put back.
    pub restored_run: RunId,
    /// The decisions, sorted by target.
    pub targets: Vec<RestoreTarget>,
    /// The layouts that stand in for everybody without a card of their own.
    pub common_defaults: BTreeMap<LeadCustomerType, Layout>,
}

impl RestorePlan {
    /// The layout that the portal shows in place of a card that is at its default, if one is set
    /// for everybody.
    pub fn common_default(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.common_defaults.get(&key.lead))
    }

    /// The targets that the portal is written to for.
    pub fn actions(&self) -> impl Iterator<Item = &RestoreTarget> {
        self.targets.iter().filter(|target| {
            matches!(target.decision, RestoreDecision::Restore { .. } | RestoreDecision::Remove(_))
        })
    }

    /// The targets as the header of the restore's own journal names them, each with what stands
    /// there now.
    pub fn planned_cards(&self) -> Vec<PlannedCard> {
        let planned = |target: &RestoreTarget| {
            let digest = match &target.decision {
                RestoreDecision::Restore { over, .. } => over.as_ref().map(Layout::digest),
                RestoreDecision::Remove(layout) => Some(layout.digest()),
                _ => None,
            };
            PlannedCard { key: target.key, digest, generation: None }
        };
        self.actions().map(planned).collect()
    }
}

/// Why a restore could not be planned.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The journal does not begin as every journal of recard does.
    #[error("{}", tr!("the journal does not begin with a run's header"))]
    NoHeader,
}

/// What a run removed, and what would have to be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordedPreImage {
    /// This layout, which a backup holds.
    Layout(Digest),
    /// Nothing: it was at its default.
    Empty,
    /// The reset was blind.
    NotKnown,
}

/// What a run did to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CardChange {
    before: RecordedPreImage,
    /// The layout that it left there; nothing if it reset the card. Any other that stands there now
    /// is newer.
    left: Option<Digest>,
}

/// The targets that a run has changed, sorted: what a restore of it can put back.
///
/// # Errors
///
/// If the journal has no header.
pub fn restorable(records: &[JournalRecord]) -> Result<Vec<CardKey>, RestoreError> {
    Ok(card_changes(records)?.into_keys().collect())
}

/// The layouts that it takes to undo a run, each with its card, sorted: what must be among its
/// backups.
///
/// # Errors
///
/// If the journal has no header.
pub fn needed_backups(records: &[JournalRecord]) -> Result<Vec<(CardKey, Digest)>, RestoreError> {
    let needed = card_changes(records)?.into_iter().filter_map(|(key, card_changes)| {
        match card_changes.before {
            RecordedPreImage::Layout(digest) => Some((key, digest)),
            RecordedPreImage::Empty | RecordedPreImage::NotKnown => None,
        }
    });
    Ok(needed.collect())
}

/// What each card that the run has sent a write for held before, and what the run left there. The
/// intents decide, and not the outcomes: a report can be wrong about a request whose answer was
/// lost.
fn card_changes(records: &[JournalRecord]) -> Result<BTreeMap<CardKey, CardChange>, RestoreError> {
    let Some(JournalRecord::Opened(RunHeader { purpose, targets, .. })) = records.first() else {
        return Err(RestoreError::NoHeader);
    };
    let restored = match purpose {
        RunPurpose::Apply => false,
        RunPurpose::Restore(_) => true,
    };
    let planned: BTreeMap<CardKey, Option<Digest>> =
        targets.iter().map(|target| (target.key, target.digest)).collect();
    let mut card_changes = BTreeMap::new();
    let mut reset = BTreeSet::new();
    for record in records {
        match record {
            JournalRecord::Intent { targets } => {
                reset.extend(targets.iter().map(|(key, _)| *key));
                card_changes.extend(targets.iter().map(|(key, digest)| {
                    (
                        *key,
                        CardChange {
                            before: digest
                                .map_or(RecordedPreImage::NotKnown, RecordedPreImage::Layout),
                            left: None,
                        },
                    )
                }));
            }
            JournalRecord::SetIntent { target, digest, purpose: SetPurpose::Planned }
                if restored && !reset.contains(target) =>
            {
                let over = planned.get(target).copied().flatten();
                let before = over.map_or(RecordedPreImage::Empty, RecordedPreImage::Layout);
                card_changes.insert(*target, CardChange { before, left: Some(*digest) });
            }
            // The write hit a newer layout than the one of the plan; that one is what the person
            // lost.
            JournalRecord::SetIntent { target, digest, .. } => {
                let left = card_changes
                    .get(target)
                    .and_then(|card_changes: &CardChange| card_changes.left);
                card_changes.insert(
                    *target,
                    CardChange { before: RecordedPreImage::Layout(*digest), left },
                );
            }
            JournalRecord::Opened(_)
            | JournalRecord::Completed { .. }
            | JournalRecord::Closed { .. } => {}
        }
    }
    Ok(card_changes)
}

/// Works out what it takes to put back what a run removed, for those of its targets that the
/// snapshot holds.
///
/// # Errors
///
/// If the journal has no header.
pub fn plan_restore<A: Archive>(
    of: &RunId,
    records: &[JournalRecord],
    archive: &A,
    snapshot: &Snapshot,
    newer: NewerLayouts,
) -> Result<RestorePlan, RestoreError> {
    let mut targets = Vec::new();
    for (key, CardChange { before, left }) in card_changes(records)? {
        let Some(observed) = snapshot.card(key) else { continue };
        let stays = |layout: &Layout| newer == NewerLayouts::Keep && left != Some(layout.digest());
        let decision = match (before, observed) {
            (RecordedPreImage::NotKnown, _) => RestoreDecision::NoBackup,
            (_, Observed::Unreadable(reason)) => RestoreDecision::Unreadable(reason.clone()),
            (RecordedPreImage::Layout(digest), Observed::Known(CardState::Customized(layout)))
                if layout.digest() == digest =>
            {
                RestoreDecision::AsBefore
            }
            (
                RecordedPreImage::Empty,
                Observed::Known(CardState::Default | CardState::CommonDefault),
            ) => RestoreDecision::AsBefore,
            (_, Observed::Known(CardState::Customized(layout))) if stays(layout) => {
                RestoreDecision::NewerKept(layout.clone())
            }
            (RecordedPreImage::Empty, Observed::Known(CardState::Customized(layout))) => {
                RestoreDecision::Remove(layout.clone())
            }
            (RecordedPreImage::Layout(digest), Observed::Known(state)) => match archive
                .backup(of, key, digest)
            {
                Ok(wanted) => RestoreDecision::Restore { wanted, over: state.layout().cloned() },
                // One damaged backup is no reason to leave the others where they are.
                Err(problem) => RestoreDecision::BackupUnusable(message(&problem)),
            },
        };
        targets.push(RestoreTarget { key, decision });
    }
    Ok(RestorePlan {
        restored_run: of.clone(),
        targets,
        common_defaults: snapshot.common_defaults.clone(),
    })
}

/// A problem with its cause, in one line.
fn message(problem: &StoreError) -> String {
    match problem {
        StoreError::Io { source, .. } => format!("{}: {source}", english(problem)),
        other => english(other),
    }
}
