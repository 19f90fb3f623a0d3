//! `crm.item.fields`.
//!
//! By the vendor's documentation, not recorded: names are in camelCase, the code of a field in a
//! card stands in `upperName`, and the title of a user field is its label.

use crate::card_kind::CardKind;
use crate::controller::{self, access_denied, existing_kind};
use crate::error::MethodError;
use crate::lead_fields::{EDITABLE, READ_ONLY, StandardField, properties};
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, UserFieldRow};

/// Fields of all kinds but leads.
const COMMON: &[StandardField] = &[
    ("ASSIGNED_BY_ID", "user", "Responsible person"),
    ("OPENED", "boolean", "Available to everyone"),
    ("COMMENTS", "string", "Comment"),
    ("SOURCE_ID", "crm_status", "Source"),
    ("SOURCE_DESCRIPTION", "string", "Source information"),
    ("UTM_SOURCE", "string", "Ad system"),
    ("UTM_MEDIUM", "string", "Medium"),
    ("UTM_CAMPAIGN", "string", "Ad campaign UTM"),
    ("UTM_CONTENT", "string", "Campaign contents"),
    ("UTM_TERM", "string", "Campaign search term"),
];

const OWN_READ_ONLY: &[StandardField] = &[
    ("ID", "integer", "ID"),
    ("CREATED_BY", "user", "Created by"),
    ("UPDATED_BY", "user", "Modified by"),
    ("CREATED_TIME", "datetime", "Created on"),
    ("UPDATED_TIME", "datetime", "Modified on"),
];

/// Fields of kinds with a name, a stage and an amount.
const WITH_STAGE: &[StandardField] = &[
    ("TITLE", "string", "Name"),
    ("CATEGORY_ID", "crm_category", "Pipeline"),
    ("STAGE_ID", "crm_status", "Stage"),
    ("CURRENCY_ID", "crm_currency", "Currency"),
    ("OPPORTUNITY", "double", "Amount"),
    ("TAX_VALUE", "double", "Tax rate"),
    ("COMPANY_ID", "crm_company", "Company"),
    ("CONTACT_ID", "crm_contact", "Contact"),
    ("BEGINDATE", "date", "Start date"),
    ("CLOSEDATE", "date", "End date"),
];

const DEAL: &[StandardField] = &[
    ("TYPE_ID", "crm_status", "Deal type"),
    ("PROBABILITY", "integer", "Probability, %"),
    ("IS_RETURN_CUSTOMER", "boolean", "Repeat deal"),
];

const QUOTE: &[StandardField] = &[
    ("QUOTE_NUMBER", "string", "Quote number"),
    ("ACTUAL_DATE", "date", "Valid until"),
    ("CONTENT", "string", "Content"),
    ("TERMS", "string", "Terms"),
];

const INVOICE: &[StandardField] = &[
    ("ACCOUNT_NUMBER", "string", "Invoice number"),
    ("MYCOMPANY_ID", "crm_company", "Your company details"),
];

const CONTACT: &[StandardField] = &[
    ("HONORIFIC", "crm_status", "Salutation"),
    ("NAME", "string", "First name"),
    ("SECOND_NAME", "string", "Second name"),
    ("LAST_NAME", "string", "Last name"),
    ("PHOTO", "file", "Photo"),
    ("BIRTHDATE", "date", "Date of birth"),
    ("TYPE_ID", "crm_status", "Contact type"),
    ("POST", "string", "Position"),
    ("COMPANY_ID", "crm_company", "Company"),
    ("EXPORT", "boolean", "Include in export"),
    ("FM", "crm_multifield", "Contact details"),
];

const COMPANY: &[StandardField] = &[
    ("TITLE", "string", "Company name"),
    ("TYPE_ID", "crm_status", "Company type"),
    ("LOGO", "file", "Logo"),
    ("INDUSTRY", "crm_status", "Industry"),
    ("EMPLOYEES", "crm_status", "Employees"),
    ("CURRENCY_ID", "crm_currency", "Currency"),
    ("REVENUE", "double", "Annual revenue"),
    ("BANKING_DETAILS", "string", "Payment details"),
    ("FM", "crm_multifield", "Contact details"),
];

/// Returns the fields of a kind that people can edit.
fn editable(kind: CardKind) -> Vec<&'static [StandardField]> {
    match kind {
        CardKind::Lead => vec![EDITABLE],
        CardKind::Deal => vec![WITH_STAGE, DEAL, COMMON],
        CardKind::Contact => vec![CONTACT, COMMON],
        CardKind::Company => vec![COMPANY, COMMON],
        CardKind::Quote => vec![WITH_STAGE, QUOTE, COMMON],
        CardKind::Invoice => vec![WITH_STAGE, INVOICE, COMMON],
        CardKind::Document(_) | CardKind::Process(_) => vec![WITH_STAGE, COMMON],
    }
}

/// Answers `crm.item.fields`.
pub(super) fn item_fields(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    let kind = existing_kind(state, controller::int(parameters, "entityTypeId")?)?;
    let may_read = match kind {
        CardKind::Lead | CardKind::Quote => state.may_read(caller, kind, 0),
        _ => !state.listed_pipelines(caller, kind).is_empty(),
    };
    if !may_read {
        return Err(access_denied());
    }
    let keeps_names = parameters.at("useOriginalUfNames").and_then(PhpValue::text) == Some("Y");
    let read_only = if kind == CardKind::Lead { READ_ONLY } else { OWN_READ_ONLY };
    let mut fields: Vec<(String, PhpValue)> = Vec::new();
    for (code, field_type, title) in read_only {
        fields.push((camel(code), field(field_type, &["isReadOnly"], title, code)));
    }
    for (code, field_type, title) in editable(kind).into_iter().flatten() {
        let flags: &[&str] = if *field_type == "crm_multifield" { &["isMultiple"] } else { &[] };
        fields.push((camel(code), field(field_type, flags, title, code)));
    }
    let own = match kind {
        CardKind::Lead => Some(&state.lead_user_fields),
        _ => state.item_user_fields.get(&kind.number()),
    };
    for row in own.into_iter().flatten() {
        let UserFieldRow { field_name: code, edit_form_label, list_column_label } = row;
        let title = edit_form_label.as_ref().or(list_column_label.as_ref()).unwrap_or(code);
        let name = if keeps_names { code.clone() } else { camel(code) };
        fields.push((name, field("string", &["isDynamic"], title, code)));
    }
    let fields = fields.iter().map(|(name, field)| (name.as_str(), field.clone())).collect();
    Ok([("fields", fields)].into_iter().collect())
}

fn field(field_type: &str, flags: &[&str], title: &str, code: &str) -> PhpValue {
    let mut entries = properties(field_type, flags);
    entries.extend([("title", PhpValue::from(title)), ("upperName", PhpValue::from(code))]);
    entries.into_iter().collect()
}

/// Converts `UF_CRM_2_1639` to `ufCrm2_1639`: the last `_` stays before digits.
fn camel(code: &str) -> String {
    let parts: Vec<&str> = code.split('_').collect();
    let mut name = String::new();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        if is_last && index > 0 && part.starts_with(|c: char| c.is_ascii_digit()) {
            name.push('_');
        }
        let mut letters = part.chars();
        let first = letters.next().map(|c| if index == 0 { c.to_ascii_lowercase() } else { c });
        name.extend(first);
        name.push_str(&letters.as_str().to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_camel_case_as_documented() {
        for (code, name) in [
            ("ID", "id"),
            ("ASSIGNED_BY_ID", "assignedById"),
            ("UF_CRM_2_1639669411830", "ufCrm2_1639669411830"),
            ("UF_CRM_1712345678", "ufCrm_1712345678"),
            ("UF_CRM_2_HALL", "ufCrm2Hall"),
        ] {
            assert_eq!(camel(code), name);
        }
    }
}
