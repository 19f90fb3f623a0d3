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
use super::writing::resets;

/// Work that lies before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// So many cards are to be read.
    Reads(usize),
    /// So many cards are to be reset, with a read before and after each.
    Resets(usize),
}

/// What a [`Task`] will cost, if nobody else uses the portal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// How many requests.
    pub requests: u32,
    /// How long it will take.
    pub time: Duration,
    /// Which part of the operating time that the portal grants a method in ten minutes it will take, of the method that it
    /// takes most of: 0.1 is a tenth. May be more than 1; the time then includes the pauses.
    pub operating_share: f64,
}

impl Client {
    /// What a task will cost.
    pub(crate) fn forecast(&self, task: Task) -> Forecast {
        let (work, reads, resets) = match task {
            Task::Reads(count) => (Work::of(count, 1, MOST_COMMANDS), count, 0),
            Task::Resets(count) => (resets(count), 2 * count, count),
        };
        if work.count == 0 {
            return Forecast { requests: 0, time: Duration::ZERO, operating_share: 0.0 };
        }
        let (requests, seconds) = self.estimate(work);
        let now = self.gate.now();
        let (operating_share, pause) =
            self.gate.limiter().operating_forecast(&[(GET, reads), (RESET, resets), (BATCH, requests)], GET, now);
        let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(pause);
        Forecast { requests: u32::try_from(requests).unwrap_or(u32::MAX), time, operating_share }
    }
}
