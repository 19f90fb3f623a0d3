//! Prometheus metrics of a worker.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::{
    Exposition, RequestTotals, counters, gauge, gauges, register_build, register_requests, written,
};

/// Numbers of a worker for its page. No label names a portal.
#[derive(Clone, Debug, Default)]
pub struct WorkerNumbers {
    /// Portals of the queue by state; empty if they are not known.
    pub portals: Vec<(&'static str, u64)>,
    /// Portals whose last round failed.
    pub failing: u64,
    /// Time for which the longest overdue portal has been due.
    pub oldest_overdue: Duration,
    /// Claims of this process by how they ended.
    pub rounds: Vec<(&'static str, u64)>,
    /// Requests of this process to all of its portals.
    pub requests: RequestTotals,
    /// Slots in use by lane.
    pub in_use: Vec<(&'static str, u64)>,
    /// Slots.
    pub slots: u64,
    /// Digest of the revision; `None` if there is none, or more than one.
    pub revision: Option<String>,
    /// Fleets and portals that this worker cannot use.
    pub fleet_problems: u64,
}

/// Renders the metrics of a worker.
pub fn worker_metrics(numbers: &WorkerNumbers, exposition: Exposition) -> String {
    let mut registry = Registry::with_prefix("recard");
    register_build(&mut registry);
    let help = "Claims of this worker, by how they ended";
    counters(&mut registry, "worker_rounds", help, "result", &numbers.rounds);
    register_requests(&mut registry, &numbers.requests);
    let help = "Slots in use, by lane";
    gauges(&mut registry, "worker_slots_in_use", help, "lane", &numbers.in_use);
    let number = |number: u64| gauge(i64::try_from(number).unwrap_or(i64::MAX));
    registry.register("worker_slots", "Slots of this worker", number(numbers.slots));
    let help = "Fleets and portals that this worker cannot use; its log names them";
    registry.register("fleet_problems", help, number(numbers.fleet_problems));
    if !numbers.portals.is_empty() {
        let help = "Portals of the queue, by state";
        gauges(&mut registry, "queue_portals", help, "state", &numbers.portals);
        let help = "Portals whose last round failed";
        registry.register("queue_failing_portals", help, number(numbers.failing));
        let help = "Time for which the longest overdue portal has been due";
        let overdue = Gauge::<f64, AtomicU64>::default();
        overdue.set(numbers.oldest_overdue.as_secs_f64());
        registry.register_with_unit("queue_oldest_overdue", help, Unit::Seconds, overdue);
    }
    if let Some(revision) = &numbers.revision {
        let info = Family::<[(&'static str, String); 1], Gauge>::default();
        info.get_or_create(&[("revision", revision.clone())]).set(1);
        registry.register("revision_info", "Revision of the fleet; the value is always 1", info);
    }
    written(&registry, exposition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_metrics_before_the_queue_answered_count_no_portals() {
        let numbers = WorkerNumbers {
            rounds: vec![("succeeded", 0), ("failed", 3)],
            requests: RequestTotals { answered: 7, throttled: 2, ..RequestTotals::default() },
            slots: 200,
            ..WorkerNumbers::default()
        };
        let text = worker_metrics(&numbers, Exposition::Text);
        for line in [
            "recard_worker_rounds_total{result=\"failed\"} 3",
            "recard_worker_slots 200",
            "recard_requests_total{result=\"answered\"} 7",
            "recard_requests_total{result=\"failed\"} 0",
            "recard_throttled_total 2",
            "recard_retried_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("queue") && !text.contains("revision"), "{text}");
    }

    #[test]
    fn worker_metrics_tell_the_states_of_the_queue() {
        let numbers = WorkerNumbers {
            portals: vec![("due", 7), ("parked", 1)],
            failing: 2,
            fleet_problems: 1,
            oldest_overdue: Duration::from_millis(1500),
            revision: Some("sha256:ab".to_owned()),
            ..WorkerNumbers::default()
        };
        let text = worker_metrics(&numbers, Exposition::OpenMetrics);
        for line in [
            "recard_queue_portals{state=\"due\"} 7",
            "recard_queue_failing_portals 2",
            "recard_fleet_problems 1",
            "recard_queue_oldest_overdue_seconds 1.5",
            "recard_revision_info{revision=\"sha256:ab\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
