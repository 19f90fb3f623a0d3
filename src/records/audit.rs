//! Audit log: one JSON object a line, each bound to the one before.
//!
//! A line carries the digest of the line before and its own, over all other fields in it. An edited
//! line, a line removed from the middle, two swapped lines and the audit log of another portal are
//! all detected. Lines cut off at the end are not: a file cannot show that it was longer once,
//! unless the last digest is stored elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::checked_lines::{CheckedLines, LineError, split};
use super::journal::EndV1;
use super::sealed::{RecordFormat, canonical_digest};
use super::stored::{self, Stored};
use super::{FormatError, no_duplicate_keys, parsed};
use crate::model::{Digest, PortalId, RunId, Totals};
use crate::ports::Interrupted;

const FORMAT: RecordFormat = RecordFormat { name: "audit", version: 1 };

/// Event with its time and its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The time.
    pub at: Timestamp,
    /// The person or pipeline, from the environment; may be empty.
    pub actor: String,
    /// The host.
    pub host: String,
    /// The process.
    pub process: u32,
    /// The event.
    pub event: AuditEvent,
}

/// Event of an audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditEvent {
    /// A run starts.
    RunStarted {
        /// The run.
        run: RunId,
        /// The restored run, if it is a restore.
        restores: Option<RunId>,
        /// The number of targets.
        targets: u32,
    },
    /// An interrupted run is reopened.
    RunReopened {
        /// The run.
        run: RunId,
        /// The number of bytes of a torn last line that were cut off its journal.
        torn: u32,
    },
    /// A run is over.
    RunClosed {
        /// The run.
        run: RunId,
        /// The totals of the outcomes.
        totals: Totals,
        /// The end of the run: regular or interrupted.
        interrupted: Interrupted,
    },
    /// A plan file was used.
    PlanUsed(Digest),
    /// A lock that its owner had left behind was taken over. The text names the owner.
    LockTakenOver(String),
}

/// Line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// The event.
    pub entry: AuditEntry,
    /// The digest of the line before.
    pub previous: Digest,
    /// Its own digest, which the next line must name.
    pub digest: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditLineV1 {
    format: String,
    at: Timestamp,
    actor: String,
    host: String,
    process: u32,
    #[serde(with = "stored")]
    event: AuditEvent,
    previous: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum AuditEventV1 {
    RunStarted {
        run: RunId,
        restores: Option<RunId>,
        targets: u32,
    },
    RunReopened {
        run: RunId,
        torn: u32,
    },
    RunClosed {
        run: RunId,
        done: u32,
        skipped: u32,
        failed: u32,
        unknown: u32,
        #[serde(with = "EndV1")]
        end: Interrupted,
    },
    PlanUsed {
        plan: Digest,
    },
    LockTakenOver {
        owner: String,
    },
}

/// Returns the digest that the first line of a portal's audit log names in place of a line before.
pub fn audit_anchor(portal: &PortalId) -> Digest {
    Digest::hash(format!("recard.audit {portal}").as_bytes())
}

/// Encodes an entry as one JSON object on one line, after the line with the digest `previous`.
/// Returns it with the digest of the new line.
pub fn encode_audit(entry: &AuditEntry, previous: Digest) -> Result<(String, Digest), FormatError> {
    let AuditEntry { at, actor, host, process, event } = entry;
    let form = AuditLineV1 {
        format: FORMAT.text(),
        at: *at,
        actor: actor.clone(),
        host: host.clone(),
        process: *process,
        event: event.clone(),
        previous,
    };
    let mut object = super::sealed::as_object(&form)?;
    let json = serde_json::to_string(&object).map_err(FormatError::not_writable)?;
    if let Some(masked) = super::sealed::masked(json.as_bytes()) {
        object = serde_json::from_str(&masked).map_err(FormatError::not_writable)?;
    }
    let digest = canonical_digest(&object)?;
    object.insert("digest".to_owned(), Value::String(digest.to_string()));
    let line = serde_json_canonicalizer::to_string(&object).map_err(FormatError::not_writable)?;
    Ok((line, digest))
}

/// Splits an audit log into its lines, without a torn last one.
///
/// # Errors
///
/// If a line was altered. A line of a newer recard counts as valid here, and is refused by its
/// decoder.
pub fn audit_lines(file: &[u8]) -> Result<CheckedLines<'_>, LineError> {
    split(file, |line| {
        let json = std::str::from_utf8(line).ok()?;
        matches!(decode_audit(json), Ok(_) | Err(FormatError::TooNew { .. })).then_some(json)
    })
}

/// Lines of an audit log with damage.
#[derive(Debug)]
pub struct FoundAuditLog {
    /// The undamaged lines, in order. The chain is not checked.
    pub lines: Vec<AuditLine>,
    /// The number of bytes that are kept when the file grows: all but a torn last line.
    pub kept: usize,
}

/// Splits an audit log with damaged lines.
///
/// # Errors
///
/// If a newer recard wrote a line: no line can follow one with an unknown meaning.
pub fn find_audit(file: &[u8]) -> Result<FoundAuditLog, FormatError> {
    let mut found = FoundAuditLog { lines: Vec::new(), kept: 0 };
    let read = |line: &[u8]| std::str::from_utf8(line).ok().map(decode_audit);
    let mut at = 0;
    for part in file.split_inclusive(|byte| *byte == b'\n') {
        at += part.len();
        match part.strip_suffix(b"\n") {
            Some(line) => match read(line) {
                Some(Ok(line)) => found.lines.push(line),
                // A damaged version number is not a newer version: its digest does not fit.
                Some(Err(problem @ FormatError::TooNew { .. })) if fits_its_digest(line) => {
                    return Err(problem);
                }
                Some(Err(_)) | None => {}
            },
            // A line without an end is torn, unless only its end is damaged.
            None if part
                .split_last()
                .is_some_and(|(_, line)| matches!(read(line), Some(Ok(_)))) => {}
            None => break,
        }
        found.kept = at;
    }
    Ok(found)
}

/// Returns `true` if a line of any version has the digest that it names.
fn fits_its_digest(line: &[u8]) -> bool {
    let fits = || {
        let mut object = no_duplicate_keys::object(line).ok()?;
        let digest: Digest = object.remove("digest")?.as_str()?.parse().ok()?;
        Some(digest == canonical_digest(&object).ok()?)
    };
    fits().unwrap_or(false)
}

/// Decodes the entry of a line. The caller compares it with the line before.
///
/// # Errors
///
/// If it is not JSON, of another kind or a newer version, or damaged.
pub fn decode_audit(json: &str) -> Result<AuditLine, FormatError> {
    let mut object = no_duplicate_keys::object(json.as_bytes())?;
    FORMAT.check_object(&object)?;
    let digest = object.remove("digest");
    let digest: Digest = parsed(digest.as_ref().and_then(Value::as_str).unwrap_or_default())?;
    if digest != canonical_digest(&object)? {
        return Err(FormatError::Altered("digest"));
    }
    let AuditLineV1 { format: _, at, actor, host, process, event, previous } =
        serde_json::from_value(Value::Object(object)).map_err(FormatError::invalid)?;
    let entry = AuditEntry { at, actor, host, process, event };
    Ok(AuditLine { entry, previous, digest })
}

impl Stored for AuditEvent {
    type Form = AuditEventV1;
}

impl From<&AuditEvent> for AuditEventV1 {
    fn from(event: &AuditEvent) -> Self {
        match event.clone() {
            AuditEvent::RunStarted { run, restores, targets } => {
                Self::RunStarted { run, restores, targets }
            }
            AuditEvent::RunReopened { run, torn } => Self::RunReopened { run, torn },
            AuditEvent::RunClosed { run, totals, interrupted } => {
                let Totals { done, skipped, failed, unknown } = totals;
                Self::RunClosed { run, done, skipped, failed, unknown, end: interrupted }
            }
            AuditEvent::PlanUsed(plan) => Self::PlanUsed { plan },
            AuditEvent::LockTakenOver(owner) => Self::LockTakenOver { owner },
        }
    }
}

impl From<AuditEventV1> for AuditEvent {
    fn from(form: AuditEventV1) -> Self {
        match form {
            AuditEventV1::RunStarted { run, restores, targets } => {
                Self::RunStarted { run, restores, targets }
            }
            AuditEventV1::RunReopened { run, torn } => Self::RunReopened { run, torn },
            AuditEventV1::RunClosed { run, done, skipped, failed, unknown, end: interrupted } => {
                let totals = Totals { done, skipped, failed, unknown };
                Self::RunClosed { run, totals, interrupted }
            }
            AuditEventV1::PlanUsed { plan } => Self::PlanUsed(plan),
            AuditEventV1::LockTakenOver { owner } => Self::LockTakenOver(owner),
        }
    }
}
