//! The methods of the cards: `get`, `set`, `reset` and `forceCommonScopeForAll`, for leads by their
//! own names and for all kinds of entries by `crm.item.*`.
//!
//! Behaviour notes, sections 3 to 7: every silent fall-back is imitated.

use super::error::Failure;
use super::php::{Array, Key, Php};
use super::state::{Release, State};

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Get,
    Set,
    Reset,
    Force,
}

/// For which kind of entry a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `crm.lead.details.configuration.*`
    Lead,
    /// `crm.item.details.configuration.*`
    Item,
}

/// Which row a call addresses.
struct Address {
    /// Whom the permission is checked for.
    named: i64,
    /// Whose row it is.
    user: i64,
    /// The name of the personal row.
    name: String,
    common: bool,
}

/// Carries out a call.
pub(super) fn call(
    state: &mut State,
    caller: i64,
    family: Family,
    operation: Operation,
    parameters: &Array,
) -> Result<Php, Failure> {
    if !state.may_use_crm(caller) {
        return Err(Failure::access_denied());
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
            Ok(Php::Bool(true))
        }
        Operation::Set => {
            let value =
                stored(state.release, first(parameters, &["data", "DATA", "Data", "arData"]))?;
            if address.common {
                state.store(0, &format!("{}_common", address.name), true, value);
            } else {
                state.store(address.user, &address.name, false, value);
            }
            Ok(Php::Bool(true))
        }
        Operation::Force => {
            state.remove_everywhere(&[
                address.name.to_lowercase(),
                format!("{}_scope", address.name).to_lowercase(),
            ]);
            Ok(Php::Bool(true))
        }
    }
}

/// Whose row a call addresses, and its name; nothing if the call is refused before.
pub(super) fn addressed(
    state: &State,
    caller: i64,
    family: Family,
    operation: Operation,
    parameters: &Array,
) -> Option<(i64, String)> {
    let base = match family {
        Family::Lead => "lead_details",
        Family::Item => entity(parameters).ok()?,
    };
    let Address { user, name, common, .. } =
        address(state, caller, base, operation, parameters).ok()?;
    Some((user, if common { format!("{name}_common") } else { name }))
}

/// The first of several names whose value is not null.
fn first<'p>(parameters: &'p Array, names: &[&str]) -> Option<&'p Php> {
    names.iter().filter_map(|name| parameters.at(name)).find(|value| **value != Php::Null)
}

/// The name of the rows of an entry type.
fn entity(parameters: &Array) -> Result<&'static str, Failure> {
    let number = first(parameters, &["entityTypeId", "ENTITY_TYPE_ID"]).map_or(0, Php::to_int);
    let unsupported = |name: &str| {
        Failure::crm(format!("The entity type '{name}' is not supported in current context."))
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
        _ => Err(Failure::crm("Parameter 'entityTypeID' is not defined")),
    }
}

fn address(
    state: &State,
    caller: i64,
    base: &str,
    operation: Operation,
    parameters: &Array,
) -> Result<Address, Failure> {
    let common = first(parameters, &["scope", "SCOPE", "Scope"]).and_then(Php::text) == Some("C");
    let named =
        match first(parameters, &["userid", "USERID", "userId", "UserId"]).map_or(0, Php::to_int) {
            number if number > 0 => number,
            _ => caller,
        };
    // Old releases read and write the caller's own row, whoever is named; only reset takes the name
    // seriously.
    let user = match (state.release, operation) {
        _ if common => 0,
        (Release::LegacyRead, Operation::Get | Operation::Set) => caller,
        _ => named,
    };
    let extras =
        first(parameters, &["extras", "EXTRAS", "Extras", "arExtras"]).and_then(Php::array);
    let mut name = base.to_owned();
    if let Some(extras) = extras {
        if base == "lead_details" {
            name = lead_name(state.release, extras).to_owned();
        }
        match first(extras, &["CATEGORY_ID"]).or_else(|| first(extras, &["DEAL_CATEGORY_ID"])) {
            Some(category) if state.release == Release::Current && !category.passes_as_int() => {
                return Err(Failure::Fatal);
            }
            Some(category) if category.to_int() > 0 => {
                name = format!("{name}_c_{}", category.to_int())
            }
            Some(_) | None => {}
        }
    }
    Ok(Address { named, user, name, common })
}

fn lead_name(release: Release, extras: &Array) -> &'static str {
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
    state: &State,
    caller: i64,
    operation: Operation,
    address: &Address,
) -> Result<(), Failure> {
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
    if allowed { Ok(()) } else { Err(Failure::access_denied()) }
}

fn get(state: &State, address: &Address) -> Php {
    let row = if address.common {
        state.row(0, &format!("{}_common", address.name))
    } else {
        // Without a row of one's own, the row that was set for everybody stands in.
        state
            .row(address.user, &address.name)
            .or_else(|| state.row(0, &address.name).filter(|row| row.common))
    };
    let Some(row) = row else { return Php::Null };
    let first = row.value.array().and_then(|array| array.values().next());
    match first.and_then(Php::array) {
        // The first column is unwrapped; further ones are not shown.
        Some(column) if column.at("type").and_then(Php::text) == Some("column") => {
            column.at("elements").cloned().unwrap_or_else(|| Php::Array(Array::default()))
        }
        _ => row.value.clone(),
    }
}

/// Checks what `set` was given and makes the value that is stored: one column around the sections,
/// and of everything only what the portal knows.
fn stored(release: Release, data: Option<&Php>) -> Result<Php, Failure> {
    let Some(Php::Array(data)) = data else {
        return Err(Failure::crm("Parameter 'data' must be array."));
    };
    let column = data.values().next().and_then(Php::array);
    let unwrapped = match column {
        Some(column) if column.at("type").and_then(Php::text) == Some("column") => {
            column.at("elements").and_then(Php::array).cloned().unwrap_or_default()
        }
        _ => data.clone(),
    };
    if unwrapped.is_empty() {
        return Err(Failure::crm("There are no data to write."));
    }
    if !unwrapped.is_list() {
        return Err(Failure::crm("The data must be indexed array."));
    }
    let sections: Php = unwrapped
        .values()
        .enumerate()
        .map(|(index, section)| self::section(release, index, section))
        .collect::<Result<Vec<Php>, Failure>>()?
        .into_iter()
        .collect();
    let column: Php = [
        ("name", Php::from("default_column")),
        ("type", Php::from("column")),
        ("elements", sections),
    ]
    .into_iter()
    .collect();
    Ok([column].into_iter().collect())
}

fn section(release: Release, index: usize, section: &Php) -> Result<Php, Failure> {
    // A section that is no array breaks the handler down.
    let Php::Array(section) = section else { return Err(Failure::Fatal) };
    let kind = match section.at("type") {
        None | Some(Php::Null) => "section".to_owned(),
        Some(kind) => kind.forced_text(),
    };
    if kind != "section" {
        let text =
            format!("Section at index {index} have type '{kind}'. The expected type is 'section'.");
        return Err(Failure::crm(text));
    }
    let name = name(section)?;
    let Some(name) = name else {
        return Err(Failure::crm(format!("Section at index {index} does not have name.")));
    };
    let untitled = || Failure::crm(format!("Section at index {index} does not have title."));
    let title = match (section.at("title"), release) {
        (Some(Php::Text(title)), Release::Current) => Php::Text(title.clone()),
        (_, Release::Current) => return Err(untitled()),
        (Some(Php::Text(title)), _) if !title.trim_matches(super::php::BLANKS).is_empty() => {
            Php::Text(title.clone())
        }
        (Some(number @ (Php::Int(_) | Php::Float(_) | Php::Bool(true))), _) => number.clone(),
        (Some(Php::Array(_)), _) => return Err(Failure::Fatal),
        (_, Release::Mid | Release::LegacyRead) => return Err(untitled()),
    };
    let mut elements = Array::default();
    if let Some(Php::Array(given)) = section.at("elements") {
        for number in 0..given.len() {
            let unnamed = || {
                Failure::crm(format!(
                    "Element at index {number} in section at index {index} does not have name."
                ))
            };
            let element =
                given.get(&Key::Int(number as i64)).and_then(Php::array).ok_or_else(unnamed)?;
            elements.push(self::element(element)?.ok_or_else(unnamed)?);
        }
    }
    let entries = [
        ("type", Php::from("section")),
        ("name", name),
        ("title", title),
        ("elements", Php::Array(elements)),
    ];
    Ok(entries.into_iter().collect())
}

fn element(element: &Array) -> Result<Option<Php>, Failure> {
    let Some(name) = name(element)? else { return Ok(None) };
    let mut kept = Array::default();
    kept.set(Key::from("name"), name);
    if let Some(flags) = element.at("optionFlags").filter(|flags| flags.is_numeric()) {
        kept.set(Key::from("optionFlags"), flags.clone());
    }
    if let Some(options @ Php::Array(_)) = element.at("options") {
        kept.set(Key::from("options"), options.clone());
    }
    Ok(Some(Php::Array(kept)))
}

/// The name of a section or an element; nothing if it is missing or blank. A list in its place
/// breaks the handler down.
fn name(entry: &Array) -> Result<Option<Php>, Failure> {
    match entry.at("name") {
        None | Some(Php::Null) => Ok(None),
        Some(Php::Array(_) | Php::EmptyObject) => Err(Failure::Fatal),
        Some(name) => {
            let blank = name.forced_text().trim_matches(super::php::BLANKS).is_empty();
            Ok((!blank).then(|| name.clone()))
        }
    }
}
