//! Audit log of a portal: reading, checking, appending.

use std::path::Path;

use super::file::{MAX_LOG_BYTES, damaged, read_optional};
use super::{AppendLog, misread};
use crate::model::{Digest, PortalId};
use crate::ports::StoreError;
use crate::records::{
    AuditEntry, AuditLine, audit_anchor, audit_lines, decode_audit, encode_audit, find_audit,
};

/// The right to append to an audit log.
#[derive(Debug)]
pub(super) struct AuditLog {
    file: AppendLog,
    last: Digest,
}

/// Audit log that was read and whose chain holds.
#[derive(Debug)]
pub(super) struct ReadAuditLog {
    pub(super) lines: Vec<AuditLine>,
    whole: usize,
}

impl ReadAuditLog {
    /// Reads an audit log and verifies its chain from the first line to the last.
    pub(super) fn read(path: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        let bytes = read_optional(path, MAX_LOG_BYTES)?.unwrap_or_default();
        let found = audit_lines(&bytes).map_err(|line| {
            damaged(path, format!("line {} was altered after it was written", line.number))
        })?;
        let mut previous = audit_anchor(portal);
        let mut lines = Vec::with_capacity(found.lines.len());
        for line in &found.lines {
            let read = decode_audit(line.json)
                .map_err(|problem| misread(path, problem, Some(line.number)))?;
            if read.previous != previous {
                let problem = format!(
                    "line {} does not follow the line before: one was taken out or moved",
                    line.number
                );
                return Err(damaged(path, problem));
            }
            previous = read.digest;
            lines.push(read);
        }
        Ok(Self { lines, whole: found.whole })
    }

    /// Returns the digest that the next line must name.
    fn last(&self, portal: &PortalId) -> Digest {
        self.lines.last().map_or_else(|| audit_anchor(portal), |line| line.digest)
    }
}

impl AuditLog {
    /// Opens an audit log whose chain holds; a torn last line is cut off.
    pub(super) fn open(path: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        let read = ReadAuditLog::read(path, portal)?;
        Ok(Self { file: AppendLog::open(path, read.whole)?, last: read.last(portal) })
    }

    /// Opens an audit log behind its last undamaged line, and returns the damage, which stays as it
    /// is.
    pub(super) fn open_damaged(
        path: &Path,
        portal: &PortalId,
    ) -> Result<(Self, Option<StoreError>), StoreError> {
        let problem = match Self::open(path, portal) {
            Ok(audit_log) => return Ok((audit_log, None)),
            Err(problem @ (StoreError::Damaged { .. } | StoreError::TooNew { .. })) => problem,
            Err(problem) => return Err(problem),
        };
        let bytes = read_optional(path, MAX_LOG_BYTES)?.unwrap_or_default();
        let found = find_audit(&bytes).map_err(|problem| misread(path, problem, None))?;
        let last = found.lines.last().map_or_else(|| audit_anchor(portal), |line| line.digest);
        let mut file = AppendLog::open(path, found.kept)?;
        file.end_line(bytes.get(..found.kept).unwrap_or_default())?;
        Ok((Self { file, last }, Some(problem)))
    }

    /// Appends a line and syncs it.
    pub(super) fn add(&mut self, path: &Path, entry: &AuditEntry) -> Result<(), StoreError> {
        let (mut line, digest) =
            encode_audit(entry, self.last).map_err(|problem| misread(path, problem, None))?;
        line.push('\n');
        self.file.append(&line)?;
        self.last = digest;
        Ok(())
    }
}
