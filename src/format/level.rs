//! What the portal's limits stood at when a process ended, so that the next one does not run into them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::{Format, seal, unseal};
use super::{FormatError, parsed};

const FORMAT: Format = Format { name: "level", version: 1 };

/// What the limits stood at, in plain values that no adapter owns.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredLevel {
    /// When.
    pub at: Timestamp,
    /// What the portal's counter of requests stood at.
    pub level: f64,
    /// For each method, the minutes in which it was used and the seconds that the portal spent in it then.
    pub operating: BTreeMap<String, Vec<(i64, f64)>>,
}

// Fractions and wide numbers are texts: they are read back exactly, and canonical JSON keeps neither.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelForm {
    at: String,
    level: String,
    operating: BTreeMap<String, Vec<MinuteForm>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinuteForm {
    minute: String,
    seconds: String,
}

/// A level as a sealed document.
///
/// # Errors
///
/// If an amount is negative or endless.
pub fn encode_level(stored: &StoredLevel) -> Result<Vec<u8>, FormatError> {
    let StoredLevel { at, level, operating } = stored;
    let mut methods = BTreeMap::new();
    for (method, minutes) in operating {
        let form = |(minute, seconds): &(i64, f64)| {
            Ok(MinuteForm { minute: minute.to_string(), seconds: amount(*seconds)?.to_string() })
        };
        methods.insert(method.clone(), minutes.iter().map(form).collect::<Result<Vec<_>, FormatError>>()?);
    }
    seal(FORMAT, &LevelForm { at: at.to_string(), level: amount(*level)?.to_string(), operating: methods })
}

/// A level from a sealed document.
///
/// # Errors
///
/// If it is no sealed document of this kind, of a newer version, or changed since it was written.
pub fn decode_level(bytes: &[u8]) -> Result<StoredLevel, FormatError> {
    let LevelForm { at, level, operating } = unseal(FORMAT, bytes)?;
    let mut methods = BTreeMap::new();
    for (method, minutes) in operating {
        let read = |MinuteForm { minute, seconds }: MinuteForm| Ok((parsed(&minute)?, amount(parsed(&seconds)?)?));
        methods.insert(method, minutes.into_iter().map(read).collect::<Result<Vec<_>, FormatError>>()?);
    }
    Ok(StoredLevel { at: parsed(&at)?, level: amount(parsed(&level)?)?, operating: methods })
}

/// Neither a level nor a time can be negative or endless; a limiter that believed one would wait for ever.
fn amount(number: f64) -> Result<f64, FormatError> {
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err(FormatError::Senseless(format!("{number} is no amount")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::samples;

    #[test]
    fn an_endless_or_negative_level_is_neither_written_nor_read() {
        for level in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(encode_level(&StoredLevel { level, ..samples::level() }).is_err(), "{level}");
        }
    }

    #[test]
    fn a_flipped_bit_gives_an_error_or_the_same_level() {
        let level = samples::level();
        samples::flip_every_bit(&encode_level(&level).unwrap(), |damaged| {
            if let Ok(read) = decode_level(damaged) {
                assert_eq!(read, level);
            }
        });
    }
}
