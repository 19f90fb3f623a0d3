//! One request: method, body, weights on the limits, times.

use std::time::Duration;

use crate::command::BATCH;
use crate::metrics::{LimitWaits, RequestMetrics};
use crate::rate_limiter::CallWeights;

/// One request to the portal.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method that the request calls.
    pub method: &'static str,
    /// JSON body.
    pub body: Vec<u8>,
    /// Methods that the request weighs on.
    pub weights: CallWeights,
    /// `true` if the rate limiter has admitted the request already: it leaves at once, or its
    /// caller admits it again.
    pub admitted: bool,
}

impl Request {
    /// Returns the number of commands; a call without a batch is one.
    pub(crate) fn commands(&self) -> usize {
        self.weights.iter().filter(|(method, _)| *method != BATCH).map(|(_, count)| *count).sum()
    }
}

/// Times of one request.
#[derive(Clone, Copy, Debug)]
pub struct RoundTrip {
    /// Moment of sending, by the clock of the rate limiter.
    pub sent: Duration,
    /// Time until the response was complete.
    pub time: Duration,
}

impl RequestMetrics {
    /// Counts a request that is sent after it has waited for the limits.
    pub(crate) fn count(&mut self, request: &Request, waited: LimitWaits) {
        self.requests += 1;
        self.commands += request.commands() as u64;
        for (method, count) in request.weights.iter().filter(|(method, _)| *method != BATCH) {
            *self.by_method.entry(method).or_default() += *count as u64;
        }
        self.waited += waited;
    }
}
