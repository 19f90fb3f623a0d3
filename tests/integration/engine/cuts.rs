//! Crashes: a process that dies before or after any single step of portal or store, for every step
//! number.

use super::*;

/// The whole life of a run that is killed at a step: recover, apply again, restore.
async fn survive(steps: usize, cut: Cut, faults: &[(usize, PortalFault)]) -> bool {
    let rows = [(simple(2), "two"), (simple(3), "three"), (simple(4), "four"), (simple(5), "five")];
    let keys: Vec<CardKey> = rows.iter().map(|(key, _)| *key).collect();
    let world = world(&rows);
    let portal = InMemoryPortal::new(&world);
    let made = make_plan(&portal, &keys, &Mode::Enforce, Ledger::default()).await;
    world.lock().unwrap().faults = faults.iter().cloned().collect();

    let fuse = Fuse::after(steps);
    let disk: Arc<Mutex<Disk>> = Arc::default();
    let survivor = InMemoryLog::open(&disk, 1, RunPurpose::Apply, planned_cards(&made));
    let (_, stop) = cancellation();
    let mut mortal = survivor.clone().cut(&fuse, cut);
    let mortal_portal = portal.clone().cut(&fuse, cut);
    let _ =
        apply(&mortal_portal, &mut mortal, approve(&made), &[], read_again(), &stop, &quiet).await;
    drop(mortal);

    // Every layout that is gone from the portal has its backup, at any moment of the crash.
    let mut saved: BTreeMap<CardKey, Layout> =
        rows.iter().map(|(key, name)| (*key, layout(name))).collect();
    for (key, layout) in &saved {
        let there = world.lock().unwrap().rows.contains_key(key);
        assert!(
            there || survivor.disk().backups.contains_key(&layout.digest()),
            "{key} at step {steps} {cut:?}"
        );
    }

    let mut log = survivor.clone();
    let report = recover(&portal, &mut log, &survivor).await.unwrap();
    assert_eq!(report.totals.planned(), 4, "at step {steps} {cut:?}");
    assert!(incomplete_targets(&survivor.records()).is_empty());
    for settled in &report.targets {
        let there = world.lock().unwrap().rows.contains_key(&settled.key);
        match settled.outcome.class() {
            OutcomeClass::Done => assert!(!there, "{settled:?} at step {steps} {cut:?}"),
            OutcomeClass::Failed => assert!(there, "{settled:?} at step {steps} {cut:?}"),
            OutcomeClass::Skipped | OutcomeClass::Unknown => {}
        }
    }

    // A restore of the run brings the earlier layouts back, and layouts saved in between stay or
    // come back.
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let run = survivor.run().clone();
    let plan = plan_restore(&run, &survivor.records(), &survivor, &snapshot, NewerLayouts::Keep)
        .await
        .unwrap();
    let mut log = InMemoryLog::open(&disk, 2, RunPurpose::Restore(run), plan.planned_cards());
    let restored = restore(&portal, &mut log, &plan, just_read(), &stop, &quiet).await.unwrap();
    assert!(is_clean(restored.totals), "{restored:?} at step {steps} {cut:?}");
    for (_, fault) in faults {
        if let PortalFault::SavedBefore(key, layout) = fault {
            let there = world.lock().unwrap().rows.get(key).cloned();
            if there.as_ref() == Some(layout) {
                saved.insert(*key, layout.clone());
            }
        }
    }
    assert_eq!(world.lock().unwrap().rows, saved, "at step {steps} {cut:?}");

    // A further apply converges.
    let again = run_again(&portal, &keys).await;
    assert!(again, "at step {steps} {cut:?}");
    fuse.is_burnt()
}

#[tokio::test]
async fn run_killed_at_any_step_can_be_recovered_restored_and_repeated() {
    let scripts: [&[(usize, PortalFault)]; 4] = [
        &[],
        &[(0, PortalFault::LostAfter)],
        &[(0, PortalFault::LostBefore), (1, PortalFault::LostAfter)],
        &[(0, PortalFault::LeavesOut(simple(3)))],
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
async fn run_killed_while_it_puts_a_layout_back_is_recovered_to_the_same_end() {
    let newer = layout("newer");
    for cut in [Cut::Before, Cut::After] {
        let mut steps = 0;
        loop {
            let world = world(&[(simple(2), "two")]);
            let portal = InMemoryPortal::new(&world);
            let made = make_plan(&portal, &[simple(2)], &Mode::Enforce, Ledger::default()).await;
            world
                .lock()
                .unwrap()
                .faults
                .insert(0, PortalFault::SavedBefore(simple(2), newer.clone()));
            let fuse = Fuse::after(steps);
            let survivor =
                InMemoryLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
            let (_, stop) = cancellation();
            let mut mortal = survivor.clone().cut(&fuse, cut);
            let mortal_portal = portal.clone().cut(&fuse, cut);
            let _ =
                apply(&mortal_portal, &mut mortal, approve(&made), &[], just_read(), &stop, &quiet)
                    .await;
            let intended =
                survivor.records().iter().any(|one| matches!(one, JournalRecord::SetIntent { .. }));
            let mut log = survivor.clone();
            recover(&portal, &mut log, &survivor).await.unwrap();
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
async fn restore_that_removes_and_is_killed_while_it_puts_back_is_recovered_to_the_same_end() {
    let newer = layout("newer");
    let mut intended = 0;
    for cut in [Cut::Before, Cut::After] {
        for steps in 0.. {
            let world = world(&[(simple(2), "two")]);
            world
                .lock()
                .unwrap()
                .faults
                .insert(0, PortalFault::SavedBefore(simple(2), newer.clone()));
            let portal = InMemoryPortal::new(&world);
            let plan = restore_plan(vec![(simple(2), RestoreDecision::Remove(layout("two")))]);
            let survivor = restore_log(&plan);
            let fuse = Fuse::after(steps);
            let (_, stop) = cancellation();
            let mut mortal = survivor.clone().cut(&fuse, cut);
            let _ = restore(
                &portal.clone().cut(&fuse, cut),
                &mut mortal,
                &plan,
                just_read(),
                &stop,
                &quiet,
            )
            .await;
            let records = survivor.records();
            recover(&portal, &mut survivor.clone(), &survivor).await.unwrap();
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
