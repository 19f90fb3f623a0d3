//! Address of a row in a call: its owner, its kind, its pipeline.
//!
//! Behavior notes, sections 3 and 6: every silent fallback is
//! emulated.

use crate::card_kind::{CardKind, Family, Operation, first};
use crate::error::MethodError;
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, Release};

/// Owner of the row of a call.
#[derive(Clone, Copy)]
pub(super) struct RowOwner {
    /// The user whose permission is checked.
    pub(super) named: i64,
    /// The owner of the row; 0 for common ones.
    pub(super) user: i64,
    pub(super) common: bool,
}

impl RowOwner {
    /// Returns the name of the row, personal or common, by that of the personal one.
    pub(super) fn row_name(self, personal: &str) -> String {
        if self.common { format!("{personal}_common") } else { personal.to_owned() }
    }
}

/// Returns the kind of card of a call; the families but `crm.item.*` do not look at the parameters.
pub(super) fn kind(
    state: &PortalState,
    family: Family,
    parameters: &PhpArray,
) -> Result<CardKind, MethodError> {
    match family {
        Family::Lead => Ok(CardKind::Lead),
        Family::Deal => Ok(CardKind::Deal),
        Family::Contact => Ok(CardKind::Contact),
        Family::Company => Ok(CardKind::Company),
        Family::Item => CardKind::of_call(state, parameters),
    }
}

/// Returns the owner of the row of a call.
pub(super) fn owner(
    release: Release,
    caller: i64,
    operation: Operation,
    parameters: &PhpArray,
) -> RowOwner {
    let common =
        first(parameters, &["scope", "SCOPE", "Scope"]).and_then(PhpValue::text) == Some("C");
    let named = match first(parameters, &["userid", "USERID", "userId", "UserId"])
        .map_or(0, PhpValue::to_int)
    {
        number if number > 0 => number,
        _ => caller,
    };
    // Old releases read and write the caller's own row, whatever the id; only reset uses the id.
    let user = match (release, operation) {
        _ if common => 0,
        (Release::LegacyRead, Operation::Get | Operation::Set) => caller,
        _ => named,
    };
    RowOwner { named, user, common }
}

/// Returns the name of the personal row of a call.
pub(super) fn personal_name(
    state: &PortalState,
    kind: CardKind,
    parameters: &PhpArray,
) -> Result<String, MethodError> {
    let no_extras = PhpArray::default();
    let extras = first(parameters, &["extras", "EXTRAS", "Extras", "arExtras"])
        .and_then(PhpValue::array)
        .unwrap_or(&no_extras);
    let name = match kind {
        CardKind::Lead => lead_name(state.release, extras).to_owned(),
        _ => kind.row_name(),
    };
    Ok(match pipeline(state, kind, extras)? {
        Some(number) => format!("{name}{}{number}", kind.infix()),
        None => name,
    })
}

/// Returns the owner and the name of the addressed row; `None` if the call is refused before.
pub(super) fn addressed(
    state: &PortalState,
    caller: i64,
    family: Family,
    operation: Operation,
    parameters: &PhpArray,
) -> Option<(i64, String)> {
    let kind = kind(state, family, parameters).ok()?;
    let owner = owner(state.release, caller, operation, parameters);
    let name = personal_name(state, kind, parameters).ok()?;
    Some((owner.user, owner.row_name(&name)))
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

/// Returns the number in the name of the row; `None` for the row without one.
fn pipeline(
    state: &PortalState,
    kind: CardKind,
    extras: &PhpArray,
) -> Result<Option<i64>, MethodError> {
    let is_old = state.release != Release::Current;
    // Old releases look at the pipelines of a type, and take its default one for none.
    let resolves = is_old && kind.is_always_numbered();
    let number = match first(extras, kind.pipeline_keys()) {
        None => 0,
        Some(value) if resolves && value.text() == Some("") => 0,
        Some(value) if value.passes_as_int() || (is_old && kind == CardKind::Lead) => {
            value.to_int()
        }
        Some(_) => return Err(MethodError::Fatal),
    };
    Ok(match number {
        ..=0 if resolves => state.default_pipeline(kind),
        ..=0 => None,
        _ if resolves && !state.has_pipeline(kind, number) => None,
        _ => Some(number),
    })
}
