//! How many people the last run on a portal selected; for the guard on shrinking selections.

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::document::{Format, seal, unseal};

const FORMAT: Format = Format { name: "selection", version: 1 };

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionForm {
    people: u32,
}

/// The number of people as a sealed document.
pub fn encode_selection(people: u32) -> Result<Vec<u8>, FormatError> {
    seal(FORMAT, &SelectionForm { people })
}

/// The number of people from a sealed document.
pub fn decode_selection(bytes: &[u8]) -> Result<u32, FormatError> {
    let SelectionForm { people } = unseal(FORMAT, bytes)?;
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::samples;

    #[test]
    fn a_flipped_bit_gives_an_error_or_the_same_number() {
        for people in [0, 37, u32::MAX] {
            samples::flip_every_bit(&encode_selection(people).unwrap(), |damaged| {
                if let Ok(read) = decode_selection(damaged) {
                    assert_eq!(read, people);
                }
            });
        }
    }
}
