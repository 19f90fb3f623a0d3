//! Prometheus metrics of a long-running recard.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::exit;
use crate::plan::Plan;
use crate::report::Subject;

/// Label of a metric; each has one.
type MetricLabel = [(&'static str, &'static str); 1];

/// Metrics of all rounds so far.
pub(super) struct Metrics {
    registry: Registry,
    rounds: Family<MetricLabel, Counter>,
    cards: Family<MetricLabel, Gauge>,
    outcomes: Family<MetricLabel, Counter>,
    duration: Gauge<f64, AtomicU64>,
    last_round: Gauge,
    last_success: Gauge,
}

impl Metrics {
    /// Creates the metrics without any round.
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("recard");
        let rounds = Family::<MetricLabel, Counter>::default();
        registry.register("rounds", "Rounds, by how they ended", rounds.clone());
        let cards = Family::<MetricLabel, Gauge>::default();
        registry.register(
            "cards",
            "Cards that the last plan selected, by what it decided",
            cards.clone(),
        );
        let outcomes = Family::<MetricLabel, Counter>::default();
        registry.register(
            "outcomes",
            "Cards that were to be reset, by what became of them",
            outcomes.clone(),
        );
        let duration = Gauge::<f64, AtomicU64>::default();
        registry.register_with_unit(
            "round_duration",
            "How long the last round took",
            Unit::Seconds,
            duration.clone(),
        );
        let last_round = Gauge::default();
        let help = "When the last round ended, in seconds since 1970";
        registry.register_with_unit(
            "last_round_timestamp",
            help,
            Unit::Seconds,
            last_round.clone(),
        );
        let last_success = Gauge::default();
        let help = "When a round last ended well, in seconds since 1970";
        registry.register_with_unit(
            "last_success_timestamp",
            help,
            Unit::Seconds,
            last_success.clone(),
        );
        for result in RESULTS {
            // A counter that exists from the start shows its first increment.
            let _ = rounds.get_or_create(&[("result", result)]);
        }
        Self { registry, rounds, cards, outcomes, duration, last_round, last_success }
    }

    /// Records the report of a round.
    pub(super) fn record_report(&self, subject: Subject<'_>) {
        match subject {
            Subject::Plan(report) => self.record_plan(report.plan),
            Subject::Run(run) => {
                if let Some(plan) = run.plan {
                    self.record_plan(plan);
                }
                let totals = run.totals();
                let counts = [
                    ("done", totals.done),
                    ("skipped", totals.skipped),
                    ("failed", totals.failed),
                    ("unknown", totals.unknown),
                ];
                for (outcome, count) in counts {
                    self.outcomes.get_or_create(&[("outcome", outcome)]).inc_by(u64::from(count));
                }
            }
            Subject::PlanFile(_)
            | Subject::Restore(_)
            | Subject::Validation(_)
            | Subject::Failure(_) => {}
        }
    }

    fn record_plan(&self, plan: &Plan) {
        let counts = plan.counts();
        for (decision, count) in
            [("keep", counts.keep), ("reset", counts.reset), ("hold", counts.hold)]
        {
            self.cards.get_or_create(&[("decision", decision)]).set(i64::from(count));
        }
    }

    /// Records the end of a round.
    pub(super) fn record_round(&self, code: u8, at: Timestamp, took: Duration) {
        self.rounds.get_or_create(&[("result", result(code))]).inc();
        self.duration.set(took.as_secs_f64());
        self.last_round.set(at.as_second());
        if code == exit::DONE {
            self.last_success.set(at.as_second());
        }
    }

    /// Returns all metrics, in the format of Prometheus.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// Results of rounds, as stable words.
const RESULTS: [&str; 6] = ["done", "partial", "refused", "locked", "interrupted", "error"];

/// Returns the word for an exit code.
pub(super) fn result(code: u8) -> &'static str {
    match code {
        exit::DONE => tr_later!("done"),
        exit::PARTIAL => tr_later!("partial"),
        exit::REFUSED => tr_later!("refused"),
        exit::LOCKED => tr_later!("locked"),
        exit::INTERRUPTED | exit::TERMINATED => tr_later!("interrupted"),
        _ => tr_later!("error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TargetOutcome;
    use crate::model::{CardKey, LeadCustomerType, Outcome};
    use crate::report::ReportedRun;

    #[test]
    fn metrics_card_changed_since_the_plan_counts_as_skipped() {
        let metrics = Metrics::new();
        let targets = [TargetOutcome {
            key: CardKey::common(LeadCustomerType::Simple),
            outcome: Outcome::Changed,
        }];
        metrics.record_report(Subject::Run(&ReportedRun {
            targets: &targets,
            ..ReportedRun::not_begun("embedded")
        }));
        let text = metrics.text();
        assert!(text.contains("recard_outcomes_total{outcome=\"skipped\"} 1"), "{text}");
        assert!(text.contains("recard_outcomes_total{outcome=\"failed\"} 0"), "{text}");
    }
}
