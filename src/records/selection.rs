//! Selections of a portal's manifests in their last runs, for the guard on shrinking selections.
//!
//! Version 1 has only the numbers of people, by the names of all manifests of a run. It is still
//! read: the number of a run with one manifest is that of the manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};
use crate::model::{Selection, Selections, UserId};

const FORMAT: RecordFormat = RecordFormat { name: "selection", version: 2 };

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum AnySelections {
    V2(SelectionsV2),
    V1(SelectionsV1),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionsV2 {
    manifests: BTreeMap<String, SelectionV2>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionV2 {
    count: u32,
    file: String,
    order: u64,
    people: Vec<UserId>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SelectionsV1 {
    people: BTreeMap<String, u32>,
}

/// Encodes selections as a sealed document.
pub fn encode_selections(selections: &Selections) -> Result<Vec<u8>, FormatError> {
    let form = |(name, selection): (&str, &Selection)| {
        let Selection { count, people, file, order } = selection;
        let (file, people) = (file.clone(), people.clone());
        (name.to_owned(), SelectionV2 { count: *count, file, order: *order, people })
    };
    seal(
        FORMAT,
        &AnySelections::V2(SelectionsV2 { manifests: selections.iter().map(form).collect() }),
    )
}

/// Decodes the selections of a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_selections(bytes: &[u8]) -> Result<Selections, FormatError> {
    let selections = match unseal(FORMAT, bytes)? {
        AnySelections::V2(SelectionsV2 { manifests }) => manifests
            .into_iter()
            .map(|(name, SelectionV2 { count, file, order, people })| {
                (name, Selection { count, people, file, order })
            })
            .collect(),
        AnySelections::V1(SelectionsV1 { people }) => people
            .into_iter()
            .map(|(name, count)| (name, Selection { count, ..Selection::default() }))
            .collect(),
    };
    Ok(Selections::new(selections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CurrentSelection;

    #[test]
    fn numbers_of_version_1_are_read() {
        let earlier = SelectionsV1 { people: BTreeMap::from([("sales".to_owned(), 37)]) };
        let bytes = seal(RecordFormat { version: 1, ..FORMAT }, &earlier).unwrap();
        let read = decode_selections(&bytes).unwrap();
        let now = CurrentSelection { manifest: "sales", file: "sales.yaml", people: &[] };
        assert_eq!(read.previous(&[now], |_| false)["sales"], 37);
    }
}
