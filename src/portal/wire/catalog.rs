//! Pipelines, categories and smart processes.

use bitrix24::php_json;
use serde_json::value::RawValue;

use crate::model::{EntityType, Pipeline, SmartProcessType};

/// Parses the result of `crm.category.list`. Returns `None` if it is no list of pipelines of this
/// very type: a list with gaps, or of another type, must not pass for a complete one.
pub fn pipelines(result: &RawValue, of: EntityType) -> Option<Vec<Pipeline>> {
    let fields = php_json::map(Some(result))?;
    let categories = php_json::list(fields.get("categories")?)?;
    let pipeline = |entry: &RawValue| {
        let fields = php_json::map(Some(entry))?;
        let number = |name: &str| php_json::number(fields.get(name).copied());
        if number("entityTypeId")? != u64::from(of.number()) {
            return None;
        }
        Some(Pipeline {
            id: number("id")?.try_into().ok()?,
            name: php_json::text(fields.get("name").copied()).unwrap_or_default().into(),
            is_default: match php_json::text(fields.get("isDefault").copied())?.as_str() {
                "Y" => true,
                "N" => false,
                _ => return None,
            },
        })
    };
    categories.into_iter().map(pipeline).collect()
}

/// Parses the result of `crm.dealcategory.list`: the ids of all pipelines of deals but the default
/// one, those included that the caller may not read.
pub fn deal_pipeline_ids(result: &RawValue) -> Option<Vec<u32>> {
    let id = |entry: &RawValue| {
        let fields = php_json::map(Some(entry))?;
        php_json::number(fields.get("ID").copied())?.try_into().ok()
    };
    php_json::list(result)?.into_iter().map(id).collect()
}

/// Parses a page of the result of `crm.type.list`. Types outside of the numbers of smart processes
/// are left out.
pub fn processes(result: &RawValue) -> Option<Vec<(SmartProcessType, Box<str>)>> {
    let fields = php_json::map(Some(result))?;
    let mut found = Vec::new();
    for entry in php_json::list(fields.get("types")?)? {
        let fields = php_json::map(Some(entry))?;
        let number = php_json::number(fields.get("entityTypeId").copied())?.try_into().ok()?;
        let title = php_json::text(fields.get("title").copied()).unwrap_or_default();
        found.extend(SmartProcessType::new(number).map(|process| (process, title.into())));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn list_of_pipelines_of_another_type_or_with_a_gap_is_refused() {
        let entry = |of: u32, id: &str, default: &str| {
            format!(r#"{{"id":{id},"name":"A","entityTypeId":{of},"isDefault":{default}}}"#)
        };
        let read = |entries: &[String]| {
            let text = format!(r#"{{"categories":[{}]}}"#, entries.join(","));
            pipelines(&raw(&text), EntityType::Deal)
        };
        let good = [entry(2, "0", r#""Y""#), entry(2, r#""5""#, r#""N""#)];
        let ids =
            |found: Vec<Pipeline>| found.iter().map(|pipeline| pipeline.id).collect::<Vec<_>>();
        assert_eq!(ids(read(&good).unwrap()), [0, 5]);
        assert_eq!(read(&[]), Some(Vec::new()));
        for wrong in [
            entry(3, "5", r#""N""#),
            entry(2, "-5", r#""N""#),
            entry(2, "null", r#""N""#),
            entry(2, "5", "true"),
            "[]".to_owned(),
        ] {
            assert_eq!(read(&[entry(2, "0", r#""Y""#), wrong.clone()]), None, "{wrong}");
        }
        for text in ["[]", "null", r#"{"categories":false}"#] {
            assert_eq!(pipelines(&raw(text), EntityType::Deal), None, "{text}");
        }
    }

    #[test]
    fn smart_processes_are_named_by_their_entity_type_and_not_by_their_row() {
        let found = processes(&raw(
            r#"{"types":[{"id":3,"title":"Orders","entityTypeId":177},{"id":4,"title":"B","entityTypeId":"31"}]}"#,
        ));
        let number = SmartProcessType::new(177).unwrap();
        assert_eq!(found.unwrap(), [(number, "Orders".into())]);
        assert_eq!(deal_pipeline_ids(&raw(r#"[{"ID":"5"},{"ID":9}]"#)), Some(vec![5, 9]));
        assert_eq!(deal_pipeline_ids(&raw(r#"[{"id":"5"}]"#)), None);
    }
}
