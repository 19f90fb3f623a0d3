//! Saves of people around a write, refusals of writes, and writes that are executed late: no layout
//! that could be read is lost, and no report is untrue.

use super::*;

/// Restores two cards over their defaults, with faults, and returns the outcomes.
async fn restored(world: &Arc<Mutex<World>>, alone: bool) -> (Vec<&'static str>, InMemoryLog) {
    let plan = restore_plan(vec![gone(simple(2)), gone(simple(3))]);
    let mut log = restore_log(&plan);
    let mut portal = InMemoryPortal::new(world);
    portal.alone = alone;
    let (_, stop) = cancellation();
    let report = match restore(&portal, &mut log, &plan, just_read(), &stop, &quiet).await {
        Ok(report) => report,
        Err(problem) => problem.report().clone(),
    };
    (words(&report), log)
}

#[tokio::test]
async fn restore_save_before_the_set_is_stored_again_and_never_reported_as_restored() {
    let world = world(&[]);
    world.lock().unwrap().faults.insert(0, PortalFault::SavedBefore(simple(2), layout("newer")));
    let (words, log) = restored(&world, false).await;
    assert_eq!(words, ["lost-update-restored", "restored"]);
    assert_eq!(
        world.lock().unwrap().rows,
        [(simple(2), layout("newer")), (simple(3), layout("old"))].into()
    );
    assert!(log.disk().backups.contains_key(&layout("newer").digest()));
    // The restore of this restore leaves the newer layout where it is.
    let portal = InMemoryPortal::new(&world);
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let undo =
        plan_restore(log.run(), &log.records(), &log, &snapshot, NewerLayouts::Keep).await.unwrap();
    assert_eq!(undo.targets[0].decision, RestoreDecision::AsBefore);
}

#[tokio::test]
async fn restore_large_layout_looks_before_its_set_and_leaves_a_newer_layout() {
    let world = world(&[(simple(2), "newer")]);
    let (words, _) = restored(&world, true).await;
    assert_eq!(words, ["changed", "restored"]);
    let world = world.lock().unwrap();
    assert_eq!(world.rows, [(simple(2), layout("newer")), (simple(3), layout("old"))].into());
    assert_eq!(world.writes, 1);
}

#[tokio::test]
async fn compensation_save_before_each_round_keeps_the_newest_layout_or_its_backup() {
    for rounds in 1..=5 {
        let world = world(&[(simple(2), "two")]);
        let saves = (0..rounds).map(|round| {
            (round, PortalFault::SavedBefore(simple(2), layout(&format!("save {round}"))))
        });
        world.lock().unwrap().faults.extend(saves);
        let done = run(&world, &[simple(2)]).await;
        let saved = |round: usize| layout(&format!("save {round}"));
        for round in 0..rounds.min(4) {
            assert!(
                done.log.disk().backups.contains_key(&saved(round).digest()),
                "save {round} of {rounds}"
            );
        }
        let there = world.lock().unwrap().rows.get(&simple(2)).cloned();
        if rounds <= 3 {
            assert_eq!(done.outcomes, [(simple(2), Outcome::Compensated)], "{rounds}");
            assert_eq!(there, Some(saved(rounds - 1)), "{rounds}");
        } else {
            assert_eq!(
                done.outcomes,
                [(simple(2), Outcome::NewerInBackup(saved(3).digest().short()))],
                "{rounds}"
            );
            assert_eq!(there, Some(saved(2)), "{rounds}");
            assert_eq!(
                needed_backups(&done.log.records()).unwrap(),
                [(simple(2), saved(3).digest())]
            );
        }
    }
}

#[tokio::test]
async fn compensation_after_a_stop_is_sent() {
    let world = world(&[
        (simple(2), "two"),
        (simple(3), "three"),
        (simple(4), "four"),
        (simple(5), "five"),
    ]);
    world.lock().unwrap().faults.insert(0, PortalFault::SavedBefore(simple(2), layout("newer")));
    let portal = InMemoryPortal::new(&world).in_requests_of(1);
    let keys = [2, 3, 4, 5].map(simple);
    let made = make_plan(&portal, &keys, &Mode::Enforce, Ledger::default()).await;
    let mut log = InMemoryLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
    let (handle, stop) = cancellation();
    // The first notice says that the layout is stored again.
    let interrupt = |event: Event| {
        if matches!(event, Event::Notice(_)) {
            handle.cancel("interrupted");
        }
    };
    let report = apply(&portal, &mut log, approve(&made), &[], just_read(), &stop, &interrupt)
        .await
        .unwrap();
    assert_eq!(report.targets[0].outcome, Outcome::Compensated);
    assert_eq!(world.lock().unwrap().rows.get(&simple(2)), Some(&layout("newer")));
    assert_eq!(report.stopped.as_deref(), Some("interrupted"));
}

#[tokio::test]
async fn write_refused_as_a_whole_is_read_back_before_it_is_reported() {
    for (fault, outcome, there) in [
        (PortalFault::LimitedAfter, "reset-unseen", false),
        (PortalFault::RefusedAfter, "reset-unseen", false),
        (PortalFault::ExecutedAndLimited, "reset", false),
        (PortalFault::Limited, "reset", false),
        (PortalFault::Expired, "reset", false),
        (PortalFault::DiesAfter, "unknown", false),
    ] {
        let world = world(&[(simple(2), "two")]);
        world.lock().unwrap().faults.insert(0, fault.clone());
        let done = run(&world, &[simple(2)]).await;
        let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.as_str()).collect();
        assert_eq!(words, [outcome], "{fault:?}");
        assert_eq!(world.lock().unwrap().rows.contains_key(&simple(2)), there, "{fault:?}");
        assert_eq!(restorable(&done.log.records()).unwrap(), [simple(2)], "{fault:?}");
    }
}

#[tokio::test]
async fn restore_refused_as_a_whole_is_read_back_before_it_is_reported() {
    for (fault, outcome) in [
        (PortalFault::LimitedAfter, "restored-unseen"),
        (PortalFault::RefusedAfter, "restored-unseen"),
        (PortalFault::ExecutedAndLimited, "restored"),
        (PortalFault::Limited, "restored"),
        (PortalFault::Expired, "restored"),
        (PortalFault::DiesAfter, "unknown"),
    ] {
        for alone in [false, true] {
            let world = world(&[]);
            world.lock().unwrap().faults.insert(0, fault.clone());
            let (words, _) = restored(&world, alone).await;
            // The read ahead of a single call shows the overwritten layout.
            let first = if alone && outcome == "restored-unseen" { "restored" } else { outcome };
            assert_eq!(words[0], first, "{fault:?} {alone}");
            assert_eq!(
                world.lock().unwrap().rows.get(&simple(2)),
                Some(&layout("old")),
                "{fault:?} {alone}"
            );
        }
    }
}

#[tokio::test]
async fn restore_of_a_run_looks_at_every_card_that_a_write_was_sent_for() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, PortalFault::Refuses(simple(2)));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes[0].1.as_str(), "refused");
    assert_eq!(restorable(&done.log.records()).unwrap(), [simple(2), simple(3)]);
    // A slow portal executes the reset in spite of its refusal.
    world.lock().unwrap().rows.remove(&simple(2));
    let portal = InMemoryPortal::new(&world);
    let snapshot =
        observe(&portal, &portal.identity(), &[simple(2), simple(3)], &quiet).await.unwrap();
    let plan =
        plan_restore(done.log.run(), &done.log.records(), &done.log, &snapshot, NewerLayouts::Keep)
            .await
            .unwrap();
    assert_eq!(plan.actions().count(), 2);
}

#[tokio::test]
async fn late_reset_of_a_request_without_an_answer_takes_no_newer_layout_along() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    // The first read-back shows the newer layout, the second the common default; the reset is
    // executed before the last read-back.
    world.lock().unwrap().faults.insert(0, PortalFault::Late(3, simple(2), layout("newer")));
    let done = run(&world, &[simple(2), simple(3)]).await;
    let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(words, ["lost-update-restored", "reset"]);
    assert_eq!(world.lock().unwrap().rows, [(simple(2), layout("newer"))].into());
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
}

#[tokio::test(start_paused = true)]
async fn read_older_than_five_minutes_is_repeated_ahead_of_its_reset() {
    for (age, changed) in
        [(Duration::from_secs(299), "lost-update-restored"), (Duration::from_secs(301), "changed")]
    {
        let world = world(&[(simple(2), "two"), (simple(3), "three")]);
        let portal = InMemoryPortal::new(&world);
        let keys = [simple(2), simple(3)];
        let made = make_plan(&portal, &keys, &Mode::Enforce, Ledger::default()).await;
        let read = just_read();
        tokio::time::advance(age).await;
        world.lock().unwrap().rows.insert(simple(2), layout("newer"));
        let done = carry_out(&portal, &made, read).await;
        let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.as_str()).collect();
        assert_eq!(words, [changed, "reset"]);
        assert_eq!(world.lock().unwrap().rows.get(&simple(2)), Some(&layout("newer")));
    }
}

#[tokio::test]
async fn restore_shorter_layout_that_a_person_saves_behind_the_set_stays_and_is_backed_up() {
    let two_fields = r#"[{"name":"old","title":"Title","type":"section","elements":[{"name":"TITLE"},{"name":"PHONE"}]}]"#;
    let wanted = Layout::from_json(two_fields).unwrap();
    // The layout of the backup without one field: only a person can have saved that.
    for fault in [
        PortalFault::SavedAfter(simple(2), layout("old")),
        PortalFault::SavedTwice(simple(2), layout("x"), layout("old")),
    ] {
        let world = world(&[]);
        world.lock().unwrap().faults.insert(0, fault.clone());
        let plan = restore_plan(vec![(
            simple(2),
            RestoreDecision::Restore { wanted: wanted.clone(), over: None },
        )]);
        let mut log = restore_log(&plan);
        let (_, stop) = cancellation();
        let portal = InMemoryPortal::new(&world);
        restore(&portal, &mut log, &plan, just_read(), &stop, &quiet).await.unwrap();
        assert_eq!(world.lock().unwrap().rows, [(simple(2), layout("old"))].into(), "{fault:?}");
        assert_eq!(world.lock().unwrap().writes, 1, "{fault:?}");
        let shorter = log.disk().backups.contains_key(&layout("old").digest());
        assert!(shorter || matches!(fault, PortalFault::SavedTwice(..)), "{fault:?}");
    }
}

#[tokio::test]
async fn late_reset_that_cannot_be_looked_for_leaves_the_newer_layout_in_a_backup() {
    let world = world(&[(simple(2), "two")]);
    {
        let mut world = world.lock().unwrap();
        // The first read-back shows the newer layout, the second the common default, and the last
        // read-back is refused.
        world.faults.insert(0, PortalFault::Late(3, simple(2), layout("newer")));
        world.dies_after_reads = Some(3);
    }
    let done = run(&world, &[simple(2)]).await;
    assert_eq!(done.outcomes[0].1.as_str(), "unknown");
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
    let portal = InMemoryPortal::new(&world);
    world.lock().unwrap().rows.clear();
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let plan =
        plan_restore(done.log.run(), &done.log.records(), &done.log, &snapshot, NewerLayouts::Keep)
            .await
            .unwrap();
    assert_eq!(
        plan.targets[0].decision,
        RestoreDecision::Restore { wanted: layout("newer"), over: None }
    );
}

#[tokio::test]
async fn read_back_at_the_end_tells_what_the_refused_one_could_not() {
    for (fault, expected) in
        [(PortalFault::LostBefore, "not-attempted"), (PortalFault::LostAfter, "reset-unseen")]
    {
        let world = world(&[(simple(2), "two")]);
        world.lock().unwrap().faults.insert(0, fault);
        world.lock().unwrap().refused_reads = 1;
        let done = run(&world, &[simple(2)]).await;
        assert_eq!(done.outcomes[0].1.as_str(), expected);
        assert!(done.log.disk().backups.contains_key(&layout("two").digest()));
    }
}

#[tokio::test]
async fn late_reset_behind_a_compensation_without_an_answer_is_still_looked_for() {
    let world = world(&[(simple(2), "two")]);
    // The first reset is executed just before the last read-back, after the layout was stored
    // again.
    let faults = [
        (0, PortalFault::Late(4, simple(2), layout("two"))),
        (1, PortalFault::SavedBefore(simple(2), layout("newer"))),
        (2, PortalFault::LostAfter),
    ];
    world.lock().unwrap().faults.extend(faults);
    let done = run(&world, &[simple(2)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Compensated)]);
    assert_eq!(world.lock().unwrap().rows, [(simple(2), layout("newer"))].into());
    assert_eq!(world.lock().unwrap().writes, 4);
}

#[tokio::test]
async fn restore_layout_set_for_everybody_meanwhile_is_stored_as_no_personal_card() {
    let world = world(&[]);
    world
        .lock()
        .unwrap()
        .faults
        .insert(0, PortalFault::SetForAll(LeadCustomerType::Simple, layout("all")));
    let (words, _) = restored(&world, false).await;
    assert_eq!(words, ["restored", "restored"]);
    assert_eq!(
        world.lock().unwrap().rows,
        [(simple(2), layout("old")), (simple(3), layout("old"))].into()
    );
}

#[tokio::test]
async fn reset_of_a_card_that_inherits_a_new_common_default_backs_up_no_stranger() {
    let world = world(&[(simple(2), "two")]);
    let portal = InMemoryPortal::new(&world);
    let made = make_plan(&portal, &[simple(2)], &Mode::Enforce, Ledger::default()).await;
    {
        let mut world = world.lock().unwrap();
        world.rows.clear();
        world.common_defaults.insert(LeadCustomerType::Simple.into(), layout("all"));
    }
    let done = carry_out(&portal, &made, just_read()).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::AlreadyDefault)]);
    assert!(!done.log.disk().backups.contains_key(&layout("all").digest()));
    assert_eq!(needed_backups(&done.log.records()).unwrap(), [(simple(2), layout("two").digest())]);
}

#[tokio::test]
async fn compensation_that_the_portal_keeps_in_part_says_so_and_a_restore_offers_the_rest() {
    let card = |title: &str| {
        let text = format!(
            r#"[{{"name":"m","type":"section","title":"T","elements":[{{"name":"A"{title}}}]}}]"#
        );
        Layout::from_json(&text).unwrap()
    };
    let (saved, kept) = (card(r#","title":"own""#), card(""));
    let world = world(&[(simple(2), "two")]);
    let keeps = || PortalFault::Keeps(kept.clone());
    let faults =
        [(0, PortalFault::SavedBefore(simple(2), saved.clone())), (1, keeps()), (2, keeps())];
    world.lock().unwrap().faults.extend(faults);
    let done = run(&world, &[simple(2)]).await;
    let outcome = &done.outcomes[0].1;
    assert!(matches!(outcome, Outcome::Lost(text) if text.contains("not keep all")), "{outcome:?}");
    assert_eq!(world.lock().unwrap().rows, [(simple(2), kept.clone())].into());
    assert!(done.log.disk().backups.contains_key(&saved.digest()));
    let portal = InMemoryPortal::new(&world);
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let (run, records) = (done.log.run(), done.log.records());
    let undo = plan_restore(run, &records, &done.log, &snapshot, NewerLayouts::Keep);
    let back = RestoreDecision::Restore { wanted: saved, over: Some(kept) };
    assert_eq!(undo.await.unwrap().targets[0].decision, back);
}
