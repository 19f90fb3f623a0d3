//! Failure of a command, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::generator;
use crate::report::{FailureReport, Purpose};

/// Failure of a command before it had another result, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard failure")]
pub struct FailureJson {
    /// Always `recard.failure/v1`.
    format: &'static str,
    /// The purpose of the command.
    purpose: &'static str,
    /// The exit code.
    exit_code: u8,
    /// The chain of causes; the first text is the outermost.
    messages: Vec<String>,
    /// The remedies.
    hints: Vec<String>,
}

impl FailureJson {
    /// Converts a failure.
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

/// Returns the JSON Schema of [`FailureJson`].
pub fn failure_schema() -> schemars::Schema {
    generator().into_root_schema_for::<FailureJson>()
}
