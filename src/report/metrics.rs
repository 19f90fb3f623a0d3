//! Prometheus metrics: of all rounds of a loop, and of one run.
//!
//! A loop has counters, which a scrape turns into rates. One run has none: the next run is another
//! process, whose counters would begin again unseen. Its numbers are gauges, `recard_last_run_…`,
//! with the command and the portal as labels, so that the files of several runs can lie in one
//! folder. A gauge is left out until its value is known.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::{RenderOptions, Report, Subject};
use crate::plan::{Drift, DriftKind, Plan};

/// Label of a metric; each has one.
type MetricLabel = [(&'static str, &'static str); 1];

/// Numbers by the value of a label.
type Counts = Vec<(&'static str, u64)>;

/// Upper bounds of the durations of rounds, in seconds.
const DURATIONS: [f64; 11] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

/// Format of metrics on their way to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format 0.0.4, which every agent reads.
    Text,
}

/// Requests of a process to its portals, and its waits for their limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestTotals {
    /// Requests with a usable answer.
    pub answered: u64,
    /// Requests without one: cut, late, malformed, or with an error page.
    pub failed: u64,
    /// Requests and commands that the portal refused because of a limit.
    pub throttled: u64,
    /// Requests that were repeated after a failure.
    pub retried: u64,
    /// The time spent waiting for the limit on requests.
    pub waited_for_rate: Duration,
    /// The time spent waiting for the limit on the portal's working time.
    pub waited_for_operating_time: Duration,
}

impl RequestTotals {
    fn results(&self) -> Counts {
        vec![("answered", self.answered), ("failed", self.failed)]
    }

    fn waits(&self) -> [(&'static str, f64); 2] {
        [
            ("rate", self.waited_for_rate.as_secs_f64()),
            ("operating-time", self.waited_for_operating_time.as_secs_f64()),
        ]
    }
}

/// Metrics of all rounds so far.
pub struct Metrics {
    state: Mutex<LoopNumbers>,
    durations: Histogram,
}

struct LoopNumbers {
    last: ReportNumbers,
    rounds: Counts,
    outcomes: Counts,
    requests: RequestTotals,
    last_round: Option<Timestamp>,
    last_success: Option<Timestamp>,
}

/// Numbers of one report, as far as it has them.
#[derive(Default)]
struct ReportNumbers {
    cards: Counts,
    drift: Counts,
    outcomes: Counts,
}

impl ReportNumbers {
    fn read(subject: Subject<'_>) -> Self {
        match subject {
            Subject::Plan(report) => {
                let numbers = Self::of_plan(report.plan);
                match report.drift {
                    Some(drift) => Self { drift: kinds(drift), ..numbers },
                    None => numbers,
                }
            }
            Subject::Run(run) => {
                let totals = run.totals();
                let outcomes = [
                    ("done", totals.done),
                    ("skipped", totals.skipped),
                    ("failed", totals.failed),
                    ("unknown", totals.unknown),
                ];
                let outcomes =
                    outcomes.into_iter().map(|(word, count)| (word, u64::from(count))).collect();
                Self { outcomes, ..run.plan.map(Self::of_plan).unwrap_or_default() }
            }
            Subject::PlanFile(_)
            | Subject::Restore(_)
            | Subject::Validation(_)
            | Subject::Failure(_) => Self::default(),
        }
    }

    fn of_plan(plan: &Plan) -> Self {
        let counts = plan.counts();
        let cards = [("keep", counts.keep), ("reset", counts.reset), ("hold", counts.hold)];
        Self {
            cards: cards.into_iter().map(|(word, count)| (word, u64::from(count))).collect(),
            drift: kinds(&Drift::from_plan(plan, Vec::new())),
            outcomes: Counts::new(),
        }
    }

    fn register(&self, registry: &mut Registry) {
        gauges(
            registry,
            "cards",
            "Cards of the last plan, by its decision",
            "decision",
            &self.cards,
        );
        gauges(
            registry,
            "drift_cards",
            "Cards that differed from the manifests when they were last read, by kind",
            "kind",
            &self.drift,
        );
        gauges(
            registry,
            "last_run_cards",
            "Cards that the last run was to change, by outcome",
            "outcome",
            &self.outcomes,
        );
    }
}

fn kinds(drift: &Drift) -> Counts {
    DriftKind::ALL.map(|kind| (kind.as_str(), u64::from(drift.count(kind)))).to_vec()
}

impl Metrics {
    /// Creates the metrics without any round. A counter that exists from the start shows its first
    /// increment, so the results of rounds are named beforehand.
    pub fn new(results: &[&'static str]) -> Self {
        let zero = |words: &[&'static str]| words.iter().map(|word| (*word, 0)).collect::<Counts>();
        let state = LoopNumbers {
            last: ReportNumbers::default(),
            rounds: zero(results),
            outcomes: zero(&["done", "skipped", "failed", "unknown"]),
            requests: RequestTotals::default(),
            last_round: None,
            last_success: None,
        };
        Self { state: Mutex::new(state), durations: Histogram::new(DURATIONS) }
    }

    /// Records the report of a round. A round without a plan leaves the numbers of the plan before.
    pub fn record_report(&self, subject: Subject<'_>) {
        let read = ReportNumbers::read(subject);
        let mut state = self.state();
        for (word, count) in &read.outcomes {
            add(&mut state.outcomes, word, *count);
        }
        if !read.cards.is_empty() {
            (state.last.cards, state.last.drift) = (read.cards, read.drift);
        }
        if !read.outcomes.is_empty() {
            state.last.outcomes = read.outcomes;
        }
    }

    /// Records the end of a round, and the requests of the process so far.
    pub fn record_round(
        &self,
        result: &'static str,
        succeeded: bool,
        at: Timestamp,
        took: Duration,
        requests: RequestTotals,
    ) {
        self.durations.observe(took.as_secs_f64());
        let mut state = self.state();
        add(&mut state.rounds, result, 1);
        state.requests = requests;
        state.last_round = Some(at);
        if succeeded {
            state.last_success = Some(at);
        }
    }

    /// Returns all metrics.
    pub fn text(&self, exposition: Exposition) -> String {
        let mut registry = Registry::with_prefix("recard");
        register_build(&mut registry);
        let state = self.state();
        state.last.register(&mut registry);
        counters(&mut registry, "rounds", "Rounds, by how they ended", "result", &state.rounds);
        let help = "Cards that were to be reset, by what became of them";
        counters(&mut registry, "outcomes", help, "outcome", &state.outcomes);
        register_requests(&mut registry, &state.requests);
        let help = "Duration of rounds";
        registry.register_with_unit("round_duration", help, Unit::Seconds, self.durations.clone());
        let help = "When the last round ended, in seconds since 1970";
        timestamp(&mut registry, "last_round_timestamp", help, state.last_round);
        let help = "When a round last ended well, in seconds since 1970";
        timestamp(&mut registry, "last_success_timestamp", help, state.last_success);
        written(&registry, exposition)
    }

    fn state(&self) -> MutexGuard<'_, LoopNumbers> {
        // Numbers only: a panic while they were locked leaves a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renders the metrics of one run.
pub(super) fn of_run(report: &Report<'_>, options: &RenderOptions) -> String {
    let command = ("command", report.purpose.as_str().to_owned());
    let portal = match report.subject {
        Subject::Plan(report) => Some(report.plan.portal.as_str()),
        Subject::Run(run) => Some(run.portal),
        Subject::Validation(report) => report.portal,
        Subject::PlanFile(_) | Subject::Restore(_) | Subject::Failure(_) => None,
    };
    let portal = portal.map(|portal| ("portal", portal.to_owned()));
    let labels = std::iter::once(command)
        .chain(portal)
        .map(|(name, value)| (Cow::Borrowed(name), Cow::Owned(value)));
    let mut registry = Registry::with_prefix_and_labels("recard", labels);
    register_build(&mut registry);
    ReportNumbers::read(report.subject).register(&mut registry);
    let failed = i64::from(matches!(report.subject, Subject::Failure(_)));
    let help = "1 if the last run failed before it had a result";
    registry.register("last_run_failed", help, gauge(failed));
    let help = "When the last run began, in seconds since 1970";
    timestamp(&mut registry, "last_run_timestamp", help, options.made);
    let help = "Requests of the last run, by whether the answer could be used";
    gauges(&mut registry, "last_run_requests", help, "result", &options.requests.results());
    let waits = Family::<MetricLabel, Gauge<f64, AtomicU64>>::default();
    for (limit, seconds) in options.requests.waits() {
        waits.get_or_create(&[("limit", limit)]).set(seconds);
    }
    let help = "Time that the last run spent waiting for the portal's limits, by limit";
    registry.register_with_unit("last_run_limit_wait", help, Unit::Seconds, waits);
    written(&registry, Exposition::Text)
}

fn add(counts: &mut Counts, word: &'static str, more: u64) {
    match counts.iter_mut().find(|(known, _)| *known == word) {
        Some((_, count)) => *count += more,
        None => counts.push((word, more)),
    }
}

pub(super) fn register_build(registry: &mut Registry) {
    let build = Family::<MetricLabel, Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
    registry.register("build_info", "The program; the value is always 1", build);
}

pub(super) fn gauge(value: i64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(value);
    gauge
}

/// Registers the requests of a process to its portals.
pub(super) fn register_requests(registry: &mut Registry, requests: &RequestTotals) {
    let help = "Requests to the portal, by whether the answer could be used";
    counters(registry, "requests", help, "result", &requests.results());
    let help = "Requests and commands that the portal refused because of a limit";
    registry.register("throttled", help, counter(requests.throttled));
    let help = "Requests that were repeated after a failure";
    registry.register("retried", help, counter(requests.retried));
    let waits = Family::<MetricLabel, Counter<f64, AtomicU64>>::default();
    for (limit, seconds) in requests.waits() {
        waits.get_or_create(&[("limit", limit)]).inc_by(seconds);
    }
    let help = "Time spent waiting for the portal's limits, by limit";
    registry.register_with_unit("limit_wait", help, Unit::Seconds, waits);
}

fn counter(value: u64) -> Counter {
    let counter = Counter::default();
    counter.inc_by(value);
    counter
}

pub(super) fn gauges(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    counts: &Counts,
) {
    if counts.is_empty() {
        return;
    }
    let family = Family::<MetricLabel, Gauge>::default();
    for (word, count) in counts {
        family.get_or_create(&[(label, *word)]).set(i64::try_from(*count).unwrap_or(i64::MAX));
    }
    registry.register(name, help, family);
}

pub(super) fn counters(
    registry: &mut Registry,
    name: &str,
    help: &str,
    label: &'static str,
    counts: &Counts,
) {
    let family = Family::<MetricLabel, Counter>::default();
    for (word, count) in counts {
        family.get_or_create(&[(label, *word)]).inc_by(*count);
    }
    registry.register(name, help, family);
}

fn timestamp(registry: &mut Registry, name: &str, help: &str, at: Option<Timestamp>) {
    if let Some(at) = at {
        registry.register_with_unit(name, help, Unit::Seconds, gauge(at.as_second()));
    }
}

pub(super) fn written(registry: &Registry, exposition: Exposition) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = encode(&mut text, registry);
    match exposition {
        Exposition::OpenMetrics => text,
        Exposition::Text => plain_text(&text),
    }
}

/// Returns OpenMetrics in the text format 0.0.4: it has no unit and no end, and a counter is
/// described under the name that its values have.
fn plain_text(open_metrics: &str) -> String {
    let described = |line: &str| {
        let (kind, rest) = line.strip_prefix("# ")?.split_once(' ')?;
        let (name, text) = rest.split_once(' ')?;
        Some((kind.to_owned(), name.to_owned(), text.to_owned()))
    };
    let counters: BTreeSet<String> = open_metrics
        .lines()
        .filter_map(described)
        .filter(|(kind, _, text)| kind == "TYPE" && text == "counter")
        .map(|(_, name, _)| name)
        .collect();
    let mut plain = String::new();
    for line in open_metrics.lines() {
        match described(line) {
            Some((kind, ..)) if kind == "UNIT" => continue,
            Some((kind, name, text)) if counters.contains(&name) => {
                plain.push_str(&format!("# {kind} {name}_total {text}"));
            }
            None if line == "# EOF" => continue,
            Some(_) | None => plain.push_str(line),
        }
        plain.push('\n');
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TargetOutcome;
    use crate::model::{CardKey, LeadCustomerType, Outcome};
    use crate::report::ReportedRun;

    #[test]
    fn metrics_card_changed_since_the_plan_counts_as_skipped() {
        let metrics = Metrics::new(&["done"]);
        let targets = [TargetOutcome {
            key: CardKey::common(LeadCustomerType::Simple),
            outcome: Outcome::Changed,
        }];
        metrics.record_report(Subject::Run(&ReportedRun {
            targets: &targets,
            ..ReportedRun::not_begun("embedded")
        }));
        let text = metrics.text(Exposition::OpenMetrics);
        assert!(text.contains("recard_outcomes_total{outcome=\"skipped\"} 1"), "{text}");
        assert!(text.contains("recard_outcomes_total{outcome=\"failed\"} 0"), "{text}");
    }

    #[test]
    fn metrics_before_the_first_round_have_no_gauge_but_that_of_the_build() {
        let text = Metrics::new(&["done"]).text(Exposition::Text);
        let gauges: Vec<&str> = text.lines().filter(|line| line.ends_with(" gauge")).collect();
        assert_eq!(gauges, ["# TYPE recard_build_info gauge"], "{text}");
        assert!(!text.contains("timestamp") && !text.contains("recard_cards"), "{text}");
    }

    #[test]
    fn metrics_as_text_describe_counters_by_the_name_of_their_values() {
        let metrics = Metrics::new(&["done"]);
        let noon = "2026-11-01T12:00:00Z".parse().unwrap();
        let requests = RequestTotals {
            answered: 5,
            waited_for_rate: Duration::from_millis(1500),
            ..RequestTotals::default()
        };
        metrics.record_round("done", true, noon, Duration::from_secs(3), requests);
        let text = metrics.text(Exposition::Text);
        for line in [
            "# TYPE recard_requests_total counter",
            "recard_requests_total{result=\"answered\"} 5",
            "recard_limit_wait_seconds_total{limit=\"rate\"} 1.5",
            "recard_round_duration_seconds_bucket{le=\"5.0\"} 1",
            "recard_round_duration_seconds_bucket{le=\"2.5\"} 0",
            "recard_last_success_timestamp_seconds 1793534400",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
        assert!(metrics.text(Exposition::OpenMetrics).ends_with("# EOF\n"));
    }
}
