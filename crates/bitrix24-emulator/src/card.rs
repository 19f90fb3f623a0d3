//! Methods of the cards: `get`, `set`, `reset` and `forceCommonScopeForAll`, for leads by their own
//! names and for all kinds of entries by `crm.item.*`.
//!
//! Behavior notes, sections 3 to 7: every silent fallback is emulated.

use crate::error::MethodError;
use crate::php::{PhpArray, PhpKey, PhpValue};
use crate::state::{PortalState, Release};

/// Operation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Set,
    Reset,
    Force,
}

/// Family of methods: the kind of entry of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `crm.lead.details.configuration.*`
    Lead,
    /// `crm.item.details.configuration.*`
    Item,
}

/// Address of a row in a call.
struct RowAddress {
    /// The user whose permission is checked.
    named: i64,
    /// The owner of the row.
    user: i64,
    /// The name of the personal row.
    name: String,
    common: bool,
}

/// Executes a call.
pub(super) fn call(
    state: &mut PortalState,
    caller: i64,
    family: Family,
    operation: Operation,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    if !state.may_use_crm(caller) {
        return Err(MethodError::access_denied());
    }
    let base = match family {
        Family::Lead => "lead_details",
        Family::Item => entity(parameters)?,
    };
    let address = address(state, caller, base, operation, parameters)?;
    check_permission(state, caller, operation, &address)?;
    match operation {
        Operation::Get => Ok(get(state, &address)),
        Operation::Reset => {
            let name =
                if address.common { format!("{}_common", address.name) } else { address.name };
            state.remove(address.user, &name);
            Ok(PhpValue::Bool(true))
        }
        Operation::Set => {
            let value =
                stored(state.release, first(parameters, &["data", "DATA", "Data", "arData"]))?;
            if address.common {
                state.store(0, &format!("{}_common", address.name), true, value);
            } else {
                state.store(address.user, &address.name, false, value);
            }
            Ok(PhpValue::Bool(true))
        }
        Operation::Force => {
            state.remove_everywhere(&[
                address.name.to_lowercase(),
                format!("{}_scope", address.name).to_lowercase(),
            ]);
            Ok(PhpValue::Bool(true))
        }
    }
}

/// Returns the owner and the name of the addressed row; `None` if the call is refused before.
pub(super) fn addressed(
    state: &PortalState,
    caller: i64,
    family: Family,
    operation: Operation,
    parameters: &PhpArray,
) -> Option<(i64, String)> {
    let base = match family {
        Family::Lead => "lead_details",
        Family::Item => entity(parameters).ok()?,
    };
    let RowAddress { user, name, common, .. } =
        address(state, caller, base, operation, parameters).ok()?;
    Some((user, if common { format!("{name}_common") } else { name }))
}

/// Returns the first of several names whose value is not null.
fn first<'p>(parameters: &'p PhpArray, names: &[&str]) -> Option<&'p PhpValue> {
    names.iter().filter_map(|name| parameters.at(name)).find(|value| **value != PhpValue::Null)
}

/// Returns the name of the rows of an entry type.
fn entity(parameters: &PhpArray) -> Result<&'static str, MethodError> {
    let number = first(parameters, &["entityTypeId", "ENTITY_TYPE_ID"]).map_or(0, PhpValue::to_int);
    let unsupported = |name: &str| {
        MethodError::crm(format!("The entity type '{name}' is not supported in current context."))
    };
    match number {
        1 => Ok("lead_details"),
        2 => Ok("deal_details"),
        3 => Ok("contact_details"),
        4 => Ok("company_details"),
        5 => Err(unsupported("INVOICE")),
        6 => Err(unsupported("ACTIVITY")),
        7 => Ok("quote_details"),
        8 => Err(unsupported("REQUISITE")),
        9 => Err(unsupported("DEAL_CATEGORY")),
        10 => Err(unsupported("CUSTOM_ACTIVITY_TYPE")),
        11 => Err(unsupported("WAIT")),
        12 => Err(unsupported("CALL_LIST")),
        13 => Err(unsupported("DEAL_RECURRING")),
        14 => Err(unsupported("INVOICE_RECURRING")),
        15 => Err(unsupported("ORDER")),
        16 => Err(unsupported("ORDER_CHECK")),
        17 => Err(unsupported("ORDER_SHIPMENT")),
        18 => Err(unsupported("ORDER_PAYMENT")),
        _ => Err(MethodError::crm("Parameter 'entityTypeID' is not defined")),
    }
}

fn address(
    state: &PortalState,
    caller: i64,
    base: &str,
    operation: Operation,
    parameters: &PhpArray,
) -> Result<RowAddress, MethodError> {
    let common =
        first(parameters, &["scope", "SCOPE", "Scope"]).and_then(PhpValue::text) == Some("C");
    let named = match first(parameters, &["userid", "USERID", "userId", "UserId"])
        .map_or(0, PhpValue::to_int)
    {
        number if number > 0 => number,
        _ => caller,
    };
    // Old releases read and write the caller's own row, whatever the id; only reset uses the id.
    let user = match (state.release, operation) {
        _ if common => 0,
        (Release::LegacyRead, Operation::Get | Operation::Set) => caller,
        _ => named,
    };
    let extras =
        first(parameters, &["extras", "EXTRAS", "Extras", "arExtras"]).and_then(PhpValue::array);
    let mut name = base.to_owned();
    if let Some(extras) = extras {
        if base == "lead_details" {
            name = lead_name(state.release, extras).to_owned();
        }
        match first(extras, &["CATEGORY_ID"]).or_else(|| first(extras, &["DEAL_CATEGORY_ID"])) {
            Some(category) if state.release == Release::Current && !category.passes_as_int() => {
                return Err(MethodError::Fatal);
            }
            Some(category) if category.to_int() > 0 => {
                name = format!("{name}_c_{}", category.to_int())
            }
            Some(_) | None => {}
        }
    }
    Ok(RowAddress { named, user, name, common })
}

fn lead_name(release: Release, extras: &PhpArray) -> &'static str {
    let names = [
        "leadcustomertype",
        "LEADCUSTOMERTYPE",
        "leadCustomerType",
        "LeadCustomerType",
        "LEAD_CUSTOMER_TYPE",
    ];
    let Some(value) = first(extras, &names) else { return "lead_details" };
    match value.to_int() {
        2 => "returning_lead_details",
        0 | 1 => "lead_details",
        _ if release == Release::Current => "_lead_details",
        _ => "lead_details",
    }
}

fn check_permission(
    state: &PortalState,
    caller: i64,
    operation: Operation,
    address: &RowAddress,
) -> Result<(), MethodError> {
    let over_others = match state.release {
        Release::Current => state.is_crm_admin(caller),
        Release::Mid | Release::LegacyRead => state.is_portal_admin(caller),
    };
    let allowed = match operation {
        Operation::Force => over_others,
        Operation::Get if address.common => true,
        Operation::Set | Operation::Reset if address.common => state.is_crm_admin(caller),
        Operation::Get | Operation::Set | Operation::Reset => {
            address.named == caller || over_others
        }
    };
    if allowed { Ok(()) } else { Err(MethodError::access_denied()) }
}

fn get(state: &PortalState, address: &RowAddress) -> PhpValue {
    let row = if address.common {
        state.row(0, &format!("{}_common", address.name))
    } else {
        // Without a personal row, the common default is shown.
        state
            .row(address.user, &address.name)
            .or_else(|| state.row(0, &address.name).filter(|row| row.common))
    };
    let Some(row) = row else { return PhpValue::Null };
    let first = row.value.array().and_then(|array| array.values().next());
    match first.and_then(PhpValue::array) {
        // The first column is unwrapped; further ones are not shown.
        Some(column) if column.at("type").and_then(PhpValue::text) == Some("column") => {
            column.at("elements").cloned().unwrap_or_else(|| PhpValue::Array(PhpArray::default()))
        }
        _ => row.value.clone(),
    }
}

/// Checks the value of a `set` and builds the stored value: one column around the sections, with
/// known keys only.
fn stored(release: Release, data: Option<&PhpValue>) -> Result<PhpValue, MethodError> {
    let Some(PhpValue::Array(data)) = data else {
        return Err(MethodError::crm("Parameter 'data' must be array."));
    };
    let column = data.values().next().and_then(PhpValue::array);
    let unwrapped = match column {
        Some(column) if column.at("type").and_then(PhpValue::text) == Some("column") => {
            column.at("elements").and_then(PhpValue::array).cloned().unwrap_or_default()
        }
        _ => data.clone(),
    };
    if unwrapped.is_empty() {
        return Err(MethodError::crm("There are no data to write."));
    }
    if !unwrapped.is_list() {
        return Err(MethodError::crm("The data must be indexed array."));
    }
    let sections: PhpValue = unwrapped
        .values()
        .enumerate()
        .map(|(index, section)| self::section(release, index, section))
        .collect::<Result<Vec<PhpValue>, MethodError>>()?
        .into_iter()
        .collect();
    let column: PhpValue = [
        ("name", PhpValue::from("default_column")),
        ("type", PhpValue::from("column")),
        ("elements", sections),
    ]
    .into_iter()
    .collect();
    Ok([column].into_iter().collect())
}

fn section(release: Release, index: usize, section: &PhpValue) -> Result<PhpValue, MethodError> {
    // A section that is not an array is fatal.
    let PhpValue::Array(section) = section else { return Err(MethodError::Fatal) };
    let kind = match section.at("type") {
        None | Some(PhpValue::Null) => "section".to_owned(),
        Some(kind) => kind.forced_text(),
    };
    if kind != "section" {
        let text =
            format!("Section at index {index} have type '{kind}'. The expected type is 'section'.");
        return Err(MethodError::crm(text));
    }
    let name = name(section)?;
    let Some(name) = name else {
        return Err(MethodError::crm(format!("Section at index {index} does not have name.")));
    };
    let untitled = || MethodError::crm(format!("Section at index {index} does not have title."));
    let title = match (section.at("title"), release) {
        (Some(PhpValue::Text(title)), Release::Current) => PhpValue::Text(title.clone()),
        (_, Release::Current) => return Err(untitled()),
        (Some(PhpValue::Text(title)), _) if !title.trim_matches(crate::php::BLANKS).is_empty() => {
            PhpValue::Text(title.clone())
        }
        (Some(number @ (PhpValue::Int(_) | PhpValue::Float(_) | PhpValue::Bool(true))), _) => {
            number.clone()
        }
        (Some(PhpValue::Array(_)), _) => return Err(MethodError::Fatal),
        (_, Release::Mid | Release::LegacyRead) => return Err(untitled()),
    };
    let mut elements = PhpArray::default();
    if let Some(PhpValue::Array(given)) = section.at("elements") {
        for number in 0..given.len() {
            let unnamed = || {
                MethodError::crm(format!(
                    "Element at index {number} in section at index {index} does not have name."
                ))
            };
            let element = given
                .get(&PhpKey::Int(number as i64))
                .and_then(PhpValue::array)
                .ok_or_else(unnamed)?;
            elements.push(self::element(element)?.ok_or_else(unnamed)?);
        }
    }
    let entries = [
        ("type", PhpValue::from("section")),
        ("name", name),
        ("title", title),
        ("elements", PhpValue::Array(elements)),
    ];
    Ok(entries.into_iter().collect())
}

fn element(element: &PhpArray) -> Result<Option<PhpValue>, MethodError> {
    let Some(name) = name(element)? else { return Ok(None) };
    let mut kept = PhpArray::default();
    kept.set(PhpKey::from("name"), name);
    if let Some(flags) = element.at("optionFlags").filter(|flags| flags.is_numeric()) {
        kept.set(PhpKey::from("optionFlags"), flags.clone());
    }
    if let Some(options @ PhpValue::Array(_)) = element.at("options") {
        kept.set(PhpKey::from("options"), options.clone());
    }
    Ok(Some(PhpValue::Array(kept)))
}

/// Returns the name of a section or an element; `None` if it is missing or blank. A list in its
/// place is fatal.
fn name(entry: &PhpArray) -> Result<Option<PhpValue>, MethodError> {
    match entry.at("name") {
        None | Some(PhpValue::Null) => Ok(None),
        Some(PhpValue::Array(_) | PhpValue::EmptyObject) => Err(MethodError::Fatal),
        Some(name) => {
            let blank = name.forced_text().trim_matches(crate::php::BLANKS).is_empty();
            Ok((!blank).then(|| name.clone()))
        }
    }
}
