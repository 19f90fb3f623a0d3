//! Report model of the plan of a restore.

use super::columns;
use crate::engine::{RestoreDecision, TargetOutcome};
use crate::i18n::Text;
use crate::plan::RestoreLoss;
use crate::records::plan_file::{PlannedRestore, RestoreCounts, RestorePlanTarget};
use crate::report::report_model::{
    About, Attention, CheckResult, Finding, FindingLevel, Headline, ReportModel, Row, RowGroup,
    RowText,
};
use crate::report::restore::{RestoreReport, stable_words, text};
use crate::report::subject::HeldTarget;
use crate::report::undo;

/// Fills the model. Planned writes are no failures.
pub(super) fn fill<'a>(model: ReportModel<'a>, report: &'a RestoreReport<'a>) -> ReportModel<'a> {
    let lost = report.content.incomplete.then(|| {
        let message = "lines of the run's journal are lost: cards may be missing in this plan";
        Finding::new(FindingLevel::Warning, "incomplete", message.to_owned())
    });
    ReportModel {
        rows: report.content.targets.iter().map(|target| row(report, target)).collect(),
        columns: columns::RESTORE,
        findings: lost.into_iter().collect(),
        headline: headline(model.purpose.as_str(), report),
        about: About::PlanFile(report.heading(), report.lines()),
        ..model
    }
}

fn headline(word: &str, report: &RestoreReport<'_>) -> Headline {
    let RestoreCounts { restore, reset, keep: _, hold } = report.content.counts();
    let is_complete = hold == 0 && !report.content.incomplete;
    let sums = Some(report.sums());
    if restore + reset == 0 {
        let sign = if is_complete { "✅" } else { "⚠️" };
        return Headline { sign, title: tr!("recard {word}: nothing to put back", word), sums };
    }
    let title = tr!(
        "recard {word}: {n} card to put back"
            | "recard {word}: {n} cards to put back" % restore + reset,
        word
    );
    Headline { sign: if is_complete { "📋" } else { "⚠️" }, title, sums }
}

fn row<'a>(report: &'a RestoreReport<'a>, target: &'a RestorePlanTarget) -> Row<'a> {
    let RestorePlanTarget { decision, name, key } = target;
    let (result, attention, group) = match decision {
        PlannedRestore::Restore { .. } | PlannedRestore::Reset(_) => {
            (CheckResult::Passed, Some(Attention::PutBack), Some(RowGroup::PutBack))
        }
        PlannedRestore::AsBefore => (CheckResult::Passed, None, None),
        PlannedRestore::NewerKept(_)
        | PlannedRestore::Unreadable
        | PlannedRestore::NoBackup
        | PlannedRestore::BackupUnusable(_) => {
            (CheckResult::Skipped, Some(Attention::Held), Some(RowGroup::Held))
        }
    };
    let row = Row {
        result: Some(result),
        attention,
        group,
        ..Row::about(*key, name.as_str(), stable_words(decision), RowText::Text(text(target)))
    };
    let row = with_layouts(row, report, target);
    match report.settled(*key) {
        None => row,
        Some(TargetOutcome { outcome, .. }) => Row {
            result: Some(CheckResult::Skipped),
            attention: Some(Attention::Outcome(FindingLevel::Warning)),
            reason: outcome.as_str(),
            text: RowText::Text(Text::join(&[text(target), Text::from_display(outcome)], "; ")),
            ..row
        },
    }
}

/// Adds the layouts that are replaced and put back, if they were read, and what gets lost.
fn with_layouts<'a>(
    row: Row<'a>,
    report: &'a RestoreReport<'a>,
    planned: &RestorePlanTarget,
) -> Row<'a> {
    let key = planned.key;
    let Some(plan) = report.layouts else { return row };
    let index = plan.targets.binary_search_by_key(&key, |target| target.key);
    let now = index.ok().and_then(|index| plan.targets.get(index));
    match now.map(|target| &target.decision) {
        Some(RestoreDecision::Restore { wanted, over }) => {
            let row = Row { layout: over.as_ref(), afterwards: Some(wanted), ..row };
            match undo::limit_of_restore(RestoreLoss::from_layout(wanted, plan.trust)) {
                None => row,
                Some(limit) => {
                    let text = Text::join(&[text(planned), limit], "; ");
                    Row { text: RowText::Text(text), ..row }
                }
            }
        }
        Some(RestoreDecision::Remove(layout)) => {
            Row { layout: Some(layout), afterwards: plan.common_default(key), ..row }
        }
        _ => row,
    }
}

impl HeldTarget {
    /// Returns the requested targets that a restore leaves alone.
    pub fn from_restore_plan(report: &RestoreReport<'_>) -> Vec<Self> {
        let held = |target: &RestorePlanTarget| {
            let (word, reason) = stable_words(&target.decision);
            (word == "hold").then(|| Self { key: target.key, reason, text: text(target) })
        };
        report.content.targets.iter().filter_map(held).collect()
    }
}
