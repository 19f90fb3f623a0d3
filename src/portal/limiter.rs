//! Both limits of the portal in one pure state machine: may a request leave now, and if not, how long must it wait?
//!
//! It never sleeps and never asks the time; [`super::gate`] does the waiting.

use std::time::Duration;

use super::command::BATCH;
use super::counter::Counter;
use super::operating::{BUCKETS, Buckets, OperatingTime, Told};
use super::sizing::Allowance;
use super::{Limit, Rate};

/// What both limits stand at, to be kept between processes.
///
/// It is of one moment. Whoever keeps it notes the time of day beside it, and calls [`LimiterLevel::aged`] before it is
/// used again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimiterLevel {
    /// What the portal's request counter stands at.
    pub level: f64,
    /// The seconds that the portal spent in each method in the last minutes, the newest first.
    pub operating: Buckets,
}

impl LimiterLevel {
    /// What a careful client believes who knows nothing: there is no room left for requests. What was spent of operating
    /// time the portal tells with its first answer.
    pub fn full(rate: Rate) -> Self {
        let level = match rate {
            Rate::Limited { burst, per_second: _ } => burst,
            Rate::Unlimited => 0.0,
        };
        Self { level, operating: Buckets::new() }
    }

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

    /// Takes note that the portal took a request that was sent at a moment, whatever it then made of it. Tells whether there
    /// is more room now than was thought.
    pub(crate) fn taken(&mut self, sent: Duration) -> bool {
        self.counter.taken(sent)
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

    /// Takes note of the operating time that an answer names for a method.
    pub(crate) fn told(&mut self, method: &str, told: Told, now: Duration) {
        self.operating.told(method, told, now);
    }

    /// What may leave now and later over so many connections.
    pub(crate) fn allowance(&mut self, connections: usize, now: Duration) -> Allowance {
        let (room, most_room) = (self.counter.room(now), self.counter.most_room());
        Allowance { room, most_room, pace: self.counter.pace(), connections }
    }

    /// How much longer a request has to wait, so that others may leave with it, at most so many in all.
    pub(crate) fn together(&self, most: usize) -> Duration {
        self.counter.together(most)
    }

    /// Which part of the operating time that the portal grants a method these charges will take, of the method that they
    /// take most of, and how long the pauses are that this makes necessary. What is not known of a method is taken from
    /// another one.
    pub(crate) fn operating_forecast(
        &mut self,
        charges: &[(&'static str, usize)],
        like: &'static str,
        now: Duration,
    ) -> (f64, Duration) {
        let each = charges.iter().map(|(method, commands)| {
            // A batch is charged only on portals that say so; whatever else is charged costs about as much as a read.
            let like = if *method == BATCH { BATCH } else { like };
            self.operating.forecast(method, *commands, like, now)
        });
        each.fold((0.0, Duration::ZERO), |(share, pause), one| (one.0.max(share), one.1.max(pause)))
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

    fn told(lowest: f64, highest: f64, commands: usize) -> Told {
        Told { lowest, highest, commands, each: None, sent: Duration::ZERO }
    }

    #[test]
    fn an_allowance_tells_when_the_last_of_many_requests_leaves() {
        let mut limiter = Limiter::new(Rate::STANDARD, 0.8, &LimiterLevel::default());
        let Allowance { room, pace, .. } = limiter.allowance(8, Duration::ZERO);
        let mut now = Duration::ZERO;
        for _ in 0..100 {
            while let Admission::Wait(wait, limit) = limiter.admit(&charges(), now) {
                assert_eq!(limit, Limit::Rate);
                now += wait;
            }
        }
        assert!(now.abs_diff(Duration::from_secs_f64((100.0 - room) / pace)) < Duration::from_millis(100), "{now:?}");
    }

    #[test]
    fn the_share_of_the_operating_time_is_that_of_the_method_that_takes_most() {
        let mut limiter = Limiter::new(Rate::Unlimited, 0.5, &LimiterLevel::default());
        let get = "crm.lead.details.configuration.get";
        assert_eq!(limiter.operating_forecast(&[(get, 100)], get, Duration::ZERO), (0.0, Duration::ZERO));
        limiter.told(get, told(0.1, 4.2, 42), Duration::ZERO);
        // 0.1 s each: 100 reads are 10 s of 420; resets are taken to cost what reads cost.
        let (share, pause) =
            limiter.operating_forecast(&[(get, 100), ("reset", 84), ("batch", 9)], get, Duration::ZERO);
        assert!((share - 10.0 / 420.0).abs() < 1e-9, "{share}");
        assert_eq!(pause, Duration::ZERO);
        // 504.2 s at half of 420: two times the minutes of the model go by before the rest may leave.
        assert_eq!(limiter.operating_forecast(&[(get, 5000)], get, Duration::ZERO).1, Duration::from_secs(1320));
    }

    #[test]
    fn whoever_knows_nothing_waits_before_the_first_request() {
        for rate in [Rate::STANDARD, Rate::ENTERPRISE] {
            let mut limiter = Limiter::new(rate, 0.8, &LimiterLevel::full(rate));
            assert!(matches!(limiter.admit(&charges(), Duration::ZERO), Admission::Wait(_, Limit::Rate)));
            assert_eq!(limiter.admit(&charges(), Duration::from_secs(2)), Admission::Go);
        }
        let mut limiter = Limiter::new(Rate::Unlimited, 0.8, &LimiterLevel::full(Rate::Unlimited));
        assert_eq!(limiter.admit(&charges(), Duration::ZERO), Admission::Go);
    }

    #[test]
    fn a_level_fades_while_nobody_sends() {
        let level = LimiterLevel { level: 48.0, operating: [("batch".to_owned(), [5.0; OPERATING_MINUTES])].into() };
        let aged = level.aged(Duration::from_secs(120), Rate::STANDARD);
        assert_eq!(aged.level, 0.0);
        assert_eq!(aged.operating["batch"], [0.0, 0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0]);
        assert_eq!(level.aged(Duration::from_secs(10), Rate::STANDARD).level, 28.0);
    }

    #[test]
    fn a_batch_waits_for_the_method_that_it_is_charged_to() {
        let mut limiter = Limiter::new(Rate::Unlimited, 0.8, &LimiterLevel::default());
        limiter.told("batch", told(400.0, 400.0, 1), Duration::ZERO);
        assert_eq!(
            limiter.admit(&charges(), Duration::ZERO),
            Admission::Wait(Duration::from_secs(660), Limit::OperatingTime)
        );
        assert_eq!(limiter.admit(&vec![("user.get", 1)], Duration::ZERO), Admission::Go);
    }
}
