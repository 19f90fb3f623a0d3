//! Call of a batch, with the results of its commands.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Limit;
use super::batch::Batch;
use super::method_budget::MethodUsage;
use super::methods::BATCH;
use super::rest_client::{CallError, Request, RestClient, RoundTrip};
use super::retry::{Idempotency, RetryState};
use super::wire::{BatchResponse, CommandError, CommandResponse, RawCommandResult, Success, Times};

/// Result of one command of a batch.
#[derive(Clone, Debug)]
pub(crate) enum CommandResult {
    /// The command has a result.
    Answered(CommandSuccess),
    /// The command failed.
    Failed(CommandError),
}

/// Success of one command.
#[derive(Clone, Debug)]
pub(crate) struct CommandSuccess {
    /// The JSON text; `null` is a result.
    pub(crate) json: Box<RawValue>,
    /// The number of all entries, if the answer has it.
    pub(crate) total: Option<u64>,
    /// The start of the next page, if there is one.
    pub(crate) next: Option<u64>,
    /// The times of the command.
    pub(crate) times: Times,
    /// The times of the batch.
    pub(crate) batch_times: Times,
}

/// Results of the commands, by key. A command without a key here was not executed.
pub(crate) type CommandResults = BTreeMap<String, CommandResult>;

impl RestClient {
    /// Sends a batch. The result is by key; nothing is ever matched by position.
    pub(crate) async fn batch(
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
            self.record_latency(batch.len(), trip.time, finishes);
            self.record_limits(batch, trip, &answer);
            Ok(owned(answer))
        };
        self.call(&request, idempotency, retry, read).await
    }

    /// Records the operating times of an answer, and the methods that were refused because of a
    /// limit.
    fn record_limits(&self, batch: &Batch, trip: RoundTrip, answer: &BatchResponse<'_>) {
        let (methods, now) = (batch.methods(), self.admission.now());
        let mut refused: Vec<(Limit, &str)> = Vec::new();
        {
            let mut limiter = self.admission.limiter();
            if let Some(usage) = MethodUsage::from_times(&answer.times) {
                limiter.record_usage(BATCH, usage, now);
            }
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
            self.on_throttled(limit, method, trip.sent);
        }
    }
}

/// Copies the borrowed parts of an answer.
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
