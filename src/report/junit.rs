//! JUnit XML for build servers: a test case for each target, guard or problem.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::escape::{self, xml_text};
use super::report_model::{CheckResult, CiCheck, Guards, ReportModel, Row};
use crate::plan::Violation;

/// Every guard: those that hold are test cases too.
const GUARDS: &[&str] = &[
    "too-many-people",
    "too-large-share",
    "common-card",
    "first-user",
    "caller",
    "protected",
    "selection-shrank",
];

/// Renders the report as one `testsuites` element.
pub(super) fn render(model: &ReportModel<'_>) -> String {
    let mut document = quick_junit::Report::new(format!("recard {}", model.purpose.as_str()));
    document.set_time(Duration::ZERO);
    if let Some(guards) = &model.guards {
        let cases = GUARDS.iter().map(|guard| test_case(&guard_check(guards, guard)));
        document.add_test_suite(suite(model, "guards", cases));
    }
    let rows = model.rows.iter().filter_map(Row::check);
    let cases = rows.map(|check| test_case(&check)).chain(model.checks.iter().map(test_case));
    document.add_test_suite(suite(model, model.rows_are, cases));
    // Memory takes every write.
    escape::xml(&document.to_string().unwrap_or_default())
}

fn suite(model: &ReportModel<'_>, name: &str, cases: impl Iterator<Item = TestCase>) -> TestSuite {
    let mut suite = TestSuite::new(format!("recard {} {name}", model.purpose.as_str()));
    suite.set_time(Duration::ZERO);
    if let Some(fingerprint) = model.fingerprint {
        suite.add_property(("fingerprint", fingerprint.to_string().as_str()));
    }
    suite.add_test_cases(cases);
    suite
}

fn guard_check(guards: &Guards<'_>, guard: &'static str) -> CiCheck {
    let of_guard = |violation: &&Violation| violation.as_str() == guard;
    let lines = |found: Vec<&Violation>| {
        let words =
            found.into_iter().filter(of_guard).map(|found| String::from(found.words(guards.names)));
        words.collect::<Vec<_>>().join("\n")
    };
    let violations = lines(guards.violations.iter().map(|(found, _)| *found).collect());
    let acknowledged = lines(guards.acknowledged.iter().collect());
    let (result, text) = match (violations.is_empty(), acknowledged.is_empty()) {
        (false, _) => (CheckResult::Failed(guard), violations),
        (true, false) => (CheckResult::Passed, format!("acknowledged: {acknowledged}")),
        (true, true) => (CheckResult::Passed, String::new()),
    };
    CiCheck { class: "recard.guards".to_owned(), name: guard.to_owned(), result, text }
}

fn test_case(CiCheck { class, name, result, text }: &CiCheck) -> TestCase {
    let text = xml_text(text);
    let status = match result {
        CheckResult::Passed => TestCaseStatus::success(),
        CheckResult::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(text.as_str());
            status
        }
        CheckResult::Failed(kind) => non_success(NonSuccessKind::Failure, kind, &text),
        CheckResult::Broken(kind) => non_success(NonSuccessKind::Error, kind, &text),
    };
    let mut case = TestCase::new(xml_text(name), status);
    case.set_classname(xml_text(class)).set_time(Duration::ZERO);
    if *result == CheckResult::Passed && !text.is_empty() {
        case.set_system_out(text);
    }
    case
}

fn non_success(kind: NonSuccessKind, word: &str, text: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(word).set_message(text).set_description(text);
    status
}
