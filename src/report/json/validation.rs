//! Findings in manifests, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::generator;
use crate::diagnostic::Diagnostic;
use crate::model::SourceLocation;
use crate::report::{Purpose, ValidationReport};

/// Findings in manifests, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard validation")]
pub struct ValidationJson {
    /// Always `recard.validation/v1`.
    format: &'static str,
    /// The purpose of the command: `validate`, or another one that the manifests stopped.
    purpose: &'static str,
    /// `true` if the manifests may be used.
    valid: bool,
    /// The portal of the manifests, if they are valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    portal: Option<String>,
    /// The findings, in the order of the files.
    problems: Vec<ProblemJson>,
}

/// Problem.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProblemJson {
    /// The stable code: `RC0201`.
    code: &'static str,
    /// `error` or `warning`.
    severity: &'static str,
    /// The problem.
    message: String,
    /// The remedy, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// The position; absent only if there is no text at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceJson>,
}

/// Position in a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlaceJson {
    /// The file.
    file: String,
    /// The line, from 1.
    line: u32,
    /// The column in characters, from 1.
    column: u32,
}

impl ValidationJson {
    /// Converts findings.
    pub fn new(checked: &ValidationReport<'_>, purpose: Purpose) -> Self {
        let place = |place: &SourceLocation| PlaceJson {
            file: place.file.to_string(),
            line: place.line,
            column: place.column,
        };
        let problem = |found: &Diagnostic| ProblemJson {
            code: found.code.as_str(),
            severity: found.severity.as_str(),
            message: found.message.to_string(),
            help: found.help.as_ref().map(ToString::to_string),
            place: found.place().map(place),
        };
        Self {
            format: "recard.validation/v1",
            purpose: purpose.as_str(),
            valid: !checked.diagnostics.iter().any(Diagnostic::is_error),
            portal: checked.portal.map(ToOwned::to_owned),
            problems: checked.diagnostics.iter().map(problem).collect(),
        }
    }
}

/// Returns the JSON Schema of [`ValidationJson`].
pub fn validation_schema() -> schemars::Schema {
    generator().into_root_schema_for::<ValidationJson>()
}
