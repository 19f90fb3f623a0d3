//! Both limits of the portal in one pure state machine: may a request leave now, and if not, how long must it wait?
//!
//! It never sleeps and never asks the time; [`super::gate`] does the waiting.

use std::time::Duration;

use super::counter::Counter;
use super::operating::{BUCKETS, Buckets, OperatingTime};
use super::{Limit, Rate};

/// What both limits stand at, to be kept between processes.
///
/// It is of one moment. Whoever keeps it notes the time of day beside it, and calls [`LimiterLevel::aged`] before it is
/// used again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimiterLevel {
    /// What the portal's request counter stands at.
    pub level: f64,
    /// The seconds that the portal spent in each method in the last ten minutes, the newest minute first.
    pub operating: Buckets,
}

impl LimiterLevel {
    /// What it will stand at after a time in which this program sends nothing.
    pub fn aged(&self, by: Duration, rate: Rate) -> Self {
        let mut counter = Counter::new(rate, self.level);
        let mut operating = OperatingTime::new(1.0, &self.operating);
        Self { level: counter.level(by), operating: operating.buckets(by) }
    }
}

/// The methods of a request and how many commands of each it has. A batch charges its commands and itself.
pub(crate) type Charges = Vec<(&'static str, usize)>;

/// Whether a request may leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Admission {
    /// Yes, and it is counted.
    Go,
    /// Not before this time has passed, because of this limit.
    Wait(Duration, Limit),
}

/// The state machine.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    counter: Counter,
    operating: OperatingTime,
}

impl Limiter {
    pub(crate) fn new(rate: Rate, operating_share: f64, left: &LimiterLevel) -> Self {
        Self {
            counter: Counter::new(rate, left.level),
            operating: OperatingTime::new(operating_share, &left.operating),
        }
    }

    /// Counts a request, or says how long it has to wait and why.
    pub(crate) fn admit(&mut self, charges: &Charges, now: Duration) -> Admission {
        let waits = charges.iter().filter_map(|(method, commands)| self.operating.admit(method, *commands, now).err());
        if let Some(wait) = waits.max() {
            return Admission::Wait(wait, Limit::OperatingTime);
        }
        if let Err(wait) = self.counter.admit(now) {
            return Admission::Wait(wait, Limit::Rate);
        }
        for (method, commands) in charges {
            self.operating.sent(method, *commands);
        }
        Admission::Go
    }

    /// Takes note that the portal took a request that was sent at a moment, whatever it then made of it.
    pub(crate) fn taken(&mut self, sent: Duration) {
        self.counter.taken(sent);
    }

    /// Takes note that an admitted request never reached the portal.
    pub(crate) fn unsent(&mut self, now: Duration) {
        self.counter.unsent(now);
    }

    /// Takes note that a request is no longer in flight, whatever came of it.
    pub(crate) fn back(&mut self, charges: &Charges) {
        for (method, commands) in charges {
            self.operating.back(method, *commands);
        }
    }

    /// Takes note that the portal refused a request, or the commands of a method, because of a limit.
    pub(crate) fn refused(&mut self, limit: Limit, methods: &[&str], now: Duration) {
        match limit {
            Limit::Rate => self.counter.refused(now),
            Limit::OperatingTime => methods.iter().for_each(|method| self.operating.refused(method, now)),
        }
    }

    /// Takes note of the operating time that an answer named for a method.
    pub(crate) fn told(&mut self, method: &str, sum: f64, commands: usize, now: Duration) {
        self.operating.told(method, sum, commands, now);
    }

    /// How many requests could leave at once, and how many a second after that.
    pub(crate) fn room_and_pace(&mut self, now: Duration) -> (f64, f64) {
        (self.counter.room(now), self.counter.pace())
    }

    /// How long it takes until this many further requests have left.
    pub(crate) fn forecast(&mut self, requests: u32, now: Duration) -> Duration {
        let (room, pace) = self.room_and_pace(now);
        let excess = (f64::from(requests) - room).max(0.0);
        if excess > 0.0 { Duration::from_secs_f64(excess / pace) } else { Duration::ZERO }
    }

    /// What both limits stand at.
    pub(crate) fn level(&mut self, now: Duration) -> LimiterLevel {
        LimiterLevel { level: self.counter.level(now), operating: self.operating.buckets(now) }
    }
}

/// How many minutes [`LimiterLevel::operating`] has for each method.
pub const OPERATING_MINUTES: usize = BUCKETS;

#[cfg(test)]
mod tests {
    use super::*;

    fn charges() -> Charges {
        vec![("crm.lead.details.configuration.get", 50), ("batch", 1)]
    }

    #[test]
    fn a_forecast_is_the_time_that_the_requests_then_take() {
        let mut limiter = Limiter::new(Rate::STANDARD, 0.8, &LimiterLevel::default());
        let forecast = limiter.forecast(100, Duration::ZERO);
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            while let Admission::Wait(wait, limit) = limiter.admit(&charges(), now) {
                assert_eq!(limit, Limit::Rate);
                now += wait;
            }
        }
        assert_eq!(forecast, Duration::from_secs(26));
        assert!(now.abs_diff(forecast) < Duration::from_millis(100), "{now:?}");
    }

    #[test]
    fn a_level_fades_while_nobody_sends() {
        let level = LimiterLevel { level: 48.0, operating: [("batch".to_owned(), [5.0; OPERATING_MINUTES])].into() };
        let aged = level.aged(Duration::from_secs(120), Rate::STANDARD);
        assert_eq!(aged.level, 0.0);
        assert_eq!(aged.operating["batch"], [0.0, 0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]);
        assert_eq!(level.aged(Duration::from_secs(10), Rate::STANDARD).level, 28.0);
    }

    #[test]
    fn a_batch_waits_for_the_method_that_it_is_charged_to() {
        let mut limiter = Limiter::new(Rate::Unlimited, 0.8, &LimiterLevel::default());
        limiter.told("batch", 400.0, 1, Duration::ZERO);
        assert_eq!(
            limiter.admit(&charges(), Duration::ZERO),
            Admission::Wait(Duration::from_secs(600), Limit::OperatingTime)
        );
        assert_eq!(limiter.admit(&vec![("user.get", 1)], Duration::ZERO), Admission::Go);
    }
}
