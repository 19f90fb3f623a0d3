//! Methods of the cards: `get`, `set`, `reset` and `forceCommonScopeForAll`, for four kinds of
//! entries by their own names and for all kinds by `crm.item.*`.
//!
//! Behavior notes, sections 4 to 7.

use crate::card_address::{self, RowOwner};
use crate::card_kind::{Family, Operation, first};
use crate::error::MethodError;
use crate::php::{PhpArray, PhpKey, PhpValue};
use crate::state::{PortalState, Release};

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
    let kind = card_address::kind(state, family, parameters)?;
    let owner = card_address::owner(state.release, caller, operation, parameters);
    check_permission(state, caller, operation, owner)?;
    let value = match operation {
        Operation::Set => {
            let data = first(parameters, &["data", "DATA", "Data", "arData"]);
            Some(stored(state.release, data)?)
        }
        Operation::Get | Operation::Reset | Operation::Force => None,
    };
    state.create_default_pipeline(kind);
    let name = card_address::personal_name(state, kind, parameters)?;
    match operation {
        Operation::Get => return Ok(get(state, owner, &name)),
        Operation::Reset => {
            state.remove(owner.user, &owner.row_name(&name));
        }
        Operation::Set => {
            let value = value.unwrap_or(PhpValue::Null);
            state.store(owner.user, &owner.row_name(&name), owner.common, value);
        }
        Operation::Force => {
            let lower = name.to_lowercase();
            state.remove_everywhere(&[format!("{lower}_scope"), lower]);
        }
    }
    Ok(PhpValue::Bool(true))
}

fn check_permission(
    state: &PortalState,
    caller: i64,
    operation: Operation,
    owner: RowOwner,
) -> Result<(), MethodError> {
    let over_others = match state.release {
        Release::Current => state.is_crm_admin(caller),
        Release::Mid | Release::LegacyRead => state.is_portal_admin(caller),
    };
    let allowed = match operation {
        Operation::Force => over_others,
        Operation::Get if owner.common => true,
        Operation::Set | Operation::Reset if owner.common => state.is_crm_admin(caller),
        Operation::Get | Operation::Set | Operation::Reset => owner.named == caller || over_others,
    };
    if allowed { Ok(()) } else { Err(MethodError::access_denied()) }
}

fn get(state: &PortalState, owner: RowOwner, name: &str) -> PhpValue {
    let row = if owner.common {
        state.row(0, &owner.row_name(name))
    } else {
        // Without a personal row, the common default is shown.
        state.row(owner.user, name).or_else(|| state.row(0, name).filter(|row| row.common))
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
