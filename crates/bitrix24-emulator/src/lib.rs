//! Emulator of a Bitrix24 portal over HTTP.
//!
//! Requests pass one way through the modules: `server` (connections), `handler` (limits, faults,
//! credential, response), `batch`, `command`, `method`, and the methods on `state`.
#![doc = include_str!("../README.md")]

mod admin_api;
mod batch;
mod call;
mod card;
mod command;
mod departments;
mod encode;
mod error;
mod event_log;
mod fault_injection;
mod handler;
mod limits;
mod lint;
mod method;
mod pagination;
mod people;
mod php;
mod query;
mod reply;
mod request;
mod result_refs;
mod seed;
mod server;
mod server_state;
mod state;
mod time;
mod xss_filter;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use event_log::{RowChange, StateEvent};
pub use fault_injection::FaultScriptError;
pub use limits::Limits;
pub use lint::Complaint;
pub use seed::Seed;
pub use server_state::Counters;
pub use state::{Release, StateError};

use fault_injection::FaultScript;
use server::{AdminAccess, Endpoint};
use server_state::{EmulatedPortal, ServerState};

/// Options of a new emulator.
#[derive(Clone, Debug)]
pub struct EmulatorOptions {
    /// Where the portal listens; a free port of the loopback address unless said.
    pub listen: SocketAddr,
    /// Where its control listens; a free port of the loopback address unless said.
    pub control: SocketAddr,
    /// What the portal holds.
    pub seed: Seed,
    /// Another release than the one of the seed.
    pub release: Option<Release>,
    /// Which limits are on; none unless said.
    pub limits: Limits,
    /// How long each command takes; no time unless said.
    pub command_time: Duration,
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
        }
    }
}

/// A webhook of the emulated portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its owner.
    pub user: i64,
    /// Its address, with a slash at the end.
    pub url: String,
}

/// A running portal. It ends when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    portal: Arc<EmulatedPortal>,
    rest: SocketAddr,
    control: SocketAddr,
    stop: watch::Sender<bool>,
    endpoints: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts the small company on a free port. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(EmulatorOptions::default()).await
    }

    /// Starts a portal as told.
    ///
    /// # Errors
    ///
    /// If an address cannot be had, or the seed is not the state of a portal.
    pub async fn start_with(options: EmulatorOptions) -> io::Result<Self> {
        let EmulatorOptions { listen, control, seed, release, limits, command_time } = options;
        let mut state = seed
            .state()
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem.to_string()))?;
        if let Some(release) = release {
            state.release = release;
        }
        let portal = EmulatedPortal::new(ServerState::new(state, limits, command_time));
        let (stop, stopped) = watch::channel(false);
        let (rest, control) = (TcpListener::bind(listen).await?, TcpListener::bind(control).await?);
        let addresses = (rest.local_addr()?, control.local_addr()?);
        let access = if addresses.1.ip().is_loopback() {
            AdminAccess::ThisMachine
        } else {
            AdminAccess::Anybody
        };
        let endpoints = [(rest, Endpoint::Rest), (control, Endpoint::Control(access))]
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
        Ok(Self { portal, rest: addresses.0, control: addresses.1, stop, endpoints })
    }

    /// The address in front of webhooks: `http://127.0.0.1:PORT/rest`.
    pub fn rest_url(&self) -> String {
        format!("http://{}/rest", self.rest)
    }

    /// The address of the control: `http://127.0.0.1:PORT`.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// All webhooks of the portal.
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

    /// The first webhook of a person.
    pub fn webhook_url(&self, user: i64) -> Option<String> {
        self.webhooks().into_iter().find(|webhook| webhook.user == user).map(|webhook| webhook.url)
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        self.portal.server().counters.clone()
    }

    /// What a careful client would never have sent.
    pub fn complaints(&self) -> Vec<Complaint> {
        self.portal.server().complaints.clone()
    }

    /// The whole state: `variant`, `environment`, `portal`, `options`.
    pub fn state(&self) -> Value {
        self.portal.server().state.to_json()
    }

    /// Replaces the whole state.
    ///
    /// # Errors
    ///
    /// If the value is not the state of a portal; then nothing changes.
    pub fn set_state(&self, state: &Value) -> Result<(), StateError> {
        let state = state::PortalState::from_json(state)?;
        admin_api::replace(&mut self.portal.server(), state);
        Ok(())
    }

    /// A number that grows whenever a row changes: tells whether the state must be saved.
    pub fn changes(&self) -> u64 {
        self.portal.server().state.changes
    }

    /// Lets the portal fail by a script: a list of rules, in the form that `PUT /faults` takes.
    /// Each rule has `do` (what happens), and may have `method`, `inside`, `nth`, `from`, `every`,
    /// `probability` with `seed`, and `times` (where it strikes). Webhooks that an earlier script
    /// has made invalid are valid again.
    ///
    /// # Errors
    ///
    /// If the value is no script; then nothing changes.
    pub fn set_faults(&self, script: &Value) -> Result<(), FaultScriptError> {
        let faults = FaultScript::read(script)?;
        let mut server = self.portal.server();
        server.faults = faults;
        server.reset_expired();
        Ok(())
    }

    /// Keeps what happens to the cards and which faults strike, from now on and from nothing.
    pub fn keep_history(&self) {
        self.portal.server().event_log.start();
    }

    /// What happened to the cards since [`Self::keep_history`], in order.
    pub fn history(&self) -> Vec<StateEvent> {
        self.portal.server().event_log.events().to_vec()
    }

    /// What `recard emulate --ready-file` writes: `rest`, `control` and `webhooks`.
    pub fn ready_document(&self) -> Value {
        let webhooks: Vec<Value> = self
            .webhooks()
            .into_iter()
            .map(|Webhook { user, url }| serde_json::json!({ "user": user, "url": url }))
            .collect();
        serde_json::json!({ "rest": self.rest_url(), "control": self.control_url(), "webhooks": webhooks })
    }

    /// Ends the portal and waits until both addresses are free again.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for endpoint in self.endpoints.drain(..) {
            // A door that failed is as closed as one that ended.
            let _ = endpoint.await;
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
