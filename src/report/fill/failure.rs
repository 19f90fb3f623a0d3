//! Report model of a command that failed.

use super::columns;
use crate::i18n::Text;
use crate::report::report_model::{
    CheckResult, CiCheck, Finding, FindingLevel, Headline, ReportModel, Row, RowText,
};
use crate::report::subject::FailureReport;

/// Fills the model.
pub(super) fn fill<'a>(model: ReportModel<'a>, failed: &FailureReport<'a>) -> ReportModel<'a> {
    let row = |word| move |text: &'a Text| Row::message((word, ""), RowText::Of(text));
    let check = CiCheck {
        class: "recard".to_owned(),
        name: model.purpose.as_str().to_owned(),
        result: CheckResult::Broken("failure"),
        text: failed.exact().trim_end().to_owned(),
    };
    let word = model.purpose.as_str();
    let message = Text::join(failed.chain, ": ").to_string();
    let help = (!failed.hints.is_empty()).then(|| Text::join(failed.hints, "\n").to_string());
    ReportModel {
        rows: failed
            .chain
            .iter()
            .map(row("error"))
            .chain(failed.hints.iter().map(row("help")))
            .collect(),
        columns: columns::FAILURE,
        checks: vec![check],
        findings: vec![Finding { help, ..Finding::new(FindingLevel::Error, "failure", message) }],
        headline: Headline { sign: "❌", title: tr!("recard {word} failed", word), sums: None },
        failure: Some(*failed),
        ..model
    }
}
