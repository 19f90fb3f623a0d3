//! Recovery of an interrupted run: executed writes, unsent writes, and indeterminate ones that only
//! the portal can decide.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::evidence::evidence_of_run;
use super::execute::Executor;
use super::observe::observe;
use super::options::{ExecuteOptions, SnapshotAge};
use super::outcome_log::StopCause;
use super::restore_plan::no_header;
use super::salvage::MendedJournal;
use super::task::{CardTask, Goal, can_become, missing, stored_again_in_part};
use super::{Event, EventSink, TargetOutcome, cancellation};
use crate::model::{
    CardKey, CardState, Digest, Generation, Identity, Layout, LedgerEntry, Observed, Outcome,
    RunId, Snapshot, Totals, UnreadableReason, UserId,
};
use crate::ports::{
    Archive, Interrupted, JournalRecord, NO_PIPELINE, PortalError, RunHeader, RunLog, SetPurpose,
    StoreError, WritePortal,
};

/// Outcomes of a run after its recovery.
#[derive(Clone, Debug)]
pub struct RecoveryReport {
    /// The run.
    pub run: RunId,
    /// Every planned target, sorted; those with an outcome from before the interruption included.
    pub targets: Vec<TargetOutcome>,
    /// The sums over all targets.
    pub totals: Totals,
}

/// Error: a run could not be recovered. A later attempt is safe.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// The journal does not begin with the header of a run.
    #[error("{}", no_header())]
    NoHeader,
    /// The run had another caller, and its indeterminate targets must be read or restored by that
    /// user.
    #[error("{}", tr!("the run was made by user {run}, but the webhook belongs to user {now}; the run is not settled", run, now))]
    OtherCaller {
        /// The caller of the run.
        run: UserId,
        /// The present caller.
        now: UserId,
    },
    /// The store failed.
    #[error("{}", tr!("the store failed; the run is not settled"))]
    Store(#[from] StoreError),
    /// The portal could not be asked.
    #[error("{}", tr!("the portal could not be asked; the run is not settled"))]
    Portal(#[from] PortalError),
}

/// Progress of a target in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TargetProgress {
    /// No request for it was about to leave.
    Untouched,
    /// A reset was about to leave. With the digest of the backup, unless it was blind.
    ResetPending(Option<Digest>),
    /// A `set` of a restore was about to leave, with this digest.
    SetPending(Digest),
    /// A write had removed a newer layout (a lost update), and the layout was about to be stored
    /// again.
    CompensationPending {
        /// The newer layout.
        newer: Digest,
        /// The layout that the run itself left on the card; `None` after a reset.
        left: Option<Digest>,
    },
    /// The target has its outcome.
    Completed(Outcome),
}

/// Replay of a journal: the progress of its targets.
struct JournalReplay<'a> {
    header: &'a RunHeader,
    progress: BTreeMap<CardKey, TargetProgress>,
    closed: bool,
}

impl<'a> JournalReplay<'a> {
    fn from_records(records: &'a [JournalRecord]) -> Option<Self> {
        let Some(JournalRecord::Opened(header)) = records.first() else { return None };
        let mut replay = Self {
            header,
            progress: header
                .targets
                .iter()
                .map(|target| (target.key, TargetProgress::Untouched))
                .collect(),
            closed: false,
        };
        for record in records {
            match record {
                JournalRecord::Opened(_) => {}
                JournalRecord::Intent { targets } => {
                    let intents = targets
                        .iter()
                        .map(|(key, digest)| (*key, TargetProgress::ResetPending(*digest)));
                    replay.progress.extend(intents);
                }
                JournalRecord::SetIntent { target, digest, purpose } => {
                    // A `set` that follows a reset of the same card undoes the reset.
                    let left = match (replay.progress.get(target), purpose) {
                        (Some(TargetProgress::ResetPending(_)), _) => Some(None),
                        (Some(TargetProgress::CompensationPending { newer, .. }), _) => {
                            Some(Some(*newer))
                        }
                        (Some(TargetProgress::SetPending(wanted)), SetPurpose::Compensation) => {
                            Some(Some(*wanted))
                        }
                        (_, SetPurpose::Compensation) => Some(None),
                        (_, SetPurpose::Planned) => None,
                    };
                    let progress = match left {
                        Some(left) => TargetProgress::CompensationPending { newer: *digest, left },
                        None => TargetProgress::SetPending(*digest),
                    };
                    replay.progress.insert(*target, progress);
                }
                JournalRecord::Completed { target, outcome } => {
                    replay.progress.insert(*target, TargetProgress::Completed(outcome.clone()));
                }
                JournalRecord::Closed { .. } => replay.closed = true,
            }
        }
        Some(replay)
    }

    /// Returns the layout that a target had when the run was planned; `None` if it was at its
    /// default.
    fn planned(&self, key: CardKey) -> Option<Digest> {
        self.header.targets.iter().find(|target| target.key == key).and_then(|target| target.digest)
    }

    /// Returns the targets whose state only the portal can tell.
    fn indeterminate(&self) -> Vec<CardKey> {
        let indeterminate = |(key, progress): (&CardKey, &TargetProgress)| match progress {
            TargetProgress::ResetPending(Some(_))
            | TargetProgress::SetPending(_)
            | TargetProgress::CompensationPending { .. } => Some(*key),
            TargetProgress::ResetPending(None)
            | TargetProgress::Untouched
            | TargetProgress::Completed(_) => None,
        };
        self.progress.iter().filter_map(indeterminate).collect()
    }

    /// Returns `true` if the run must be recovered by its own caller: a layout may have to be
    /// stored again, or the caller's own card is indeterminate, which every portal shows correctly
    /// to its owner alone.
    fn needs_its_caller(&self) -> bool {
        let puts_back = |progress: &TargetProgress| {
            matches!(progress, TargetProgress::CompensationPending { .. })
        };
        self.progress.values().any(puts_back)
            || self.indeterminate().iter().any(|key| key.user() == Some(self.header.caller))
    }
}

/// Gives every target of an interrupted run its outcome, and closes the journal.
///
/// A request of the dead process may still be in flight, and would change a card that reads as
/// before a moment later. Indeterminate cards are therefore read only after `settling` has passed.
///
/// Reads of other people's cards are trusted only as far as [`observe`](super::observe()) trusts
/// them; without trust the outcome is indeterminate.
///
/// The recovery resets no card. It writes to the portal in one case only: a layout that a person
/// saved at the very moment of a reset, and that the run was about to store again, is stored again.
///
/// Of a journal that lost lines, the intents that [`mend`](super::mend()) added are recovered too.
/// The intent of a doubtful target may stand in a lost line. Such a target is never called not
/// attempted: a card that is as before leaves it unknown.
///
/// # Errors
///
/// If the portal cannot be asked, the store fails, or the caller is not the one that the run needs.
/// Nothing is lost then, and a later attempt is safe.
pub async fn recover<P: WritePortal, L: RunLog, A: Archive>(
    portal: &P,
    log: &mut L,
    archive: &A,
    mended: &MendedJournal,
    caller: &Identity,
    settling: Duration,
    events: &dyn EventSink,
) -> Result<RecoveryReport, RecoveryError> {
    let records = &mended.records;
    let replay = JournalReplay::from_records(records).ok_or(RecoveryError::NoHeader)?;
    let run = log.run().clone();
    if caller.user != replay.header.caller && replay.needs_its_caller() {
        return Err(RecoveryError::OtherCaller { run: replay.header.caller, now: caller.user });
    }
    let indeterminate = replay.indeterminate();
    let snapshot = if indeterminate.is_empty() {
        None
    } else {
        tokio::time::sleep(settling).await;
        let release_sign = caller.release_sign.or_earlier(evidence_of_run(records));
        let caller = Identity { release_sign, ..caller.clone() };
        Some(observe(portal, &caller, &indeterminate, events).await?)
    };
    let reads = Reads { snapshot };

    let mut outcomes: BTreeMap<CardKey, Outcome> = BTreeMap::new();
    let mut again = Vec::new();
    for (key, progress) in &replay.progress {
        let outcome = match progress {
            TargetProgress::Completed(outcome) => {
                outcomes.insert(*key, outcome.clone());
                continue;
            }
            TargetProgress::Untouched => {
                Outcome::NotAttempted(tr_later!("the run was cut before").into())
            }
            TargetProgress::ResetPending(None) => Outcome::Unknown(
                tr_later!(
                    "the run was cut in a reset without a read; it may have been carried out"
                )
                .into(),
            ),
            TargetProgress::ResetPending(Some(backup)) => reads.after_reset(*key, *backup),
            TargetProgress::SetPending(wanted) => {
                let sent = archive.backup(&run, *key, *wanted).await.ok();
                reads.after_set(*key, *wanted, replay.planned(*key), sent.as_ref())
            }
            TargetProgress::CompensationPending { newer, left } => {
                let stored = archive.backup(&run, *key, *newer).await.ok();
                let before = match left {
                    Some(left) => archive.backup(&run, *key, *left).await.ok(),
                    None => None,
                };
                let sent = [stored.as_ref(), before.as_ref()];
                match reads.after_compensation(*key, *newer, *left, sent) {
                    AfterCompensation::Completed(outcome) => outcome,
                    AfterCompensation::Retry(there) => {
                        let layout = archive.backup(&run, *key, *newer).await?;
                        let alone = !portal.fits_batch(&layout);
                        let ours =
                            CardTask::new(*key, there.map_or(Goal::Reset, Goal::Set), None, None);
                        again.push(CardTask { alone, ..ours.compensation(layout) });
                        continue;
                    }
                }
            }
        };
        let outcome = match outcome {
            Outcome::NotAttempted(_) if mended.doubtful.contains(key) => Outcome::Unknown(
                tr_later!("a line of the journal is lost in which it may have stood, and the card is as before").into(),
            ),
            outcome => outcome,
        };
        // An added intent stands in the journal from now on, since a restore goes by intents.
        let settled = JournalRecord::Completed { target: *key, outcome: outcome.clone() };
        let records: Vec<_> = mended.added.get(key).cloned().into_iter().chain([settled]).collect();
        log.append(&records).await?;
        events.on_event(Event::Completed { target: *key, outcome: outcome.clone() });
        outcomes.insert(*key, outcome);
    }

    if !again.is_empty() {
        let common_defaults =
            reads.snapshot.map(|snapshot| snapshot.common_defaults).unwrap_or_default();
        let (_, stop) = cancellation();
        let options =
            ExecuteOptions { late_writes: settling, ..ExecuteOptions::new(SnapshotAge::ReadAgain) };
        let mut executor = Executor::new(portal, log, &common_defaults, options, events);
        executor.add(again);
        executor.work(&stop).await;
        let stored = executor.into_outcomes().map_err(|end| match end {
            StopCause::Store(problem) => RecoveryError::Store(problem),
            StopCause::Portal(problem) => RecoveryError::Portal(problem),
            StopCause::Cancelled(reason) => RecoveryError::Portal(PortalError::Stopped(reason)),
        })?;
        outcomes.extend(stored);
    }

    // The records of the dead process may not be synced, and the ledger must not be ahead of them.
    log.sync().await?;
    let ledger_updates = ledger_updates(replay.header, &outcomes);
    if !ledger_updates.is_empty() {
        log.record_reset(&ledger_updates).await?;
    }
    if !replay.closed {
        log.append(&[JournalRecord::Closed { interrupted: Interrupted::Yes }]).await?;
    }
    let totals = Totals::from_outcomes(outcomes.values());
    let targets =
        outcomes.into_iter().map(|(key, outcome)| TargetOutcome { key, outcome }).collect();
    Ok(RecoveryReport { run, targets, totals })
}

/// Present layouts of the indeterminate cards; empty if there are none.
struct Reads {
    snapshot: Option<Snapshot>,
}

/// State of a target whose layout was about to be stored again.
enum AfterCompensation {
    Completed(Outcome),
    /// It must be stored again, over this layout that the run itself left; `None` at the default.
    Retry(Option<Layout>),
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
            Some(Observed::Unreadable(UnreadableReason::NoPipeline)) => {
                unknown(NO_PIPELINE.to_owned())
            }
            None => unknown("it could not be read".into()),
        }
    }

    fn after_reset(&self, key: CardKey, backup: Digest) -> Outcome {
        match self.state(key) {
            Err(unknown) => unknown,
            // The layout that the reset removed was in an answer that the dead process may never
            // have received.
            Ok(CardState::Default | CardState::CommonDefault) => Outcome::ResetUnseen,
            Ok(CardState::Customized(layout)) if layout.digest() == backup => {
                Outcome::NotAttempted(
                    tr_later!("the run was cut, and the card is as before").into(),
                )
            }
            Ok(CardState::Customized(_)) => Outcome::Unknown(
                tr_later!(
                    "the run was cut, and the card now holds another layout, which was left alone"
                )
                .into(),
            ),
        }
    }

    /// Returns the outcome of a `set` of a restore over a card that held the layout `over`, or
    /// none.
    fn after_set(
        &self,
        key: CardKey,
        wanted: Digest,
        over: Option<Digest>,
        sent: Option<&Layout>,
    ) -> Outcome {
        let there = match self.state(key) {
            Err(unknown) => return unknown,
            Ok(state) => state.layout(),
        };
        let now = there.map(Layout::digest);
        if now == Some(wanted) {
            Outcome::Restored
        } else if now == over {
            Outcome::NotAttempted(tr_later!("the run was cut, and the card is as before").into())
        } else if let (Some(sent), Some(there)) = (sent, there)
            && can_become(sent, there)
        {
            Outcome::RestoredInPart(missing(sent, there))
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

    /// Returns the state after a `set` that undoes a write. `sent` are the newer layout and the one
    /// that the run left, as far as their backups are whole: the portal may keep a part of each.
    fn after_compensation(
        &self,
        key: CardKey,
        newer: Digest,
        left: Option<Digest>,
        sent: [Option<&Layout>; 2],
    ) -> AfterCompensation {
        let [stored, before] = sent;
        match self.state(key) {
            Err(unknown) => AfterCompensation::Completed(unknown),
            Ok(CardState::Customized(layout)) if layout.digest() == newer => {
                AfterCompensation::Completed(Outcome::Compensated)
            }
            Ok(CardState::Customized(layout)) if Some(layout.digest()) == left => {
                AfterCompensation::Retry(Some(layout.clone()))
            }
            Ok(CardState::Customized(there)) => match (stored, before) {
                (Some(newer), _) if can_become(newer, there) => {
                    AfterCompensation::Completed(stored_again_in_part(newer))
                }
                (_, Some(left)) if can_become(left, there) => {
                    AfterCompensation::Retry(Some(there.clone()))
                }
                _ => AfterCompensation::Completed(Outcome::NewerKept),
            },
            Ok(CardState::Default | CardState::CommonDefault) => AfterCompensation::Retry(None),
        }
    }
}

/// Returns the marks for targets in mode `once`: the run may have been interrupted before it wrote
/// them.
fn ledger_updates(
    header: &RunHeader,
    outcomes: &BTreeMap<CardKey, Outcome>,
) -> Vec<(Generation, CardKey, LedgerEntry)> {
    let mark = |target: &crate::ports::PlannedCard| {
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
