//! Apply, resume and restore on fakes: two worlds, one difference, compared as values.
//!
//! What the tests share is here; the tests are in modules by subject.

mod applying;
mod cut_restores;
mod cut_resumes;
mod cuts;
mod doubt;
mod lost_updates;
mod observing;
mod restoring;
mod resuming;
mod salvaging;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fakes::*;
use super::*;
use crate::model::*;
use crate::plan::{ApprovedPlan, Plan, Policy, check, plan};
use crate::port::*;

fn quiet(_: Event) {}

/// The cards were read in this moment.
fn just_read() -> ExecuteOptions {
    ExecuteOptions { late_writes: Duration::ZERO, ..ExecuteOptions::new(Freshness::now()) }
}

/// The cards were read by another process.
fn read_again() -> ExecuteOptions {
    ExecuteOptions { late_writes: Duration::ZERO, ..ExecuteOptions::new(Freshness::ReadAgain) }
}

fn desired(keys: &[CardKey], mode: &Mode) -> DesiredState {
    let origin = Arc::new(Origin {
        manifest: "test".into(),
        reason: "to try".into(),
        place: Place { file: "test.yaml".into(), line: 1, column: 1 },
        selector: Selector::Id,
    });
    let target = |key: &CardKey| DesiredTarget {
        key: *key,
        mode: mode.clone(),
        origin: Arc::clone(&origin),
    };
    let limits = ManifestLimits {
        acknowledged_common: LeadCustomerType::ALL.into(),
        acknowledged_people: [user(1)].into(),
        acknowledged_users: Some(1000),
        ..ManifestLimits::default()
    };
    let guards = GuardLimits { manifests: [("test".into(), limits)].into(), max_users: None };
    DesiredState { targets: keys.iter().map(target).collect(), guards, ..DesiredState::default() }
}

async fn make_plan(portal: &FakePortal, keys: &[CardKey], mode: &Mode, ledger: Ledger) -> Plan {
    let desired = desired(keys, mode);
    let snapshot = observe(portal, &portal.identity(), keys, &quiet).await.unwrap();
    let policy = Policy { ledger, ..Policy::default() };
    let made = plan(&desired, &snapshot, &policy);
    assert_eq!(check(&desired, &snapshot, &policy, &made), []);
    made
}

fn approve(plan: &Plan) -> ApprovedPlan<'_> {
    ApprovedPlan::new(plan, Vec::new()).unwrap()
}

fn planned_cards(plan: &Plan) -> Vec<PlannedCard> {
    let card = |target: &crate::plan::PlannedTarget| PlannedCard {
        key: target.key,
        digest: target.decision.layout().map(Layout::digest),
        generation: target.generation.clone(),
    };
    plan.resets().map(card).collect()
}

fn world(rows: &[(CardKey, &str)]) -> Arc<Mutex<World>> {
    let rows = rows.iter().map(|(key, name)| (*key, layout(name))).collect();
    Arc::new(Mutex::new(World { rows, ..World::default() }))
}

struct Done {
    outcomes: Vec<(CardKey, Outcome)>,
    notes: Vec<String>,
    log: FakeLog,
}

/// Keeps the notes that are told.
fn noting(notes: &Mutex<Vec<String>>) -> impl Fn(Event) + Send + Sync {
    |event| {
        if let Event::Note(text) = event {
            notes.lock().unwrap().push(text.to_string());
        }
    }
}

/// Plans and applies.
async fn run(world: &Arc<Mutex<World>>, keys: &[CardKey]) -> Done {
    let portal = FakePortal::new(world);
    let made = make_plan(&portal, keys, &Mode::Enforce, Ledger::default()).await;
    carry_out(&portal, &made, just_read()).await
}

async fn carry_out(portal: &FakePortal, made: &Plan, options: ExecuteOptions) -> Done {
    let disk = Arc::default();
    let mut log = FakeLog::open(&disk, 1, RunPurpose::Apply, planned_cards(made));
    let (_, stop) = stop_pair();
    let approved = approve(made);
    let notes = Mutex::new(Vec::new());
    let applied =
        async { apply(portal, &mut log, approved, &[], options, &stop, &noting(&notes)).await };
    // Nothing here takes time: whoever is not done by then waits for something that never comes.
    let applied = tokio::time::timeout(Duration::from_secs(60), applied).await.unwrap();
    let report = match applied {
        Ok(report) => report,
        Err(problem) => problem.report().clone(),
    };
    assert_eq!(report.totals.planned() as usize, made.resets().count());
    let outcomes =
        report.targets.into_iter().map(|settled| (settled.key, settled.outcome)).collect();
    Done { outcomes, notes: notes.into_inner().unwrap(), log }
}

async fn run_again(portal: &FakePortal, keys: &[CardKey]) -> bool {
    portal.world().faults.clear();
    let made = make_plan(portal, keys, &Mode::Enforce, Ledger::default()).await;
    let _ = carry_out(portal, &made, just_read()).await;
    make_plan(portal, keys, &Mode::Enforce, Ledger::default()).await.is_settled()
}

/// A plan as it would be made if the cards read so.
fn restore_plan(targets: Vec<(CardKey, RestoreDecision)>) -> RestorePlan {
    RestorePlan {
        of: RunId::new("20261101T090000Z", 1).unwrap(),
        targets: targets
            .into_iter()
            .map(|(key, decision)| RestoreTarget { key, decision })
            .collect(),
        stand_ins: BTreeMap::new(),
    }
}

fn restore_log(plan: &RestorePlan) -> FakeLog {
    FakeLog::open(&Arc::default(), 2, RunPurpose::Restore(plan.of.clone()), plan.planned_cards())
}

fn gone(key: CardKey) -> (CardKey, RestoreDecision) {
    (key, RestoreDecision::PutBack { wanted: layout("old"), over: None })
}

fn words(report: &ApplyReport) -> Vec<&'static str> {
    report.targets.iter().map(|settled| settled.outcome.word()).collect()
}
