//! Error of reading a plan file.

use thiserror::Error;

use crate::records::FormatError;

/// Error: bytes are not a usable plan file.
#[derive(Debug, Error)]
pub enum PlanFileError {
    /// The bytes are not JSON: truncated, empty or another kind of file.
    #[error("{}", tr!("this is not a plan file: it is not JSON"))]
    NotJson(#[source] serde_json::Error),
    /// The JSON is not a plan file.
    #[error("{}", tr!("this is not a plan file: its field `format` does not say recard.{wanted}", wanted))]
    NotAPlanFile {
        /// The content of the field; empty if it is missing.
        found: String,
        /// The wanted format, without its version.
        wanted: &'static str,
    },
    /// A newer recard wrote it.
    #[error("{}", tr!("a newer recard wrote this plan file (version {found}; this one knows versions up to {known})", found, known))]
    TooNew {
        /// Its version.
        found: u32,
        /// The newest version that this program reads.
        known: u32,
    },
    /// The file was changed after it was written.
    #[error("{}", tr!("the plan file was changed after it was written: its content does not fit its seal"))]
    Tampered,
    /// The seal fits, but the content is invalid.
    #[error("{}", tr!("the plan file makes no sense: {what}", what = .0))]
    Invalid(String),
}

impl From<FormatError> for PlanFileError {
    fn from(problem: FormatError) -> Self {
        match problem {
            FormatError::NotJson(source) => Self::NotJson(source),
            FormatError::OtherFormat { found, wanted } => Self::NotAPlanFile { found, wanted },
            FormatError::TooNew { found, known } => Self::TooNew { found, known },
            FormatError::Altered(_) => Self::Tampered,
            FormatError::Invalid(problem) | FormatError::NotWritable(problem) => {
                Self::Invalid(problem)
            }
        }
    }
}
