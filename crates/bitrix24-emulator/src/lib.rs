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
mod portal;
mod portal_additions;
mod portals;
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

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::ops::Deref;
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
pub use portal::{Portal, Webhook};
pub use seed::Seed;
pub use server_state::Counters;
pub use state::{Release, StateError};
pub use tls::Tls;

use portals::Portals;
use server::{AdminAccess, Endpoint};
use server_state::{EmulatedPortal, ServerState};
use state::PortalState;

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
    /// The number of portals behind the address, told apart by their host names
    /// `p0001.localhost`, `p0002.localhost` and so on; by default one portal without a name.
    pub portals: Option<NonZeroU32>,
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
            portals: None,
        }
    }
}

/// Running emulator. It ends on drop.
///
/// It stands for its portal, or for the first one of several.
#[derive(Debug)]
pub struct Emulator {
    first: Portal,
    /// Portals with names; empty for one portal.
    named: Vec<Portal>,
    control: SocketAddr,
    stop: watch::Sender<bool>,
    endpoints: Vec<JoinHandle<()>>,
    authority: Option<String>,
}

impl Deref for Emulator {
    type Target = Portal;

    fn deref(&self) -> &Portal {
        &self.first
    }
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
        let EmulatorOptions {
            listen,
            control,
            seed,
            release,
            limits,
            command_time,
            tls,
            portals: number,
        } = options;
        let mut state = seed
            .state()
            .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem.to_string()))?;
        if let Some(release) = release {
            state.release = release;
        }
        let numbers = 1..=number.map_or(0, NonZeroU32::get);
        let names: Vec<String> = numbers.map(portals::host_name).collect();
        let tls = tls.map(|tls| tls.server(listen.ip(), &names)).transpose()?;
        let (acceptor, authority) = match tls {
            Some(tls) => (Some(tls.acceptor), tls.authority),
            None => (None, None),
        };
        let has_tls = acceptor.is_some();
        let (stop, stopped) = watch::channel(false);
        let (rest, control) = (TcpListener::bind(listen).await?, TcpListener::bind(control).await?);
        let addresses = (rest.local_addr()?, control.local_addr()?);
        let scheme = if has_tls { "https" } else { "http" };
        let portal = |state: Arc<PortalState>, host: String| Portal {
            inner: EmulatedPortal::new(ServerState {
                has_tls,
                ..ServerState::new(state, limits, command_time)
            }),
            rest: format!("{scheme}://{host}/rest"),
        };
        let named: Vec<Portal> = names
            .iter()
            .map(|name| {
                let state = state.with_secrets_of(name);
                portal(Arc::new(state), format!("{name}:{}", addresses.0.port()))
            })
            .collect();
        let first = match named.first() {
            Some(first) => first.clone(),
            None => portal(Arc::new(state), addresses.0.to_string()),
        };
        let inner = named.iter().map(|portal| Arc::clone(&portal.inner));
        let portals = Arc::new(Portals {
            first: Arc::clone(&first.inner),
            named: names.into_iter().zip(inner).collect::<BTreeMap<_, _>>(),
        });
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
                    Arc::clone(&portals),
                    endpoint,
                    stopped.clone(),
                ))
            })
            .collect();
        Ok(Self { first, named, control: addresses.1, stop, endpoints, authority })
    }

    /// Returns the portals with host names; empty for an emulator of one portal.
    pub fn portals(&self) -> &[Portal] {
        &self.named
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

    /// Returns the content of `recard emulate --ready-file`: `rest`, `control` and `webhooks`, and
    /// with a certificate that was made at the start its `authority`. Several portals are listed
    /// under `portals`, each with its name.
    pub fn ready_document(&self) -> Value {
        let mut ready = self.addresses();
        let mut add = |key: &str, value: Value| {
            ready.as_object_mut().map(|ready| ready.insert(key.into(), value));
        };
        add("control", self.control_url().into());
        if let Some(authority) = self.authority() {
            add("authority", authority.into());
        }
        if !self.named.is_empty() {
            let portals = self.named.iter().map(|portal| {
                let mut addresses = portal.addresses();
                addresses
                    .as_object_mut()
                    .map(|addresses| addresses.insert("portal".into(), portal.host().into()));
                addresses
            });
            add("portals", portals.collect());
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
