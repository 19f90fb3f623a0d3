//! Two hundred fault scripts over real HTTP: in spite of all faults between recard and the portal,
//! the report is true, no card outside of the plan is touched, no layout that was read is lost, and
//! further runs converge.
//!
//! Each script meets four runs: one from a quiet start, in every fourth case cut in the middle and
//! settled by `recover`; one with what is left of the script; one when the trouble is over; and one
//! that must find nothing to do. What is true is not guessed from the end: the portal tells what
//! happened to each card, call by call.
//!
//! `matrix` covers every answer that a server can give to a write, and `editor` a person who saves
//! between any two commands.

mod editor;
mod life;
mod log;
mod matrix;
mod model;
mod script;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use recard::emulator::{Emulator, StateEvent};
use recard::engine::{self, Event, ExecuteOptions, MendedJournal, SnapshotAge, TargetOutcome};
use recard::manifest::{Source, load};
use recard::model::{CardKey, Digest, Ledger, Outcome, Totals, UserId};
use recard::plan::{self, ApprovedPlan, BlindReset, Plan, Policy};
use recard::portal::{HttpPortal, PortalSettings, Rate, RetryBudget, WebhookUrl};
use recard::ports::{JournalRecord, PlannedCard, ReadPortal as _, RunHeader, RunPurpose};
use serde_json::{Value, json};
use tokio::sync::Notify;

use log::Log;
use model::{Findings, Run, Unknowable, row_of};
use script::{Numbers, REJECTING, Row, saved, script};

use crate::support::journal::incomplete_targets;

/// Number of scripts.
const SCRIPTS: u64 = 200;

/// Number of concurrent scripts: most of the time they wait.
const AT_ONCE: usize = 24;

/// Time in which requests of a cut run may still be in flight, on this machine.
const SETTLING: Duration = Duration::from_millis(100);

fn connect(emulator: &Emulator) -> HttpPortal {
    let settings = PortalSettings {
        rate: Rate::Unlimited,
        retry_budget: RetryBudget {
            max_elapsed: Duration::from_secs(5),
            initial_backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(20),
            ..RetryBudget::default()
        },
        deadline: Some(Duration::from_secs(30)),
        ..PortalSettings::default()
    };
    HttpPortal::connect(WebhookUrl::parse(&emulator.webhook_url(1).unwrap()).unwrap(), settings)
        .unwrap()
}

/// Resolves, observes and plans; nothing if the portal could not be used.
async fn planned(portal: &HttpPortal) -> Option<Plan> {
    let text = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: test, reason: to try }\nspec:\n  portal: \
                company.bitrix24.com\n  personal:\n    - users: { departments: [{ id: 41, recursive: true }] }\n      \
                leadCustomerTypes: [simple, repeat]\n  guards: { acknowledge: { users: 100 } }\n";
    let declaration =
        load(&[Source { name: "test.yaml".into(), bytes: text.into() }]).declaration.unwrap();
    let reader = portal.reader();
    let caller = reader.identify().await.ok()?;
    let silent = |_: Event| {};
    let desired = engine::resolve_existing(&reader, &declaration, true).await.ok()?.desired;
    let targets: Vec<CardKey> = desired.targets.iter().map(|target| target.key).collect();
    let snapshot = engine::observe(&reader, &caller, &targets, &silent).await.ok()?;
    let policy =
        Policy { blind: BlindReset::Never, ledger: Ledger::default(), ..Policy::default() };
    let plan = plan::plan(&desired, &snapshot, &policy);
    assert!(plan::verify_plan(&desired, &snapshot, &policy, &plan).is_empty());
    Some(plan)
}

/// Returns the resets of a plan, with their digests.
fn removals(plan: &Plan) -> BTreeMap<CardKey, Digest> {
    plan.resets().map(|target| (target.key, target.decision.layout().unwrap().digest())).collect()
}

fn header(portal: &HttpPortal, plan: &Plan) -> JournalRecord {
    let card = |target: &plan::PlannedTarget| PlannedCard {
        key: target.key,
        digest: target.decision.layout().map(recard::model::Layout::digest),
        generation: None,
    };
    JournalRecord::Opened(RunHeader {
        purpose: RunPurpose::Apply,
        portal: portal.reader().portal().clone(),
        caller: UserId::new(1).unwrap(),
        actor: String::new(),
        manifest: None,
        commit: None,
        ledger: None,
        reasons: Vec::new(),
        trust: None,
        targets: plan.resets().map(card).collect(),
    })
}

/// The rows of the portal.
fn rows(state: &Value) -> BTreeMap<Row, Value> {
    let rows = state["options"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            (row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned()),
            row["value"].clone(),
        )
    })
    .collect()
}

/// The whole state of the portal without some rows.
fn without(state: &Value, rows: &BTreeSet<Row>) -> Value {
    let mut state = state.clone();
    let is_left = |row: &Value| {
        !rows
            .contains(&(row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned()))
    };
    state["options"].as_array_mut().unwrap().retain(is_left);
    state
}

/// Way in which a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Whole,
    /// Cut after so many records of the journal, and settled by `recover`.
    CutAfter(usize),
}

/// A script, the portal that it strikes, and what was there before.
struct Trial {
    said: String,
    emulator: Emulator,
    before: Value,
    /// Rows that may change: those of plans, and those that people save.
    may_change: BTreeSet<Row>,
    findings: Findings,
    runs: u32,
}

impl Trial {
    async fn begin(seed: u64) -> Self {
        let script = script(seed);
        let emulator = Emulator::start().await.unwrap();
        let before = emulator.state();
        emulator.keep_history();
        emulator.set_faults(&script).unwrap();
        Self {
            said: format!("script {seed}: {script}"),
            may_change: saved(&script),
            emulator,
            before,
            findings: Findings::default(),
            runs: 0,
        }
    }

    fn rejected(&self) -> bool {
        self.emulator.history().iter().any(|event| REJECTING.contains(&event.kind))
    }

    /// Makes webhooks valid again that a fault has expired.
    fn forgive(&self) {
        self.emulator.set_state(&self.emulator.state()).unwrap();
    }

    /// Plans and applies, and compares the report with the truth. Gives the outcomes, or nothing if
    /// there was no plan.
    async fn run(&mut self, snapshot_age: SnapshotAge, way: Way) -> Option<Vec<TargetOutcome>> {
        self.forgive();
        self.emulator.keep_history();
        let portal = connect(&self.emulator);
        let plan = planned(&portal).await?;
        let planned = removals(&plan);
        self.may_change.extend(planned.keys().map(|key| row_of(*key)));
        self.runs += 1;
        let cut = match way {
            Way::Whole => None,
            Way::CutAfter(records) => Some((records, Arc::new(Notify::new()))),
        };
        let mut log = Log::open(self.runs, header(&portal, &plan), cut.clone());
        let since = self.emulator.history().len();
        let approved = ApprovedPlan::new(&plan, Vec::new()).unwrap();
        let (_stop, signal) = engine::cancellation();
        let options = ExecuteOptions { late_writes: SETTLING, ..ExecuteOptions::new(snapshot_age) };
        let silent = |_: Event| {};
        let writer = portal.writer();
        let mut writing = log.clone();
        let apply = async {
            match engine::apply(&writer, &mut writing, approved, &[], options, &signal, &silent)
                .await
            {
                Ok(report) => report,
                Err(problem) => problem.report().clone(),
            }
        };
        let killed = async {
            match &cut {
                Some((_, notify)) => notify.notified().await,
                None => std::future::pending().await,
            }
        };
        let finished = tokio::select! {
            biased;
            () = killed => None,
            report = apply => Some(report),
        };
        let was_cut = finished.is_none();
        let (targets, totals) = match finished {
            Some(report) => (report.targets, report.totals),
            None => {
                log = log.reopened();
                self.settle(&mut log).await
            }
        };
        let mut before = self.emulator.history();
        let history: Vec<StateEvent> = before.split_off(since);
        let state = self.emulator.state();
        let now = rows(&state);
        let run = Run {
            planned: &planned,
            before: &before,
            history: &history,
            log: &log,
            now: &now,
            was_cut,
            said: &self.said,
        };
        let found = run.judge(&targets, totals);
        if !self.rejected() && saved_in(&history).is_empty() && saved_in(&before).is_empty() {
            assert!(
                found.unknown.is_empty(),
                "the faults ended, and nobody saved: {targets:?}; {}",
                self.said
            );
        }
        self.findings.add(found);
        Some(targets)
    }

    /// Settles a run that was cut, in processes of their own: under what is left of the script, and
    /// then without.
    async fn settle(&mut self, log: &mut Log) -> (Vec<TargetOutcome>, Totals) {
        for last in [false, true] {
            if last {
                self.emulator.set_faults(&json!([])).unwrap();
            }
            let portal = connect(&self.emulator);
            let Ok(caller) = portal.reader().identify().await else { continue };
            let (archive, silent) = (log.clone(), |_: Event| {});
            let records = log.disk().records.clone();
            let journal = MendedJournal { records, ..MendedJournal::default() };
            let report = engine::recover(
                &portal.writer(),
                log,
                &archive,
                &journal,
                &caller,
                SETTLING,
                &silent,
            )
            .await;
            if let Ok(report) = report {
                assert!(incomplete_targets(&log.disk().records).is_empty(), "{}", self.said);
                return (report.targets, report.totals);
            }
        }
        panic!("the portal is well, and the run cannot be settled; {}", self.said);
    }

    /// The whole portal is as it was, but for what was planned and what people saved.
    fn nothing_else_changed(&self) {
        let after = self.emulator.state();
        assert_eq!(
            without(&after, &self.may_change),
            without(&self.before, &self.may_change),
            "{}",
            self.said
        );
        assert!(
            self.emulator.complaints().is_empty(),
            "{:?}; {}",
            self.emulator.complaints(),
            self.said
        );
    }
}

fn saved_in(history: &[StateEvent]) -> BTreeSet<Row> {
    let saves = history.iter().filter(|event| event.kind == "save");
    saves.filter_map(|save| save.row.as_ref()).map(|row| (row.user_id, row.name.clone())).collect()
}

/// One script; returns how many faults struck, and how the targets ended.
async fn try_out(seed: u64) -> (u64, Findings) {
    let mut trial = Trial::begin(seed).await;
    let mut numbers = Numbers::of(seed ^ 0x5EED);
    let way =
        if seed % 4 == 3 { Way::CutAfter(1 + numbers.below(12) as usize) } else { Way::Whole };
    let snapshot_age =
        if seed.is_multiple_of(2) { SnapshotAge::now() } else { SnapshotAge::ReadAgain };
    trial.run(snapshot_age, way).await;
    trial.run(snapshot_age, Way::Whole).await;
    trial.nothing_else_changed();
    let struck = trial.emulator.counters().faults;

    // The trouble is over.
    trial.emulator.set_faults(&json!([])).unwrap();
    let targets = trial
        .run(snapshot_age, Way::Whole)
        .await
        .unwrap_or_else(|| panic!("the portal is well; {}", trial.said));
    assert!(
        targets.iter().all(|settled| settled.outcome == Outcome::Reset),
        "{targets:?}; {}",
        trial.said
    );
    let (settled, changes) = (trial.emulator.state(), trial.emulator.changes());
    let targets = trial.run(snapshot_age, Way::Whole).await.unwrap();
    assert!(targets.is_empty(), "a further run does not converge: {targets:?}; {}", trial.said);
    let written = |event: &&StateEvent| matches!(event.kind, "set" | "reset" | "force");
    assert_eq!(trial.emulator.history().iter().find(written), None, "{}", trial.said);
    // Being forgiven counts as one change of the whole.
    assert_eq!(
        (trial.emulator.state(), trial.emulator.changes()),
        (settled, changes + 1),
        "{}",
        trial.said
    );
    trial.nothing_else_changed();
    (struck, trial.findings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn script_of_faults_has_a_true_report_and_a_further_run_converges() {
    let results: Vec<_> =
        futures_util::stream::iter((0..SCRIPTS).map(|seed| tokio::spawn(try_out(seed))))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
    let mut findings = Findings::default();
    let mut struck = 0;
    let mut failed = 0;
    for result in results {
        match result {
            Ok((faults, found)) => {
                struck += faults;
                findings.add(found);
            }
            // Each has said which script it was, and why.
            Err(_) => failed += 1,
        }
    }
    assert_eq!(
        failed, 0,
        "so many scripts failed; what they said stands above; {struck} faults, {findings:?}"
    );
    // The scripts do strike, and lead to all kinds of ends: else nothing was tried.
    assert!(struck > 2 * SCRIPTS, "{struck}");
    // A command that breaks down is no refusal: it is read back, and tried again.
    for word in ["reset", "lost-update-restored", "not-attempted", "unknown"] {
        assert!(findings.ends.contains_key(word), "no target ended as {word}: {findings:?}");
    }
    assert!(findings.unknown.contains_key(&Unknowable::Rejected), "{findings:?}");
}
