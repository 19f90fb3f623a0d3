//! What the portal's limits stood at when a process ended, for the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FormatError, check_format, parsed};

/// The version of the file.
const VERSION: u32 = 1;

/// The seconds that each method took in the last ten minutes, the newest minute first.
pub type OperatingTime = BTreeMap<String, Vec<f64>>;

/// What the limits stood at.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredLevel {
    /// When.
    pub at: Timestamp,
    /// The portal's counter of requests.
    pub level: f64,
    /// The portal's operating time.
    pub operating: OperatingTime,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelForm {
    format: String,
    at: String,
    level: f64,
    operating: OperatingTime,
}

/// A level as JSON.
pub fn encode_level(level: &StoredLevel) -> Vec<u8> {
    let StoredLevel { at, level, operating } = level;
    let form = LevelForm {
        format: format!("recard.level/v{VERSION}"),
        at: at.to_string(),
        level: *level,
        operating: operating.clone(),
    };
    serde_json::to_vec(&form).unwrap_or_default()
}

/// A level from JSON.
///
/// # Errors
///
/// If it is not one, or was written by a newer recard.
pub fn decode_level(bytes: &[u8]) -> Result<StoredLevel, FormatError> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(FormatError::damaged)?;
    check_format(&value, "level", VERSION)?;
    let LevelForm { format: _, at, level, operating } = serde_json::from_value(value).map_err(FormatError::damaged)?;
    if !level.is_finite() || level < 0.0 {
        return Err(FormatError::Damaged(format!("{level} is no level of a counter")));
    }
    Ok(StoredLevel { at: parsed(&at)?, level, operating })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let level = StoredLevel {
            at: "2026-11-01T09:00:00Z".parse().unwrap(),
            level: 12.5,
            operating: [("crm.lead.get".to_owned(), vec![0.5, 0.25])].into(),
        };
        assert_eq!(decode_level(&encode_level(&level)), Ok(level));
        let newer = br#"{"format":"recard.level/v2"}"#;
        assert_eq!(decode_level(newer), Err(FormatError::TooNew { found: 2, known: 1 }));
        assert!(decode_level(b"").is_err());
    }
}
