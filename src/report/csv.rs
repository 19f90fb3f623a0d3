//! CSV tables for spreadsheets: RFC 4180, a line a target or problem.

use std::fmt::Display;

use super::escape;
use super::{
    FailureReport, HeldTarget, PlanReport, Report, ReportedRun, Subject, ValidationReport,
};
use crate::engine::TargetOutcome;
use crate::model::{CardKey, OutcomeClass, SourceLocation};
use crate::plan::{Drift, DriftedCard, OnceState, PlannedTarget};

/// The columns of a plan.
pub(super) const PLAN_HEADINGS: [&str; 15] = [
    "target",
    "user",
    "name",
    "lead type",
    "decision",
    "reason",
    "text",
    "sections",
    "fields",
    "generation",
    "manifest",
    "file",
    "line",
    "selector",
    "once",
];

/// Renders the report as a table with a line of headings.
pub(super) fn render(report: &Report<'_>) -> String {
    let mut table = Table(String::new());
    match &report.subject {
        Subject::Plan(plan @ PlanReport { drift: Some(drift), .. }) => {
            write_drift(&mut table, plan, drift)
        }
        Subject::Plan(plan) => write_plan(&mut table, plan),
        Subject::Run(run) => write_run(&mut table, run),
        Subject::PlanFile(shown) => shown.csv(&mut table),
        Subject::Validation(checked) => write_problems(&mut table, checked),
        Subject::Failure(failed) => write_failure(&mut table, failed),
    }
    table.0
}

/// Rows of quoted fields; each ends as RFC 4180 says.
#[derive(Default)]
pub(super) struct Table(String);

impl Table {
    /// Returns the text of all rows.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Adds a row.
    pub(super) fn row(&mut self, fields: &[&dyn Display]) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.0.push_str(&escape::csv(&field.to_string()));
        }
        self.0.push_str("\r\n");
    }
}

fn write_plan(table: &mut Table, report: &PlanReport<'_>) {
    table.row(&PLAN_HEADINGS.each_ref().map(|heading| heading as &dyn Display));
    let plan = report.plan;
    for PlannedTarget { key, decision, generation, once, origin } in &plan.targets {
        let (sections, fields) = match decision.layout() {
            Some(layout) => (layout.sections().to_string(), layout.fields().to_string()),
            None => (String::new(), String::new()),
        };
        let generation = generation.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row(&[
            key,
            &user(*key),
            &plan.person_name(*key),
            &key.lead,
            &decision.as_str(),
            &decision.reason_str(),
            decision,
            &sections,
            &fields,
            &generation,
            &origin.manifest,
            &origin.place.file,
            &origin.place.line,
            &origin.selector,
            &once.map_or("", OnceState::as_str),
        ]);
    }
}

/// Writes each drifted card and each missing person or department; every row has the fingerprint.
fn write_drift(table: &mut Table, report: &PlanReport<'_>, drift: &Drift) {
    table.row(&[
        &"target",
        &"user",
        &"name",
        &"lead type",
        &"kind",
        &"drift",
        &"text",
        &"generation",
        &"manifest",
        &"file",
        &"line",
        &"selector",
        &"fingerprint",
    ]);
    let fingerprint =
        drift.fingerprint().map(|fingerprint| fingerprint.to_string()).unwrap_or_default();
    for DriftedCard { key, kind, generation, origin } in &drift.cards {
        let generation = generation.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row(&[
            key,
            &user(*key),
            &report.plan.person_name(*key),
            &key.lead,
            &kind.as_str(),
            &if kind.is_pending() { "yes" } else { "no" },
            kind,
            &generation,
            &origin.manifest,
            &origin.place.file,
            &origin.place.line,
            &origin.selector,
            &fingerprint,
        ]);
    }
    for found in &drift.gone {
        let (file, line) =
            found.place().map(|place| (&*place.file, place.line.to_string())).unwrap_or_default();
        let none = "";
        table.row(&[
            &none,
            &none,
            &none,
            &none,
            &"gone",
            &"yes",
            &found.message,
            &none,
            &none,
            &file,
            &line,
            &none,
            &fingerprint,
        ]);
    }
}

fn write_run(table: &mut Table, run: &ReportedRun<'_>) {
    table.row(&[&"target", &"user", &"name", &"lead type", &"result", &"outcome", &"text"]);
    for TargetOutcome { key, outcome } in run.targets {
        let class = match outcome.class() {
            OutcomeClass::Done => "done",
            OutcomeClass::Skipped => "skipped",
            OutcomeClass::Failed => "failed",
            OutcomeClass::Unknown => "unknown",
        };
        table.row(&[
            key,
            &user(*key),
            &run.person_name(*key),
            &key.lead,
            &class,
            &outcome.as_str(),
            outcome,
        ]);
    }
    for HeldTarget { key, reason, text } in &run.held {
        table.row(&[key, &user(*key), &run.person_name(*key), &key.lead, &"held", reason, text]);
    }
}

fn write_problems(table: &mut Table, checked: &ValidationReport<'_>) {
    table.row(&[&"severity", &"code", &"file", &"line", &"column", &"message", &"help"]);
    for found in checked.diagnostics {
        let number = |number: fn(&SourceLocation) -> u32| {
            found.place().map(|place| number(place).to_string()).unwrap_or_default()
        };
        table.row(&[
            &found.severity,
            &found.code,
            &found.place().map_or("", |place| &place.file),
            &number(|place| place.line),
            &number(|place| place.column),
            &found.message,
            &found.help.as_deref().unwrap_or_default(),
        ]);
    }
}

fn write_failure(table: &mut Table, failed: &FailureReport<'_>) {
    table.row(&[&"exit code", &"kind", &"text"]);
    for text in failed.chain {
        table.row(&[&failed.code, &"error", text]);
    }
    for hint in failed.hints {
        table.row(&[&failed.code, &"help", hint]);
    }
}

fn user(key: CardKey) -> String {
    key.user().map(|user| user.to_string()).unwrap_or_default()
}
