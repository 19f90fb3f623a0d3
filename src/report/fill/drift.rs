//! Report model of a drift. Guards are about resets, which drift never does; so they are no part of
//! it.

use std::collections::BTreeMap;

use super::{columns, plan};
use crate::diagnostic::Diagnostic;
use crate::model::CardKey;
use crate::plan::{Drift, DriftKind, PlannedTarget};
use crate::report::report_model::{
    Attention, CheckResult, Finding, FindingLevel, Headline, ReportModel, Row, RowText,
};
use crate::report::subject::PlanReport;
use crate::report::text::drift::DriftSums;
use crate::report::text::plan::as_wanted;

/// Fills the model. What drifted fails, with its kind.
pub(super) fn fill<'a>(
    model: ReportModel<'a>,
    report: &'a PlanReport<'a>,
    drift: &'a Drift,
) -> ReportModel<'a> {
    let kinds: BTreeMap<CardKey, DriftKind> =
        drift.cards.iter().map(|card| (card.key, card.kind)).collect();
    let row = |target: &'a PlannedTarget| {
        let kind = kinds.get(&target.key).copied();
        let is_pending = kind.is_some_and(DriftKind::is_pending);
        let failed = kind.filter(|_| is_pending).map(|kind| CheckResult::Failed(kind.as_str()));
        Row {
            drift: kind,
            word: kind.map_or("", DriftKind::as_str),
            reason: if is_pending { "yes" } else { "no" },
            result: Some(failed.unwrap_or(CheckResult::Passed)),
            attention: kind.map(|_| Attention::Drift),
            ..plan::row(report, target)
        }
    };
    let gone = |found: &'a Diagnostic| Row {
        problem: Some(found),
        result: Some(CheckResult::Failed("gone")),
        ..Row::message(("gone", "yes"), RowText::Of(&found.message))
    };
    let fingerprint = drift.fingerprint();
    let summary = fingerprint.map(|fingerprint| {
        let message = format!("{}\nFingerprint {fingerprint}", DriftSums(drift));
        Finding::new(FindingLevel::Note, "fingerprint", message)
    });
    ReportModel {
        rows: report.plan.targets.iter().map(row).chain(drift.gone.iter().map(gone)).collect(),
        columns: columns::DRIFT,
        findings: summary.into_iter().chain(report.warnings.iter().map(Finding::from)).collect(),
        fingerprint,
        headline: headline(drift),
        drift: Some(drift),
        ..plan::shared(model, report)
    }
}

fn headline(drift: &Drift) -> Headline {
    if drift.fingerprint().is_none() {
        let sums = Some(as_wanted(drift.settled));
        return Headline { sign: "✅", title: tr!("recard drift: none"), sums };
    }
    let title = match drift.pending().count() {
        0 => tr!("recard drift: {n} selector finds nobody any more"
            | "recard drift: {n} selectors find nobody any more" % drift.gone.len()),
        cards => tr!("recard drift: {n} card drifted" | "recard drift: {n} cards drifted" % cards),
    };
    Headline { sign: "⚠️", title, sums: None }
}
