//! Emulator of a Bitrix24 portal, over HTTP.
//!
//! It answers the REST methods that deal with lead cards as the portal does: every silent
//! fallback, every odd form of an answer, in three releases. It shares nothing with recard's
//! client, neither a type nor the name of a method, so that it is an independent check; and it
//! records *complaints*, requests that a careful client would never send.
//!
//! # In a test
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use recard::emulator::Emulator;
//!
//! let portal = Emulator::start().await?;
//! let webhook = portal.webhook_url(1).unwrap(); // http://127.0.0.1:PORT/rest/1/emulator00000001/
//! // … run your program against it …
//! assert_eq!(portal.counters().rows_removed, 0);
//! assert!(portal.complaints().is_empty());
//! # assert!(webhook.ends_with("/rest/1/emulator00000001/"));
//! # Ok(())
//! # }
//! ```
//!
//! It listens on a free loopback port and ends on drop. For other languages, `recard emulate
//! --ready-file FILE` writes the addresses and webhooks into a file once it listens, and the
//! functions below are available at its admin address (`GET /complaints`, `PUT /faults`, …).
//!
//! # Emulated behavior
//!
//! Sections are those of the behavior notes, `docs/portal-behaviour.md`.
//!
//! | behavior | section |
//! |---|---|
//! | addresses, suffixes, letter case, verbs; lost bodies; JSON, forms, multipart, query strings; `max_input_vars` | 1, 2 |
//! | how user ids, scopes, extras and entry types are read | 3 |
//! | the options table: personal, common and common-default rows, switches; names in any letter case | 4 |
//! | `get`, `set`, `reset`, `forceCommonScopeForAll` of `crm.lead.details.configuration.*` and `crm.item.*` | 5, 6 |
//! | old releases, whose `get` and `set` work on the caller | 5.5 |
//! | the protective filter: the observed kinds of rules, not all of the vendor's | 5.6 |
//! | permissions, by release | 7 |
//! | forms of answers, JSON and XML; errors and statuses | 8 |
//! | `batch`: halt, references, forms of the maps, limits | 9 |
//! | the counter of requests, operating time, the cut after 60 seconds; off by default | 10 |
//! | `user.get`, `department.get`: filters, sorting, paging and their traps | 11 |
//! | `profile`, `scope`, `methods`, `method.get`, `server.time`, `user.current`, `user.admin` | 12 |
//! | three releases: 26.250, 24.300, 24.200 | 13 |
//!
//! Not emulated: other methods (they are refused, with a complaint); OAuth; custom views, and what
//! the interface itself writes; the front servers of the cloud; translated texts; guests as
//! callers; the order of people without a requested one (here it is by id); answers
//! that cannot be encoded; most of the words that the protective filter knows.
//!
//! # How it fails
//!
//! A script is a JSON list of rules. A rule says which requests it is about, at which of them it
//! strikes (`nth`, from 1; `from` that one on; `every` so many; `probability` with a `seed`, the
//! same faults each time; none of these: each), how often at most (`times`), and what happens
//! (`do`). Which requests is said by `method`, and for a batch by what is `inside` it; in both, `*`
//! at the end stands for anything. Only requests that a rule is about are counted.
//!
//! | `do`, of a whole request: `method` is that of the request, `batch` included, and `inside` that of a command in the batch | what happens |
//! |---|---|
//! | `rate-limit` | 503 `QUERY_LIMIT_EXCEEDED`, nothing done |
//! | `operating-time` | 429 `OPERATION_TIME_LIMIT`, nothing done |
//! | `overload` | 401 `OVERLOAD_LIMIT`, nothing done |
//! | `access-denied` | 401 `ACCESS_DENIED`, as if REST were not in the plan, nothing executed |
//! | `expire-webhook` | 401 `INVALID_CREDENTIALS`, from now on, until another script or state |
//! | `html-before`, `html-after` | 502 and a page of HTML, before or after the request is executed |
//! | `html-ok` | 200 and a page of HTML, nothing done |
//! | `redirect` | 302 to another address, nothing done |
//! | `cut-before`, `cut-after` | the connection ends without an answer, before or after the request is executed |
//! | `truncate` | executed, and the answer ends in the middle |
//! | `slow` | answered after `ms` milliseconds |
//! | `answer` | answered with this `status` (200 to 599) and `body`; nothing done, or all of it with `"executed": true` |
//!
//! | `do`, of a command: `method` is that of the command, alone or in a batch | what happens |
//! |---|---|
//! | `fail-command` | the command is refused with `ERROR_CORE`, nothing done; in a batch, the others go on |
//! | `limit-command` | the command is refused with `OPERATION_TIME_LIMIT`, nothing done |
//! | `rate-limit-command` | the command is refused with `QUERY_LIMIT_EXCEEDED`, nothing done |
//! | `skip-command` | of a batch alone: the command is not executed, and the answer does not name it |
//! | `answer-command` | the command is answered with the error `code`; nothing done, or all of it with `"executed": true` |
//! | `fatal` | the handler fails in the command: status 500 for the whole request, earlier commands are executed |
//! | `save` | just before the command is executed, a person saves a card: `row` with `user_id`, `name` and `value` |
//!
//! ```json
//! [{"method": "batch", "nth": 3, "do": "cut-after"},
//!  {"method": "batch", "inside": "crm.lead.details.configuration.reset", "nth": 1, "do": "cut-after"},
//!  {"from": 10, "times": 5, "do": "rate-limit"},
//!  {"method": "crm.lead.details.configuration.reset", "nth": 5, "do": "save",
//!   "row": {"user_id": 7, "name": "lead_details", "value": [{"name": "main", "title": "New"}]}}]
//! ```
//!
//! # Complaints
//!
//! | kind | request |
//! |---|---|
//! | `bad-user-id` | an id that the portal reads as the caller, as user 1 or as no user |
//! | `bad-scope`, `missing-extras`, `bad-lead-type`, `unknown-extras` | parameters that lead to another row than they seem to |
//! | `unknown-parameter`, `unknown-filter` | names that the portal ignores |
//! | `lost-body`, `bad-content-type`, `not-post`, `dropped-values` | a request that the portal misreads, or may misread |
//! | `reference`, `unencoded-command`, `bad-command`, `bad-halt`, `unnamed-commands`, `long-batch`, `empty-batch`, `set-in-batch` | a batch with another effect than it seems to have |
//! | `unsorted-list` | pages without an order |
//! | `unknown-method`, `not-imitated` | methods that the portal, or the emulator, lacks |
//! | `force` | the removal of all people's cards |

mod admin_api;
mod batch;
mod card;
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
use handler::EmulatedPortal;
use server::{AdminAccess, Endpoint};
use server_state::ServerState;

/// Options of an emulator.
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
    /// If an address is not available, or the seed is not the state of a portal.
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

    /// Returns the URL in front of webhooks: `http://127.0.0.1:PORT/rest`.
    pub fn rest_url(&self) -> String {
        format!("http://{}/rest", self.rest)
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

    /// Returns the content of `recard emulate --ready-file`: `rest`, `control` and `webhooks`.
    pub fn ready_document(&self) -> Value {
        let webhooks: Vec<Value> = self
            .webhooks()
            .into_iter()
            .map(|Webhook { user, url }| serde_json::json!({ "user": user, "url": url }))
            .collect();
        serde_json::json!({ "rest": self.rest_url(), "control": self.control_url(), "webhooks": webhooks })
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
