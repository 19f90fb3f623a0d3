//! REST client: one call of the portal, sent, judged, and repeated for as long as that is safe and
//! reasonable.
//!
//! The rules for failures, all in one loop:
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

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::admission::AdmissionQueue;
use crate::chunking::Workload;
use crate::client_state::ClientState;
use crate::error::{CallError, ClientError, ConnectError, Lane, Refusal, Rejection};
use crate::method_budget::MethodUsage;
use crate::metrics::{LimitWaits, RequestMetrics};
use crate::quota::Limit;
use crate::rate_limiter::{Budget, CallWeights, LimiterLevel};
use crate::request::{Request, RoundTrip};
use crate::response::{Success, decode};
use crate::response_error::{FailureClass, ResponseError};
use crate::retry::{Idempotency, RetryState};
use crate::settings::{ClientEvent, ClientSettings, EventHook, RetryBudget};
use crate::transport::{HttpResponse, HttpTransport, ResponseOrigin, Transport, TransportError};
use crate::webhook::WebhookUrl;

/// Timeout of one call for a limit: longer than the ten minutes over which the portal adds up its
/// operating time.
pub(crate) const LIMIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Timeout of a host that has never answered, or only with web pages that claim success: its name
/// is more likely misspelled than the host down.
const FIRST_CONTACT_TIMEOUT: Duration = Duration::from_secs(5);

/// Number of failures of one call, while others succeed, after which the call itself is the cause.
const MAX_OWN_FAILURES: u32 = 3;

/// Client of one portal: admission, retries and classification of responses.
pub struct RestClient {
    transport: Box<dyn Transport>,
    pub(crate) admission: AdmissionQueue,
    connections: Semaphore,
    max_connections: usize,
    budget: RetryBudget,
    events: EventHook,
    rejected: OnceLock<ClientError>,
    emulator: AtomicBool,
    state: Mutex<ClientState>,
}

impl fmt::Debug for RestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestClient").finish_non_exhaustive()
    }
}

impl RestClient {
    /// Prepares a client over HTTP; sends nothing. Must be called inside a tokio runtime, whose
    /// clock it uses.
    pub fn connect(webhook: WebhookUrl, settings: &ClientSettings) -> Result<Self, ConnectError> {
        Ok(Self::new(Box::new(HttpTransport::new(webhook, settings)?), settings))
    }

    /// Makes a client over a transport.
    pub fn new(transport: Box<dyn Transport>, settings: &ClientSettings) -> Self {
        let max_connections = settings.connections.clamp(1, 64);
        Self {
            transport,
            admission: AdmissionQueue::new(settings),
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
    pub async fn call<T>(
        &self,
        request: &Request,
        idempotency: Idempotency,
        retry: &mut RetryState,
        read: impl Fn(&Success<'_>, RoundTrip) -> Result<T, ResponseError>,
    ) -> Result<T, CallError> {
        loop {
            let (trip, answer) =
                self.send(request, idempotency, retry.lane()).await.map_err(CallError::Client)?;
            let (trouble, sent) = match answer {
                Ok(answer) => {
                    let success =
                        decode(answer.status, answer.content_type.as_deref(), &answer.body);
                    if let Ok(success) = &success {
                        self.record_usage(request.method, success);
                    }
                    match success.and_then(|success| read(&success, trip)) {
                        Ok(value) => {
                            self.succeeded(trip.sent);
                            return Ok(value);
                        }
                        Err(trouble) => (trouble, true),
                    }
                }
                Err(error) => self.trouble(error),
            };
            if idempotency == Idempotency::Unsafe && sent {
                return Err(self.indeterminate(request, trouble, trip.sent));
            }
            match trouble {
                ResponseError::Rejected(rejection, refusal) => {
                    return Err(CallError::Client(self.reject(rejection, refusal)));
                }
                ResponseError::Refused(refusal) => return Err(CallError::Refused(refusal)),
                ResponseError::Limited(limit, refusal) => {
                    self.on_throttled(limit, request.method, trip.sent);
                    retry.on_throttled();
                    if retry.throttled_for() > LIMIT_TIMEOUT {
                        return Err(CallError::Client(ClientError::NotExecuted(
                            refusal.to_string(),
                        )));
                    }
                }
                ResponseError::Broken(_, text) if !sent && request.admitted => {
                    return Err(CallError::Client(ClientError::NotExecuted(text)));
                }
                ResponseError::Broken(_, text) if !sent => self.retry_unsent(text, retry).await?,
                ResponseError::Broken(class, text) => {
                    self.retry_read(request, class, text, retry).await?
                }
            }
        }
    }

    /// Classifies a request without a response. Returns `true` beside it if the request may have
    /// reached the portal.
    fn trouble(&self, error: TransportError) -> (ResponseError, bool) {
        let text = error.to_string();
        match error {
            TransportError::Blocked(rejection, message)
                if self.with(|state| state.last_success.is_none())
                    || rejection == Rejection::Certificate =>
            {
                let refusal = Refusal { code: String::new(), message };
                (ResponseError::Rejected(rejection, refusal), false)
            }
            // A proxy that has let requests pass may be restarting.
            TransportError::NotSent(_) | TransportError::Blocked(..) => {
                (ResponseError::Broken(FailureClass::Transient, text), false)
            }
            TransportError::Lost(_) => (ResponseError::Broken(FailureClass::Transient, text), true),
            TransportError::TimedOut(_) => {
                (ResponseError::Broken(FailureClass::Persistent, text), true)
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
        match &trouble {
            ResponseError::Limited(limit, _) => self.on_throttled(*limit, request.method, sent),
            ResponseError::Broken(..) => self.with(|state| state.metrics.http_errors += 1),
            ResponseError::Rejected(..) | ResponseError::Refused(_) => {}
        }
        trouble.into_indeterminate()
    }

    /// Sends a request once, when the limits allow it. A stop drops a read in flight, and never a
    /// write or a urgent read.
    pub(crate) async fn send(
        &self,
        request: &Request,
        idempotency: Idempotency,
        lane: Lane,
    ) -> Result<(RoundTrip, Result<HttpResponse, TransportError>), ClientError> {
        // The semaphore is never closed. An urgent request waits for no connection.
        let _connection = match lane {
            Lane::Normal if !request.admitted => Some(self.connections.acquire().await),
            Lane::Normal | Lane::Urgent => None,
        };
        // An urgent request is tried all the same: the answer that is remembered may have been a
        // stray one.
        let rejected = || self.rejected.get().filter(|_| lane == Lane::Normal).cloned();
        rejected().map_or(Ok(()), Err)?;
        let waited = match (request.admitted, lane) {
            (false, _) => self.admission.admit(&request.weights, lane).await?,
            (true, Lane::Normal) => self.admission.check().map(|()| LimitWaits::default())?,
            (true, Lane::Urgent) => LimitWaits::default(),
        };
        rejected().map_or(Ok(()), Err)?;
        if idempotency == Idempotency::Unsafe {
            self.admission.permit_write()?;
        }
        self.with(|state| state.metrics.count(request, waited));
        let sent = self.admission.now();
        let sending = self.transport.send(request.method, request.body.clone());
        let answer = match (idempotency, lane) {
            (Idempotency::Unsafe, _) | (_, Lane::Urgent) => sending.await,
            (Idempotency::Safe, Lane::Normal) => tokio::select! {
                biased;
                answer = sending => answer,
                reason = self.admission.cancelled() => return Err(reason.into()),
            },
        };
        if matches!(answer, Err(TransportError::NotSent(_) | TransportError::Blocked(..))) {
            self.release_admission();
        }
        if answer.as_ref().is_ok_and(|answer| answer.origin == ResponseOrigin::Emulator) {
            self.emulator.store(true, Ordering::Relaxed);
        }
        Ok((RoundTrip { sent, time: self.admission.now().saturating_sub(sent) }, answer))
    }

    pub(crate) fn succeeded(&self, sent: Duration) {
        self.admission.on_accepted(sent);
        self.with(ClientState::on_success);
    }

    /// Records how long a batch took: see [`Latency::record`](crate::latency::Latency::record).
    pub(crate) fn record_latency(
        &self,
        commands: usize,
        time: Duration,
        finishes: impl Iterator<Item = f64> + Clone,
    ) {
        self.with(|state| state.latency.record(commands, time, finishes));
    }

    /// Pauses before the retry of a request that never left.
    pub async fn retry_unsent(
        &self,
        text: String,
        retry: &mut RetryState,
    ) -> Result<(), CallError> {
        let pause = retry.next_backoff(&self.budget);
        let last_success = self.with(ClientState::on_http_error);
        let max_elapsed = self.first_contact_timeout(last_success);
        if retry.duration() + pause > max_elapsed || !self.try_spend_retry() {
            return Err(CallError::Client(ClientError::NotExecuted(text)));
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
        let last_success = self.with(ClientState::on_http_error);
        let max_elapsed = match class {
            FailureClass::NotAPortal => self.first_contact_timeout(last_success),
            FailureClass::Persistent | FailureClass::Transient => self.budget.max_elapsed,
        };
        let is_over = retry.duration() + pause > max_elapsed;
        // A short list has no later request that tells. A host that never sent anything but pages
        // is no portal.
        let needs_probe = is_over && (class != FailureClass::NotAPortal || last_success.is_some());
        let others_succeed =
            last_success > retry.since() || needs_probe && self.answers_probe(retry.lane()).await;
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
        if is_over {
            let error = ClientError::MaybeExecuted(text.clone());
            return Err(if others_succeed {
                CallError::Broken(text)
            } else {
                CallError::Client(error)
            });
        }
        if !self.try_spend_retry() {
            return Err(CallError::Client(ClientError::MaybeExecuted(text)));
        }
        self.back_off(text, pause, retry.lane()).await
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
        (self.events)(ClientEvent::RequestRetried { reason, pause });
        self.admission.pause_in(pause, lane).await.map_err(CallError::from)
    }

    /// Counts the retry of commands, or of a whole list.
    pub(crate) fn count_retry(&self, reason: String) {
        self.with(|state| state.metrics.retried += 1);
        (self.events)(ClientEvent::ReadRetried { reason });
    }

    /// Spends one retry. Returns `false` if the budget is exhausted.
    pub(crate) fn try_spend_retry(&self) -> bool {
        self.with(|state| state.try_spend_retry(&self.budget))
    }

    /// Returns the error for a refusal after which no request can succeed, and remembers it if it
    /// holds for all methods.
    pub(crate) fn reject(&self, rejection: Rejection, refusal: Refusal) -> ClientError {
        let error = ClientError::Rejected(rejection, refusal);
        match rejection.holds_for_all_methods() {
            true => self.rejected.get_or_init(|| error).clone(),
            false => error,
        }
    }

    /// Records that the portal refused a method in a request that was sent at `sent`, because of a
    /// limit. The limiter delays all affected requests.
    pub(crate) fn on_throttled(&self, limit: Limit, method: &str, sent: Duration) {
        let now = self.admission.now();
        self.admission.limiter().on_throttled(limit, method, sent, now);
        self.with(|state| state.metrics.throttled += 1);
        (self.events)(ClientEvent::Throttled(limit));
    }

    /// Notes that a batch is sent again in halves.
    pub(crate) fn count_split(&self, commands: usize, reason: &str) {
        self.with(|state| state.metrics.retried += 1);
        (self.events)(ClientEvent::BatchSplit { commands, reason: reason.to_owned() });
    }

    /// Returns the chunk size of a list that begins now.
    pub fn chunk_size(&self, workload: &Workload) -> usize {
        workload.chunk_size(self.max_connections, self.budget().available)
    }

    /// Returns the room that the request limit leaves now.
    pub fn budget(&self) -> Budget {
        let now = self.admission.now();
        self.admission.limiter().budget(now)
    }

    /// Returns the average seconds of a command.
    pub fn command_seconds(&self) -> f64 {
        self.with(|state| state.latency.command_seconds())
    }

    /// How many requests may be in flight at once.
    pub fn connections(&self) -> usize {
        self.max_connections
    }

    pub(crate) fn retry_budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// Returns the numbers of requests so far.
    pub fn metrics(&self) -> RequestMetrics {
        self.with(|state| state.metrics.clone())
    }

    /// Returns `true` if a response came from an emulator.
    pub fn is_emulator(&self) -> bool {
        self.emulator.load(Ordering::Relaxed)
    }

    /// Waits until a request may leave, and counts it.
    ///
    /// # Errors
    ///
    /// If the client is stopped before.
    pub async fn admit(&self, weights: &CallWeights, lane: Lane) -> Result<(), ClientError> {
        self.admission.admit(weights, lane).await?;
        Ok(())
    }

    /// Gives back the admission of a request that is not sent.
    pub fn release_admission(&self) {
        let now = self.admission.now();
        self.admission.limiter().on_not_sent(now);
    }

    /// Returns the level of the request limit, to be kept for the next process.
    pub fn level(&self) -> LimiterLevel {
        let now = self.admission.now();
        self.admission.limiter().level(now)
    }

    /// Returns the share of the operating time of the portal that so many seconds of one method
    /// take, and the pauses that they make necessary.
    pub fn operating_estimate(&self, seconds: f64) -> (f64, Duration) {
        self.admission.limiter().operating_estimate(seconds)
    }

    /// Ends all waits at once and sends no further request. Reads in flight are dropped, and
    /// writes in flight finish.
    pub fn cancel(&self, reason: &str) {
        self.admission.cancel(reason);
    }

    /// Records the operating time that a response names for its method.
    fn record_usage(&self, method: &str, success: &Success<'_>) {
        if let Some(usage) = MethodUsage::from_times(&success.times) {
            let now = self.admission.now();
            self.admission.limiter().record_usage(method, usage, now);
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut ClientState) -> T) -> T {
        // Numbers only: a panic while they were locked leaves a valid state.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
