//! State of a portal's rate limiter between processes, with the time of day.

use super::clock::SystemClock;
use crate::portal::{LimiterLevel, Rate};
use crate::ports::Clock as _;
use crate::records::LimiterState;

/// Converts the state of the rate limiter to its stored form, with the time of day.
pub(super) fn written(level: LimiterLevel) -> LimiterState {
    LimiterState { at: SystemClock.now(), level: level.level }
}

/// Converts a stored state to the present state of the rate limiter.
pub(super) fn read(stored: &LimiterState, rate: Rate) -> LimiterLevel {
    let age = std::time::Duration::try_from(SystemClock.now().duration_since(stored.at))
        .unwrap_or_default();
    LimiterLevel { level: stored.level }.aged(age, rate)
}
