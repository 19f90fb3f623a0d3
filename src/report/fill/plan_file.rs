//! Report model of a plan file.

use super::{columns, plan};
use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::plan::RestoreLoss;
use crate::records::plan_file::{PlanFileTarget, PlannedRemoval};
use crate::report::plan_file::{PlanFileReport, removal};
use crate::report::report_model::{
    About, Attention, CheckResult, FindingLevel, Guards, Headline, ReportModel, Row, RowGroup,
    RowText,
};
use crate::report::undo;

/// Fills the model. Planned resets are no failures.
pub(super) fn fill<'a>(model: ReportModel<'a>, shown: &PlanFileReport<'a>) -> ReportModel<'a> {
    let content = &shown.file.content;
    ReportModel {
        guards: Some(Guards {
            violations: content.violations.iter().map(|violation| (violation, None)).collect(),
            acknowledged: &content.acknowledged,
            advice: Vec::new(),
            names: &content.kinds,
        }),
        rows: content.targets.iter().map(|target| row(shown, target)).collect(),
        columns: columns::PLAN,
        headline: Headline {
            sign: match (content.violations.is_empty(), content.counts.hold) {
                (false, _) => "🛑",
                (true, 0) => "📋",
                (true, _) => "⚠️",
            },
            title: plan::to_reset(model.purpose.as_str(), content.counts),
            sums: Some(shown.sums()),
        },
        about: About::PlanFile(shown.heading(), shown.lines()),
        ..model
    }
}

fn row<'a>(shown: &PlanFileReport<'a>, target: &'a PlanFileTarget) -> Row<'a> {
    let PlanFileTarget { key, removal: what, generation, origin, name, also: _ } = target;
    let reason = match what {
        PlannedRemoval::Layout(_) => "customized",
        PlannedRemoval::Unread => "unread",
    };
    let words = ("reset", reason);
    let row = Row {
        result: Some(CheckResult::Passed),
        attention: Some(Attention::Reset),
        origin: Some(origin),
        generation: generation.as_ref(),
        group: Some(RowGroup::Reset),
        layout: shown.present.and_then(|present| present.layout(*key)),
        afterwards: shown.present.and_then(|present| present.common_default(*key)),
        ..Row::about(*key, name.as_str(), words, RowText::Text(removal(target)))
    };
    let trust = shown.present.map(|present| present.snapshot.trust);
    let loss = row.layout.zip(trust).map(|(layout, trust)| RestoreLoss::from_layout(layout, trust));
    let row = match loss.and_then(undo::limit) {
        Some(limit) => {
            let text = Text::join(&[removal(target), limit], "; ");
            Row { text: RowText::Text(text), ..row }
        }
        None => row,
    };
    let Some(settled) = shown.present.and_then(|present| present.settled(*key)) else { return row };
    let TargetOutcome { key: _, outcome } = settled;
    Row {
        result: Some(CheckResult::Skipped),
        attention: Some(Attention::Outcome(FindingLevel::Warning)),
        reason: outcome.as_str(),
        text: RowText::Text(Text::join(&[removal(target), Text::from_display(outcome)], "; ")),
        ..row
    }
}
