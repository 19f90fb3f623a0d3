//! Lower bound of the time of any client.
//!
//! # The derivation
//!
//! The portal counts requests: the counter may rise to `X`, and `Y` a second leak away. It takes at
//! most 50 commands in a request, and adds up the seconds that it spends in a method, at most `L`
//! of them in ten minutes. A client that keeps `C` connections busy has `n` calls of `s` seconds
//! each, which it packs into `k` requests. A request without commands takes `b0`, so one with its
//! share of the calls takes
//!
//! ```text
//! b = b0 + ceil(n / k) * s
//! ```
//!
//! * The last of `k` requests leaves no earlier than when `k - X` requests have leaked away, and
//!   then takes its `b`: `max(0, (k - X) / Y) + b`.
//! * `C` connections carry `k` requests in `ceil(k / C)` waves of `b` each: `ceil(k / C) * b`.
//! * The calls cost `n * s` seconds of operating time. `L` of them fit into every ten minutes, so
//!   that the last ones start after `600 * (ceil(n * s / L) - 1)` seconds.
//!
//! The whole takes at least the largest of the three, for the best `k` of those that are possible,
//! `k >= ceil(n / 50)`:
//!
//! ```text
//! T = max( 600 * (ceil(n*s/L) - 1),  min over k of max( max(0, (k-X)/Y) + b,  ceil(k/C) * b ) )
//! ```
//!
//! Reads and the resets behind them share the counter and the connections, but a reset waits for
//! the reads: the first term has `k_read + k_write` requests and the `b` of the last kind, and the
//! waves add up.
//!
//! A card is read again, 50 in a request, if its reset leaves more than five minutes after the
//! reads began: those reads count with the first kind.
//!
//! So: while the counter has room, small batches over several connections are quicker than full
//! ones; once it is full, only full ones keep the pace.
//!
//! What the bound leaves out, in the client's disfavour: that a client first asks who it is, that
//! the pages of a list cannot be asked for before the first has said how many there are, and that
//! the counter steps down once a second at a moment that no client can know, which costs one that
//! wants no refusal `Y` of its `X`, that is, one second.

/// The limits of a portal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests at once, and a second; none if the portal does not count.
    pub(crate) rate: Option<(f64, f64)>,
    /// Seconds of operating time of one method in ten minutes.
    pub(crate) operating: Option<f64>,
}

/// Calls of one kind, which come one after the other kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    pub(crate) calls: u64,
    /// The maximum number in a request.
    pub(crate) most: u64,
}

/// Measured durations of requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) request: f64,
    pub(crate) call: f64,
}

/// The least time, and the fewest requests that reach it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
}

/// The bound of one phase, or of two phases in this order. `room` is how many requests the portal
/// takes at once at the start: `X` for a counter that is empty.
pub(crate) fn bound(
    phases: &[Phase],
    limits: Limits,
    room: f64,
    connections: u64,
    timing: Timing,
) -> Bound {
    let each = |phase: &Phase, requests: u64| {
        timing.request + phase.calls.div_ceil(requests.max(1)) as f64 * timing.call
    };
    let waves = |phase: &Phase, requests: u64| {
        requests.div_ceil(connections) as f64 * each(phase, requests)
    };
    let choices = |phase: &Phase| {
        let least = phase.calls.div_ceil(phase.most).max(1);
        // More requests than there is room for only wait for the counter, beyond those that fill
        // the connections.
        let most = least.max(room.min(1000.0) as u64) + 2 * connections;
        least..=most.min(phase.calls.max(least))
    };
    let (first, second) = match phases {
        [first, second] => (*first, *second),
        [only] => (Phase { calls: 0, most: 50 }, *only),
        _ => return Bound { seconds: 0.0, requests: 0 },
    };
    let firsts: Vec<u64> = if first.calls == 0 { vec![0] } else { choices(&first).collect() };
    let mut best = Bound { seconds: f64::INFINITY, requests: 0 };
    for one in firsts {
        for other in choices(&second) {
            let requests = one + other;
            let paced = match limits.rate {
                Some((_, per_second)) => (requests as f64 - room).max(0.0) / per_second,
                None => 0.0,
            };
            let before = if one == 0 { 0.0 } else { waves(&first, one) };
            let seconds = (paced + each(&second, other)).max(before + waves(&second, other));
            let better = seconds < best.seconds - 1e-9;
            if better || (seconds <= best.seconds + 1e-9 && requests < best.requests) {
                best = Bound { seconds, requests };
            }
        }
    }
    if let Some(limit) = limits.operating {
        let spent = phases.iter().map(|phase| phase.calls as f64).sum::<f64>() * timing.call;
        best.seconds = best.seconds.max(600.0 * ((spent / limit).ceil() - 1.0));
    }
    best
}
