//! Report models of the subjects: one file for each.

mod columns;
mod drift;
mod failure;
mod plan;
mod plan_file;
mod restore;
mod run;
mod validation;

use super::report_model::ReportModel;
use super::subject::{PlanReport, Report, Subject};

/// Returns the model of a report.
pub(super) fn model<'a>(report: &Report<'a>) -> ReportModel<'a> {
    let Report { purpose, subject } = *report;
    let empty = |rows_are| ReportModel::new(purpose, subject, rows_are);
    match subject {
        Subject::Plan(plan @ PlanReport { drift: Some(drift), .. }) => {
            drift::fill(empty("targets"), plan, drift)
        }
        Subject::Plan(plan) => plan::fill(empty("targets"), plan),
        Subject::Run(run) => run::fill(empty("targets"), run),
        Subject::PlanFile(shown) => plan_file::fill(empty("targets"), shown),
        Subject::Restore(planned) => restore::fill(empty("targets"), planned),
        Subject::Validation(checked) => validation::fill(empty("manifests"), checked),
        Subject::Failure(failed) => failure::fill(empty("command"), failed),
    }
}
