//! One call of the portal: sent, judged, and repeated for as long as that is safe and reasonable.
//!
//! The rules for trouble, all in this one loop:
//!
//! * refused because of a limit: surely not executed. The limiter learns, the call waits and is sent again.
//! * no connection: surely not sent. Sent again after a pause.
//! * rejected: no request can succeed. The client remembers it and sends nothing more.
//! * anything unclear: a call that only reads is sent again after a pause.
//!
//! A call that writes is sent again only if it surely was not processed. Any other answer without a result is given back.
//!
//! All repeats draw on one [`RetryBudget`], whoever asks for them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::command::{BATCH, RESET, SET, USERS};
use super::gate::Gate;
use super::limiter::Charges;
use super::listing::Page;
use super::schedule::{self, Next};
use super::seen::SeenLayouts;
use super::sizing::{Allowance, Latest, Wave, Work};
use super::timing::Timing;
use super::transport::{HttpAnswer, Sender, Transport, TransportError};
use super::trial::{Repeat, Trial};
use super::under_way::UnderWay;
use super::wire::{Breakage, Success, Trouble, decode};
use super::{EventHook, Limit, PortalEvent, PortalSettings, RetryBudget, Statistics};
use crate::model::{Person, PortalId};
use crate::port::{IndeterminateCause, Lane, PortalError, Refusal, Rejection};

/// How long a limit may stand in the way of one call: longer than the ten minutes over which the portal adds up its
/// operating time.
pub(super) const LIMIT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long an address is tried that has never answered, or with nothing but web pages that call themselves a success: it
/// is more likely misspelt than down.
const FIRST_CONTACT_PATIENCE: Duration = Duration::from_secs(5);

/// How old the first page of a list may be when the other pages are asked for.
const FIRST_PAGE_LASTS: Duration = Duration::from_secs(2);

/// For each request that reads cards for a plan, about so many follow that reset some of them: a third of the cards are
/// someone's own, and a reset is three commands.
const RESETS_BEHIND_READS: f64 = 1.0;

/// After how many failures of one call, while others succeed, it is the call that is to blame and not the portal.
const FAILURES_OF_ITS_OWN: u32 = 3;

/// What every reader and writer of one portal shares.
pub(crate) struct Client {
    transport: Box<dyn Transport>,
    pub(super) portal: PortalId,
    pub(super) gate: Gate,
    pub(super) seen: SeenLayouts,
    connections: Semaphore,
    most_connections: usize,
    budget: RetryBudget,
    events: EventHook,
    rejected: OnceLock<PortalError>,
    emulator: AtomicBool,
    /// How many expect resets to follow what is read.
    awaiting_resets: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    statistics: Statistics,
    timing: Timing,
    under_way: UnderWay,
    /// How many active people there are, as the portal has told.
    active_people: Option<u64>,
    /// The first page of their list and when it came, as long as nobody has used it.
    first_page: Option<(Page<Person>, Instant)>,
    /// Repeats that are owed: see [`RetryBudget::repeats`].
    owed: f64,
    last_success: Option<Instant>,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) charges: Charges,
}

impl Request {
    /// How many commands it has; a call without a batch is one.
    fn commands(&self) -> usize {
        self.charges.iter().filter(|(method, _)| *method != BATCH).map(|(_, count)| *count).sum()
    }

    /// How many pages of people it asks for, be they of a list or looked up.
    fn pages(&self) -> usize {
        self.charges.iter().filter(|(method, _)| *method == USERS).map(|(_, count)| *count).sum()
    }
}

/// What a request brought.
struct Reply {
    answer: HttpAnswer,
    /// When it left, by the gate's clock.
    sent: Duration,
    /// How long it was under way.
    time: Duration,
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
    pub(crate) fn new(portal: PortalId, transport: Box<dyn Transport>, settings: &PortalSettings) -> Self {
        let most_connections = settings.connections.clamp(1, 64);
        Self {
            transport,
            portal,
            gate: Gate::new(settings),
            seen: SeenLayouts::default(),
            connections: Semaphore::new(most_connections),
            most_connections,
            budget: settings.retry_budget,
            events: settings.events.clone(),
            rejected: OnceLock::new(),
            emulator: AtomicBool::new(false),
            awaiting_resets: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

    /// Makes a call. `read` turns the result into a value, and may find that it says nothing; it is given the time that the
    /// answer took.
    pub(crate) async fn call<T>(
        &self,
        request: &Request,
        repeat: Repeat,
        trial: &mut Trial,
        read: impl Fn(&Success<'_>, Duration) -> Result<T, Trouble>,
    ) -> Result<T, CallError> {
        let place =
            Place { client: self, number: self.with(|state| state.under_way.add(request.commands(), request.pages())) };
        loop {
            let answer = self.send(request, repeat, &place, trial.lane()).await.map_err(CallError::Portal)?;
            let (trouble, sent) = match answer {
                Ok(Reply { answer, sent, time }) => {
                    let success = decode(answer.status, answer.content_type.as_deref(), &answer.body);
                    match success.and_then(|success| read(&success, time)) {
                        Ok(value) => {
                            self.succeeded(sent);
                            return Ok(value);
                        }
                        Err(trouble) => (trouble, true),
                    }
                }
                Err(TransportError::NotSent(text)) => (Trouble::Broken(Breakage::Passing, text), false),
                Err(error @ TransportError::Lost(_)) => (Trouble::Broken(Breakage::Passing, error.to_string()), true),
                Err(error @ TransportError::TimedOut(_)) => (Trouble::Broken(Breakage::Fatal, error.to_string()), true),
            };
            self.with(|state| state.under_way.waits(place.number));
            if repeat == Repeat::IfNotExecuted && sent {
                return Err(self.indeterminate(request, trouble));
            }
            match trouble {
                Trouble::Rejected(rejection, refusal) => {
                    return Err(CallError::Portal(self.reject(rejection, refusal)));
                }
                Trouble::Refused(refusal) => return Err(CallError::Refused(refusal)),
                Trouble::Limited(limit, refusal) => self.wait_out(request, limit, &refusal, trial).await?,
                Trouble::Broken(_, text) if !sent => self.try_again_unsent(text, trial).await?,
                Trouble::Broken(breakage, text) => self.try_again(request, breakage, text, trial).await?,
            }
        }
    }

    /// Returns the error for an answer to a request that writes. No refusal proves that the portal executed none of it, so that
    /// nothing is concluded from one here, not even that the credential is dead: the read-back that follows tells.
    fn indeterminate(&self, request: &Request, trouble: Trouble) -> CallError {
        match trouble {
            Trouble::Limited(limit, refusal) => {
                self.limited(limit, &[request.method]);
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
                CallError::Indeterminate(text.clone(), IndeterminateCause::Refusal(PortalError::Unexpected(text)))
            }
            Trouble::Broken(_, text) => {
                self.with(|state| state.statistics.http_errors += 1);
                CallError::Indeterminate(text, IndeterminateCause::NoAnswer)
            }
        }
    }

    /// Sends a request once, when the limits allow it. A stop drops a read in flight, and never a write or a read of a
    /// compensation.
    async fn send(
        &self,
        request: &Request,
        repeat: Repeat,
        place: &Place<'_>,
        lane: Lane,
    ) -> Result<Result<Reply, TransportError>, PortalError> {
        // The semaphore is never closed. A compensation waits for no connection.
        let _connection = match lane {
            Lane::Planned => Some(self.connections.acquire().await),
            Lane::Compensation => None,
        };
        // A compensation is tried all the same: the answer that is remembered may have been a stray one.
        let rejected = || self.rejected.get().filter(|_| lane == Lane::Planned).cloned();
        if let Some(error) = rejected() {
            return Err(error);
        }
        let waited = self.gate.admit(&request.charges, lane).await?;
        let _flight = Flight { gate: &self.gate, charges: &request.charges };
        if let Some(error) = rejected() {
            return Err(error);
        }
        self.with(|state| {
            state.statistics.count(request, waited);
            state.under_way.leaves(place.number, Instant::now());
        });
        let (start, sent) = (Instant::now(), self.gate.now());
        let sending = self.transport.send(request.method, request.body.clone());
        let answer = match (repeat, lane) {
            (Repeat::IfNotExecuted, _) | (_, Lane::Compensation) => sending.await,
            (Repeat::Always, Lane::Planned) => tokio::select! {
                biased;
                answer = sending => answer,
                reason = self.gate.stop_asked() => return Err(PortalError::Stopped(reason)),
            },
        };
        if matches!(answer, Err(TransportError::NotSent(_))) {
            let now = self.gate.now();
            self.gate.limiter().unsent(now);
        }
        if answer.as_ref().is_ok_and(|answer| answer.sender == Sender::Emulator) {
            self.emulator.store(true, Ordering::Relaxed);
        }
        Ok(answer.map(|answer| Reply { answer, sent, time: start.elapsed() }))
    }

    fn succeeded(&self, sent: Duration) {
        self.gate.taken(sent);
        self.with(|state| {
            state.last_success = Some(Instant::now());
            state.owed = (state.owed - 0.5).max(0.0);
        });
    }

    /// Takes note of how long a batch took, and of the seconds that the portal took for each of its commands, if it told.
    pub(super) fn timed(&self, commands: usize, time: Duration, each: Option<f64>) {
        self.with(|state| state.timing.observe(commands, time, each));
    }

    /// Notes a refusal because of a limit and pauses; the gate does the rest of the waiting.
    async fn wait_out(
        &self,
        request: &Request,
        limit: Limit,
        refusal: &Refusal,
        trial: &mut Trial,
    ) -> Result<(), CallError> {
        self.limited(limit, &[request.method]);
        let pause = trial.limited(&self.budget);
        if trial.limited_for() > LIMIT_PATIENCE {
            return Err(CallError::Portal(PortalError::NotExecuted(words(refusal))));
        }
        self.gate.pause_in(pause, trial.lane()).await.map_err(CallError::Portal)
    }

    /// Pauses before a request that never left is tried again.
    async fn try_again_unsent(&self, text: String, trial: &mut Trial) -> Result<(), CallError> {
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

    /// Pauses before a request that may have been carried out, and only reads, is sent again; or gives it back.
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
            Breakage::Foreign | Breakage::Passing => trial.attempts() >= FAILURES_OF_ITS_OWN && others_succeed,
        };
        // Half of the patience is kept for the halves.
        let worn = trial.is_long(&self.budget) && trial.attempts() >= FAILURES_OF_ITS_OWN && commands > 1;
        if own_fault || worn {
            return Err(CallError::Broken(text));
        }
        let patience = match breakage {
            Breakage::Foreign => self.patience_with_a_stranger(last_success),
            Breakage::Fatal | Breakage::Passing => self.budget.patience,
        };
        if trial.duration() + pause > patience {
            let error = PortalError::MaybeExecuted(text.clone());
            return Err(if others_succeed { CallError::Broken(text) } else { CallError::Portal(error) });
        }
        if !self.owe() {
            return Err(CallError::Portal(PortalError::MaybeExecuted(text)));
        }
        self.repeat_after(text, pause, trial.lane()).await
    }

    /// How long to try an address of which nothing shows that a portal is there, unless it has answered before.
    fn patience_with_a_stranger(&self, last_success: Option<Instant>) -> Duration {
        match last_success {
            Some(_) => self.budget.patience,
            None => self.budget.patience.min(FIRST_CONTACT_PATIENCE),
        }
    }

    async fn repeat_after(&self, reason: String, pause: Duration, lane: Lane) -> Result<(), CallError> {
        self.with(|state| state.statistics.repeated += 1);
        (self.events)(PortalEvent::Repeated { reason, pause });
        self.gate.pause_in(pause, lane).await.map_err(CallError::Portal)
    }

    /// Notes that commands, or a whole list, are asked for again.
    pub(super) fn asked_again(&self, reason: String) {
        self.with(|state| state.statistics.repeated += 1);
        (self.events)(PortalEvent::AskedAgain { reason });
    }

    /// Takes one repeat from the budget. False if there is none left: the portal fails more than it answers.
    pub(super) fn owe(&self) -> bool {
        self.with(|state| {
            let left = state.owed < f64::from(self.budget.repeats);
            state.owed += if left { 1.0 } else { 0.0 };
            left
        })
    }

    /// Remembers that nothing can succeed, and puts it into the port's words.
    pub(super) fn reject(&self, rejection: Rejection, refusal: Refusal) -> PortalError {
        let error = PortalError::Rejected { rejection, code: refusal.code, message: refusal.message };
        match rejection {
            // The right to one section, or the section itself, may be missing while others are there.
            Rejection::MissingRight | Rejection::NotAllowed | Rejection::NotAPortal => error,
            Rejection::Credentials
            | Rejection::OwnerDismissed
            | Rejection::HttpsRequired
            | Rejection::Overload
            | Rejection::PlanWithoutRest
            | Rejection::PortalClosed
            | Rejection::Redirect => self.rejected.get_or_init(|| error).clone(),
        }
    }

    /// Notes that the portal refused a request, or commands of these methods, because of a limit.
    pub(super) fn limited(&self, limit: Limit, methods: &[&str]) {
        let now = self.gate.now();
        self.gate.limiter().refused(limit, methods, now);
        self.with(|state| state.statistics.refused_by_limit += 1);
        (self.events)(PortalEvent::RefusedByLimit(limit));
    }

    /// Notes that a batch is sent again in halves.
    pub(super) fn narrowed(&self, commands: usize, reason: &str) {
        self.with(|state| state.statistics.repeated += 1);
        (self.events)(PortalEvent::Narrowed { commands, reason: reason.to_owned() });
    }

    /// How many things of some work the next batch should carry, so that the work ends soon and leaves their room to others.
    pub(super) fn next_size(&self, work: Work, latest: &mut Latest) -> Next {
        let (allowance, now) = (self.allowance(), Instant::now());
        let (line, before) = self.with(|state| (state.timing.line(), state.under_way.before(&state.timing, now)));
        self.gate.may_spare(work.spare(allowance, line));
        schedule::next_size(work, allowance, line, &before, latest)
    }

    /// How many requests are under way that ask for people.
    pub(super) fn pages_under_way(&self) -> usize {
        self.with(|state| state.under_way.of_pages())
    }

    /// How many things of some work the next batch of a wave should carry, if most of the work follows.
    pub(super) fn next_of_wave(&self, work: Work, wave: &mut Wave) -> usize {
        let allowance = self.allowance();
        let size = || self.with(|state| state.timing.size(work, allowance));
        wave.next(work.count, allowance.connections, size)
    }

    /// Takes note that resets will follow what is read: their share of the limits is kept for them, until as many have said
    /// that none follow.
    pub(super) fn resets_follow(&self) {
        self.awaiting_resets.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes note that no resets follow any more for whoever said so before.
    pub(super) fn no_resets_follow(&self) {
        self.awaiting_resets.fetch_sub(1, Ordering::Relaxed);
    }

    /// About how many full requests of resets follow so many of reads.
    pub(super) fn resets_behind(&self, reads: f64) -> f64 {
        if self.awaiting_resets.load(Ordering::Relaxed) > 0 { reads * RESETS_BEHIND_READS } else { 0.0 }
    }

    /// How many active people there are, if the portal has told.
    pub(super) fn active_people(&self) -> Option<u64> {
        self.with(|state| state.active_people)
    }

    /// Takes note of how many active people there are, and of the first page of their list.
    pub(super) fn know_active_people(&self, count: Option<u64>, first_page: Page<Person>) {
        self.with(|state| (state.active_people, state.first_page) = (count, Some((first_page, Instant::now()))));
    }

    /// The first page of the list of active people, once and only if it has just come: somebody may leave and somebody come,
    /// and then the other pages do not fit it without anybody noticing. (That may happen between any two pages; a list is of
    /// the time that it takes to read it.) None if it is the whole list, since then no other page would show that there are
    /// more people now.
    pub(super) fn first_page(&self) -> Option<Page<Person>> {
        let (page, came) = self.with(|state| state.first_page.take())?;
        (page.goes_on() && came.elapsed() < FIRST_PAGE_LASTS).then_some(page)
    }

    /// In how many requests works would leave, one after the other, and how many seconds they would take, by what is known now.
    pub(super) fn estimate(&self, works: &[Work]) -> (usize, f64) {
        let allowance = self.allowance();
        self.with(|state| {
            let (mut requests, mut seconds) = (0, 0.0);
            for work in works.iter().filter(|work| work.count > 0) {
                let room = allowance.room - requests as f64;
                let size = state.timing.size(*work, Allowance { room: room.max(0.0), ..allowance });
                requests += work.count.div_ceil(size);
                // Each takes its own time, and no request leaves before the counter has room for it and those before it.
                let alone = state.timing.seconds(*work, size, Allowance { room: allowance.most_room, ..allowance });
                let paced = state.timing.seconds(*work, size, Allowance { room, ..allowance });
                seconds = f64::max(seconds + alone, paced);
            }
            (requests, seconds)
        })
    }

    fn allowance(&self) -> Allowance {
        let now = self.gate.now();
        self.gate.limiter().allowance(self.most_connections, now)
    }

    /// How many requests may be in flight at once.
    pub(super) fn connections(&self) -> usize {
        self.most_connections
    }

    pub(super) fn budget(&self) -> &RetryBudget {
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
            let counts = request.charges.iter().filter(|(method, _)| *method == wanted).map(|(_, count)| *count as u64);
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
    let message = if message.is_empty() { method.to_owned() } else { format!("{method}: {message}") };
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

/// The place of a call among those that are under way: it is given up when the call ends, in whatever way.
struct Place<'a> {
    client: &'a Client,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.client.with(|state| state.under_way.ends(self.number));
    }
}

/// A request in flight: when it ends, in whatever way, its commands no longer count as under way.
struct Flight<'a> {
    gate: &'a Gate,
    charges: &'a Charges,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.gate.limiter().back(self.charges);
    }
}
