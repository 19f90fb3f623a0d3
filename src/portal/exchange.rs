//! A batch, sent and read: what became of each of its commands.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::RawValue;

use super::batch::Batch;
use super::client::{CallError, Client, Request};
use super::command::BATCH;
use super::operating::Told;
use super::trial::{Repeat, Trial};
use super::wire::{BatchAnswer, CommandOutcome, CommandTrouble, Success, Times};

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
        let request = Request { method: BATCH, body: batch.body(), charges: batch.charges() };
        let read = |success: &Success<'_>, time: Duration| {
            let answer = BatchAnswer::of(success)?;
            let each = seconds_each(batch.len(), &answer);
            self.timed(batch.len(), time, each);
            Ok(self.owned(batch, time, each, answer))
        };
        self.call(&request, repeat, trial, read).await
    }

    /// Copies what an answer borrows that came after a time, and tells the limiter what it says about operating time. A command
    /// took the portal so many seconds, if that can be told.
    fn owned(&self, batch: &Batch, after: Duration, each: Option<f64>, answer: BatchAnswer<'_>) -> CommandEnds {
        let (batch_times, now) = (answer.times, self.gate.now());
        let first =
            |sum: f64, each| Told { lowest: sum, highest: sum, commands: 0, each, sent: now.saturating_sub(after) };
        let mut operating: BTreeMap<&'static str, Told> = BTreeMap::new();
        if let Some(sum) = batch_times.operating {
            operating.insert(BATCH, Told { commands: 1, ..first(sum, None) });
        }
        let (methods, mut ends) = (batch.methods(), CommandEnds::new());
        for (key, result) in answer.results {
            if let (Some(sum), Some(method)) = (result.times.operating, methods.get(key.as_str()).copied()) {
                let told = operating.entry(method).or_insert_with(|| first(sum, each));
                told.lowest = told.lowest.min(sum);
                told.highest = told.highest.max(sum);
                told.commands += 1;
            }
            let end = match result.outcome {
                CommandOutcome::Failed(trouble) => CommandEnd::Failed(trouble),
                CommandOutcome::Answered(json) => CommandEnd::Answered(Answer {
                    json: json.to_owned(),
                    total: result.total,
                    next: result.next,
                    times: result.times,
                    batch_times,
                }),
            };
            ends.insert(key, end);
        }
        self.gate.told(&operating, now);
        ends
    }
}

/// How many seconds the portal took for each command of a batch, from the moments at which it was done with them. The first
/// one is left out: nobody knows when it began. A command that failed tells no time and takes some, so that nothing is said of
/// a batch with one.
fn seconds_each(commands: usize, answer: &BatchAnswer<'_>) -> Option<f64> {
    let finishes = || answer.results.values().filter_map(|result| result.times.finish);
    if commands < 2 || finishes().count() != commands {
        return None;
    }
    let (first, last) = (finishes().reduce(f64::min)?, finishes().reduce(f64::max)?);
    Some((last - first) / (commands - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::super::wire::decode;
    use super::*;

    fn each(commands: usize, finishes: &[Option<f64>]) -> Option<f64> {
        let results = finishes.iter().enumerate().map(|(index, _)| (format!("c{index}"), serde_json::Value::Null));
        let times = finishes.iter().enumerate().filter_map(|(index, finish)| {
            let time = serde_json::json!({"start": 1_795_437_623, "finish": (*finish)?, "duration": 0.9});
            Some((format!("c{index}"), time))
        });
        let (results, times): (serde_json::Map<_, _>, serde_json::Map<_, _>) = (results.collect(), times.collect());
        let body = serde_json::json!({"result": {"result": results, "result_error": [], "result_time": times}});
        let body = body.to_string();
        seconds_each(commands, &BatchAnswer::of(&decode(200, None, body.as_bytes()).unwrap()).unwrap())
    }

    #[test]
    fn the_time_of_a_command_lies_between_the_ends_of_two() {
        let told = each(3, &[Some(1_795_437_623.5), Some(1_795_437_623.75), Some(1_795_437_624.0)]).unwrap();
        assert!((told - 0.25).abs() < 1e-6, "{told}");
    }

    #[test]
    fn a_batch_that_leaves_a_time_out_tells_nothing() {
        assert_eq!(each(1, &[Some(7.5)]), None);
        assert_eq!(each(3, &[Some(7.5), None, Some(8.0)]), None);
        assert_eq!(each(3, &[Some(7.5), Some(8.0)]), None, "one was left out altogether");
        assert_eq!(each(2, &[None, None]), None);
    }
}
