//! The requests that were given their sizes and are not answered: what the size of the next one hangs on.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::schedule::{Before, State};
use super::timing::Timing;

/// Requests in the order of their turns.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    requests: BTreeMap<u64, Entry>,
    last: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    commands: usize,
    pages: usize,
    left: Option<Instant>,
}

impl UnderWay {
    /// Adds a request of so many commands behind all others, of which so many ask for people. Returns its number.
    pub(crate) fn add(&mut self, commands: usize, pages: usize) -> u64 {
        self.last += 1;
        self.requests.insert(self.last, Entry { commands, pages, left: None });
        self.last
    }

    /// How many requests ask for people.
    pub(crate) fn of_pages(&self) -> usize {
        self.requests.values().filter(|request| request.pages > 0).count()
    }

    /// Takes note that a request leaves.
    pub(crate) fn leaves(&mut self, number: u64, now: Instant) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.left = Some(now);
        }
    }

    /// Takes note that a request has to be sent again.
    pub(crate) fn waits(&mut self, number: u64) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.left = None;
        }
    }

    /// Takes note that a request is at its end, whether it left or not.
    pub(crate) fn ends(&mut self, number: u64) {
        self.requests.remove(&number);
    }

    /// What they are to the next one.
    pub(crate) fn before(&self, timing: &Timing, now: Instant) -> Vec<Before> {
        let (base, each) = timing.line();
        let before = |request: &Entry| {
            let state = match request.left {
                None => State::Waits(request.commands),
                Some(left) => {
                    let time = base + request.commands as f64 * each;
                    // One that is late may be about to come, or hang: it is given as much time again as it is late.
                    State::Left((time - now.saturating_duration_since(left).as_secs_f64()).abs())
                }
            };
            Before { state, pages: request.pages }
        };
        self.requests.values().map(before).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_then_has_left_and_then_is_gone() {
        let (mut under_way, timing) = (UnderWay::default(), Timing::default());
        let (first, second) = (under_way.add(50, 0), under_way.add(3, 3));
        let now = Instant::now();
        assert_eq!(under_way.before(&timing, now), [Before::waits(50), Before { pages: 3, ..Before::waits(3) }]);
        under_way.leaves(first, now);
        let before = under_way.before(&timing, now + Duration::from_millis(300));
        // 50 commands take 0.8 s until something else is known.
        assert!(matches!(before[0].state, State::Left(left) if (left - 0.5).abs() < 1e-6), "{before:?}");
        let late = under_way.before(&timing, now + Duration::from_secs(9));
        assert!(matches!(late[0].state, State::Left(left) if (left - 8.2).abs() < 1e-6), "{late:?}");
        under_way.waits(first);
        assert_eq!(under_way.before(&timing, now), [Before::waits(50), Before { pages: 3, ..Before::waits(3) }]);
        assert_eq!(under_way.of_pages(), 1);
        under_way.ends(first);
        under_way.ends(second);
        assert_eq!(under_way.before(&timing, now), []);
    }
}
