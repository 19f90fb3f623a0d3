//! Settles a run that was cut: what surely happened, what surely did not, and what must be asked of
//! the portal.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::evidence::evidence_of_run;
use super::execute::{End, ExecuteOptions, Executor, Freshness};
use super::observe::observe;
use super::salvage::MendedJournal;
use super::verdict::{Goal, Task};
use super::{Event, Listener, Settled, stop_pair};
use crate::model::{
    CardKey, CardState, Digest, Generation, Identity, Layout, LedgerEntry, Observed, Outcome,
    RunId, Snapshot, Totals, UnreadableReason, UserId,
};
use crate::port::{
    Archive, Interrupted, JournalRecord, PortalError, RunHeader, RunLog, SetPurpose, StoreError,
    WritePortal,
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
    #[error("{}", tr!("the journal does not begin with a run's header"))]
    NoHeader,
    /// The run was somebody else's, and what is in doubt must be looked at or put back as that
    /// person.
    #[error("{}", tr!("the run was made by user {run}, but the webhook belongs to user {now}; the run is not settled", run, now))]
    OtherCaller {
        /// Who made the run.
        run: UserId,
        /// Whose the webhook is now.
        now: UserId,
    },
    /// The store failed.
    #[error("{}", tr!("the store failed; the run is not settled"))]
    Store(#[from] StoreError),
    /// The portal could not be asked.
    #[error("{}", tr!("the portal could not be asked; the run is not settled"))]
    Portal(#[from] PortalError),
}

/// How far the journal says that a target came.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Progress {
    /// No request with it was about to leave.
    Untouched,
    /// A reset was about to leave. With the digest of the backup, unless it was blind.
    ResetIntended(Option<Digest>),
    /// A `set` of a restore was about to leave, with this digest.
    SetIntended(Digest),
    /// A write had removed a newer layout by mistake, and it was about to be stored again.
    PutBackIntended {
        /// The newer layout.
        newer: Digest,
        /// The layout that the run itself left on the card; none after a reset.
        left: Option<Digest>,
    },
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
            progress: header
                .targets
                .iter()
                .map(|target| (target.key, Progress::Untouched))
                .collect(),
            closed: false,
        };
        for record in records {
            match record {
                JournalRecord::Opened(_) => {}
                JournalRecord::Intent { targets } => {
                    let intents = targets
                        .iter()
                        .map(|(key, digest)| (*key, Progress::ResetIntended(*digest)));
                    story.progress.extend(intents);
                }
                JournalRecord::SetIntent { target, digest, purpose } => {
                    // A `set` that follows a reset of the same card takes the reset back.
                    let left = match (story.progress.get(target), purpose) {
                        (Some(Progress::ResetIntended(_)), _) => Some(None),
                        (Some(Progress::PutBackIntended { newer, .. }), _) => Some(Some(*newer)),
                        (Some(Progress::SetIntended(wanted)), SetPurpose::Compensation) => {
                            Some(Some(*wanted))
                        }
                        (_, SetPurpose::Compensation) => Some(None),
                        (_, SetPurpose::Planned) => None,
                    };
                    let progress = match left {
                        Some(left) => Progress::PutBackIntended { newer: *digest, left },
                        None => Progress::SetIntended(*digest),
                    };
                    story.progress.insert(*target, progress);
                }
                JournalRecord::Settled { target, outcome } => {
                    story.progress.insert(*target, Progress::Settled(outcome.clone()));
                }
                JournalRecord::Closed { .. } => story.closed = true,
            }
        }
        Some(story)
    }

    /// The layout that a target had when the run was planned; nothing if it was at its default.
    fn planned(&self, key: CardKey) -> Option<Digest> {
        self.header.targets.iter().find(|target| target.key == key).and_then(|target| target.digest)
    }

    /// The targets of which only the portal can tell what became of them.
    fn in_doubt(&self) -> Vec<CardKey> {
        let in_doubt = |(key, progress): (&CardKey, &Progress)| match progress {
            Progress::ResetIntended(Some(_))
            | Progress::SetIntended(_)
            | Progress::PutBackIntended { .. } => Some(*key),
            Progress::ResetIntended(None) | Progress::Untouched | Progress::Settled(_) => None,
        };
        self.progress.iter().filter_map(in_doubt).collect()
    }

    /// Whether the run must be settled by the person who made it: a layout may have to be put back,
    /// or their own card is in doubt, which every portal shows to themselves alone.
    fn needs_its_caller(&self) -> bool {
        let puts_back = |progress: &Progress| matches!(progress, Progress::PutBackIntended { .. });
        self.progress.values().any(puts_back)
            || self.in_doubt().iter().any(|key| key.user() == Some(self.header.caller))
    }
}

/// The targets of a journal that have no outcome yet; empty for a run that came to its end.
pub fn unsettled(records: &[JournalRecord]) -> Vec<CardKey> {
    let Some(story) = Story::of(records) else { return Vec::new() };
    let open = |(key, progress): (&CardKey, &Progress)| {
        (!matches!(progress, Progress::Settled(_))).then_some(*key)
    };
    story.progress.iter().filter_map(open).collect()
}

/// Gives every target of an unfinished run its outcome, and closes the journal.
///
/// What the dead process had sent may still be on its way, and would make a card that reads as
/// before another one a moment later. So nothing in doubt is read before `settling` has passed.
///
/// Reads of other people's cards are believed only as far as [`observe`](super::observe()) believes
/// them; what cannot be believed is an unknown outcome.
///
/// Resets nothing. It writes to the portal in one case only: a layout that a person saved in the
/// very moment of a reset, and that the run was about to put back, is put back.
///
/// # Errors
///
/// If the portal cannot be asked, the store fails, or the caller is not the one whom the run needs.
/// Then nothing is lost, and it can be tried again.
pub async fn resume<P: WritePortal, L: RunLog, A: Archive>(
    portal: &P,
    log: &mut L,
    archive: &A,
    records: &[JournalRecord],
    caller: &Identity,
    settling: Duration,
    listener: &dyn Listener,
) -> Result<ResumeReport, ResumeError> {
    let whole = MendedJournal { records: records.to_vec(), ..MendedJournal::default() };
    resume_mended(portal, log, archive, &whole, caller, settling, listener).await
}

/// Resumes a run whose journal lost lines, as [`resume`] does, with the intents that
/// [`mend`](super::mend()) added.
///
/// The intent of a doubtful target may stand in a lost line. So such a target is never called not
/// attempted: a card that is as before leaves it unknown.
///
/// # Errors
///
/// As [`resume`].
pub async fn resume_mended<P: WritePortal, L: RunLog, A: Archive>(
    portal: &P,
    log: &mut L,
    archive: &A,
    mended: &MendedJournal,
    caller: &Identity,
    settling: Duration,
    listener: &dyn Listener,
) -> Result<ResumeReport, ResumeError> {
    let records = &mended.records;
    let story = Story::of(records).ok_or(ResumeError::NoHeader)?;
    let run = log.run().clone();
    if caller.user != story.header.caller && story.needs_its_caller() {
        return Err(ResumeError::OtherCaller { run: story.header.caller, now: caller.user });
    }
    let in_doubt = story.in_doubt();
    let snapshot = if in_doubt.is_empty() {
        None
    } else {
        tokio::time::sleep(settling).await;
        let release_sign = caller.release_sign.or_earlier(evidence_of_run(records));
        let caller = Identity { release_sign, ..caller.clone() };
        Some(observe(portal, &caller, &in_doubt, listener).await?)
    };
    let reads = Reads { snapshot };

    let mut outcomes: BTreeMap<CardKey, Outcome> = BTreeMap::new();
    let mut settled_now = Vec::new();
    let mut again = Vec::new();
    for (key, progress) in &story.progress {
        let outcome = match progress {
            Progress::Settled(outcome) => {
                outcomes.insert(*key, outcome.clone());
                continue;
            }
            Progress::Untouched => {
                Outcome::NotAttempted(tr_later!("the run was cut before").into())
            }
            Progress::ResetIntended(None) => Outcome::Unknown(
                tr_later!(
                    "the run was cut in a reset without a read; it may have been carried out"
                )
                .into(),
            ),
            Progress::ResetIntended(Some(backup)) => reads.after_reset(*key, *backup),
            Progress::SetIntended(wanted) => reads.after_set(*key, *wanted, story.planned(*key)),
            Progress::PutBackIntended { newer, left } => match reads
                .after_put_back(*key, *newer, *left)
            {
                AfterPutBack::Settled(outcome) => outcome,
                AfterPutBack::Again(there) => {
                    let layout = archive.backup(&run, *key, *newer)?;
                    let alone = !portal.fits_batch(*key, &layout);
                    let ours = Task::new(*key, there.map_or(Goal::Reset, Goal::Set), None, None);
                    again.push(Task { alone, ..ours.compensation(layout) });
                    continue;
                }
            },
        };
        let outcome = match outcome {
            Outcome::NotAttempted(_) if mended.doubtful.contains(key) => Outcome::Unknown(
                tr_later!("a line of the journal is lost in which it may have stood, and the card is as before").into(),
            ),
            outcome => outcome,
        };
        // An added intent stands in the journal from now on, since a restore goes by intents.
        let settled = JournalRecord::Settled { target: *key, outcome: outcome.clone() };
        log.append(
            &mended.added.get(key).cloned().into_iter().chain([settled]).collect::<Vec<_>>(),
        )?;
        listener.hear(Event::Settled { target: *key, outcome: outcome.clone() });
        settled_now.push(*key);
        outcomes.insert(*key, outcome);
    }

    if !again.is_empty() {
        let common_defaults =
            reads.snapshot.map(|snapshot| snapshot.common_defaults).unwrap_or_default();
        let (_, stop) = stop_pair();
        let options =
            ExecuteOptions { late_writes: settling, ..ExecuteOptions::new(Freshness::ReadAgain) };
        let mut executor = Executor::new(portal, log, &common_defaults, options, listener);
        executor.compensate(again);
        executor.work(&stop).await;
        let stored = executor.into_outcomes().map_err(|end| match end {
            End::Store(problem) => ResumeError::Store(problem),
            End::Portal(problem) => ResumeError::Portal(problem),
            End::Cancelled(reason) => ResumeError::Portal(PortalError::Stopped(reason)),
        })?;
        settled_now.extend(stored.keys().copied());
        settled_now.sort();
        outcomes.extend(stored);
    }

    // What the dead process has written may not be synced, and what is remembered must not be ahead
    // of it.
    log.sync()?;
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

/// What the cards in doubt hold now; nothing if none is in doubt.
struct Reads {
    snapshot: Option<Snapshot>,
}

/// What becomes of a target whose layout was about to be put back.
enum AfterPutBack {
    Settled(Outcome),
    /// It is to be stored again, over this layout that the run itself left; none at the default.
    Again(Option<Layout>),
}

impl Reads {
    fn state(&self, key: CardKey) -> Result<&CardState, Outcome> {
        let unknown = |text: String| Err(Outcome::Unknown(format!("the run was cut, and {text}")));
        match self.snapshot.as_ref().and_then(|snapshot| snapshot.card(key)) {
            Some(Observed::Known(state)) => Ok(state),
            Some(Observed::Unreadable(UnreadableReason::Refused { message, .. })) => {
                unknown(format!("the portal does not show it: {message}"))
            }
            Some(Observed::Unreadable(UnreadableReason::NoAnswer(what))) => {
                unknown(format!("it could not be read: {what}"))
            }
            Some(Observed::Unreadable(UnreadableReason::ReadsNotTrusted)) => unknown(
                "this portal answers reads of other people's cards with the caller's own".into(),
            ),
            Some(Observed::Unreadable(UnreadableReason::ReadsUnproven)) => {
                unknown("nothing proves that this portal shows other people's cards".into())
            }
            None => unknown("it could not be read".into()),
        }
    }

    fn after_reset(&self, key: CardKey, backup: Digest) -> Outcome {
        match self.state(key) {
            Err(unknown) => unknown,
            // What the reset removed was in an answer that the dead process may never have had.
            Ok(CardState::Default | CardState::Inherited) => Outcome::ResetUnseen,
            Ok(CardState::Customised(layout)) if layout.digest() == backup => {
                Outcome::NotAttempted(
                    tr_later!("the run was cut, and the card is as before").into(),
                )
            }
            Ok(CardState::Customised(_)) => Outcome::Unknown(
                tr_later!(
                    "the run was cut, and the card now holds another layout, which was left alone"
                )
                .into(),
            ),
        }
    }

    /// After a `set` of a restore over a card that held the layout `over`, or none.
    fn after_set(&self, key: CardKey, wanted: Digest, over: Option<Digest>) -> Outcome {
        let now = match self.state(key) {
            Err(unknown) => return unknown,
            Ok(CardState::Customised(layout)) => Some(layout.digest()),
            Ok(CardState::Default | CardState::Inherited) => None,
        };
        if now == Some(wanted) {
            Outcome::Restored
        } else if now == over {
            Outcome::NotAttempted(tr_later!("the run was cut, and the card is as before").into())
        } else if now.is_none() {
            let text = tr_later!(
                "the run was cut, and the card is now at its default, as it was not before; plan the restore again"
            );
            Outcome::Unknown(text.into())
        } else {
            let text = tr_later!(
                "the run was cut, and the card holds another layout than the backup; plan the restore again"
            );
            Outcome::Unknown(text.into())
        }
    }

    /// After a `set` that takes back a reset.
    fn after_put_back(&self, key: CardKey, newer: Digest, left: Option<Digest>) -> AfterPutBack {
        match self.state(key) {
            Err(unknown) => AfterPutBack::Settled(unknown),
            Ok(CardState::Customised(layout)) if layout.digest() == newer => {
                AfterPutBack::Settled(Outcome::PutBack)
            }
            Ok(CardState::Customised(layout)) if Some(layout.digest()) == left => {
                AfterPutBack::Again(Some(layout.clone()))
            }
            Ok(CardState::Customised(_)) => AfterPutBack::Settled(Outcome::NewerKept),
            Ok(CardState::Default | CardState::Inherited) => AfterPutBack::Again(None),
        }
    }
}

/// What is to be remembered of targets in mode `once`: the run may have been cut before it could.
fn marks(
    header: &RunHeader,
    outcomes: &BTreeMap<CardKey, Outcome>,
) -> Vec<(Generation, CardKey, LedgerEntry)> {
    let mark = |target: &crate::port::PlannedCard| {
        let generation = target.generation.clone()?;
        let removed = match outcomes.get(&target.key)? {
            Outcome::Reset | Outcome::ResetUnseen => target.digest,
            Outcome::AlreadyDefault => None,
            _ => return None,
        };
        Some((generation, target.key, LedgerEntry { removed }))
    };
    header.targets.iter().filter_map(mark).collect()
}
