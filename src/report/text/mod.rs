//! Reports as text for people: plans, restores, runs and drift.

pub(super) mod drift;
pub(super) mod plan;
pub(super) mod restore;
pub(super) mod run;

use drift::DriftText;
use plan::PlanText;

use super::RenderOptions;
use super::report_model::ReportModel;
use super::subject::{PlanReport, Subject};

/// Renders the report as text.
pub(super) fn render(model: &ReportModel<'_>, options: &RenderOptions) -> String {
    match model.subject {
        Subject::Plan(report @ PlanReport { drift: Some(drift), .. }) => {
            DriftText { report, drift }.to_string()
        }
        Subject::Plan(report) => {
            PlanText { report, listing: options.listing, content: options.content }.to_string()
        }
        Subject::Run(run) => {
            run.text(options.listing).map(|text| text.to_string()).unwrap_or_default()
        }
        Subject::PlanFile(shown) => shown.to_string(),
        Subject::Validation(checked) => checked.to_string(),
        Subject::Failure(failed) => failed.to_string(),
    }
}
