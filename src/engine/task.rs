//! Task of the [executor](super::execute): one write with its goal, its expectation and its
//! attempts so far.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{CardKey, Layout, Outcome};
use crate::plan::SetForm;
use crate::plan::diff::{LineChange, diff};
use crate::ports::CardWrite;

/// Number of attempts for one target before its failure counts as its own.
const MAX_ATTEMPTS: u32 = 4;

/// Number of lost lines that a report names; the backup holds all.
const MAX_LINES_NAMED: usize = 12;

/// State that a write should lead to.
#[derive(Clone, Debug)]
pub(super) enum Goal {
    /// The default.
    Reset,
    /// This layout.
    Set(Layout),
}

impl Goal {
    /// Returns the layout of the card once the goal is reached; `None` at the default.
    pub(super) fn target(&self) -> Option<&Layout> {
        match self {
            Self::Reset => None,
            Self::Set(layout) => Some(layout),
        }
    }

    /// Returns `true` if a card shows the goal, also if the portal did not keep all of a layout.
    pub(super) fn is_shown_by(&self, now: Option<&Layout>) -> bool {
        match (self.target(), now) {
            (Some(sent), Some(there)) => sent == there || can_become(sent, there),
            (target, now) => target == now,
        }
    }

    /// Returns the write that leads there.
    pub(super) fn write(&self) -> CardWrite<'_> {
        match self {
            Self::Reset => CardWrite::Reset,
            Self::Set(layout) => CardWrite::Set(layout),
        }
    }
}

/// Layout of a card just before a write, as far as the plan or a read tells.
#[derive(Clone, Debug)]
pub(super) enum PreImage {
    /// No read has shown the layout.
    Unseen,
    /// The layout that was planned with.
    AsExpected,
    /// The goal: an earlier attempt, or the person, was faster.
    AtGoal,
    /// The default, though a layout was planned with.
    Emptied,
    /// A layout that was saved since.
    Newer(Layout),
}

/// Task of the executor: one target.
#[derive(Clone, Debug)]
pub(super) struct CardTask {
    /// The target.
    pub(super) key: CardKey,
    /// The goal of the write.
    pub(super) goal: Goal,
    /// The layout that the card should hold just before; `None` at the default.
    pub(super) expected: Option<Layout>,
    /// A reset without reads or backup, on a portal whose reads are not trusted.
    pub(super) blind: bool,
    /// The layouts of the task are in the backups of the run.
    pub(super) backed_up: bool,
    /// The layout was sent, and the card shows the part of it that the portal kept.
    pub(super) in_part: bool,
    /// The task is sent as single calls.
    pub(super) alone: bool,
    /// The moment of the last read that agreed with `expected`; `None` if the card must be read
    /// first.
    pub(super) read_at: Option<Instant>,
    /// The number of failed attempts.
    pub(super) tries: u32,
    /// The moment of the first refusal by a limit since the last other answer.
    pub(super) limited_since: Option<Instant>,
    /// An earlier attempt may have been executed, and no read can tell.
    pub(super) indeterminate: bool,
    /// The evidence on the last attempt.
    pub(super) pre_image: PreImage,
    /// Zero for a write of the plan; the number of the round for a compensation.
    pub(super) round: u32,
}

/// Reason for a retry.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// A limit; retried until the timeout for limits.
    Limited(String),
    /// Any other reason; retried a few times.
    Failed(String),
}

impl Reason {
    /// Returns the reason in words.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Limited(text) | Self::Failed(text) => text,
        }
    }
}

impl CardTask {
    /// Creates a task of which nothing was sent yet.
    pub(super) fn new(
        key: CardKey,
        goal: Goal,
        expected: Option<Layout>,
        read_at: Option<Instant>,
    ) -> Self {
        Self {
            key,
            goal,
            expected,
            blind: false,
            in_part: false,
            backed_up: false,
            alone: false,
            read_at,
            tries: 0,
            limited_since: None,
            indeterminate: false,
            pre_image: PreImage::Unseen,
            round: 0,
        }
    }

    /// Returns the task that stores a newer layout again which this one has overwritten.
    pub(super) fn compensation(&self, newer: Layout) -> Self {
        let expected = self.goal.target().cloned();
        Self { round: self.round + 1, ..Self::new(self.key, Goal::Set(newer), expected, None) }
    }

    /// Returns `true` if the task stores a newer layout again.
    pub(super) fn is_compensation(&self) -> bool {
        self.round > 0
    }

    /// Returns `true` if a card is as the write expects it. What a compensation expects is what
    /// recard has sent, of which the portal may have kept a part.
    pub(super) fn is_expected(&self, now: Option<&Layout>) -> bool {
        match (&self.expected, now) {
            (Some(sent), Some(there)) if self.is_compensation() => {
                sent == there || can_become(sent, there)
            }
            (expected, now) => expected.as_ref() == now,
        }
    }

    /// Returns the outcome of a task of which nothing more is sent: an outcome without effect
    /// would be untrue for a layout that is on the card in part.
    pub(super) fn unless_in_part(&self, outcome: Outcome) -> Outcome {
        match (&self.goal, &self.expected) {
            (Goal::Set(newer), _) if self.in_part && self.is_compensation() => {
                stored_again_in_part(newer)
            }
            (Goal::Set(wanted), Some(there)) if self.in_part => {
                Outcome::RestoredInPart(missing(wanted, there))
            }
            _ => outcome,
        }
    }

    /// Returns the outcome if nothing more is sent for the task.
    pub(super) fn unattempted(&self, reason: &str) -> Outcome {
        match &self.goal {
            Goal::Set(_) if self.in_part => {
                self.unless_in_part(Outcome::NotAttempted(reason.to_owned()))
            }
            Goal::Set(newer) if self.is_compensation() => lost(reason, newer),
            _ if self.indeterminate => Outcome::Unknown(reason.to_owned()),
            _ => Outcome::NotAttempted(reason.to_owned()),
        }
    }

    /// Returns the task for another attempt, or its outcome if its attempts are used up.
    pub(super) fn again(self, reason: &Reason, limit_timeout: Duration) -> Result<Self, Outcome> {
        let text = reason.text();
        match reason {
            Reason::Limited(_) => {
                let since = self.limited_since.unwrap_or_else(Instant::now);
                if since.elapsed() > limit_timeout {
                    return Err(self.unattempted(text));
                }
                Ok(Self { limited_since: Some(since), pre_image: PreImage::Unseen, ..self })
            }
            Reason::Failed(_) => {
                let tries = self.tries + 1;
                if tries < MAX_ATTEMPTS {
                    return Ok(Self {
                        tries,
                        limited_since: None,
                        pre_image: PreImage::Unseen,
                        ..self
                    });
                }
                Err(match self.unattempted(text) {
                    Outcome::NotAttempted(_) => Outcome::NotAttempted(format!(
                        "tried {tries} times, and the card is as before: {text}"
                    )),
                    other => other,
                })
            }
        }
    }

    /// Returns the pre-image that a read just before the write shows.
    pub(super) fn pre_image(&self, before: Option<Option<Layout>>) -> PreImage {
        match before {
            None => PreImage::Unseen,
            Some(before) if self.is_expected(before.as_ref()) => PreImage::AsExpected,
            Some(before) if before.as_ref() == self.goal.target() => PreImage::AtGoal,
            // An earlier attempt that seemed lost, of which the portal kept a part.
            Some(before) if self.tries > 0 && self.goal.is_shown_by(before.as_ref()) => {
                PreImage::AtGoal
            }
            Some(None) => PreImage::Emptied,
            Some(Some(newer)) => PreImage::Newer(newer),
        }
    }
}

/// Returns the outcome of a newer layout that could not be stored again.
pub(super) fn lost(reason: &str, newer: &Layout) -> Outcome {
    let backup = newer.digest().short();
    Outcome::Lost(format!(
        "it could not be put back ({reason}); restore it from the backup {backup}"
    ))
}

/// Returns the outcome of a newer layout that was stored again, but not whole.
pub(super) fn stored_again_in_part(newer: &Layout) -> Outcome {
    Outcome::Lost(format!(
        "stored again, but the portal did not keep all of it; the backup {} holds it",
        newer.digest().short()
    ))
}

/// Returns `true` if a card that was sent one layout can show the other. `set` drops neither
/// sections nor fields, so that a layout with fewer of them is one that a person saved.
pub(super) fn can_become(sent: &Layout, there: &Layout) -> bool {
    SetForm::new(sent).is_some_and(|form| form.can_be_shown_as(there))
}

/// Returns the lines of a layout that the portal did not keep, for display.
pub(super) fn missing(wanted: &Layout, there: &Layout) -> String {
    let lost: Vec<String> = diff(Some(wanted), Some(there))
        .into_iter()
        .filter(|line| line.change == LineChange::Removed)
        .map(|line| line.text.trim().to_owned())
        .collect();
    let more = lost.len().saturating_sub(MAX_LINES_NAMED);
    let mut text = lost.into_iter().take(MAX_LINES_NAMED).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    if text.is_empty() {
        text = tr_later!("parts that no card shows").to_owned();
    }
    text
}
