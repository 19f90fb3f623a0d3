//! Pages of a worker: `/healthz`, `/readyz` and `/metrics`.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;

use super::worker_fleets::ShownFleets;
use crate::cli::http_server::{Routes, TextResponse};
use crate::cli::metrics::Traffic;
use crate::fleet::worker::{RoundEnding, WorkerSettings, WorkerSnapshot, WorkerStatus};
use crate::ports::{QueueLane, QueueOverview};
use crate::report::{WorkerNumbers, worker_metrics};

/// What the pages tell of.
#[derive(Clone)]
pub(in crate::cli) struct WorkerPages {
    pub(in crate::cli) status: Arc<WorkerStatus>,
    pub(in crate::cli) settings: WorkerSettings,
    /// Requests to all portals.
    pub(in crate::cli) traffic: Traffic,
    /// The fleets.
    pub(in crate::cli) fleets: Arc<Mutex<ShownFleets>>,
}

impl WorkerPages {
    /// Returns the pages.
    pub(in crate::cli) fn routes(self) -> Routes {
        Arc::new(move |path, accepted| self.respond(path, accepted))
    }

    fn respond(&self, path: &str, accepted: &str) -> TextResponse {
        let report = self.status.report();
        let ok_if = |is_ok: bool, otherwise: &str| match is_ok {
            true => TextResponse::plain(StatusCode::OK, "ok\n"),
            false => TextResponse::plain(StatusCode::SERVICE_UNAVAILABLE, otherwise),
        };
        match path {
            "/healthz" => ok_if(report.is_healthy(&self.settings), "the queue does not answer\n"),
            "/readyz" => ok_if(report.is_ready(&self.settings), "no portal is claimed\n"),
            "/metrics" => TextResponse::metrics(accepted, |exposition| {
                worker_metrics(&self.numbers(&report), exposition)
            }),
            _ => TextResponse::not_found(),
        }
    }

    fn numbers(&self, report: &WorkerSnapshot) -> WorkerNumbers {
        let count = |ending: RoundEnding| report.endings.get(&ending).copied().unwrap_or_default();
        let lane = |lane: QueueLane| report.in_use.get(&lane).map_or(0, |count| *count as u64);
        let (portals, failing, oldest_overdue) = match report.overview {
            None => (Vec::new(), 0, std::time::Duration::ZERO),
            Some(QueueOverview {
                parked,
                paused,
                claimed,
                due,
                waiting,
                failing,
                oldest_overdue,
            }) => {
                let portals = vec![
                    ("parked", parked),
                    ("paused", paused),
                    ("claimed", claimed),
                    ("due", due),
                    ("waiting", waiting),
                ];
                (portals, failing, oldest_overdue)
            }
        };
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        WorkerNumbers {
            portals,
            failing,
            oldest_overdue,
            rounds: RoundEnding::ALL.map(|ending| (ending.as_str(), count(ending))).to_vec(),
            requests: self.traffic.totals(),
            in_use: vec![
                ("healthy", lane(QueueLane::Healthy)),
                ("failing", lane(QueueLane::Failing)),
                ("suspect", lane(QueueLane::Suspect)),
            ],
            slots: self.settings.slots as u64,
            revision: fleets.revision,
            fleet_problems: fleets.problems as u64,
        }
    }
}
