//! Planner of restores: from the journal of a run and the present cards to decisions.
//!
//! Pure. The changes of the run are read from its journal; a card that was customized again since
//! stays as it is, unless the caller says otherwise.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::i18n::{Text, english};
use crate::model::{
    CardKey, CardKind, CardState, Digest, Layout, Observed, Outcome, ReadTrust, RunId, Snapshot,
    UnreadableReason,
};
use crate::plan::SetForm;
use crate::ports::{
    Archive, JournalRecord, PlannedCard, RunHeader, RunPurpose, SetPurpose, StoreError,
};

/// Rule for layouts that are newer than the backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewerLayouts {
    /// Newer layouts stay.
    #[default]
    Keep,
    /// Newer layouts are backed up and overwritten.
    Overwrite,
}

/// Decision about one target of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreDecision {
    /// The layout is restored.
    Restore {
        /// The layout of the backup.
        wanted: Layout,
        /// The present layout, which is overwritten; `None` if the card is at its default.
        over: Option<Layout>,
    },
    /// The card is reset, because it was at its default before the restored run.
    Remove(Layout),
    /// The card is as it was before the run.
    AsBefore,
    /// The card holds a newer layout, which stays.
    NewerKept(Layout),
    /// The card cannot be read, or the read cannot be trusted.
    Unreadable(UnreadableReason),
    /// There is no backup: the reset was blind.
    NoBackup,
    /// The backup is missing or damaged; the text describes the damage.
    BackupUnusable(String),
}

/// Target of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreTarget {
    /// The card.
    pub key: CardKey,
    /// The decision.
    pub decision: RestoreDecision,
}

/// Decisions of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestorePlan {
    /// The run whose removals are restored.
    pub restored_run: RunId,
    /// The trust in the reads behind it.
    pub trust: ReadTrust,
    /// The decisions, sorted by target.
    pub targets: Vec<RestoreTarget>,
    /// The common defaults.
    pub common_defaults: BTreeMap<CardKind, Layout>,
}

impl RestorePlan {
    /// Returns the common default that the portal shows in place of a card, if there is one.
    pub fn common_default(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.common_defaults.get(&key.kind))
    }

    /// Iterates over the targets with a write.
    pub fn actions(&self) -> impl Iterator<Item = &RestoreTarget> {
        self.targets.iter().filter(|target| {
            matches!(target.decision, RestoreDecision::Restore { .. } | RestoreDecision::Remove(_))
        })
    }

    /// Returns the targets for the header of the restore's own journal, each with its present
    /// layout.
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

/// Error: a restore could not be planned.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The journal does not begin with the header of a run.
    #[error("{}", no_header())]
    NoHeader,
}

/// Returns the message that the first record of a journal is not the header of its run.
pub(super) fn no_header() -> Text {
    tr!("the journal does not begin with a run's header")
}

/// Layout before the run, according to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordedPreImage {
    /// This layout, which a backup holds.
    Layout(Digest),
    /// No layout: the card was at its default.
    Empty,
    /// The reset was blind.
    NotKnown,
}

/// Change of a card by a run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CardChange {
    before: RecordedPreImage,
    /// The layouts that the run stored there; none after a reset. Any other present layout is
    /// newer.
    left: Vec<Digest>,
    /// The portal may have kept a part of them.
    in_part: bool,
}

/// Returns the targets that a run has changed, sorted: those that a restore of it covers.
///
/// # Errors
///
/// If the journal has no header.
pub fn restorable(records: &[JournalRecord]) -> Result<Vec<CardKey>, RestoreError> {
    Ok(card_changes(records)?.into_keys().collect())
}

/// Returns the layouts that a restore of a run needs, each with its card, sorted: they must be
/// among its backups.
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

/// Returns the earlier layout of each card with a write of the run, and the layout that the run
/// left there. The intents decide, and not the outcomes: a report can be wrong about a request
/// whose answer was lost.
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
                            left: Vec::new(),
                            in_part: true,
                        },
                    )
                }));
            }
            JournalRecord::SetIntent { target, digest, purpose: SetPurpose::Planned }
                if restored && !reset.contains(target) =>
            {
                let over = planned.get(target).copied().flatten();
                let before = over.map_or(RecordedPreImage::Empty, RecordedPreImage::Layout);
                card_changes
                    .insert(*target, CardChange { before, left: vec![*digest], in_part: true });
            }
            // The write hit a newer layout than the one of the plan; that one is the person's loss.
            JournalRecord::SetIntent { target, digest, .. } => {
                let mut left = card_changes
                    .remove(target)
                    .map_or_else(Vec::new, |change: CardChange| change.left);
                left.push(*digest);
                let before = RecordedPreImage::Layout(*digest);
                card_changes.insert(*target, CardChange { before, left, in_part: true });
            }
            JournalRecord::Completed { target, outcome } => {
                if let Some(change) = card_changes.get_mut(target) {
                    change.in_part = matches!(
                        outcome,
                        Outcome::RestoredInPart(_) | Outcome::Lost(_) | Outcome::Unknown(_)
                    );
                }
            }
            JournalRecord::Opened(_) | JournalRecord::Closed { .. } => {}
        }
    }
    Ok(card_changes)
}

/// Plans the restore of a run for those of its targets that the snapshot holds.
///
/// # Errors
///
/// If the journal has no header.
pub async fn plan_restore<A: Archive>(
    of: &RunId,
    records: &[JournalRecord],
    archive: &A,
    snapshot: &Snapshot,
    newer: NewerLayouts,
) -> Result<RestorePlan, RestoreError> {
    let mut targets = Vec::new();
    for (key, CardChange { before, left, in_part }) in card_changes(records)? {
        let Some(observed) = snapshot.card(key) else { continue };
        let is_newer = match observed {
            Observed::Known(CardState::Customized(there)) if newer == NewerLayouts::Keep => {
                let is_left = left.contains(&there.digest())
                    || in_part && is_left_in_part(of, key, &left, archive, there).await;
                !is_left
            }
            _ => false,
        };
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
            (_, Observed::Known(CardState::Customized(layout))) if is_newer => {
                RestoreDecision::NewerKept(layout.clone())
            }
            (RecordedPreImage::Empty, Observed::Known(CardState::Customized(layout))) => {
                RestoreDecision::Remove(layout.clone())
            }
            (RecordedPreImage::Layout(digest), Observed::Known(state)) => match archive
                .backup(of, key, digest)
                .await
            {
                Ok(wanted) => RestoreDecision::Restore { wanted, over: state.layout().cloned() },
                // One damaged backup must not stop the restore of the others.
                Err(problem) => RestoreDecision::BackupUnusable(message(&problem)),
            },
        };
        targets.push(RestoreTarget { key, decision });
    }
    Ok(RestorePlan {
        restored_run: of.clone(),
        trust: snapshot.trust,
        targets,
        common_defaults: snapshot.common_defaults.clone(),
    })
}

/// Returns `true` if a present layout can be what the portal kept of one that the run stored.
async fn is_left_in_part<A: Archive>(
    of: &RunId,
    key: CardKey,
    left: &[Digest],
    archive: &A,
    there: &Layout,
) -> bool {
    for digest in left {
        // A backup that is missing proves nothing: the present layout counts as newer.
        let stored = archive.backup(of, key, *digest).await.ok();
        let form = stored.as_ref().and_then(SetForm::new);
        if form.is_some_and(|form| form.can_be_shown_as(there)) {
            return true;
        }
    }
    false
}

/// Returns a problem with its cause, in one line.
fn message(problem: &StoreError) -> String {
    match problem {
        StoreError::Io { source, .. } => format!("{}: {source}", english(problem)),
        other => english(other),
    }
}
