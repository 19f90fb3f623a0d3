//! The audit trail of a portal: reading, checking, and adding a line.

use std::path::Path;

use super::file::{LARGEST_LOG, damaged, read_if_there};
use super::{LineFile, misread};
use crate::format::{
    AuditEntry, AuditLine, audit_anchor, audit_lines, decode_audit, encode_audit, find_audit,
};
use crate::model::{Digest, PortalId};
use crate::port::StoreError;

/// The right to add lines to a trail.
#[derive(Debug)]
pub(super) struct Trail {
    file: LineFile,
    last: Digest,
}

/// A trail that was read and whose chain holds.
#[derive(Debug)]
pub(super) struct ReadTrail {
    pub(super) lines: Vec<AuditLine>,
    whole: usize,
}

impl ReadTrail {
    /// Reads a trail and follows its chain from the first line to the last.
    pub(super) fn read(path: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        let bytes = read_if_there(path, LARGEST_LOG)?.unwrap_or_default();
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

    /// The digest that the next line must name.
    fn last(&self, portal: &PortalId) -> Digest {
        self.lines.last().map_or_else(|| audit_anchor(portal), |line| line.digest)
    }
}

impl Trail {
    /// Opens a trail whose chain holds; a torn last line is cut off.
    pub(super) fn open(path: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        let read = ReadTrail::read(path, portal)?;
        Ok(Self { file: LineFile::open(path, read.whole)?, last: read.last(portal) })
    }

    /// Opens a trail behind its last whole line, whatever is damaged before; with the damage, which
    /// stays as it is.
    pub(super) fn open_damaged(
        path: &Path,
        portal: &PortalId,
    ) -> Result<(Self, Option<StoreError>), StoreError> {
        let problem = match Self::open(path, portal) {
            Ok(trail) => return Ok((trail, None)),
            Err(problem @ (StoreError::Damaged { .. } | StoreError::TooNew { .. })) => problem,
            Err(problem) => return Err(problem),
        };
        let bytes = read_if_there(path, LARGEST_LOG)?.unwrap_or_default();
        let found = find_audit(&bytes).map_err(|problem| misread(path, problem, None))?;
        let last = found.lines.last().map_or_else(|| audit_anchor(portal), |line| line.digest);
        let mut file = LineFile::open(path, found.kept)?;
        file.end_line(bytes.get(..found.kept).unwrap_or_default())?;
        Ok((Self { file, last }, Some(problem)))
    }

    /// Adds a line and syncs it.
    pub(super) fn add(&mut self, path: &Path, entry: &AuditEntry) -> Result<(), StoreError> {
        let (mut line, digest) =
            encode_audit(entry, self.last).map_err(|problem| misread(path, problem, None))?;
        line.push('\n');
        self.file.append(&line)?;
        self.last = digest;
        Ok(())
    }
}
