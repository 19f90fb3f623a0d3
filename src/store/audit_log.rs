//! Audit log of a portal: reading, checking, appending.

use super::Store;
use super::medium::{Log, Medium, MediumLock};
use super::place::{Place, damaged, misread};
use crate::model::{Digest, PortalId};
use crate::ports::StoreError;
use crate::records::{
    AuditEntry, AuditLine, audit_anchor, audit_lines, decode_audit, encode_audit, find_audit,
};

/// The right to append to an audit log.
#[derive(Debug)]
pub(super) struct AuditLog {
    log: Log,
    name: String,
    last: Digest,
}

/// Audit log that was read and whose chain holds.
#[derive(Debug)]
pub(super) struct ReadAuditLog {
    pub(super) lines: Vec<AuditLine>,
    /// The bytes of the complete lines.
    whole: Vec<u8>,
}

impl Store {
    /// Returns the digests of the lines of the audit log, the oldest first.
    ///
    /// # Errors
    ///
    /// If its chain does not hold.
    pub async fn audit_digests(&self) -> Result<Vec<Digest>, StoreError> {
        let read = ReadAuditLog::read(&self.medium, &self.portal).await?;
        Ok(read.lines.into_iter().map(|line| line.digest).collect())
    }
}

impl ReadAuditLog {
    /// Reads an audit log and verifies its chain from the first line to the last.
    pub(super) async fn read(medium: &Medium, portal: &PortalId) -> Result<Self, StoreError> {
        let mut bytes = medium.read(&Place::Audit).await?.unwrap_or_default();
        let (lines, whole) = checked(&medium.name(&Place::Audit), &bytes, portal)?;
        bytes.truncate(whole);
        Ok(Self { lines, whole: bytes })
    }

    /// Returns the digest that the next line must name.
    fn last(&self, portal: &PortalId) -> Digest {
        self.lines.last().map_or_else(|| audit_anchor(portal), |line| line.digest)
    }
}

/// Returns the lines of an audit log whose chain holds, and the number of their bytes.
fn checked(
    name: &str,
    bytes: &[u8],
    portal: &PortalId,
) -> Result<(Vec<AuditLine>, usize), StoreError> {
    let found = audit_lines(bytes).map_err(|line| {
        damaged(name, format!("line {} was altered after it was written", line.number))
    })?;
    let mut previous = audit_anchor(portal);
    let mut lines = Vec::with_capacity(found.lines.len());
    for line in &found.lines {
        let read =
            decode_audit(line.json).map_err(|problem| misread(name, problem, Some(line.number)))?;
        if read.previous != previous {
            let problem = format!(
                "line {} does not follow the line before: one was taken out or moved",
                line.number
            );
            return Err(damaged(name, problem));
        }
        previous = read.digest;
        lines.push(read);
    }
    Ok((lines, found.whole))
}

impl AuditLog {
    /// Opens an audit log whose chain holds; a torn last line is cut off.
    pub(super) async fn open(
        medium: &Medium,
        held: &MediumLock,
        portal: &PortalId,
    ) -> Result<Self, StoreError> {
        let read = ReadAuditLog::read(medium, portal).await?;
        Self::behind(medium, held, &read.whole, read.last(portal)).await
    }

    async fn behind(
        medium: &Medium,
        held: &MediumLock,
        kept: &[u8],
        last: Digest,
    ) -> Result<Self, StoreError> {
        let log = held.open_log(&Place::Audit, kept).await?;
        Ok(Self { log, name: medium.name(&Place::Audit), last })
    }

    /// Opens an audit log behind its last undamaged line, and returns the damage, which stays as it
    /// is.
    pub(super) async fn open_damaged(
        medium: &Medium,
        held: &MediumLock,
        portal: &PortalId,
    ) -> Result<(Self, Option<StoreError>), StoreError> {
        let problem = match Self::open(medium, held, portal).await {
            Ok(audit_log) => return Ok((audit_log, None)),
            Err(problem @ (StoreError::Damaged { .. } | StoreError::TooNew { .. })) => problem,
            Err(problem) => return Err(problem),
        };
        let bytes = medium.read(&Place::Audit).await?.unwrap_or_default();
        let found = find_audit(&bytes)
            .map_err(|problem| misread(&medium.name(&Place::Audit), problem, None))?;
        let last = found.lines.last().map_or_else(|| audit_anchor(portal), |line| line.digest);
        let kept = bytes.get(..found.kept).unwrap_or_default();
        Ok((Self::behind(medium, held, kept, last).await?, Some(problem)))
    }

    /// Appends a line and syncs it.
    pub(super) async fn add(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let (mut line, digest) =
            encode_audit(entry, self.last).map_err(|problem| misread(&self.name, problem, None))?;
        line.push('\n');
        self.log.append(line).await?;
        self.last = digest;
        Ok(())
    }
}
