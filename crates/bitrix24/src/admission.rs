//! Admission of requests: each waits for the limits, and none is admitted after a stop.
//!
//! Requests are admitted in the order of their arrival. A wait ends at once on cancellation, or if
//! the deadline would pass before its end. Requests in flight finish.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::error::{Lane, StopReason};
use crate::metrics::LimitWaits;
use crate::quota::Limit;
use crate::rate_limiter::{Admission, CallWeights, RateLimiter};
use crate::settings::{ClientEvent, ClientSettings, EventHook, WritePermit};
use crate::total_rate::TotalRate;

/// Time after a stop or the deadline in which urgent requests are still admitted:
/// longer than the answer to a write in flight may take. A portal that refuses everything for its
/// limits must not keep a run from its end.
const URGENT_TIME: Duration = Duration::from_secs(90);

/// Queue in front of the rate limiter of one client.
pub(crate) struct AdmissionQueue {
    limiter: Mutex<RateLimiter>,
    fifo: tokio::sync::Mutex<()>,
    /// Number of urgent requests that wait.
    ahead: watch::Sender<usize>,
    started: Instant,
    deadline: Option<Instant>,
    cancellation: watch::Sender<Option<String>>,
    /// The time of the stop.
    stopped_at: OnceLock<Instant>,
    /// Notified when the waiting request may leave earlier.
    eased: Notify,
    total: Option<Arc<TotalRate>>,
    events: EventHook,
    write_permit: WritePermit,
}

impl AdmissionQueue {
    /// Makes an empty queue.
    pub(crate) fn new(settings: &ClientSettings) -> Self {
        let started = Instant::now();
        let level = settings.level.unwrap_or_default();
        Self {
            limiter: Mutex::new(RateLimiter::new(settings.rate, settings.operating_share, level)),
            fifo: tokio::sync::Mutex::new(()),
            ahead: watch::Sender::new(0),
            started,
            deadline: settings.deadline.and_then(|deadline| started.checked_add(deadline)),
            cancellation: watch::Sender::new(None),
            stopped_at: OnceLock::new(),
            eased: Notify::new(),
            total: settings.total_rate.clone(),
            events: settings.events.clone(),
            write_permit: settings.write_permit.clone(),
        }
    }

    /// Asks for the permission to send an admitted request that writes. A refusal gives the
    /// admission back.
    pub(crate) fn permit_write(&self) -> Result<(), StopReason> {
        (self.write_permit)().map_err(|reason| {
            let now = self.now();
            self.limiter().on_not_sent(now);
            StopReason::NotPermitted(reason)
        })
    }

    /// Waits until a request may leave, and counts it. Returns the times for which it has waited
    /// for the limits. Urgent requests are admitted ahead of all others, and for [`URGENT_TIME`]
    /// after a stop or the deadline.
    pub(crate) async fn admit(
        &self,
        weights: &CallWeights,
        lane: Lane,
    ) -> Result<LimitWaits, StopReason> {
        match lane {
            Lane::Normal => self.admit_normal(weights).await,
            Lane::Urgent => self.admit_urgent(weights).await,
        }
    }

    async fn admit_urgent(&self, weights: &CallWeights) -> Result<LimitWaits, StopReason> {
        let _ahead = WaitingUrgent::new(&self.ahead);
        let mut waited = LimitWaits::default();
        loop {
            self.check_urgent(Duration::ZERO)?;
            let eased = self.eased.notified();
            let now = self.now();
            let admission = self.limiter().admit(weights, now);
            let (time, limit) = match admission {
                Admission::Admitted => {
                    if let Some(total) = &self.total {
                        total.reserve();
                    }
                    return Ok(waited);
                }
                Admission::RetryAfter(time, limit) => (time, limit),
            };
            (self.events)(ClientEvent::Waiting { limit, time });
            tokio::select! {
                paused = self.pause_urgent(time) => paused?,
                () = eased => {}
            }
            waited.add(limit, self.now().saturating_sub(now));
        }
    }

    async fn admit_normal(&self, weights: &CallWeights) -> Result<LimitWaits, StopReason> {
        let _turn = tokio::select! {
            fifo = self.fifo.lock() => fifo,
            reason = self.cancelled() => return Err(reason),
        };
        let mut waited = LimitWaits::default();
        loop {
            self.check()?;
            tokio::select! {
                () = self.let_ahead() => {}
                reason = self.cancelled() => return Err(reason),
            }
            // Registered before the limiter is read, so that no notification in between is missed.
            let eased = self.eased.notified();
            let now = self.now();
            let admission = self.limiter().admit(weights, now);
            let (time, limit) = match admission {
                Admission::Admitted => {
                    waited.add(Limit::Rate, self.wait_for_total(now).await?);
                    return Ok(waited);
                }
                Admission::RetryAfter(time, limit) => (time, limit),
            };
            (self.events)(ClientEvent::Waiting { limit, time });
            tokio::select! {
                paused = self.pause(time) => paused?,
                () = eased => {}
            }
            waited.add(limit, self.now().saturating_sub(now));
        }
    }

    /// Waits for the cap that several clients share. Returns the time of the wait. A request that
    /// was admitted at `admitted` and is stopped here never leaves.
    async fn wait_for_total(&self, admitted: Duration) -> Result<Duration, StopReason> {
        let time = self.total.as_ref().map_or(Duration::ZERO, |total| total.reserve());
        if time.is_zero() {
            return Ok(time);
        }
        let paused = self.pause(time).await;
        if paused.is_err() {
            self.limiter().on_not_sent(admitted);
        }
        paused.map(|()| time)
    }

    /// Records that the portal accepted a request that was sent at `sent`.
    pub(crate) fn on_accepted(&self, sent: Duration) {
        if self.limiter().on_accepted(sent) {
            self.eased.notify_waiters();
        }
    }

    /// Waits, unless the run is to stop.
    pub(crate) async fn pause(&self, time: Duration) -> Result<(), StopReason> {
        self.check()?;
        if self.deadline.is_some_and(|deadline| Instant::now() + time > deadline) {
            return Err(StopReason::DeadlineTooClose);
        }
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            reason = self.cancelled() => Err(reason),
        }
    }

    /// Waits, in a lane.
    pub(crate) async fn pause_in(&self, time: Duration, lane: Lane) -> Result<(), StopReason> {
        match lane {
            Lane::Normal => self.pause(time).await,
            Lane::Urgent => self.pause_urgent(time).await,
        }
    }

    /// Waits in the urgent lane. A stop during the wait ends it early if
    /// [`URGENT_TIME`] would pass.
    async fn pause_urgent(&self, time: Duration) -> Result<(), StopReason> {
        self.check_urgent(time)?;
        let until = Instant::now() + time;
        tokio::select! {
            () = tokio::time::sleep_until(until) => return Ok(()),
            _ = self.cancelled() => {}
        }
        let left = until.saturating_duration_since(Instant::now());
        self.check_urgent(left)?;
        tokio::time::sleep(left).await;
        Ok(())
    }

    /// Returns an error if [`URGENT_TIME`] is over after a wait of `time`.
    fn check_urgent(&self, time: Duration) -> Result<(), StopReason> {
        let ended = self.stopped_at.get().copied().into_iter().chain(self.deadline).min();
        let end = ended.and_then(|ended| ended.checked_add(URGENT_TIME));
        if end.is_some_and(|end| Instant::now() + time >= end) {
            return Err(StopReason::LimitsAfterEnd);
        }
        Ok(())
    }

    /// Returns an error if no request may be sent any more.
    pub(crate) fn check(&self) -> Result<(), StopReason> {
        if let Some(reason) = self.cancellation.borrow().as_ref() {
            return Err(StopReason::Canceled(reason.clone()));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(StopReason::DeadlinePassed);
        }
        Ok(())
    }

    /// Ends all waits, and admits no further request. The first reason stays.
    pub(crate) fn cancel(&self, reason: &str) {
        self.cancellation.send_if_modified(|cancellation| {
            let first = cancellation.is_none();
            cancellation.get_or_insert_with(|| reason.to_owned());
            let _ = self.stopped_at.set(Instant::now());
            first
        });
    }

    /// Returns the time since the creation of the queue, which is the time of the limiter.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Locks the limiter. The lock is never held while waiting.
    pub(crate) fn limiter(&self) -> MutexGuard<'_, RateLimiter> {
        // The limiter holds estimates only: a panic while it was locked leaves a harmless state.
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while urgent requests wait.
    async fn let_ahead(&self) {
        let mut ahead = self.ahead.subscribe();
        // The sender lives as long as the queue.
        let _ = ahead.wait_for(|waiting| *waiting == 0).await;
    }

    /// Waits until the cancellation. Returns its reason.
    pub(crate) async fn cancelled(&self) -> StopReason {
        let mut cancellation = self.cancellation.subscribe();
        // The sender lives as long as the queue, so that there is always a reason in the end.
        cancellation
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone())
            .map_or(StopReason::Canceled(String::new()), StopReason::Canceled)
    }
}

/// One urgent request that waits.
struct WaitingUrgent<'a>(&'a watch::Sender<usize>);

impl<'a> WaitingUrgent<'a> {
    fn new(ahead: &'a watch::Sender<usize>) -> Self {
        ahead.send_modify(|waiting| *waiting += 1);
        Self(ahead)
    }
}

impl Drop for WaitingUrgent<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method_budget::MethodUsage;
    use crate::quota::Rate;
    use crate::rate_limiter::LimiterLevel;

    fn queue(level: f64, deadline: Option<Duration>) -> AdmissionQueue {
        let level = Some(LimiterLevel { level });
        AdmissionQueue::new(&ClientSettings {
            rate: Rate::STANDARD,
            level,
            deadline,
            ..ClientSettings::default()
        })
    }

    fn weights() -> CallWeights {
        vec![("batch", 1)]
    }

    fn cancellation(reason: &str) -> Result<LimitWaits, StopReason> {
        Err(StopReason::Canceled(reason.to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn admission_full_bucket_admits_one_request_each_half_second_in_order() {
        let (queue, order) = (queue(48.0, None), Mutex::new(Vec::new()));
        let (queue, order) = (&queue, &order);
        let requests = (0..10).map(|number| async move {
            queue.admit(&weights(), Lane::Normal).await.unwrap();
            order.lock().unwrap().push((number, queue.now().as_millis()));
        });
        futures_util::future::join_all(requests).await;
        let expected: Vec<(u128, u128)> =
            (0..10).map(|number| (number, 500 * (number + 1))).collect();
        assert_eq!(*order.lock().unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn admission_stop_ends_all_waits_with_the_first_reason() {
        for limit in [Limit::Rate, Limit::OperatingTime] {
            let queue = queue(0.0, None);
            for _ in 0..2 {
                let now = queue.now();
                queue.limiter().on_throttled(limit, "batch", now, now + Duration::from_millis(1));
            }
            let (one, other) = (weights(), weights());
            let stop = async {
                tokio::time::sleep(Duration::from_millis(100)).await;
                queue.cancel("interrupted");
                queue.cancel("again");
            };
            let (first, second, ()) = tokio::join!(
                queue.admit(&one, Lane::Normal),
                queue.admit(&other, Lane::Normal),
                stop
            );
            assert_eq!((first, second), (cancellation("interrupted"), cancellation("interrupted")));
            assert_eq!(queue.now().as_millis(), 100);
            assert_eq!(
                queue.pause(Duration::ZERO).await,
                Err(StopReason::Canceled("interrupted".to_owned()))
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn admission_wait_beyond_the_deadline_ends_at_once() {
        let queue = queue(50.0, Some(Duration::from_secs(1)));
        assert_eq!(queue.admit(&weights(), Lane::Normal).await, Err(StopReason::DeadlineTooClose));
        assert_eq!(queue.now(), Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(queue.admit(&weights(), Lane::Normal).await, Err(StopReason::DeadlinePassed));
    }

    #[tokio::test(start_paused = true)]
    async fn admission_method_over_budget_waits_until_its_reset() {
        let queue = queue(0.0, None);
        let usage = MethodUsage { operating: 400.0, reset_in: Some(42.0) };
        let now = queue.now();
        queue.limiter().record_usage("user.get", usage, now);
        assert_eq!(queue.admit(&weights(), Lane::Normal).await, Ok(LimitWaits::default()));
        assert_eq!(
            queue.admit(&vec![("user.get", 1), ("batch", 1)], Lane::Normal).await,
            Ok(LimitWaits { operating_time: Duration::from_secs(42), ..LimitWaits::default() })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn admission_accepted_request_ends_the_wait_after_refusals() {
        let queue = queue(0.0, None);
        for second in [1, 2] {
            let at = Duration::from_secs(second);
            tokio::time::sleep_until(queue.started + at).await;
            queue.limiter().on_throttled(Limit::Rate, "batch", at, at);
        }
        // The bucket is full now: one request, and then one each half second.
        queue.admit(&weights(), Lane::Normal).await.unwrap();
        let sent = queue.now();
        let answer = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            queue.on_accepted(sent);
        };
        let waiting = weights();
        let (admitted, ()) = tokio::join!(queue.admit(&waiting, Lane::Normal), answer);
        let waited = LimitWaits { rate: Duration::from_millis(100), ..LimitWaits::default() };
        assert_eq!(admitted, Ok(waited));
    }

    #[tokio::test(start_paused = true)]
    async fn admission_urgent_goes_ahead_of_all_others_and_after_a_stop() {
        let queue = queue(48.0, None);
        let charges = weights();
        let planned = async {
            let admissions = (0..6).map(|_| queue.admit(&charges, Lane::Normal));
            futures_util::future::join_all(admissions).await;
            queue.now()
        };
        let urgent = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            queue.admit(&charges, Lane::Urgent).await.unwrap();
            queue.now()
        };
        let (last, ahead) = tokio::join!(planned, urgent);
        assert!(ahead <= Duration::from_millis(1000), "{ahead:?}");
        assert!(last >= Duration::from_millis(3500), "{last:?}");
        queue.cancel("interrupted");
        queue.admit(&charges, Lane::Urgent).await.unwrap();
        assert!(matches!(queue.admit(&charges, Lane::Normal).await, Err(StopReason::Canceled(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn admission_urgent_under_a_lasting_limit_ends_after_the_stop() {
        for deadline in [None, Some(Duration::from_secs(5))] {
            let queue = queue(0.0, deadline);
            let stop = async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                if deadline.is_none() {
                    queue.cancel("interrupted");
                }
            };
            let refused = async {
                loop {
                    if let Err(error) = queue.admit(&weights(), Lane::Urgent).await {
                        return error;
                    }
                    let now = queue.now();
                    queue.limiter().on_throttled(
                        Limit::Rate,
                        "batch",
                        now,
                        now + Duration::from_millis(1),
                    );
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let ((), error) = tokio::join!(stop, refused);
            assert_eq!(error, StopReason::LimitsAfterEnd);
            let ended = queue.now().saturating_sub(Duration::from_secs(5));
            assert!(ended <= URGENT_TIME && ended >= URGENT_TIME / 2, "{ended:?}");
            let pause = queue.pause_in(URGENT_TIME, Lane::Urgent).await;
            assert_eq!(pause, Err(StopReason::LimitsAfterEnd));
        }
    }
}
