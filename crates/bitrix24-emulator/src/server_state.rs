//! State of a running portal, shared by its requests, and the clock of its limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::event_log::EventLog;
use crate::fault_injection::FaultScript;
use crate::limits::{LimitLevels, Limits};
use crate::lint::Complaint;
use crate::state::PortalState;
use crate::time::OperatingTime;

/// The seconds that a method may take in ten minutes, where the portal's settings switch the limit
/// on and do not say how many.
const USUAL_OPERATING_SECONDS: f64 = 420.0;

/// What the emulator has seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// HTTP requests, those that were refused included.
    pub requests: u64,
    /// Calls, alone and in batches.
    pub commands: u64,
    /// Requests that were refused because there were too many.
    pub refused_by_rate: u64,
    /// Calls that were refused because their method had taken too much time.
    pub refused_by_operating_time: u64,
    /// Rows that a `reset` or a `forceCommonScopeForAll` has removed.
    pub rows_removed: u64,
    /// Rows that a `set` has written.
    pub rows_written: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Calls by method, in lower case.
    pub by_method: BTreeMap<String, u64>,
}

/// What changes while the portal runs.
#[derive(Debug)]
pub(super) struct ServerState {
    /// What the portal holds.
    pub(super) state: PortalState,
    /// The limits that are on.
    pub(super) limits: Limits,
    /// How long each call takes.
    pub(super) command_time: Duration,
    /// How far the limits are used up.
    pub(super) levels: LimitLevels,
    /// What goes wrong, by script.
    pub(super) faults: FaultScript,
    /// What was seen so far.
    pub(super) counters: Counters,
    /// What a careful client would never have sent.
    pub(super) complaints: Vec<Complaint>,
    /// What happened to the cards, if it is kept.
    pub(super) event_log: EventLog,
    /// What the portal held at its start.
    pub(super) first: PortalState,
    /// Webhooks that a fault has made invalid.
    pub(super) expired: Vec<String>,
}

/// Running portal: its state behind one lock, and the time of its start.
#[derive(Debug)]
pub(super) struct EmulatedPortal {
    server: Mutex<ServerState>,
    started: Instant,
}

impl EmulatedPortal {
    pub(super) fn new(server: ServerState) -> Arc<Self> {
        Arc::new(Self { server: Mutex::new(server), started: Instant::now() })
    }

    /// Locks the state.
    pub(super) fn server(&self) -> MutexGuard<'_, ServerState> {
        // A panic in another request does not spoil the state: every change is made whole under one
        // lock.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time since the start: the `now` of all limits.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

impl ServerState {
    /// A portal that has seen nothing yet.
    pub(super) fn new(state: PortalState, limits: Limits, command_time: Duration) -> Self {
        Self {
            first: state.clone(),
            state,
            limits,
            command_time,
            levels: LimitLevels::default(),
            faults: FaultScript::default(),
            counters: Counters::default(),
            complaints: Vec::new(),
            event_log: EventLog::default(),
            expired: Vec::new(),
        }
    }

    /// Makes webhooks valid again that a fault has made invalid.
    pub(super) fn reset_expired(&mut self) {
        self.expired.clear();
    }

    /// The time that a method has taken; nothing while the limit is off. A batch takes none: its
    /// commands do.
    pub(super) fn operating(
        &self,
        webhook: &str,
        method: &str,
        now: Duration,
    ) -> Option<OperatingTime> {
        self.operating_limit()?;
        let seconds = self.levels.operating(webhook, method, now);
        Some(OperatingTime { seconds, forgotten_in: self.levels.forgets_in(webhook, method, now) })
    }

    /// How many seconds a method may take in ten minutes, by the state's settings or by what was
    /// asked for; nothing while the limit is off.
    pub(super) fn operating_limit(&self) -> Option<f64> {
        let text = |name: &str| {
            let value = self.state.setting(name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
        };
        if text("rest.load_limiter_active").as_deref() == Some("Y") {
            let limit = text("rest.load_limiter_second_limit").and_then(|text| text.parse().ok());
            return Some(limit.unwrap_or(USUAL_OPERATING_SECONDS));
        }
        self.limits.operating_seconds
    }
}
