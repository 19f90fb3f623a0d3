//! Why a command failed, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::generator;
use crate::report::{FailureReport, Purpose};

/// Why a command failed before it had anything else to tell, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard failure")]
pub struct FailureJson {
    /// Always `recard.failure/v1`.
    format: &'static str,
    /// What the command was for.
    purpose: &'static str,
    /// The exit code.
    exit_code: u8,
    /// What happened; the first text is the outermost, each next one its cause.
    messages: Vec<String>,
    /// What may help.
    hints: Vec<String>,
}

impl FailureJson {
    /// Why a command failed.
    pub fn new(failed: &FailureReport<'_>, purpose: Purpose) -> Self {
        Self {
            format: "recard.failure/v1",
            purpose: purpose.as_str(),
            exit_code: failed.code,
            messages: failed.chain.iter().map(ToString::to_string).collect(),
            hints: failed.hints.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The JSON Schema of [`FailureJson`].
pub fn failure_schema() -> schemars::Schema {
    generator().into_root_schema_for::<FailureJson>()
}
