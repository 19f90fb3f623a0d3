//! One call of the portal: sent, judged, and repeated for as long as that is safe and reasonable.
//!
//! The rules for trouble, all in this one loop:
//!
//! * refused because of a limit: surely not executed. The limiter learns, the call waits and is sent again.
//! * no connection: surely not sent. Sent again after a pause.
//! * rejected: no request can succeed. The client remembers it and sends nothing more.
//! * anything unclear: a call that only reads is sent again after a pause.
//!
//! A call that writes is sent again only if it surely was not processed. Any other answer without a
//! result is given back.
//!
//! All repeats draw on one [`RetryBudget`], whoever asks for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::admission::AdmissionQueue;
use super::chunking::{CurrentChunk, Workload};
use super::command::{BATCH, RESET, SET};
use super::latency::Latency;
use super::rate_limiter::{Budget, CallWeights};
use super::seen::SeenLayouts;
use super::transport::{HttpAnswer, Sender, Transport, TransportError};
use super::trial::{Repeat, Trial};
use super::wire::{Breakage, Success, Trouble, decode};
use super::{EventHook, Limit, PortalEvent, PortalSettings, RetryBudget, Statistics};
use crate::model::PortalId;
use crate::port::{IndeterminateCause, Lane, PortalError, Refusal, Rejection};

/// How long a limit may stand in the way of one call: longer than the ten minutes over which the
/// portal adds up its operating time.
pub(super) const LIMIT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long an address is tried that has never answered, or with nothing but web pages that call
/// themselves a success: it is more likely misspelt than down.
const FIRST_CONTACT_PATIENCE: Duration = Duration::from_secs(5);

/// After how many failures of one call, while others succeed, it is the call that is to blame and
/// not the portal.
const FAILURES_OF_ITS_OWN: u32 = 3;

/// What every reader and writer of one portal shares.
pub(crate) struct Client {
    transport: Box<dyn Transport>,
    pub(super) portal: PortalId,
    pub(super) admission: AdmissionQueue,
    pub(super) seen: SeenLayouts,
    connections: Semaphore,
    most_connections: usize,
    budget: RetryBudget,
    events: EventHook,
    rejected: OnceLock<PortalError>,
    emulator: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    statistics: Statistics,
    latency: Latency,
    resets: CurrentChunk,
    /// Repeats that are owed: see [`RetryBudget::repeats`].
    owed: f64,
    last_success: Option<Instant>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) charges: CallWeights,
    /// The rate limiter has admitted the request already: it leaves at once, or its caller admits
    /// it anew.
    pub(crate) admitted: bool,
}

impl Request {
    /// How many commands it has; a call without a batch is one.
    fn commands(&self) -> usize {
        self.charges.iter().filter(|(method, _)| *method != BATCH).map(|(_, count)| *count).sum()
    }
}

/// Times of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrip {
    /// Moment at which it was sent, by the limiter's time.
    pub(crate) sent: Duration,
    /// Time until the answer was there.
    pub(crate) time: Duration,
}

/// How a call ended without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallError {
    /// Nothing more can be done with the portal.
    Portal(PortalError),
    /// The portal refused this call; nothing was done.
    Refused(Refusal),
    /// No usable answer to a request that reads.
    Broken(String),
    /// An answer to a request that writes, which does not tell whether the portal executed it.
    Indeterminate(String, IndeterminateCause),
}

impl Client {
    pub(crate) fn new(
        portal: PortalId,
        transport: Box<dyn Transport>,
        settings: &PortalSettings,
    ) -> Self {
        let most_connections = settings.connections.clamp(1, 64);
        Self {
            transport,
            portal,
            admission: AdmissionQueue::new(settings),
            seen: SeenLayouts::default(),
            connections: Semaphore::new(most_connections),
            most_connections,
            budget: settings.retry_budget,
            events: settings.events.clone(),
            rejected: OnceLock::new(),
            emulator: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Makes a call. `read` turns the result into a value, and may find that it says nothing; it is
    /// given the times of the request.
    pub(crate) async fn call<T>(
        &self,
        request: &Request,
        repeat: Repeat,
        trial: &mut Trial,
        read: impl Fn(&Success<'_>, RoundTrip) -> Result<T, Trouble>,
    ) -> Result<T, CallError> {
        loop {
            let (trip, answer) =
                self.send(request, repeat, trial.lane()).await.map_err(CallError::Portal)?;
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
                    (Trouble::Broken(Breakage::Passing, text), false)
                }
                Err(TransportError::Barred(rejection, text)) => {
                    match self.is_stranger() || rejection == Rejection::Certificate {
                        true => (
                            Trouble::Rejected(
                                rejection,
                                Refusal { code: String::new(), message: text },
                            ),
                            false,
                        ),
                        // A proxy that has let requests pass may be starting anew.
                        false => (Trouble::Broken(Breakage::Passing, text), false),
                    }
                }
                Err(error @ TransportError::Lost(_)) => {
                    (Trouble::Broken(Breakage::Passing, error.to_string()), true)
                }
                Err(error @ TransportError::TimedOut(_)) => {
                    (Trouble::Broken(Breakage::Fatal, error.to_string()), true)
                }
            };
            if repeat == Repeat::IfNotExecuted && sent {
                return Err(self.indeterminate(request, trouble, trip.sent));
            }
            match trouble {
                Trouble::Rejected(rejection, refusal) => {
                    return Err(CallError::Portal(self.reject(rejection, refusal)));
                }
                Trouble::Refused(refusal) => return Err(CallError::Refused(refusal)),
                Trouble::Limited(limit, refusal) => {
                    self.on_throttled(limit, request.method, trip.sent);
                    trial.limited();
                    if trial.limited_for() > LIMIT_PATIENCE {
                        return Err(CallError::Portal(PortalError::NotExecuted(words(&refusal))));
                    }
                }
                Trouble::Broken(_, text) if !sent && request.admitted => {
                    return Err(CallError::Portal(PortalError::NotExecuted(text)));
                }
                Trouble::Broken(_, text) if !sent => self.try_again_unsent(text, trial).await?,
                Trouble::Broken(breakage, text) => {
                    self.try_again(request, breakage, text, trial).await?
                }
            }
        }
    }

    /// Returns the error for an answer to a request that writes. No refusal proves that the portal
    /// executed none of it, so that nothing is concluded from one here, not even that the
    /// credential is dead: the read-back that follows tells.
    fn indeterminate(&self, request: &Request, trouble: Trouble, sent: Duration) -> CallError {
        match trouble {
            Trouble::Limited(limit, refusal) => {
                self.on_throttled(limit, request.method, sent);
                CallError::Indeterminate(words(&refusal), IndeterminateCause::Limit)
            }
            Trouble::Rejected(rejection, refusal) => {
                let text = words(&refusal);
                let Refusal { code, message } = refusal;
                let error = PortalError::Rejected { rejection, code, message };
                CallError::Indeterminate(text, IndeterminateCause::Refusal(error))
            }
            Trouble::Refused(refusal) => {
                let text = words(&refusal);
                CallError::Indeterminate(
                    text.clone(),
                    IndeterminateCause::Refusal(PortalError::Unexpected(text)),
                )
            }
            Trouble::Broken(_, text) => {
                self.with(|state| state.statistics.http_errors += 1);
                CallError::Indeterminate(text, IndeterminateCause::NoAnswer)
            }
        }
    }

    /// Sends a request once, when the limits allow it. A stop drops a read in flight, and never a
    /// write or a read of a compensation.
    async fn send(
        &self,
        request: &Request,
        repeat: Repeat,
        lane: Lane,
    ) -> Result<(RoundTrip, Result<HttpAnswer, TransportError>), PortalError> {
        // The semaphore is never closed. A compensation waits for no connection.
        let _connection = match lane {
            Lane::Planned if !request.admitted => Some(self.connections.acquire().await),
            Lane::Planned | Lane::Compensation => None,
        };
        // A compensation is tried all the same: the answer that is remembered may have been a stray
        // one.
        let rejected = || self.rejected.get().filter(|_| lane == Lane::Planned).cloned();
        if let Some(error) = rejected() {
            return Err(error);
        }
        let waited = match (request.admitted, lane) {
            (false, _) => self.admission.admit(&request.charges, lane).await?,
            (true, Lane::Planned) => self.admission.check().map(|()| Duration::ZERO)?,
            (true, Lane::Compensation) => Duration::ZERO,
        };
        if let Some(error) = rejected() {
            return Err(error);
        }
        self.with(|state| state.statistics.count(request, waited));
        let sent = self.admission.now();
        let sending = self.transport.send(request.method, request.body.clone());
        let answer = match (repeat, lane) {
            (Repeat::IfNotExecuted, _) | (_, Lane::Compensation) => sending.await,
            (Repeat::Always, Lane::Planned) => tokio::select! {
                biased;
                answer = sending => answer,
                reason = self.admission.stop_asked() => return Err(PortalError::Stopped(reason)),
            },
        };
        if matches!(answer, Err(TransportError::NotSent(_) | TransportError::Barred(..))) {
            let now = self.admission.now();
            self.admission.limiter().on_not_sent(now);
        }
        if answer.as_ref().is_ok_and(|answer| answer.sender == Sender::Emulator) {
            self.emulator.store(true, Ordering::Relaxed);
        }
        Ok((RoundTrip { sent, time: self.admission.now().saturating_sub(sent) }, answer))
    }

    fn succeeded(&self, sent: Duration) {
        self.admission.on_accepted(sent);
        self.with(|state| {
            state.last_success = Some(Instant::now());
            state.owed = (state.owed - 0.5).max(0.0);
        });
    }

    /// Records how long a batch took: see [`Latency::record`].
    pub(super) fn record_latency(
        &self,
        commands: usize,
        time: Duration,
        finishes: impl Iterator<Item = f64> + Clone,
    ) {
        self.with(|state| state.latency.record(commands, time, finishes));
    }

    /// Pauses before a request that never left is tried again.
    pub(super) async fn try_again_unsent(
        &self,
        text: String,
        trial: &mut Trial,
    ) -> Result<(), CallError> {
        let pause = trial.failed(&self.budget);
        let last_success = self.with(|state| {
            state.statistics.http_errors += 1;
            state.last_success
        });
        let patience = self.patience_with_a_stranger(last_success);
        if trial.duration() + pause > patience || !self.owe() {
            return Err(CallError::Portal(PortalError::NotExecuted(text)));
        }
        self.repeat_after(text, pause, trial.lane()).await
    }

    /// Pauses before a request that may have been carried out, and only reads, is sent again; or
    /// gives it back.
    async fn try_again(
        &self,
        request: &Request,
        breakage: Breakage,
        text: String,
        trial: &mut Trial,
    ) -> Result<(), CallError> {
        let pause = trial.failed(&self.budget);
        let last_success = self.with(|state| {
            state.statistics.http_errors += 1;
            state.last_success
        });
        let others_succeed = last_success > trial.since();
        let commands = request.commands();
        let own_fault = match breakage {
            // The same commands will break the portal again: better find the one at once.
            Breakage::Fatal => commands > 1 || trial.attempts() >= FAILURES_OF_ITS_OWN,
            Breakage::Foreign | Breakage::Passing => {
                trial.attempts() >= FAILURES_OF_ITS_OWN && others_succeed
            }
        };
        // Half of the patience is kept for the halves.
        let worn =
            trial.is_long(&self.budget) && trial.attempts() >= FAILURES_OF_ITS_OWN && commands > 1;
        if own_fault || worn {
            return Err(CallError::Broken(text));
        }
        let patience = match breakage {
            Breakage::Foreign => self.patience_with_a_stranger(last_success),
            Breakage::Fatal | Breakage::Passing => self.budget.patience,
        };
        if trial.duration() + pause > patience {
            let error = PortalError::MaybeExecuted(text.clone());
            return Err(if others_succeed {
                CallError::Broken(text)
            } else {
                CallError::Portal(error)
            });
        }
        if !self.owe() {
            return Err(CallError::Portal(PortalError::MaybeExecuted(text)));
        }
        self.repeat_after(text, pause, trial.lane()).await
    }

    /// Returns whether nothing has shown yet that a portal is there.
    fn is_stranger(&self) -> bool {
        self.with(|state| state.last_success.is_none())
    }

    /// How long to try an address of which nothing shows that a portal is there, unless it has
    /// answered before.
    fn patience_with_a_stranger(&self, last_success: Option<Instant>) -> Duration {
        match last_success {
            Some(_) => self.budget.patience,
            None => self.budget.patience.min(FIRST_CONTACT_PATIENCE),
        }
    }

    async fn repeat_after(
        &self,
        reason: String,
        pause: Duration,
        lane: Lane,
    ) -> Result<(), CallError> {
        self.with(|state| state.statistics.repeated += 1);
        (self.events)(PortalEvent::Repeated { reason, pause });
        self.admission.pause_in(pause, lane).await.map_err(CallError::Portal)
    }

    /// Notes that commands, or a whole list, are asked for again.
    pub(super) fn asked_again(&self, reason: String) {
        self.with(|state| state.statistics.repeated += 1);
        (self.events)(PortalEvent::AskedAgain { reason });
    }

    /// Takes one repeat from the budget. False if there is none left: the portal fails more than it
    /// answers.
    pub(super) fn owe(&self) -> bool {
        self.with(|state| {
            let left = state.owed < f64::from(self.budget.repeats);
            state.owed += if left { 1.0 } else { 0.0 };
            left
        })
    }

    /// Remembers that nothing can succeed, and puts it into the port's words.
    pub(super) fn reject(&self, rejection: Rejection, refusal: Refusal) -> PortalError {
        let error =
            PortalError::Rejected { rejection, code: refusal.code, message: refusal.message };
        match rejection {
            // The right to one section, or the section itself, may be missing while others are
            // there.
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
    /// limit. The limiter makes all requests that it concerns wait.
    pub(super) fn on_throttled(&self, limit: Limit, method: &str, sent: Duration) {
        let now = self.admission.now();
        self.admission.limiter().on_throttled(limit, method, sent, now);
        self.with(|state| state.statistics.refused_by_limit += 1);
        (self.events)(PortalEvent::RefusedByLimit(limit));
    }

    /// Notes that a batch is sent again in halves.
    pub(super) fn narrowed(&self, commands: usize, reason: &str) {
        self.with(|state| state.statistics.repeated += 1);
        (self.events)(PortalEvent::Narrowed { commands, reason: reason.to_owned() });
    }

    /// Returns the chunk size of a list that begins now.
    pub(super) fn chunk_size(&self, workload: &Workload) -> usize {
        workload.chunk_size(self.most_connections, self.budget().available)
    }

    /// Returns the size of the next chunk of resets, of which so many targets remain.
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

    /// How many requests may be in flight at once.
    pub(super) fn connections(&self) -> usize {
        self.most_connections
    }

    pub(super) fn retry_budget(&self) -> &RetryBudget {
        &self.budget
    }

    pub(super) fn statistics(&self) -> Statistics {
        self.with(|state| state.statistics)
    }

    pub(super) fn is_emulator(&self) -> bool {
        self.emulator.load(Ordering::Relaxed)
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Numbers only: a panic while they were held cannot have left them in a state that matters.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Statistics {
    fn count(&mut self, request: &Request, waited: Duration) {
        let of = |wanted: &str| -> u64 {
            let counts = request
                .charges
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

/// A refusal of one command, with the method in its message.
pub(super) fn of_method(method: &str, refusal: Refusal) -> Refusal {
    let Refusal { code, message } = refusal;
    let message =
        if message.is_empty() { method.to_owned() } else { format!("{method}: {message}") };
    Refusal { code, message }
}

/// A refusal in one line.
pub(crate) fn words(refusal: &Refusal) -> String {
    match (refusal.code.as_str(), refusal.message.as_str()) {
        ("", "") => "refused without a word".to_owned(),
        ("", message) => message.to_owned(),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    }
}
