//! How large a batch should be.
//!
//! A request is one step of the portal's counter, however many commands it has. So with an empty counter many small
//! batches over several connections are quickest, and with a full one only full batches keep the pace. For `n` commands
//! of `s` seconds in `k` requests over `C` connections, with `b0` seconds for a request without commands, room for `R`
//! requests at once and `Y` a second after that, a request takes `b = b0 + ceil(n/k) * s`. If `f` full requests of
//! `b50` seconds are to follow, the whole takes
//!
//! ```text
//! T(k) = max( (k + f - R) / Y + b50,  w + (f - m - X) / Y + b50,  w * (1 - m / C) + f / C * b50 )    with w = ceil(k / C) * b
//! ```
//!
//! The first term is the counter's, the last one the connections'. The second one is that of a counter at rest: it has never
//! room for more than `X` requests, so that what it could have let through while it stood at zero is lost. `m` of those that
//! follow need not wait for this work. With nothing to follow, the time is `max( (k - R) / Y + b, w )`. Each request more must
//! save some of the time ([`Work::price`]): room in the counter is worth something to what comes next. `s` and `b0` are those of
//! [`Timing`].
//!
//! This is for little work that much more follows, and for forecasts. It goes in waves: a size holds for as many requests as there
//! are connections, since one that changed while the others of its wave are under way would leave a small request over, and a
//! wave for it alone. All other work is laid out in [`schedule`](super::schedule), request by request.

use super::timing::Timing;

/// So many seconds nobody notices, and they keep small work in few requests.
pub(super) const UNNOTICED: f64 = 0.005;

/// The fewest commands that are worth a request of their own, if there are more of them: a moment gained is not worth what it
/// takes from everybody's counter.
const FEWEST_COMMANDS: usize = 4;

/// With few requests some work may take so many times as long as with many.
pub(super) const LATEST: f64 = 1.1;

/// How much more a second counts that is later than that.
const TOO_LATE: f64 = 10.0;

/// Work of no more than so many full requests for each connection is near its end.
const PLENTY: usize = 2;

/// How many commands the requests have that follow.
const FOLLOWING_COMMANDS: f64 = 50.0;

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
    /// How many of those can be sent at the same time as this work.
    pub(crate) meanwhile: f64,
    /// How many of the things are known by now, and can be sent.
    pub(crate) known: usize,
    /// How many seconds ago it was begun.
    pub(crate) since: f64,
    /// In how many requests what came before was sent.
    pub(crate) sent: usize,
}

/// Requests of one size, as many as there are connections.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wave {
    size: usize,
    left: usize,
    remaining: usize,
}

/// How late some work may be done, in seconds since its beginning; none until it is known how soon it can be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Latest(Option<f64>);

/// What the limits allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Requests that may leave at once.
    pub(crate) room: f64,
    /// Requests that may leave at once when nothing was sent for long.
    pub(crate) most_room: f64,
    /// Requests a second after that.
    pub(crate) pace: f64,
    /// Requests that may be under way at the same time.
    pub(crate) connections: usize,
}

impl Work {
    /// So many things, all known and begun now, with nothing to follow.
    pub(crate) fn of(count: usize, commands_each: usize, most: usize) -> Self {
        Self { count, commands_each, most, behind: 0.0, meanwhile: 0.0, known: count, since: 0.0, sent: 0 }
    }

    /// How many seconds the requests of this work may leave later than the counter lets them, one of which takes so many seconds
    /// in itself and for each of its commands: as long as the connections idle if all requests are full and leave as soon as
    /// they may. None near the end, where every request may be the one that decides when all is done.
    pub(super) fn spare(&self, allowance: Allowance, (base, per_command): (f64, f64)) -> f64 {
        if self.count <= self.most.saturating_mul(PLENTY * allowance.connections) {
            return 0.0;
        }
        let (requests, connections) = (self.count.div_ceil(self.most.max(1)), allowance.connections.max(1));
        let full = base + (self.most * self.commands_each) as f64 * per_command;
        let paced = (requests - 1) as f64 / allowance.pace;
        // All other connections may have just begun with a request.
        let busy = (requests + connections - 1).div_ceil(connections) as f64 * full;
        (paced - busy).max(0.0)
    }

    /// The seconds that a request must save that is not necessary, but for which there is room, if the rest of the work takes so
    /// many seconds at best in so many requests: the part of the time must be as large as the part of the requests.
    pub(super) fn price(&self, seconds: f64, requests: f64, allowance: Allowance) -> f64 {
        // Where nothing is counted, nothing is taken from anybody.
        if !allowance.pace.is_finite() {
            return 0.0;
        }
        (self.since + seconds) / (self.sent as f64 + requests).max(1.0)
    }

    /// The fewest things that are worth a request of their own.
    pub(super) fn fewest(&self) -> usize {
        (FEWEST_COMMANDS / self.commands_each.max(1)).min(self.most).max(1)
    }
}

impl Latest {
    /// What is to be added to the seconds that the rest of some work takes, if it could be done in so many at best.
    pub(super) fn lateness(&mut self, work: Work, soonest: f64) -> impl Fn(f64) -> f64 + use<> {
        let reckoned = (work.since + soonest) * LATEST;
        let latest = if reckoned.is_finite() { *self.0.get_or_insert(reckoned) } else { reckoned } - work.since;
        move |seconds| (seconds - latest).max(0.0) * TOO_LATE
    }
}

impl Timing {
    /// How many things each request of some work should carry.
    pub(crate) fn size(&self, work: Work, allowance: Allowance) -> usize {
        let most = work.most.min(work.count).max(1);
        let fewest = work.fewest().min(most);
        let seconds = |size: usize| self.seconds(work, size, allowance);
        // All requests alike: a full one and a small one take as long as two full ones.
        let even = |size: &usize| *size == work.count.div_ceil(work.count.div_ceil(*size).max(1)).max(fewest);
        let sizes = || (fewest..=most).filter(even);
        let requests = work.count.div_ceil(most) as f64 + work.behind;
        let soonest = sizes().map(seconds).fold(f64::INFINITY, f64::min);
        let price = work.price(soonest, requests, allowance);
        let paid = |size: usize| price * work.count.div_ceil(size) as f64;
        let late = Latest::default().lateness(work, soonest);
        let cost = |size: usize| seconds(size) + paid(size) + late(seconds(size));
        let best = sizes().map(cost).fold(f64::INFINITY, f64::min);
        sizes().rev().find(|size| cost(*size) <= best + UNNOTICED).unwrap_or(most)
    }

    /// How many seconds some work takes in requests of this size, and what follows.
    pub(crate) fn seconds(&self, work: Work, size: usize, allowance: Allowance) -> f64 {
        let Work { count, commands_each, behind, meanwhile, .. } = work;
        let (base, per_command) = self.line();
        let connections = allowance.connections.max(1) as f64;
        let requests = count.div_ceil(size.max(1)) as f64;
        let each = base + (size.min(count) * commands_each) as f64 * per_command;
        // Less than a full request for each connection is shared out among them.
        let full = base + FOLLOWING_COMMANDS * (behind / connections).min(1.0) * per_command;
        let waves = (requests / connections).ceil() * each;
        let paced = |requests: f64, room: f64| if requests > room { (requests - room) / allowance.pace } else { 0.0 };
        let own = paced(requests + behind, allowance.room);
        if behind > 0.0 {
            let idle = waves + paced(behind - meanwhile, allowance.most_room);
            let busy = waves * (1.0 - meanwhile / connections).max(0.0) + behind / connections * full;
            (own.max(idle) + full).max(busy)
        } else {
            (own + each).max(waves)
        }
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
        let time = std::time::Duration::from_secs_f64(base + per_command * 50.0);
        (0..100).for_each(|_| timing.observe(50, time, Some(per_command)));
        timing
    }

    fn allowance(room: f64) -> Allowance {
        Allowance { room, most_room: 48.7, pace: 2.0, connections: 8 }
    }

    fn reads(count: usize) -> Work {
        Work::of(count, 1, 50)
    }

    fn resets(count: usize) -> Work {
        Work::of(count, 3, 16)
    }

    #[test]
    fn with_room_batches_are_small_and_without_room_they_are_full() {
        let timing = timing(0.02, 0.05);
        let small = timing.size(reads(500), allowance(48.0));
        assert!((10..=45).contains(&small), "{small}");
        assert_eq!(timing.size(reads(500), allowance(0.0)), 50);
        assert_eq!(timing.size(reads(20_000), allowance(48.0)), 50);
        assert_eq!(timing.size(reads(24), allowance(48.0)), 4);
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
    fn a_request_costs_nothing_where_nobody_counts() {
        let unlimited = Allowance { room: f64::INFINITY, pace: f64::INFINITY, ..allowance(0.0) };
        assert_eq!(reads(2448).price(15.0, 49.0, unlimited), 0.0);
        // A request more than a hundred must save a hundredth of the time.
        let (early, late) = (reads(5000), Work { since: 16.0, sent: 50, ..reads(2500) });
        assert_eq!(early.price(32.0, 100.0, allowance(48.0)), 0.32);
        assert_eq!(late.price(16.0, 50.0, allowance(48.0)), 0.32);
    }

    #[test]
    fn what_the_connections_have_to_spare_depends_on_how_long_requests_take() {
        let spare = |count, per_command| reads(count).spare(allowance(0.0), (0.02, per_command));
        let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        // 200 requests leave within 99.5 s, and take 26 turns of 0.52, 2.52 or 5.02 s.
        close(spare(10_000, 0.01), 99.5 - 26.0 * 0.52);
        close(spare(10_000, 0.05), 99.5 - 26.0 * 2.52);
        close(spare(10_000, 0.1), 0.0);
        close(spare(800, 0.01), 0.0);
        close(spare(850, 0.01), 8.0 - 3.0 * 0.52);
        // Resets are requests of 48 commands.
        close(resets(3200).spare(allowance(0.0), (0.02, 0.01)), 99.5 - 26.0 * 0.5);
        let unlimited = Allowance { pace: f64::INFINITY, ..allowance(0.0) };
        close(reads(10_000).spare(unlimited, (0.02, 0.01)), 0.0);
    }

    #[test]
    fn what_follows_may_need_the_room_more() {
        // 50 pages, and the cards of the people on them.
        let pages = |behind| Work { behind, ..reads(50) };
        // The reads behind them wait for the counter: one request of pages.
        assert_eq!(timing(0.001, 0.01).size(pages(100.0), allowance(48.0)), 50);
        // With slow commands they wait for the connections: the pages had better not take long.
        assert!(timing(0.001, 0.05).size(pages(100.0), allowance(48.0)) < 20);
        assert!(timing(0.001, 0.05).size(pages(0.0), allowance(48.0)) <= 8);
        // With more behind them the counter decides; but it must not be empty while the pages come, unless enough of what is
        // behind them can be sent meanwhile.
        assert_eq!(timing(0.001, 0.05).size(pages(200.0), allowance(48.0)), 25);
        let meanwhile = Work { meanwhile: 2.0, ..pages(200.0) };
        assert_eq!(timing(0.001, 0.05).size(meanwhile, allowance(48.0)), 50);
    }

    #[test]
    fn a_size_holds_for_a_wave() {
        let timing = timing(0.02, 0.01);
        let (mut wave, mut left, mut sizes) = (Wave::default(), 504, Vec::new());
        while left > 0 {
            let size = wave.next(left, 8, || {
                let work = Work { behind: 0.1, ..reads(left) };
                timing.size(work, allowance(48.0 - sizes.len() as f64))
            });
            sizes.push(size);
            left -= size;
        }
        // Two whole waves, and no third one.
        assert_eq!(sizes.len(), 16, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= 34), "{sizes:?}");
        assert_eq!(wave.next(100, 8, || 7), 7, "other work begins a wave of its own");
    }
}
