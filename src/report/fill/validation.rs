//! Report model of checked manifests.

use super::columns;
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::report::report_model::{
    About, CheckResult, CiCheck, Finding, Headline, ReportModel, Row, RowText,
};
use crate::report::subject::{ValidationReport, warnings};

/// Fills the model. A file without an error passes.
pub(super) fn fill<'a>(model: ReportModel<'a>, checked: &ValidationReport<'a>) -> ReportModel<'a> {
    let row = |found: &'a Diagnostic| Row {
        problem: Some(found),
        result: Some(match found.severity {
            Severity::Error => CheckResult::Failed(found.code.as_str()),
            Severity::Warning => CheckResult::Passed,
        }),
        ..Row::message((found.severity.as_str(), found.code.as_str()), RowText::Of(&found.message))
    };
    let is_valid = |source: &&Source| {
        !checked.diagnostics.iter().any(|found| {
            found.is_error() && found.place().is_some_and(|place| place.file == source.name)
        })
    };
    let valid = |source: &Source| CiCheck {
        class: source.name.to_string(),
        name: "is valid".to_owned(),
        result: CheckResult::Passed,
        text: String::new(),
    };
    ReportModel {
        rows: checked.diagnostics.iter().map(row).collect(),
        columns: columns::PROBLEMS,
        checks: checked.sources.iter().filter(is_valid).map(valid).collect(),
        findings: checked.diagnostics.iter().map(Finding::from).collect(),
        headline: headline(model.purpose.as_str(), checked),
        about: About::Manifests(checked.portal),
        ..model
    }
}

fn headline(word: &str, checked: &ValidationReport<'_>) -> Headline {
    let errors = checked.diagnostics.iter().filter(|found| found.is_error()).count();
    let sums = Some(format!("{}.", warnings(checked.diagnostics.len() - errors)).into());
    match errors {
        0 => Headline {
            sign: "✅",
            title: tr!("recard {word}: the manifests are valid", word),
            sums,
        },
        _ => {
            let title = tr!(
                "recard {word}: {n} problem in the manifests"
                    | "recard {word}: {n} problems in the manifests" % errors,
                word
            );
            Headline { sign: "❌", title, sums }
        }
    }
}
