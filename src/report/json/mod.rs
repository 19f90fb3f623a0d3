//! Plans and reports as JSON, for programs.
//!
//! The field `format` has the version. Within a version fields are only added, words keep their
//! meaning, and a reader must ignore unknown fields.

mod about;
mod drift;
mod failure;
mod plan;
mod restore;
mod review;
mod run;
mod target;
mod validation;

pub use failure::{FailureJson, failure_schema};
pub use plan::{PlanJson, plan_schema};
pub use restore::restore_plan_schema;
pub use run::{ReportJson, report_schema};
pub use validation::{ValidationJson, validation_schema};

pub(super) use review::LayoutJson;

use super::report_model::ReportModel;
use super::subject::Subject;
use super::{RenderOptions, escape, pretty};

/// Renders the document of the report's subject, which has a version and a schema of its own.
pub(super) fn render(model: &ReportModel<'_>, options: &RenderOptions) -> String {
    match model.subject {
        Subject::Plan(report) => pretty(&PlanJson::new(report, model.purpose, options.content)),
        Subject::Run(run) => pretty(&ReportJson::new(run, model.purpose)),
        Subject::PlanFile(shown) => escape::json(shown.json),
        Subject::Restore(report) => {
            pretty(&restore::RestorePlanJson::new(report, model, options.content))
        }
        Subject::Validation(checked) => pretty(&ValidationJson::new(checked, model.purpose)),
        Subject::Failure(failed) => pretty(&FailureJson::new(failed, model.purpose)),
    }
}

/// Returns the generator of the schemas of machine output.
pub(in crate::report) fn generator() -> schemars::SchemaGenerator {
    schemars::generate::SchemaSettings::draft07().for_serialize().into_generator()
}
