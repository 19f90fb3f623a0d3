//! Everything that recard itself writes and reads back: journals, backups, plan files, ledgers,
//! levels, reports.
//!
//! These are formats of our own, apart from what people write (YAML) and from what the portal
//! speaks (HTTP). Domain types know nothing of serde; here they are turned into plain structs with
//! named fields and back. The module touches no file and knows no path: bytes come in, values go
//! out.
//!
//! # Compatibility
//!
//! 1. Every document, and every line of a file that grows by lines, says its format and version in
//!    the field `format`
//!    (`recard.journal/v1`). A line carries its own, because a run may be settled by a newer recard than the one that
//!    began it.
//! 2. A reader accepts its own version and all earlier ones, and refuses later ones by name
//!    ([`FormatError::TooNew`]): what
//!    a newer recard wrote may mean something that this one does not know, and a way back is nothing to guess about.
//! 3. Unknown fields are refused, for the same reason: within a version the set of fields is fixed
//!    and none changes its
//!    meaning, so an unknown field is an edit or damage, and leaving it out could leave out a condition. Whoever adds a
//!    field raises the version.
//! 4. What is read back is what was written, or an error. Documents end with a seal over their
//!    canonical form, lines begin
//!    with a checksum, entries of the ledger carry one each, and a backup has the digest of its bytes. A flipped bit never
//!    gives another value. None of this is a signature: who can write the file can also seal it anew.
//! 5. An object that names a field twice is refused: to one reader it says this, and to another
//!    that.
//! 6. Encoding is deterministic. Numbers in documents are at most 32 bits wide; fractions and wider
//!    numbers are texts,
//!    because canonical JSON (RFC 8785) knows only doubles.

mod anonymize;
mod audit;
mod backup;
mod checked_lines;
mod consumed_plans;
#[cfg(test)]
mod earlier_versions;
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
pub use backup::{Backup, backup_name, decode_backup, encode_backup};
pub use checked_lines::{
    CheckedLine, CheckedLines, FoundLine, LineError, check_line, checked_line, find_lines,
    read_lines,
};
pub use consumed_plans::{ConsumedPlan, decode_consumed_plan, encode_consumed_plan};
pub use journal::{decode_record, encode_record, numbered_record};
pub use layout_export::{
    LayoutExport, LayoutExportContent, decode_layout_export, encode_layout_export,
};
pub use ledger::{decode_ledger, encode_ledger};
pub use limiter_state::{LimiterState, decode_limiter_state, encode_limiter_state};
pub use lock::{
    LockRecord, ProcessIdentity, decode_lock, decode_lock_owner, encode_lock, encode_lock_owner,
};
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

/// Why bytes are not what recard wrote, or a value cannot be written.
#[derive(Debug, Error)]
pub enum FormatError {
    /// The bytes are not JSON; an empty file is not either.
    #[error("it is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// The bytes are JSON, but not of this format.
    #[error("its field `format` is {found:?}, where recard.{wanted} is wanted")]
    OtherFormat {
        /// What the field says; empty if it is missing.
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
    /// The content is sealed, but makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A value that JSON cannot hold.
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

/// Reads a text form that was written by its `Display`.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, FormatError> {
    text.parse().map_err(FormatError::invalid)
}

/// Reads a text form that may be missing.
fn parse_optional<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: Option<&String>,
) -> Result<Option<T>, FormatError> {
    text.map(|text| parsed(text)).transpose()
}
