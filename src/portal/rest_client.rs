//! REST client: one call of the portal, sent, judged, and repeated for as long as that is safe and
//! reasonable.
//!
//! Rules for failures:
//!
//! * refused because of a limit: certainly not executed. The limiter learns, the call waits and is
//!   repeated.
//! * no connection: certainly not sent. Repeated after a pause.
//! * rejected: no request can succeed. The client remembers it and sends nothing more.
//! * any other failure: a call that only reads is repeated after a pause.
//!
//! A call that writes is repeated only if it was certainly not processed. Any other answer without
//! a result is returned.
//!
//! All retries draw on one [`RetryBudget`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::admission::AdmissionQueue;
use super::chunking::{CurrentChunk, Workload};
use super::latency::Latency;
use super::layout_cache::LayoutCache;
use super::methods::{BATCH, RESET, SET};
use super::rate_limiter::{Budget, CallWeights};
use super::retry::{Idempotency, RetryState};
use super::transport::{HttpResponse, ResponseOrigin, Transport, TransportError};
use super::wire::{FailureClass, ResponseError, Success, decode};
use super::{EventHook, Limit, PortalEvent, PortalSettings, RequestMetrics, RetryBudget};
use crate::model::PortalId;
use crate::ports::{IndeterminateCause, Lane, PortalError, Refusal, Rejection};

/// Timeout of one call for a limit: longer than the ten minutes over which the portal adds up its
/// operating time.
pub(super) const LIMIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Timeout of a host that has never answered, or only with web pages that claim success: its name
/// is more likely misspelled than the host down.
const FIRST_CONTACT_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of failures of one call, while others succeed, after which the call itself is the cause.
const MAX_OWN_FAILURES: u32 = 3;

/// Shared state of every reader and writer of one portal.
pub(crate) struct RestClient {
    transport: Box<dyn Transport>,
    pub(super) portal: PortalId,
    pub(super) admission: AdmissionQueue,
    pub(super) layout_cache: LayoutCache,
    connections: Semaphore,
    max_connections: usize,
    budget: RetryBudget,
    events: EventHook,
    rejected: OnceLock<PortalError>,
    emulator: AtomicBool,
    state: Mutex<ClientState>,
}

#[derive(Default)]
struct ClientState {
    metrics: RequestMetrics,
    latency: Latency,
    resets: CurrentChunk,
    /// Retries that are used up: see [`RetryBudget::retries`].
    retry_debt: f64,
    last_success: Option<Instant>,
}

/// Request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) weights: CallWeights,
    /// `true` if the rate limiter has admitted the request already: it leaves at once, or its
    /// caller admits it again.
    pub(crate) admitted: bool,
}

impl Request {
    /// Returns the number of commands; a call without a batch is one.
    fn commands(&self) -> usize {
        self.weights.iter().filter(|(method, _)| *method != BATCH).map(|(_, count)| *count).sum()
    }
}

/// Times of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    /// The time of sending, by the limiter's clock.
    pub(crate) sent: Duration,
    /// The time until the answer.
    pub(crate) time: Duration,
}

/// Error of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// The portal cannot be used any more.
    Portal(PortalError),
    /// The portal refused this call; nothing was done.
    Refused(Refusal),
    /// No usable answer to a read request.
    Broken(String),
    /// An answer to a write request that does not tell if the portal executed it.
    Indeterminate(String, IndeterminateCause),
}

impl RestClient {
    pub(crate) fn new(
        portal: PortalId,
        transport: Box<dyn Transport>,
        settings: &PortalSettings,
    ) -> Self {
        let max_connections = settings.connections.clamp(1, 64);
        Self {
            transport,
            portal,
            admission: AdmissionQueue::new(settings),
            layout_cache: LayoutCache::default(),
            connections: Semaphore::new(max_connections),
            max_connections,
            budget: settings.retry_budget,
            events: settings.events.clone(),
            rejected: OnceLock::new(),
            emulator: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Makes a call. `read` converts the result, and may find it invalid; it gets the times of the
    /// request.
    pub(crate) async fn call<T>(
        &self,
        request: &Request,
        idempotency: Idempotency,
        retry: &mut RetryState,
        read: impl Fn(&Success<'_>, RoundTrip) -> Result<T, ResponseError>,
    ) -> Result<T, CallError> {
        loop {
            let (trip, answer) =
                self.send(request, idempotency, retry.lane()).await.map_err(CallError::Portal)?;
            let (trouble, sent) = match answer {
                Ok(answer) => {
                    let success =
                        decode(answer.status, answer.content_type.as_deref(), &answer.body);
                    match success.and_then(|success| read(&success, trip)) {
                        Ok(value) => {
                            self.succeeded(trip.sent);
                            return Ok(value);
                        }
                        Err(trouble) => (trouble, true),
                    }
                }
                Err(TransportError::NotSent(text)) => {
                    (ResponseError::Broken(FailureClass::Transient, text), false)
                }
                Err(TransportError::Blocked(rejection, text)) => {
                    match self.is_first_contact() || rejection == Rejection::Certificate {
                        true => (
                            ResponseError::Rejected(
                                rejection,
                                Refusal { code: String::new(), message: text },
                            ),
                            false,
                        ),
                        // A proxy that has let requests pass may be restarting.
                        false => (ResponseError::Broken(FailureClass::Transient, text), false),
                    }
                }
                Err(error @ TransportError::Lost(_)) => {
                    (ResponseError::Broken(FailureClass::Transient, error.to_string()), true)
                }
                Err(error @ TransportError::TimedOut(_)) => {
                    (ResponseError::Broken(FailureClass::Persistent, error.to_string()), true)
                }
            };
            if idempotency == Idempotency::Unsafe && sent {
                return Err(self.indeterminate(request, trouble, trip.sent));
            }
            match trouble {
                ResponseError::Rejected(rejection, refusal) => {
                    return Err(CallError::Portal(self.reject(rejection, refusal)));
                }
                ResponseError::Refused(refusal) => return Err(CallError::Refused(refusal)),
                ResponseError::Limited(limit, refusal) => {
                    self.on_throttled(limit, request.method, trip.sent);
                    retry.on_throttled();
                    if retry.throttled_for() > LIMIT_TIMEOUT {
                        return Err(CallError::Portal(PortalError::NotExecuted(describe(
                            &refusal,
                        ))));
                    }
                }
                ResponseError::Broken(_, text) if !sent && request.admitted => {
                    return Err(CallError::Portal(PortalError::NotExecuted(text)));
                }
                ResponseError::Broken(_, text) if !sent => self.retry_unsent(text, retry).await?,
                ResponseError::Broken(class, text) => {
                    self.retry_read(request, class, text, retry).await?
                }
            }
        }
    }

    /// Returns the error for an answer to a write request. No refusal proves that the portal
    /// executed none of it, so that no conclusion follows, not even that the credential is invalid:
    /// the read-back that follows tells.
    fn indeterminate(
        &self,
        request: &Request,
        trouble: ResponseError,
        sent: Duration,
    ) -> CallError {
        match trouble {
            ResponseError::Limited(limit, refusal) => {
                self.on_throttled(limit, request.method, sent);
                CallError::Indeterminate(describe(&refusal), IndeterminateCause::Limit)
            }
            ResponseError::Rejected(rejection, refusal) => {
                let text = describe(&refusal);
                let Refusal { code, message } = refusal;
                let error = PortalError::Rejected { rejection, code, message };
                CallError::Indeterminate(text, IndeterminateCause::Refusal(error))
            }
            ResponseError::Refused(refusal) => {
                let text = describe(&refusal);
                CallError::Indeterminate(
                    text.clone(),
                    IndeterminateCause::Refusal(PortalError::Unexpected(text)),
                )
            }
            ResponseError::Broken(_, text) => {
                self.with(|state| state.metrics.http_errors += 1);
                CallError::Indeterminate(text, IndeterminateCause::NoAnswer)
            }
        }
    }

    /// Sends a request once, when the limits allow it. A stop drops a read in flight, and never a
    /// write or a read of a compensation.
    async fn send(
        &self,
        request: &Request,
        idempotency: Idempotency,
        lane: Lane,
    ) -> Result<(RoundTrip, Result<HttpResponse, TransportError>), PortalError> {
        // The semaphore is never closed. A compensation waits for no connection.
        let _connection = match lane {
            Lane::Planned if !request.admitted => Some(self.connections.acquire().await),
            Lane::Planned | Lane::Compensation => None,
        };
        // A compensation is tried all the same: the remembered answer may have been a stray one.
        let rejected = || self.rejected.get().filter(|_| lane == Lane::Planned).cloned();
        if let Some(error) = rejected() {
            return Err(error);
        }
        let waited = match (request.admitted, lane) {
            (false, _) => self.admission.admit(&request.weights, lane).await?,
            (true, Lane::Planned) => self.admission.check().map(|()| Duration::ZERO)?,
            (true, Lane::Compensation) => Duration::ZERO,
        };
        if let Some(error) = rejected() {
            return Err(error);
        }
        self.with(|state| state.metrics.count(request, waited));
        let sent = self.admission.now();
        let sending = self.transport.send(request.method, request.body.clone());
        let answer = match (idempotency, lane) {
            (Idempotency::Unsafe, _) | (_, Lane::Compensation) => sending.await,
            (Idempotency::Safe, Lane::Planned) => tokio::select! {
                biased;
                answer = sending => answer,
                reason = self.admission.cancelled() => return Err(PortalError::Stopped(reason)),
            },
        };
        if matches!(answer, Err(TransportError::NotSent(_) | TransportError::Blocked(..))) {
            let now = self.admission.now();
            self.admission.limiter().on_not_sent(now);
        }
        if answer.as_ref().is_ok_and(|answer| answer.origin == ResponseOrigin::Emulator) {
            self.emulator.store(true, Ordering::Relaxed);
        }
        Ok((RoundTrip { sent, time: self.admission.now().saturating_sub(sent) }, answer))
    }

    fn succeeded(&self, sent: Duration) {
        self.admission.on_accepted(sent);
        self.with(|state| {
            state.last_success = Some(Instant::now());
            state.retry_debt = (state.retry_debt - 0.5).max(0.0);
        });
    }

    /// Records the duration of a batch: see [`Latency::record`].
    pub(super) fn record_latency(
        &self,
        commands: usize,
        time: Duration,
        finishes: impl Iterator<Item = f64> + Clone,
    ) {
        self.with(|state| state.latency.record(commands, time, finishes));
    }

    /// Pauses before the retry of a request that never left.
    pub(super) async fn retry_unsent(
        &self,
        text: String,
        retry: &mut RetryState,
    ) -> Result<(), CallError> {
        let pause = retry.next_backoff(&self.budget);
        let last_success = self.with(|state| {
            state.metrics.http_errors += 1;
            state.last_success
        });
        let max_elapsed = self.first_contact_timeout(last_success);
        if retry.duration() + pause > max_elapsed || !self.try_spend_retry() {
            return Err(CallError::Portal(PortalError::NotExecuted(text)));
        }
        self.back_off(text, pause, retry.lane()).await
    }

    /// Pauses before the retry of a read request that may have been executed, or returns its
    /// failure.
    async fn retry_read(
        &self,
        request: &Request,
        class: FailureClass,
        text: String,
        retry: &mut RetryState,
    ) -> Result<(), CallError> {
        let pause = retry.next_backoff(&self.budget);
        let last_success = self.with(|state| {
            state.metrics.http_errors += 1;
            state.last_success
        });
        let others_succeed = last_success > retry.since();
        let commands = request.commands();
        let own_fault = match class {
            // The same commands will fail again: bisection finds the bad one at once.
            FailureClass::Persistent => commands > 1 || retry.attempts() >= MAX_OWN_FAILURES,
            FailureClass::NotAPortal | FailureClass::Transient => {
                retry.attempts() >= MAX_OWN_FAILURES && others_succeed
            }
        };
        // Half of the retry budget is kept for the halves.
        let worn = retry.budget_half_spent(&self.budget)
            && retry.attempts() >= MAX_OWN_FAILURES
            && commands > 1;
        if own_fault || worn {
            return Err(CallError::Broken(text));
        }
        let max_elapsed = match class {
            FailureClass::NotAPortal => self.first_contact_timeout(last_success),
            FailureClass::Persistent | FailureClass::Transient => self.budget.max_elapsed,
        };
        if retry.duration() + pause > max_elapsed {
            let error = PortalError::MaybeExecuted(text.clone());
            return Err(if others_succeed {
                CallError::Broken(text)
            } else {
                CallError::Portal(error)
            });
        }
        if !self.try_spend_retry() {
            return Err(CallError::Portal(PortalError::MaybeExecuted(text)));
        }
        self.back_off(text, pause, retry.lane()).await
    }

    /// Returns `true` if no answer has shown yet that the host is a portal.
    fn is_first_contact(&self) -> bool {
        self.with(|state| state.last_success.is_none())
    }

    /// Returns the timeout of a host without a sign of a portal, unless it has answered before.
    fn first_contact_timeout(&self, last_success: Option<Instant>) -> Duration {
        match last_success {
            Some(_) => self.budget.max_elapsed,
            None => self.budget.max_elapsed.min(FIRST_CONTACT_TIMEOUT),
        }
    }

    async fn back_off(&self, reason: String, pause: Duration, lane: Lane) -> Result<(), CallError> {
        self.with(|state| state.metrics.retried += 1);
        (self.events)(PortalEvent::RequestRetried { reason, pause });
        self.admission.pause_in(pause, lane).await.map_err(CallError::Portal)
    }

    /// Counts the retry of commands, or of a whole list.
    pub(super) fn count_retry(&self, reason: String) {
        self.with(|state| state.metrics.retried += 1);
        (self.events)(PortalEvent::ReadRetried { reason });
    }

    /// Spends one retry. Returns `false` if the budget is exhausted: the portal fails more than it
    /// answers.
    pub(super) fn try_spend_retry(&self) -> bool {
        self.with(|state| {
            let left = state.retry_debt < f64::from(self.budget.retries);
            state.retry_debt += if left { 1.0 } else { 0.0 };
            left
        })
    }

    /// Remembers that no request can succeed, and converts the refusal.
    pub(super) fn reject(&self, rejection: Rejection, refusal: Refusal) -> PortalError {
        let error =
            PortalError::Rejected { rejection, code: refusal.code, message: refusal.message };
        match rejection {
            // The right to one section, or the section itself, may be missing while others exist.
            Rejection::MissingRight | Rejection::NotAllowed | Rejection::NotAPortal => error,
            Rejection::Credentials
            | Rejection::OwnerDismissed
            | Rejection::HttpsRequired
            | Rejection::Overload
            | Rejection::PlanWithoutRest
            | Rejection::PortalClosed
            | Rejection::Redirect
            | Rejection::Certificate
            | Rejection::ProxyRefuses
            | Rejection::ProxyUnreachable => self.rejected.get_or_init(|| error).clone(),
        }
    }

    /// Records that the portal refused a method in a request that was sent at `sent`, because of a
    /// limit. The limiter delays all affected requests.
    pub(super) fn on_throttled(&self, limit: Limit, method: &str, sent: Duration) {
        let now = self.admission.now();
        self.admission.limiter().on_throttled(limit, method, sent, now);
        self.with(|state| state.metrics.throttled += 1);
        (self.events)(PortalEvent::Throttled(limit));
    }

    /// Counts the bisection of a batch.
    pub(super) fn count_split(&self, commands: usize, reason: &str) {
        self.with(|state| state.metrics.retried += 1);
        (self.events)(PortalEvent::BatchSplit { commands, reason: reason.to_owned() });
    }

    /// Returns the chunk size of a list that begins now.
    pub(super) fn chunk_size(&self, workload: &Workload) -> usize {
        workload.chunk_size(self.max_connections, self.budget().available)
    }

    /// Returns the size of the next chunk of resets.
    pub(super) fn next_resets(&self, workload: &Workload) -> usize {
        let size = self.chunk_size(workload);
        self.with(|state| state.resets.next(workload.items, size))
    }

    /// Returns the room that the request limit leaves now.
    pub(super) fn budget(&self) -> Budget {
        let now = self.admission.now();
        self.admission.limiter().budget(now)
    }

    /// Returns the average seconds of a command.
    pub(super) fn command_seconds(&self) -> f64 {
        self.with(|state| state.latency.command_seconds())
    }

    /// Returns the number of requests that may be in flight at once.
    pub(super) fn connections(&self) -> usize {
        self.max_connections
    }

    pub(super) fn retry_budget(&self) -> &RetryBudget {
        &self.budget
    }

    pub(super) fn metrics(&self) -> RequestMetrics {
        self.with(|state| state.metrics)
    }

    pub(super) fn is_emulator(&self) -> bool {
        self.emulator.load(Ordering::Relaxed)
    }

    fn with<T>(&self, change: impl FnOnce(&mut ClientState) -> T) -> T {
        // Numbers only: a panic while they were locked leaves a valid state.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RequestMetrics {
    fn count(&mut self, request: &Request, waited: Duration) {
        let of = |wanted: &str| -> u64 {
            let counts = request
                .weights
                .iter()
                .filter(|(method, _)| *method == wanted)
                .map(|(_, count)| *count as u64);
            counts.sum()
        };
        self.requests += 1;
        self.commands += request.commands() as u64;
        self.resets += of(RESET);
        self.sets += of(SET);
        self.waited += waited;
    }
}

/// Adds the method to the message of a refusal.
pub(super) fn with_method_name(method: &str, refusal: Refusal) -> Refusal {
    let Refusal { code, message } = refusal;
    let message =
        if message.is_empty() { method.to_owned() } else { format!("{method}: {message}") };
    Refusal { code, message }
}

/// Returns a refusal in one line.
pub(crate) fn describe(refusal: &Refusal) -> String {
    match (refusal.code.as_str(), refusal.message.as_str()) {
        ("", "") => "refused without a word".to_owned(),
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    }
}
