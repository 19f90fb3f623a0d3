//! Portals of the tables: their limits and the time of a command.

use std::time::Duration;

use crate::CONNECTIONS;
use crate::bound::{Bound, Limits, Phase, Timing, bound};
use crate::process::{Cards, Portal};

/// A portal with its limits.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) burst: f64,
    pub(super) per_second: f64,
    /// The speed-up against a real portal.
    pub(super) scale: f64,
    pub(super) command: Duration,
}

impl Kind {
    pub(super) const fn standard(scale: f64, milliseconds: u64) -> Self {
        Self::of("standard", 50.0, 2.0, scale, milliseconds)
    }

    pub(super) const fn enterprise(scale: f64, milliseconds: u64) -> Self {
        Self::of("enterprise", 250.0, 5.0, scale, milliseconds)
    }

    const fn of(
        name: &'static str,
        burst: f64,
        per_second: f64,
        scale: f64,
        milliseconds: u64,
    ) -> Self {
        Self { name, burst, per_second, scale, command: Duration::from_millis(milliseconds) }
    }

    pub(super) fn rate(&self) -> String {
        format!("{},{}", self.burst, self.per_second * self.scale)
    }

    pub(super) fn scaled_command(&self) -> Duration {
        self.command.div_f64(self.scale)
    }

    pub(super) async fn portal(&self, users: u64) -> Portal {
        Portal::start(users, &self.rate(), self.scaled_command(), Cards::Different).await
    }

    pub(super) fn bound(&self, phases: &[Phase], room: f64, request: f64) -> Bound {
        let limits =
            Limits { rate: Some((self.burst, self.per_second * self.scale)), operating: None };
        let timing = Timing { request, call: self.scaled_command().as_secs_f64() };
        bound(phases, limits, room, CONNECTIONS, timing)
    }

    pub(super) fn title(&self, users: u64) -> String {
        let scale = if self.scale > 1.0 { format!(" ×{}", self.scale) } else { String::new() };
        format!("{users} users, {}{scale}, {} ms", self.name, self.command.as_millis())
    }
}
