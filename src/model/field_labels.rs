//! Labels of the fields of a kind of card, as one portal names them.

use std::collections::{BTreeMap, BTreeSet};

/// Prefix of the codes of user fields.
const USER_FIELD: &str = "UF_";

/// Labels of the fields of one type of entity, by the code of the field. Foreign text: every format
/// escapes it. Empty if the portal has not told them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldLabels {
    labels: BTreeMap<Box<str>, Box<str>>,
    user_fields: Vec<Box<str>>,
}

impl FieldLabels {
    /// Labels that are not known.
    pub const EMPTY: Self = Self { labels: BTreeMap::new(), user_fields: Vec::new() };

    /// Creates the labels from the code and the label of each field, in the order of the portal. A
    /// blank label and one that repeats the code count as missing.
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let (mut all, mut user_fields) = (Self::default(), BTreeSet::new());
        for (code, label) in fields {
            if code.starts_with(USER_FIELD) && user_fields.insert(code) {
                all.user_fields.push(code.into());
            }
            let label = label.map(str::trim).filter(|label| !label.is_empty() && *label != code);
            if let Some(label) = label {
                all.labels.insert(code.into(), label.into());
            }
        }
        all
    }

    /// Returns the label of a field.
    pub fn get(&self, code: &str) -> Option<&str> {
        self.labels.get(code).map(|label| &**label)
    }

    /// Returns all labels with the codes of their fields, sorted by code.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(code, label)| (&**code, &**label))
    }

    /// Returns the codes of all user fields in the order of the portal, those without a label
    /// included.
    pub fn user_fields(&self) -> impl Iterator<Item = &str> {
        self.user_fields.iter().map(|code| &**code)
    }

    /// Returns `true` if no field is known.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.user_fields.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_are_blank_or_repeat_the_code_are_missing() {
        let labels = FieldLabels::from_fields([
            ("UF_CRM_2", Some(" Fair ")),
            ("TITLE", Some("Lead name")),
            ("UF_CRM_1", Some("UF_CRM_1")),
            ("NAME", Some(" ")),
            ("POST", None),
            ("UF_CRM_2", Some("Fair")),
        ]);
        assert_eq!(
            labels.iter().collect::<Vec<_>>(),
            [("TITLE", "Lead name"), ("UF_CRM_2", "Fair")]
        );
        assert_eq!((labels.get("UF_CRM_2"), labels.get("UF_CRM_1")), (Some("Fair"), None));
        assert_eq!(labels.user_fields().collect::<Vec<_>>(), ["UF_CRM_2", "UF_CRM_1"]);
        assert!(!labels.is_empty() && FieldLabels::default().is_empty());
    }
}
