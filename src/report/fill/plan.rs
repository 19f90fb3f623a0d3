//! Report model of a plan.

use std::collections::BTreeMap;

use super::columns;
use crate::i18n::Text;
use crate::model::{CardKey, SourceLocation, UserId};
use crate::plan::{
    Decision, KeepReason, Plan, PlanCounts, PlannedTarget, Violation, ViolationKind,
};
use crate::report::report_model::{
    About, Attention, CheckResult, Finding, Guards, Headline, ReportModel, Row, RowGroup, RowText,
};
use crate::report::review::{LayoutGroup, Review};
use crate::report::subject::{PlanReport, once_lines};
use crate::report::text::plan::{as_wanted, partial, sums};
use crate::report::undo;

/// Fills the model. Planned resets are no failures.
pub(super) fn fill<'a>(model: ReportModel<'a>, report: &'a PlanReport<'a>) -> ReportModel<'a> {
    let plan = report.plan;
    let review = Review::new(plan, report.labels);
    let with_limit = |target: &'a PlannedTarget| {
        let row = row(report, target);
        let loss = review.group_of(target.key).and_then(LayoutGroup::loss);
        let Some(limit) = loss.and_then(undo::limit) else { return row };
        let text = Text::join(&[Text::from_display(&target.decision), limit], "; ");
        Row { text: RowText::Text(text), ..row }
    };
    ReportModel {
        guards: Some(guards(plan)),
        rows: plan.targets.iter().map(with_limit).collect(),
        columns: columns::PLAN,
        findings: report.warnings.iter().map(Finding::from).collect(),
        headline: headline(model.purpose.as_str(), plan),
        once: once_lines(plan),
        review: Some(review),
        ..shared(model, report)
    }
}

/// Fills what a plan and a drift have in common.
pub(super) fn shared<'a>(model: ReportModel<'a>, report: &'a PlanReport<'a>) -> ReportModel<'a> {
    ReportModel {
        about: About::Plan(report),
        cost: (report.plan.counts().reset > 0).then_some(report.cost),
        warnings: report.warnings,
        ..model
    }
}

fn headline(word: &str, plan: &Plan) -> Headline {
    let whole = whole_headline(word, plan);
    let sums = [whole.sums, partial(plan)].into_iter().flatten().collect::<Vec<_>>();
    Headline { sums: Some(Text::join(&sums, " ")), ..whole }
}

fn whole_headline(word: &str, plan: &Plan) -> Headline {
    let counts = plan.counts();
    if plan.is_noop() && plan.guards.holds() {
        return Headline {
            sign: "✅",
            title: tr!("recard {word}: nothing to do", word),
            sums: Some(as_wanted(counts.keep)),
        };
    }
    let sign = match (plan.guards.holds(), counts.hold) {
        (false, _) => "🛑",
        (true, 0) => "📋",
        (true, _) => "⚠️",
    };
    Headline { sign, title: to_reset(word, counts), sums: Some(sums(plan)) }
}

/// Returns the title of a plan with resets.
pub(super) fn to_reset(word: &str, counts: PlanCounts) -> Text {
    tr!(
        "recard {word}: {n} card to reset" | "recard {word}: {n} cards to reset" % counts.reset,
        word
    )
}

/// Returns the row of a target.
pub(super) fn row<'a>(report: &'a PlanReport<'a>, target: &'a PlannedTarget) -> Row<'a> {
    let plan = report.plan;
    let PlannedTarget { key, decision, generation, once, origin } = target;
    let (result, attention, group) = match decision {
        Decision::Keep(KeepReason::CustomizedAgain(_)) => {
            (CheckResult::Passed, None, Some(RowGroup::CustomizedAgain))
        }
        Decision::Keep(_) => (CheckResult::Passed, None, None),
        Decision::Reset(_) => (CheckResult::Passed, Some(Attention::Reset), Some(RowGroup::Reset)),
        Decision::Hold(_) => (CheckResult::Skipped, Some(Attention::Held), Some(RowGroup::Held)),
    };
    let words = (decision.as_str(), decision.reason_str());
    Row {
        result: Some(result),
        attention,
        origin: Some(origin),
        generation: generation.as_ref(),
        once: *once,
        layout: decision.layout(),
        group,
        ..Row::about(*key, plan.person_name(*key), words, RowText::Of(decision))
    }
}

fn guards(plan: &Plan) -> Guards<'_> {
    Guards {
        violations: plan
            .guards
            .violations
            .iter()
            .map(|violation| (violation, place(plan, violation)))
            .collect(),
        acknowledged: &plan.guards.acknowledged,
        advice: plan.guards.advice(),
        names: &plan.kinds,
    }
}

/// Returns the line that brings a violation about.
fn place(plan: &Plan, violation: &Violation) -> Option<SourceLocation> {
    let is_its = |target: &&PlannedTarget| match violation.manifest() {
        Some(name) => &*target.origin.manifest == name,
        None => true,
    };
    let is_personal = |target: &&PlannedTarget| target.key.user().is_some();
    match &violation.kind {
        ViolationKind::CommonCard(lead) => {
            let common = CardKey::common(*lead);
            let index = plan.targets.binary_search_by_key(&common, |target| target.key).ok()?;
            plan.targets.get(index).map(|target| target.origin.place.clone())
        }
        ViolationKind::SpecialPerson(user, _) | ViolationKind::Protected(user) => {
            reset_place(plan, *user)
        }
        ViolationKind::TooManyPeople { .. } | ViolationKind::TooLargeShare { .. } => {
            largest(plan.resets().filter(is_personal).filter(is_its))
        }
        ViolationKind::Shrunk { .. } => {
            largest(plan.targets.iter().filter(is_personal).filter(is_its))
        }
    }
}

fn reset_place(plan: &Plan, user: UserId) -> Option<SourceLocation> {
    plan.resets()
        .find(|target| target.key.user() == Some(user))
        .map(|target| target.origin.place.clone())
}

/// Returns the line that the most targets come from; the first of several.
fn largest<'a>(targets: impl Iterator<Item = &'a PlannedTarget>) -> Option<SourceLocation> {
    let mut counts: BTreeMap<&SourceLocation, u32> = BTreeMap::new();
    for target in targets {
        *counts.entry(&target.origin.place).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(place, _)| place.clone())
}
