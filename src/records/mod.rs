//! Records: all files that recard writes and reads back: journals, backups, plan files, ledgers,
//! limiter states, reports.
//!
//! These formats are separate from the manifest (YAML) and from the portal's API (HTTP). Domain
//! types do not use serde; here they are converted to plain structs with named fields and back. The
//! module reads no file and knows no path: bytes in, values out.
//!
//! # Compatibility
//!
//! 1. Every document, and every line of an append-only file, names its format and version in the
//!    field `format` (`recard.journal/v1`). A line carries its own, because a newer recard may
//!    recover a run that an older one began.
//! 2. A reader accepts its own version and all earlier ones, and refuses later ones by name
//!    ([`FormatError::TooNew`]): a newer format may have a meaning that this one does not know, and
//!    a restore must not guess.
//! 3. Unknown fields are refused, for the same reason: within a version the set of fields is fixed
//!    and none changes its meaning, so an unknown field is an edit or damage, and ignoring it could
//!    drop a condition. A new field needs a new version.
//! 4. A decoder returns the written value or an error. Documents end with a seal over their
//!    canonical form, lines begin with a checksum, entries of the ledger carry one each, and a
//!    backup has the digest of its bytes. A flipped bit never gives another value. None of this is
//!    a signature: with write access to the file it can be sealed anew.
//! 5. An object with a duplicate field is refused: readers differ in the value that they take.
//! 6. Encoding is deterministic. Numbers in documents are at most 32 bits wide; fractions and wider
//!    numbers are texts, because canonical JSON (RFC 8785) has only doubles.

mod anonymize;
mod audit;
mod audit_heads;
mod backup;
mod checked_lines;
mod collected;
mod consumed_plans;
#[cfg(test)]
mod earlier_versions;
mod field_labels;
pub mod fleet;
mod journal;
mod layout_export;
mod ledger;
mod limiter_state;
mod lock;
mod no_duplicate_keys;
mod outcome;
pub mod plan_file;
mod read_proof;
mod run_report;
mod sealed;
mod selection;
mod stored;

pub use anonymize::Anonymizer;
pub use audit::{
    AuditEntry, AuditEvent, AuditLine, FoundAuditLog, audit_anchor, audit_lines, decode_audit,
    encode_audit, find_audit,
};
pub use audit_heads::{AuditBreak, AuditHead, AuditHeads};
pub use backup::{Backup, backup_name, decode_backup, encode_backup};
pub use checked_lines::{
    CheckedLine, CheckedLines, FoundLine, LineError, check_line, checked_line, find_lines,
    read_lines,
};
pub use collected::{CollectedBackups, decode_collected, encode_collected};
pub use consumed_plans::{ConsumedPlan, decode_consumed_plan, encode_consumed_plan};
pub use field_labels::{PortalLabels, decode_field_labels, encode_field_labels};
pub use journal::{decode_record, encode_record, numbered_record};
pub use layout_export::{
    LayoutExport, LayoutExportContent, decode_layout_export, encode_layout_export,
};
pub use ledger::{decode_ledger, encode_ledger};
pub use limiter_state::{LimiterState, decode_limiter_state, encode_limiter_state};
pub use lock::{LockRecord, ProcessIdentity, decode_lock, encode_lock};
pub use read_proof::{ReadProof, decode_read_proof, encode_read_proof};
pub use run_report::{RunReport, decode_run_report, encode_run_report};
pub use selection::{decode_selections, encode_selections};

#[cfg(test)]
mod corruption_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod samples;

use thiserror::Error;

use crate::i18n::english;

/// Error: bytes were not written by recard, or a value cannot be written.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The bytes are not JSON; an empty file is not either.
    #[error("it is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The bytes are JSON, but not of this format.
    #[error("its field `format` is {found:?}, where recard.{wanted} is wanted")]
    OtherFormat {
        /// The content of the field; empty if it is missing.
        found: String,
        /// The name of the format without version.
        wanted: &'static str,
    },
    /// A newer recard wrote it.
    #[error("it has format version {found}, and this recard knows versions up to {known}")]
    TooNew {
        /// The version in the text.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// The content does not fit its seal, checksum or digest.
    #[error("its content does not fit its {0}")]
    Altered(&'static str),
    /// The content is sealed, but invalid.
    #[error("{0}")]
    Invalid(String),
    /// JSON cannot hold the value.
    #[error("it cannot be written as JSON: {0}")]
    NotWritable(String),
}

impl FormatError {
    fn invalid(problem: impl std::fmt::Display) -> Self {
        Self::Invalid(english(&problem))
    }

    fn not_writable(problem: impl std::fmt::Display) -> Self {
        Self::NotWritable(english(&problem))
    }
}

/// Parses a text form that was written by `Display`.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, FormatError> {
    text.parse().map_err(FormatError::invalid)
}

/// Parses an optional text form.
fn parse_optional<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: Option<&String>,
) -> Result<Option<T>, FormatError> {
    text.map(|text| parsed(text)).transpose()
}
