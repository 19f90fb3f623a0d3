//! Report model of a run.

use super::columns;
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::{OutcomeClass, Totals};
use crate::report::report_model::{
    About, Attention, CheckResult, CiCheck, Finding, FindingLevel, Headline, ReportModel, Row,
    RowGroup, RowText,
};
use crate::report::subject::{HeldTarget, ReportedRun};
use crate::report::text::plan::partial;

/// Fills the model. A held target fails, because the run did not try it.
pub(super) fn fill<'a>(model: ReportModel<'a>, run: &'a ReportedRun<'a>) -> ReportModel<'a> {
    let targets = run.targets.iter().map(|settled| row(run, settled));
    let held = run.held.iter().map(|HeldTarget { key, reason, text }| Row {
        result: Some(CheckResult::Failed("held")),
        attention: Some(Attention::Held),
        origin: run.origin(*key),
        group: Some(RowGroup::NotTried),
        ..Row::about(*key, run.person_name(*key), ("held", reason), RowText::Of(text))
    });
    let stopped = run.stopped.map(|reason| {
        let message = format!("the run ended early: {reason}");
        Finding::new(FindingLevel::Error, "stopped", message)
    });
    let end = run.stopped.map(|reason| CiCheck {
        class: "recard".to_owned(),
        name: "the run came to its end".to_owned(),
        result: CheckResult::Broken("stopped"),
        text: reason.to_owned(),
    });
    let incomplete = run.incomplete.as_ref().map(|text| CiCheck {
        class: "recard".to_owned(),
        name: "every card is known".to_owned(),
        result: CheckResult::Failed("incomplete"),
        text: text.to_string(),
    });
    let left = run
        .incomplete
        .as_ref()
        .map(|text| Finding::new(FindingLevel::Warning, "incomplete", text.to_string()));
    ReportModel {
        rows: targets.chain(held).collect(),
        columns: columns::RUN,
        checks: end.into_iter().chain(incomplete).collect(),
        findings: stopped.into_iter().chain(left).collect(),
        headline: headline(model.purpose.as_str(), run),
        about: About::Run(run),
        stopped: run.stopped,
        ..model
    }
}

fn headline(word: &str, run: &ReportedRun<'_>) -> Headline {
    let totals @ Totals { done, skipped, failed, unknown } = run.totals();
    let held = run.held.len();
    let is_resolved = run.targets.iter().all(|target| target.outcome.is_resolved());
    let sign = if failed > 0 || unknown > 0 || run.stopped.is_some() {
        "❌"
    } else if held > 0 || run.incomplete.is_some() || !is_resolved {
        "⚠️"
    } else {
        "✅"
    };
    let title = tr!(
        "recard {word}: {done} of {n} card done"
            | "recard {word}: {done} of {n} cards done" % totals.planned() as usize + held,
        word,
        done
    );
    let sums = tr!(
        "{skipped} skipped, {failed} failed, {unknown} unknown, {held} held.",
        skipped,
        failed,
        unknown,
        held
    );
    let sums = [Some(sums), run.plan.and_then(partial), run.incomplete.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    Headline { sign, title, sums: Some(Text::join(&sums, " ")) }
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
        group: Some(RowGroup::Outcome(outcome.class())),
        ..Row::about(*key, run.person_name(*key), (word, reason), RowText::Of(outcome))
    }
}
