//! How large a batch should be.
//!
//! A request is one step of the portal's counter, however many commands it has. So with an empty counter many small
//! batches over several connections are quickest, and with a full one only full batches keep the pace. For `n` commands
//! of `s` seconds in `k` requests over `C` connections, with `b0` seconds for a request without commands, room for `R`
//! requests at once and `Y` a second after that, a request takes `b = b0 + ceil(n/k) * s`. If `f` full requests of
//! `b50` seconds are to follow, the whole takes
//!
//! ```text
//! T(k) = max( (k + f - R) / Y + b50,  ceil(k / C) * b + f / C * b50 )
//! ```
//!
//! and with nothing to follow, `b` stands in place of `b50`. The smallest `k` that is nearly as good as the best is taken:
//! room in the counter is worth something to what comes next. `s` and `b0` are learned from the answers.
//!
//! A size holds for as many requests as there are connections. A size that changed while the others of its wave are under
//! way would leave a small request over, and a wave for it alone.

use std::time::Duration;

/// A number of requests is good enough if its time is at most this much above the best. The fewer requests leave room in
/// the counter for what may follow.
const GOOD_ENOUGH: f64 = 1.01;

/// So many seconds more than that are good enough too. Nobody notices them, and they keep small work in few requests.
const UNNOTICED: f64 = 0.01;

/// The fewest commands that are worth a request of their own, if there are more of them: a moment gained is not worth what it
/// takes from everybody's counter.
const FEWEST_COMMANDS: usize = 3;

/// How many commands the requests have that follow.
const FOLLOWING_COMMANDS: f64 = 50.0;

/// How much an older observation counts against the next one.
const FADE: f64 = 0.9;

/// How much the two requests count from which a client starts that has seen none: the first real ones outweigh them.
const PRIOR: f64 = 0.2;

/// What a client believes about how long requests take, from a decaying least-squares line through the observed ones.
#[derive(Clone, Debug)]
pub(crate) struct Timing {
    weight: f64,
    commands: f64,
    seconds: f64,
    squares: f64,
    products: f64,
}

/// Things to be done in batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// How many.
    pub(crate) count: usize,
    /// How many commands each of them has.
    pub(crate) commands_each: usize,
    /// How many of them fit into a request.
    pub(crate) most: usize,
    /// About how many full requests this work makes necessary, which then share the counter and the connections.
    pub(crate) behind: f64,
}

/// Requests of one size, as many as there are connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wave {
    size: usize,
    left: usize,
    remaining: usize,
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
        timing.fade(PRIOR);
        timing
    }
}

impl Timing {
    /// Takes note of how long a request of so many commands took.
    pub(crate) fn observe(&mut self, commands: usize, time: Duration) {
        let (commands, seconds) = (commands as f64, time.as_secs_f64());
        self.fade(FADE);
        self.weight += 1.0;
        self.commands += commands;
        self.seconds += seconds;
        self.squares += commands * commands;
        self.products += commands * seconds;
    }

    /// Lets what was observed so far count less.
    fn fade(&mut self, by: f64) {
        for sum in [&mut self.weight, &mut self.commands, &mut self.seconds, &mut self.squares, &mut self.products] {
            *sum *= by;
        }
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

    /// How many things each request of some work should carry.
    pub(crate) fn size(&self, work: Work, allowance: Allowance) -> usize {
        let most = work.most.min(work.count).max(1);
        let fewest = FEWEST_COMMANDS.div_ceil(work.commands_each.max(1)).min(most);
        let seconds = |size: usize| self.seconds(work, size, allowance);
        let best = (fewest..=most).map(seconds).fold(f64::INFINITY, f64::min);
        (fewest..=most).rev().find(|size| seconds(*size) <= best * GOOD_ENOUGH + UNNOTICED).unwrap_or(most)
    }

    /// How many seconds some work takes in requests of this size, and what follows.
    pub(crate) fn seconds(&self, work: Work, size: usize, allowance: Allowance) -> f64 {
        let Work { count, commands_each, most: _, behind } = work;
        let (base, per_command) = self.line();
        let connections = allowance.connections.max(1) as f64;
        let requests = count.div_ceil(size.max(1)) as f64;
        let each = base + (size.min(count) * commands_each) as f64 * per_command;
        let full = base + FOLLOWING_COMMANDS * per_command;
        let excess = (requests + behind - allowance.room).max(0.0);
        let paced = if excess > 0.0 { excess / allowance.pace } else { 0.0 };
        let last = if behind > 0.0 { full } else { each };
        (paced + last).max((requests / connections).ceil() * each + behind / connections * full)
    }
}

impl Wave {
    /// How many things the next request carries, of which so many remain.
    pub(crate) fn next(&mut self, remaining: usize, connections: usize, size: impl FnOnce() -> usize) -> usize {
        // More than before is other work.
        if self.left == 0 || remaining > self.remaining {
            *self = Self { size: size().max(1), left: connections.max(1), remaining };
        }
        self.left -= 1;
        self.remaining = remaining.saturating_sub(self.size);
        self.size.min(remaining).max(1)
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

    fn reads(count: usize) -> Work {
        Work { count, commands_each: 1, most: 50, behind: 0.0 }
    }

    fn resets(count: usize) -> Work {
        Work { count, commands_each: 3, most: 16, behind: 0.0 }
    }

    #[test]
    fn with_room_batches_are_small_and_without_room_they_are_full() {
        let timing = timing(0.02, 0.05);
        let small = timing.size(reads(500), allowance(48.0));
        assert!((10..=45).contains(&small), "{small}");
        assert_eq!(timing.size(reads(500), allowance(0.0)), 50);
        assert_eq!(timing.size(reads(20_000), allowance(48.0)), 50);
        assert_eq!(timing.size(reads(24), allowance(48.0)), 3);
        assert_eq!(timing.size(reads(3), allowance(48.0)), 3);
        assert_eq!(timing.size(reads(3), allowance(0.0)), 3);
    }

    #[test]
    fn resets_of_three_commands_go_by_the_same_rule() {
        let timing = timing(0.02, 0.05);
        assert_eq!(timing.size(resets(3000), allowance(0.0)), 16);
        assert_eq!(timing.size(resets(16), allowance(48.0)), 2);
        assert_eq!(timing.size(resets(1), allowance(48.0)), 1);
        assert_eq!(timing.size(resets(0), allowance(48.0)), 1);
    }

    #[test]
    fn what_follows_may_need_the_room_more() {
        // 50 pages, and the cards of the people on them.
        let pages = |behind| Work { count: 50, commands_each: 1, most: 50, behind };
        // The reads behind them wait for the counter: one request of pages.
        assert_eq!(timing(0.001, 0.01).size(pages(100.0), allowance(48.0)), 50);
        // With slow commands they wait for the connections: the pages had better not take long.
        assert!(timing(0.001, 0.05).size(pages(100.0), allowance(48.0)) < 20);
        assert!(timing(0.001, 0.05).size(pages(0.0), allowance(48.0)) <= 7);
    }

    #[test]
    fn a_size_holds_for_a_wave() {
        let timing = timing(0.001, 0.01);
        let (mut wave, mut left, mut sizes) = (Wave::default(), 504, Vec::new());
        while left > 0 {
            let size = wave.next(left, 8, || timing.size(reads(left), allowance(48.0 - sizes.len() as f64)));
            sizes.push(size);
            left -= size;
        }
        // Two whole waves, and no third one.
        assert_eq!(sizes.len(), 16, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= 34), "{sizes:?}");
        assert_eq!(wave.next(100, 8, || 7), 7, "other work begins a wave of its own");
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
