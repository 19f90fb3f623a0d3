//! Apply, resume and restore on fakes: two worlds, one difference, compared as values.

mod doubt;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fakes::*;
use super::*;
use crate::model::*;
use crate::plan::{ApprovedPlan, Plan, Policy, check, plan};
use crate::port::*;

fn quiet(_: Event) {}

fn desired(keys: &[CardKey], mode: &Mode) -> DesiredState {
    let origin = Arc::new(Origin {
        manifest: "test".into(),
        reason: "to try".into(),
        place: Place { file: "test.yaml".into(), line: 1, column: 1 },
        selector: Selector::Id,
    });
    let target = |key: &CardKey| DesiredTarget { key: *key, mode: mode.clone(), origin: Arc::clone(&origin) };
    let guards = GuardLimits {
        acknowledged_common: LeadCustomerType::ALL.into(),
        acknowledged_people: [user(1)].into(),
        ..GuardLimits::default()
    };
    DesiredState { targets: keys.iter().map(target).collect(), people: BTreeMap::new(), guards }
}

async fn make_plan(portal: &FakePortal, keys: &[CardKey], mode: &Mode, ledger: Ledger) -> Plan {
    let desired = desired(keys, mode);
    let snapshot = observe(portal, &portal.identity(), keys, &quiet).await.unwrap();
    let policy = Policy { ledger, ..Policy::default() };
    let made = plan(&desired, &snapshot, &policy);
    assert_eq!(check(&desired, &snapshot, &policy, &made), []);
    made
}

fn approve(plan: &Plan) -> ApprovedPlan {
    ApprovedPlan::new(plan.clone(), Vec::new()).unwrap()
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
    log: FakeLog,
}

/// Plans and applies.
async fn run(world: &Arc<Mutex<World>>, keys: &[CardKey]) -> Done {
    let portal = FakePortal::new(world);
    let made = make_plan(&portal, keys, &Mode::Enforce, Ledger::default()).await;
    carry_out(&portal, &made, Freshness::JustRead).await
}

async fn carry_out(portal: &FakePortal, made: &Plan, freshness: Freshness) -> Done {
    let disk = Arc::default();
    let mut log = FakeLog::open(&disk, 1, RunPurpose::Apply, planned_cards(made));
    let (_, stop) = stop_pair();
    let approved = approve(made);
    let applied = apply(portal, &mut log, &approved, &[], freshness, &stop, &quiet);
    // Nothing here takes time: whoever is not done by then waits for something that never comes.
    let applied = tokio::time::timeout(Duration::from_secs(60), applied).await.unwrap();
    let report = match applied {
        Ok(report) => report,
        Err(problem) => problem.report().clone(),
    };
    assert_eq!(report.totals.planned() as usize, made.resets().count());
    let outcomes = report.targets.into_iter().map(|settled| (settled.key, settled.outcome)).collect();
    Done { outcomes, log }
}

#[tokio::test]
async fn an_apply_resets_what_the_plan_says_and_a_second_one_resets_nothing() {
    let keys = [simple(2), simple(3), simple(4)];
    let world = world(&[(simple(2), "two"), (simple(4), "four"), (simple(5), "five")]);
    let first = run(&world, &keys).await;
    assert_eq!(first.outcomes, [(simple(2), Outcome::Reset), (simple(4), Outcome::Reset)]);
    let second = run(&world, &keys).await;
    assert_eq!(second.outcomes, []);
    let world = world.lock().unwrap();
    assert_eq!(world.resets.len(), 2);
    assert_eq!(world.rows.keys().copied().collect::<Vec<_>>(), [simple(5)]);
}

#[tokio::test]
async fn every_reset_has_its_backup_and_its_intent_before_it_leaves() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, Fault::LostAfter);
    let done = run(&world, &[simple(2), simple(3)]).await;
    let records = done.log.records();
    let intent = records.iter().position(|record| matches!(record, JournalRecord::Intent { .. })).unwrap();
    let settled = records.iter().position(|record| matches!(record, JournalRecord::Settled { .. })).unwrap();
    assert!(intent < settled);
    for name in ["two", "three"] {
        assert!(done.log.disk().backups.contains_key(&layout(name).digest()));
    }
}

#[tokio::test]
async fn requests_that_wait_for_their_turn_do_not_hold_up_the_reads_after_a_lost_answer() {
    let keys: Vec<CardKey> = (2..=11).map(simple).collect();
    let rows: Vec<(CardKey, &str)> = keys.iter().map(|key| (*key, "one")).collect();
    let world = world(&rows);
    world.lock().unwrap().faults.extend([(0, Fault::LostAfter), (3, Fault::LostBefore), (4, Fault::LostAfter)]);
    let done = run(&world, &keys).await;
    let all_reset: Vec<(CardKey, Outcome)> = keys.iter().map(|key| (*key, Outcome::Reset)).collect();
    assert_eq!(done.outcomes, all_reset);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading() {
    for fault in [Fault::LostAfter, Fault::LostBefore, Fault::LeavesOut(simple(2))] {
        let world = world(&[(simple(2), "two"), (simple(3), "three")]);
        world.lock().unwrap().faults.insert(0, fault.clone());
        let done = run(&world, &[simple(2), simple(3)]).await;
        assert_eq!(done.outcomes, [(simple(2), Outcome::Reset), (simple(3), Outcome::Reset)], "{fault:?}");
        assert!(world.lock().unwrap().rows.is_empty());
    }
}

#[tokio::test]
async fn what_a_person_saves_in_the_last_moment_is_put_back() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, Fault::SavedBefore(simple(3), layout("newer")));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Reset), (simple(3), Outcome::PutBack)]);
    assert_eq!(world.lock().unwrap().rows.get(&simple(3)), Some(&layout("newer")));
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
}

#[tokio::test]
async fn what_cannot_be_put_back_whole_is_reported_as_lost_and_kept_in_a_backup() {
    let world = world(&[(simple(2), "two")]);
    let faults = [(0, Fault::SavedBefore(simple(2), layout("newer"))), (1, Fault::Keeps(layout("cut")))];
    world.lock().unwrap().faults.extend(faults);
    let done = run(&world, &[simple(2)]).await;
    assert!(matches!(&done.outcomes[..], [(_, Outcome::Lost(_))]), "{:?}", done.outcomes);
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
}

#[tokio::test]
async fn one_refused_card_does_not_stop_the_others() {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    world.lock().unwrap().faults.insert(0, Fault::Refuses(simple(2)));
    let done = run(&world, &[simple(2), simple(3), simple(4)]).await;
    let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.word()).collect();
    assert_eq!(words, ["refused", "reset", "reset"]);
}

#[tokio::test]
async fn an_expired_webhook_stops_everything_and_the_report_still_adds_up() {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    world.lock().unwrap().faults.extend([(0, Fault::Expired), (1, Fault::Expired)]);
    let done = run(&world, &[simple(2), simple(3), simple(4)]).await;
    assert!(done.outcomes.iter().all(|(_, outcome)| outcome.word() == "not-attempted"), "{:?}", done.outcomes);
    assert_eq!(world.lock().unwrap().rows.len(), 3);
    assert!(unsettled(&done.log.records()).is_empty());
}

#[tokio::test]
async fn a_card_that_changed_since_the_plan_is_not_touched() {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    let portal = FakePortal::new(&world);
    let made = make_plan(&portal, &[simple(2), simple(3), simple(4)], &Mode::Enforce, Ledger::default()).await;
    world.lock().unwrap().rows.insert(simple(2), layout("newer"));
    world.lock().unwrap().rows.remove(&simple(3));
    let done = carry_out(&portal, &made, Freshness::ReadAgain).await;
    let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.word()).collect();
    assert_eq!(words, ["changed", "already-default", "reset"]);
    assert_eq!(world.lock().unwrap().resets, [simple(4)]);
}

#[tokio::test]
async fn a_portal_that_answers_with_the_callers_card_never_leads_to_a_reset_of_others() {
    let world = world(&[(simple(1), "own"), (simple(2), "two")]);
    world.lock().unwrap().legacy = true;
    let portal = FakePortal::new(&world);
    let made = make_plan(&portal, &[simple(1), simple(2), simple(3)], &Mode::Enforce, Ledger::default()).await;
    assert_eq!(made.trust, ReadTrust::NotTrusted);
    let words: Vec<_> = made.targets.iter().map(|target| target.decision.word()).collect();
    assert_eq!(words, ["reset", "hold", "hold"]);
}

#[tokio::test]
async fn the_layout_that_stands_in_for_everybody_is_nobodys_to_reset() {
    let world = world(&[(simple(2), "two")]);
    world.lock().unwrap().stand_ins.insert(LeadCustomerType::Simple, layout("all"));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Reset)]);
}

#[tokio::test]
async fn a_wish_to_stop_leaves_the_rest_untouched_and_the_journal_closed() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    let portal = FakePortal::new(&world);
    let made = make_plan(&portal, &[simple(2), simple(3)], &Mode::Enforce, Ledger::default()).await;
    let mut log = FakeLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
    let (handle, stop) = stop_pair();
    handle.stop("interrupted");
    let report = apply(&portal, &mut log, &approve(&made), &[], Freshness::JustRead, &stop, &quiet).await.unwrap();
    assert_eq!(report.stopped.as_deref(), Some("interrupted"));
    assert_eq!(report.totals.failed, 2);
    assert!(world.lock().unwrap().resets.is_empty());
    assert!(matches!(log.records().last(), Some(JournalRecord::Closed { interrupted: Interrupted::Yes })));
}

#[tokio::test]
async fn a_reset_in_mode_once_is_remembered_and_not_repeated() {
    let mode = Mode::Once(Generation::new("2026-11").unwrap());
    let world = world(&[(simple(2), "two")]);
    let portal = FakePortal::new(&world);
    let made = make_plan(&portal, &[simple(2), simple(3)], &mode, Ledger::default()).await;
    let done = carry_out(&portal, &made, Freshness::JustRead).await;
    let ledger = done.log.disk().ledger.clone();
    assert_eq!(ledger.iter().count(), 2);
    world.lock().unwrap().rows.insert(simple(2), layout("again"));
    let again = make_plan(&portal, &[simple(2), simple(3)], &mode, ledger).await;
    assert_eq!(again.resets().count(), 0);
}

/// The whole life of a run that is killed at a step: resume, apply again, restore.
async fn survive(steps: usize, cut: Cut, faults: &[(usize, Fault)]) -> bool {
    let rows = [(simple(2), "two"), (simple(3), "three"), (simple(4), "four"), (simple(5), "five")];
    let keys: Vec<CardKey> = rows.iter().map(|(key, _)| *key).collect();
    let world = world(&rows);
    let portal = FakePortal::new(&world);
    let made = make_plan(&portal, &keys, &Mode::Enforce, Ledger::default()).await;
    world.lock().unwrap().faults = faults.iter().cloned().collect();

    let fuse = Fuse::after(steps);
    let disk: Arc<Mutex<Disk>> = Arc::default();
    let survivor = FakeLog::open(&disk, 1, RunPurpose::Apply, planned_cards(&made));
    let (_, stop) = stop_pair();
    let mut mortal = survivor.clone().cut(&fuse, cut);
    let mortal_portal = portal.clone().cut(&fuse, cut);
    let _ = apply(&mortal_portal, &mut mortal, &approve(&made), &[], Freshness::ReadAgain, &stop, &quiet).await;
    drop(mortal);

    // Every layout that is gone from the portal has its backup, at whatever moment the process died.
    let mut saved: BTreeMap<CardKey, Layout> = rows.iter().map(|(key, name)| (*key, layout(name))).collect();
    for (key, layout) in &saved {
        let there = world.lock().unwrap().rows.contains_key(key);
        assert!(there || survivor.disk().backups.contains_key(&layout.digest()), "{key} at step {steps} {cut:?}");
    }

    let mut log = survivor.clone();
    let report = resume(&portal, &mut log, &survivor, &survivor.records(), &portal.identity(), Duration::ZERO, &quiet)
        .await
        .unwrap();
    assert_eq!(report.totals.planned(), 4, "at step {steps} {cut:?}");
    assert!(unsettled(&survivor.records()).is_empty());
    for settled in &report.targets {
        let there = world.lock().unwrap().rows.contains_key(&settled.key);
        match settled.outcome.class() {
            OutcomeClass::Done => assert!(!there, "{settled:?} at step {steps} {cut:?}"),
            OutcomeClass::Failed => assert!(there, "{settled:?} at step {steps} {cut:?}"),
            OutcomeClass::Skipped | OutcomeClass::Unknown => {}
        }
    }

    // Restoring the run brings back what was there, and what was saved in between stays or comes back.
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let run = survivor.run().clone();
    let plan = plan_restore(&run, &survivor.records(), &survivor, &snapshot, NewerLayouts::Keep).unwrap();
    let mut log = FakeLog::open(&disk, 2, RunPurpose::Restore(run), plan.planned_cards());
    let restored = restore(&portal, &mut log, &plan, &stop, &quiet).await.unwrap();
    assert!(restored.totals.is_clean(), "{restored:?} at step {steps} {cut:?}");
    for (_, fault) in faults {
        if let Fault::SavedBefore(key, layout) = fault {
            let there = world.lock().unwrap().rows.get(key).cloned();
            if there.as_ref() == Some(layout) {
                saved.insert(*key, layout.clone());
            }
        }
    }
    assert_eq!(world.lock().unwrap().rows, saved, "at step {steps} {cut:?}");

    // And a further apply converges.
    let again = run_again(&portal, &keys).await;
    assert!(again, "at step {steps} {cut:?}");
    fuse.is_burnt()
}

async fn run_again(portal: &FakePortal, keys: &[CardKey]) -> bool {
    portal.world().faults.clear();
    let made = make_plan(portal, keys, &Mode::Enforce, Ledger::default()).await;
    let _ = carry_out(portal, &made, Freshness::JustRead).await;
    make_plan(portal, keys, &Mode::Enforce, Ledger::default()).await.is_settled()
}

#[tokio::test]
async fn a_run_killed_at_any_step_can_be_resumed_restored_and_repeated() {
    let scripts: [&[(usize, Fault)]; 4] = [
        &[],
        &[(0, Fault::LostAfter)],
        &[(0, Fault::LostBefore), (1, Fault::LostAfter)],
        &[(0, Fault::LeavesOut(simple(3)))],
    ];
    for faults in scripts {
        for cut in [Cut::Before, Cut::After] {
            let mut steps = 0;
            while survive(steps, cut, faults).await {
                steps += 1;
            }
            assert!(steps > 8, "only {steps} steps were cut");
        }
    }
}

#[tokio::test]
async fn a_run_killed_while_it_puts_a_layout_back_is_resumed_to_the_same_end() {
    let newer = layout("newer");
    for cut in [Cut::Before, Cut::After] {
        let mut steps = 0;
        loop {
            let world = world(&[(simple(2), "two")]);
            let portal = FakePortal::new(&world);
            let made = make_plan(&portal, &[simple(2)], &Mode::Enforce, Ledger::default()).await;
            world.lock().unwrap().faults.insert(0, Fault::SavedBefore(simple(2), newer.clone()));
            let fuse = Fuse::after(steps);
            let survivor = FakeLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
            let (_, stop) = stop_pair();
            let mut mortal = survivor.clone().cut(&fuse, cut);
            let mortal_portal = portal.clone().cut(&fuse, cut);
            let _ = apply(&mortal_portal, &mut mortal, &approve(&made), &[], Freshness::JustRead, &stop, &quiet).await;
            let intended = survivor.records().iter().any(|one| matches!(one, JournalRecord::SetIntent { .. }));
            let mut log = survivor.clone();
            resume(&portal, &mut log, &survivor, &survivor.records(), &portal.identity(), Duration::ZERO, &quiet)
                .await
                .unwrap();
            if intended {
                let there = world.lock().unwrap().rows.get(&simple(2)).cloned();
                assert_eq!(there.as_ref(), Some(&newer), "at step {steps} {cut:?}");
            }
            if !fuse.is_burnt() {
                break;
            }
            steps += 1;
        }
        assert!(steps > 6, "only {steps} steps were cut");
    }
}

#[tokio::test]
async fn a_restore_keeps_newer_layouts_unless_told_and_can_be_undone() {
    let rows = [(simple(2), "two"), (simple(3), "three")];
    let world = world(&rows);
    let portal = FakePortal::new(&world);
    let keys = [simple(2), simple(3)];
    let done = run(&world, &keys).await;
    world.lock().unwrap().rows.insert(simple(3), layout("newer"));
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let first = done.log.run().clone();
    let records = done.log.records();
    let kept = plan_restore(&first, &records, &done.log, &snapshot, NewerLayouts::Keep).unwrap();
    assert_eq!(kept.actions().count(), 1);
    assert_eq!(kept.targets[1].decision, RestoreDecision::NewerKept(layout("newer")));

    let disk = Arc::new(Mutex::new(std::mem::take(&mut *done.log.disk())));
    let archive = FakeLog::open(&disk, 3, RunPurpose::Apply, Vec::new());
    let told = plan_restore(&first, &records, &archive, &snapshot, NewerLayouts::Overwrite).unwrap();
    let mut log = FakeLog::open(&disk, 2, RunPurpose::Restore(first), told.planned_cards());
    let (_, stop) = stop_pair();
    let report = restore(&portal, &mut log, &told, &stop, &quiet).await.unwrap();
    assert_eq!(report.totals.done, 2);
    assert_eq!(world.lock().unwrap().rows.get(&simple(3)), Some(&layout("three")));

    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let second = log.run().clone();
    let undo = plan_restore(&second, &log.records(), &archive, &snapshot, NewerLayouts::Overwrite).unwrap();
    let mut log = FakeLog::open(&disk, 4, RunPurpose::Restore(second), undo.planned_cards());
    let report = restore(&portal, &mut log, &undo, &stop, &quiet).await.unwrap();
    assert!(report.totals.is_clean());
    let world = world.lock().unwrap();
    assert_eq!(world.rows, BTreeMap::from([(simple(3), layout("newer"))]));
}

#[tokio::test]
async fn a_restore_names_what_the_portal_did_not_keep() {
    let world = world(&[(simple(2), "two")]);
    let done = run(&world, &[simple(2)]).await;
    let portal = FakePortal::new(&world);
    let writes = world.lock().unwrap().writes;
    world.lock().unwrap().faults.insert(writes, Fault::Keeps(layout("other")));
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let run = done.log.run().clone();
    let plan = plan_restore(&run, &done.log.records(), &done.log, &snapshot, NewerLayouts::Keep).unwrap();
    let mut log = FakeLog::open(&Arc::default(), 2, RunPurpose::Restore(run), plan.planned_cards());
    let (_, stop) = stop_pair();
    let report = restore(&portal, &mut log, &plan, &stop, &quiet).await.unwrap();
    let outcome = &report.targets[0].outcome;
    assert!(matches!(outcome, Outcome::RestoredInPart(text) if text.contains("section two")), "{outcome:?}");
}

/// A plan as it would be made if the cards read so.
fn restore_plan(targets: Vec<(CardKey, RestoreDecision)>) -> RestorePlan {
    RestorePlan {
        of: RunId::new("20261101T090000Z", 1).unwrap(),
        targets: targets.into_iter().map(|(key, decision)| RestoreTarget { key, decision }).collect(),
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

#[tokio::test]
async fn a_restore_does_not_overwrite_what_is_saved_while_it_works() {
    let keys: Vec<CardKey> = (2..=31).map(simple).collect();
    let world = world(&[]);
    // Somebody saves the last card while the first one is written.
    world.lock().unwrap().faults.insert(0, Fault::SavedBefore(simple(31), layout("newer")));
    let plan = restore_plan(keys.iter().copied().map(gone).collect());
    let mut log = restore_log(&plan);
    let (_, stop) = stop_pair();
    let report = restore(&FakePortal::new(&world), &mut log, &plan, &stop, &quiet).await.unwrap();
    assert_eq!(report.targets.last().unwrap().outcome, Outcome::Changed);
    assert_eq!(report.totals.done, 29);
    assert_eq!(world.lock().unwrap().rows.get(&simple(31)), Some(&layout("newer")));
    assert_eq!(world.lock().unwrap().writes, 29);
}

#[tokio::test]
async fn a_restore_that_removes_puts_back_what_is_saved_in_the_last_moment() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, Fault::SavedBefore(simple(2), layout("newer")));
    let removed = |id, name| (simple(id), RestoreDecision::Remove(layout(name)));
    let plan = restore_plan(vec![removed(2, "two"), removed(3, "three")]);
    let mut log = restore_log(&plan);
    let (_, stop) = stop_pair();
    let report = restore(&FakePortal::new(&world), &mut log, &plan, &stop, &quiet).await.unwrap();
    assert_eq!(words(&report), ["put-back", "reset"]);
    assert_eq!(world.lock().unwrap().rows, BTreeMap::from([(simple(2), layout("newer"))]));
    assert!(log.disk().backups.contains_key(&layout("newer").digest()));
    let intent = JournalRecord::SetIntent { target: simple(2), digest: layout("newer").digest() };
    assert!(log.records().contains(&intent));
    assert_eq!(restorable(&log.records()).unwrap(), [simple(3)]);
}

#[tokio::test]
async fn a_restore_that_removes_and_is_killed_while_it_puts_back_is_resumed_to_the_same_end() {
    let newer = layout("newer");
    let mut intended = 0;
    for cut in [Cut::Before, Cut::After] {
        for steps in 0.. {
            let world = world(&[(simple(2), "two")]);
            world.lock().unwrap().faults.insert(0, Fault::SavedBefore(simple(2), newer.clone()));
            let portal = FakePortal::new(&world);
            let plan = restore_plan(vec![(simple(2), RestoreDecision::Remove(layout("two")))]);
            let survivor = restore_log(&plan);
            let fuse = Fuse::after(steps);
            let (_, stop) = stop_pair();
            let mut mortal = survivor.clone().cut(&fuse, cut);
            let _ = restore(&portal.clone().cut(&fuse, cut), &mut mortal, &plan, &stop, &quiet).await;
            let records = survivor.records();
            resume(&portal, &mut survivor.clone(), &survivor, &records, &portal.identity(), Duration::ZERO, &quiet)
                .await
                .unwrap();
            if records.iter().any(|one| matches!(one, JournalRecord::SetIntent { .. })) {
                intended += 1;
                let there = world.lock().unwrap().rows.get(&simple(2)).cloned();
                assert_eq!(there.as_ref(), Some(&newer), "at step {steps} {cut:?}");
            }
            if !fuse.is_burnt() {
                break;
            }
        }
    }
    assert!(intended > 4, "only {intended} were cut while putting back");
}

#[tokio::test]
async fn a_restore_that_removes_does_not_claim_to_know_what_it_could_not_read() {
    let world = world(&[(simple(2), "two")]);
    world.lock().unwrap().faults.insert(0, Fault::HidesBefore(simple(2)));
    let plan = restore_plan(vec![(simple(2), RestoreDecision::Remove(layout("two")))]);
    let (_, stop) = stop_pair();
    let report = restore(&FakePortal::new(&world), &mut restore_log(&plan), &plan, &stop, &quiet).await.unwrap();
    assert!(matches!(report.targets[0].outcome, Outcome::Unknown(_)), "{:?}", report.targets);
}

#[tokio::test]
async fn a_restore_whose_store_fails_still_says_what_it_wrote() {
    let mut failed = 0;
    for steps in 0.. {
        let world = world(&[(simple(4), "four")]);
        let mut targets: Vec<_> = [2, 3].map(simple).map(gone).into();
        targets.push((simple(4), RestoreDecision::Remove(layout("four"))));
        let plan = restore_plan(targets);
        let survivor = restore_log(&plan);
        let fuse = Fuse::after(steps);
        let (_, stop) = stop_pair();
        let mut mortal = survivor.clone().cut(&fuse, Cut::Before);
        let restored = restore(&FakePortal::new(&world), &mut mortal, &plan, &stop, &quiet).await;
        if !fuse.is_burnt() {
            break;
        }
        let Err(problem @ ApplyError::Store { .. }) = restored else { panic!("{restored:?} at step {steps}") };
        failed += 1;
        let report = problem.report();
        assert_eq!(report.totals.planned(), 3);
        for settled in &report.targets {
            let intended = survivor.records().iter().any(|record| match record {
                JournalRecord::SetIntent { target, .. } => *target == settled.key,
                JournalRecord::Intent { targets } => targets[0].0 == settled.key,
                _ => false,
            });
            let there = world.lock().unwrap().rows.contains_key(&settled.key);
            let wanted = if !intended {
                "not-attempted"
            } else if there {
                "restored"
            } else {
                "reset"
            };
            assert_eq!(settled.outcome.word(), wanted, "{settled:?} at step {steps}");
        }
    }
    assert!(failed > 6, "only {failed} steps failed");
}

/// A run of user 1 that was cut in the reset of some cards that read "two".
fn cut_in_reset(keys: &[CardKey]) -> FakeLog {
    let digest = Some(layout("two").digest());
    let planned = keys.iter().map(|key| PlannedCard { key: *key, digest, generation: None }).collect();
    let mut log = FakeLog::open(&Arc::default(), 1, RunPurpose::Apply, planned);
    log.append(&[JournalRecord::Intent { targets: keys.iter().map(|key| (*key, digest)).collect() }]).unwrap();
    log
}

#[tokio::test]
async fn a_resume_does_not_believe_a_portal_that_answers_with_the_callers_card() {
    let world = world(&[(simple(1), "two"), (simple(2), "two")]);
    let portal = FakePortal::new(&world);
    world.lock().unwrap().legacy = true;
    let log = cut_in_reset(&[simple(1), simple(2)]);
    let resumed = resume(&portal, &mut log.clone(), &log, &log.records(), &portal.identity(), Duration::ZERO, &quiet)
        .await
        .unwrap();
    let [own, other] = &resumed.targets[..] else { panic!("{resumed:?}") };
    assert_eq!(own.outcome.word(), "not-attempted");
    assert!(matches!(&other.outcome, Outcome::Unknown(text) if text.contains("the caller's own")), "{other:?}");
    // And if the caller's card is gone, nothing proves anything about the others.
    world.lock().unwrap().rows.remove(&simple(1));
    let log = cut_in_reset(&[simple(1), simple(2)]);
    let resumed = resume(&portal, &mut log.clone(), &log, &log.records(), &portal.identity(), Duration::ZERO, &quiet)
        .await
        .unwrap();
    let [own, other] = &resumed.targets[..] else { panic!("{resumed:?}") };
    assert_eq!(own.outcome, Outcome::Reset);
    assert!(matches!(&other.outcome, Outcome::Unknown(text) if text.contains("nothing proves")), "{other:?}");
}

#[tokio::test]
async fn a_resume_as_somebody_else_is_refused_where_it_needs_the_one_who_made_the_run() {
    let world = world(&[(simple(2), "two")]);
    let mut portal = FakePortal::new(&world);
    portal.caller = user(9);
    let own = cut_in_reset(&[simple(1)]);
    let mut put_back = cut_in_reset(&[simple(3)]);
    put_back.append(&[JournalRecord::SetIntent { target: simple(3), digest: layout("newer").digest() }]).unwrap();
    for log in [own, put_back] {
        let before = log.records();
        let refused =
            resume(&portal, &mut log.clone(), &log, &before, &portal.identity(), Duration::ZERO, &quiet).await;
        assert!(
            matches!(&refused, Err(ResumeError::OtherCaller { run, now }) if (*run, *now) == (user(1), user(9))),
            "{refused:?}"
        );
        assert_eq!(log.records(), before);
        assert_eq!(world.lock().unwrap().writes, 0);
    }
    // What every administrator sees alike needs nobody in particular.
    let log = cut_in_reset(&[simple(2), simple(3)]);
    let resumed = resume(&portal, &mut log.clone(), &log, &log.records(), &portal.identity(), Duration::ZERO, &quiet)
        .await
        .unwrap();
    let words: Vec<_> = resumed.targets.iter().map(|settled| settled.outcome.word()).collect();
    assert_eq!(words, ["not-attempted", "reset"]);
}
