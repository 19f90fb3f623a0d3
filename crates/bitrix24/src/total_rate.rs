//! Cap of the requests of several clients together.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Cap of the requests of all clients that share it: at most so many a second, without bursts.
///
/// Urgent requests are counted and never wait; the others leave later for it.
pub struct TotalRate {
    interval: Duration,
    /// The time at which the next request may leave.
    next: Mutex<Option<Instant>>,
}

impl TotalRate {
    /// Creates a cap of so many requests a second; `None` if the number is not positive.
    pub fn new(per_second: f64) -> Option<Self> {
        let interval = Duration::try_from_secs_f64(per_second.recip()).ok()?;
        (!interval.is_zero()).then(|| Self { interval, next: Mutex::new(None) })
    }

    /// Takes the next place, and returns the time until it.
    pub(crate) fn reserve(&self) -> Duration {
        let now = Instant::now();
        // A panic while the lock was held leaves a time, which is harmless.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let place = next.map_or(now, |next| next.max(now));
        *next = place.checked_add(self.interval);
        place.saturating_duration_since(now)
    }
}

impl fmt::Debug for TotalRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TotalRate").field("interval", &self.interval).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::admission::AdmissionQueue;
    use crate::error::{Lane, StopReason};
    use crate::rate_limiter::CallWeights;
    use crate::settings::ClientSettings;

    fn weights() -> CallWeights {
        vec![("batch", 1)]
    }

    #[tokio::test(start_paused = true)]
    async fn admission_total_rate_caps_the_requests_of_all_clients_together() {
        let total = Arc::new(TotalRate::new(10.0).unwrap());
        let capped = || {
            let total_rate = Some(Arc::clone(&total));
            AdmissionQueue::new(&ClientSettings { total_rate, ..ClientSettings::default() })
        };
        let queues: Vec<AdmissionQueue> = (0..5).map(|_| capped()).collect();
        let (started, times) = (Instant::now(), Mutex::new(Vec::new()));
        let requests = (0..40).map(|number| {
            let (queue, times) = (queues.get(number % 5).unwrap(), &times);
            async move {
                queue.admit(&weights(), Lane::Normal).await.unwrap();
                times.lock().unwrap().push(started.elapsed().as_millis());
            }
        });
        futures_util::future::join_all(requests).await;
        let expected: Vec<u128> = (0..40).map(|number| number * 100).collect();
        assert_eq!(*times.lock().unwrap(), expected);
        // An urgent request leaves at once, and the next one later for it.
        let before = started.elapsed();
        for (lane, time) in [(Lane::Urgent, 0), (Lane::Urgent, 0), (Lane::Normal, 300)] {
            queues[0].admit(&weights(), lane).await.unwrap();
            assert_eq!((started.elapsed() - before).as_millis(), time);
        }
        // A wait that is stopped is no request.
        let full = TotalRate::new(0.001).map(Arc::new);
        full.as_ref().unwrap().reserve();
        let deadline = Some(Duration::from_secs(5));
        let settings = ClientSettings { total_rate: full, deadline, ..ClientSettings::default() };
        let queue = AdmissionQueue::new(&settings);
        let refused = queue.admit(&weights(), Lane::Normal).await;
        assert_eq!(refused, Err(StopReason::DeadlineTooClose));
        assert_eq!(queue.limiter().level(queue.now()).level, 0.0);
    }

    #[test]
    fn total_rate_is_a_positive_number() {
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300, 1e-300] {
            assert!(TotalRate::new(wrong).is_none(), "{wrong}");
        }
        assert!(TotalRate::new(0.5).is_some() && TotalRate::new(5000.0).is_some());
    }
}
