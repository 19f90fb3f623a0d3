//! Verdicts on answers of the portal: values in, values out.
//!
//! A portal answers `true` in every case, leaves commands out and fails in the middle of a batch.
//! The reads of the card decide: those beside the write in its own request, and where they do not
//! tell, a read-back. This module sends and stores nothing; [`execute`](super::execute) acts on the
//! verdicts.

use super::task::{
    CardTask, Goal, PreImage, Reason, can_become, lost, missing, stored_again_in_part,
};
use crate::model::{CardState, Layout, Outcome};
use crate::ports::{CardRead, NO_PIPELINE, Refusal, WriteAnswer, WriteEvidence};

/// Number of times that a newer layout is stored again for one target.
pub(super) const MAX_ROUNDS: u32 = 3;

/// Next step for a target after an answer of the portal.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The target has this outcome.
    Final(Outcome),
    /// The write was certainly not executed, for this reason; a repeat is safe.
    Retry(Reason),
    /// The portal kept only a part of a layout, which is on the card now; a single call may keep
    /// all of it.
    RetryAlone(Option<Layout>),
    /// The reads of the request do not tell: the card must be read back.
    ReadBack(PreImage, WriteAnswer),
    /// The write hit a layout that its owner had saved since: that layout must be stored again.
    LostUpdate(Layout),
    /// A newer layout was seen and is still there. It stays, and goes into a backup.
    Changed(Layout),
    /// A newer layout was seen, and by now yet another one is on the card, which stays. The first
    /// goes into a backup.
    Superseded(Layout),
    /// After the write, the card holds another layout than before, and it is not the goal. It
    /// stays, and goes into a backup.
    Other(Layout, PreImage),
}

impl Verdict {
    /// Returns the unexpected layout, if there is one.
    pub(super) fn unexpected(&self) -> Option<&Layout> {
        match self {
            Self::LostUpdate(layout)
            | Self::Changed(layout)
            | Self::Superseded(layout)
            | Self::Other(layout, _) => Some(layout),
            Self::Final(_) | Self::Retry(_) | Self::RetryAlone(_) | Self::ReadBack(..) => None,
        }
    }

    /// Returns the verdict for an unexpected layout that turns out to be a new common default: the
    /// card was, or is, at its default then.
    pub(super) fn at_default(self, task: &CardTask) -> Self {
        match (self, &task.goal) {
            (Self::LostUpdate(_), _) | (Self::Changed(_), Goal::Reset) => {
                Self::Final(reached(task, &task.pre_image(Some(None))))
            }
            (Self::Superseded(_), _) => Self::Final(Outcome::NewerKept),
            (Self::Other(_, pre_image), Goal::Reset) => Self::Final(reached(task, &pre_image)),
            (Self::Changed(_) | Self::Other(..), Goal::Set(_)) => Self::RetryAlone(None),
            (verdict, _) => verdict,
        }
    }
}

/// Returns the layout that a usable read of a card shows, or none at the default. A layout that
/// equals both the goal of a write and the common default counts as the goal.
pub(super) fn current_layout(
    read: Option<&CardRead>,
    goal: &Goal,
    common_default: Option<&Layout>,
) -> Option<Option<Layout>> {
    match read {
        Some(CardRead::Read(Some(layout))) if goal.target() == Some(layout) => {
            Some(Some(layout.clone()))
        }
        Some(CardRead::Read(read)) => {
            Some(CardState::from_read(read.clone(), common_default).layout().cloned())
        }
        Some(CardRead::Refused(_) | CardRead::NoAnswer(_) | CardRead::NoPipeline) | None => None,
    }
}

/// Returns `None` if a read ahead of the write shows the card as expected, else the outcome: it is
/// left alone.
pub(super) fn judge_read_ahead(
    task: &CardTask,
    read: Option<&CardRead>,
    common_default: Option<&Layout>,
) -> Option<Outcome> {
    let outcome = outcome_ahead(task, read, common_default)?;
    // A changed card is the person's again.
    Some(if outcome == Outcome::Changed { outcome } else { task.unless_in_part(outcome) })
}

fn outcome_ahead(
    task: &CardTask,
    read: Option<&CardRead>,
    common_default: Option<&Layout>,
) -> Option<Outcome> {
    let now = match read {
        Some(CardRead::Refused(Refusal { code, message })) => {
            return Some(Outcome::Refused { code: code.clone(), message: message.clone() });
        }
        Some(CardRead::NoAnswer(what)) => {
            return Some(Outcome::NotAttempted(format!("could not be read again: {what}")));
        }
        Some(CardRead::NoPipeline) => return Some(Outcome::NotAttempted(NO_PIPELINE.to_owned())),
        None => return Some(Outcome::NotAttempted(tr_later!("could not be read again").into())),
        Some(CardRead::Read(_)) => current_layout(read, &task.goal, common_default)?,
    };
    match (now, &task.goal) {
        (now, _) if now == task.expected => None,
        (None, Goal::Reset) => Some(Outcome::AlreadyDefault),
        _ => Some(Outcome::Changed),
    }
}

/// Returns the verdict on a write by the evidence of its own request.
pub(super) fn judge_evidence(
    task: &CardTask,
    evidence: WriteEvidence,
    common_default: Option<&Layout>,
) -> Verdict {
    let WriteEvidence { before, answer, after } = evidence;
    if task.blind {
        return judge_blind(task, answer);
    }
    let pre_image = task.pre_image(current_layout(Some(&before), &task.goal, common_default));
    match current_layout(Some(&after), &task.goal, common_default) {
        None => Verdict::ReadBack(pre_image, answer),
        Some(after) => judge_state(task, pre_image, &answer, after),
    }
}

/// Returns the verdict on a write by a read-back, after its own request proved nothing.
pub(super) fn judge_read_back(
    task: &CardTask,
    read: Option<&CardRead>,
    answer: &WriteAnswer,
    common_default: Option<&Layout>,
) -> Verdict {
    let reason = || match answer {
        WriteAnswer::Done => "the answer left the card out".to_owned(),
        WriteAnswer::Refused(refusal) => refusal.message.clone(),
        WriteAnswer::Limited(reason) | WriteAnswer::Unclear(reason) => reason.clone(),
    };
    match (current_layout(read, &task.goal, common_default), &task.pre_image) {
        (Some(now), pre_image) => judge_state(task, pre_image.clone(), answer, now),
        // The compensation reads the card itself, in its own request.
        (None, PreImage::Newer(newer)) => Verdict::LostUpdate(newer.clone()),
        (None, _) if task.is_compensation() => match &task.goal {
            Goal::Set(layout) => {
                let digest = layout.digest().short();
                Verdict::Final(Outcome::Unknown(format!(
                    "a newer layout was stored again, but could not be read back ({}); the backup {digest} holds it",
                    reason()
                )))
            }
            Goal::Reset => Verdict::Final(task.unattempted(&reason())),
        },
        (None, _) => {
            Verdict::Final(Outcome::Unknown(format!("{}; and could not be read back", reason())))
        }
    }
}

/// Returns the verdict by the state of the card after the write.
fn judge_state(
    task: &CardTask,
    pre_image: PreImage,
    answer: &WriteAnswer,
    now: Option<Layout>,
) -> Verdict {
    let is_reached = now.as_ref() == task.goal.target();
    let is_unchanged = task.is_expected(now.as_ref());
    if let PreImage::Newer(newer) = pre_image {
        return if now.as_ref() == Some(&newer) {
            Verdict::Changed(newer)
        } else if task.goal.is_shown_by(now.as_ref()) {
            Verdict::LostUpdate(newer)
        } else {
            Verdict::Superseded(newer)
        };
    }
    if is_reached {
        return Verdict::Final(reached(task, &pre_image));
    }
    if is_unchanged {
        return match answer {
            // A portal that accepts a layout and keeps none of it may have failed: a retry tells.
            WriteAnswer::Done if task.tries == 0 && task.goal.target().is_some() => {
                Verdict::Retry(Reason::Failed(
                    tr_later!("the portal accepted it, and the card is as before").to_owned(),
                ))
            }
            WriteAnswer::Done => Verdict::Final(without_effect(task)),
            WriteAnswer::Refused(refusal) => Verdict::Final(refused(task, refusal)),
            WriteAnswer::Limited(reason) => Verdict::Retry(Reason::Limited(reason.clone())),
            WriteAnswer::Unclear(reason) => Verdict::Retry(Reason::Failed(reason.clone())),
        };
    }
    match (&task.goal, now) {
        (Goal::Reset, _) if matches!(pre_image, PreImage::AtGoal | PreImage::Emptied) => {
            Verdict::Final(Outcome::Changed)
        }
        (Goal::Set(_), None) if *answer == WriteAnswer::Done => {
            Verdict::Final(without_effect(task))
        }
        (Goal::Reset | Goal::Set(_), None) => Verdict::RetryAlone(None),
        (Goal::Reset, Some(there)) => Verdict::Other(there, pre_image),
        (Goal::Set(wanted), Some(there)) if !can_become(wanted, &there) => {
            Verdict::Other(there, pre_image)
        }
        // The reads of this very request show that the portal changed the layout, as its filter
        // does in batches.
        (Goal::Set(_), Some(there))
            if !task.alone
                && *answer == WriteAnswer::Done
                && matches!(pre_image, PreImage::AsExpected) =>
        {
            Verdict::RetryAlone(Some(there))
        }
        (Goal::Set(wanted), Some(_)) if task.is_compensation() => {
            Verdict::Final(stored_again_in_part(wanted))
        }
        (Goal::Set(wanted), Some(there)) => {
            Verdict::Final(Outcome::RestoredInPart(missing(wanted, &there)))
        }
    }
}

/// Returns the outcome of a write whose goal the card shows.
fn reached(task: &CardTask, pre_image: &PreImage) -> Outcome {
    match (&task.goal, pre_image) {
        (Goal::Set(_), _) if task.is_compensation() => Outcome::Compensated,
        (Goal::Reset, PreImage::AtGoal | PreImage::Emptied)
            if task.tries == 0 && task.limited_since.is_none() =>
        {
            Outcome::AlreadyDefault
        }
        (Goal::Reset, PreImage::AsExpected) => Outcome::Reset,
        (Goal::Reset, _) => Outcome::ResetUnseen,
        (Goal::Set(_), PreImage::Unseen) => Outcome::RestoredUnseen,
        (Goal::Set(_), _) => Outcome::Restored,
    }
}

/// Returns the outcome of a write that the portal accepted, while the card is unchanged.
fn without_effect(task: &CardTask) -> Outcome {
    match &task.goal {
        Goal::Reset => Outcome::StillCustomized,
        Goal::Set(newer) if task.is_compensation() => match &task.expected {
            Some(there) if can_become(newer, there) => stored_again_in_part(newer),
            _ => lost("the portal did not keep it", newer),
        },
        Goal::Set(wanted) if task.expected.as_ref().is_some_and(|there| can_become(wanted, there)) => {
            Outcome::RestoredInPart(task.expected.as_ref().map(|there| missing(wanted, there)).unwrap_or_default())
        }
        Goal::Set(_) if task.expected.is_none() => {
            Outcome::Unknown(tr_later!("sent, and the card is still at its default; the backup is kept").into())
        }
        Goal::Set(_) => Outcome::Unknown(
            tr_later!("sent, and the card still holds the layout that was to be overwritten; the backup is kept")
                .into(),
        ),
    }
}

fn refused(task: &CardTask, refusal: &Refusal) -> Outcome {
    let Refusal { code, message } = refusal.clone();
    match &task.goal {
        Goal::Set(newer) if task.is_compensation() && !task.in_part => lost(&message, newer),
        Goal::Reset | Goal::Set(_) => task.unless_in_part(Outcome::Refused { code, message }),
    }
}

/// Returns the verdict on a reset without reads, by the portal's answer alone.
fn judge_blind(task: &CardTask, answer: WriteAnswer) -> Verdict {
    match answer {
        WriteAnswer::Done => Verdict::Final(Outcome::ResetBlind),
        // The refusal is of this attempt alone.
        WriteAnswer::Refused(refusal) if task.indeterminate => {
            Verdict::Final(Outcome::Unknown(refusal.message))
        }
        WriteAnswer::Refused(Refusal { code, message }) => {
            Verdict::Final(Outcome::Refused { code, message })
        }
        WriteAnswer::Limited(_) | WriteAnswer::Unclear(_) => {
            Verdict::ReadBack(PreImage::Unseen, answer)
        }
    }
}
