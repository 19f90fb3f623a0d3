//! Numbers of this process for Prometheus: the results of rounds, and the requests to portals.

use std::sync::{Arc, Mutex, PoisonError};

use super::exit;
use crate::portal::{HttpPortal, RequestMetrics};
use crate::report::RequestTotals;

/// Results of rounds, as stable words.
pub(super) const RESULTS: [&str; 6] =
    ["done", "partial", "refused", "locked", "interrupted", "error"];

/// Returns the word for an exit code.
pub(super) fn result(code: u8) -> &'static str {
    match code {
        exit::DONE => tr_later!("done"),
        exit::PARTIAL => tr_later!("partial"),
        exit::REFUSED => tr_later!("refused"),
        exit::LOCKED => tr_later!("locked"),
        exit::INTERRUPTED | exit::TERMINATED => tr_later!("interrupted"),
        _ => tr_later!("error"),
    }
}

/// Count of the requests of this process: those to its present portals, and to those before.
#[derive(Clone, Default)]
pub(super) struct Traffic(Arc<Mutex<Counted>>);

#[derive(Default)]
struct Counted {
    before: RequestTotals,
    present: Vec<HttpPortal>,
}

impl Traffic {
    /// Counts the requests to this portal from now on.
    pub(super) fn follow(&self, portal: &HttpPortal) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.settle();
        counted.present.push(portal.clone());
    }

    /// Adds up the portals that nothing else uses any more, and closes their connections.
    pub(super) fn settle(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).settle();
    }

    /// Returns the requests so far.
    pub(super) fn totals(&self) -> RequestTotals {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.settle();
        counted.present.iter().fold(counted.before, plus)
    }
}

impl Counted {
    /// Adds up and lets go the portals that nothing else holds any more.
    fn settle(&mut self) {
        let ended = self.present.extract_if(.., |portal| !portal.is_shared());
        self.before = ended.fold(self.before, |sum, portal| plus(sum, &portal));
    }
}

fn plus(sum: RequestTotals, portal: &HttpPortal) -> RequestTotals {
    let RequestMetrics { requests, throttled, retried, waited, http_errors, .. } = portal.metrics();
    RequestTotals {
        answered: sum.answered + requests.saturating_sub(http_errors),
        failed: sum.failed + http_errors,
        throttled: sum.throttled + throttled,
        retried: sum.retried + retried,
        waited_for_rate: sum.waited_for_rate + waited.rate,
        waited_for_operating_time: sum.waited_for_operating_time + waited.operating_time,
    }
}
