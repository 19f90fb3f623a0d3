//! A stand-in for a Bitrix24 portal, over HTTP.
//!
//! It answers the REST methods that deal with lead cards as the portal does: every silent
//! fall-back, every odd form of an answer, in three releases. It shares nothing with recard's
//! client, not a type and not the name of a method, so that it can be a witness; and it keeps a
//! list of *complaints*, requests that a careful client would never send.
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
//! // … let your program talk to it …
//! assert_eq!(portal.counters().rows_removed, 0);
//! assert!(portal.complaints().is_empty());
//! # assert!(webhook.ends_with("/rest/1/emulator00000001/"));
//! # Ok(())
//! # }
//! ```
//!
//! It listens on a free port of the loopback address and ends when it is dropped. From other
//! languages: `recard emulate --ready-file FILE` writes the addresses and webhooks into a file once
//! it listens, and everything below is had over its control address (`GET /complaints`, `PUT
//! /faults`, …).
//!
//! # What is imitated
//!
//! Sections are those of the behaviour notes, `docs/portal-behaviour.md`.
//!
//! | what | section |
//! |---|---|
//! | addresses, suffixes, letter case, verbs; lost bodies; JSON, forms, multipart, query strings; `max_input_vars` | 1, 2 |
//! | how user ids, scopes, extras and entry types are read | 3 |
//! | the options table: personal, common and common-default rows, switches; names without regard to letter case | 4 |
//! | `get`, `set`, `reset`, `forceCommonScopeForAll` of `crm.lead.details.configuration.*` and `crm.item.*` | 5, 6 |
//! | old releases, whose `get` and `set` work on the caller | 5.5 |
//! | the protective filter: the kinds of rule that were observed, not all of the vendor's | 5.6 |
//! | who may do what, by release | 7 |
//! | forms of answers, JSON and XML; errors and statuses | 8 |
//! | `batch`: halt, references, forms of the maps, limits | 9 |
//! | the counter of requests, operating time, the cut after 60 seconds; off unless asked for | 10 |
//! | `user.get`, `department.get`: filters, sorting, paging and their traps | 11 |
//! | `profile`, `scope`, `methods`, `method.get`, `server.time`, `user.current`, `user.admin` | 12 |
//! | three releases: 26.250, 24.300, 24.200 | 13 |
//!
//! Not imitated: other methods (they are refused, with a complaint); OAuth; custom views, and what
//! the interface itself writes; the front servers of the cloud; translated texts; guests as
//! callers; the order in which people come when nobody asks for one (here it is by id); answers
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
//! | `access-denied` | 401 `ACCESS_DENIED`, as if REST were not in the plan, nothing done |
//! | `expire-webhook` | 401 `INVALID_CREDENTIALS`, from now on, until another script or state |
//! | `html-before`, `html-after` | 502 and a page of HTML, before or after the request is carried out |
//! | `html-ok` | 200 and a page of HTML, nothing done |
//! | `redirect` | 302 to another address, nothing done |
//! | `cut-before`, `cut-after` | the connection ends without an answer, before or after the request is carried out |
//! | `truncate` | carried out, and the answer ends in the middle |
//! | `slow` | answered after `ms` milliseconds |
//! | `answer` | answered with this `status` (200 to 599) and `body`; nothing done, or all of it with `"executed": true` |
//!
//! | `do`, of a command: `method` is that of the command, alone or in a batch | what happens |
//! |---|---|
//! | `fail-command` | the command is refused with `ERROR_CORE`, nothing done; in a batch, the others go on |
//! | `limit-command` | the command is refused with `OPERATION_TIME_LIMIT`, nothing done |
//! | `rate-limit-command` | the command is refused with `QUERY_LIMIT_EXCEEDED`, nothing done |
//! | `skip-command` | of a batch alone: the command is not carried out, and the answer does not name it |
//! | `answer-command` | the command is answered with the error `code`; nothing done, or all of it with `"executed": true` |
//! | `fatal` | the handler breaks down in the command: status 500 for the whole request, earlier commands are done |
//! | `save` | just before the command is carried out, a person saves a card: `row` with `user_id`, `name` and `value` |
//!
//! ```json
//! [{"method": "batch", "nth": 3, "do": "cut-after"},
//!  {"method": "batch", "inside": "crm.lead.details.configuration.reset", "nth": 1, "do": "cut-after"},
//!  {"from": 10, "times": 5, "do": "rate-limit"},
//!  {"method": "crm.lead.details.configuration.reset", "nth": 5, "do": "save",
//!   "row": {"user_id": 7, "name": "lead_details", "value": [{"name": "main", "title": "New"}]}}]
//! ```
//!
//! # What it complains about
//!
//! | kind | what was sent |
//! |---|---|
//! | `bad-user-id` | an id that the portal reads as the caller, as person 1 or as nobody |
//! | `bad-scope`, `missing-extras`, `bad-lead-type`, `unknown-extras` | what leads to another row than it seems to |
//! | `unknown-parameter`, `unknown-filter` | names that the portal ignores |
//! | `lost-body`, `bad-content-type`, `not-post`, `dropped-values` | a request that is not read as it was meant, or may not be next time |
//! | `reference`, `unencoded-command`, `bad-command`, `bad-halt`, `unnamed-commands`, `long-batch`, `empty-batch`, `set-in-batch` | a batch that does something else than it says |
//! | `unsorted-list` | pages without an order |
//! | `unknown-method`, `not-imitated` | methods that the portal, or the emulator, does not have |
//! | `force` | the removal of everybody's cards |

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

/// How an emulator starts.
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
