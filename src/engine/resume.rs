//! Settles a run that was cut: what surely happened, what surely did not, and what must be asked of the portal.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::apply::put_back;
use super::observe::read_all;
use super::{Event, Listener, Settled};
use crate::model::{
    CardKey, CardState, Digest, Generation, Layout, LeadCustomerType, LedgerEntry, Outcome, RunId, Totals, UserId,
};
use crate::port::{
    Archive, CardRead, Interrupted, JournalRecord, PortalError, RunHeader, RunLog, RunPurpose, StoreError, WritePortal,
};

/// What became of a run, after it was settled.
#[derive(Clone, Debug)]
pub struct ResumeReport {
    /// The run.
    pub run: RunId,
    /// Every planned target, sorted; those that the run had settled itself included.
    pub targets: Vec<Settled>,
    /// The targets that were settled just now.
    pub settled_now: Vec<CardKey>,
    /// The sums over all targets.
    pub totals: Totals,
}

/// Why a run could not be settled. It can be tried again.
#[derive(Debug, Error)]
pub enum ResumeError {
    /// The journal does not begin as every journal of recard does.
    #[error("the journal does not begin with a run's header")]
    NoHeader,
    /// The store failed.
    #[error("the store failed; the run is not settled")]
    Store(#[from] StoreError),
    /// The portal could not be asked.
    #[error("the portal could not be asked; the run is not settled")]
    Portal(#[from] PortalError),
}

/// How far the journal says that a target came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// No request with it was about to leave.
    Untouched,
    /// A reset was about to leave. With the digest of the backup, unless it was blind.
    ResetIntended(Option<Digest>),
    /// A `set` was about to leave, with this digest.
    SetIntended(Digest),
    /// It has its outcome.
    Settled(Outcome),
}

/// A journal, read as the story of its targets.
struct Story<'a> {
    header: &'a RunHeader,
    progress: BTreeMap<CardKey, Progress>,
    closed: bool,
}

impl<'a> Story<'a> {
    fn of(records: &'a [JournalRecord]) -> Option<Self> {
        let Some(JournalRecord::Opened(header)) = records.first() else { return None };
        let mut story = Self {
            header,
            progress: header.targets.iter().map(|target| (target.key, Progress::Untouched)).collect(),
            closed: false,
        };
        for record in records {
            match record {
                JournalRecord::Opened(_) => {}
                JournalRecord::Intent { targets } => {
                    let intents = targets.iter().map(|(key, digest)| (*key, Progress::ResetIntended(*digest)));
                    story.progress.extend(intents);
                }
                JournalRecord::SetIntent { target, digest } => {
                    story.progress.insert(*target, Progress::SetIntended(*digest));
                }
                JournalRecord::Settled { target, outcome } => {
                    story.progress.insert(*target, Progress::Settled(outcome.clone()));
                }
                JournalRecord::Closed { .. } => story.closed = true,
            }
        }
        Some(story)
    }
}

/// The targets of a journal that have no outcome yet; empty for a run that came to its end.
pub fn unsettled(records: &[JournalRecord]) -> Vec<CardKey> {
    let Some(story) = Story::of(records) else { return Vec::new() };
    let open = |(key, progress): (&CardKey, &Progress)| (!matches!(progress, Progress::Settled(_))).then_some(*key);
    story.progress.iter().filter_map(open).collect()
}

/// Gives every target of an unfinished run its outcome, and closes the journal.
///
/// What the dead process had sent may still be on its way, and would make a card that reads as before another one a moment
/// later. So nothing in doubt is read before `settling` has passed.
///
/// Resets nothing. It writes to the portal in one case only: a layout that a person saved in the very moment of a reset,
/// and that the run was about to put back, is put back.
///
/// # Errors
///
/// If the portal cannot be asked or the store fails. Then nothing is lost, and it can be tried again.
pub async fn resume<P: WritePortal, L: RunLog, A: Archive>(
    portal: &P,
    log: &mut L,
    archive: &A,
    records: &[JournalRecord],
    settling: Duration,
    listener: &dyn Listener,
) -> Result<ResumeReport, ResumeError> {
    let story = Story::of(records).ok_or(ResumeError::NoHeader)?;
    let run = log.run().clone();
    let reads = read_doubtful(portal, &story, settling, listener).await?;

    let mut outcomes: BTreeMap<CardKey, Outcome> = BTreeMap::new();
    let mut settled_now = Vec::new();
    for (key, progress) in &story.progress {
        let outcome = match progress {
            Progress::Settled(outcome) => {
                outcomes.insert(*key, outcome.clone());
                continue;
            }
            Progress::Untouched => Outcome::NotAttempted("the run was cut before".into()),
            Progress::ResetIntended(None) => {
                Outcome::Unknown("the run was cut in a reset without a read; it may have been carried out".into())
            }
            Progress::ResetIntended(Some(backup)) => reads.after_reset(*key, *backup),
            Progress::SetIntended(wanted) => match reads.after_set(*key, *wanted, &story.header.purpose) {
                AfterSet::Settled(outcome) => outcome,
                AfterSet::PutBack => {
                    let layout = archive.backup(&run, *key, *wanted)?;
                    put_back(portal, log, *key, &layout).await?
                }
            },
        };
        log.append(&[JournalRecord::Settled { target: *key, outcome: outcome.clone() }])?;
        listener.hear(Event::Settled { target: *key, outcome: outcome.clone() });
        settled_now.push(*key);
        outcomes.insert(*key, outcome);
    }

    let marks = marks(story.header, &outcomes);
    if !marks.is_empty() {
        log.mark(&marks)?;
    }
    if !story.closed {
        log.append(&[JournalRecord::Closed { interrupted: Interrupted::Yes }])?;
    }
    let totals = Totals::of(outcomes.values());
    let targets = outcomes.into_iter().map(|(key, outcome)| Settled { key, outcome }).collect();
    Ok(ResumeReport { run, targets, settled_now, totals })
}

/// What the cards in doubt hold now.
struct Reads {
    cards: BTreeMap<CardKey, CardRead>,
    stand_ins: BTreeMap<LeadCustomerType, Layout>,
}

/// What becomes of a target for which a `set` was about to leave.
enum AfterSet {
    Settled(Outcome),
    PutBack,
}

async fn read_doubtful<P: WritePortal>(
    portal: &P,
    story: &Story<'_>,
    settling: Duration,
    listener: &dyn Listener,
) -> Result<Reads, PortalError> {
    let in_doubt = |(key, progress): (&CardKey, &Progress)| match progress {
        Progress::ResetIntended(Some(_)) | Progress::SetIntended(_) => Some(*key),
        Progress::ResetIntended(None) | Progress::Untouched | Progress::Settled(_) => None,
    };
    let mut keys: Vec<CardKey> = story.progress.iter().filter_map(in_doubt).collect();
    if keys.is_empty() {
        return Ok(Reads { cards: BTreeMap::new(), stand_ins: BTreeMap::new() });
    }
    tokio::time::sleep(settling).await;
    // A target with a digest was read and believed when it was planned, so the portal's reads are trusted.
    keys.extend(LeadCustomerType::ALL.map(|lead| CardKey::personal(UserId::IMPOSSIBLE, lead)));
    let mut cards = read_all(portal, &keys, listener).await?;
    let stand_in = |lead| match cards.remove(&CardKey::personal(UserId::IMPOSSIBLE, lead)) {
        Some(CardRead::Read(Some(layout))) => Some((lead, layout)),
        Some(CardRead::Read(None) | CardRead::Refused(_) | CardRead::NoAnswer(_)) | None => None,
    };
    let stand_ins = LeadCustomerType::ALL.into_iter().filter_map(stand_in).collect();
    Ok(Reads { cards, stand_ins })
}

impl Reads {
    fn state(&self, key: CardKey) -> Result<CardState, Outcome> {
        match self.cards.get(&key) {
            Some(CardRead::Read(layout)) => {
                let stand_in = key.user().and(self.stand_ins.get(&key.lead));
                Ok(CardState::of_read(layout.clone(), stand_in))
            }
            Some(CardRead::Refused(refusal)) => {
                Err(Outcome::Unknown(format!("the run was cut, and the portal does not show it: {}", refusal.message)))
            }
            Some(CardRead::NoAnswer(what)) => {
                Err(Outcome::Unknown(format!("the run was cut, and it could not be read: {what}")))
            }
            None => Err(Outcome::Unknown("the run was cut, and it could not be read".into())),
        }
    }

    fn after_reset(&self, key: CardKey, backup: Digest) -> Outcome {
        match self.state(key) {
            Err(unknown) => unknown,
            Ok(CardState::Default | CardState::Inherited) => Outcome::Reset,
            Ok(CardState::Customised(layout)) if layout.digest() == backup => {
                Outcome::NotAttempted("the run was cut, and the card is as before".into())
            }
            Ok(CardState::Customised(_)) => {
                Outcome::Unknown("the run was cut, and the card now holds another layout, which was left alone".into())
            }
        }
    }

    fn after_set(&self, key: CardKey, wanted: Digest, purpose: &RunPurpose) -> AfterSet {
        AfterSet::Settled(match (self.state(key), purpose) {
            (Err(unknown), _) => unknown,
            (Ok(CardState::Customised(layout)), RunPurpose::Apply) if layout.digest() == wanted => Outcome::PutBack,
            (Ok(CardState::Customised(layout)), RunPurpose::Restore(_)) if layout.digest() == wanted => {
                Outcome::Restored
            }
            (Ok(CardState::Customised(_)), RunPurpose::Apply) => Outcome::NewerKept,
            (Ok(CardState::Customised(_)), RunPurpose::Restore(_)) => Outcome::Unknown(
                "the run was cut, and the card holds another layout than the backup; plan the restore again".into(),
            ),
            (Ok(CardState::Default | CardState::Inherited), RunPurpose::Apply) => return AfterSet::PutBack,
            (Ok(CardState::Default | CardState::Inherited), RunPurpose::Restore(_)) => {
                Outcome::NotAttempted("the run was cut, and the card is as before".into())
            }
        })
    }
}

/// What is to be remembered of targets in mode `once`: the run may have been cut before it could.
fn marks(header: &RunHeader, outcomes: &BTreeMap<CardKey, Outcome>) -> Vec<(Generation, CardKey, LedgerEntry)> {
    let mark = |target: &crate::port::PlannedCard| {
        let generation = target.generation.clone()?;
        let removed = match outcomes.get(&target.key)? {
            Outcome::Reset => target.digest,
            Outcome::AlreadyDefault => None,
            _ => return None,
        };
        Some((generation, target.key, LedgerEntry { removed }))
    };
    header.targets.iter().filter_map(mark).collect()
}
