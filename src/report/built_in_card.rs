//! Built-in lead card of Bitrix24, which people see where no layout is stored.
//!
//! The portal never sends it. It is known from the vendor's code of May 2026 alone [source read,
//! not recorded]: an administrator cannot change it, and another release may have another one. So a
//! report marks it as such. The titles of the sections depend on the portal's language; here they
//! are in the language of the report.

use crate::i18n::Text;
use crate::model::{Field, FieldLabels, LeadCustomerType, Outline, Section};

/// Fields of the first section that every type of lead has.
const MAIN: &[&str] = &["TITLE", "STATUS_ID", "OPPORTUNITY_WITH_CURRENCY", "CLIENT"];

/// Further fields of the first section for simple leads: the person and the contact details.
const PERSON: &[&str] = &[
    "HONORIFIC",
    "LAST_NAME",
    "NAME",
    "SECOND_NAME",
    "BIRTHDATE",
    "POST",
    "COMPANY_TITLE",
    "PHONE",
    "EMAIL",
    "WEB",
    "IM",
];

/// Fields of the second section ahead of the user fields, for simple leads.
const ADDITIONAL: &[&str] = &[
    "SOURCE_ID",
    "SOURCE_DESCRIPTION",
    "OPENED",
    "ASSIGNED_BY_ID",
    "OBSERVER",
    "COMMENTS",
    "ADDRESS",
    "UTM",
];

/// Fields of the second section that repeat leads lack.
const SIMPLE_ALONE: &[&str] = &["OBSERVER", "ADDRESS"];

/// Field of the third section.
const PRODUCTS: &[&str] = &["PRODUCT_ROW_SUMMARY"];

/// Returns the built-in card for a type of lead, with the user fields that the portal has named;
/// without labels they are not known. The fields have no flags: the code sets none.
pub(super) fn built_in_card(lead: LeadCustomerType, labels: &FieldLabels) -> Outline {
    let is_simple = lead == LeadCustomerType::Simple;
    let person = if is_simple { PERSON } else { &[] };
    let main = MAIN.iter().chain(person).copied();
    let additional =
        ADDITIONAL.iter().copied().filter(|field| is_simple || !SIMPLE_ALONE.contains(field));
    Outline {
        sections: vec![
            section("main", &tr!("About lead"), main),
            section("additional", &tr!("More"), additional.chain(labels.user_fields())),
            section("products", &tr!("Products"), PRODUCTS.iter().copied()),
        ],
        other: None,
    }
}

fn section<'a>(name: &str, title: &Text, fields: impl Iterator<Item = &'a str>) -> Section {
    Section {
        name: name.to_owned(),
        title: title.to_string(),
        fields: fields.map(|name| Field { name: name.to_owned(), other: Vec::new() }).collect(),
        other: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(outline: &Outline) -> Vec<(&str, String)> {
        let fields = |section: &Section| {
            section.fields.iter().map(|field| &*field.name).collect::<Vec<_>>().join(" ")
        };
        outline.sections.iter().map(|section| (&*section.name, fields(section))).collect()
    }

    #[test]
    fn built_in_card_of_simple_leads_ends_its_second_section_with_the_user_fields() {
        let labels = FieldLabels::from_fields([
            ("UF_CRM_2", Some("Fair")),
            ("TITLE", Some("Lead name")),
            ("UF_CRM_1", None),
        ]);
        let card = built_in_card(LeadCustomerType::Simple, &labels);
        let fields = |text: &str| text.to_owned();
        assert_eq!(
            names(&card),
            [
                (
                    "main",
                    fields(
                        "TITLE STATUS_ID OPPORTUNITY_WITH_CURRENCY CLIENT HONORIFIC LAST_NAME \
                         NAME SECOND_NAME BIRTHDATE POST COMPANY_TITLE PHONE EMAIL WEB IM"
                    )
                ),
                (
                    "additional",
                    fields(
                        "SOURCE_ID SOURCE_DESCRIPTION OPENED ASSIGNED_BY_ID OBSERVER COMMENTS \
                         ADDRESS UTM UF_CRM_2 UF_CRM_1"
                    )
                ),
                ("products", fields("PRODUCT_ROW_SUMMARY")),
            ]
        );
        let titles: Vec<&str> = card.sections.iter().map(|section| &*section.title).collect();
        assert_eq!(titles, ["About lead", "More", "Products"]);
    }

    #[test]
    fn built_in_card_of_repeat_leads_has_no_person_no_observer_and_no_address() {
        let card = built_in_card(LeadCustomerType::Repeat, &FieldLabels::default());
        assert_eq!(
            names(&card),
            [
                ("main", "TITLE STATUS_ID OPPORTUNITY_WITH_CURRENCY CLIENT".to_owned()),
                (
                    "additional",
                    "SOURCE_ID SOURCE_DESCRIPTION OPENED ASSIGNED_BY_ID COMMENTS UTM".to_owned()
                ),
                ("products", "PRODUCT_ROW_SUMMARY".to_owned()),
            ]
        );
    }
}
