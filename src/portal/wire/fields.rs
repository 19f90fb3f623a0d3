//! Fields of a kind of card with their labels.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::FieldLabels;

/// Names of the label of a field, the best first. Of a user field the title is the code itself, and
/// its labels have entries of their own.
const LABELS: [&str; 3] = ["formLabel", "listLabel", "title"];

/// Parses the result of `crm.lead.fields`. Returns `None` if it names no field.
pub fn field_labels(result: &RawValue) -> Option<FieldLabels> {
    // The order of the fields counts.
    let fields: Map<String, Value> = serde_json::from_str(result.get()).ok()?;
    let named = fields.iter().map(|(code, field)| (code.as_str(), label(code, field)));
    Some(FieldLabels::from_fields(named)).filter(|labels| !labels.is_empty())
}

/// Parses the result of `crm.item.fields`. Returns `None` if it names no field. Codes are in camel
/// case there, and layouts name fields as the database does: `upperName` has that name.
pub fn item_field_labels(result: &RawValue) -> Option<FieldLabels> {
    let answer: Map<String, Value> = serde_json::from_str(result.get()).ok()?;
    let fields = answer.get("fields")?.as_object()?;
    let named = fields.iter().map(|(name, field)| {
        let code = field.get("upperName").and_then(Value::as_str).unwrap_or(name);
        (code, label(code, field))
    });
    Some(FieldLabels::from_fields(named)).filter(|labels| !labels.is_empty())
}

fn label<'a>(code: &str, field: &'a Value) -> Option<&'a str> {
    let texts = LABELS.iter().filter_map(|name| field.get(*name).and_then(Value::as_str));
    texts.map(str::trim).find(|label| !label.is_empty() && *label != code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Option<FieldLabels> {
        field_labels(&RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn label_of_a_user_field_is_that_of_the_form_else_of_the_list_and_never_its_code() {
        let labels = labels(
            r#"{"UF_CRM_3":{"title":"UF_CRM_3","listLabel":"List","formLabel":"Form"},
            "TITLE":{"type":"string","title":"Lead name"},
            "UF_CRM_2":{"title":"UF_CRM_2","listLabel":"List","formLabel":"UF_CRM_2"},
            "UF_CRM_1":{"title":"UF_CRM_1","formLabel":""},
            "UF_CRM_4":{"title":"Title","formLabel":null,"listLabel":{"en":"Label"}},
            "LINK":{"title":"LINK"}}"#,
        )
        .unwrap();
        let named: Vec<_> = labels.iter().collect();
        assert_eq!(
            named,
            [
                ("TITLE", "Lead name"),
                ("UF_CRM_2", "List"),
                ("UF_CRM_3", "Form"),
                ("UF_CRM_4", "Title")
            ]
        );
        let user_fields: Vec<_> = labels.user_fields().collect();
        assert_eq!(user_fields, ["UF_CRM_3", "UF_CRM_2", "UF_CRM_1", "UF_CRM_4"]);
    }

    #[test]
    fn answer_without_fields_has_no_labels() {
        for text in ["null", "[]", "{}", "false", r#""text""#, "[1]", r#"{"TITLE":"x"}"#] {
            assert_eq!(labels(text), None, "{text}");
        }
    }
}
