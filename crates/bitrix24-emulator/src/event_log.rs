//! Event log of the cards, call by call: for a test that needs the truth behind a lost answer.
//!
//! The final state shows neither the layout that a reset removed, nor the order of a save and a
//! read. The log is kept on demand only, because it grows with every call.

use serde::Serialize;
use serde_json::Value;

use crate::card_address;
use crate::card_kind::Operation;
use crate::encode;
use crate::fault_injection::{FaultEffect, SavedRow};
use crate::method::Method;
use crate::php::PhpArray;
use crate::state::PortalState;

/// Event of a card or a fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateEvent {
    /// The number of the HTTP request, from 1.
    pub request: u64,
    /// `get`, `set`, `reset` or `force` of a card, or the fault, in the words of a script: `save`,
    /// `cut-after`, …
    #[serde(rename = "what")]
    pub kind: &'static str,
    /// The row; `None` for faults of whole requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<RowChange>,
}

/// Row of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowChange {
    /// The owner; 0 for common rows.
    pub user_id: i64,
    /// The name, in lower case.
    pub name: String,
    /// The value before a `get` or a `reset`, or after a `set` or a `save`; null without a row.
    pub value: Value,
}

/// Call in progress: its row and the row's value.
pub(super) struct PendingEvent {
    operation: Operation,
    row: RowChange,
}

/// Events so far, if they are kept.
#[derive(Debug, Default)]
pub(super) struct EventLog(Option<Vec<StateEvent>>);

impl EventLog {
    /// Starts with an empty log.
    pub(super) fn start(&mut self) {
        self.0 = Some(Vec::new());
    }

    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    /// Returns the events; empty if they are not kept.
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

    /// Reads a row before a call is executed.
    pub(super) fn begin(
        &self,
        state: &PortalState,
        caller: i64,
        method: Method,
        parameters: &PhpArray,
    ) -> Option<PendingEvent> {
        self.0.as_ref()?;
        let Method::Card(family, operation) = method else { return None };
        let (user_id, name) =
            card_address::addressed(state, caller, family, operation, parameters)?;
        let value = content(state, user_id, &name);
        Some(PendingEvent {
            operation,
            row: RowChange { user_id, name: name.to_lowercase(), value },
        })
    }

    /// Records an executed call.
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
    state.row_of_any_spelling(user, name).map_or(Value::Null, |row| encode::value(&row.value))
}
