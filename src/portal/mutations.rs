//! Write requests: resets and layouts in batches with a read on either side, and single layouts.
//!
//! A write request is repeated only if the portal certainly did not process it.

use bitrix24::{
    Batch, CallError, ClientError, CommandError, CommandResult, FailureClass, Idempotency,
    MAX_COMMANDS, Request, ResponseError, RetryState, RoundTrip, Success, Workload,
};

use super::address::{CardAddress, Operation};
use super::catalog;
use super::client::PortalClient;
use super::error::write_error;
use super::layout_query;
use super::queries::layout_read;
use super::wire::card;
use crate::i18n::english;
use crate::model::{CardKey, Layout};
use crate::ports::{
    CardRead, CardSink, CardWrite, Lane, MAX_WRITES_PER_REQUEST, NO_PIPELINE, PortalError, Refusal,
    SingleSet, WriteAnswer, WriteError, WriteEvidence,
};

/// Number of attempts for a command of a read-back.
const MAX_READ_BACK_ATTEMPTS: u32 = 3;

/// Number of commands of a target: `get, reset, get`.
pub(super) const COMMANDS_PER_TARGET: usize = 3;

/// Number of reads among them.
pub(super) const READS_PER_TARGET: usize = 2;

/// Text for a command that the response does not name: that of [`bitrix24::NOT_EXECUTED`].
pub(super) const NOT_EXECUTED: &str = tr_later!("the portal left the command out");

/// Returns the number of targets in each request of this many writes.
pub(super) fn targets_per_request(client: &PortalClient, targets: usize) -> usize {
    let workload = Workload {
        items: targets,
        commands_each: COMMANDS_PER_TARGET,
        max: MAX_WRITES_PER_REQUEST,
        reserved: 0,
    };
    client.rest().chunk_size(&workload).max(1)
}

/// Sends `get`, the write and `get` for each target, adjacent in one batch.
pub(super) async fn write_cards(
    client: &PortalClient,
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
        let operation = match write {
            CardWrite::Reset => Operation::Reset,
            CardWrite::Set(_) => Operation::Set,
        };
        let get = client.card_command(Operation::Get, *target);
        let (Some(get), Some(change)) = (get, client.card_command(operation, *target)) else {
            return Err(not_sent(format!("{target}: {NO_PIPELINE}")));
        };
        let change = match write {
            CardWrite::Reset => change,
            CardWrite::Set(layout) => match layout_query::with_layout(change, layout) {
                Some(command) => command,
                None => {
                    return Err(not_sent(format!(
                        "the layout of {target} does not fit into a batch"
                    )));
                }
            },
        };
        batch.push(format!("a{index}"), get.clone());
        batch.push(format!("b{index}"), change);
        batch.push(format!("c{index}"), get);
    }
    let mut retry = RetryState::in_lane(lane.into());
    let mut ends = client
        .batches()
        .send(&batch, Idempotency::Unsafe, &mut retry)
        .await
        .map_err(write_error)?;
    let answers = writes.iter().enumerate().map(|(index, (target, _))| {
        let evidence = WriteEvidence {
            before: read(client, ends.remove(&format!("a{index}"))),
            answer: answer(ends.remove(&format!("b{index}"))),
            after: read(client, ends.remove(&format!("c{index}"))),
        };
        (*target, evidence)
    });
    Ok(answers.collect())
}

/// Reads a card, and stores a layout with a single JSON call, which carries all of it with its
/// types. Both are admitted before the read leaves: a wait for the limits in between would leave
/// more time for an unseen save.
pub(super) async fn set_card(
    client: &PortalClient,
    key: CardKey,
    layout: &Layout,
    lane: Lane,
    proceed: &(dyn Fn(&CardRead) -> bool + Sync),
) -> SingleSet {
    let not_sent = |text: &str| SingleSet::NotSent(CardRead::NoAnswer(text.to_owned()));
    let address = CardAddress::from_kind(key.kind, client.method_family());
    let Some(address) = address.filter(|_| client.is_listed(key.kind)) else {
        return SingleSet::NotSent(CardRead::NoPipeline);
    };
    let Some(body) = card::set_body(key, client.method_family(), layout) else {
        return not_sent("the layout cannot be written as JSON");
    };
    let method = address.method(Operation::Set);
    let request = Request { method, body, weights: vec![(method, 1)], admitted: true };
    let mut retry = RetryState::in_lane(lane.into());
    loop {
        if let Err(error) = client.rest().admit(&request.weights, lane.into()).await {
            return SingleSet::NotSent(CardRead::NoAnswer(english(&PortalError::from(error))));
        }
        let before = read_one(client, key, lane).await;
        if !proceed(&before) {
            client.rest().release_admission();
            return SingleSet::NotSent(before);
        }
        let error = match send_set(client, &request, &mut retry).await {
            Ok(()) => return SingleSet::Sent(before, Ok(WriteAnswer::Done)),
            // Of this layout, as far as the answer tells; the read behind it proves the rest. A
            // compensation is sent again.
            Err(CallError::Indeterminate(
                message,
                bitrix24::IndeterminateCause::Refusal(ClientError::Unexpected(_)),
            )) if lane == Lane::Planned => {
                let refusal = Refusal { code: String::new(), message };
                return SingleSet::Sent(before, Ok(WriteAnswer::Refused(refusal)));
            }
            Err(CallError::Client(ClientError::NotExecuted(text))) => {
                match client.rest().retry_unsent(text, &mut retry).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        return SingleSet::Sent(before, Err(write_error(error)));
    }
}

async fn send_set(
    client: &PortalClient,
    request: &Request,
    retry: &mut RetryState,
) -> Result<(), CallError> {
    let read = |success: &Success<'_>, _: RoundTrip| {
        let malformed = || {
            ResponseError::Broken(FailureClass::Transient, "neither true nor an error".to_owned())
        };
        if card::is_done(success.result) { Ok(()) } else { Err(malformed()) }
    };
    client.rest().call(request, Idempotency::Unsafe, retry, read).await
}

/// Reads one card.
async fn read_one(client: &PortalClient, key: CardKey, lane: Lane) -> CardRead {
    let Some(get) = client.card_command(Operation::Get, key) else {
        return CardRead::NoPipeline;
    };
    let batch = Batch::numbered([get]);
    match client
        .batches()
        .send(&batch, Idempotency::Safe, &mut RetryState::in_lane(lane.into()))
        .await
    {
        Ok(mut ends) => read(client, ends.remove(&Batch::key(0))),
        Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => {
            CardRead::NoAnswer(text)
        }
        Err(CallError::Client(error)) => CardRead::NoAnswer(english(&PortalError::from(error))),
        Err(CallError::Refused(refusal)) => CardRead::NoAnswer(refusal.to_string()),
    }
}

/// Reads cards in the lane of compensations. A batch on which the portal fails is bisected; a
/// command without an answer is repeated a few times.
pub(super) async fn read_back(
    client: &PortalClient,
    keys: &[CardKey],
    sink: &mut dyn CardSink,
) -> Result<(), PortalError> {
    catalog::ask_for_pipelines(client, keys).await?;
    let (keys, without): (Vec<CardKey>, Vec<CardKey>) =
        keys.iter().partition(|key| client.has_address(key.kind));
    without.into_iter().for_each(|key| sink.take(key, CardRead::NoPipeline));
    let mut waiting: Vec<(Vec<CardKey>, u32)> =
        keys.chunks(MAX_COMMANDS).map(|chunk| (chunk.to_vec(), 1)).rev().collect();
    while let Some((chunk, attempt)) = waiting.pop() {
        let batch = Batch::numbered(
            chunk.iter().filter_map(|card| client.card_command(Operation::Get, *card)),
        );
        let mut retry = RetryState::in_lane(bitrix24::Lane::Urgent);
        let mut ends = match client.batches().send(&batch, Idempotency::Safe, &mut retry).await {
            Ok(ends) => ends,
            Err(CallError::Broken(_)) if chunk.len() > 1 => {
                let (front, back) = chunk.split_at(chunk.len() / 2);
                waiting.extend([(back.to_vec(), attempt), (front.to_vec(), attempt)]);
                continue;
            }
            Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => {
                chunk.iter().for_each(|card| sink.take(*card, CardRead::NoAnswer(text.clone())));
                continue;
            }
            Err(CallError::Client(error)) => return Err(error.into()),
            Err(CallError::Refused(refusal)) => {
                return Err(PortalError::Unexpected(refusal.to_string()));
            }
        };
        let mut again = Vec::new();
        for (index, card) in chunk.iter().enumerate() {
            match read(client, ends.remove(&Batch::key(index))) {
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
fn read(client: &PortalClient, end: Option<CommandResult>) -> CardRead {
    match end {
        Some(CommandResult::Answered(answer)) => layout_read(client, &answer.json),
        Some(CommandResult::Failed(
            CommandError::Refused(refusal) | CommandError::Rejected(_, refusal),
        )) => CardRead::Refused(refusal.into()),
        Some(CommandResult::Failed(
            CommandError::Limited(_, refusal) | CommandError::Broken(refusal),
        )) => CardRead::NoAnswer(refusal.to_string()),
        None => CardRead::NoAnswer(NOT_EXECUTED.to_owned()),
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
        )) => WriteAnswer::Refused(refusal.into()),
        Some(CommandResult::Failed(CommandError::Broken(refusal))) => {
            WriteAnswer::Unclear(refusal.to_string())
        }
        Some(CommandResult::Failed(CommandError::Limited(_, refusal))) => {
            WriteAnswer::Limited(refusal.to_string())
        }
        None => WriteAnswer::Unclear(NOT_EXECUTED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_executed_is_the_text_of_the_client_which_reports_translate() {
        assert_eq!(NOT_EXECUTED, bitrix24::NOT_EXECUTED);
    }
}
