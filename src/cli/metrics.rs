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

/// Count of the requests of this process: those of its present portal, and of those before.
#[derive(Clone, Default)]
pub(super) struct Traffic(Arc<Mutex<Counted>>);

#[derive(Default)]
struct Counted {
    before: RequestTotals,
    present: Option<HttpPortal>,
}

impl Traffic {
    /// Counts the requests to this portal from now on.
    pub(super) fn follow(&self, portal: &HttpPortal) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.before = counted.totals();
        counted.present = Some(portal.clone());
    }

    /// Returns the requests so far.
    pub(super) fn totals(&self) -> RequestTotals {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).totals()
    }
}

impl Counted {
    fn totals(&self) -> RequestTotals {
        let Some(portal) = &self.present else { return self.before };
        let RequestMetrics { requests, throttled, retried, waited, http_errors, .. } =
            portal.metrics();
        let RequestTotals {
            answered,
            failed,
            throttled: earlier_throttled,
            retried: earlier_retried,
            waited_for_rate,
            waited_for_operating_time,
        } = self.before;
        RequestTotals {
            answered: answered + requests.saturating_sub(http_errors),
            failed: failed + http_errors,
            throttled: earlier_throttled + throttled,
            retried: earlier_retried + retried,
            waited_for_rate: waited_for_rate + waited.rate,
            waited_for_operating_time: waited_for_operating_time + waited.operating_time,
        }
    }
}
