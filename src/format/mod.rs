//! Everything that recard itself writes and reads back: journals, ledgers, levels.
//!
//! These are formats of our own, apart from what people write (YAML) and from what the portal speaks (HTTP). Domain types
//! know nothing of serde; here they are turned into plain structs with named fields and back.
//!
//! # Compatibility
//!
//! Every file says its format and version: in a field `format`, or for a journal in its first record. A reader accepts its
//! own version and all earlier ones, and refuses later ones: what a newer recard wrote may mean something that this one
//! does not know, and a store is nothing to guess about. Within a version no field changes its meaning, and unknown fields
//! are refused for the same reason. A backup is the exact text that the portal sent and has no version; its name is the
//! digest by which it is checked.

mod journal;
mod level;
mod lines;
mod lists;
mod outcome;
mod owner;

pub use journal::{JOURNAL_VERSION, decode_record, encode_record};
pub use level::{OperatingTime, StoredLevel, decode_level, encode_level};
pub use lines::{Line, LineError, checked_line, read_lines};
pub use lists::{decode_ledger, decode_selection, encode_ledger, encode_selection};
pub use owner::{decode_owner, encode_owner};

use thiserror::Error;

/// A text is not what recard wrote.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The text is damaged, or was never ours.
    #[error("{0}")]
    Damaged(String),
    /// A newer recard wrote it.
    #[error("version {found} is newer than {known}")]
    TooNew {
        /// The version in the text.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
}

impl FormatError {
    fn damaged(problem: impl std::fmt::Display) -> Self {
        Self::Damaged(problem.to_string())
    }
}

/// Checks the field `format`, which reads `recard.NAME/vN`.
fn check_format(value: &serde_json::Value, name: &str, known: u32) -> Result<(), FormatError> {
    let text = value.get("format").and_then(serde_json::Value::as_str).unwrap_or_default();
    let version =
        text.strip_prefix("recard.").and_then(|rest| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix("/v"));
    match version.and_then(|digits| digits.parse::<u32>().ok()) {
        Some(version) if version <= known => Ok(()),
        Some(found) => Err(FormatError::TooNew { found, known }),
        None => Err(FormatError::Damaged(format!("the field format is {text:?}, not recard.{name}/v{known}"))),
    }
}

/// Reads a text form that was written by its `Display`.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, FormatError> {
    text.parse().map_err(FormatError::damaged)
}
