//! Report model of a plan.

use std::collections::BTreeMap;

use super::columns;
use crate::model::{CardKey, LeadCustomerType, SourceLocation, UserId};
use crate::plan::{Advice, Decision, Plan, PlannedTarget, Violation, ViolationKind};
use crate::report::report_model::{
    Attention, CheckResult, Finding, Guards, ReportModel, Row, RowText,
};
use crate::report::subject::PlanReport;

/// Fills the model. Planned resets are no failures.
pub(super) fn fill<'a>(model: ReportModel<'a>, report: &'a PlanReport<'a>) -> ReportModel<'a> {
    let plan = report.plan;
    ReportModel {
        guards: Some(guards(plan)),
        rows: plan.targets.iter().map(|target| row(plan, target)).collect(),
        columns: columns::PLAN,
        findings: report.warnings.iter().map(Finding::from).collect(),
        ..model
    }
}

/// Returns the row of a target.
pub(super) fn row<'a>(plan: &'a Plan, target: &'a PlannedTarget) -> Row<'a> {
    let PlannedTarget { key, decision, generation, once, origin } = target;
    let (result, attention) = match decision {
        Decision::Keep(_) => (CheckResult::Passed, None),
        Decision::Reset(_) => (CheckResult::Passed, Some(Attention::Reset)),
        Decision::Hold(_) => (CheckResult::Skipped, Some(Attention::Held)),
    };
    let words = (decision.as_str(), decision.reason_str());
    Row {
        result: Some(result),
        attention,
        origin: Some(origin),
        generation: generation.as_ref(),
        once: *once,
        layout: decision.layout(),
        ..Row::about(*key, plan.person_name(*key), words, RowText::Of(decision))
    }
}

fn guards(plan: &Plan) -> Guards<'_> {
    let help: Vec<String> = plan.guards.advice().iter().map(advised).collect();
    Guards {
        violations: plan
            .guards
            .violations
            .iter()
            .map(|violation| (violation, place(plan, violation)))
            .collect(),
        acknowledged: &plan.guards.acknowledged,
        help: (!help.is_empty()).then(|| help.join("\n")),
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

/// Returns an advice with its lines.
fn advised(advice: &Advice) -> String {
    std::iter::once(advice.to_string())
        .chain(advice.lines().map(str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

fn reset_place(plan: &Plan, user: UserId) -> Option<SourceLocation> {
    let own = LeadCustomerType::ALL.map(|lead| CardKey::personal(user, lead));
    plan.resets().find(|target| own.contains(&target.key)).map(|target| target.origin.place.clone())
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
