//! Additions to lists of a portal, in a state: `crm_types_added`, `crm_deal_categories_added` and
//! `crm_item_categories_added`.
//!
//! An addition is a list of rows, or the sentence by which a recording describes many rows: `60
//! more: ids 100..159, names P0..P59, sort 500..559`.

use serde_json::{Map, Value, json};

use crate::crm_rows::{CategoryRow, TypeRow};

/// Puts the additions of a portal into its lists, and drops the remark of whoever wrote it.
pub(super) fn apply(portal: &mut Map<String, Value>) -> Result<(), String> {
    portal.shift_remove("note");
    for list in ["crm_types", "crm_deal_categories", "crm_item_categories"] {
        let name = format!("{list}_added");
        let Some(added) = portal.shift_remove(&name) else { continue };
        let rows = match added {
            Value::Array(rows) => rows,
            Value::String(text) => described(list, &text)
                .ok_or_else(|| format!("{name} is neither a list nor a known description"))?,
            _ => return Err(format!("{name} is neither a list nor a description")),
        };
        if let Some(Value::Array(known)) = portal.get_mut(list) {
            known.extend(rows);
        }
    }
    Ok(())
}

/// Returns the rows of a description.
fn described(list: &str, text: &str) -> Option<Vec<Value>> {
    let (count, parts) = text.split_once(" more:")?;
    let part = |name: &str| {
        let part = parts.split(',').map(str::trim).find_map(|part| part.strip_prefix(name))?;
        Some(part.split("..").next().unwrap_or_default().trim())
    };
    let first = |name: &str| part(name)?.parse::<i64>().ok();
    let names = part("names ").or_else(|| part("titles "))?.trim_end_matches('0');
    let row = |index: i64| {
        let (id, name) = (first("ids ")? + index, format!("{names}{index}"));
        if list == "crm_types" {
            // The numbers of smart processes are even.
            let number = first("entityTypeId ")? + 2 * index;
            return Some(json!(TypeRow::named(id, number, &name)));
        }
        let entity_type =
            if list == "crm_item_categories" { Some(first("entityTypeId ")?) } else { None };
        Some(json!(CategoryRow::named(id, entity_type, &name, first("sort ")? + index)))
    };
    (0..count.trim().parse::<u16>().ok()?.into()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions_are_rows_or_a_description() {
        let mut portal = json!({
            "crm_types": [], "crm_deal_categories": [],
            "crm_types_added": "2 more: ids 100..101, entityTypeId 2000, 2002, …, titles M0..M1",
            "crm_deal_categories_added": [{"id": 3, "name": "Three"}],
        });
        apply(portal.as_object_mut().unwrap()).unwrap();
        assert_eq!(
            portal,
            json!({
                "crm_types": [
                    {"id": 100, "entityTypeId": 2000, "title": "M0"},
                    {"id": 101, "entityTypeId": 2002, "title": "M1"},
                ],
                "crm_deal_categories": [{"id": 3, "name": "Three"}],
            })
        );
        let rows =
            described("crm_deal_categories", "60 more: ids 100..159, names P0..P59, sort 500..559");
        let rows = rows.unwrap();
        assert_eq!(rows.len(), 60);
        assert_eq!(rows[59], json!({"id": 159, "name": "P59", "sort": 559, "isDefault": "N"}));
        assert!(apply(json!({"crm_types_added": "many"}).as_object_mut().unwrap()).is_err());
    }
}
