//! Report model of a run.

use super::columns;
use crate::engine::TargetOutcome;
use crate::model::OutcomeClass;
use crate::report::report_model::{
    Attention, Check, CheckResult, Finding, FindingLevel, ReportModel, Row, RowText,
};
use crate::report::subject::{HeldTarget, ReportedRun};

/// Fills the model. A held target fails, because the run did not try it.
pub(super) fn fill<'a>(model: ReportModel<'a>, run: &'a ReportedRun<'a>) -> ReportModel<'a> {
    let targets = run.targets.iter().map(|settled| row(run, settled));
    let held = run.held.iter().map(|HeldTarget { key, reason, text }| Row {
        result: Some(CheckResult::Failed("held")),
        attention: Some(Attention::Held),
        origin: run.origin(*key),
        ..Row::about(*key, run.person_name(*key), ("held", reason), RowText::Of(text))
    });
    let stopped = run.stopped.map(|reason| {
        let message = format!("the run ended early: {reason}");
        Finding::new(FindingLevel::Error, "stopped", message)
    });
    let end = run.stopped.map(|reason| Check {
        class: "recard".to_owned(),
        name: "the run came to its end".to_owned(),
        result: CheckResult::Broken("stopped"),
        text: reason.to_owned(),
    });
    ReportModel {
        rows: targets.chain(held).collect(),
        columns: columns::RUN,
        checks: end.into_iter().collect(),
        findings: stopped.into_iter().collect(),
        ..model
    }
}

fn row<'a>(run: &ReportedRun<'a>, TargetOutcome { key, outcome }: &'a TargetOutcome) -> Row<'a> {
    let reason = outcome.as_str();
    let (word, result, level) = match outcome.class() {
        OutcomeClass::Done => ("done", CheckResult::Passed, FindingLevel::Warning),
        OutcomeClass::Skipped => ("skipped", CheckResult::Skipped, FindingLevel::Warning),
        OutcomeClass::Failed => ("failed", CheckResult::Failed(reason), FindingLevel::Error),
        OutcomeClass::Unknown => ("unknown", CheckResult::Broken(reason), FindingLevel::Error),
    };
    Row {
        result: Some(result),
        attention: (!outcome.is_resolved()).then_some(Attention::Outcome(level)),
        origin: run.origin(*key),
        ..Row::about(*key, run.person_name(*key), (word, reason), RowText::Of(outcome))
    }
}
