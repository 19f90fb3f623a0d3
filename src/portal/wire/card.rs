//! Results of the methods for cards, and the body of `set`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{CardKey, CardScope, Layout, LayoutError};

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
/// layout's text is not JSON, which is impossible for a [`Layout`].
pub fn set_body(key: CardKey, layout: &Layout) -> Option<Vec<u8>> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Extras {
        lead_customer_type: u8,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SetBody<'a> {
        scope: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<u32>,
        extras: Extras,
        data: &'a RawValue,
    }

    let data: &RawValue = serde_json::from_str(layout.as_json()).ok()?;
    let scope = match key.scope {
        CardScope::Common => "C",
        CardScope::Personal(_) => "P",
    };
    let user_id = key.user().map(|user| user.get());
    serde_json::to_vec(&SetBody {
        scope,
        user_id,
        extras: Extras { lead_customer_type: key.lead.number() },
        data,
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LeadCustomerType, UserId};

    #[test]
    fn stored_layout_leaves_byte_for_byte_as_it_came() {
        let layout =
            Layout::from_json(r#"[{"title":"a\/b \u003C","name":"m", "elements":[]}]"#).unwrap();
        let key = CardKey::personal(UserId::new(7).unwrap(), LeadCustomerType::Repeat);
        assert_eq!(
            String::from_utf8(set_body(key, &layout).unwrap()).unwrap(),
            r#"{"scope":"P","userId":7,"extras":{"leadCustomerType":2},"data":[{"title":"a\/b \u003C","name":"m", "elements":[]}]}"#
        );
        let common = set_body(CardKey::common(LeadCustomerType::Simple), &layout).unwrap();
        assert!(common.starts_with(br#"{"scope":"C","extras":{"leadCustomerType":1},"#));
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
