//! Batches: one batch sent and read, and any number of commands that only read, in batches over
//! several connections.
//!
//! The work is named by numbers from 0, and a command is made when it is sent, so that nothing is
//! held for commands that wait. Results are matched by key, never by position. A batch that the
//! portal cannot get through is cut in two, and again, until the one bad command stands alone and
//! all others are answered.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde_json::value::RawValue;

use crate::batch::{Batch, MAX_COMMANDS};
use crate::batch_response::{BatchResponse, CommandResponse, RawCommandResult};
use crate::chunking::Workload;
use crate::command::{BATCH, BatchCommand};
use crate::error::{CallError, ClientError, Refusal};
use crate::method_budget::MethodUsage;
use crate::quota::Limit;
use crate::request::{Request, RoundTrip};
use crate::response::{Success, Times};
use crate::response_error::CommandError;
use crate::rest_client::{LIMIT_TIMEOUT, RestClient};
use crate::retry::{Idempotency, RetryState};

/// Reason of a read without a result: the response to the batch does not name the command.
pub const NOT_EXECUTED: &str = "the portal left the command out";

/// Outcome of one command of a batch.
#[derive(Clone, Debug)]
pub enum CommandResult {
    /// The portal executed the command.
    Answered(CommandSuccess),
    /// The portal refused the command, or its execution failed.
    Failed(CommandError),
}

/// Result of an executed command.
#[derive(Clone, Debug)]
pub struct CommandSuccess {
    /// The JSON text; `null` is a result.
    pub json: Box<RawValue>,
    /// The number of all entries, if the answer has it.
    pub total: Option<u64>,
    /// The start of the next page, if there is one.
    pub next: Option<u64>,
    /// The times of the command.
    pub times: Times,
    /// The times of the batch around it.
    pub batch_times: Times,
}

/// Results of the commands, by key. A command without a key here was not executed.
pub type CommandResults = BTreeMap<String, CommandResult>;

/// Result of one command.
#[derive(Clone, Debug)]
pub enum ReadResult {
    /// It has a result.
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

/// Sender of batches over one client.
#[derive(Debug)]
pub struct BatchExecutor {
    client: RestClient,
}

impl BatchExecutor {
    /// Makes an executor over a client.
    pub fn new(client: RestClient) -> Self {
        Self { client }
    }

    /// Returns the client below.
    pub fn client(&self) -> &RestClient {
        &self.client
    }

    /// Sends a batch. The result is by key; nothing is ever matched by position.
    pub async fn send(
        &self,
        batch: &Batch,
        idempotency: Idempotency,
        retry: &mut RetryState,
    ) -> Result<CommandResults, CallError> {
        let request = Request {
            method: BATCH,
            body: batch.body(),
            weights: batch.weights(),
            admitted: false,
        };
        let read = |success: &Success<'_>, trip: RoundTrip| {
            let answer = BatchResponse::from_success(success)?;
            let finishes = answer.results.values().filter_map(|result| result.times.finish);
            self.client.record_latency(batch.len(), trip.time, finishes);
            self.record_limits(batch, trip, &answer);
            Ok(owned(answer))
        };
        self.client.call(&request, idempotency, retry, read).await
    }

    /// Records the operating times of an answer, and the methods that were refused because of a
    /// limit.
    fn record_limits(&self, batch: &Batch, trip: RoundTrip, answer: &BatchResponse<'_>) {
        let (methods, now) = (batch.methods(), self.client.admission.now());
        let mut refused: Vec<(Limit, &str)> = Vec::new();
        {
            let mut limiter = self.client.admission.limiter();
            for (key, result) in &answer.results {
                let Some(method) = methods.get(key.as_str()).copied() else { continue };
                if let Some(usage) = MethodUsage::from_times(&result.times) {
                    limiter.record_usage(method, usage, now);
                }
                if let RawCommandResult::Failed(CommandError::Limited(limit, _)) = &result.outcome
                    && !refused.contains(&(*limit, method))
                {
                    refused.push((*limit, method));
                }
            }
        }
        for (limit, method) in refused {
            self.client.on_throttled(limit, method, trip.sent);
        }
    }

    /// Sends the commands with the numbers 0 to `count - 1`, and passes the result of each to
    /// `take`, in no particular order and each exactly once, unless the whole call fails.
    /// `reserved` is the number of requests that are expected to follow.
    pub async fn read_all(
        &self,
        count: usize,
        reserved: usize,
        command: &(dyn Fn(usize) -> BatchCommand + Sync),
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), ClientError> {
        let workload = Workload { items: count, commands_each: 1, max: MAX_COMMANDS, reserved };
        self.read_in_chunks(count, self.client.chunk_size(&workload), command, take).await
    }

    /// Sends commands as [`read_all`](Self::read_all) does, in as few requests as can carry them.
    pub async fn read_in_fewest(
        &self,
        count: usize,
        command: &(dyn Fn(usize) -> BatchCommand + Sync),
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), ClientError> {
        self.read_in_chunks(count, MAX_COMMANDS, command, take).await
    }

    async fn read_in_chunks(
        &self,
        count: usize,
        chunk: usize,
        command: &(dyn Fn(usize) -> BatchCommand + Sync),
        take: &mut (dyn FnMut(usize, ReadResult) + Send),
    ) -> Result<(), ClientError> {
        let mut pending =
            PendingBatches { client: &self.client, count, next: 0, chunk, again: VecDeque::new() };
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < self.client.connections()
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
                Err(CallError::Client(error)) => return Err(error),
                Err(CallError::Refused(refusal)) => {
                    return Err(ClientError::Unexpected(refusal.to_string()));
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
            self.client.admission.pause(attempt.pause).await?;
        }
        let batch = Batch::numbered(attempt.numbers.iter().map(|number| command(*number)));
        self.send(&batch, Idempotency::Safe, &mut attempt.retry).await
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
    ) -> Result<(), ClientError> {
        let (mut limited, mut failed) = (Vec::new(), Vec::new());
        for (index, &number) in attempt.numbers.iter().enumerate() {
            match ends.remove(&Batch::key(index)) {
                Some(CommandResult::Answered(answer)) => take(number, ReadResult::Answered(answer)),
                Some(CommandResult::Failed(CommandError::Refused(refusal))) => {
                    take(number, ReadResult::Refused(refusal))
                }
                Some(CommandResult::Failed(error)) if command(number).is_optional() => {
                    take(number, ReadResult::Refused(error.into_refusal()))
                }
                None if command(number).is_optional() => {
                    take(number, ReadResult::NoAnswer(NOT_EXECUTED.to_owned()))
                }
                Some(CommandResult::Failed(CommandError::Rejected(rejection, refusal))) => {
                    return Err(self
                        .client
                        .reject(rejection, with_method_name(command(number).method(), refusal)));
                }
                Some(CommandResult::Failed(CommandError::Limited(_, refusal))) => {
                    limited.push((number, refusal.to_string()));
                }
                Some(CommandResult::Failed(CommandError::Broken(refusal))) => {
                    failed.push((number, refusal.to_string()))
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
    ) -> Result<(), ClientError> {
        let Some((_, text)) = limited.first() else {
            return Ok(());
        };
        retry.on_throttled();
        if retry.throttled_for() > LIMIT_TIMEOUT {
            return Err(ClientError::NotExecuted(text.clone()));
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
    ) -> Result<(), ClientError> {
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
            return Err(ClientError::NotExecuted(text.clone()));
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
    ) -> Result<(), ClientError> {
        let BatchAttempt { numbers, retry, pause: _ } = attempt;
        if let [number] = numbers.as_slice() {
            take(*number, ReadResult::NoAnswer(text));
            return Ok(());
        }
        if !self.client.try_spend_retry() {
            return Err(ClientError::MaybeExecuted(text));
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

/// Copies what an answer borrows.
fn owned(answer: BatchResponse<'_>) -> CommandResults {
    let batch_times = answer.times;
    let end = |outcome, total, next, times| match outcome {
        RawCommandResult::Failed(trouble) => CommandResult::Failed(trouble),
        RawCommandResult::Answered(json) => CommandResult::Answered(CommandSuccess {
            json: RawValue::to_owned(json),
            total,
            next,
            times,
            batch_times,
        }),
    };
    let results = answer.results.into_iter();
    results
        .map(|(key, CommandResponse { outcome, total, next, times })| {
            (key, end(outcome, total, next, times))
        })
        .collect()
}

/// Returns the refusal of one command with the method in its message.
fn with_method_name(method: &str, refusal: Refusal) -> Refusal {
    let Refusal { code, message } = refusal;
    let message =
        if message.is_empty() { method.to_owned() } else { format!("{method}: {message}") };
    Refusal { code, message }
}
