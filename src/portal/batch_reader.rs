//! Batch reader: any number of read commands, in batches over several connections, until each has
//! its result.
//!
//! The commands are numbered from 0 and built when they are sent, so that waiting ones take no
//! memory. Answers are matched by key. A batch on which the portal fails is bisected, until the one
//! bad command is alone and all others are answered.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::batch::{Batch, MAX_COMMANDS, key};
use super::batch_call::{CommandResult, CommandResults, CommandSuccess};
use super::chunking::Workload;
use super::methods::BatchCommand;
use super::mutations::NOT_EXECUTED;
use super::rest_client::{CallError, LIMIT_TIMEOUT, RestClient, describe, with_method_name};
use super::retry::{Idempotency, RetryState};
use super::wire::CommandError;
use crate::ports::{PortalError, Refusal};

/// Result of one command.
#[derive(Clone, Debug)]
pub(crate) enum ReadResult {
    /// The command has a result.
    Answered(CommandSuccess),
    /// The portal refused it.
    Refused(Refusal),
    /// No usable answer, after all attempts.
    NoAnswer(String),
}

/// Maximum number of attempts for a command that the portal left out, or in which its code failed.
const MAX_ATTEMPTS: u32 = 3;

/// Batch to be sent.
struct BatchAttempt {
    numbers: Vec<usize>,
    retry: RetryState,
    pause: Duration,
}

/// Commands that are not in flight.
struct PendingBatches<'a> {
    client: &'a RestClient,
    count: usize,
    next: usize,
    chunk: usize,
    again: VecDeque<BatchAttempt>,
}

impl RestClient {
    /// Sends the commands with the numbers 0 to `count - 1`, and passes the result of each to
    /// `take`, in no particular order and each exactly once, unless the whole call fails.
    /// `reserved` is the number of requests that are expected to follow.
    pub(crate) async fn read_all(
        &self,
        count: usize,
        reserved: usize,
        command: &(dyn Fn(usize) -> BatchCommand + Sync),
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), PortalError> {
        let workload = Workload { items: count, commands_each: 1, max: MAX_COMMANDS, reserved };
        let mut pending = PendingBatches {
            client: self,
            count,
            next: 0,
            chunk: self.chunk_size(&workload),
            again: VecDeque::new(),
        };
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < self.connections()
                && let Some(mut attempt) = pending.next_attempt()
            {
                in_flight.push(async move {
                    let sent = self.send_attempt(&mut attempt, command).await;
                    (attempt, sent)
                });
            }
            let next = in_flight.next().await;
            let Some((attempt, sent)) = next else {
                return Ok(());
            };
            match sent {
                Ok(ends) => pending.dispatch_results(&attempt, ends, command, take)?,
                Err(CallError::Portal(error)) => return Err(error),
                Err(CallError::Refused(refusal)) => {
                    return Err(PortalError::Unexpected(describe(&refusal)));
                }
                Err(CallError::Broken(text) | CallError::Indeterminate(text, _)) => {
                    pending.bisect(attempt, text, take)?
                }
            }
        }
    }

    async fn send_attempt(
        &self,
        attempt: &mut BatchAttempt,
        command: &(dyn Fn(usize) -> BatchCommand + Sync),
    ) -> Result<CommandResults, CallError> {
        if !attempt.pause.is_zero() {
            self.admission.pause(attempt.pause).await.map_err(CallError::Portal)?;
        }
        let batch = Batch::numbered(attempt.numbers.iter().map(|number| command(*number)));
        self.batch(&batch, Idempotency::Safe, &mut attempt.retry).await
    }
}

impl PendingBatches<'_> {
    /// Returns the next batch: retries before new commands.
    fn next_attempt(&mut self) -> Option<BatchAttempt> {
        if let Some(attempt) = self.again.pop_front() {
            return Some(attempt);
        }
        let left = self.count - self.next;
        if left == 0 {
            return None;
        }
        let size = self.chunk.min(left);
        let numbers = (self.next..self.next + size).collect();
        self.next += size;
        Some(BatchAttempt { numbers, retry: RetryState::default(), pause: Duration::ZERO })
    }

    /// Passes results on, and queues retries.
    fn dispatch_results(
        &mut self,
        attempt: &BatchAttempt,
        mut ends: CommandResults,
        command: &(dyn Fn(usize) -> BatchCommand + Sync),
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), PortalError> {
        let (mut limited, mut failed) = (Vec::new(), Vec::new());
        for (index, &number) in attempt.numbers.iter().enumerate() {
            match ends.remove(&key(index)) {
                Some(CommandResult::Answered(answer)) => take(number, ReadResult::Answered(answer)),
                Some(CommandResult::Failed(CommandError::Refused(refusal))) => {
                    take(number, ReadResult::Refused(refusal))
                }
                Some(CommandResult::Failed(CommandError::Rejected(rejection, refusal))) => {
                    return Err(self
                        .client
                        .reject(rejection, with_method_name(command(number).method(), refusal)));
                }
                Some(CommandResult::Failed(CommandError::Limited(_, refusal))) => {
                    limited.push((number, describe(&refusal)));
                }
                Some(CommandResult::Failed(CommandError::Broken(refusal))) => {
                    failed.push((number, describe(&refusal)))
                }
                None => failed.push((number, NOT_EXECUTED.to_owned())),
            }
        }
        self.back_off_for_limit(attempt.retry, limited)?;
        self.retry_or_give_up(attempt.retry, failed, take)
    }

    /// Queues commands that a limit has refused; the limiter does the waiting.
    fn back_off_for_limit(
        &mut self,
        mut retry: RetryState,
        limited: Vec<(usize, String)>,
    ) -> Result<(), PortalError> {
        let Some((_, text)) = limited.first() else {
            return Ok(());
        };
        retry.on_throttled();
        if retry.throttled_for() > LIMIT_TIMEOUT {
            return Err(PortalError::NotExecuted(text.clone()));
        }
        let numbers = limited.into_iter().map(|(number, _)| number).collect();
        self.again.push_back(BatchAttempt { numbers, retry, pause: Duration::ZERO });
        Ok(())
    }

    /// Queues commands that were left out or failed, or gives them up.
    fn retry_or_give_up(
        &mut self,
        mut retry: RetryState,
        failed: Vec<(usize, String)>,
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), PortalError> {
        let Some((_, text)) = failed.first() else {
            return Ok(());
        };
        let pause = retry.next_backoff(self.client.retry_budget());
        if retry.attempts() >= MAX_ATTEMPTS {
            for (number, text) in failed {
                take(number, ReadResult::NoAnswer(text));
            }
            return Ok(());
        }
        if !self.client.try_spend_retry() {
            return Err(PortalError::NotExecuted(text.clone()));
        }
        self.client.count_retry(text.clone());
        let numbers = failed.into_iter().map(|(number, _)| number).collect();
        self.again.push_back(BatchAttempt { numbers, retry, pause });
        Ok(())
    }

    /// Splits a batch in two, or gives its single command up.
    fn bisect(
        &mut self,
        attempt: BatchAttempt,
        text: String,
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), PortalError> {
        let BatchAttempt { numbers, retry, pause: _ } = attempt;
        if let [number] = numbers.as_slice() {
            take(*number, ReadResult::NoAnswer(text));
            return Ok(());
        }
        if !self.client.try_spend_retry() {
            return Err(PortalError::MaybeExecuted(text));
        }
        self.client.count_split(numbers.len(), &text);
        let (first, second) = numbers.split_at(numbers.len().div_ceil(2));
        for half in [first, second] {
            self.again.push_back(BatchAttempt {
                numbers: half.to_vec(),
                retry: retry.split(self.client.retry_budget()),
                pause: Duration::ZERO,
            });
        }
        Ok(())
    }
}
