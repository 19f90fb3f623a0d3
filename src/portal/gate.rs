//! The gate that every request goes through: waits for the limits, for the end of pauses, and for nobody once the run is
//! to stop.
//!
//! Requests pass in the order in which they came. A wait ends at once when somebody asks to stop, or when the deadline
//! would pass before its end; requests that are in flight are not the gate's.
//!
//! As long as there is plenty to be sent, requests that wait for the counter leave together, up to all that four seconds have
//! room for: that is as soon for the last of them, and a processor that has slept takes about twice as long for the same work
//! as one that has not, because its caches are cold. The connections idle meanwhile, so that nobody waits for longer than they
//! have to spare. At the end of the work each leaves as soon as it may, and so does always a layout that is stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::command::BATCH;
use super::limiter::{Admission, Charges, Limiter};
use super::operating::Told;
use super::{EventHook, Limit, PortalEvent, PortalSettings};
use crate::port::{Lane, PortalError};

/// So long before the deadline nobody waits for others any more: a timer may be a little late.
const SLACK: Duration = Duration::from_millis(100);

/// Two waits whose ends are no further apart are told as one.
const SAME_WAIT: Duration = Duration::from_secs(2);

/// The gate of one client.
pub(crate) struct Gate {
    limiter: Mutex<Limiter>,
    turn: tokio::sync::Mutex<()>,
    /// The number of compensations that wait.
    ahead: watch::Sender<usize>,
    /// How many requests may be here or under way.
    connections: usize,
    /// How many milliseconds the connections have to spare.
    spare: AtomicU64,
    started: Instant,
    deadline: Option<Instant>,
    stopped: watch::Sender<Option<String>>,
    /// Told when there is more room than whoever waits was told.
    eased: Notify,
    /// Told when an answer has named operating time, which may be less than was thought.
    named: Notify,
    events: EventHook,
}

impl Gate {
    pub(crate) fn new(settings: &PortalSettings) -> Self {
        let started = Instant::now();
        let level = settings.level.clone().unwrap_or_default();
        Self {
            limiter: Mutex::new(Limiter::new(settings.rate, settings.operating_share, &level)),
            turn: tokio::sync::Mutex::new(()),
            ahead: watch::Sender::new(0),
            connections: settings.connections,
            spare: AtomicU64::new(0),
            started,
            deadline: settings.deadline.and_then(|deadline| started.checked_add(deadline)),
            stopped: watch::Sender::new(None),
            eased: Notify::new(),
            named: Notify::new(),
            events: settings.events.clone(),
        }
    }

    /// Waits until a request may leave, and counts it. Returns how long it has waited for the limits. Compensations are admitted
    /// ahead of all others, and neither a stop nor the deadline holds them up.
    pub(crate) async fn admit(&self, charges: &Charges, lane: Lane) -> Result<Duration, PortalError> {
        match lane {
            Lane::Planned => self.admit_planned(charges).await,
            Lane::Compensation => Ok(self.admit_compensation(charges).await),
        }
    }

    async fn admit_compensation(&self, charges: &Charges) -> Duration {
        let _ahead = Ahead::of(&self.ahead);
        let mut waited = Duration::ZERO;
        loop {
            let admission = self.limiter().admit(charges, self.now());
            let (time, limit) = match admission {
                Admission::Go => return waited,
                Admission::Wait(time, limit) => (time, limit),
            };
            (self.events)(PortalEvent::Waiting { limit, time });
            tokio::time::sleep(time).await;
            waited += time;
        }
    }

    /// Waits, in a lane.
    pub(crate) async fn pause_in(&self, time: Duration, lane: Lane) -> Result<(), PortalError> {
        match lane {
            Lane::Planned => self.pause(time).await,
            Lane::Compensation => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }

    async fn admit_planned(&self, charges: &Charges) -> Result<Duration, PortalError> {
        let _turn = tokio::select! {
            turn = self.turn.lock() => turn,
            reason = self.stop_asked() => return Err(PortalError::Stopped(reason)),
        };
        // Whatever is no batch is a layout that somebody misses.
        let in_batch = charges.iter().any(|(method, _)| *method == BATCH);
        let (mut waited, mut until) = (Duration::ZERO, Duration::ZERO);
        loop {
            self.check()?;
            self.let_ahead().await;
            // Heard from here on, so that what happens between the question and the wait is not missed.
            let (eased, named) = (self.eased.notified(), self.named.notified());
            let now = self.now();
            let admission = self.limiter().admit(charges, now);
            let (time, limit) = match admission {
                Admission::Go => return Ok(waited),
                Admission::Wait(time, Limit::Rate) if in_batch && waited.is_zero() => {
                    (self.together(time), Limit::Rate)
                }
                Admission::Wait(time, limit) => (time, limit),
            };
            // Whoever asks again because of an answer mostly gets the same one.
            if limit == Limit::Rate || (now + time).abs_diff(until) > SAME_WAIT {
                (self.events)(PortalEvent::Waiting { limit, time });
            }
            until = now + time;
            tokio::select! {
                paused = self.pause(time) => paused?,
                () = eased => {}
                () = named, if limit == Limit::OperatingTime => {}
            }
            waited += self.now().saturating_sub(now);
        }
    }

    /// Takes note of how many seconds requests may wait for each other, beyond what the counter asks for.
    pub(crate) fn may_spare(&self, seconds: f64) {
        // What is too long for a number of milliseconds is as long as it can be.
        self.spare.store((seconds * 1000.0) as u64, Ordering::Relaxed);
    }

    /// How long a request waits that would have to wait so long if it left alone.
    fn together(&self, alone: Duration) -> Duration {
        let spare = Duration::from_millis(self.spare.load(Ordering::Relaxed));
        let time = alone + self.limiter().together(self.connections).min(spare);
        // Before a deadline each leaves as soon as it may.
        if self.deadline.is_some_and(|deadline| Instant::now() + time + SLACK > deadline) { alone } else { time }
    }

    /// Takes note that the portal took a request that was sent at a moment. Whoever waits asks again if there is more room
    /// now than was thought.
    pub(crate) fn taken(&self, sent: Duration) {
        if self.limiter().taken(sent) {
            self.eased.notify_waiters();
        }
    }

    /// Takes note of what an answer tells of its methods. Whoever waits for operating time asks again.
    pub(crate) fn told(&self, methods: &BTreeMap<&'static str, Told>, now: Duration) {
        if methods.is_empty() {
            return;
        }
        {
            let mut limiter = self.limiter();
            methods.iter().for_each(|(method, told)| limiter.told(method, *told, now));
        }
        self.named.notify_waiters();
    }

    /// Waits, unless the run is to stop.
    pub(crate) async fn pause(&self, time: Duration) -> Result<(), PortalError> {
        self.check()?;
        if self.deadline.is_some_and(|deadline| Instant::now() + time > deadline) {
            return Err(PortalError::Stopped(tr_later!("the deadline would pass while waiting").to_owned()));
        }
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            reason = self.stop_asked() => Err(PortalError::Stopped(reason)),
        }
    }

    /// Says whether a request may still be sent.
    pub(crate) fn check(&self) -> Result<(), PortalError> {
        if let Some(reason) = self.stopped.borrow().as_ref() {
            return Err(PortalError::Stopped(reason.clone()));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(PortalError::Stopped(tr_later!("the deadline has passed").to_owned()));
        }
        Ok(())
    }

    /// Ends all waits, and lets nothing through from now on. The first reason stays.
    pub(crate) fn stop(&self, reason: &str) {
        self.stopped.send_if_modified(|stopped| {
            let first = stopped.is_none();
            stopped.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    /// The time since the gate was made: what the limiter is asked with.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The limiter, for a moment. It is never held while waiting.
    pub(crate) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        // A panic while it was held cannot have left it half changed in a way that matters: its numbers are estimates.
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while compensations wait.
    async fn let_ahead(&self) {
        let mut ahead = self.ahead.subscribe();
        // The sender lives as long as the gate.
        let _ = ahead.wait_for(|waiting| *waiting == 0).await;
    }

    /// Waits until a stop is asked for. Returns its reason.
    pub(crate) async fn stop_asked(&self) -> String {
        let mut stopped = self.stopped.subscribe();
        // The sender lives as long as the gate, so that there is always a reason in the end.
        stopped.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()).unwrap_or_default()
    }
}

/// One compensation that waits.
struct Ahead<'a>(&'a watch::Sender<usize>);

impl<'a> Ahead<'a> {
    fn of(ahead: &'a watch::Sender<usize>) -> Self {
        ahead.send_modify(|waiting| *waiting += 1);
        Self(ahead)
    }
}

impl Drop for Ahead<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::command::SET;
    use crate::portal::{LimiterLevel, Rate};

    fn gate(level: f64, deadline: Option<Duration>) -> Gate {
        let level = LimiterLevel { level, ..LimiterLevel::default() };
        Gate::new(&PortalSettings { rate: Rate::STANDARD, level: Some(level), deadline, ..PortalSettings::default() })
    }

    fn charges() -> Charges {
        vec![("batch", 1)]
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_counter_lets_one_request_through_each_half_second() {
        let gate = gate(48.0, None);
        for _ in 0..10 {
            gate.admit(&charges(), Lane::Planned).await.unwrap();
        }
        assert_eq!(gate.now().as_millis(), 4650);
    }

    /// When each of eight requests leaves that come at the same time, in milliseconds.
    async fn departures(gate: &Gate) -> Vec<u128> {
        let charges = charges();
        let departures = (0..8).map(|_| async {
            gate.admit(&charges, Lane::Planned).await.unwrap();
            gate.now().as_millis()
        });
        futures_util::future::join_all(departures).await
    }

    #[tokio::test(start_paused = true)]
    async fn as_long_as_there_is_plenty_requests_leave_together_and_the_last_as_soon_as_alone() {
        let alone = departures(&gate(48.7, None)).await;
        assert_eq!(alone, [500, 1000, 1500, 2000, 2500, 3000, 3500, 4000]);
        let plenty = gate(48.7, None);
        plenty.may_spare(100.0);
        assert_eq!(departures(&plenty).await, [4000; 8]);
        let hardly = gate(48.7, None);
        hardly.may_spare(1.0);
        assert_eq!(departures(&hardly).await, [1500, 1500, 1500, 3000, 3000, 3000, 4500, 4500]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_layout_that_is_put_back_waits_for_nobody() {
        let gate = gate(48.7, None);
        gate.may_spare(100.0);
        gate.admit(&vec![(SET, 1)], Lane::Planned).await.unwrap();
        assert_eq!(gate.now().as_millis(), 500);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_others_if_the_deadline_would_pass() {
        let gate = gate(48.7, Some(Duration::from_millis(1200)));
        gate.may_spare(100.0);
        let charges = charges();
        let (first, second, third) = tokio::join!(
            gate.admit(&charges, Lane::Planned),
            gate.admit(&charges, Lane::Planned),
            gate.admit(&charges, Lane::Planned)
        );
        assert!(first.is_ok() && second.is_ok() && matches!(third, Err(PortalError::Stopped(_))), "{third:?}");
        assert_eq!(gate.now().as_millis(), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_all_waits_at_once_with_its_first_reason() {
        let gate = gate(50.0, None);
        let (one, other) = (charges(), charges());
        let stop = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            gate.stop("interrupted");
            gate.stop("again");
        };
        let (first, second, ()) =
            tokio::join!(gate.admit(&one, Lane::Planned), gate.admit(&other, Lane::Planned), stop);
        assert_eq!(first, Err(PortalError::Stopped("interrupted".to_owned())));
        assert_eq!(second, first);
        assert_eq!(gate.now().as_millis(), 100);
        assert_eq!(gate.pause(Duration::ZERO).await, Err(PortalError::Stopped("interrupted".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_was_a_whim_holds_nobody_up_once_it_is_known() {
        let gate = gate(0.0, None);
        gate.limiter().refused(Limit::Rate, &[], gate.now());
        let charges = charges();
        for _ in 0..6 {
            gate.admit(&charges, Lane::Planned).await.unwrap();
        }
        let (sent, next) = (gate.now(), gate.admit(&charges, Lane::Planned));
        let answers = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            (0..5).for_each(|_| gate.taken(sent));
        };
        let (admitted, ()) = tokio::join!(next, answers);
        assert_eq!(admitted.unwrap().as_millis(), 100);
        assert_eq!(gate.now(), sent + Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_operating_time_asks_again_at_the_next_answer() {
        const METHOD: &str = "crm.lead.details.configuration.get";
        let settings = PortalSettings { rate: Rate::Unlimited, operating_share: 0.05, ..PortalSettings::default() };
        let gate = Gate::new(&settings);
        let told = |sum| Told { lowest: 0.2, highest: sum, commands: 50, each: Some(0.2), sent: Duration::ZERO };
        gate.told(&[(METHOD, told(10.0))].into(), gate.now());
        let (large, small) = (vec![(METHOD, 50)], vec![(METHOD, 10)]);
        gate.admit(&large, Lane::Planned).await.unwrap();
        // 10 s were spent and 10 s are under way: 2 s more would be too much, unless those are among the first.
        let answer = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            gate.limiter().back(&large);
            gate.told(&[(METHOD, told(12.0))].into(), gate.now());
        };
        let (admitted, ()) = tokio::join!(gate.admit(&small, Lane::Planned), answer);
        assert_eq!(admitted.unwrap().as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_what_comes_after_the_deadline() {
        let gate = gate(50.0, Some(Duration::from_secs(1)));
        assert!(matches!(gate.admit(&charges(), Lane::Planned).await, Err(PortalError::Stopped(_))));
        assert_eq!(gate.now(), Duration::ZERO);
    }
}
