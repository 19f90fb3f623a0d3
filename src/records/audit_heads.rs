//! Heads of audit logs: the length and the last digest of each, as JSON, to be kept elsewhere.
//!
//! A log cannot show that lines were cut off at its end. Whoever kept an earlier head can.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sealed::RecordFormat;
use super::{FormatError, no_duplicate_keys};
use crate::model::{Digest, PortalId};

const FORMAT: RecordFormat = RecordFormat { name: "audit-heads", version: 1 };

/// Heads of the audit logs of a store, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "recard heads of audit logs")]
pub struct AuditHeads {
    /// Always `recard.audit-heads/v1`.
    format: String,
    /// The time at which they were read.
    #[schemars(with = "String")]
    pub made: Timestamp,
    /// The head of each log that has a line, sorted by portal.
    pub heads: Vec<AuditHead>,
}

/// Head of the audit log of one portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditHead {
    /// The portal.
    #[schemars(with = "String")]
    pub portal: PortalId,
    /// The number of lines.
    pub lines: u32,
    /// The digest of the last line, which binds all lines before it.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// Way in which an audit log does not continue an earlier head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditBreak {
    /// The log has fewer lines than the head: so many.
    Cut(usize),
    /// The line of the head is another one.
    Rewritten,
}

impl AuditHeads {
    /// Makes the document.
    pub fn new(made: Timestamp, heads: Vec<AuditHead>) -> Self {
        Self { format: FORMAT.text(), made, heads }
    }

    /// Decodes a document.
    ///
    /// # Errors
    ///
    /// If it is not JSON, or of another kind or a newer version.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let object = no_duplicate_keys::object(bytes)?;
        FORMAT.check_object(&object)?;
        serde_json::from_value(object.into()).map_err(FormatError::invalid)
    }
}

impl AuditHead {
    /// Returns the head of a log, from the digests of its lines; `None` if it has no line.
    pub fn from_digests(portal: &PortalId, digests: &[Digest]) -> Option<Self> {
        let lines = u32::try_from(digests.len()).unwrap_or(u32::MAX);
        digests.last().map(|digest| Self { portal: portal.clone(), lines, digest: *digest })
    }

    /// Compares the head with the present lines of its log. Returns `None` if they continue it.
    pub fn check(&self, digests: &[Digest]) -> Option<AuditBreak> {
        let last = (self.lines as usize).checked_sub(1);
        match last.and_then(|last| digests.get(last)) {
            None => Some(AuditBreak::Cut(digests.len())),
            Some(digest) if *digest != self.digest => Some(AuditBreak::Rewritten),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn head_is_continued_by_the_same_lines_and_more_and_by_no_others() {
        let digests: Vec<Digest> = (0..4_u8).map(|number| Digest::hash(&[number])).collect();
        assert_eq!(AuditHead::from_digests(&samples::portal(), &[]), None);
        let head = AuditHead::from_digests(&samples::portal(), &digests[..3]).unwrap();
        assert_eq!((head.lines, head.digest), (3, digests[2]));
        assert_eq!(head.check(&digests[..3]), None);
        assert_eq!(head.check(&digests), None);
        assert_eq!(head.check(&digests[..2]), Some(AuditBreak::Cut(2)));
        assert_eq!(head.check(&[]), Some(AuditBreak::Cut(0)));
        assert_eq!(head.check(&digests[1..]), Some(AuditBreak::Rewritten));
        let heads = AuditHeads::new(Timestamp::UNIX_EPOCH, vec![head]);
        let bytes = serde_json::to_vec(&heads).unwrap();
        assert_eq!(AuditHeads::parse(&bytes).unwrap(), heads);
        let newer = String::from_utf8(bytes).unwrap().replace("heads/v1", "heads/v2");
        assert!(matches!(AuditHeads::parse(newer.as_bytes()), Err(FormatError::TooNew { .. })));
    }
}
