//! Clock of the system.

use jiff::Timestamp;

use crate::ports::Clock;

/// Clock of the system.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks for the time of day"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
