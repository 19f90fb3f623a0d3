//! Emulator of a Bitrix24 portal over HTTP.
//!
//! Requests pass one way through the modules: `server` (connections), `handler` (limits, faults,
//! credential, response), `batch`, `command`, `method`, and the methods on `state`.
#![doc = include_str!("../README.md")]

mod admin_api;
mod batch;
mod call;
mod card;
mod card_address;
mod card_kind;
mod card_rows;
mod command;
mod complaint;
mod controller;
mod crm_rights;
mod crm_rows;
mod crm_types;
mod departments;
mod encode;
mod error;
mod event_log;
mod fault_injection;
mod handler;
mod item_fields;
mod lead_fields;
mod limits;
mod lint;
mod lint_card;
mod method;
mod option_rows;
mod pagination;
mod people;
mod php;
mod php_number;
mod pipelines;
mod portal_additions;
mod query;
mod reply;
mod request;
mod result_refs;
mod seed;
mod server;
mod server_state;
mod state;
mod time;
mod tls;
mod xss_filter;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use complaint::Complaint;
pub use event_log::{RowChange, StateEvent};
pub use fault_injection::FaultScriptError;
pub use limits::Limits;
pub use option_rows::CardRow;
pub use seed::Seed;
pub use server_state::Counters;
pub use state::{Release, StateError};
pub use tls::Tls;

use fault_injection::FaultScript;
use server::{AdminAccess, Endpoint};
use server_state::{EmulatedPortal, ServerState};

/// Options of a new emulator.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// The address of the portal; by default a free loopback port.
    pub listen: SocketAddr,
    /// The address of the admin API; by default a free loopback port.
    pub control: SocketAddr,
    /// The content of the portal.
    pub seed: Seed,
    /// The release, if it differs from that of the seed.
    pub release: Option<Release>,
    /// The limits; none by default.
    pub limits: Limits,
    /// The duration of each command; zero by default.
    pub command_time: Duration,
    /// TLS of the portal; none by default. The admin API has none.
    pub tls: Option<Tls>,
}

impl Default for EmulatorOptions {
    fn default() -> Self {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: anywhere,
            control: anywhere,
            seed: Seed::default(),
            release: None,
            limits: Limits::default(),
            command_time: Duration::ZERO,
            tls: None,
        }
    }
}

/// Webhook of the emulated portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The owner.
    pub user: i64,
    /// The URL, with a slash at the end.
    pub url: String,
}

/// Running emulator. It ends on drop.
#[derive(Debug)]
pub struct Emulator {
    portal: Arc<EmulatedPortal>,
    rest: SocketAddr,
    control: SocketAddr,
    stop: watch::Sender<bool>,
    endpoints: Vec<JoinHandle<()>>,
    has_tls: bool,
    authority: Option<String>,
}

impl Emulator {
    /// Starts the small company on a free port. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(EmulatorOptions::default()).await
    }

    /// Starts a portal with options.
    ///
    /// # Errors
    ///
    /// If an address is not available, a certificate cannot be used, or the seed is not the state
    /// of a portal.
    pub async fn start_with(options: EmulatorOptions) -> io::Result<Self> {
        let EmulatorOptions { listen, control, seed, release, limits, command_time, tls } = options;
        let mut state = seed
            .state()
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem.to_string()))?;
        if let Some(release) = release {
            state.release = release;
        }
        let tls = tls.map(|tls| tls.server(listen.ip())).transpose()?;
        let (acceptor, authority) = match tls {
            Some(tls) => (Some(tls.acceptor), tls.authority),
            None => (None, None),
        };
        let has_tls = acceptor.is_some();
        let mut server = ServerState::new(state, limits, command_time);
        server.has_tls = has_tls;
        let portal = EmulatedPortal::new(server);
        let (stop, stopped) = watch::channel(false);
        let (rest, control) = (TcpListener::bind(listen).await?, TcpListener::bind(control).await?);
        let addresses = (rest.local_addr()?, control.local_addr()?);
        let access = if addresses.1.ip().is_loopback() {
            AdminAccess::ThisMachine
        } else {
            AdminAccess::Anybody
        };
        let endpoints = [(rest, Endpoint::Rest(acceptor)), (control, Endpoint::Control(access))]
            .into_iter()
            .map(|(listener, endpoint)| {
                tokio::spawn(server::serve(
                    listener,
                    Arc::clone(&portal),
                    endpoint,
                    stopped.clone(),
                ))
            })
            .collect();
        Ok(Self {
            portal,
            rest: addresses.0,
            control: addresses.1,
            stop,
            endpoints,
            has_tls,
            authority,
        })
    }

    /// Returns the URL in front of webhooks: `http://127.0.0.1:PORT/rest`, with TLS `https://…`.
    pub fn rest_url(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://{}/rest", self.rest)
    }

    /// Returns the authority of the certificate that was made at the start, as PEM: a client has to
    /// trust it.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// Returns the URL of the admin API: `http://127.0.0.1:PORT`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// Returns all webhooks of the portal.
    pub fn webhooks(&self) -> Vec<Webhook> {
        let server = self.portal.server();
        let url = |row: &state::WebhookRow| {
            format!("{}/{}/{}/", self.rest_url(), row.user_id, row.secret)
        };
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
        self.portal.server().counters.clone()
    }

    /// Returns the requests that a careful client would never have sent.
    pub fn complaints(&self) -> Vec<Complaint> {
        self.portal.server().complaints.clone()
    }

    /// Returns the whole state: `variant`, `environment`, `portal`, `options`.
    pub fn state(&self) -> Value {
        self.portal.server().state.to_json()
    }

    /// Replaces the whole state.
    ///
    /// # Errors
    ///
    /// If the value is not the state of a portal; then the state stays.
    pub fn set_state(&self, state: &Value) -> Result<(), StateError> {
        let state = state::PortalState::from_json(state)?;
        admin_api::replace(&mut self.portal.server(), state);
        Ok(())
    }

    /// Returns the rows of cards of all kinds, by owner and name.
    pub fn rows(&self) -> Vec<CardRow> {
        self.portal.server().state.card_rows()
    }

    /// Puts a row of a card, as if a person had saved it in the interface; one of the same name, in
    /// any spelling, is replaced.
    pub fn put_row(&self, row: CardRow) {
        self.portal.server().state.put(row);
    }

    /// Returns a number that grows with every change of a row: it tells if the state must be saved.
    pub fn changes(&self) -> u64 {
        self.portal.server().state.changes
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
        let mut server = self.portal.server();
        server.faults = faults;
        server.reset_expired();
        Ok(())
    }

    /// Starts an empty event log of cards and faults.
    pub fn keep_history(&self) {
        self.portal.server().event_log.start();
    }

    /// Returns the events since [`Self::keep_history`], in order.
    pub fn history(&self) -> Vec<StateEvent> {
        self.portal.server().event_log.events().to_vec()
    }

    /// Returns the content of `recard emulate --ready-file`: `rest`, `control` and `webhooks`, and
    /// with a certificate that was made at the start its `authority`.
    pub fn ready_document(&self) -> Value {
        let webhooks: Vec<Value> = self
            .webhooks()
            .into_iter()
            .map(|Webhook { user, url }| serde_json::json!({ "user": user, "url": url }))
            .collect();
        let mut ready = serde_json::json!({ "rest": self.rest_url(), "control": self.control_url(), "webhooks": webhooks });
        if let (Some(ready), Some(authority)) = (ready.as_object_mut(), self.authority()) {
            ready.insert("authority".into(), authority.into());
        }
        ready
    }

    /// Stops the portal and waits until both addresses are free again.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for endpoint in self.endpoints.drain(..) {
            // A failed endpoint is closed, too.
            let _ = endpoint.await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
