//! Restore: brings removed layouts back, and overwrites nothing newer.

use super::*;

#[tokio::test]
async fn restore_keeps_newer_layouts_unless_told_and_can_be_undone() {
    let rows = [(simple(2), "two"), (simple(3), "three")];
    let world = world(&rows);
    let portal = InMemoryPortal::new(&world);
    let keys = [simple(2), simple(3)];
    let done = run(&world, &keys).await;
    world.lock().unwrap().rows.insert(simple(3), layout("newer"));
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let first = done.log.run().clone();
    let records = done.log.records();
    let kept =
        plan_restore(&first, &records, &done.log, &snapshot, NewerLayouts::Keep).await.unwrap();
    assert_eq!(kept.actions().count(), 1);
    assert_eq!(kept.targets[1].decision, RestoreDecision::NewerKept(layout("newer")));

    let disk = Arc::new(Mutex::new(std::mem::take(&mut *done.log.disk())));
    let archive = InMemoryLog::open(&disk, 3, RunPurpose::Apply, Vec::new());
    let told =
        plan_restore(&first, &records, &archive, &snapshot, NewerLayouts::Overwrite).await.unwrap();
    let mut log = InMemoryLog::open(&disk, 2, RunPurpose::Restore(first), told.planned_cards());
    let (_, stop) = cancellation();
    let report = restore(&portal, &mut log, &told, just_read(), &stop, &quiet).await.unwrap();
    assert_eq!(report.totals.done, 2);
    assert_eq!(world.lock().unwrap().rows.get(&simple(3)), Some(&layout("three")));

    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let second = log.run().clone();
    // The restore's own layout does not count as newer, and its undo needs no further permission.
    let undo = plan_restore(&second, &log.records(), &archive, &snapshot, NewerLayouts::Keep)
        .await
        .unwrap();
    let mut log = InMemoryLog::open(&disk, 4, RunPurpose::Restore(second), undo.planned_cards());
    let report = restore(&portal, &mut log, &undo, just_read(), &stop, &quiet).await.unwrap();
    assert!(is_clean(report.totals));
    let world = world.lock().unwrap();
    assert_eq!(world.rows, BTreeMap::from([(simple(3), layout("newer"))]));
}

#[tokio::test]
async fn undone_restore_leaves_alone_what_was_saved_since() {
    let keys = [simple(2), simple(3), simple(4)];
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    let portal = InMemoryPortal::new(&world);
    let done = run(&world, &keys).await;
    // One is restored over another layout, the others over empty cards.
    world.lock().unwrap().rows.insert(simple(4), layout("older"));
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let first = done.log.run().clone();
    let plan =
        plan_restore(&first, &done.log.records(), &done.log, &snapshot, NewerLayouts::Overwrite)
            .await
            .unwrap();
    let disk = Arc::new(Mutex::new(std::mem::take(&mut *done.log.disk())));
    let mut log = InMemoryLog::open(&disk, 2, RunPurpose::Restore(first), plan.planned_cards());
    let (_, stop) = cancellation();
    assert_eq!(
        restore(&portal, &mut log, &plan, just_read(), &stop, &quiet).await.unwrap().totals.done,
        3
    );

    for (key, saved) in [(simple(3), "saved"), (simple(4), "saved too")] {
        world.lock().unwrap().rows.insert(key, layout(saved));
    }
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let decisions = async |newer| {
        let undo = plan_restore(log.run(), &log.records(), &log, &snapshot, newer).await.unwrap();
        undo.targets.into_iter().map(|target| target.decision).collect::<Vec<_>>()
    };
    let remove = RestoreDecision::Remove(layout("two"));
    let kept = ["saved", "saved too"].map(|name| RestoreDecision::NewerKept(layout(name)));
    assert_eq!(
        decisions(NewerLayouts::Keep).await,
        [remove.clone(), kept[0].clone(), kept[1].clone()]
    );
    let back =
        RestoreDecision::Restore { wanted: layout("older"), over: Some(layout("saved too")) };
    assert_eq!(
        decisions(NewerLayouts::Overwrite).await,
        [remove, RestoreDecision::Remove(layout("saved")), back]
    );
}

#[tokio::test]
async fn restore_names_what_the_portal_did_not_keep() {
    let world = world(&[(simple(2), "two")]);
    let done = run(&world, &[simple(2)]).await;
    let portal = InMemoryPortal::new(&world);
    let writes = world.lock().unwrap().writes;
    let kept = || PortalFault::Keeps(layout("tw o"));
    world.lock().unwrap().faults.extend([(writes, kept()), (writes + 1, kept())]);
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let run = done.log.run().clone();
    let plan = plan_restore(&run, &done.log.records(), &done.log, &snapshot, NewerLayouts::Keep)
        .await
        .unwrap();
    let mut log =
        InMemoryLog::open(&Arc::default(), 2, RunPurpose::Restore(run), plan.planned_cards());
    let (_, stop) = cancellation();
    let report = restore(&portal, &mut log, &plan, just_read(), &stop, &quiet).await.unwrap();
    let outcome = &report.targets[0].outcome;
    assert!(
        matches!(outcome, Outcome::RestoredInPart(text) if text.contains("section two")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn restore_does_not_overwrite_what_is_saved_while_it_works() {
    let keys: Vec<CardKey> = (2..=31).map(simple).collect();
    let world = world(&[]);
    // A person saves the last card while the first one is written.
    world.lock().unwrap().faults.insert(0, PortalFault::SavedBefore(simple(31), layout("newer")));
    let plan = restore_plan(keys.iter().copied().map(gone).collect());
    let mut log = restore_log(&plan);
    let (_, stop) = cancellation();
    let report = restore(&InMemoryPortal::new(&world), &mut log, &plan, just_read(), &stop, &quiet)
        .await
        .unwrap();
    assert_eq!(report.targets.last().unwrap().outcome, Outcome::Compensated);
    assert_eq!(report.totals.done, 29);
    assert_eq!(world.lock().unwrap().rows.get(&simple(31)), Some(&layout("newer")));
    assert!(log.disk().backups.contains_key(&layout("newer").digest()));
}

#[tokio::test]
async fn restore_that_removes_puts_back_what_is_saved_in_the_last_moment() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, PortalFault::SavedBefore(simple(2), layout("newer")));
    let removed = |id, name| (simple(id), RestoreDecision::Remove(layout(name)));
    let plan = restore_plan(vec![removed(2, "two"), removed(3, "three")]);
    let mut log = restore_log(&plan);
    let (_, stop) = cancellation();
    let report = restore(&InMemoryPortal::new(&world), &mut log, &plan, just_read(), &stop, &quiet)
        .await
        .unwrap();
    assert_eq!(words(&report), ["lost-update-restored", "reset"]);
    assert_eq!(world.lock().unwrap().rows, BTreeMap::from([(simple(2), layout("newer"))]));
    assert!(log.disk().backups.contains_key(&layout("newer").digest()));
    let intent = JournalRecord::SetIntent {
        target: simple(2),
        digest: layout("newer").digest(),
        purpose: SetPurpose::Compensation,
    };
    assert!(log.records().contains(&intent));
    assert_eq!(restorable(&log.records()).unwrap(), [simple(2), simple(3)]);
}

#[tokio::test]
async fn restore_that_removes_does_not_claim_to_know_what_it_could_not_read() {
    let world = world(&[(simple(2), "two")]);
    world.lock().unwrap().faults.insert(0, PortalFault::HidesBefore(simple(2)));
    let plan = restore_plan(vec![(simple(2), RestoreDecision::Remove(layout("two")))]);
    let (_, stop) = cancellation();
    let report = restore(
        &InMemoryPortal::new(&world),
        &mut restore_log(&plan),
        &plan,
        just_read(),
        &stop,
        &quiet,
    )
    .await
    .unwrap();
    assert_eq!(report.targets[0].outcome, Outcome::ResetUnseen);
}

#[tokio::test]
async fn restore_whose_store_fails_still_says_what_it_wrote() {
    let mut failed = 0;
    for steps in 0.. {
        let world = world(&[(simple(4), "four")]);
        let mut targets: Vec<_> = [2, 3].map(simple).map(gone).into();
        targets.push((simple(4), RestoreDecision::Remove(layout("four"))));
        let plan = restore_plan(targets);
        let survivor = restore_log(&plan);
        let fuse = Fuse::after(steps);
        let (_, stop) = cancellation();
        let mut mortal = survivor.clone().cut(&fuse, Cut::Before);
        let restored =
            restore(&InMemoryPortal::new(&world), &mut mortal, &plan, just_read(), &stop, &quiet)
                .await;
        if !fuse.is_burnt() {
            break;
        }
        let Err(problem @ ApplyError::Store { .. }) = restored else {
            panic!("{restored:?} at step {steps}")
        };
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
            assert_eq!(settled.outcome.as_str(), wanted, "{settled:?} at step {steps}");
        }
    }
    assert!(failed > 6, "only {failed} steps failed");
}

#[tokio::test]
async fn restore_tells_of_which_request_the_answer_was_lost() {
    let plan = restore_plan(vec![gone(simple(2)), gone(simple(3))]);
    let world = world(&[]);
    world.lock().unwrap().faults.insert(0, PortalFault::LostAfter);
    let (mut log, notes) = (restore_log(&plan), Mutex::new(Vec::new()));
    let (_, stop) = cancellation();
    let report =
        restore(&InMemoryPortal::new(&world), &mut log, &plan, just_read(), &stop, &noting(&notes))
            .await
            .unwrap();
    assert_eq!(words(&report), ["restored-unseen", "restored-unseen"]);
    let notes = notes.into_inner().unwrap();
    assert_eq!(notes, ["unknown outcome of 2 cards (cut); reading them back"]);
}

#[tokio::test]
async fn restore_tells_of_which_reset_the_answer_says_nothing() {
    let left_out = "unknown outcome of 1 card (the answer left it out, or did not tell what became of it); reading \
                    it back";
    // The read behind a reset decides its outcome, whatever the portal's answer to the reset.
    for (fault, wanted) in [
        (PortalFault::LeavesOut(simple(2)), vec![left_out]),
        (PortalFault::BreaksDown(simple(2)), vec![]),
    ] {
        let plan = restore_plan(vec![(simple(2), RestoreDecision::Remove(layout("two")))]);
        let world = world(&[(simple(2), "two")]);
        world.lock().unwrap().faults.insert(0, fault.clone());
        let (mut log, notes) = (restore_log(&plan), Mutex::new(Vec::new()));
        let (_, stop) = cancellation();
        restore(&InMemoryPortal::new(&world), &mut log, &plan, just_read(), &stop, &noting(&notes))
            .await
            .unwrap();
        let notes = notes.into_inner().unwrap();
        assert_eq!(notes, wanted, "{fault:?}");
    }
}
