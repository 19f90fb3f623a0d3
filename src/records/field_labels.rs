//! Labels of fields as a portal told them last.
//!
//! Commands without an answer of the portal show them. They are foreign text, and no decision
//! depends on them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};

use crate::model::{FieldLabels, PortalId};

const FORMAT: RecordFormat = RecordFormat { name: "field-labels", version: 1 };

/// Labels of a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalLabels {
    /// The time at which the portal told them first.
    pub at: Timestamp,
    /// The portal.
    pub portal: PortalId,
    /// The labels of the fields of leads.
    pub lead: FieldLabels,
}

/// Document of the labels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    at: Timestamp,
    portal: PortalId,
    lead: Fields,
}

/// Fields of one kind of card.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// The labels by the codes of their fields.
    labels: BTreeMap<String, String>,
    /// The codes of all user fields in the order of the portal.
    user_fields: Vec<String>,
}

/// Writes labels as a sealed document.
///
/// # Errors
///
/// If they cannot be written as JSON.
pub fn encode_field_labels(labels: &PortalLabels) -> Result<Vec<u8>, FormatError> {
    let PortalLabels { at, portal, lead } = labels;
    let owned = |(code, label): (&str, &str)| (code.to_owned(), label.to_owned());
    let lead = Fields {
        labels: lead.iter().map(owned).collect(),
        user_fields: lead.user_fields().map(str::to_owned).collect(),
    };
    seal(FORMAT, &Document { at: *at, portal: portal.clone(), lead })
}

/// Decodes labels from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_field_labels(bytes: &[u8]) -> Result<PortalLabels, FormatError> {
    let Document { at, portal, lead: Fields { labels, user_fields } } = unseal(FORMAT, bytes)?;
    let user_fields = user_fields.iter().map(|code| (code.as_str(), None));
    let labels = labels.iter().map(|(code, label)| (code.as_str(), Some(label.as_str())));
    Ok(PortalLabels { at, portal, lead: FieldLabels::from_fields(user_fields.chain(labels)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn labels_come_back_with_the_order_of_the_user_fields() {
        let labels = samples::portal_labels();
        let read = decode_field_labels(&encode_field_labels(&labels).unwrap()).unwrap();
        assert_eq!(read, labels);
        assert_eq!(read.lead.user_fields().collect::<Vec<_>>(), ["UF_CRM_2", "UF_CRM_1"]);
        assert_eq!(read.lead.get("UF_CRM_1"), None);
    }
}
