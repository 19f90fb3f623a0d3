//! Cards of all kinds from end to end: each card that a manifest names is read, reset and restored,
//! and no other one.

mod commands;
mod family;
mod life;
mod listed;
mod property;
mod requests;

use std::collections::BTreeMap;

use bitrix24::HttpTransport;
use recard::app::{
    self, AppliedRun, ApplyOptions, ManifestSet, PlanOptions, Planned, RestoreOptions,
    RestoreSelection, RestoredRun, Session, TargetFilter,
};
use recard::emulator::{Emulator, EmulatorOptions, Seed};
use recard::engine::NewerLayouts;
use recard::manifest::{Declaration, Source, load};
use recard::plan::BlindReset;
use recard::portal::{HttpPortal, MethodFamily};
use serde_json::{Value, json};

use crate::support::company::portal_of;
use crate::support::raw;
use crate::support::session::{Silent, session_over, settings};
use crate::support::wait::Wait as _;
use requests::{Log, Recorder};

/// Card by its entry in a manifest and by its text form, with the name of its row.
pub(super) struct Card {
    pub(super) entry: &'static str,
    pub(super) kind: &'static str,
    pub(super) row: &'static str,
}

/// Cards of every kind on the small portal, for the default pipeline and another one.
pub(super) const CARDS: &[Card] = &[
    card("lead: { types: [simple] }", "lead/simple", "lead_details"),
    card("lead: { types: [repeat] }", "lead/repeat", "returning_lead_details"),
    card("deal: { pipelines: [default] }", "deal/0", "deal_details"),
    card("deal: { pipelines: [5] }", "deal/5", "deal_details_c_5"),
    card("deal: { pipelines: [Service] }", "deal/9", "deal_details_c_9"),
    card("contact: {}", "contact", "contact_details"),
    card("contact: { categories: [15] }", "contact/15", "contact_details_C_15"),
    card("company: {}", "company", "company_details"),
    card("company: { categories: [Suppliers] }", "company/16", "company_details_C_16"),
    card("quote: {}", "quote", "QUOTE_details"),
    card("smartInvoice: {}", "smart-invoice/1", "SMART_INVOICE_details_C1"),
    card(
        "smartProcess: { type: 177, pipelines: default }",
        "smart-process/177/5",
        "DYNAMIC_177_details_C5",
    ),
    card(
        "smartProcess: { type: 177, pipelines: [9] }",
        "smart-process/177/9",
        "DYNAMIC_177_details_C9",
    ),
    card(
        "smartProcess: { type: Projects, pipelines: [default] }",
        "smart-process/1038/13",
        "DYNAMIC_1038_details_C13",
    ),
    card(
        "smartProcess: { type: 1038, pipelines: [Inner] }",
        "smart-process/1038/12",
        "DYNAMIC_1038_details_C12",
    ),
];

/// Rows beside the cards: of nobody, of pipelines that are not there, and of a type never opened.
const OTHER_ROWS: &[&str] = &[
    "deal_details_c_1",
    "deal_details_c_15",
    "contact_details_C_5",
    "company_details_C_15",
    "QUOTE_details_c_5",
    "SMART_INVOICE_details",
    "DYNAMIC_177_details",
    "DYNAMIC_177_details_C1",
    "DYNAMIC_178_details_C11",
    "DYNAMIC_1038_details",
    "DYNAMIC_1040_details",
];

const fn card(entry: &'static str, kind: &'static str, row: &'static str) -> Card {
    Card { entry, kind, row }
}

/// Small portal with its store. User 1 administers it, 7 and 8 sell, and 9 administers the CRM.
pub(super) struct World {
    pub(super) emulator: Emulator,
    store: tempfile::TempDir,
    pub(super) session: Session,
    /// The commands of all sessions.
    log: Log,
    user: i64,
    /// Methods for leads that later sessions force.
    forced: Option<MethodFamily>,
}

/// Rows of the whole table of options, by owner and name.
pub(super) type Rows = BTreeMap<(i64, String), String>;

/// Returns the rows that differ.
pub(super) fn difference<'r>(one: &'r Rows, other: &'r Rows) -> Vec<&'r (i64, String)> {
    let differs = |key: &&(i64, String)| one.get(*key) != other.get(*key);
    let mut keys: Vec<_> = one.keys().chain(other.keys()).filter(differs).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Returns the name of a row in the spelling that a release writes.
pub(super) fn spelled(release: &str, name: &str) -> String {
    if release == "current" { name.to_lowercase() } else { name.to_owned() }
}

/// Returns a row in the form in which a `set` stores it.
pub(super) fn row(user: i64, name: &str, title: &str) -> Value {
    let elements = json!([{"name": "TITLE", "optionFlags": "1"}]);
    let section = json!({"type": "section", "name": "main", "title": title, "elements": elements});
    let value = json!([{"name": "default_column", "type": "column", "elements": [section]}]);
    let common = if user == 0 { "Y" } else { "N" };
    json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": common, "value": value})
}

/// Returns rows of every card and beside them, of three people and common ones.
pub(super) fn all_rows(release: &str) -> Vec<Value> {
    let names = CARDS.iter().map(|card| card.row).chain(OTHER_ROWS.iter().copied());
    let mut rows = Vec::new();
    for name in names {
        let name = spelled(release, name);
        for user in [1, 7, 8] {
            rows.push(row(user, &name, &format!("{name} of {user}")));
        }
        for suffix in ["_scope", "_opts"] {
            rows.push(row(7, &format!("{name}{suffix}"), "setting"));
        }
        rows.push(row(0, &format!("{name}_common"), &format!("common {name}")));
    }
    rows
}

impl World {
    /// Starts the small portal with parts of its own, and opens a session of a user.
    pub(super) async fn with(release: &str, portal: Value, user: i64) -> Self {
        let state = json!({"variant": release, "portal": portal, "options": all_rows(release)});
        let options = EmulatorOptions { seed: Seed::State(state), ..EmulatorOptions::default() };
        let emulator = Emulator::start_with(options).await.unwrap();
        let (store, log) = (tempfile::tempdir().unwrap(), Log::default());
        let session = open(&emulator, &store, &log, (user, None)).await;
        Self { emulator, store, session, log, user, forced: None }
    }

    pub(super) async fn start(release: &str) -> Self {
        Self::with(release, json!({}), 1).await
    }

    /// Begins anew, as another process does.
    pub(super) async fn reopen(&mut self) {
        let who = (self.user, self.forced);
        self.session = open(&self.emulator, &self.store, &self.log, who).await;
    }

    /// Asks the portal as the caller, beside the client.
    pub(super) fn ask(&self, method: &str, parameters: &Value) -> Value {
        let url = self.emulator.webhook_url(self.user).unwrap();
        let path = url.split_once("/rest/").unwrap().1;
        let headers = [("Content-Type", "application/json")];
        let path = format!("/rest/{path}{method}");
        let host = raw::host_of(&self.emulator.rest_url()).to_owned();
        raw::send(&host, "POST", &path, &headers, parameters.to_string().as_bytes()).unwrap().json()
    }

    /// Returns the pipelines that the portal lists to the caller; `None` if it refuses.
    pub(super) fn listed(&self, of: u32) -> Option<Vec<Value>> {
        let answer = self.ask("crm.category.list", &json!({"entityTypeId": of}));
        answer["result"]["categories"].as_array().cloned()
    }

    /// Checks every request so far.
    pub(super) fn check_requests(&self) -> Result<(), String> {
        let id = |pipeline: &Value| u32::try_from(pipeline["id"].as_u64().unwrap()).unwrap();
        let listed = |of| self.listed(of).unwrap_or_default().iter().map(id).collect();
        requests::check(&self.log.commands(), listed)?;
        match self.emulator.complaints().as_slice() {
            [] => Ok(()),
            complaints => Err(format!("{complaints:?}")),
        }
    }

    pub(super) fn rows(&self) -> Rows {
        let state = self.emulator.state();
        let rows = state["options"].as_array().unwrap().iter();
        let entry = |row: &Value| {
            let key = (row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned());
            (key, row.to_string())
        };
        rows.map(entry).collect()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.emulator.state();
        change(&mut state);
        self.emulator.set_state(&state).unwrap();
    }

    /// Reads a manifest with these parts of its `spec`.
    pub(super) fn declaration(&self, spec: &str) -> Declaration {
        // A name of its own: a selection that shrinks from run to run is refused.
        let name = format!("t{}", self.session.store.run_ids().wait().unwrap().len());
        let text = format!(
            "apiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: {name}, reason: r }}\nspec:\n  \
             portal: \"{}\"\n{spec}",
            self.session.store.portal()
        );
        let loaded = load(&[Source { name: "t.yaml".into(), bytes: text.clone().into() }]);
        loaded.declaration.unwrap_or_else(|| panic!("{text}\n{:?}", loaded.diagnostics))
    }

    pub(super) async fn plan(&self, declaration: &Declaration) -> Result<Planned, app::Error> {
        let files = [("t".to_owned(), "t.yaml".to_owned())];
        let manifests = ManifestSet { declaration, files: &files };
        app::plan(&self.session, manifests, &PlanOptions::default(), &Silent).await
    }

    pub(super) async fn apply(
        &self,
        declaration: &Declaration,
        blind: BlindReset,
    ) -> Result<AppliedRun, app::Error> {
        let files = [("t".to_owned(), "t.yaml".to_owned())];
        let manifests = ManifestSet { declaration, files: &files };
        let plan = PlanOptions { blind, ..PlanOptions::default() };
        let options = ApplyOptions { plan, ..ApplyOptions::default() };
        app::apply(&self.session, manifests, &options, &Silent, &Silent).await
    }

    /// Restores everything that the last apply reset.
    pub(super) async fn restore(&self) -> Result<RestoredRun, app::Error> {
        let selection = RestoreSelection {
            run: "last".to_owned(),
            filter: TargetFilter { all: true, ..TargetFilter::default() },
            newer: NewerLayouts::default(),
        };
        let options = RestoreOptions { selection, lock_timeout: std::time::Duration::ZERO };
        app::restore(&self.session, &options, &Silent, &Silent).await
    }
}

async fn open(
    emulator: &Emulator,
    store: &tempfile::TempDir,
    log: &Log,
    (user, forced): (i64, Option<MethodFamily>),
) -> Session {
    let webhook = bitrix24::WebhookUrl::parse(&emulator.webhook_url(user).unwrap()).unwrap();
    let http = HttpTransport::new(webhook, &settings()).unwrap();
    let recorder = Recorder { http, log: log.clone() };
    let name = portal_of(emulator).parse().unwrap();
    let portal = HttpPortal::over(name, recorder, &settings());
    if let Some(family) = forced {
        portal.force_method_family(family);
    }
    session_over(portal, store.path()).await
}

/// Returns each target of a plan with its decision.
pub(super) fn decisions(planned: &Planned) -> Vec<(String, String)> {
    let one = |target: &recard::plan::PlannedTarget| {
        let decision = match &target.decision {
            recard::plan::Decision::Keep(_) => "keep".to_owned(),
            recard::plan::Decision::Reset(_) => "reset".to_owned(),
            recard::plan::Decision::Hold(reason) => reason.as_str().to_owned(),
        };
        (target.key.to_string(), decision)
    };
    planned.plan.targets.iter().map(one).collect()
}
