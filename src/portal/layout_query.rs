//! Layout as the parameters of one command in a batch.
//!
//! A command string is a query string: every value arrives as text, empty lists vanish, the portal
//! reads at most `max_input_vars` values (1000 by default) and drops the rest, and it looks up
//! `$result[...]` in values (behavior notes, sections 2.1, 9.5 and 9.6). Only layouts that a query
//! string carries unchanged have such a command.

use bitrix24::BatchCommand;
use serde_json::Value;

use crate::model::Layout;

/// Number of values of a command that every portal reads, with a reserve for scope, user and lead
/// type.
const MAX_VALUES: usize = 900;

/// Adds a layout to the command that stores it; `None` if a query string would change it.
pub(crate) fn with_layout(command: BatchCommand, layout: &Layout) -> Option<BatchCommand> {
    let values = values(layout)?;
    Some(values.iter().fold(command, |command, (name, value)| command.with(name, value)))
}

/// Returns `true` if a command of a batch carries a layout unchanged.
pub(crate) fn fits_batch(layout: &Layout) -> bool {
    values(layout).is_some()
}

fn values(layout: &Layout) -> Option<Vec<(String, String)>> {
    let content: Value = serde_json::from_str(layout.as_json()).ok()?;
    let mut values = Vec::new();
    push_values(&mut values, "data", &content)?;
    (content.is_array() && values.len() < MAX_VALUES).then_some(values)
}

/// Appends the values of a part of a layout under their names; `None` if one of them would change.
fn push_values(values: &mut Vec<(String, String)>, name: &str, part: &Value) -> Option<()> {
    match part {
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| push_values(values, &format!("{name}[{index}]"), item)),
        Value::Object(entries) if !entries.is_empty() => {
            entries.iter().try_for_each(|(entry, item)| {
                let is_plain =
                    |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                // PHP reads a name of digits as the index of a list.
                let is_name =
                    entry.bytes().all(is_plain) && !entry.bytes().all(|byte| byte.is_ascii_digit());
                if is_name { push_values(values, &format!("{name}[{entry}]"), item) } else { None }
            })
        }
        Value::String(text) if !text.contains('$') => {
            values.push((name.to_owned(), text.clone()));
            Some(())
        }
        // A section without fields: the portal stores an empty list where `elements` is missing.
        Value::Array(_) if name.ends_with("[elements]") => Some(()),
        Value::Array(_)
        | Value::Object(_)
        | Value::String(_)
        | Value::Number(_)
        | Value::Bool(_)
        | Value::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::address::{MethodFamily, Operation, card_command};

    fn command(json: &str) -> Option<String> {
        let key = "personal/7/lead/repeat".parse().unwrap();
        let command = card_command(Operation::Set, key, MethodFamily::Lead).unwrap();
        with_layout(command, &Layout::from_json(json).unwrap()).map(|command| command.text())
    }

    #[test]
    fn set_command_plain_layout_names_user_first() {
        let json = r#"[{"name":"main","title":"A & b","type":"section","elements":[{"name":"TITLE","optionFlags":"1"}]}]"#;
        assert_eq!(
            command(json).unwrap(),
            "crm.lead.details.configuration.set?scope=P&userId=7&extras[leadCustomerType]=2&data[0][name]=main&\
             data[0][title]=A%20%26%20b&data[0][type]=section&data[0][elements][0][name]=TITLE&\
             data[0][elements][0][optionFlags]=1"
        );
        assert!(
            command(r#"[{"name":"main","title":"A","type":"section","elements":[]}]"#).is_some()
        );
    }

    #[test]
    fn set_command_layout_that_a_query_changes_has_none() {
        let field = |field: &str| {
            format!(r#"[{{"name":"m","title":"A","type":"section","elements":[{field}]}}]"#)
        };
        for text in [
            field(r#"{"name":"F","optionFlags":1}"#),
            field(r#"{"name":"F","options":{}}"#),
            field(r#"{"name":"F","options":{"7":"a"}}"#),
            field(r#"{"name":"F","options":{"a b":"a"}}"#),
            field(r#"{"name":"F","optionFlags":true}"#),
            field(r#"{"name":"F","optionFlags":null}"#),
            r#"[{"name":"m","title":"Total: $total[x]","type":"section","elements":[]}]"#
                .to_owned(),
            r#"{"1":{"name":"m"}}"#.to_owned(),
            "[]".to_owned(),
            "false".to_owned(),
        ] {
            assert_eq!(command(&text), None, "{text}");
        }
    }

    #[test]
    fn set_command_more_values_than_the_portal_reads_has_none() {
        let layout = |fields: usize| {
            let fields: Vec<String> =
                (0..fields).map(|field| format!(r#"{{"name":"F{field}"}}"#)).collect();
            format!(
                r#"[{{"name":"m","title":"A","type":"section","elements":[{}]}}]"#,
                fields.join(",")
            )
        };
        assert!(command(&layout(896)).is_some());
        assert!(command(&layout(897)).is_none());
    }
}
