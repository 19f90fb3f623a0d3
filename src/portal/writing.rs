//! What a writer asks the portal to change: resets in one batch, and one layout at a time.
//!
//! Nothing here is sent a second time once it may have been carried out. What a refusal surely left undone is.

use super::batch::Batch;
use super::client::{CallError, Client, Request, of_method, words};
use super::command::{Command, GET, RESET, SET};
use super::exchange::{CommandEnd, CommandEnds};
use super::operating::Told;
use super::schedule::Next;
use super::sizing::{Latest, Work};
use super::trial::{Repeat, Trial};
use super::wire::{Breakage, CommandTrouble, Success, Trouble, card};
use crate::model::{CardKey, Layout};
use crate::port::{CardRead, CommandAnswer, PortalError, Refusal, Rejection, ResetAnswer};

/// The most targets of one request: three commands each, of the 50 that the portal takes.
pub(crate) const MOST_TARGETS: usize = 16;

/// How many commands a target has: `get, reset, get`.
const COMMANDS_EACH: usize = 3;

/// How many of those read.
pub(super) const READS_OF_A_RESET: usize = 2;

/// Resets of so many targets.
pub(super) fn resets(count: usize) -> Work {
    Work::of(count, COMMANDS_EACH, MOST_TARGETS)
}

/// What the portal says of commands that it did not run.
pub(super) const LEFT_OUT: &str = tr_later!("the portal left the command out");

impl Client {
    /// How many targets the next request of resets should carry.
    pub(crate) fn targets_per_request(&self, remaining: usize) -> usize {
        match self.next_size(resets(remaining), &mut Latest::default()) {
            Next::Size(size) => size,
            // All that is to be reset is known.
            Next::Wait => 1,
        }
    }

    /// Sends `get, reset, get` for each target, as neighbours in one batch.
    pub(crate) async fn reset_cards(&self, targets: &[CardKey]) -> Result<Vec<(CardKey, ResetAnswer)>, PortalError> {
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        if targets.len() > MOST_TARGETS {
            let text = format!("{} targets were given for one request, which takes {MOST_TARGETS}", targets.len());
            return Err(PortalError::NotExecuted(text));
        }
        let mut batch = Batch::default();
        for (index, target) in targets.iter().enumerate() {
            for (letter, method) in [('a', GET), ('b', RESET), ('c', GET)] {
                batch.push(format!("{letter}{index}"), Command::for_card(method, *target));
            }
        }
        let mut trial = Trial::default();
        let mut ends = self.batch(&batch, Repeat::IfNotExecuted, &mut trial).await.map_err(|error| match error {
            CallError::Portal(error) => error,
            CallError::Refused(refusal) => PortalError::NotExecuted(words(&refusal)),
            CallError::Broken(text) => PortalError::MaybeExecuted(text),
        })?;
        self.note_limits(&ends);
        // Once a single command may have been carried out, the answers of all must be told, even if the credential died
        // meanwhile.
        let may_have_worked =
            |end: &CommandEnd| matches!(end, CommandEnd::Answered(_) | CommandEnd::Failed(CommandTrouble::Broken(_)));
        if !ends.values().any(may_have_worked)
            && let Some((rejection, refusal)) = first_rejection(&ends)
        {
            return Err(self.reject(rejection, refusal));
        }
        let answers = targets.iter().enumerate().map(|(index, target)| {
            let answer = ResetAnswer {
                before: self.read(ends.remove(&format!("a{index}"))),
                reset: reset(ends.remove(&format!("b{index}"))),
                after: self.read(ends.remove(&format!("c{index}"))),
            };
            (*target, answer)
        });
        Ok(answers.collect())
    }

    /// Stores a layout with a single JSON call: a batch would lose fields of large cards and types of small ones.
    pub(crate) async fn set_card(&self, key: CardKey, layout: &Layout) -> Result<CommandAnswer, PortalError> {
        let Some(body) = card::set_body(key, layout) else {
            return Err(PortalError::NotExecuted("the layout cannot be written as JSON".to_owned()));
        };
        let request = Request { method: SET, body, charges: vec![(SET, 1)] };
        let read = |success: &Success<'_>, after| {
            if let Some(sum) = success.times.operating {
                let now = self.gate.now();
                let sent = now.saturating_sub(after);
                let told = Told { lowest: sum, highest: sum, commands: 1, each: None, sent };
                self.gate.told(&[(SET, told)].into(), now);
            }
            let odd = || Trouble::Broken(Breakage::Passing, "neither true nor an error".to_owned());
            if card::is_done(success.result) { Ok(()) } else { Err(odd()) }
        };
        match self.call(&request, Repeat::IfNotExecuted, &mut Trial::default(), read).await {
            Ok(()) => Ok(CommandAnswer::Done),
            Err(CallError::Refused(refusal)) => Ok(CommandAnswer::Refused(refusal)),
            Err(CallError::Broken(text)) => Err(PortalError::MaybeExecuted(text)),
            Err(CallError::Portal(error)) => Err(error),
        }
    }

    /// What the end of a read beside a reset means for the card.
    fn read(&self, end: Option<CommandEnd>) -> CardRead {
        match end {
            Some(CommandEnd::Answered(answer)) => self.layout_read(&answer.json),
            Some(CommandEnd::Failed(CommandTrouble::Refused(refusal) | CommandTrouble::Rejected(_, refusal))) => {
                CardRead::Refused(refusal)
            }
            Some(CommandEnd::Failed(CommandTrouble::Limited(_, refusal) | CommandTrouble::Broken(refusal))) => {
                CardRead::NoAnswer(words(&refusal))
            }
            None => CardRead::NoAnswer(LEFT_OUT.to_owned()),
        }
    }

    /// Tells the limiter which commands were refused because of a limit, once for each method.
    fn note_limits(&self, ends: &CommandEnds) {
        let mut seen = Vec::new();
        for (key, end) in ends {
            if let CommandEnd::Failed(CommandTrouble::Limited(limit, _)) = end {
                let method = if key.starts_with('b') { RESET } else { GET };
                if !seen.contains(&(*limit, method)) {
                    seen.push((*limit, method));
                    self.limited(*limit, &[method]);
                }
            }
        }
    }
}

fn first_rejection(ends: &CommandEnds) -> Option<(Rejection, Refusal)> {
    ends.iter().find_map(|(key, end)| match end {
        CommandEnd::Failed(CommandTrouble::Rejected(rejection, refusal)) => {
            let method = if key.starts_with('b') { RESET } else { GET };
            Some((*rejection, of_method(method, refusal.clone())))
        }
        CommandEnd::Failed(_) | CommandEnd::Answered(_) => None,
    })
}

fn reset(end: Option<CommandEnd>) -> CommandAnswer {
    match end {
        Some(CommandEnd::Answered(answer)) if card::is_done(&answer.json) => CommandAnswer::Done,
        Some(CommandEnd::Answered(_)) => {
            CommandAnswer::Unclear("the portal answered neither true nor an error".to_owned())
        }
        Some(CommandEnd::Failed(CommandTrouble::Refused(refusal) | CommandTrouble::Rejected(_, refusal))) => {
            CommandAnswer::Refused(refusal)
        }
        Some(CommandEnd::Failed(CommandTrouble::Broken(refusal))) => CommandAnswer::Unclear(words(&refusal)),
        Some(CommandEnd::Failed(CommandTrouble::Limited(_, refusal))) => CommandAnswer::NotExecuted(words(&refusal)),
        None => CommandAnswer::NotExecuted(LEFT_OUT.to_owned()),
    }
}
