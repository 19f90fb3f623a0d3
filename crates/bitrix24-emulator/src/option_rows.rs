//! Rows of the options table, as a state holds them.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::php::PhpValue;

/// Category of all rows that belong to cards.
pub(super) const CATEGORY: &str = "crm.entity.editor";

/// Largest user id of the portal's database; larger ones are clamped to it on writing.
pub(super) const MAX_USER_ID: i64 = 2_147_483_647;

/// Row of the options table that holds a card, or a setting of one.
///
/// The name of a personal row is that of the kind: `lead_details`, `returning_lead_details`,
/// `deal_details` (the default pipeline), `deal_details_c_5`, `contact_details`,
/// `contact_details_C_15`, `company_details`, `QUOTE_details`, `SMART_INVOICE_details_C1`,
/// `DYNAMIC_177_details_C5`. Common rows end in `_common`, and belong to user 0.
#[derive(Clone, Debug, PartialEq)]
pub struct CardRow {
    /// The owner; 0 for common rows.
    pub user: i64,
    /// The name, in the spelling in which it is stored.
    pub name: String,
    /// The flag of common rows.
    pub common: bool,
    /// The stored value: for a card, a list of columns.
    pub value: Value,
}

impl CardRow {
    /// Creates the row of a personal card, with its sections in one column.
    pub fn personal(user: i64, name: impl Into<String>, sections: &Value) -> Self {
        let column = json!({"name": "default_column", "type": "column", "elements": sections});
        Self { user, name: name.into(), common: false, value: json!([column]) }
    }

    /// Creates the row of a common card. The name is that of the personal one.
    pub fn common(name: impl Into<String>, sections: &Value) -> Self {
        let name = format!("{}_common", name.into());
        Self { common: true, ..Self::personal(0, name, sections) }
    }
}

/// Row of the options table in JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionRowJson {
    user_id: i64,
    #[serde(default = "usual_category")]
    category: String,
    name: String,
    #[serde(default = "no_flag")]
    common: String,
    #[serde(default = "nothing")]
    value: PhpValue,
}

/// Row of the options table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OptionRow {
    pub(super) name: String,
    pub(super) common: bool,
    pub(super) value: PhpValue,
}

/// Key of a row: owner, category, and name in lower case.
pub(super) type OptionKey = (i64, String, String);

fn usual_category() -> String {
    CATEGORY.to_owned()
}

fn no_flag() -> String {
    "N".to_owned()
}

fn nothing() -> PhpValue {
    PhpValue::Null
}

impl OptionRowJson {
    /// Splits a row into its key and its content.
    pub(super) fn into_row(self) -> (OptionKey, OptionRow) {
        let Self { user_id, category, name, common, value } = self;
        let key = (user_id, category.to_lowercase(), name.to_lowercase());
        (key, OptionRow { name, common: common == "Y", value })
    }
}
