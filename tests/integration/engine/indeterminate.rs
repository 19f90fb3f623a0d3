//! Indeterminate answers, and stores that fail at the wrong moment: the report never claims more
//! than is known, and every removed layout can be restored.

use super::*;

#[tokio::test]
async fn reset_whose_answer_breaks_down_is_judged_by_the_read_behind_it() {
    let keys = [simple(2), simple(3)];
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, PortalFault::BreaksDown(simple(2)));
    let done = run(&world, &keys).await;
    assert_eq!(done.outcomes, keys.map(|key| (key, Outcome::Reset)));
    assert_eq!(world.lock().unwrap().resets.len(), 2, "it was not sent again");
}

#[tokio::test]
async fn card_that_shows_what_was_set_for_everybody_meanwhile_is_known_to_be_reset_and_can_be_restored()
 {
    let world = world(&[(simple(2), "two")]);
    world
        .lock()
        .unwrap()
        .faults
        .insert(0, PortalFault::SetForAll(LeadCustomerType::Simple, layout("all")));
    let done = run(&world, &[simple(2)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Reset)]);
    assert_eq!(restorable(&done.log.records()).unwrap(), [simple(2)]);
}

#[tokio::test]
async fn layout_saved_before_a_reset_is_kept_even_if_saved_again_behind_it() {
    let world = world(&[(simple(2), "two")]);
    world
        .lock()
        .unwrap()
        .faults
        .insert(0, PortalFault::SavedTwice(simple(2), layout("between"), layout("last")));
    let done = run(&world, &[simple(2)]).await;
    let between = layout("between");
    assert_eq!(done.outcomes, [(simple(2), Outcome::NewerInBackup(between.digest().short()))]);
    assert_eq!(world.lock().unwrap().rows.get(&simple(2)), Some(&layout("last")));
    // The newest layout stays unless the caller overwrites it.
    let (portal, records) = (InMemoryPortal::new(&world), done.log.records());
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let decision = async |newer| {
        let plan =
            plan_restore(done.log.run(), &records, &done.log, &snapshot, newer).await.unwrap();
        plan.targets[0].decision.clone()
    };
    assert_eq!(decision(NewerLayouts::Keep).await, RestoreDecision::NewerKept(layout("last")));
    let back = RestoreDecision::Restore { wanted: between, over: Some(layout("last")) };
    assert_eq!(decision(NewerLayouts::Overwrite).await, back);
}

#[tokio::test]
async fn blind_reset_that_may_have_happened_is_never_called_not_attempted() {
    let world = world(&[(simple(2), "two")]);
    {
        let mut world = world.lock().unwrap();
        world.legacy = true;
        world.faults.extend([(0, PortalFault::LostAfter), (1, PortalFault::Expired)]);
    }
    let portal = InMemoryPortal::new(&world);
    let keys = [simple(2)];
    let desired = desired(&keys, &Mode::Enforce);
    let snapshot = observe(&portal, &portal.identity(), &keys, &quiet).await.unwrap();
    let policy = Policy { blind: recard::plan::BlindReset::Allowed, ..Policy::default() };
    let made = plan(&desired, &snapshot, &policy);
    let done = carry_out(&portal, &made, just_read()).await;
    let [(_, Outcome::Unknown(_))] = done.outcomes.as_slice() else {
        panic!("{:?}", done.outcomes)
    };
    assert_eq!(done.notes, ["1 card is written again (cut)"], "nothing can be read back");
}

#[tokio::test]
async fn reset_is_called_unseen_unless_a_read_has_shown_its_pre_image() {
    for fault in [
        PortalFault::LostAfter,
        PortalFault::HidesBefore(simple(2)),
        PortalFault::LeavesOut(simple(2)),
    ] {
        let world = world(&[(simple(2), "two")]);
        world.lock().unwrap().faults.insert(0, fault.clone());
        let mode = Mode::Once(Generation::new("2026-11").unwrap());
        let portal = InMemoryPortal::new(&world);
        let made = make_plan(&portal, &[simple(2)], &mode, Ledger::default()).await;
        let done = carry_out(&portal, &made, just_read()).await;
        assert_eq!(done.outcomes, [(simple(2), Outcome::ResetUnseen)], "{fault:?}");
        assert_eq!(done.log.disk().ledger.iter().count(), 1, "it had its turn all the same");
        assert_eq!(restorable(&done.log.records()).unwrap(), [simple(2)]);
    }
    // A request that was lost before it arrived is repeated, and the repeat is seen.
    let world = world(&[(simple(2), "two")]);
    world.lock().unwrap().faults.insert(0, PortalFault::LostBefore);
    assert_eq!(run(&world, &[simple(2)]).await.outcomes, [(simple(2), Outcome::Reset)]);
}

#[tokio::test]
async fn layout_that_is_known_to_be_newer_is_not_reset_a_second_time() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world
        .lock()
        .unwrap()
        .faults
        .insert(0, PortalFault::SavedBeforeAndLimited(simple(2), layout("newer")));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Changed), (simple(3), Outcome::Reset)]);
    assert_eq!(world.lock().unwrap().resets, [simple(3)]);
    assert_eq!(world.lock().unwrap().rows, [(simple(2), layout("newer"))].into());
}

#[tokio::test]
async fn lost_update_shown_before_a_reset_is_stored_again_without_an_answer_behind_it() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world
        .lock()
        .unwrap()
        .faults
        .insert(0, PortalFault::SavedBeforeAndHidden(simple(2), layout("newer")));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Compensated), (simple(3), Outcome::Reset)]);
    assert_eq!(world.lock().unwrap().rows, [(simple(2), layout("newer"))].into());
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
}

/// Log whose disk has no room for one more layout.
struct Full {
    log: InMemoryLog,
    refused: Digest,
}

impl RunLog for Full {
    fn run(&self) -> &RunId {
        self.log.run()
    }

    async fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        if cards.iter().any(|(_, layout)| layout.digest() == self.refused) {
            return Err(StoreError::Missing("room on the disk".to_owned()));
        }
        self.log.save_backups(cards).await
    }

    async fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        self.log.append(records).await
    }

    async fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        self.log.record_reset(entries).await
    }
}

#[tokio::test]
async fn disk_that_is_full_while_a_layout_is_put_back_loses_neither_that_one_nor_what_is_known_of_the_others()
 {
    let keys = [simple(2), simple(3)];
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, PortalFault::SavedBefore(simple(2), layout("newer")));
    let portal = InMemoryPortal::new(&world);
    let made = make_plan(&portal, &keys, &Mode::Enforce, Ledger::default()).await;
    let disk = Arc::default();
    let log = InMemoryLog::open(&disk, 1, RunPurpose::Apply, planned_cards(&made));
    let mut full = Full { log, refused: layout("newer").digest() };
    let (_, stop) = cancellation();
    let problem = apply(&portal, &mut full, approve(&made), &[], just_read(), &stop, &quiet)
        .await
        .unwrap_err();
    let outcomes: Vec<&Outcome> =
        problem.report().targets.iter().map(|settled| &settled.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Compensated, &Outcome::Reset]);
    assert_eq!(
        world.lock().unwrap().rows,
        [(simple(2), layout("newer"))].into(),
        "the person has their card"
    );
    assert_eq!(incomplete_targets(&full.log.records()), [], "the rest of the store still works");
}

#[tokio::test]
async fn notices_tell_of_read_backs_and_retries() {
    let lost = "unknown outcome of 1 card (cut); reading it back";
    let again = "1 card is written again (cut)";
    let untold = "unknown outcome of 1 card (the answer left it out, or did not tell what became of it); reading it \
                  back";
    let faults: [(Option<PortalFault>, &[&str]); 5] = [
        (None, &[]),
        (Some(PortalFault::Refuses(simple(2))), &[]),
        (Some(PortalFault::LostBefore), &[lost, again]),
        (Some(PortalFault::LostAfter), &[lost]),
        (Some(PortalFault::LeavesOut(simple(2))), &[untold]),
    ];
    for (fault, notes) in faults {
        let world = world(&[(simple(2), "two")]);
        world.lock().unwrap().faults.extend(fault.clone().map(|fault| (0, fault)));
        assert_eq!(run(&world, &[simple(2)]).await.notes, notes, "{fault:?}");
    }
}
