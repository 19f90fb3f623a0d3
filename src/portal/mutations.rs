//! Write requests: resets and layouts in batches with a read on either side, and single layouts.
//!
//! A write request is repeated only if the portal certainly did not process it.

use super::batch::{Batch, MAX_COMMANDS, key as key_of_command};
use super::batch_call::CommandResult;
use super::chunking::Workload;
use super::layout_query;
use super::method_budget::MethodUsage;
use super::methods::{BatchCommand, GET, RESET, SET};
use super::rest_client::{CallError, Request, RestClient, RoundTrip, describe};
use super::retry::{Idempotency, RetryState};
use super::wire::{CommandError, FailureClass, ResponseError, Success, card};
use crate::i18n::english;
use crate::model::{CardKey, Layout};
use crate::ports::{
    CardRead, CardSink, CardWrite, IndeterminateCause, Lane, MAX_WRITES_PER_REQUEST, PortalError,
    SingleSet, WriteAnswer, WriteError, WriteEvidence,
};

/// Number of attempts for a command of a read-back.
const MAX_READ_BACK_ATTEMPTS: u32 = 3;

/// Number of commands of a target: `get, reset, get`.
pub(super) const COMMANDS_PER_TARGET: usize = 3;

/// Number of reads among them.
pub(super) const READS_PER_TARGET: usize = 2;

/// Message for commands that the portal did not execute.
pub(super) const NOT_EXECUTED: &str = tr_later!("the portal left the command out");

impl RestClient {
    /// Returns the number of targets for the next request of resets.
    pub(crate) fn targets_per_request(&self, remaining: usize) -> usize {
        let workload = Workload {
            items: remaining,
            commands_each: COMMANDS_PER_TARGET,
            max: MAX_WRITES_PER_REQUEST,
            reserved: 0,
        };
        self.next_resets(&workload)
    }

    /// Sends `get`, the write and `get` for each target, adjacent in one batch.
    pub(crate) async fn write_cards(
        &self,
        writes: &[(CardKey, CardWrite<'_>)],
        lane: Lane,
    ) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let not_sent = |text: String| WriteError::NotSent(PortalError::NotExecuted(text));
        if writes.len() > MAX_WRITES_PER_REQUEST {
            let text = format!(
                "{} targets were given for one request, which takes {MAX_WRITES_PER_REQUEST}",
                writes.len()
            );
            return Err(not_sent(text));
        }
        let mut batch = Batch::default();
        for (index, (target, write)) in writes.iter().enumerate() {
            let change = match write {
                CardWrite::Reset => BatchCommand::for_card(RESET, *target),
                CardWrite::Set(layout) => match layout_query::set_command(*target, layout) {
                    Some(command) => command,
                    None => {
                        return Err(not_sent(format!(
                            "the layout of {target} does not fit into a batch"
                        )));
                    }
                },
            };
            batch.push(format!("a{index}"), BatchCommand::for_card(GET, *target));
            batch.push(format!("b{index}"), change);
            batch.push(format!("c{index}"), BatchCommand::for_card(GET, *target));
        }
        let mut retry = RetryState::in_lane(lane);
        let mut ends =
            self.batch(&batch, Idempotency::Unsafe, &mut retry).await.map_err(write_error)?;
        let answers = writes.iter().enumerate().map(|(index, (target, _))| {
            let evidence = WriteEvidence {
                before: self.read(ends.remove(&format!("a{index}"))),
                answer: answer(ends.remove(&format!("b{index}"))),
                after: self.read(ends.remove(&format!("c{index}"))),
            };
            (*target, evidence)
        });
        Ok(answers.collect())
    }

    /// Reads a card, and stores a layout with a single JSON call, which carries all of it with its
    /// types. Both are admitted before the read leaves: a wait for the limits in between would
    /// leave more time for an unseen save.
    pub(crate) async fn set_card(
        &self,
        key: CardKey,
        layout: &Layout,
        lane: Lane,
        proceed: &(dyn Fn(&CardRead) -> bool + Sync),
    ) -> SingleSet {
        let Some(body) = card::set_body(key, layout) else {
            return SingleSet::NotSent(CardRead::NoAnswer(
                "the layout cannot be written as JSON".to_owned(),
            ));
        };
        let request = Request { method: SET, body, weights: vec![(SET, 1)], admitted: true };
        let mut retry = RetryState::in_lane(lane);
        loop {
            if let Err(error) = self.admission.admit(&request.weights, lane).await {
                return SingleSet::NotSent(CardRead::NoAnswer(english(&error)));
            }
            let before = self.read_one(key, lane).await;
            if !proceed(&before) {
                let now = self.admission.now();
                self.admission.limiter().on_not_sent(now);
                return SingleSet::NotSent(before);
            }
            let error = match self.send_set(&request, &mut retry).await {
                Ok(()) => return SingleSet::Sent(before, Ok(WriteAnswer::Done)),
                Err(CallError::Portal(PortalError::NotExecuted(text))) => {
                    match self.retry_unsent(text, &mut retry).await {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            return SingleSet::Sent(before, Err(write_error(error)));
        }
    }

    async fn send_set(&self, request: &Request, retry: &mut RetryState) -> Result<(), CallError> {
        let read = |success: &Success<'_>, _: RoundTrip| {
            if let Some(usage) = MethodUsage::from_times(&success.times) {
                let now = self.admission.now();
                self.admission.limiter().record_usage(SET, usage, now);
            }
            let malformed = || {
                ResponseError::Broken(
                    FailureClass::Transient,
                    "neither true nor an error".to_owned(),
                )
            };
            if card::is_done(success.result) { Ok(()) } else { Err(malformed()) }
        };
        self.call(request, Idempotency::Unsafe, retry, read).await
    }

    /// Reads one card.
    async fn read_one(&self, key: CardKey, lane: Lane) -> CardRead {
        let batch = Batch::numbered([BatchCommand::for_card(GET, key)]);
        match self.batch(&batch, Idempotency::Safe, &mut RetryState::in_lane(lane)).await {
            Ok(mut ends) => self.read(ends.remove(&key_of_command(0))),
            Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => {
                CardRead::NoAnswer(text)
            }
            Err(CallError::Portal(error)) => CardRead::NoAnswer(english(&error)),
            Err(CallError::Refused(refusal)) => CardRead::NoAnswer(describe(&refusal)),
        }
    }

    /// Reads cards in the lane of compensations. A batch on which the portal fails is bisected; a
    /// command without an answer is repeated a few times.
    pub(crate) async fn read_back(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        let mut waiting: Vec<(Vec<CardKey>, u32)> =
            keys.chunks(MAX_COMMANDS).map(|chunk| (chunk.to_vec(), 1)).rev().collect();
        while let Some((chunk, attempt)) = waiting.pop() {
            let batch =
                Batch::numbered(chunk.iter().map(|card| BatchCommand::for_card(GET, *card)));
            let mut retry = RetryState::in_lane(Lane::Compensation);
            let mut ends = match self.batch(&batch, Idempotency::Safe, &mut retry).await {
                Ok(ends) => ends,
                Err(CallError::Broken(_)) if chunk.len() > 1 => {
                    let (front, back) = chunk.split_at(chunk.len() / 2);
                    waiting.extend([(back.to_vec(), attempt), (front.to_vec(), attempt)]);
                    continue;
                }
                Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => {
                    chunk
                        .iter()
                        .for_each(|card| sink.take(*card, CardRead::NoAnswer(text.clone())));
                    continue;
                }
                Err(CallError::Portal(error)) => return Err(error),
                Err(CallError::Refused(refusal)) => {
                    return Err(PortalError::Unexpected(describe(&refusal)));
                }
            };
            let mut again = Vec::new();
            for (index, card) in chunk.iter().enumerate() {
                match self.read(ends.remove(&key_of_command(index))) {
                    CardRead::NoAnswer(_) if attempt < MAX_READ_BACK_ATTEMPTS => again.push(*card),
                    read => sink.take(*card, read),
                }
            }
            if !again.is_empty() {
                waiting.push((again, attempt + 1));
            }
        }
        Ok(())
    }

    /// Converts the result of a read beside a reset.
    fn read(&self, end: Option<CommandResult>) -> CardRead {
        match end {
            Some(CommandResult::Answered(answer)) => self.layout_read(&answer.json),
            Some(CommandResult::Failed(
                CommandError::Refused(refusal) | CommandError::Rejected(_, refusal),
            )) => CardRead::Refused(refusal),
            Some(CommandResult::Failed(
                CommandError::Limited(_, refusal) | CommandError::Broken(refusal),
            )) => CardRead::NoAnswer(describe(&refusal)),
            None => CardRead::NoAnswer(NOT_EXECUTED.to_owned()),
        }
    }
}

/// Converts the error of a write call to that of the port.
fn write_error(error: CallError) -> WriteError {
    match error {
        CallError::Portal(error) => WriteError::NotSent(error),
        CallError::Indeterminate(reason, cause) => WriteError::Indeterminate { reason, cause },
        CallError::Refused(refusal) => {
            let reason = describe(&refusal);
            let cause = IndeterminateCause::Refusal(PortalError::Unexpected(reason.clone()));
            WriteError::Indeterminate { reason, cause }
        }
        CallError::Broken(reason) => {
            WriteError::Indeterminate { reason, cause: IndeterminateCause::NoAnswer }
        }
    }
}

/// Returns the portal's own answer to a write of a batch.
fn answer(end: Option<CommandResult>) -> WriteAnswer {
    match end {
        Some(CommandResult::Answered(answer)) if card::is_done(&answer.json) => WriteAnswer::Done,
        Some(CommandResult::Answered(_)) => {
            WriteAnswer::Unclear("the portal answered neither true nor an error".to_owned())
        }
        Some(CommandResult::Failed(
            CommandError::Refused(refusal) | CommandError::Rejected(_, refusal),
        )) => WriteAnswer::Refused(refusal),
        Some(CommandResult::Failed(CommandError::Broken(refusal))) => {
            WriteAnswer::Unclear(describe(&refusal))
        }
        Some(CommandResult::Failed(CommandError::Limited(_, refusal))) => {
            WriteAnswer::Limited(describe(&refusal))
        }
        None => WriteAnswer::Unclear(NOT_EXECUTED.to_owned()),
    }
}
