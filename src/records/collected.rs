//! Mark of a run whose old backups were deleted on purpose.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};

const FORMAT: RecordFormat = RecordFormat { name: "collected-backups", version: 1 };

/// Mark of a run whose backups were deleted, but for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectedBackups {
    /// The time of the deletion.
    pub at: Timestamp,
}

/// Writes a mark as a sealed document.
pub fn encode_collected(mark: CollectedBackups) -> Result<Vec<u8>, FormatError> {
    seal(FORMAT, &mark)
}

/// Decodes a mark from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_collected(bytes: &[u8]) -> Result<CollectedBackups, FormatError> {
    unseal(FORMAT, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collected_mark_comes_back_and_is_sealed() {
        let mark = CollectedBackups { at: "2026-11-01T09:00:00Z".parse().unwrap() };
        let bytes = encode_collected(mark).unwrap();
        assert_eq!(decode_collected(&bytes).unwrap(), mark);
        let altered = String::from_utf8(bytes).unwrap().replace("2026", "2025");
        assert!(decode_collected(altered.as_bytes()).is_err());
    }
}
