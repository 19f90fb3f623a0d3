//! The shortest way to send what is left of some work. What follows it is left its room in the portal's counter.
//!
//! Full requests are best as long as there is much to do: each costs a step of the portal's counter and a way to the portal,
//! whatever is in it. It is the end that can be lost. Eight connections that finish one after the other have waited for the
//! last one, and a full request that leaves last ends long after all others. So the work is laid out on the connections as it
//! will go, and the earliest moment is looked for by which all of it can be done, if no request is larger than what will be
//! answered by then. What the next request may hold by that moment is its size.
//!
//! It is laid out anew for each request, with the connections as they then are: what came late meanwhile is made up for by
//! what is still to be sent.

use super::sizing::{Allowance, Latest, UNNOTICED, Work};

/// An end is good enough if it is at most this much later than the earliest, and takes a request less.
const GOOD_ENOUGH: f64 = 1.005;

/// The earliest moment is found to so many seconds.
const EXACT: f64 = 0.001;

/// And in so many halvings of the time, which is enough for a century.
const MOST_HALVINGS: u32 = 42;

/// More work than so many full requests for each connection has its end so far away that the next request is full.
const FAR: usize = 4;

/// A request that was given its size before the one that is looked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Before {
    pub(crate) state: State,
    /// How many pages of people it asks for. As long as more work is expected than is known, it is on them.
    pub(crate) pages: usize,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    /// It has left, and will be answered in so many seconds.
    Left(f64),
    /// It waits for its turn, with so many commands.
    Waits(usize),
}

/// What is to be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A request with so many things.
    Size(usize),
    /// Nothing until more is known.
    Wait,
}

/// Work to be laid out on the connections.
struct Timetable<'a> {
    work: Work,
    allowance: Allowance,
    /// The seconds of a request without commands, and of each command.
    line: (f64, f64),
    before: &'a [Before],
}

/// How many things the next request should carry. `line` is what a request takes without commands and for each command,
/// `before` the requests that leave or have left before it.
pub(crate) fn next_size(
    work: Work,
    allowance: Allowance,
    line: (f64, f64),
    before: &[Before],
    latest: &mut Latest,
) -> Next {
    let most = work.most.min(work.count).max(1);
    // What nobody is about to tell more of is all there is to do now.
    let more_comes = work.known < work.count && before.iter().any(|before| before.pages > 0);
    let work = if more_comes { work } else { Work { count: work.known.min(work.count), ..work } };
    if work.count > work.most.saturating_mul(FAR * allowance.connections) {
        return if more_comes && work.known < most { Next::Wait } else { Next::Size(most) };
    }
    let timetable = Timetable { work, allowance, line, before };
    // Those that are necessary cost nothing. Any other one must save something of the time, and as much as it takes the counter to
    // forget it if there is no room for it: then it is paid for by whoever comes next.
    let necessary = work.count.div_ceil(work.most.max(1)).max(1);
    let most_requests = necessary + allowance.connections;
    let room = (allowance.room - work.behind).max(necessary as f64);
    let soonest = timetable.earliest(most_requests);
    let within_room = timetable.earliest(most_requests.min(room as usize));
    let late = latest.lateness(work, within_room);
    let price = work.price(soonest, necessary as f64, allowance);
    let cost = |requests: usize, seconds: f64| {
        let waiting = (requests as f64 - room).max(0.0);
        let paid = (requests - necessary) as f64 * price + waiting * (1.0 / allowance.pace - price).max(0.0);
        seconds + paid + late(seconds)
    };
    let (mut requests, mut seconds) = (necessary, timetable.earliest(necessary));
    for more in necessary + 1..=most_requests {
        let least = cost(requests, seconds);
        if least <= cost(more, soonest) {
            break;
        }
        let sooner = timetable.earliest(more);
        if cost(more, sooner) + UNNOTICED < least {
            (requests, seconds) = (more, sooner);
        }
    }
    let later = seconds * GOOD_ENOUGH + UNNOTICED;
    let (exact, later) = (timetable.lay_out(seconds, requests), timetable.lay_out(later, requests));
    let chosen = if later.left == 0 && later.requests < exact.requests { later } else { exact };
    match chosen.first {
        Some(Next::Wait) => Next::Wait,
        // It leaves once more is known.
        Some(Next::Size(size)) if more_comes && size > work.known => Next::Wait,
        Some(Next::Size(size)) => Next::Size(size.clamp(1, most)),
        None => Next::Size(1),
    }
}

/// Work as it was laid out.
struct LaidOut {
    /// What is sent first.
    first: Option<Next>,
    /// How many requests there are.
    requests: usize,
    /// How much of the work has found no place.
    left: usize,
    /// When the last request is answered, be it one of those before.
    last: f64,
}

impl Timetable<'_> {
    /// The earliest moment at which all of the work can be done in so many requests, and what is under way is done too.
    fn earliest(&self, requests: usize) -> f64 {
        let before = self.lay_out(0.0, 0).last;
        if self.lay_out(before, requests).left == 0 {
            return before;
        }
        let ever = self.lay_out(f64::INFINITY, requests);
        if ever.left > 0 {
            return f64::INFINITY;
        }
        // While more is about to be known, what fits by a moment need not fit by the next one.
        let (mut early, mut late) = (before, ever.last);
        for _ in 0..MOST_HALVINGS {
            if self.lay_out(late, requests).left == 0 {
                break;
            }
            (early, late) = (late, late * 1.1 + EXACT);
        }
        for _ in 0..MOST_HALVINGS {
            if late - early <= EXACT {
                break;
            }
            let middle = f64::midpoint(early, late);
            if self.lay_out(middle, requests).left == 0 { late = middle } else { early = middle }
        }
        late
    }

    /// Lays out the work in at most so many requests, so that every answer is there at a moment.
    fn lay_out(&self, by: f64, most_requests: usize) -> LaidOut {
        let Self { work, allowance, line: (base, each), before } = self;
        // When each connection is free.
        let left = before.iter().filter_map(|before| match before.state {
            State::Left(seconds) => Some(seconds),
            State::Waits(_) => None,
        });
        let mut connections: Vec<f64> = left.collect();
        connections.resize(allowance.connections.max(1), 0.0);
        let mut turn = 0.0;
        // When the next request may leave, on the connection that is free first.
        let mut leaves = |connections: &mut [f64]| {
            turn += 1.0;
            let (index, free) = first_free(connections);
            let allowed = (turn - allowance.room).max(0.0) / allowance.pace;
            (index, if allowed.is_finite() { free.max(allowed) } else { free })
        };
        let mut news = News::of(work, before);
        for before in before.iter() {
            let answered = match before.state {
                State::Left(seconds) => seconds,
                State::Waits(commands) => {
                    let (index, at) = leaves(&mut connections);
                    let answered = at + base + commands as f64 * each;
                    if let Some(connection) = connections.get_mut(index) {
                        *connection = answered;
                    }
                    answered
                }
            };
            news.come(before.pages, answered);
        }
        let each = each * work.commands_each as f64;
        let last = connections.iter().copied().fold(0.0, f64::max);
        let mut laid_out = LaidOut { first: None, requests: 0, left: work.count, last };
        while laid_out.left > 0 && laid_out.requests < most_requests {
            let (index, mut at) = leaves(&mut connections);
            let room = |at: f64| ((by - at - base) / each + 1e-6).floor().max(0.0);
            let mut room_now = room(at);
            let size = loop {
                let known = news.known(at).saturating_sub(work.count - laid_out.left);
                let most = work.most as f64;
                if known >= laid_out.left {
                    break room_now.min(most) as usize;
                }
                // While little is known, a connection takes first what is not a full request of all that it can take.
                let full = ((room_now / most).ceil() - 1.0).max(0.0);
                let rest = room_now - full * most;
                let wanted = if rest >= work.fewest() as f64 { rest } else { room_now.min(most) };
                if known as f64 >= wanted || room_now < 1.0 {
                    break wanted as usize;
                }
                at = news.next(at);
                room_now = room(at);
                laid_out.first.get_or_insert(Next::Wait);
            };
            if size < work.fewest().min(laid_out.left) {
                break;
            }
            let size = size.min(laid_out.left);
            let answered = at + base + size as f64 * each;
            if let Some(connection) = connections.get_mut(index) {
                *connection = answered;
            }
            laid_out.first.get_or_insert(Next::Size(size));
            laid_out.last = laid_out.last.max(answered);
            laid_out.left -= size;
            laid_out.requests += 1;
        }
        laid_out
    }
}

/// When more of some work becomes known.
struct News {
    /// How much is known, and from when on.
    known: Vec<(f64, usize)>,
    /// How many pages are asked for, and how much work is on all of them.
    pages: (usize, usize),
}

impl News {
    fn of(work: &Work, before: &[Before]) -> Self {
        let pages = before.iter().map(|before| before.pages).sum();
        let hidden = if pages == 0 { 0 } else { work.count.saturating_sub(work.known) };
        Self { known: vec![(0.0, work.count - hidden)], pages: (pages, hidden) }
    }

    /// So many pages come at a moment.
    fn come(&mut self, pages: usize, at: f64) {
        if pages > 0 {
            let (all, hidden) = self.pages;
            self.known.push((at, (hidden * pages).div_ceil(all)));
        }
    }

    /// How much is known at a moment.
    fn known(&self, at: f64) -> usize {
        self.known.iter().filter(|(from, _)| *from <= at).map(|(_, count)| count).sum()
    }

    /// When more is known than at a moment: for ever the same if nothing more comes.
    fn next(&self, at: f64) -> f64 {
        self.known.iter().map(|(from, _)| *from).filter(|from| *from > at).fold(f64::INFINITY, f64::min)
    }
}

/// The connection that is free before all others, and when.
fn first_free(connections: &[f64]) -> (usize, f64) {
    let earliest = connections.iter().copied().enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
    earliest.unwrap_or((0, 0.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sizing::LATEST;
    use super::*;

    impl Before {
        fn left(seconds: f64) -> Self {
            Self { state: State::Left(seconds), pages: 0 }
        }

        pub(crate) fn waits(commands: usize) -> Self {
            Self { state: State::Waits(commands), pages: 0 }
        }
    }

    /// 50 commands of 50 ms take two and a half seconds.
    const SLOW: (f64, f64) = (0.002, 0.05);

    const QUICK: (f64, f64) = (0.002, 0.01);

    fn reads(count: usize) -> Work {
        Work::of(count, 1, 50)
    }

    fn resets(count: usize) -> Work {
        Work::of(count, 3, 16)
    }

    fn allowance(room: f64, pace: f64) -> Allowance {
        Allowance { room, most_room: 250.0, pace, connections: 8 }
    }

    fn size_of(work: Work, allowance: Allowance, line: (f64, f64), before: &[Before]) -> usize {
        match next_size(work, allowance, line, before, &mut Latest::default()) {
            Next::Size(size) => size,
            Next::Wait => panic!("there is nothing to wait for"),
        }
    }

    /// Sends work on connections and through a counter as they are promised. Returns how many requests it took, and how long.
    fn send(work: Work, mut allowance: Allowance, line: (f64, f64)) -> (usize, f64) {
        let (mut now, mut left, mut requests) = (0.0, work.count, 0);
        let (mut ends, mut latest) = (Vec::<f64>::new(), Latest::default());
        while left > 0 {
            ends.retain(|end| *end > now + 1e-9);
            if ends.len() == allowance.connections || allowance.room < 1.0 - 1e-9 {
                let refilled = if allowance.room < 1.0 { (1.0 - allowance.room) / allowance.pace } else { 0.0 };
                let free = ends.iter().copied().fold(f64::INFINITY, f64::min);
                let until = if ends.len() == allowance.connections { free.max(now + refilled) } else { now + refilled };
                allowance.room += (until - now) * allowance.pace;
                now = until;
                continue;
            }
            let before: Vec<Before> = ends.iter().map(|end| Before::left(end - now)).collect();
            let rest = Work { count: left, known: left, since: now, sent: requests, ..work };
            let next = next_size(rest, allowance, line, &before, &mut latest);
            let Next::Size(size) = next else { panic!("there is nothing to wait for") };
            let size = size.min(left);
            ends.push(now + line.0 + (size * work.commands_each) as f64 * line.1);
            allowance.room -= 1.0;
            left -= size;
            requests += 1;
        }
        (requests, ends.into_iter().fold(now, f64::max))
    }

    #[test]
    fn connections_end_nearly_together() {
        // 900 commands are 112 and a half for each connection. 18 full requests would let six connections rest while two have a
        // third one, 7.5 seconds in all; and with 24 all would end together, after 5.65.
        let (requests, seconds) = send(reads(900), allowance(1000.0, 2.0), SLOW);
        assert_eq!(requests, 21);
        assert!(seconds < 5.65 * LATEST, "{seconds}");
    }

    #[test]
    fn a_request_that_saves_little_is_not_sent() {
        // 5000 commands are 625 for each connection: twelve full requests and a half, so that 104 requests would take 31.3
        // seconds. Each one less leaves one connection with its twelve full ones, for a quarter of a second more: less than a
        // hundredth.
        let (requests, seconds) = send(reads(5000), allowance(1000.0, 2.0), SLOW);
        assert_eq!(requests, 101);
        assert!((31.9..32.1).contains(&seconds), "{seconds}");
    }

    #[test]
    fn what_follows_is_left_its_room_in_the_counter() {
        let alone = send(reads(1700), allowance(48.0, 2.0), QUICK).0;
        let ahead = send(Work { behind: 34.0, ..reads(1700) }, allowance(48.0, 2.0), QUICK).0;
        assert_eq!((alone, ahead), (36, 34));
    }

    #[test]
    fn while_little_is_known_each_connection_takes_what_is_no_full_request() {
        // Four pages are under way, and 104 of 504 reads are known. All can be done in the time of 68 reads, if six connections
        // read 18 first, and 50 once the others are known.
        let pages = Before { state: State::Left(0.05), pages: 4 };
        let mut known = Work { known: 104, ..reads(504) };
        let (mut before, mut latest) = (vec![pages], Latest::default());
        let mut next = || {
            let next = next_size(known, allowance(48.0, 2.0), QUICK, &before, &mut latest);
            if let Next::Size(size) = next {
                (known.count, known.known, known.sent) = (known.count - size, known.known - size, known.sent + 1);
                before.push(Before::left(QUICK.0 + size as f64 * QUICK.1));
            }
            next
        };
        let nexts: Vec<Next> = (0..7).map(|_| next()).collect();
        let Next::Size(first) = nexts[0] else { panic!("{nexts:?}") };
        assert!((15..=21).contains(&first), "{nexts:?}");
        assert_eq!(nexts.last(), Some(&Next::Wait), "a full request later is better than a small one now: {nexts:?}");
    }

    #[test]
    fn much_work_waits_for_full_requests_only_if_more_is_about_to_be_known() {
        let (pages, little) = (Before { pages: 49, ..Before::waits(49) }, Work { known: 49, ..reads(5000) });
        let next =
            |work, before: &[Before]| next_size(work, allowance(48.0, 2.0), QUICK, before, &mut Latest::default());
        assert_eq!(next(little, &[pages]), Next::Wait);
        assert_eq!(next(Work { known: 50, ..little }, &[pages]), Next::Size(50));
        let Next::Size(size) = next(little, &[]) else { panic!("there is nothing to wait for") };
        assert!(size <= 49, "{size}");
    }

    #[test]
    fn the_last_requests_of_a_full_counter_are_the_smaller_the_later_they_leave() {
        // They leave half a second apart, in which a request gets ten commands further. Full ones, with what is left over at
        // the end, would take 4 seconds: 1.5 until the last full one leaves, and 2.5 for it.
        let (requests, seconds) = send(reads(202), allowance(1.0, 2.0), SLOW);
        assert_eq!(requests, 5);
        assert!(seconds < 3.25, "{seconds}");
        // With quick commands there is nothing to be gained, and no request more is spent.
        let (requests, seconds) = send(reads(202), allowance(1.0, 2.0), QUICK);
        assert_eq!(requests, 5);
        assert!(seconds < 2.15, "{seconds}");
    }

    #[test]
    fn a_request_that_waits_takes_its_turn_first() {
        let alone = size_of(reads(60), allowance(2.0, 2.0), QUICK, &[]);
        assert_eq!(alone, 30, "both leave at once");
        let behind = size_of(reads(60), allowance(2.0, 2.0), QUICK, &[Before::waits(50), Before::left(1.0)]);
        assert_eq!(behind, 50, "the second one leaves half a second later");
    }

    #[test]
    fn nothing_is_gained_before_the_last_one_that_is_under_way() {
        assert_eq!(size_of(reads(24), allowance(48.0, 2.0), SLOW, &[Before::left(1.3)]), 24);
        assert_eq!(size_of(reads(24), allowance(48.0, 2.0), SLOW, &[Before::waits(12)]), 12);
    }

    #[test]
    fn little_work_is_shared_out_but_not_crumbled() {
        assert_eq!(size_of(reads(24), allowance(48.0, 2.0), SLOW, &[]), 4);
        assert_eq!(size_of(reads(3), allowance(48.0, 2.0), SLOW, &[]), 3);
        assert_eq!(size_of(reads(3), allowance(0.0, 2.0), SLOW, &[]), 3);
        assert_eq!(size_of(reads(1), allowance(48.0, 2.0), SLOW, &[]), 1);
        assert_eq!(size_of(reads(0), allowance(48.0, 2.0), SLOW, &[]), 1);
        assert_eq!(size_of(resets(16), allowance(48.0, 2.0), SLOW, &[]), 2);
        assert_eq!(size_of(resets(2), allowance(48.0, 2.0), SLOW, &[]), 1);
        assert_eq!(size_of(resets(1), allowance(48.0, 2.0), SLOW, &[]), 1);
        // Nobody notices half a hundredth of a second.
        assert_eq!(size_of(reads(50), allowance(48.0, 2.0), (0.001, 0.000_1), &[]), 50);
    }

    #[test]
    fn much_work_goes_in_full_requests() {
        assert_eq!(size_of(reads(20_000), allowance(250.0, 5.0), SLOW, &[]), 50);
        assert_eq!(size_of(resets(3000), allowance(0.0, 2.0), SLOW, &[]), 16);
        assert_eq!(size_of(reads(500), allowance(0.0, 2.0), QUICK, &[]), 50);
        let free = Allowance { room: f64::INFINITY, ..allowance(0.0, f64::INFINITY) };
        assert_eq!(size_of(reads(20_000), free, SLOW, &[]), 50);
        assert_eq!(size_of(reads(400), free, SLOW, &[Before::waits(50); 8]), 50);
    }

    proptest! {
        #[test]
        fn what_is_sent_is_known_and_only_news_are_waited_for(
            count in 1..3000_usize,
            known in 0.0..=1.0_f64,
            each in 0.001..0.1_f64,
            room in 0.0..60.0_f64,
            pages in prop::collection::vec((0.0..3.0_f64, 0..20_usize), 0..8),
            unlimited: bool,
        ) {
            let before: Vec<Before> =
                pages.iter().map(|(seconds, pages)| Before { pages: *pages, ..Before::left(*seconds) }).collect();
            let more_comes = before.iter().any(|before| before.pages > 0);
            let work = Work { known: ((count as f64 * known) as usize).max(1), ..reads(count) };
            let limits = if unlimited { allowance(f64::INFINITY, f64::INFINITY) } else { allowance(room, 2.0) };
            match next_size(work, limits, (0.002, each), &before, &mut Latest::default()) {
                Next::Size(size) => prop_assert!((1..=50).contains(&size) && (size <= work.known || !more_comes)),
                Next::Wait => prop_assert!(more_comes && work.known < count),
            }
        }

        #[test]
        fn no_schedule_is_much_longer_than_the_bound(
            count in 1..3000_usize,
            each in 0.001..0.1_f64,
            room in 0.0..60.0_f64,
            enterprise: bool,
        ) {
            let pace = if enterprise { 5.0 } else { 2.0 };
            let (requests, seconds) = send(reads(count), allowance(room, pace), (0.002, each));
            let fewest = count.div_ceil(50);
            // The connections are kept busy, once the counter has let them begin, or the counter is.
            let begin: f64 = (1..=8_u32).map(|turn| (f64::from(turn) - room).max(0.0) / pace).sum();
            let busy = (begin + count as f64 * each) / 8.0 + 3.0 * each;
            let paced = (fewest as f64 - room).max(0.0) / pace + 50.0 * each;
            prop_assert!(seconds <= busy.max(paced) * 1.25 + 0.05, "{seconds} for {busy} or {paced}");
            prop_assert!(requests <= fewest + 3 * 8, "{requests} for {fewest}");
        }
    }
}
