//! State of a running portal, shared by its requests, and the clock of its limits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::complaint::Complaint;
use crate::event_log::EventLog;
use crate::fault_injection::FaultScript;
use crate::limits::{LimitLevels, Limits};
use crate::state::PortalState;
use crate::time::OperatingTime;

/// Seconds of a method in ten minutes, if the portal's settings enable the limit without a number.
const USUAL_OPERATING_SECONDS: f64 = 420.0;

/// Counters of the emulator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// HTTP requests, refused ones included.
    pub requests: u64,
    /// Calls, alone and in batches.
    pub commands: u64,
    /// Requests that were refused by the request limit.
    pub refused_by_rate: u64,
    /// Calls that were refused by the operating time of their method.
    pub refused_by_operating_time: u64,
    /// Rows that a `reset` or a `forceCommonScopeForAll` has removed.
    pub rows_removed: u64,
    /// Rows that a `set` has written.
    pub rows_written: u64,
    /// Faults that were applied.
    pub faults: u64,
    /// Calls by method, in lower case.
    pub by_method: BTreeMap<String, u64>,
}

/// State of a running portal.
#[derive(Debug)]
pub(super) struct ServerState {
    /// The content of the portal.
    pub(super) state: PortalState,
    /// The enabled limits.
    pub(super) limits: Limits,
    /// The duration of each call.
    pub(super) command_time: Duration,
    /// The levels of the limits.
    pub(super) levels: LimitLevels,
    /// The fault script.
    pub(super) faults: FaultScript,
    /// The counters.
    pub(super) counters: Counters,
    /// The requests that a careful client would never have sent.
    pub(super) complaints: Vec<Complaint>,
    /// The event log, if it is kept.
    pub(super) event_log: EventLog,
    /// The first state of the portal.
    pub(super) first: Arc<PortalState>,
    /// Webhooks that a fault has expired.
    pub(super) expired: Vec<String>,
    /// The portal is reached by TLS.
    pub(super) has_tls: bool,
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
        // A panic in another request leaves a valid state: every change is made under one lock.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time since the start: the `now` of all limits.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

impl ServerState {
    /// Creates a portal without requests so far.
    pub(super) fn new(
        first: impl Into<Arc<PortalState>>,
        limits: Limits,
        command_time: Duration,
    ) -> Self {
        let first = first.into();
        Self {
            state: PortalState::clone(&first),
            first,
            limits,
            command_time,
            levels: LimitLevels::default(),
            faults: FaultScript::default(),
            counters: Counters::default(),
            complaints: Vec::new(),
            event_log: EventLog::default(),
            expired: Vec::new(),
            has_tls: false,
        }
    }

    /// Makes webhooks valid again that a fault has expired.
    pub(super) fn reset_expired(&mut self) {
        self.expired.clear();
    }

    /// Returns the operating time of a method; `None` while the limit is off. A batch has none: its
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

    /// Returns the seconds of a method in ten minutes, by the state's settings or by the options;
    /// `None` while the limit is off.
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
