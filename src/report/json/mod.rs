//! Plans and reports as JSON, for programs.
//!
//! Versioned by the field `format`. Within a version fields are only ever added, words never change
//! their meaning, and a reader must ignore fields that it does not know.

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

/// How the schemas of machine output are made.
pub(super) fn generator() -> schemars::SchemaGenerator {
    schemars::generate::SchemaSettings::draft07().for_serialize().into_generator()
}
