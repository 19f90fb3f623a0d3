//! Results of the methods for cards, and the body of `set`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{CardKey, CardScope, Layout, LayoutError};
use crate::portal::address::{CardAddress, MethodFamily};

/// Parses the result of `get`: `null` is "no row", and anything else, `false` and objects included,
/// is a layout, kept byte for byte. A text that is JSON for the portal and not for this program
/// (nested too deeply, for example) is an error, and never "no row".
pub fn layout(result: &RawValue) -> Result<Option<Layout>, LayoutError> {
    match Layout::from_json(result.get()) {
        Ok(layout) => Ok(Some(layout)),
        Err(LayoutError::Null) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `true` if the result of `reset` or `set` is the portal's `true`.
pub fn is_done(result: &RawValue) -> bool {
    result.get() == "true"
}

/// Returns the body of a `set`, with the layout byte for byte as it was read. `None` if the
/// layout's text is not JSON, which is impossible for a [`Layout`], or the card has no address.
pub fn set_body(key: CardKey, leads: MethodFamily, layout: &Layout) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SetBody<'a> {
        scope: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        entity_type_id: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        extras: Option<BTreeMap<&'static str, u32>>,
        data: &'a RawValue,
    }

    let data: &RawValue = serde_json::from_str(layout.as_json()).ok()?;
    let address = CardAddress::from_kind(key.kind, leads)?;
    let (scope, user_id) = match key.scope {
        CardScope::Common => ("C", None),
        CardScope::Personal(user) => ("P", Some(user.get())),
    };
    let entity_type_id = address.entity_type_id;
    let extras = address.extra.map(|extra| BTreeMap::from([extra]));
    serde_json::to_vec(&SetBody { scope, user_id, entity_type_id, extras, data }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_layout_leaves_byte_for_byte_as_it_came() {
        let layout =
            Layout::from_json(r#"[{"title":"a\/b \u003C","name":"m", "elements":[]}]"#).unwrap();
        let body = |key: &str, leads: MethodFamily| {
            String::from_utf8(set_body(key.parse().unwrap(), leads, &layout).unwrap()).unwrap()
        };
        assert_eq!(
            body("personal/7/lead/repeat", MethodFamily::Lead),
            r#"{"scope":"P","userId":7,"extras":{"leadCustomerType":2},"data":[{"title":"a\/b \u003C","name":"m", "elements":[]}]}"#
        );
        for (key, wanted) in [
            (
                "common/lead/simple",
                r#"{"scope":"C","entityTypeId":1,"extras":{"leadCustomerType":1},"#,
            ),
            ("common/deal/0", r#"{"scope":"C","entityTypeId":2,"extras":{"dealCategoryId":0},"#),
            ("common/contact", r#"{"scope":"C","entityTypeId":3,"data":"#),
            (
                "personal/7/smart-process/177/9",
                r#"{"scope":"P","userId":7,"entityTypeId":177,"extras":{"categoryId":9},"#,
            ),
        ] {
            let body = body(key, MethodFamily::Item);
            assert!(body.starts_with(wanted), "{body}");
        }
    }

    #[test]
    fn layout_is_absent_only_for_null() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(layout(&raw("null")).unwrap(), None);
        for text in ["[]", "false", "\"\"", "{}", r#"{"1":{"name":"m"}}"#] {
            assert_eq!(layout(&raw(text)).unwrap().unwrap().as_json(), text);
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(serde_json::from_str::<&RawValue>(&deep).is_err() || layout(&raw(&deep)).is_err());
    }
}
