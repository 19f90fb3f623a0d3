//! How many people the last run on a portal selected; for the guard on shrinking selections.
//!
//! Kept by the names of the manifests of the run: two pipelines that keep different manifests for one portal are not
//! measured against each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::document::{Format, seal, unseal};

const FORMAT: Format = Format { name: "selection", version: 1 };

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionForm {
    people: BTreeMap<String, u32>,
}

/// The numbers of people, by the manifests that selected them, as a sealed document.
///
/// # Errors
///
/// If JSON cannot hold it; nothing that recard keeps is such a value.
pub fn encode_selections(people: &BTreeMap<String, u32>) -> Result<Vec<u8>, FormatError> {
    seal(FORMAT, &SelectionForm { people: people.clone() })
}

/// The numbers of people from a sealed document.
///
/// # Errors
///
/// If it is no sealed document of this kind, of a newer version, or changed since it was written.
pub fn decode_selections(bytes: &[u8]) -> Result<BTreeMap<String, u32>, FormatError> {
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
            let people = BTreeMap::from([("sales".to_owned(), people)]);
            samples::flip_every_bit(&encode_selections(&people).unwrap(), |damaged| {
                if let Ok(read) = decode_selections(damaged) {
                    assert_eq!(read, people);
                }
            });
        }
    }
}
