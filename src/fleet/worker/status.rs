//! Status of a worker, for its pages.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::WorkerSettings;
use crate::ports::{LaneLimits, QueueLane, QueueOverview};

/// Way in which a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoundEnding {
    /// The round did what it was for.
    Succeeded,
    /// The round failed.
    Failed,
    /// There was no round, or it was stopped; the portal was given back.
    GivenBack,
    /// The portal was parked.
    Parked,
    /// The lease was lost.
    Lost,
}

impl RoundEnding {
    /// All endings.
    pub const ALL: [Self; 5] =
        [Self::Succeeded, Self::Failed, Self::GivenBack, Self::Parked, Self::Lost];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::GivenBack => "given_back",
            Self::Parked => "parked",
            Self::Lost => "lost",
        }
    }
}

/// Status of a worker. Shared by the worker and its pages.
#[derive(Debug, Default)]
pub struct WorkerStatus(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    in_use: BTreeMap<QueueLane, usize>,
    endings: BTreeMap<RoundEnding, u64>,
    overview: Option<QueueOverview>,
    last_claim: Option<Instant>,
    last_heartbeat: Option<Instant>,
    heartbeat_fails: bool,
    is_draining: bool,
}

/// Status at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerSnapshot {
    /// Slots in use, by lane.
    pub in_use: BTreeMap<QueueLane, usize>,
    /// Ended claims, by way.
    pub endings: BTreeMap<RoundEnding, u64>,
    /// Numbers of the queue; `None` before it first told them.
    pub overview: Option<QueueOverview>,
    /// Time since the queue last answered a claim; `None` if it never did.
    pub since_claim: Option<Duration>,
    /// Time since the queue last answered a heartbeat; `None` if it never did.
    pub since_heartbeat: Option<Duration>,
    /// The worker was told to stop.
    pub is_draining: bool,
}

impl WorkerSnapshot {
    /// Returns `true` if claims and heartbeats were answered within the time in which a lease must
    /// be extended, or the worker ends.
    pub fn is_healthy(&self, settings: &WorkerSettings) -> bool {
        let limit = settings.lease.heartbeat() * 2;
        let is_recent = |since: Option<Duration>| since.is_some_and(|since| since <= limit);
        is_recent(self.since_heartbeat) && (self.is_draining || is_recent(self.since_claim))
    }

    /// Returns `true` if the worker claims portals.
    pub fn is_ready(&self, settings: &WorkerSettings) -> bool {
        !self.is_draining && self.is_healthy(settings)
    }
}

impl WorkerStatus {
    /// Returns the present status.
    pub fn report(&self) -> WorkerSnapshot {
        let state = self.state();
        WorkerSnapshot {
            in_use: state.in_use.clone(),
            endings: state.endings.clone(),
            overview: state.overview,
            since_claim: state.last_claim.map(|at| at.elapsed()),
            since_heartbeat: state.last_heartbeat.map(|at| at.elapsed()),
            is_draining: state.is_draining,
        }
    }

    /// Returns how many portals may be claimed now: none while heartbeats fail. A fifth of the
    /// slots is for portals whose last round failed, the rest for the others; one more is for
    /// suspects.
    pub(super) fn free(&self, slots: usize) -> LaneLimits {
        let state = self.state();
        let failing = (slots / 5).max(1);
        let free = |lane, limit: usize| match state.heartbeat_fails {
            true => 0,
            false => limit.saturating_sub(state.in_use(lane)),
        };
        LaneLimits {
            healthy: free(QueueLane::Healthy, slots.saturating_sub(failing).max(1)),
            failing: free(QueueLane::Failing, failing),
            suspect: free(QueueLane::Suspect, 1),
        }
    }

    pub(super) fn begun(&self, lane: QueueLane) {
        *self.state().in_use.entry(lane).or_default() += 1;
    }

    pub(super) fn ended(&self, lane: QueueLane, ending: RoundEnding) {
        let mut state = self.state();
        let in_use = state.in_use.entry(lane).or_default();
        *in_use = in_use.saturating_sub(1);
        *state.endings.entry(ending).or_default() += 1;
    }

    pub(super) fn claim_answered(&self) {
        self.state().last_claim = Some(Instant::now());
    }

    pub(super) fn heartbeat_answered(&self) {
        let mut state = self.state();
        state.last_heartbeat = Some(Instant::now());
        state.heartbeat_fails = false;
    }

    pub(super) fn heartbeat_failed(&self) {
        self.state().heartbeat_fails = true;
    }

    pub(super) fn take_overview(&self, overview: QueueOverview) {
        self.state().overview = Some(overview);
    }

    pub(super) fn drains(&self) {
        self.state().is_draining = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers only: a panic while they were locked leaves a valid state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn in_use(&self, lane: QueueLane) -> usize {
        self.in_use.get(&lane).copied().unwrap_or_default()
    }
}
