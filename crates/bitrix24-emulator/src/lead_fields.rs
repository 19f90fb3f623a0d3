//! `crm.lead.fields`.
//!
//! By the vendor's documentation, not recorded: any user may call it; of a user field the title is
//! the code itself, and the labels that somebody gave stand beside it. Composite fields of a card,
//! such as the client, are not among the fields.

use crate::php::PhpValue;
use crate::state::{PortalState, UserFieldRow};

/// Standard field: its code, its type and its title.
pub(super) type StandardField = (&'static str, &'static str, &'static str);

/// Standard fields that people can edit.
pub(super) const EDITABLE: &[StandardField] = &[
    ("TITLE", "string", "Lead Name"),
    ("HONORIFIC", "crm_status", "Salutation"),
    ("NAME", "string", "First Name"),
    ("SECOND_NAME", "string", "Second Name"),
    ("LAST_NAME", "string", "Last Name"),
    ("BIRTHDATE", "date", "Date of Birth"),
    ("COMPANY_TITLE", "string", "Company Name"),
    ("SOURCE_ID", "crm_status", "Source"),
    ("SOURCE_DESCRIPTION", "string", "Source information"),
    ("STATUS_ID", "crm_status", "Status"),
    ("STATUS_DESCRIPTION", "string", "Status information"),
    ("POST", "string", "Position"),
    ("ADDRESS", "string", "Address"),
    ("ADDRESS_2", "string", "Address (line 2)"),
    ("ADDRESS_CITY", "string", "City"),
    ("ADDRESS_POSTAL_CODE", "string", "Zip"),
    ("ADDRESS_REGION", "string", "Region"),
    ("ADDRESS_PROVINCE", "string", "State / Province"),
    ("ADDRESS_COUNTRY", "string", "Country"),
    ("CURRENCY_ID", "crm_currency", "Currency"),
    ("OPPORTUNITY", "double", "Amount"),
    ("OPENED", "char", "Available to everyone"),
    ("COMMENTS", "string", "Comment"),
    ("ASSIGNED_BY_ID", "user", "Responsible person"),
    ("COMPANY_ID", "crm_company", "Company"),
    ("CONTACT_ID", "crm_contact", "Contact"),
    ("UTM_SOURCE", "string", "Ad system"),
    ("UTM_MEDIUM", "string", "Medium"),
    ("UTM_CAMPAIGN", "string", "Ad campaign UTM"),
    ("UTM_CONTENT", "string", "Campaign contents"),
    ("UTM_TERM", "string", "Campaign search term"),
    ("PHONE", "crm_multifield", "Phone"),
    ("EMAIL", "crm_multifield", "E-mail"),
    ("WEB", "crm_multifield", "Website"),
    ("IM", "crm_multifield", "Messenger"),
    ("LINK", "crm_multifield", "LINK"),
];

/// Standard fields that the portal writes itself.
pub(super) const READ_ONLY: &[StandardField] = &[
    ("ID", "integer", "ID"),
    ("STATUS_SEMANTIC_ID", "string", "Status details"),
    ("HAS_PHONE", "char", "Has phone"),
    ("HAS_EMAIL", "char", "Has e-mail"),
    ("CREATED_BY_ID", "user", "Created by"),
    ("MODIFY_BY_ID", "user", "Modified by"),
    ("DATE_CREATE", "datetime", "Created on"),
    ("DATE_MODIFY", "datetime", "Modified on"),
    ("DATE_CLOSED", "datetime", "Completed on"),
    ("IS_RETURN_CUSTOMER", "char", "Repeat lead"),
];

/// Properties of a field, in their order.
const FLAGS: [&str; 5] = ["isRequired", "isReadOnly", "isImmutable", "isMultiple", "isDynamic"];

/// Answers `crm.lead.fields`.
pub(super) fn lead_fields(state: &PortalState) -> PhpValue {
    let read_only = READ_ONLY.iter().map(|field| (field.0, standard(field, &["isReadOnly"])));
    let editable = EDITABLE.iter().map(|field| (field.0, standard(field, &[])));
    let user_fields = state.lead_user_fields.iter();
    let user_fields = user_fields.map(|row| (row.field_name.as_str(), user_field(row)));
    read_only.chain(editable).chain(user_fields).collect()
}

fn standard((code, kind, title): &StandardField, flags: &[&str]) -> PhpValue {
    let flags = if *kind == "crm_multifield" { &["isMultiple"] } else { flags };
    let mut entries = properties(kind, flags);
    if *kind == "crm_status" {
        entries.push(("statusType", PhpValue::from(code.trim_end_matches("_ID"))));
    }
    entries.push(("title", PhpValue::from(*title)));
    entries.into_iter().collect()
}

fn user_field(row: &UserFieldRow) -> PhpValue {
    let mut entries = properties("string", &["isDynamic"]);
    entries.push(("title", PhpValue::from(row.field_name.as_str())));
    let labels = [("listLabel", &row.list_column_label), ("formLabel", &row.edit_form_label)];
    entries.extend(
        labels.into_iter().filter_map(|(name, label)| {
            label.as_deref().map(|label| (name, PhpValue::from(label)))
        }),
    );
    entries.into_iter().collect()
}

/// Returns the type of a field and its properties, of which these hold.
pub(super) fn properties(kind: &str, flags: &[&str]) -> Vec<(&'static str, PhpValue)> {
    let properties = FLAGS.map(|flag| (flag, PhpValue::Bool(flags.contains(&flag))));
    [("type", PhpValue::from(kind))].into_iter().chain(properties).collect()
}
