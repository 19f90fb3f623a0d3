//! Plans and reports as JSON, for programs.
//!
//! The field `format` has the version. Within a version fields are only added, words keep their
//! meaning, and a reader must ignore unknown fields.

mod about;
mod drift;
mod failure;
mod plan;
mod run;
mod target;
mod validation;

pub use failure::{FailureJson, failure_schema};
pub use plan::{PlanJson, plan_schema};
pub use run::{ReportJson, report_schema};
pub use validation::{ValidationJson, validation_schema};

/// Returns the generator of the schemas of machine output.
pub(super) fn generator() -> schemars::SchemaGenerator {
    schemars::generate::SchemaSettings::draft07().for_serialize().into_generator()
}
