//! Estimate of the cost of a task: full requests, and the average time of a command.

use std::time::Duration;

use bitrix24::{Budget, MAX_COMMANDS, RestClient};

use super::mutations::{COMMANDS_PER_TARGET, READS_PER_TARGET};
use crate::ports::MAX_WRITES_PER_REQUEST;

/// Duration below which a command costs no operating time (behavior notes, section 10).
const FREE_SECONDS: f64 = 0.1;

/// Planned work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlannedWork {
    /// Reads of this number of cards.
    Reads(usize),
    /// Resets of this number of cards, with a read before and after each.
    Resets(usize),
    /// Reads of the first number of cards, and then resets of the second.
    ReadsThenResets(usize, usize),
}

/// Cost of a [`PlannedWork`] if no other program uses the portal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Number of requests.
    pub requests: u32,
    /// Time that they take.
    pub time: Duration,
    /// Share of the operating time that the portal grants a method in ten minutes, of the method
    /// that takes most: 0.1 is a tenth. May be more than 1. Zero on a portal that does not limit
    /// operating time.
    pub operating_share: f64,
}

/// Requests of one kind.
struct Phase {
    requests: usize,
    /// Seconds of a full request.
    seconds: f64,
}

impl Phase {
    fn new(items: usize, commands_each: usize, max: usize, command_seconds: f64) -> Self {
        Self {
            requests: items.div_ceil(max),
            seconds: (items.min(max) * commands_each) as f64 * command_seconds,
        }
    }
}

/// Returns what a task will cost.
pub(super) fn estimate(client: &RestClient, task: PlannedWork) -> Estimate {
    let (reads, resets) = match task {
        PlannedWork::Reads(count) => (count, 0),
        PlannedWork::Resets(count) => (0, count),
        PlannedWork::ReadsThenResets(reads, resets) => (reads, resets),
    };
    let command_seconds = client.command_seconds();
    let phases = [
        Phase::new(reads, 1, MAX_COMMANDS, command_seconds),
        Phase::new(resets, COMMANDS_PER_TARGET, MAX_WRITES_PER_REQUEST, command_seconds),
    ];
    let requests: usize = phases.iter().map(|phase| phase.requests).sum();
    if requests == 0 {
        return Estimate { requests: 0, time: Duration::ZERO, operating_share: 0.0 };
    }
    let Budget { available, refill_rate } = client.budget();
    let waiting = requests as f64 - available;
    let paced = if waiting > 0.0 { waiting / refill_rate } else { 0.0 };
    let last =
        phases.iter().rev().find(|phase| phase.requests > 0).map_or(0.0, |phase| phase.seconds);
    let busy = |phase: &Phase| phase.requests.div_ceil(client.connections()) as f64 * phase.seconds;
    let seconds = (paced + last).max(phases.iter().map(busy).sum());
    // The method that reads has the most commands.
    let commands = reads + READS_PER_TARGET * resets;
    let operating =
        if command_seconds < FREE_SECONDS { 0.0 } else { commands as f64 * command_seconds };
    let (operating_share, pauses) = client.operating_estimate(operating);
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(pauses);
    Estimate { requests: u32::try_from(requests).unwrap_or(u32::MAX), time, operating_share }
}
