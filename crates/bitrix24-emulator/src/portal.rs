//! One portal of a running emulator: its webhooks, state, counters and faults.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::admin_api;
use crate::complaint::Complaint;
use crate::event_log::StateEvent;
use crate::fault_injection::{FaultScript, FaultScriptError};
use crate::option_rows::CardRow;
use crate::server_state::{Counters, EmulatedPortal};
use crate::state::{PortalState, StateError, WebhookRow};

/// Webhook of the emulated portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The owner.
    pub user: i64,
    /// The URL, with a slash at the end.
    pub url: String,
}

/// Portal of a running emulator. It ends with its emulator.
#[derive(Clone, Debug)]
pub struct Portal {
    pub(super) inner: Arc<EmulatedPortal>,
    /// The URL in front of the webhooks.
    pub(super) rest: String,
}

impl Portal {
    /// Returns the URL in front of webhooks: `http://127.0.0.1:PORT/rest`, with TLS `https://…`.
    pub fn rest_url(&self) -> String {
        self.rest.clone()
    }

    /// Returns the host with its port, as a webhook URL holds them.
    pub fn host(&self) -> &str {
        let rest = self.rest.trim_end_matches("/rest");
        rest.split_once("://").map_or(rest, |(_, host)| host)
    }

    /// Returns the addresses as JSON: `rest` and `webhooks`.
    pub(super) fn addresses(&self) -> Value {
        let webhooks: Vec<Value> = self
            .webhooks()
            .into_iter()
            .map(|Webhook { user, url }| json!({ "user": user, "url": url }))
            .collect();
        json!({ "rest": self.rest, "webhooks": webhooks })
    }

    /// Returns all webhooks of the portal.
    pub fn webhooks(&self) -> Vec<Webhook> {
        let server = self.inner.server();
        let url = |row: &WebhookRow| format!("{}/{}/{}/", self.rest, row.user_id, row.secret);
        server
            .state
            .webhooks
            .iter()
            .map(|row| Webhook { user: row.user_id, url: url(row) })
            .collect()
    }

    /// Returns the first webhook of a person.
    pub fn webhook_url(&self, user: i64) -> Option<String> {
        self.webhooks().into_iter().find(|webhook| webhook.user == user).map(|webhook| webhook.url)
    }

    /// Returns the counters.
    pub fn counters(&self) -> Counters {
        self.inner.server().counters.clone()
    }

    /// Returns the requests that a careful client would never have sent.
    pub fn complaints(&self) -> Vec<Complaint> {
        self.inner.server().complaints.clone()
    }

    /// Returns the whole state: `variant`, `environment`, `portal`, `options`.
    pub fn state(&self) -> Value {
        self.inner.server().state.to_json()
    }

    /// Replaces the whole state.
    ///
    /// # Errors
    ///
    /// If the value is not the state of a portal; then the state stays.
    pub fn set_state(&self, state: &Value) -> Result<(), StateError> {
        let state = PortalState::from_json(state)?;
        admin_api::replace(&mut self.inner.server(), state);
        Ok(())
    }

    /// Returns the rows of cards of all kinds, by owner and name.
    pub fn rows(&self) -> Vec<CardRow> {
        self.inner.server().state.card_rows()
    }

    /// Puts a row of a card, as if a person had saved it in the interface; one of the same name, in
    /// any spelling, is replaced.
    pub fn put_row(&self, row: CardRow) {
        self.inner.server().state.put(row);
    }

    /// Returns a number that grows with every change of a row: it tells if the state must be saved.
    pub fn changes(&self) -> u64 {
        self.inner.server().state.changes
    }

    /// Sets a fault script: a list of rules, in the form of `PUT /faults`. Each rule has `do` (the
    /// effect), and may have `method`, `inside`, `nth`, `from`, `every`, `probability` with `seed`,
    /// and `times` (the requests). Webhooks that an earlier script has expired are valid again.
    ///
    /// # Errors
    ///
    /// If the value is not a script; then the earlier one stays.
    pub fn set_faults(&self, script: &Value) -> Result<(), FaultScriptError> {
        let faults = FaultScript::read(script)?;
        let mut server = self.inner.server();
        server.faults = faults;
        server.reset_expired();
        Ok(())
    }

    /// Starts an empty event log of cards and faults.
    pub fn keep_history(&self) {
        self.inner.server().event_log.start();
    }

    /// Returns the events since [`Self::keep_history`], in order.
    pub fn history(&self) -> Vec<StateEvent> {
        self.inner.server().event_log.events().to_vec()
    }
}
