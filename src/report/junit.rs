//! JUnit's XML, as build servers read it: a test case for each target, guard or problem.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::escape::xml;
use super::{Checked, Failed, PlanReport, Purpose, Report, SettledRun, Subject};
use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{CardKey, OutcomeClass};
use crate::plan::{Breach, Decision, Drift, DriftKind, PlannedTarget};

/// Every guard, as test cases: those that hold are told too.
const GUARDS: &[&str] = &[
    "too-many-people",
    "too-large-share",
    "common-card",
    "first-user",
    "caller",
    "protected",
    "selection-shrank",
];

/// One test case.
pub(super) struct Case {
    pub(super) class: String,
    pub(super) name: String,
    pub(super) verdict: Verdict,
}

/// How a test case ends.
pub(super) enum Verdict {
    /// It is as it should be; the text is what there is to say.
    Passed(String),
    /// Nothing was or could be done.
    Skipped(String),
    /// It is not as it should be.
    Failed(&'static str, String),
    /// Nobody knows.
    Broken(&'static str, String),
}

/// The report as one `testsuites` element.
pub(super) fn render(report: &Report<'_>) -> String {
    let suites = match &report.subject {
        Subject::Plan(plan @ PlanReport { drift: Some(drift), .. }) => {
            vec![("targets", of_drift(plan, drift))]
        }
        Subject::Plan(report) => {
            let guards =
                self::guards(&report.plan.guards.breaches, &report.plan.guards.acknowledged);
            vec![("guards", guards), ("targets", of_plan(report))]
        }
        Subject::Run(run) => vec![("targets", of_run(run))],
        Subject::PlanFile(shown) => {
            let content = &shown.file.content;
            vec![
                ("guards", guards(&content.breaches, &content.acknowledged)),
                ("targets", shown.cases()),
            ]
        }
        Subject::Validation(checked) => vec![("manifests", of_problems(checked))],
        Subject::Failure(failed) => vec![("command", vec![of_failure(failed, report.purpose)])],
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
        writeln!(text, "<testsuites name=\"recard {}\" {}>", report.purpose.word(), sums(all()));
    for (name, cases) in &suites {
        let _ = writeln!(
            text,
            "  <testsuite name=\"recard {} {name}\" {}>",
            report.purpose.word(),
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

fn sums<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.verdict {
            Verdict::Passed(_) => {}
            Verdict::Skipped(_) => skipped += 1,
            Verdict::Failed(..) => failures += 1,
            Verdict::Broken(..) => errors += 1,
        }
    }
    format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"0\""
    )
}

fn write_case(text: &mut String, case: &Case) {
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"0\">",
        xml(&case.class),
        xml(&case.name)
    );
    let _ = match &case.verdict {
        Verdict::Passed(said) if said.is_empty() => Ok(()),
        Verdict::Passed(said) => write!(text, "<system-out>{}</system-out>", xml(said)),
        Verdict::Skipped(said) => write!(text, "<skipped message=\"{}\"/>", xml(said)),
        Verdict::Failed(kind, said) => {
            write!(text, "<failure type=\"{kind}\" message=\"{0}\">{0}</failure>", xml(said))
        }
        Verdict::Broken(kind, said) => {
            write!(text, "<error type=\"{kind}\" message=\"{0}\">{0}</error>", xml(said))
        }
    };
    text.push_str("</testcase>\n");
}

fn guards(breaches: &[Breach], acknowledged: &[Breach]) -> Vec<Case> {
    let said = |breaches: &[Breach], guard: &str| {
        let of_guard = breaches.iter().filter(|breach| breach.word() == guard);
        of_guard.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let case = |guard: &&'static str| {
        let (breaches, acknowledged) = (said(breaches, guard), said(acknowledged, guard));
        let verdict = match (breaches.is_empty(), acknowledged.is_empty()) {
            (false, _) => Verdict::Failed(guard, breaches),
            (true, false) => Verdict::Passed(format!("acknowledged: {acknowledged}")),
            (true, true) => Verdict::Passed(String::new()),
        };
        Case { class: "recard.guards".to_owned(), name: (*guard).to_owned(), verdict }
    };
    GUARDS.iter().map(case).collect()
}

/// Planned resets are no failures.
fn of_plan(report: &PlanReport<'_>) -> Vec<Case> {
    let case = |target: &PlannedTarget| {
        let said = target.decision.to_string();
        let verdict = match &target.decision {
            Decision::Keep(_) | Decision::Reset(_) => {
                Verdict::Passed(format!("{}: {said}", target.decision.word()))
            }
            Decision::Hold(_) => Verdict::Skipped(said),
        };
        Case { class: target.origin.manifest.to_string(), name: target.key.to_string(), verdict }
    };
    report.plan.targets.iter().map(case).collect()
}

/// Every target, and whoever is gone. What drifted fails, with its kind.
fn of_drift(report: &PlanReport<'_>, drift: &Drift) -> Vec<Case> {
    let kinds: BTreeMap<CardKey, DriftKind> =
        drift.cards.iter().map(|card| (card.key, card.kind)).collect();
    let case = |target: &PlannedTarget| {
        let said = target.decision.to_string();
        let verdict = match kinds.get(&target.key) {
            Some(kind) if kind.is_pending() => {
                Verdict::Failed(kind.word(), format!("{kind}: {said}"))
            }
            Some(_) | None => Verdict::Passed(said),
        };
        Case { class: target.origin.manifest.to_string(), name: target.key.to_string(), verdict }
    };
    let mut cases: Vec<Case> = report.plan.targets.iter().map(case).collect();
    cases.extend(drift.gone.iter().map(|found| {
        let said = format!("gone: {}", found.message);
        let (class, name) = place_of(found);
        Case { class, name, verdict: Verdict::Failed("gone", said) }
    }));
    cases
}

/// The file, and what and where in it.
fn place_of(found: &Diagnostic) -> (String, String) {
    match found.place() {
        Some(place) => {
            (place.file.to_string(), format!("{} at {}:{}", found.code, place.line, place.column))
        }
        None => ("recard".to_owned(), found.code.to_string()),
    }
}

fn of_run(run: &SettledRun<'_>) -> Vec<Case> {
    let class = |key| {
        run.origin(key).map_or_else(|| "recard".to_owned(), |origin| origin.manifest.to_string())
    };
    let mut cases: Vec<Case> = Vec::new();
    for settled in run.targets {
        let (said, word) = (settled.outcome.to_string(), settled.outcome.word());
        let verdict = match settled.outcome.class() {
            OutcomeClass::Done => Verdict::Passed(said),
            OutcomeClass::Skipped => Verdict::Skipped(said),
            OutcomeClass::Failed => Verdict::Failed(word, said),
            OutcomeClass::Unknown => Verdict::Broken(word, said),
        };
        cases.push(Case { class: class(settled.key), name: settled.key.to_string(), verdict });
    }
    for held in &run.held {
        let verdict = Verdict::Failed("held", held.text.to_string());
        cases.push(Case { class: class(held.key), name: held.key.to_string(), verdict });
    }
    if let Some(reason) = run.stopped {
        let verdict = Verdict::Broken("stopped", reason.to_owned());
        cases.push(Case {
            class: "recard".to_owned(),
            name: "the run came to its end".to_owned(),
            verdict,
        });
    }
    cases
}

fn of_problems(checked: &Checked<'_>) -> Vec<Case> {
    let mut cases = Vec::new();
    for found in checked.diagnostics {
        let help = found.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
        let said = format!("{}{help}", found.message);
        let (class, name) = place_of(found);
        let verdict = match found.severity {
            Severity::Error => Verdict::Failed(found.code.as_str(), said),
            Severity::Warning => Verdict::Passed(format!("warning: {said}")),
        };
        cases.push(Case { class, name, verdict });
    }
    for source in checked.sources {
        let is_wrong = checked.diagnostics.iter().any(|found| {
            found.is_error() && found.place().is_some_and(|place| place.file == source.name)
        });
        if !is_wrong {
            let verdict = Verdict::Passed(String::new());
            cases.push(Case {
                class: source.name.to_string(),
                name: "is valid".to_owned(),
                verdict,
            });
        }
    }
    cases
}

fn of_failure(failed: &Failed<'_>, purpose: Purpose) -> Case {
    let said = failed.exact();
    Case {
        class: "recard".to_owned(),
        name: purpose.word().to_owned(),
        verdict: Verdict::Broken("failure", said.trim_end().to_owned()),
    }
}
