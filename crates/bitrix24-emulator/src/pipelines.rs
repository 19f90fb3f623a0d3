//! Pipelines and categories: `crm.category.*` and `crm.dealcategory.*`.
//!
//! Behavior notes, section 6: a list holds what the caller may read, and does not say that it
//! leaves something out.

use crate::card_kind::{CardKind, first};
use crate::controller::{self, access_denied, existing_kind, not_found};
use crate::crm_rows::CategoryRow;
use crate::error::MethodError;
use crate::pagination::MethodResult;
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, Release};

/// Moment at which every pipeline of deals was made.
const CREATED: &str = "2024-01-01T00:00:00+00:00";

impl CategoryRow {
    fn default_of(kind: CardKind, id: i64, sort: i64) -> Self {
        let number = (kind != CardKind::Deal).then(|| kind.number());
        Self { is_default: "Y".to_owned(), ..Self::named(id, number, "General", sort) }
    }

    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    fn record(&self, kind: CardKind) -> PhpValue {
        let text = |text: &str| PhpValue::from(text);
        let mut entries = vec![
            ("id", PhpValue::Int(self.id)),
            ("name", text(&self.name)),
            ("sort", PhpValue::Int(self.sort)),
            ("entityTypeId", PhpValue::Int(kind.number())),
            ("isDefault", text(&self.is_default)),
        ];
        match kind {
            CardKind::Deal if self.id != 0 => {
                entries.extend([("originId", text("")), ("originatorId", text(""))]);
            }
            CardKind::Contact | CardKind::Company => {
                let is_system = self.is_system.as_deref().unwrap_or("N");
                entries.extend([("isSystem", text(is_system)), ("code", text(self.code()))]);
            }
            _ => {}
        }
        entries.into_iter().collect()
    }

    /// Returns the record of a pipeline of deals in the methods of their own.
    fn deal_record(&self) -> PhpValue {
        [
            ("ID", PhpValue::Text(self.id.to_string())),
            ("CREATED_DATE", PhpValue::from(CREATED)),
            ("NAME", PhpValue::from(self.name.as_str())),
            ("SORT", PhpValue::Text(self.sort.to_string())),
            ("IS_LOCKED", PhpValue::from("N")),
        ]
        .into_iter()
        .collect()
    }
}

impl PortalState {
    /// Returns the pipelines or categories of a kind in their order.
    fn pipelines(&self, kind: CardKind) -> Vec<CategoryRow> {
        let mut rows: Vec<CategoryRow> = match kind {
            CardKind::Deal => self.crm.deal_categories.clone(),
            _ => {
                let of_kind = |row: &&CategoryRow| row.entity_type_id == Some(kind.number());
                self.crm.item_categories.iter().filter(of_kind).cloned().collect()
            }
        };
        let has_main = matches!(kind, CardKind::Deal | CardKind::Contact | CardKind::Company);
        if has_main && !rows.iter().any(|row| row.id == 0) {
            let is_system = (kind != CardKind::Deal).then(|| "Y".to_owned());
            rows.push(CategoryRow { is_system, ..CategoryRow::default_of(kind, 0, 0) });
        }
        rows.sort_by_key(|row| (row.sort, row.id));
        rows
    }

    pub(super) fn has_pipeline(&self, kind: CardKind, id: i64) -> bool {
        self.pipelines(kind).iter().any(|row| row.id == id)
    }

    /// Returns the numbers that `crm.category.list` shows to a person.
    pub(super) fn listed_pipelines(&self, user: i64, kind: CardKind) -> Vec<i64> {
        let ids = self.pipelines(kind).into_iter().map(|row| row.id);
        ids.filter(|id| self.may_read(user, kind, *id)).collect()
    }

    pub(super) fn default_pipeline(&self, kind: CardKind) -> Option<i64> {
        self.pipelines(kind).into_iter().find(|row| row.is_default == "Y").map(|row| row.id)
    }

    /// Creates the default pipeline of a type that was never opened, as a call of a card does in
    /// old releases.
    pub(super) fn create_default_pipeline(&mut self, kind: CardKind) {
        let is_needed = self.release != Release::Current
            && kind.is_always_numbered()
            && self.type_row(kind.number()).is_some()
            && self.pipelines(kind).is_empty();
        if is_needed {
            let id = self.crm.next_item_category;
            self.crm.next_item_category += 1;
            self.crm.item_categories.push(CategoryRow::default_of(kind, id, 500));
            if self.release == Release::LegacyRead {
                self.give_everybody(kind, id);
            }
            self.changes += 1;
        }
    }
}

/// Returns the kind of a call of `crm.category.*`, which has pipelines or categories.
fn kind(state: &PortalState, parameters: &PhpArray) -> Result<CardKind, MethodError> {
    let number = controller::int(parameters, "entityTypeId")?;
    match existing_kind(state, number)? {
        kind @ (CardKind::Lead | CardKind::Quote) => {
            Err(controller::without_pipelines(state, kind))
        }
        kind => Ok(kind),
    }
}

/// Answers `crm.category.list`: everything in one answer.
pub(super) fn list(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<MethodResult, MethodError> {
    controller::int(parameters, "entityTypeId")?;
    let filter = controller::array(parameters, "filter")?;
    let kind = kind(state, parameters)?;
    let code = filter.and_then(|filter| filter.at("code")).and_then(PhpValue::scalar_text);
    let rows: Vec<PhpValue> = state
        .pipelines(kind)
        .iter()
        .filter(|row| code.as_deref().is_none_or(|code| row.code() == code))
        .filter(|row| state.may_read(caller, kind, row.id))
        .map(|row| row.record(kind))
        .collect();
    let total = (!controller::counts_nothing(parameters)).then_some(rows.len());
    let rows = [("categories", rows.into_iter().collect())].into_iter().collect();
    Ok(MethodResult { rows, total, next: None })
}

/// Answers `crm.category.get`.
pub(super) fn get(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    controller::int(parameters, "entityTypeId")?;
    let id = controller::int(parameters, "id")?;
    let kind = kind(state, parameters)?;
    let rows = state.pipelines(kind);
    let row = rows.iter().find(|row| row.id == id).ok_or_else(not_found)?;
    if !state.may_read(caller, kind, id) {
        return Err(access_denied());
    }
    Ok([("category", row.record(kind))].into_iter().collect())
}

/// Answers `crm.dealcategory.list`: without the default pipeline, hidden ones included.
pub(super) fn list_of_deals(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<MethodResult, MethodError> {
    if !state.may_use_crm(caller) {
        return Err(MethodError::access_denied());
    }
    let empty = PhpArray::default();
    let filter = first(parameters, &["filter", "FILTER"]).and_then(PhpValue::array);
    let filter = filter.unwrap_or(&empty);
    let mut rows: Vec<&CategoryRow> =
        state.crm.deal_categories.iter().filter(|row| row.id != 0).collect();
    rows.sort_by_key(|row| row.id);
    let order = first(parameters, &["order", "ORDER"]).and_then(PhpValue::array);
    if let Some((key, direction)) = order.and_then(|order| order.iter().next()) {
        match key.to_string().to_ascii_uppercase().as_str() {
            "SORT" => rows.sort_by_key(|row| row.sort),
            "NAME" => rows.sort_by_key(|row| row.name.to_lowercase()),
            _ => {}
        }
        if direction.text().is_some_and(|text| text.eq_ignore_ascii_case("desc")) {
            rows.reverse();
        }
    }
    let is_wanted = |record: &PhpValue| {
        let record = record.array().unwrap_or(&empty);
        filter.iter().all(|(key, wanted)| {
            let Some(value) = record.at(&key.to_string()).and_then(PhpValue::text) else {
                return true;
            };
            let fits = |wanted: &PhpValue| wanted.scalar_text().as_deref() == Some(value);
            wanted.array().map_or_else(|| fits(wanted), |list| list.values().any(fits))
        })
    };
    let rows: Vec<PhpValue> =
        rows.into_iter().map(CategoryRow::deal_record).filter(is_wanted).collect();
    Ok(MethodResult { total: Some(rows.len()), rows: rows.into_iter().collect(), next: None })
}

/// Answers `crm.dealcategory.get`, which does not know the default pipeline.
pub(super) fn get_of_deals(
    state: &PortalState,
    caller: i64,
    parameters: &PhpArray,
) -> Result<PhpValue, MethodError> {
    if !state.may_use_crm(caller) {
        return Err(MethodError::access_denied());
    }
    let id = first(parameters, &["id", "ID"]).map_or(0, PhpValue::to_int);
    if id <= 0 {
        return Err(MethodError::crm("ID is not defined or invalid."));
    }
    let row = state.crm.deal_categories.iter().find(|row| row.id == id);
    row.map(CategoryRow::deal_record).ok_or_else(|| MethodError::crm("Not found"))
}

/// Answers `crm.dealcategory.default.get`.
pub(super) fn default_of_deals(state: &PortalState, caller: i64) -> Result<PhpValue, MethodError> {
    if !state.may_use_crm(caller) {
        return Err(MethodError::access_denied());
    }
    let rows = state.pipelines(CardKind::Deal);
    let name = rows.iter().find(|row| row.id == 0).map(|row| row.name.as_str());
    let name = PhpValue::from(name.unwrap_or_default());
    Ok([("ID", PhpValue::Int(0)), ("NAME", name)].into_iter().collect())
}
