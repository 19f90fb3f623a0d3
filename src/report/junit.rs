//! JUnit XML for build servers: a test case for each target, guard or problem.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::xml;
use super::{FailureReport, PlanReport, Purpose, Report, ReportedRun, Subject, ValidationReport};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{CardKey, OutcomeClass};
use crate::plan::{Decision, Drift, DriftKind, PlannedTarget, Violation};

/// Every guard, as a test case: those that hold are listed too.
const GUARDS: &[&str] = &[
    "too-many-people",
    "too-large-share",
    "common-card",
    "first-user",
    "caller",
    "protected",
    "selection-shrank",
];

/// Test case.
pub(super) struct TestCase {
    pub(super) class: String,
    pub(super) name: String,
    pub(super) result: CaseResult,
}

/// Result of a test case.
pub(super) enum CaseResult {
    /// Passed; the text is a comment.
    Passed(String),
    /// Skipped: no change was needed or possible.
    Skipped(String),
    /// Failed.
    Failed(&'static str, String),
    /// Indeterminate.
    Broken(&'static str, String),
}

/// Renders the report as one `testsuites` element.
pub(super) fn render(report: &Report<'_>) -> String {
    let suites = match &report.subject {
        Subject::Plan(plan @ PlanReport { drift: Some(drift), .. }) => {
            vec![("targets", drift_cases(plan, drift))]
        }
        Subject::Plan(report) => {
            let guards =
                self::guards(&report.plan.guards.violations, &report.plan.guards.acknowledged);
            vec![("guards", guards), ("targets", plan_cases(report))]
        }
        Subject::Run(run) => vec![("targets", run_cases(run))],
        Subject::PlanFile(shown) => {
            let content = &shown.file.content;
            vec![
                ("guards", guards(&content.violations, &content.acknowledged)),
                ("targets", shown.cases()),
            ]
        }
        Subject::Validation(checked) => vec![("manifests", validation_cases(checked))],
        Subject::Failure(failed) => vec![("command", vec![failure_case(failed, report.purpose)])],
    };
    let fingerprint = match report.subject {
        Subject::Plan(plan) => plan.drift.and_then(Drift::fingerprint),
        Subject::Run(_) | Subject::PlanFile(_) | Subject::Validation(_) | Subject::Failure(_) => {
            None
        }
    };
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let all = || suites.iter().flat_map(|(_, cases)| cases);
    let _ =
        writeln!(text, "<testsuites name=\"recard {}\" {}>", report.purpose.as_str(), sums(all()));
    for (name, cases) in &suites {
        let _ = writeln!(
            text,
            "  <testsuite name=\"recard {} {name}\" {}>",
            report.purpose.as_str(),
            sums(cases.iter())
        );
        if let Some(fingerprint) = fingerprint {
            text.push_str("    <properties>\n");
            let _ =
                writeln!(text, "      <property name=\"fingerprint\" value=\"{fingerprint}\"/>");
            text.push_str("    </properties>\n");
        }
        for case in cases {
            write_case(&mut text, case);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn sums<'a>(cases: impl Iterator<Item = &'a TestCase>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.result {
            CaseResult::Passed(_) => {}
            CaseResult::Skipped(_) => skipped += 1,
            CaseResult::Failed(..) => failures += 1,
            CaseResult::Broken(..) => errors += 1,
        }
    }
    format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\""
    )
}

fn write_case(text: &mut String, case: &TestCase) {
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"0\">",
        xml(&case.class),
        xml(&case.name)
    );
    let _ = match &case.result {
        CaseResult::Passed(said) if said.is_empty() => Ok(()),
        CaseResult::Passed(said) => write!(text, "<system-out>{}</system-out>", xml(said)),
        CaseResult::Skipped(said) => write!(text, "<skipped message=\"{}\"/>", xml(said)),
        CaseResult::Failed(kind, said) => {
            write!(text, "<failure type=\"{kind}\" message=\"{0}\">{0}</failure>", xml(said))
        }
        CaseResult::Broken(kind, said) => {
            write!(text, "<error type=\"{kind}\" message=\"{0}\">{0}</error>", xml(said))
        }
    };
    text.push_str("</testcase>\n");
}

fn guards(breaches: &[Violation], acknowledged: &[Violation]) -> Vec<TestCase> {
    let said = |breaches: &[Violation], guard: &str| {
        let of_guard = breaches.iter().filter(|breach| breach.as_str() == guard);
        of_guard.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let case = |guard: &&'static str| {
        let (breaches, acknowledged) = (said(breaches, guard), said(acknowledged, guard));
        let result = match (breaches.is_empty(), acknowledged.is_empty()) {
            (false, _) => CaseResult::Failed(guard, breaches),
            (true, false) => CaseResult::Passed(format!("acknowledged: {acknowledged}")),
            (true, true) => CaseResult::Passed(String::new()),
        };
        TestCase { class: "recard.guards".to_owned(), name: (*guard).to_owned(), result }
    };
    GUARDS.iter().map(case).collect()
}

/// Returns the test cases of a plan. Planned resets are not failures.
fn plan_cases(report: &PlanReport<'_>) -> Vec<TestCase> {
    let case = |target: &PlannedTarget| {
        let said = target.decision.to_string();
        let result = match &target.decision {
            Decision::Keep(_) | Decision::Reset(_) => {
                CaseResult::Passed(format!("{}: {said}", target.decision.as_str()))
            }
            Decision::Hold(_) => CaseResult::Skipped(said),
        };
        TestCase { class: target.origin.manifest.to_string(), name: target.key.to_string(), result }
    };
    report.plan.targets.iter().map(case).collect()
}

/// Returns a test case for every target, and every missing person or department. Drift fails, with
/// its kind.
fn drift_cases(report: &PlanReport<'_>, drift: &Drift) -> Vec<TestCase> {
    let kinds: BTreeMap<CardKey, DriftKind> =
        drift.cards.iter().map(|card| (card.key, card.kind)).collect();
    let case = |target: &PlannedTarget| {
        let said = target.decision.to_string();
        let result = match kinds.get(&target.key) {
            Some(kind) if kind.is_pending() => {
                CaseResult::Failed(kind.as_str(), format!("{kind}: {said}"))
            }
            Some(_) | None => CaseResult::Passed(said),
        };
        TestCase { class: target.origin.manifest.to_string(), name: target.key.to_string(), result }
    };
    let mut cases: Vec<TestCase> = report.plan.targets.iter().map(case).collect();
    cases.extend(drift.gone.iter().map(|found| {
        let said = format!("gone: {}", found.message);
        let (class, name) = class_and_name(found);
        TestCase { class, name, result: CaseResult::Failed("gone", said) }
    }));
    cases
}

/// Returns the file, and the problem with its position in it.
fn class_and_name(found: &Diagnostic) -> (String, String) {
    match found.place() {
        Some(place) => {
            (place.file.to_string(), format!("{} at {}:{}", found.code, place.line, place.column))
        }
        None => ("recard".to_owned(), found.code.to_string()),
    }
}

fn run_cases(run: &ReportedRun<'_>) -> Vec<TestCase> {
    let class = |key| {
        run.origin(key).map_or_else(|| "recard".to_owned(), |origin| origin.manifest.to_string())
    };
    let mut cases: Vec<TestCase> = Vec::new();
    for settled in run.targets {
        let (said, word) = (settled.outcome.to_string(), settled.outcome.as_str());
        let result = match settled.outcome.class() {
            OutcomeClass::Done => CaseResult::Passed(said),
            OutcomeClass::Skipped => CaseResult::Skipped(said),
            OutcomeClass::Failed => CaseResult::Failed(word, said),
            OutcomeClass::Unknown => CaseResult::Broken(word, said),
        };
        cases.push(TestCase { class: class(settled.key), name: settled.key.to_string(), result });
    }
    for held in &run.held {
        let result = CaseResult::Failed("held", held.text.to_string());
        cases.push(TestCase { class: class(held.key), name: held.key.to_string(), result });
    }
    if let Some(reason) = run.stopped {
        let result = CaseResult::Broken("stopped", reason.to_owned());
        cases.push(TestCase {
            class: "recard".to_owned(),
            name: "the run came to its end".to_owned(),
            result,
        });
    }
    cases
}

fn validation_cases(checked: &ValidationReport<'_>) -> Vec<TestCase> {
    let mut cases = Vec::new();
    for found in checked.diagnostics {
        let help = found.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let said = format!("{}{help}", found.message);
        let (class, name) = class_and_name(found);
        let result = match found.severity {
            Severity::Error => CaseResult::Failed(found.code.as_str(), said),
            Severity::Warning => CaseResult::Passed(format!("warning: {said}")),
        };
        cases.push(TestCase { class, name, result });
    }
    for source in checked.sources {
        let is_wrong = checked.diagnostics.iter().any(|found| {
            found.is_error() && found.place().is_some_and(|place| place.file == source.name)
        });
        if !is_wrong {
            let result = CaseResult::Passed(String::new());
            cases.push(TestCase {
                class: source.name.to_string(),
                name: "is valid".to_owned(),
                result,
            });
        }
    }
    cases
}

fn failure_case(failed: &FailureReport<'_>, purpose: Purpose) -> TestCase {
    let said = failed.exact();
    TestCase {
        class: "recard".to_owned(),
        name: purpose.as_str().to_owned(),
        result: CaseResult::Broken("failure", said.trim_end().to_owned()),
    }
}
