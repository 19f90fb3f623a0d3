//! Parameters of the methods that the portal's kernel binds by name and type.

use crate::card_kind::CardKind;
use crate::error::MethodError;
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, Release};

/// Returns a whole number; texts and fractions pass if they are numbers, `true` and lists do not.
pub(super) fn int(parameters: &PhpArray, name: &str) -> Result<i64, MethodError> {
    match parameters.at(name) {
        None => {
            Err(MethodError::kernel(100, format!("Could not find value for parameter {{{name}}}")))
        }
        Some(value) if value.is_numeric() => Ok(value.to_int()),
        Some(value) => Err(mismatch(name, value, "int")),
    }
}

/// Returns a list or map; `None` if it is not given.
pub(super) fn array<'p>(
    parameters: &'p PhpArray,
    name: &str,
) -> Result<Option<&'p PhpArray>, MethodError> {
    match parameters.at(name) {
        None | Some(PhpValue::Null) => Ok(None),
        Some(PhpValue::Array(array)) => Ok(Some(array)),
        Some(value) => Err(mismatch(name, value, "array")),
    }
}

/// Returns `true` if a call asks not to count the rows.
pub(super) fn counts_nothing(parameters: &PhpArray) -> bool {
    parameters.at("start").is_some_and(|start| start.to_int() < 0)
}

pub(super) fn access_denied() -> MethodError {
    MethodError::refused("ACCESS_DENIED", "Access denied")
}

pub(super) fn not_found() -> MethodError {
    MethodError::refused("NOT_FOUND", "Item not found")
}

/// Returns the kind of a method for the entries of a type, which knows types of the portal only.
pub(super) fn existing_kind(state: &PortalState, number: i64) -> Result<CardKind, MethodError> {
    CardKind::from_number(state, number)
        .filter(|kind| !matches!(kind, CardKind::Document(_)) || state.type_row(number).is_some())
        .ok_or_else(not_found)
}

pub(super) fn without_pipelines(state: &PortalState, kind: CardKind) -> MethodError {
    // The texts of the current release were absent where it was recorded.
    let name = if state.release == Release::Current { String::new() } else { kind.code() };
    let text = format!("Entity type {name} is not supported");
    MethodError::refused("ENTITY_TYPE_NOT_SUPPORTED", text)
}

fn mismatch(name: &str, value: &PhpValue, wanted: &str) -> MethodError {
    let value = value.forced_text();
    let text = format!(
        "Invalid value {{{value}}} to match with parameter {{{name}}}. \
         Should be value of type {wanted}."
    );
    MethodError::kernel(100, text)
}
