//! Requests of the [executor](super::execute): their content, their results, and the records that
//! must be on disk before they leave.

use std::collections::{BTreeMap, BTreeSet};

use super::Event;
use super::observe::read_all;
use super::task::{CardTask, Goal};
use super::verdict::{Verdict, current_layout};
use crate::i18n::english;
use crate::model::{CardKey, CardKind, Layout, UserId};
use crate::ports::{
    CardRead, JournalRecord, Lane, NO_PIPELINE, PortalError, Rejection, SetPurpose, SingleSet,
    WriteAnswer, WriteError, WriteEvidence, WritePortal,
};

/// Reads of one request, or its failure.
pub(super) type Reads = Result<BTreeMap<CardKey, CardRead>, PortalError>;

/// Request that is about to leave.
pub(super) enum Request {
    Write(Vec<CardTask>, Lane),
    /// A write as single calls, of a card with this common default.
    WriteAlone(Box<CardTask>, Option<Layout>, Lane),
    ReadBack(Vec<NeedsReadBack>),
    /// A read of planned cards whose last read is too old.
    ReadAhead(Vec<CardTask>),
    /// A read of the present common defaults, as the card of an impossible user shows them.
    ReadDefaults(Vec<(CardTask, Verdict)>),
}

/// Request that has ended.
pub(super) enum CompletedRequest {
    Written(Vec<CardTask>, Result<Vec<(CardKey, WriteEvidence)>, WriteError>),
    WrittenAlone(Box<CardTask>, SingleWriteResult),
    ReadBack(Vec<NeedsReadBack>, Reads),
    ReadAhead(Vec<CardTask>, Reads),
    DefaultsRead(Vec<(CardTask, Verdict)>, Reads),
}

impl Request {
    /// Returns `true` if the request does not count as one in flight.
    pub(super) fn is_compensation(&self) -> bool {
        matches!(
            self,
            Self::Write(_, Lane::Compensation) | Self::WriteAlone(_, _, Lane::Compensation)
        )
    }

    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Write(..) | Self::WriteAlone(..))
    }

    /// Sends the request and waits for its answer.
    pub(super) async fn send<P: WritePortal>(self, portal: &P) -> CompletedRequest {
        match self {
            Self::Write(tasks, lane) => {
                let writes: Vec<_> =
                    tasks.iter().map(|task| (task.key, task.goal.write())).collect();
                let answer = portal.write_cards(&writes, lane).await;
                CompletedRequest::Written(tasks, answer)
            }
            Self::WriteAlone(task, common_default, lane) => {
                let end = write_alone(portal, &task, common_default.as_ref(), lane).await;
                CompletedRequest::WrittenAlone(task, end)
            }
            Self::ReadBack(tasks) => {
                let keys: Vec<CardKey> = tasks.iter().map(|waiting| waiting.task.key).collect();
                let reads = read_back(portal, &keys).await;
                CompletedRequest::ReadBack(tasks, reads)
            }
            Self::ReadAhead(tasks) => {
                let keys: Vec<CardKey> = tasks.iter().map(|task| task.key).collect();
                let reads = read_all(portal, &keys, &|_: Event| {}).await;
                CompletedRequest::ReadAhead(tasks, reads)
            }
            Self::ReadDefaults(suspects) => {
                let leads: BTreeSet<CardKind> =
                    suspects.iter().map(|(task, _)| task.key.kind).collect();
                let key = |lead| CardKey::personal(UserId::IMPOSSIBLE, lead);
                let keys: Vec<CardKey> = leads.into_iter().map(key).collect();
                let reads = read_back(portal, &keys).await;
                CompletedRequest::DefaultsRead(suspects, reads)
            }
        }
    }
}

/// Result of a write as single calls.
pub(super) enum SingleWriteResult {
    /// The read ahead of it shows another layout, or is not usable: the call was not sent.
    NotSent(CardRead),
    Sent(Result<WriteEvidence, (CardRead, WriteError)>),
}

/// Task whose card must be read back.
pub(super) struct NeedsReadBack {
    pub(super) task: CardTask,
    pub(super) answer: WriteAnswer,
    /// The whole request was refused; the run ends if the read-back shows that the write was not
    /// executed.
    pub(super) refusal: Option<PortalError>,
}

/// Returns `true` if a retry after this refusal is pointless, or harmful.
pub(super) fn is_final(problem: &PortalError) -> bool {
    match problem {
        PortalError::Rejected { rejection, .. } => {
            matches!(
                rejection,
                Rejection::Overload | Rejection::PortalClosed | Rejection::PlanWithoutRest
            )
        }
        _ => false,
    }
}

pub(super) fn unusable(read: &CardRead) -> String {
    match read {
        CardRead::Read(_) => tr_later!("the card changed").to_owned(),
        CardRead::Refused(refusal) => refusal.message.clone(),
        CardRead::NoAnswer(what) => what.clone(),
        CardRead::NoPipeline => NO_PIPELINE.to_owned(),
    }
}

/// Returns the layouts of a task that must be in a backup before its write leaves.
pub(super) fn layouts(task: &CardTask) -> impl Iterator<Item = (CardKey, &Layout)> {
    task.goal.target().into_iter().chain(&task.expected).map(|layout| (task.key, layout))
}

/// Returns the intents of a request.
pub(super) fn intents<'a>(tasks: impl Iterator<Item = &'a CardTask>) -> Vec<JournalRecord> {
    let (mut resets, mut records) = (Vec::new(), Vec::new());
    for task in tasks {
        match &task.goal {
            Goal::Reset => resets.push((task.key, task.expected.as_ref().map(Layout::digest))),
            Goal::Set(layout) => {
                let purpose = if task.is_compensation() {
                    SetPurpose::Compensation
                } else {
                    SetPurpose::Planned
                };
                records.push(JournalRecord::SetIntent {
                    target: task.key,
                    digest: layout.digest(),
                    purpose,
                });
            }
        }
    }
    if !resets.is_empty() {
        records.push(JournalRecord::Intent { targets: resets });
    }
    records
}

/// Reads, stores and reads a layout that a batch cannot carry, as single calls in a row.
async fn write_alone<P: WritePortal>(
    portal: &P,
    task: &CardTask,
    common_default: Option<&Layout>,
    lane: Lane,
) -> SingleWriteResult {
    let unread = || CardRead::NoAnswer(tr_later!("the portal was not asked").to_owned());
    let Some(layout) = task.goal.target() else { return SingleWriteResult::NotSent(unread()) };
    let proceed = |read: &CardRead| {
        let now = current_layout(Some(read), &task.goal, common_default);
        now.is_some_and(|now| now == task.expected || now.is_none() || now.as_ref() == Some(layout))
    };
    let (before, answer) = match portal.set_card(task.key, layout, lane, &proceed).await {
        SingleSet::NotSent(read) => return SingleWriteResult::NotSent(read),
        SingleSet::Sent(read, Ok(answer)) => (read, answer),
        SingleSet::Sent(read, Err(error)) => return SingleWriteResult::Sent(Err((read, error))),
    };
    let after = match read_back(portal, &[task.key]).await {
        Ok(mut reads) => reads.remove(&task.key).unwrap_or_else(unread),
        Err(problem) => CardRead::NoAnswer(english(&problem)),
    };
    SingleWriteResult::Sent(Ok(WriteEvidence { before, answer, after }))
}

/// Reads cards in the lane of compensations.
pub(super) async fn read_back<P: WritePortal>(
    portal: &P,
    keys: &[CardKey],
) -> Result<BTreeMap<CardKey, CardRead>, PortalError> {
    let mut reads = BTreeMap::new();
    let mut sink = |key: CardKey, read: CardRead| drop(reads.insert(key, read));
    portal.read_back(keys, &mut sink).await?;
    Ok(reads)
}
