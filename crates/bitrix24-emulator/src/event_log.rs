//! What happened to the cards, call by call: for a test that wants to know the truth behind an
//! answer that was lost.
//!
//! The end of a state tells neither which layout a reset removed, nor whether a person saved before
//! or after a read. Kept only when somebody asks for it, because it grows with every call.

use serde::Serialize;
use serde_json::Value;

use crate::card::{self, Operation};
use crate::encode;
use crate::fault_injection::{FaultEffect, SavedRow};
use crate::method::Method;
use crate::php::PhpArray;
use crate::state::PortalState;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateEvent {
    /// The number of the HTTP request in which it happened, from 1.
    pub request: u64,
    /// `get`, `set`, `reset` or `force` of a card, or the fault that struck, in the words of a
    /// script: `save`, `cut-after`, …
    #[serde(rename = "what")]
    pub kind: &'static str,
    /// The row that it happened to; none for faults of whole requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<RowChange>,
}

/// A row to which something happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowChange {
    /// Whose it is; 0 for common rows.
    pub user_id: i64,
    /// Its name, in lower case.
    pub name: String,
    /// What it held before a `get` or a `reset`, and what it holds after a `set` or a `save`; null
    /// if there was no such row.
    pub value: Value,
}

/// A call that is under way: the row that it addresses, and what that holds.
pub(super) struct PendingEvent {
    operation: Operation,
    row: RowChange,
}

/// What happened so far, if somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct EventLog(Option<Vec<StateEvent>>);

impl EventLog {
    /// Begins anew.
    pub(super) fn start(&mut self) {
        self.0 = Some(Vec::new());
    }

    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// What happened; nothing if it was not kept.
    pub(super) fn events(&self) -> &[StateEvent] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(super) fn record_fault(
        &mut self,
        request: u64,
        effect: FaultEffect,
        row: Option<&SavedRow>,
    ) {
        let Some(kept) = &mut self.0 else { return };
        let row = row.map(|row| RowChange {
            user_id: row.user_id,
            name: row.name.to_lowercase(),
            value: encode::value(&row.value),
        });
        kept.push(StateEvent { request, kind: effect.as_str(), row });
    }

    /// Looks at a row before a call is carried out.
    pub(super) fn begin(
        &self,
        state: &PortalState,
        caller: i64,
        method: Method,
        parameters: &PhpArray,
    ) -> Option<PendingEvent> {
        self.0.as_ref()?;
        let Method::Card(family, operation) = method else { return None };
        let (user_id, name) = card::addressed(state, caller, family, operation, parameters)?;
        let value = content(state, user_id, &name);
        Some(PendingEvent {
            operation,
            row: RowChange { user_id, name: name.to_lowercase(), value },
        })
    }

    /// Notes a call that was carried out.
    pub(super) fn record(&mut self, request: u64, state: &PortalState, pending: PendingEvent) {
        let Some(kept) = &mut self.0 else { return };
        let PendingEvent { operation, mut row } = pending;
        let kind = match operation {
            Operation::Get => "get",
            Operation::Reset => "reset",
            Operation::Force => "force",
            Operation::Set => {
                row.value = content(state, row.user_id, &row.name);
                "set"
            }
        };
        kept.push(StateEvent { request, kind, row: Some(row) });
    }
}

fn content(state: &PortalState, user: i64, name: &str) -> Value {
    state.row(user, name).map_or(Value::Null, |row| encode::value(&row.value))
}
