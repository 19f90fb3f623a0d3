//! How long requests take: so many seconds for the request itself, and so many for each of its commands.
//!
//! Both are learned from the answers. Two things tell them apart: requests of different sizes, and the moments at which the
//! portal says it was done with each command of a batch, whose differences are the time of a command without the way to the
//! portal. The portal's other numbers about time cannot be computed with: current releases cut the moment at which they start
//! to whole seconds, and with it the duration (behaviour notes, section 8.1). `finish` has its fraction in all of them. The
//! size of requests and forecasts hang on it, and what a command costs of the operating time within the bounds that the portal's
//! sums draw; nothing else.

use std::time::Duration;

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
    basis: Basis,
}

/// What the line is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// A guess, and perhaps requests of which nobody knows how much of their time was the way.
    Guess,
    /// The portal has told what its commands take.
    Told,
}

impl Default for Timing {
    /// Starts with what a cloud portal near by looks like: 50 ms for a request and 15 ms for each command.
    fn default() -> Self {
        let mut timing = Self::nothing(Basis::Guess);
        timing.add(1, 0.065);
        timing.add(50, 0.8);
        timing.fade(PRIOR);
        timing
    }
}

impl Timing {
    fn nothing(basis: Basis) -> Self {
        Self { weight: 0.0, commands: 0.0, seconds: 0.0, squares: 0.0, products: 0.0, basis }
    }

    /// Takes note of how long a request of so many commands took, and of the seconds that the portal took for each of them,
    /// if it told.
    pub(crate) fn observe(&mut self, commands: usize, time: Duration, each: Option<f64>) {
        let seconds = time.as_secs_f64();
        // What was measured between the ends of the commands cannot be longer than the whole, if the clock can be used.
        let between = commands.saturating_sub(1) as f64;
        let each = each.filter(|each| (0.0..=seconds).contains(&(each * between)));
        let inside = each.map(|each| (each * commands as f64).min(seconds));
        if inside.is_some() && self.basis == Basis::Guess {
            *self = Self::nothing(Basis::Told);
        }
        self.fade(FADE);
        self.add(commands, seconds);
        if let Some(inside) = inside {
            self.add(0, seconds - inside);
        }
    }

    fn add(&mut self, commands: usize, seconds: f64) {
        let commands = commands as f64;
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
    pub(crate) fn line(&self) -> (f64, f64) {
        let (mean_commands, mean_seconds) = (self.commands / self.weight, self.seconds / self.weight);
        let spread = self.squares / self.weight - mean_commands * mean_commands;
        let slope = if spread > 0.1 {
            (self.products / self.weight - mean_commands * mean_seconds) / spread
        } else {
            // All requests had the same size: they say nothing about the rest of a request.
            mean_seconds / mean_commands.max(1.0)
        };
        let slope = slope.clamp(0.000_1, 60.0);
        ((mean_seconds - slope * mean_commands).max(0.001), slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[track_caller]
    fn assert_line(timing: &Timing, base: f64, each: f64) {
        let line = timing.line();
        assert!((line.0 - base).abs() <= base / 10.0 && (line.1 - each).abs() <= each / 10.0, "{line:?}");
    }

    #[test]
    fn requests_of_different_sizes_tell_the_way_from_the_commands() {
        let mut timing = Timing::default();
        for size in (1..=50).cycle().take(300) {
            timing.observe(size, seconds(0.02 + 0.05 * size as f64), None);
        }
        assert_line(&timing, 0.02, 0.05);
    }

    #[test]
    fn one_request_is_enough_if_the_portal_tells_what_a_command_takes() {
        let mut timing = Timing::default();
        timing.observe(2, seconds(0.13), Some(0.05));
        assert_line(&timing, 0.03, 0.05);
        for _ in 0..20 {
            timing.observe(50, seconds(0.53), Some(0.01));
        }
        assert_line(&timing, 0.03, 0.01);
    }

    #[test]
    fn a_clock_that_cannot_be_right_is_not_believed() {
        let (mut odd, mut silent) = (Timing::default(), Timing::default());
        for each in [1.0, -0.5, f64::NAN, f64::INFINITY] {
            odd.observe(2, seconds(0.1), Some(each));
            silent.observe(2, seconds(0.1), None);
            assert_eq!(odd.line(), silent.line(), "{each}");
        }
    }

    #[test]
    fn requests_of_one_size_do_not_break_the_line() {
        let mut timing = Timing::default();
        for _ in 0..1000 {
            timing.observe(50, seconds(2.0), None);
        }
        let (base, each) = timing.line();
        assert!(base < 0.1 && (each - 0.04).abs() < 0.005, "{base} {each}");
    }
}
