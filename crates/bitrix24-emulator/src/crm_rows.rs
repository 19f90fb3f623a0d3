//! Types, pipelines and rights of the CRM, as a state holds them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Types, pipelines and rights of the CRM.
#[derive(Clone, Debug)]
pub(super) struct CrmPortal {
    pub(super) types: Vec<TypeRow>,
    pub(super) deal_categories: Vec<CategoryRow>,
    /// The categories of all kinds but deals, which share one range of numbers.
    pub(super) item_categories: Vec<CategoryRow>,
    /// The rights of a role, such as `DEAL_C5 read` and `CONFIG write`. A role without an entry may
    /// read everything.
    pub(super) role_rights: BTreeMap<String, Vec<String>>,
    /// The number of the next category.
    pub(super) next_item_category: i64,
}

/// Type with a number of its own: a smart process, smart invoices, or smart documents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeRow {
    pub(super) id: i64,
    pub(super) entity_type_id: i64,
    pub(super) title: String,
    #[serde(flatten)]
    pub(super) settings: Map<String, Value>,
}

impl TypeRow {
    pub(super) fn named(id: i64, entity_type_id: i64, title: &str) -> Self {
        Self { id, entity_type_id, title: title.to_owned(), settings: Map::new() }
    }

    /// Takes the settings that are missing from the base portal's type of the same number.
    pub(super) fn completed(mut self, known: &[Self]) -> Self {
        let same = |row: &&Self| (row.id, row.entity_type_id) == (self.id, self.entity_type_id);
        if let Some(row) = known.iter().find(same) {
            for (name, value) in &row.settings {
                self.settings.entry(name).or_insert_with(|| value.clone());
            }
            // A remark in brackets is none of the title.
            if self.title.starts_with(&format!("{} (", row.title)) {
                self.title.clone_from(&row.title);
            }
        }
        self
    }
}

/// Pipeline or category.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CategoryRow {
    pub(super) id: i64,
    /// The number of the type; deals have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) entity_type_id: Option<i64>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) sort: i64,
    #[serde(default = "no")]
    pub(super) is_default: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) is_system: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stored: Option<bool>,
}

fn no() -> String {
    "N".to_owned()
}

impl CategoryRow {
    pub(super) fn named(id: i64, entity_type_id: Option<i64>, name: &str, sort: i64) -> Self {
        let is_default = no();
        Self { id, entity_type_id, name: name.to_owned(), sort, is_default, ..Self::default() }
    }
}
