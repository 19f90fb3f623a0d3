//! Labels of fields for people.

use crate::i18n::Text;
use crate::model::FieldLabels;

/// Returns the label of a field: that of the portal, else the built-in one of a field that the
/// portal's list leaves out. The text is foreign, and the format escapes it.
pub(super) fn label(labels: &FieldLabels, code: &str) -> Option<Text> {
    labels.get(code).map(Text::from).or_else(|| built_in(code))
}

/// Returns the label of a composite field, or of a field that holds several contact details.
fn built_in(code: &str) -> Option<Text> {
    Some(match code {
        "ADDRESS" => tr!("Address"),
        "CLIENT" => tr!("Client"),
        "EMAIL" => tr!("E-mail"),
        "IM" => tr!("Messenger"),
        "OBSERVER" => tr!("Observers"),
        "OPPORTUNITY_WITH_CURRENCY" => tr!("Amount and currency"),
        "PHONE" => tr!("Phone"),
        "PRODUCT_ROW_SUMMARY" => tr!("Products"),
        "UTM" => tr!("UTM parameters"),
        "WEB" => tr!("Website"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{Language, with_language};

    #[test]
    fn label_is_that_of_the_portal_and_else_the_built_in_one() {
        let labels = FieldLabels::from_fields([
            ("TITLE", Some("Lead name")),
            ("PHONE", Some("Work phone")),
            ("UF_CRM_1", None),
        ]);
        let shown = |code| label(&labels, code).map(|text| text.to_string());
        assert_eq!(shown("TITLE").as_deref(), Some("Lead name"));
        assert_eq!(shown("PHONE").as_deref(), Some("Work phone"));
        assert_eq!(shown("CLIENT").as_deref(), Some("Client"));
        assert_eq!((shown("UF_CRM_1"), shown("STATUS_ID")), (None, None));
        let russian = with_language(Language::Russian, || shown("OPPORTUNITY_WITH_CURRENCY"));
        assert_eq!(russian.as_deref(), Some("Сумма и валюта"));
    }
}
