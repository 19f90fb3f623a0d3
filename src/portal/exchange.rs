//! A batch, sent and read: what became of each of its commands.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Limit;
use super::batch::Batch;
use super::client::{CallError, Client, Request, RoundTrip};
use super::command::BATCH;
use super::method_budget::MethodUsage;
use super::trial::{Repeat, Trial};
use super::wire::{BatchAnswer, CommandOutcome, CommandResult, CommandTrouble, Success, Times};

/// What became of one command of a batch.
#[derive(Clone, Debug)]
pub(crate) enum CommandEnd {
    /// It has a result.
    Answered(Answer),
    /// It failed.
    Failed(CommandTrouble),
}

/// The result of one command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The JSON text; `null` is a result.
    pub(crate) json: Box<RawValue>,
    /// How many entries there are in all, if it says so.
    pub(crate) total: Option<u64>,
    /// Where the next page starts, if there is one.
    pub(crate) next: Option<u64>,
    /// What it says about time.
    pub(crate) times: Times,
    /// What the batch around it says about time.
    pub(crate) batch_times: Times,
}

/// What became of each command, by its key. A key that is not here was not executed.
pub(crate) type CommandEnds = BTreeMap<String, CommandEnd>;

impl Client {
    /// Sends a batch. The result is by key; nothing is ever matched by position.
    pub(crate) async fn batch(
        &self,
        batch: &Batch,
        repeat: Repeat,
        trial: &mut Trial,
    ) -> Result<CommandEnds, CallError> {
        let request = Request {
            method: BATCH,
            body: batch.body(),
            charges: batch.charges(),
            admitted: false,
        };
        let read = |success: &Success<'_>, trip: RoundTrip| {
            let answer = BatchAnswer::of(success)?;
            let finishes = answer.results.values().filter_map(|result| result.times.finish);
            self.record_latency(batch.len(), trip.time, finishes);
            self.record_limits(batch, trip, &answer);
            Ok(owned(answer))
        };
        self.call(&request, repeat, trial, read).await
    }

    /// Tells the limiter the operating times that an answer names, and which methods were refused
    /// because of a limit.
    fn record_limits(&self, batch: &Batch, trip: RoundTrip, answer: &BatchAnswer<'_>) {
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
                if let CommandOutcome::Failed(CommandTrouble::Limited(limit, _)) = &result.outcome
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

/// Copies what an answer borrows.
fn owned(answer: BatchAnswer<'_>) -> CommandEnds {
    let batch_times = answer.times;
    let end = |outcome, total, next, times| match outcome {
        CommandOutcome::Failed(trouble) => CommandEnd::Failed(trouble),
        CommandOutcome::Answered(json) => CommandEnd::Answered(Answer {
            json: RawValue::to_owned(json),
            total,
            next,
            times,
            batch_times,
        }),
    };
    let results = answer.results.into_iter();
    results
        .map(|(key, CommandResult { outcome, total, next, times })| {
            (key, end(outcome, total, next, times))
        })
        .collect()
}
