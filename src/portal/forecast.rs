//! What some work will cost on a portal, by what is known of its limits and its speed now.
//!
//! The number of requests and their time come from requests of one size, which is nearly what is then sent; the operating
//! time from what the portal has told of each method. A method that this program has not called yet is taken to cost what a
//! read costs.

use std::time::Duration;

use super::batch::MOST_COMMANDS;
use super::client::Client;
use super::command::{BATCH, GET, RESET};
use super::sizing::Work;
use super::writing::{self, READS_OF_A_RESET};

/// Work that lies before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// So many cards are to be read.
    Reads(usize),
    /// So many cards are to be reset, with a read before and after each.
    Resets(usize),
    /// So many cards are to be read first, and then so many of them reset.
    ReadsThenResets(usize, usize),
}

/// What a [`Task`] will cost, if nobody else uses the portal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// How many requests.
    pub requests: u32,
    /// How long it will take.
    pub time: Duration,
    /// Which part of the operating time that the portal grants a method in ten minutes it will take, of the method that it
    /// takes most of: 0.1 is a tenth. May be more than 1. What was taken before is not in it, but the time includes the pauses
    /// that both together make necessary.
    pub operating_share: f64,
}

impl Client {
    /// What a task will cost.
    pub(crate) fn forecast(&self, task: Task) -> Forecast {
        let (reads, resets) = match task {
            Task::Reads(count) => (count, 0),
            Task::Resets(count) => (0, count),
            Task::ReadsThenResets(reads, resets) => (reads, resets),
        };
        let (first, second) = (Work::of(reads, 1, MOST_COMMANDS), writing::resets(resets));
        let (requests, seconds) = self.estimate(&[first, second]);
        if requests == 0 {
            return Forecast { requests: 0, time: Duration::ZERO, operating_share: 0.0 };
        }
        let reads = reads + READS_OF_A_RESET * resets;
        let now = self.gate.now();
        let (operating_share, pause) =
            self.gate.limiter().operating_forecast(&[(GET, reads), (RESET, resets), (BATCH, requests)], GET, now);
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(pause);
        Forecast { requests: u32::try_from(requests).unwrap_or(u32::MAX), time, operating_share }
    }
}
