//! Types of the CRM that have a number of their own: `crm.type.*`.
//!
//! Behavior notes, section 6.

use serde_json::json;

use crate::card_kind::CardKind;
use crate::controller::{self, access_denied};
use crate::crm_rows::TypeRow;
use crate::error::MethodError;
use crate::pagination::MethodResult;
use crate::php::{PhpArray, PhpKey, PhpValue};
use crate::state::{PortalState, Release};

/// Number of types on a page.
const PAGE: usize = 50;

/// Settings that are `Y` or `N`, `N` if a state does not say.
const FLAGS: &[&str] = &[
    "isCategoriesEnabled",
    "isStagesEnabled",
    "isBeginCloseDatesEnabled",
    "isClientEnabled",
    "isUseInUserfieldEnabled",
    "isLinkWithProductsEnabled",
    "isMycompanyEnabled",
    "isDocumentsEnabled",
    "isSourceEnabled",
    "isObserversEnabled",
    "isRecurringEnabled",
    "isRecyclebinEnabled",
    "isAutomationEnabled",
    "isBizProcEnabled",
    "isPaymentsEnabled",
    "isCountersEnabled",
];

/// Settings that older releases do not show.
const NEW_FIELDS: &[&str] = &["isRecurringEnabled", "isInitialized"];

/// Moment of types that do not say when they were made.
const CREATED: &str = "2024-06-01T00:00:00+00:00";

impl TypeRow {
    fn record(&self, release: Release) -> PhpArray {
        let mut fields = json!({
            "id": self.id, "title": self.title, "code": "", "createdBy": 1,
            "entityTypeId": self.entity_type_id, "customSectionId": null,
            "isSetOpenPermissions": "Y", "createdTime": CREATED, "updatedBy": 1,
            "isInitialized": "Y",
        });
        if let Some(fields) = fields.as_object_mut() {
            fields.extend(FLAGS.iter().map(|flag| ((*flag).to_owned(), json!("N"))));
            fields.extend(self.settings.clone());
            let created = fields.get("createdTime").cloned();
            fields.entry("updatedTime").or_insert(created.unwrap_or_default());
            fields.retain(|name, _| {
                name != "relations"
                    && (release == Release::Current || !NEW_FIELDS.contains(&name.as_str()))
            });
        }
        match PhpValue::from(fields) {
            PhpValue::Array(record) => record,
            _ => PhpArray::default(),
        }
    }

    /// Returns the record of a single type.
    fn full_record(&self, release: Release) -> PhpValue {
        let relation = |number: i64| json!({"entityTypeId": number, "isChildrenListEnabled": "Y", "isPredefined": "Y"});
        let relations = self.settings.get("relations").cloned().unwrap_or_else(
            || json!({"parent": [relation(3), relation(4)], "child": [relation(39)]}),
        );
        let mut record = self.record(release);
        record.set(PhpKey::from("relations"), PhpValue::from(relations));
        record.set(PhpKey::from("linkedUserFields"), PhpValue::Array(PhpArray::default()));
        [("type", PhpValue::Array(record))].into_iter().collect()
    }
}

impl PortalState {
    pub(super) fn type_row(&self, entity_type_id: i64) -> Option<&TypeRow> {
        self.crm.types.iter().find(|row| row.entity_type_id == entity_type_id)
    }

    /// Returns `true` if a number is that of an existing smart process.
    pub(super) fn has_process(&self, number: i64) -> bool {
        let is_number = (128..=191).contains(&number) || (number >= 1030 && number % 2 == 0);
        is_number && self.type_row(number).is_some()
    }

    /// Returns the smart processes, which `crm.type.list` shows.
    fn processes(&self) -> impl Iterator<Item = &TypeRow> {
        self.crm.types.iter().filter(|row| self.has_process(row.entity_type_id))
    }
}

fn no_type() -> MethodError {
    MethodError::kernel(0, "Smart process not found")
}

/// Answers `crm.type.getByEntityTypeId`.
pub(super) fn get_by_entity_type(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    let number = controller::int(parameters, "entityTypeId")?;
    readable(state, caller, state.type_row(number))
}

/// Answers `crm.type.get`.
pub(super) fn get(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    let id = controller::int(parameters, "id")?;
    readable(state, caller, state.processes().find(|row| row.id == id))
}

fn readable(
    state: &PortalState,
    caller: i64,
    row: Option<&TypeRow>,
) -> Result<PhpValue, MethodError> {
    let row = row.ok_or_else(no_type)?;
    let kind = CardKind::from_number(state, row.entity_type_id).ok_or_else(no_type)?;
    if state.is_crm_admin(caller) || !state.listed_pipelines(caller, kind).is_empty() {
        return Ok(row.full_record(state.release));
    }
    Err(access_denied())
}

/// Answers `crm.type.list`.
pub(super) fn list(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<MethodResult, MethodError> {
    if !state.is_crm_admin(caller) {
        return Err(access_denied());
    }
    let (filter, order) =
        (controller::array(parameters, "filter")?, controller::array(parameters, "order")?);
    let known = TypeRow::named(0, 0, "").record(Release::Current);
    let filter = fields(&known, filter, "filter")?;
    let order = fields(&known, order, "order")?;
    let mut records: Vec<PhpArray> =
        state.processes().map(|row| row.record(state.release)).collect();
    records.sort_by_key(|record| record.at("id").map_or(0, PhpValue::to_int));
    records.retain(|record| filter.iter().all(|wanted| wanted.fits(record)));
    for wanted in order.iter().rev() {
        let key = |record: &PhpArray| {
            let value = record.at(&wanted.field);
            let text = value.and_then(PhpValue::scalar_text).unwrap_or_default().to_lowercase();
            (value.filter(|value| value.is_numeric()).map_or(0, PhpValue::to_int), text)
        };
        records.sort_by_key(key);
        if wanted.value.text().is_some_and(|text| text.eq_ignore_ascii_case("desc")) {
            records.reverse();
        }
    }
    let total = records.len();
    let start = parameters.at("start").map_or(0, PhpValue::to_int).max(0);
    let from = usize::try_from(start).unwrap_or(usize::MAX) / PAGE * PAGE;
    let to = from.saturating_add(PAGE);
    let rows = records.into_iter().skip(from).take(PAGE).map(|record| {
        let entries = record.iter().map(|(key, value)| (key.to_string(), value.clone()));
        let mut renamed = PhpArray::default();
        for (name, value) in entries {
            // The answer takes over the spelling of the request.
            let sent = filter.iter().chain(&order).find(|wanted| wanted.field == name);
            let name = sent.map_or(name, |wanted| wanted.sent.clone());
            renamed.set(PhpKey::from(name.as_str()), value);
        }
        PhpValue::Array(renamed)
    });
    let rows = [("types", rows.collect())].into_iter().collect();
    if controller::counts_nothing(parameters) {
        return Ok(MethodResult { rows, total: None, next: None });
    }
    Ok(MethodResult { rows, total: Some(total), next: (to < total).then_some(to) })
}

/// Entry of a filter or an order.
struct Wanted {
    /// The name of the field in the record.
    field: String,
    /// The name as it was sent.
    sent: String,
    operator: String,
    value: PhpValue,
}

impl Wanted {
    fn fits(&self, record: &PhpArray) -> bool {
        let have = record.at(&self.field).and_then(PhpValue::scalar_text).unwrap_or_default();
        let (have, number) = (have.to_lowercase(), PhpValue::from(have.as_str()).to_int());
        let equals =
            |wanted: &PhpValue| wanted.scalar_text().unwrap_or_default().to_lowercase() == have;
        let is_one = self
            .value
            .array()
            .map_or_else(|| equals(&self.value), |list| list.values().any(equals));
        let limit = self.value.to_int();
        match self.operator.as_str() {
            "!" | "!=" | "!@" => !is_one,
            ">" => number > limit,
            ">=" => number >= limit,
            "<" => number < limit,
            "<=" => number <= limit,
            "%" => have.contains(&self.value.forced_text().to_lowercase()),
            _ => is_one,
        }
    }
}

/// Reads the names of a filter or an order: camelCase, or lower case with `_`; any other is
/// refused.
fn fields(
    known: &PhpArray,
    given: Option<&PhpArray>,
    place: &str,
) -> Result<Vec<Wanted>, MethodError> {
    let entries = given.into_iter().flat_map(PhpArray::iter);
    entries
        .map(|(key, value)| {
            let key = key.to_string();
            let sent = key.trim_start_matches(['!', '=', '<', '>', '%', '@']);
            let upper = upper_snake(sent);
            let field = known.iter().map(|(name, _)| name.to_string());
            let field = { field }.find(|name| upper_snake(name) == upper).ok_or_else(|| {
                let text = format!("Invalid {place}: field '{upper}' is not allowed in {place}");
                MethodError::refused("INVALID_ARG_VALUE", text)
            })?;
            let operator = key.trim_end_matches(sent).to_owned();
            Ok(Wanted { field, sent: sent.to_owned(), operator, value: value.clone() })
        })
        .collect()
}

/// Converts camelCase as the portal does: a `_` before a capital, unless it follows one that was
/// separated just before.
fn upper_snake(name: &str) -> String {
    let mut converted = String::new();
    let mut previous = None;
    for c in name.chars() {
        if c.is_ascii_uppercase() && previous.is_some_and(|previous| previous != '_') {
            converted.push('_');
            previous = None;
        } else {
            previous = Some(c);
        }
        converted.push(c.to_ascii_uppercase());
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_snake_converts_as_the_portal_does() {
        for (sent, converted) in [
            ("entityTypeId", "ENTITY_TYPE_ID"),
            ("entity_type_id", "ENTITY_TYPE_ID"),
            ("nope", "NOPE"),
            ("ENTITY_TYPE_ID", "E_NT_IT_Y_T_YP_E_I_D"),
        ] {
            assert_eq!(upper_snake(sent), converted);
        }
    }
}
