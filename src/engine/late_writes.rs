//! Writes without an answer, which the portal may execute after their cards were read back.
//!
//! The outcome of such a card is held back until a further read-back at the end of the run.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::task::{CardTask, Goal};
use crate::i18n::english;
use crate::model::{CardKey, Layout, Outcome, OutcomeClass};

/// Cards of requests without an answer.
#[derive(Default)]
pub(super) struct LateWrites(BTreeMap<CardKey, LateWrite>);

/// Requests for one card without an answer.
pub(super) struct LateWrite {
    key: CardKey,
    at: Instant,
    /// The writes.
    goals: Vec<Goal>,
    /// The layout before the first of them.
    expected: Option<Layout>,
    /// The last read of the card.
    last_seen: Option<Option<Layout>>,
    /// The outcome that is held back.
    outcome: Option<Outcome>,
}

/// Verdict on a card, after the read-back at the end of the run.
pub(super) enum LateVerdict {
    /// The target has this outcome.
    Final(Outcome),
    /// A late write removed this layout, which a person had saved since: it must be stored again.
    LostUpdate(Box<CardTask>, Layout),
}

impl LateWrites {
    /// Adds the writes of a request without an answer. Blind resets, which no read can prove, are
    /// left out.
    pub(super) fn add(&mut self, tasks: &[CardTask]) {
        for task in tasks.iter().filter(|task| !task.blind) {
            let late = self.0.entry(task.key).or_insert_with(|| LateWrite {
                key: task.key,
                at: Instant::now(),
                goals: Vec::new(),
                expected: task.expected.clone(),
                last_seen: None,
                outcome: None,
            });
            late.at = Instant::now();
            late.goals.push(task.goal.clone());
        }
    }

    /// Returns `true` if a write of a card may be executed late.
    pub(super) fn contains(&self, key: CardKey) -> bool {
        self.0.contains_key(&key)
    }

    /// Returns the moment of the last request without an answer, if there is one.
    pub(super) fn last_moment(&self) -> Option<Instant> {
        self.0.values().map(|late| late.at).max()
    }

    /// Stores the last read of a card.
    pub(super) fn see(&mut self, key: CardKey, now: Option<Layout>) {
        if let Some(late) = self.0.get_mut(&key) {
            late.last_seen = Some(now);
        }
    }

    /// Holds an outcome back, if a write of its card may be executed late. Returns it otherwise.
    pub(super) fn hold_back(&mut self, key: CardKey, outcome: Outcome) -> Option<Outcome> {
        match self.0.get_mut(&key) {
            Some(late) => {
                late.outcome = Some(outcome);
                None
            }
            None => Some(outcome),
        }
    }

    /// Takes all cards out.
    pub(super) fn take(&mut self) -> Vec<LateWrite> {
        std::mem::take(&mut self.0).into_values().collect()
    }
}

impl LateWrite {
    /// Returns the card.
    pub(super) fn key(&self) -> CardKey {
        self.key
    }

    /// Returns the outcome that was held back.
    pub(super) fn into_outcome(self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns the verdict by a last read of the card; `now` is `None` if it cannot be read.
    /// Returns `None` if the card has no outcome yet.
    pub(super) fn judge(self, now: Option<Option<Layout>>) -> Option<LateVerdict> {
        let Self { key, goals, expected, last_seen, outcome, .. } = self;
        let outcome = outcome?;
        let Some(now) = now else {
            let is_proved = outcome.class() == OutcomeClass::Done;
            return Some(LateVerdict::Final(if is_proved {
                outcome
            } else {
                unseen_in_the_end(&outcome)
            }));
        };
        let is_repeated =
            goals.iter().zip(goals.iter().skip(1)).all(|(one, next)| one.target() == next.target());
        let late = goals.into_iter().find(|goal| goal.is_shown_by(now.as_ref()));
        // No earlier read-back has told, but this one does. A compensation has verdicts of its own.
        let outcome = match (outcome, &late) {
            (Outcome::Unknown(_), Some(Goal::Reset)) if is_repeated => Outcome::ResetUnseen,
            (Outcome::Unknown(_), Some(Goal::Set(_))) if is_repeated => Outcome::RestoredUnseen,
            (Outcome::Unknown(reason), None) if is_repeated && now == expected => {
                Outcome::NotAttempted(format!("the card is as before: {reason}"))
            }
            (outcome, _) => outcome,
        };
        Some(match (late.filter(|_| last_seen.as_ref() != Some(&now)), last_seen.flatten()) {
            (Some(goal), Some(newer)) if Some(&newer) != expected.as_ref() => {
                LateVerdict::LostUpdate(Box::new(CardTask::new(key, goal, expected, None)), newer)
            }
            (Some(Goal::Reset), Some(_)) => LateVerdict::Final(Outcome::ResetUnseen),
            (Some(Goal::Set(_)), Some(_)) => LateVerdict::Final(Outcome::RestoredUnseen),
            (None, _) | (_, None) => LateVerdict::Final(outcome),
        })
    }
}

/// Returns the outcome of a card whose late write could not be checked.
fn unseen_in_the_end(outcome: &Outcome) -> Outcome {
    let found = match outcome {
        Outcome::Unknown(reason) => reason.clone(),
        outcome => english(outcome),
    };
    Outcome::Unknown(format!(
        "{found}; a request without an answer may have been executed since, and the card could not be read again"
    ))
}
