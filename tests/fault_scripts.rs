//! Two hundred scripts of faults, over real HTTP: whatever goes wrong between recard and the portal, the report is true, no
//! card outside of the plan is touched, and a further run brings everything to its default.

#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use recard::emulator::Emulator;
use recard::engine::{self, ApplyReport, Event, Freshness};
use recard::manifest::{Source, load};
use recard::model::{
    CardKey, Digest, Generation, Layout, LeadCustomerType, Ledger, LedgerEntry, Outcome, OutcomeClass, RunId,
};
use recard::plan::{self, ApprovedPlan, BlindReset, Plan, Policy};
use recard::port::{JournalRecord, ReadPortal as _, RunLog, StoreError};
use recard::portal::{HttpPortal, PortalSettings, Rate, RetryBudget, WebhookUrl};
use serde_json::{Value, json};

/// How many scripts there are.
const SCRIPTS: u64 = 200;

/// How many of them run at once: most of the time they wait.
const AT_ONCE: usize = 24;

/// A generator of numbers that is the same everywhere (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

const GET: &str = "crm.lead.details.configuration.get";
const RESET: &str = "crm.lead.details.configuration.reset";
const SET: &str = "crm.lead.details.configuration.set";

/// One to four rules; every effect of the emulator comes up.
fn script(seed: u64) -> Value {
    let mut numbers = Numbers(seed);
    let rule = |numbers: &mut Numbers| {
        let of_request = [
            "rate-limit",
            "operating-time",
            "overload",
            "expire-webhook",
            "html-before",
            "html-after",
            "html-ok",
            "redirect",
            "cut-before",
            "cut-after",
            "cut-after",
            "truncate",
            "truncate",
            "slow",
        ];
        let of_command = ["fail-command", "limit-command", "fatal", "fatal", "save", "save"];
        let mut rule = if numbers.below(2) == 0 {
            json!({"method": numbers.one_of(&["batch", "batch", "*", SET]), "do": numbers.one_of(&of_request)})
        } else {
            let methods = [GET, RESET, RESET, SET, "user.get", "department.get", "profile"];
            json!({"method": numbers.one_of(&methods), "do": numbers.one_of(&of_command)})
        };
        match numbers.below(3) {
            0 => rule["nth"] = json!(numbers.below(12) + 1),
            1 => rule["every"] = json!(numbers.below(5) + 2),
            _ => {
                rule["probability"] = json!((numbers.below(35) + 5) as f64 / 100.0);
                rule["seed"] = json!(numbers.below(1_000_000));
            }
        }
        rule["times"] = json!(numbers.below(4) + 1);
        if rule["do"] == "slow" {
            rule["ms"] = json!(numbers.below(30));
        }
        if rule["do"] == "save" {
            let user = [7, 8, 12, 14, 15, 18, 25, 33][usize::try_from(numbers.below(8)).unwrap()];
            let title = format!("Saved {}", numbers.below(1000));
            rule["row"] = json!({"user_id": user, "name": numbers.one_of(&["lead_details", "returning_lead_details"]),
                "value": [{"name": "main", "title": title, "type": "section", "elements": [{"name": "TITLE"}]}]});
        }
        rule
    };
    let rules = numbers.below(4) + 1;
    Value::Array((0..rules).map(|_| rule(&mut numbers)).collect())
}

/// A log in memory that insists on the order: no intent without a backup.
struct Log {
    run: RunId,
    backups: BTreeSet<(CardKey, Digest)>,
}

impl RunLog for Log {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn back_up(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        self.backups.extend(cards.iter().map(|(key, layout)| (*key, layout.digest())));
        Ok(())
    }

    fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        for record in records {
            if let JournalRecord::Intent { targets } = record {
                for (key, digest) in targets {
                    assert!(self.backups.contains(&(*key, digest.unwrap())), "{key} is reset without a backup");
                }
            }
        }
        Ok(())
    }

    fn mark(&mut self, _: &[(Generation, CardKey, LedgerEntry)]) -> Result<(), StoreError> {
        Ok(())
    }
}

fn connect(emulator: &Emulator) -> HttpPortal {
    let settings = PortalSettings {
        rate: Rate::Unlimited,
        retry_budget: RetryBudget {
            patience: Duration::from_millis(600),
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(20),
            ..RetryBudget::default()
        },
        deadline: Some(Duration::from_secs(10)),
        ..PortalSettings::default()
    };
    HttpPortal::connect(WebhookUrl::parse(&emulator.webhook_url(1).unwrap()).unwrap(), settings).unwrap()
}

/// Resolves, observes and plans; nothing if the portal could not be used.
async fn planned(portal: &HttpPortal) -> Option<Plan> {
    let text = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: test, reason: to try }\nspec:\n  portal: \
                company.bitrix24.com\n  personal:\n    - users: { departments: [{ id: 41, recursive: true }] }\n      \
                leadCustomerTypes: [simple, repeat]\n  guards: { acknowledge: { users: 100 } }\n";
    let declaration = load(&[Source { name: "test.yaml".into(), bytes: text.into() }]).declaration.unwrap();
    let reader = portal.reader();
    let caller = reader.identify().await.ok()?;
    let desired = engine::resolve(&reader, &declaration).await.ok()?.desired;
    let keys: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    let silent = |_: Event| {};
    let snapshot = engine::observe(&reader, &caller, &keys, &silent).await.ok()?;
    let policy = Policy { blind: BlindReset::Never, ledger: Ledger::default(), previous_selection: None };
    let plan = plan::plan(&desired, &snapshot, &policy);
    assert!(plan::check(&desired, &snapshot, &policy, &plan).is_empty());
    Some(plan)
}

async fn applied(portal: &HttpPortal, plan: Plan) -> ApplyReport {
    let approved = ApprovedPlan::new(plan, Vec::new()).unwrap();
    let mut log = Log { run: RunId::new("20261101T090000Z", 7).unwrap(), backups: BTreeSet::new() };
    let (_stop, signal) = engine::stop_pair();
    let silent = |_: Event| {};
    match engine::apply(&portal.writer(), &mut log, &approved, &[], Freshness::JustRead, &signal, &silent).await {
        Ok(report) => report,
        Err(problem) => problem.report().clone(),
    }
}

/// The personal cards of the portal.
fn cards(emulator: &Emulator) -> BTreeMap<(i64, String), Value> {
    let state = emulator.state();
    let rows = state["options"].as_array().unwrap().iter();
    rows.map(|row| ((row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned()), row["value"].clone()))
        .collect()
}

fn row_of(key: CardKey) -> (i64, String) {
    let name = match key.lead {
        LeadCustomerType::Simple => "lead_details",
        LeadCustomerType::Repeat => "returning_lead_details",
    };
    (i64::from(key.user().unwrap().get()), name.to_owned())
}

/// The rows that people save in a script.
fn saved(script: &Value) -> BTreeSet<(i64, String)> {
    let rows = script.as_array().unwrap().iter().filter(|rule| rule["do"] == "save").map(|rule| &rule["row"]);
    rows.map(|row| (row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned())).collect()
}

/// One script; returns how many faults struck, and how the targets ended.
async fn try_out(seed: u64) -> (u64, BTreeMap<&'static str, u64>) {
    let script = script(seed);
    let said = format!("script {seed}: {script}");
    let emulator = Emulator::start().await.unwrap();
    let before = cards(&emulator);
    let touched_by_people = saved(&script);
    emulator.set_faults(&script).unwrap();

    let mut ends = BTreeMap::new();
    let portal = connect(&emulator);
    let plan = planned(&portal).await;
    let in_plan: BTreeSet<(i64, String)> =
        plan.iter().flat_map(Plan::resets).map(|target| row_of(target.key)).collect();
    if let Some(plan) = plan {
        let planned_resets = plan.resets().count();
        let report = applied(&portal, plan).await;
        let after = cards(&emulator);
        assert_eq!(report.targets.len(), planned_resets, "{said}");
        for settled in &report.targets {
            *ends.entry(settled.outcome.word()).or_default() += 1;
            let (row, outcome) = (row_of(settled.key), &settled.outcome);
            let (now, was) = (after.get(&row), before.get(&row));
            let true_outcome = match outcome.class() {
                OutcomeClass::Unknown => true,
                // Somebody may have saved after the last read, which is true as well.
                _ if touched_by_people.contains(&row) => !matches!(outcome, Outcome::PutBack) || now.is_some(),
                OutcomeClass::Done | OutcomeClass::Skipped => now.is_none(),
                OutcomeClass::Failed => now.is_some() && now == was,
            };
            assert!(true_outcome, "{} is said to be {outcome:?}, and is {now:?}; {said}", settled.key);
        }
    }
    let after = cards(&emulator);
    for row in before.keys().chain(after.keys()).filter(|row| !in_plan.contains(*row)) {
        assert!(touched_by_people.contains(row) || before.get(row) == after.get(row), "{row:?} was touched; {said}");
    }
    let struck = emulator.counters().faults;

    // The trouble is over, and webhooks are valid again.
    emulator.set_faults(&json!([])).unwrap();
    emulator.set_state(&emulator.state()).unwrap();
    let portal = connect(&emulator);
    let plan = planned(&portal).await.unwrap_or_else(|| panic!("the portal is well; {said}"));
    if plan.resets().count() > 0 {
        let report = applied(&portal, plan).await;
        assert!(report.targets.iter().all(|settled| settled.outcome == Outcome::Reset), "{report:?}; {said}");
    }
    let plan = planned(&portal).await.unwrap();
    assert!(plan.is_settled(), "a further run does not converge; {said}");
    assert!(emulator.complaints().is_empty(), "{:?}; {said}", emulator.complaints());
    (struck, ends)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_every_script_of_faults_the_report_is_true_and_a_further_run_converges() {
    let results: Vec<_> = futures_util::stream::iter((0..SCRIPTS).map(|seed| tokio::spawn(try_out(seed))))
        .buffer_unordered(AT_ONCE)
        .map(|result| result.unwrap())
        .collect()
        .await;
    let struck: u64 = results.iter().map(|(struck, _)| struck).sum();
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for (word, count) in results.iter().flat_map(|(_, ends)| ends) {
        *ends.entry(word).or_default() += count;
    }
    // The scripts do strike, and lead to all kinds of ends: else nothing was tried.
    assert!(struck > SCRIPTS, "{struck}");
    // A command that breaks down is no refusal: it is read back, and tried again.
    for word in ["reset", "put-back", "not-attempted"] {
        assert!(ends.contains_key(word), "no target ended as {word}: {ends:?}");
    }
}
