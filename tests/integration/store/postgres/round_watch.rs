//! Rounds of the portals of a fleet, as the database tells of them, and the time between them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use recard::emulator::Portal;
use tokio_postgres::{Client, Error};

/// Time beyond interval, lease and outage that may pass between two rounds of a portal.
const SLACK: f64 = 5.0;

/// Span between two moments by the clock of the database, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Span {
    fn length(self) -> f64 {
        self.to - self.from
    }

    fn meets(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }
}

/// Watch over the rounds of all portals. A round is one that ended without a failure.
pub(super) struct RoundWatch {
    portals: BTreeMap<String, Watched>,
    /// Moment from which on rounds are watched.
    pub(super) begun: f64,
    newest: f64,
    /// Number of rounds that failed.
    pub(super) failed: usize,
}

#[derive(Default)]
struct Watched {
    rounds: Vec<f64>,
    /// Requests that the portal had ahead of the look that saw its last round: none of a later
    /// round is among them.
    requests: u64,
}

/// Longest time between two rounds of a portal, beside the longest that is allowed.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) portal: String,
    pub(super) span: Span,
    /// Positive if it is too long.
    pub(super) excess: f64,
}

impl Gap {
    pub(super) fn length(&self) -> f64 {
        self.span.length()
    }
}

/// Returns the time of day, in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the server on this machine has the same clock")]
pub(super) fn time_of_day() -> f64 {
    Timestamp::now().duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
}

impl RoundWatch {
    /// Begins at a moment.
    pub(super) fn new(portals: &[Portal], begun: f64) -> Self {
        let watched = |portal: &Portal| (portal.host().to_owned(), Watched::default());
        let portals = portals.iter().map(watched).collect();
        Self { portals, begun, newest: begun, failed: 0 }
    }

    /// Takes the rounds since the last look. Requires that each of them looked at its portal.
    pub(super) async fn look(&mut self, client: &Client, portals: &[Portal]) -> Result<(), Error> {
        // A round that is committed late is older than others that were seen.
        let text = "select portal, round_failed, extract(epoch from round_at)::float8 as at \
                    from recard.portal where round_at > to_timestamp($1::float8 - 5) order by round_at";
        let requests = |portal: &Portal| portal.counters().requests;
        let ahead: BTreeMap<&str, (&Portal, u64)> =
            portals.iter().map(|portal| (portal.host(), (portal, requests(portal)))).collect();
        let rows = client.query(text, &[&self.newest]).await?;
        for row in rows {
            let (host, failed, at): (&str, bool, f64) = (row.get(0), row.get(1), row.get(2));
            let watched = self.portals.get_mut(host).unwrap();
            if watched.rounds.last().is_some_and(|last| *last >= at) || at <= self.begun {
                continue;
            }
            self.newest = self.newest.max(at);
            if failed {
                self.failed += 1;
                continue;
            }
            let (portal, ahead) = ahead[host];
            assert!(requests(portal) > watched.requests, "{host} had a round without a request");
            watched.requests = ahead;
            watched.rounds.push(at);
        }
        Ok(())
    }

    /// Returns the number of all rounds, and the fewest of a portal.
    pub(super) fn numbers(&self) -> (usize, usize) {
        let numbers = || self.portals.values().map(|watched| watched.rounds.len());
        (numbers().sum(), numbers().min().unwrap_or_default())
    }

    /// Returns the gaps of each portal until a moment, the one with the largest excess first.
    pub(super) fn gaps(
        &self,
        until: f64,
        every: Duration,
        lease: Duration,
        outages: &[Span],
    ) -> Vec<Gap> {
        let limit = every.as_secs_f64() * 1.1 + lease.as_secs_f64() + SLACK;
        let mut gaps = Vec::new();
        for (portal, watched) in &self.portals {
            let begins = std::iter::once(self.begun).chain(watched.rounds.iter().copied());
            let ends = watched.rounds.iter().copied().chain(std::iter::once(until));
            for (from, to) in begins.zip(ends) {
                let span = Span { from, to };
                let met = outages.iter().filter(|outage| outage.meets(span));
                let outage = met.map(|outage| outage.length()).fold(0.0, f64::max);
                let excess = span.length() - limit - outage;
                gaps.push(Gap { portal: portal.clone(), span, excess });
            }
        }
        gaps.sort_by(|a, b| b.excess.total_cmp(&a.excess));
        gaps
    }
}
