//! Labels of fields as a portal told them last.
//!
//! Commands without an answer of the portal show them. They are foreign text, and no decision
//! depends on them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};

use crate::model::{CardLabels, EntityType, FieldLabels, PortalId};

const FORMAT: RecordFormat = RecordFormat { name: "field-labels", version: 1 };

/// Labels of a portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalLabels {
    /// The time at which the portal told them first.
    pub at: Timestamp,
    /// The portal.
    pub portal: PortalId,
    /// The labels of each type.
    pub labels: CardLabels,
}

/// Document of the labels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    at: Timestamp,
    portal: PortalId,
    lead: Fields,
    /// The fields of other types, by `entityTypeId`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    others: BTreeMap<u32, Fields>,
}

/// Fields of one type.
#[derive(Default, Serialize, Deserialize)]
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
    let PortalLabels { at, portal, labels } = labels;
    let lead = Fields::from(labels.for_type(EntityType::Lead));
    let others = labels.iter().filter(|(of, _)| *of != EntityType::Lead);
    let others = others.map(|(of, labels)| (of.number(), Fields::from(labels))).collect();
    seal(FORMAT, &Document { at: *at, portal: portal.clone(), lead, others })
}

/// Decodes labels from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_field_labels(bytes: &[u8]) -> Result<PortalLabels, FormatError> {
    let Document { at, portal, lead, others } = unseal(FORMAT, bytes)?;
    let others = others.into_iter().filter_map(|(number, fields)| {
        Some((EntityType::from_number(number)?, FieldLabels::from(fields)))
    });
    let lead = (EntityType::Lead, FieldLabels::from(lead));
    Ok(PortalLabels { at, portal, labels: [lead].into_iter().chain(others).collect() })
}

impl From<&FieldLabels> for Fields {
    fn from(labels: &FieldLabels) -> Self {
        let owned = |(code, label): (&str, &str)| (code.to_owned(), label.to_owned());
        Self {
            labels: labels.iter().map(owned).collect(),
            user_fields: labels.user_fields().map(str::to_owned).collect(),
        }
    }
}

impl From<Fields> for FieldLabels {
    fn from(Fields { labels, user_fields }: Fields) -> Self {
        let user_fields = user_fields.iter().map(|code| (code.as_str(), None));
        let labels = labels.iter().map(|(code, label)| (code.as_str(), Some(label.as_str())));
        Self::from_fields(user_fields.chain(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn labels_come_back_with_the_order_of_the_user_fields() {
        let mut labels = samples::portal_labels();
        let deal = FieldLabels::from_fields([("STAGE_ID", Some("Stage"))]);
        labels.labels.update([(EntityType::Deal, deal)].into_iter().collect());
        let read = decode_field_labels(&encode_field_labels(&labels).unwrap()).unwrap();
        assert_eq!(read, labels);
        let lead = read.labels.for_type(EntityType::Lead);
        assert_eq!(lead.user_fields().collect::<Vec<_>>(), ["UF_CRM_2", "UF_CRM_1"]);
        assert_eq!(lead.get("UF_CRM_1"), None);
        assert_eq!(read.labels.for_type(EntityType::Deal).get("STAGE_ID"), Some("Stage"));
    }
}
