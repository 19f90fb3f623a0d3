//! Fleet report for programs: CSV and JUnit, with a row or a test case for each portal.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::records::fleet::{FleetReport, PortalOutcome};
use crate::report::csv::CsvTable;
use crate::report::escape::{self, xml_text};

/// Renders the report as a table.
pub(super) fn csv(report: &FleetReport) -> String {
    let mut table = CsvTable::new(&[
        "portal",
        "wave",
        "outcome",
        "cause",
        "people",
        "reset",
        "keep",
        "hold",
        "run",
        "milliseconds",
        "new",
        "labels",
        "revision",
        "overdue",
        "worker",
    ]);
    for row in &report.portals {
        let labels = row.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let labels = labels.collect::<Vec<_>>().join(",");
        let counts = &row.counts;
        table.row(&[
            &row.portal,
            &row.wave,
            &row.outcome.as_str(),
            &row.cause,
            &counts.people,
            &counts.reset,
            &counts.keep,
            &counts.hold,
            &row.run.as_deref().unwrap_or_default(),
            &row.milliseconds,
            &row.new,
            &labels,
            &row.revision.as_deref().unwrap_or_default(),
            &row.overdue_seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
            &row.worker.as_deref().unwrap_or_default(),
        ]);
    }
    table.into_text()
}

/// Renders the report as one test suite.
pub(super) fn junit(report: &FleetReport) -> String {
    use PortalOutcome::{NeverSeen, NotReached, PassedOver, Paused};
    let mut document = quick_junit::Report::new(format!("recard fleet {}", report.command));
    document.set_time(Duration::from_secs(report.seconds.into()));
    let mut suite = TestSuite::new(xml_text(&report.fleet));
    suite.set_time(Duration::from_secs(report.seconds.into()));
    for row in &report.portals {
        let detail = xml_text(if row.detail.is_empty() { &row.cause } else { &row.detail });
        let mut status = match row.outcome {
            outcome if outcome.is_failure() => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_description(detail);
                status
            }
            // No round proves anything of the portal.
            Paused | PassedOver | NotReached | NeverSeen => TestCaseStatus::skipped(),
            _ => TestCaseStatus::success(),
        };
        status.set_type(row.outcome.as_str()).set_message(xml_text(&row.cause));
        let mut case = TestCase::new(xml_text(&row.portal), status);
        case.set_classname(xml_text(&format!("recard.fleet.{}", row.wave)));
        case.set_time(Duration::from_millis(row.milliseconds.into()));
        suite.add_test_case(case);
    }
    document.add_test_suite(suite);
    // Memory takes every write.
    escape::xml(&document.to_string().unwrap_or_default())
}
