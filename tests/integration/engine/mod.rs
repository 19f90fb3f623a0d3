//! Apply, recover and restore on fakes: two worlds, one difference, compared as values.
//!
//! This file holds the shared code; the tests are in modules by subject.

mod applying;
mod cut_recoveries;
mod cut_restores;
mod cuts;
mod fake_portal;
mod fake_store;
mod fuse;
mod indeterminate;
mod kept_parts;
mod lost_updates;
mod observing;
mod recovering;
mod restoring;
mod salvaging;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recard::engine::*;
use recard::model::*;
use recard::plan::{ApprovedPlan, Plan, Policy, plan, verify_plan};
use recard::ports::*;

use self::fake_portal::*;
use self::fake_store::{Disk, InMemoryLog};
use self::fuse::{Cut, Fuse};
use crate::support::journal::incomplete_targets;

fn quiet(_: Event) {}

/// Returns options for cards that were read at this moment.
fn just_read() -> ExecuteOptions {
    ExecuteOptions { late_writes: Duration::ZERO, ..ExecuteOptions::new(SnapshotAge::now()) }
}

/// Returns options for cards that were read by another process.
fn read_again() -> ExecuteOptions {
    ExecuteOptions { late_writes: Duration::ZERO, ..ExecuteOptions::new(SnapshotAge::ReadAgain) }
}

fn desired(keys: &[CardKey], mode: &Mode) -> DesiredState {
    let origin = Arc::new(Origin {
        manifest: "test".into(),
        reason: "to try".into(),
        place: SourceLocation { file: "test.yaml".into(), line: 1, column: 1 },
        selector: Selector::Id,
    });
    let target = |key: &CardKey| DesiredTarget {
        key: *key,
        mode: mode.clone(),
        origin: Arc::clone(&origin),
    };
    let limits = ManifestLimits {
        acknowledged_common: CardKind::LEADS.into(),
        acknowledged_people: [user(1)].into(),
        acknowledged_users: Some(1000),
        ..ManifestLimits::default()
    };
    let guards = GuardLimits { manifests: [("test".into(), limits)].into(), max_users: None };
    DesiredState { targets: keys.iter().map(target).collect(), guards, ..DesiredState::default() }
}

async fn make_plan(portal: &InMemoryPortal, keys: &[CardKey], mode: &Mode, ledger: Ledger) -> Plan {
    let desired = desired(keys, mode);
    let snapshot = observe(portal, &portal.identity(), keys, &quiet).await.unwrap();
    let policy = Policy { ledger, ..Policy::default() };
    let made = plan(&desired, &snapshot, &policy);
    assert_eq!(verify_plan(&desired, &snapshot, &policy, &made), []);
    made
}

fn approve(plan: &Plan) -> ApprovedPlan<'_> {
    ApprovedPlan::new(plan, Vec::new()).unwrap()
}

fn planned_cards(plan: &Plan) -> Vec<PlannedCard> {
    let card = |target: &recard::plan::PlannedTarget| PlannedCard {
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
    log: InMemoryLog,
}

/// Collects the notices of the engine.
fn noting(notes: &Mutex<Vec<String>>) -> impl Fn(Event) + Send + Sync {
    |event| {
        if let Event::Notice(text) = event {
            notes.lock().unwrap().push(text.to_string());
        }
    }
}

/// Plans and applies.
async fn run(world: &Arc<Mutex<World>>, keys: &[CardKey]) -> Done {
    let portal = InMemoryPortal::new(world);
    let made = make_plan(&portal, keys, &Mode::Enforce, Ledger::default()).await;
    carry_out(&portal, &made, just_read()).await
}

async fn carry_out(portal: &InMemoryPortal, made: &Plan, options: ExecuteOptions) -> Done {
    let disk = Arc::default();
    let mut log = InMemoryLog::open(&disk, 1, RunPurpose::Apply, planned_cards(made));
    let (_, stop) = cancellation();
    let approved = approve(made);
    let notes = Mutex::new(Vec::new());
    let applied =
        async { apply(portal, &mut log, approved, &[], options, &stop, &noting(&notes)).await };
    // The fakes need no time: a timeout means a wait for an event that never comes.
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

async fn run_again(portal: &InMemoryPortal, keys: &[CardKey]) -> bool {
    portal.world().faults.clear();
    let made = make_plan(portal, keys, &Mode::Enforce, Ledger::default()).await;
    let _ = carry_out(portal, &made, just_read()).await;
    make_plan(portal, keys, &Mode::Enforce, Ledger::default()).await.is_noop()
}

/// Returns the plan that these reads of the cards would give.
fn restore_plan(targets: Vec<(CardKey, RestoreDecision)>) -> RestorePlan {
    RestorePlan {
        restored_run: RunId::new("20261101T090000Z", 1).unwrap(),
        trust: ReadTrust::Unproven,
        targets: targets
            .into_iter()
            .map(|(key, decision)| RestoreTarget { key, decision })
            .collect(),
        common_defaults: BTreeMap::new(),
    }
}

fn restore_log(plan: &RestorePlan) -> InMemoryLog {
    InMemoryLog::open(
        &Arc::default(),
        2,
        RunPurpose::Restore(plan.restored_run.clone()),
        plan.planned_cards(),
    )
}

fn gone(key: CardKey) -> (CardKey, RestoreDecision) {
    (key, RestoreDecision::Restore { wanted: layout("old"), over: None })
}

/// Recovers a run whose journal is whole.
async fn recover(
    portal: &InMemoryPortal,
    log: &mut InMemoryLog,
    archive: &InMemoryLog,
) -> Result<RecoveryReport, RecoveryError> {
    let whole = MendedJournal { records: archive.records(), ..MendedJournal::default() };
    let (caller, settling) = (portal.identity(), Duration::ZERO);
    recard::engine::recover(portal, log, archive, &whole, &caller, settling, &quiet).await
}

/// Returns `true` if every target is in the planned state.
fn is_clean(totals: Totals) -> bool {
    totals.failed == 0 && totals.unknown == 0
}

fn words(report: &ApplyReport) -> Vec<&'static str> {
    report.targets.iter().map(|settled| settled.outcome.as_str()).collect()
}
