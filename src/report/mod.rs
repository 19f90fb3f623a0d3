//! From values to text: plans and reports as people and programs read them.
//!
//! Everything here returns a value that can be displayed, and prints nothing. Text carries styles; whoever prints it takes
//! them away where there is no terminal. Machine formats have a version in their first field and a schema in `schemas/`; what
//! stands in them never depends on the language or width of a terminal.

mod json;
mod plan_text;
mod run_text;
mod style;
mod words;

pub use json::{PlanJson, ReportJson, plan_schema, report_schema};
pub use plan_text::{Content, Listing, PlanText};
pub use run_text::RunText;
pub use words::{Counted, Seconds};

use crate::model::Identity;
use crate::plan::Plan;

/// What carrying out a plan will cost, as far as can be told before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// HTTP requests.
    pub requests: u32,
    /// Seconds, by the model of the portal's rate limit.
    pub seconds: f64,
}

/// A plan with everything that its readers want to know around it.
#[derive(Clone, Debug)]
pub struct PlanReport<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Who made it.
    pub caller: &'a Identity,
    /// Name and reason of each manifest document.
    pub manifests: Vec<(&'a str, &'a str)>,
    /// What apply will cost.
    pub cost: Cost,
    /// What was odd in the manifests, each as one line.
    pub warnings: Vec<String>,
}
