//! State of the portal's request limit when a process ended, so that the next one stays below it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sealed::{RecordFormat, seal, unseal};
use super::{FormatError, parsed};

const FORMAT: RecordFormat = RecordFormat { name: "level", version: 1 };

/// State of the request limit at a time of day, in plain values.
#[derive(Clone, Debug, PartialEq)]
pub struct LimiterState {
    /// The time of day.
    pub at: Timestamp,
    /// The level of the portal's leaky bucket.
    pub level: f64,
}

// Fractions are texts: they are read back exactly, and canonical JSON does not keep them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimiterStateV1 {
    at: Timestamp,
    level: String,
    /// Operating time by method, from earlier versions. It is ignored, and written empty.
    operating: BTreeMap<String, Value>,
}

/// Encodes a level as a sealed document.
///
/// # Errors
///
/// If the level is negative or infinite.
pub fn encode_limiter_state(stored: &LimiterState) -> Result<Vec<u8>, FormatError> {
    let LimiterState { at, level } = stored;
    let level = amount(*level)?.to_string();
    seal(FORMAT, &LimiterStateV1 { at: *at, level, operating: BTreeMap::new() })
}

/// Decodes a level from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_limiter_state(bytes: &[u8]) -> Result<LimiterState, FormatError> {
    let LimiterStateV1 { at, level, operating: _ } = unseal(FORMAT, bytes)?;
    Ok(LimiterState { at, level: amount(parsed(&level)?)? })
}

/// Refuses a level that is negative or infinite: a limiter with it would wait forever.
fn amount(number: f64) -> Result<f64, FormatError> {
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err(FormatError::Invalid(format!("{number} is no amount")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn endless_or_negative_level_is_neither_written_nor_read() {
        for level in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(
                encode_limiter_state(&LimiterState { level, ..samples::limiter_state() }).is_err(),
                "{level}"
            );
        }
    }

    #[test]
    fn level_with_operating_times_of_an_earlier_version_is_read() {
        #[derive(Serialize)]
        struct Earlier {
            at: &'static str,
            level: &'static str,
            operating: Value,
        }
        let operating = serde_json::json!({"batch": [{"minute": "29638980", "seconds": "0.3"}]});
        let earlier = Earlier { at: "2026-11-01T09:00:00.5Z", level: "12.1", operating };
        assert_eq!(
            decode_limiter_state(&seal(FORMAT, &earlier).unwrap()).unwrap(),
            samples::limiter_state()
        );
    }
}
