//! How large a batch should be.
//!
//! A request is one step of the portal's counter, however many commands it has. So with an empty counter many small
//! batches over several connections are quickest, and with a full one only full batches keep the pace. For `n` commands
//! of `s` seconds in `k` requests over `C` connections, with `b0` seconds for a request without commands, room for `R`
//! requests at once and `Y` a second after that, a request takes `b = b0 + ceil(n/k) * s`, and the whole takes
//!
//! ```text
//! T(k) = max( (k - R) / Y + b,  ceil(k / C) * b )
//! ```
//!
//! The smallest `k` that is nearly as good as the best is taken: room in the counter is worth something to what comes
//! next. `s` and `b0` are learned from the answers.

use std::time::Duration;

/// A number of requests is good enough if its time is at most this much above the best. The fewer requests leave room in
/// the counter for the resets that may follow.
const GOOD_ENOUGH: f64 = 1.1;

/// So many seconds more than that are good enough too. Nobody notices them, and they keep small work in one request.
const UNNOTICED: f64 = 0.15;

/// How much an older observation counts against the next one.
const FADE: f64 = 0.9;

/// What a client believes about how long requests take, from a decaying least-squares line through the observed ones.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    weight: f64,
    commands: f64,
    seconds: f64,
    squares: f64,
    products: f64,
}

/// What the limiter allows: requests at once, and requests a second after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    pub(crate) room: f64,
    pub(crate) pace: f64,
    pub(crate) connections: usize,
}

impl Default for Timing {
    /// Starts with what a cloud portal near by looks like: 50 ms for a request and 15 ms for each command.
    fn default() -> Self {
        let mut timing = Self { weight: 0.0, commands: 0.0, seconds: 0.0, squares: 0.0, products: 0.0 };
        timing.observe(1, Duration::from_millis(65));
        timing.observe(50, Duration::from_millis(800));
        timing
    }
}

impl Timing {
    /// Takes note of how long a request of so many commands took.
    pub(crate) fn observe(&mut self, commands: usize, time: Duration) {
        let (commands, seconds) = (commands as f64, time.as_secs_f64());
        for sum in [&mut self.weight, &mut self.commands, &mut self.seconds, &mut self.squares, &mut self.products] {
            *sum *= FADE;
        }
        self.weight += 1.0;
        self.commands += commands;
        self.seconds += seconds;
        self.squares += commands * commands;
        self.products += commands * seconds;
    }

    /// The seconds of a request without commands, and of each command.
    fn line(&self) -> (f64, f64) {
        let (mean_commands, mean_seconds) = (self.commands / self.weight, self.seconds / self.weight);
        let spread = self.squares / self.weight - mean_commands * mean_commands;
        let slope = if spread > 1.0 {
            (self.products / self.weight - mean_commands * mean_seconds) / spread
        } else {
            // All requests had the same size: they say nothing about the rest of a request.
            mean_seconds / mean_commands.max(1.0)
        };
        let slope = slope.clamp(0.000_1, 60.0);
        ((mean_seconds - slope * mean_commands).max(0.001), slope)
    }

    /// How many of `count` things, each of `commands_each` commands, the next request should carry, at most `most`.
    pub(crate) fn next_size(&self, count: usize, commands_each: usize, most: usize, allowance: Allowance) -> usize {
        let (base, per_command) = self.line();
        let most = most.min(count).max(1);
        let time = |size: usize| {
            let requests = count.div_ceil(size) as f64;
            let each = base + (size * commands_each) as f64 * per_command;
            let waves = (requests / allowance.connections.max(1) as f64).ceil();
            let paced =
                if allowance.pace.is_finite() { (requests - allowance.room).max(0.0) / allowance.pace } else { 0.0 };
            (paced + each).max(waves * each)
        };
        let best = (1..=most).map(time).fold(f64::INFINITY, f64::min);
        (1..=most).rev().find(|size| time(*size) <= best * GOOD_ENOUGH + UNNOTICED).unwrap_or(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(base: f64, per_command: f64) -> Timing {
        let mut timing = Timing::default();
        for size in (1..=50).cycle().take(300) {
            timing.observe(size, Duration::from_secs_f64(base + per_command * size as f64));
        }
        timing
    }

    fn allowance(room: f64) -> Allowance {
        Allowance { room, pace: 2.0, connections: 8 }
    }

    #[test]
    fn the_times_of_a_request_are_learned() {
        let (base, per_command) = timing(0.02, 0.05).line();
        assert!((base - 0.02).abs() < 0.002 && (per_command - 0.05).abs() < 0.001, "{base} {per_command}");
    }

    #[test]
    fn with_room_batches_are_small_and_without_room_they_are_full() {
        let timing = timing(0.02, 0.05);
        let small = timing.next_size(500, 1, 50, allowance(48.0));
        assert!((10..=45).contains(&small), "{small}");
        assert_eq!(timing.next_size(500, 1, 50, allowance(0.0)), 50);
        assert_eq!(timing.next_size(20_000, 1, 50, allowance(48.0)), 50);
        let few = timing.next_size(16, 1, 50, allowance(48.0));
        assert!(few <= 6, "{few}");
        assert_eq!(timing.next_size(3, 1, 50, allowance(48.0)), 3);
    }

    #[test]
    fn resets_of_three_commands_go_by_the_same_rule() {
        let timing = timing(0.02, 0.05);
        assert_eq!(timing.next_size(3000, 3, 16, allowance(0.0)), 16);
        assert!(timing.next_size(16, 3, 16, allowance(48.0)) <= 5);
        assert_eq!(timing.next_size(1, 3, 16, allowance(48.0)), 1);
        assert_eq!(timing.next_size(0, 3, 16, allowance(48.0)), 1);
    }

    #[test]
    fn requests_of_one_size_do_not_break_the_line() {
        let mut timing = Timing::default();
        for _ in 0..1000 {
            timing.observe(50, Duration::from_secs(2));
        }
        let (base, per_command) = timing.line();
        assert!(base < 0.1 && (per_command - 0.04).abs() < 0.005, "{base} {per_command}");
    }
}
