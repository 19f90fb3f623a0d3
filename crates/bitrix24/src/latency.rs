//! Average time of a command, from the answered batches.

use std::time::Duration;

/// Weight of an older batch against the next one.
const DECAY: f64 = 0.9;

/// Decaying average of the seconds of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latency {
    seconds: f64,
    commands: f64,
}

impl Default for Latency {
    /// Creates an average of 15 ms, as on a near cloud portal. The first batches outweigh it.
    fn default() -> Self {
        Self { seconds: 0.015, commands: 1.0 }
    }
}

impl Latency {
    /// Records a batch of this number of commands that took `time`. `finishes` are the times at
    /// which the portal finished each of them, by its own clock, as far as the answer has them.
    pub(crate) fn record(
        &mut self,
        commands: usize,
        time: Duration,
        finishes: impl Iterator<Item = f64> + Clone,
    ) {
        // The time of a single command is mostly that of the network.
        if commands < 2 {
            return;
        }
        let (whole, time) = (commands as f64, time.as_secs_f64());
        let between =
            finishes.clone().fold(f64::MIN, f64::max) - finishes.clone().fold(f64::MAX, f64::min);
        let is_usable = finishes.count() == commands && (0.0..=time).contains(&between);
        let each = if is_usable { between / (whole - 1.0) } else { time / whole };
        self.seconds = DECAY * self.seconds + each * whole;
        self.commands = DECAY * self.commands + whole;
    }

    /// Returns the average seconds of a command.
    pub(crate) fn command_seconds(&self) -> f64 {
        self.seconds / self.commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(finishes: &[f64]) -> f64 {
        let mut latency = Latency::default();
        (0..50)
            .for_each(|_| latency.record(3, Duration::from_millis(300), finishes.iter().copied()));
        latency.command_seconds()
    }

    #[test]
    fn latency_is_the_time_between_the_ends_of_commands() {
        assert!(
            (average(&[1_795_437_623.5, 1_795_437_623.51, 1_795_437_623.52]) - 0.01).abs() < 0.001
        );
    }

    #[test]
    fn latency_without_usable_clock_is_the_time_of_the_request() {
        let odd =
            [1e300, f64::INFINITY, -1e300].map(|end| vec![1_795_437_623.5, 1_795_437_623.6, end]);
        for finishes in odd.into_iter().chain([vec![], vec![1_795_437_623.5]]) {
            assert!((average(&finishes) - 0.1).abs() < 0.001, "{finishes:?}");
        }
    }

    #[test]
    fn latency_of_single_commands_is_left_out() {
        let mut latency = Latency::default();
        latency.record(1, Duration::from_secs(9), std::iter::empty());
        latency.record(0, Duration::from_secs(9), std::iter::empty());
        assert_eq!(latency.command_seconds(), 0.015);
    }
}
