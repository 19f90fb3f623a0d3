//! Apply: every target has its outcome, and the outcome is true.

use super::*;

#[tokio::test]
async fn apply_resets_what_the_plan_says_and_a_second_one_resets_nothing() {
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
async fn reset_has_its_backup_and_its_intent_before_it_leaves() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, PortalFault::LostAfter);
    let done = run(&world, &[simple(2), simple(3)]).await;
    let records = done.log.records();
    let intent =
        records.iter().position(|record| matches!(record, JournalRecord::Intent { .. })).unwrap();
    let settled = records
        .iter()
        .position(|record| matches!(record, JournalRecord::Completed { .. }))
        .unwrap();
    assert!(intent < settled);
    for name in ["two", "three"] {
        assert!(done.log.disk().backups.contains_key(&layout(name).digest()));
    }
}

/// Applies two hundred resets on a portal with faults, in requests of this size, and checks every
/// intent.
async fn two_hundred(
    size: usize,
    faults: &[(usize, PortalFault)],
    fails_at: Option<usize>,
) -> Resets {
    let names: Vec<String> = (0..200).map(|number| format!("card {number}")).collect();
    let rows: Vec<(CardKey, &str)> =
        (2..).map(simple).zip(names.iter().map(String::as_str)).collect();
    let keys: Vec<CardKey> = rows.iter().map(|(key, _)| *key).collect();
    let world = world(&rows);
    world.lock().unwrap().faults.extend(faults.iter().cloned());
    let portal = InMemoryPortal::new(&world).in_requests_of(size);
    let made = make_plan(&portal, &keys, &Mode::Enforce, Ledger::default()).await;
    let log = InMemoryLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
    let mut watched = Watched { log, back_ups: 0, fails_at };
    let (_, stop) = cancellation();
    let ended = apply(&portal, &mut watched, approve(&made), &[], just_read(), &stop, &quiet).await;
    let left = world.lock().unwrap().rows.len();
    Resets {
        back_ups: watched.back_ups,
        backups: watched.log.disk().backups.len(),
        left,
        failed: ended.is_err(),
    }
}

struct Resets {
    back_ups: usize,
    backups: usize,
    left: usize,
    failed: bool,
}

#[tokio::test]
async fn many_backups_share_a_sync_and_none_is_left_out_whatever_breaks_down() {
    let faults = [
        (0, PortalFault::LostBefore),
        (31, PortalFault::LostBefore),
        (40, PortalFault::LostAfter),
        (90, PortalFault::LostBefore),
    ];
    let late = [(9, PortalFault::LostBefore), (12, PortalFault::LostAfter)];
    for size in [1, 2, 3, 16] {
        for faults in [&[][..], &faults, &late] {
            let Resets { back_ups, backups, left, failed } = two_hundred(size, faults, None).await;
            assert_eq!((backups, left, failed), (200, 0, false), "{size} {faults:?}");
            assert!(back_ups <= 8, "{back_ups} times, {size} {faults:?}");
        }
    }
}

#[tokio::test]
async fn backup_that_cannot_be_kept_ends_the_run_before_its_reset() {
    let Resets { left, failed, .. } = two_hundred(3, &[], Some(0)).await;
    assert!(failed && left == 200, "{left}");
    let Resets { left, failed, .. } = two_hundred(3, &[], Some(1)).await;
    // The first backups are of 64 cards; the 22nd request would have needed another one.
    assert!(failed && left == 200 - 63, "{left}");
}

/// Log that refuses an intent without its backup, and counts the syncs of backups, of which one may
/// fail.
struct Watched {
    log: InMemoryLog,
    back_ups: usize,
    fails_at: Option<usize>,
}

impl RunLog for Watched {
    fn run(&self) -> &RunId {
        self.log.run()
    }

    async fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        let number = self.back_ups;
        self.back_ups += 1;
        if self.fails_at == Some(number) {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(StoreError::Io {
                doing: "cannot write",
                path: "backups.jsonl".to_owned(),
                source,
            });
        }
        self.log.save_backups(cards).await
    }

    async fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        for record in records {
            if let JournalRecord::Intent { targets } = record {
                let backups = &self.log.disk().backups;
                let digests = targets.iter().filter_map(|(_, digest)| digest.as_ref());
                digests.for_each(|digest| assert!(backups.contains_key(digest), "{record:?}"));
            }
        }
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
async fn requests_in_flight_are_at_most_eight() {
    let keys: Vec<CardKey> = (2..=401).map(simple).collect();
    let rows: Vec<(CardKey, &str)> = keys.iter().map(|key| (*key, "one")).collect();
    let world = world(&rows);
    // The check of a breakdown takes time, and meanwhile the others are answered.
    world.lock().unwrap().faults.extend([(1, PortalFault::LostAfter), (9, PortalFault::LostAfter)]);
    let done = run(&world, &keys).await;
    let (mut open, mut most) = (BTreeSet::new(), 0);
    for record in done.log.records() {
        match record {
            JournalRecord::Intent { targets } => open.extend(targets.iter().map(|(key, _)| *key)),
            JournalRecord::Completed { target, .. } => drop(open.remove(&target)),
            _ => {}
        }
        most = most.max(open.len());
    }
    assert!(open.is_empty());
    assert!(most <= 2 * 8, "{most} cards were under way at once, two in a request");
}

#[tokio::test]
async fn requests_that_wait_for_their_turn_do_not_hold_up_the_reads_after_a_lost_answer() {
    let keys: Vec<CardKey> = (2..=11).map(simple).collect();
    let rows: Vec<(CardKey, &str)> = keys.iter().map(|key| (*key, "one")).collect();
    let world = world(&rows);
    world.lock().unwrap().faults.extend([
        (0, PortalFault::LostAfter),
        (3, PortalFault::LostBefore),
        (4, PortalFault::LostAfter),
    ]);
    let done = run(&world, &keys).await;
    assert_eq!(done.outcomes.len(), keys.len());
    for (key, outcome) in done.outcomes {
        assert!(matches!(outcome, Outcome::Reset | Outcome::ResetUnseen), "{key}: {outcome:?}");
    }
    assert!(world.lock().unwrap().rows.is_empty());
}

#[tokio::test]
async fn lost_answer_is_settled_by_reading() {
    let (seen, unseen) = (Outcome::Reset, Outcome::ResetUnseen);
    for (fault, two, three) in [
        (PortalFault::LostAfter, &unseen, &unseen),
        (PortalFault::LostBefore, &seen, &seen),
        (PortalFault::LeavesOut(simple(2)), &unseen, &seen),
    ] {
        let world = world(&[(simple(2), "two"), (simple(3), "three")]);
        world.lock().unwrap().faults.insert(0, fault.clone());
        let done = run(&world, &[simple(2), simple(3)]).await;
        assert_eq!(
            done.outcomes,
            [(simple(2), two.clone()), (simple(3), three.clone())],
            "{fault:?}"
        );
        assert!(world.lock().unwrap().rows.is_empty());
    }
}

#[tokio::test]
async fn lost_update_is_stored_again() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    world.lock().unwrap().faults.insert(0, PortalFault::SavedBefore(simple(3), layout("newer")));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Reset), (simple(3), Outcome::Compensated)]);
    assert_eq!(world.lock().unwrap().rows.get(&simple(3)), Some(&layout("newer")));
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
}

#[tokio::test]
async fn lost_update_that_is_saved_once_more_is_not_stored_again() {
    let world = world(&[(simple(3), "three")]);
    let faults = [
        (0, PortalFault::SavedBefore(simple(3), layout("newer"))),
        (1, PortalFault::SavedBeforeAndLimited(simple(3), layout("newer"))),
    ];
    world.lock().unwrap().faults.extend(faults);
    let done = run(&world, &[simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(3), Outcome::Compensated)]);
    assert_eq!(world.lock().unwrap().rows.get(&simple(3)), Some(&layout("newer")));
}

#[tokio::test]
async fn lost_update_that_cannot_be_stored_whole_is_reported_and_kept_in_a_backup() {
    let world = world(&[(simple(2), "two")]);
    // The portal's filter changes a text like this.
    let kept = || PortalFault::Keeps(layout("ne wer"));
    let faults =
        [(0, PortalFault::SavedBefore(simple(2), layout("newer"))), (1, kept()), (2, kept())];
    world.lock().unwrap().faults.extend(faults);
    let done = run(&world, &[simple(2)]).await;
    assert!(matches!(&done.outcomes[..], [(_, Outcome::Lost(_))]), "{:?}", done.outcomes);
    assert!(done.log.disk().backups.contains_key(&layout("newer").digest()));
}

#[tokio::test]
async fn refused_card_does_not_stop_the_others() {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    world.lock().unwrap().faults.insert(0, PortalFault::Refuses(simple(2)));
    let done = run(&world, &[simple(2), simple(3), simple(4)]).await;
    let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(words, ["refused", "reset", "reset"]);
}

#[tokio::test]
async fn expired_webhook_stops_everything_and_the_report_still_adds_up() {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    world.lock().unwrap().faults.extend([(0, PortalFault::DiesAfter), (1, PortalFault::Expired)]);
    let done = run(&world, &[simple(2), simple(3), simple(4)]).await;
    assert!(
        done.outcomes.iter().all(|(_, outcome)| outcome.as_str() == "unknown"),
        "{:?}",
        done.outcomes
    );
    assert_eq!(world.lock().unwrap().rows.len(), 1);
    assert!(incomplete_targets(&done.log.records()).is_empty());
    assert_eq!(restorable(&done.log.records()).unwrap(), [simple(2), simple(3), simple(4)]);
}

#[tokio::test]
async fn card_that_changed_since_the_plan_is_not_touched() {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    let portal = InMemoryPortal::new(&world);
    let made =
        make_plan(&portal, &[simple(2), simple(3), simple(4)], &Mode::Enforce, Ledger::default())
            .await;
    world.lock().unwrap().rows.insert(simple(2), layout("newer"));
    world.lock().unwrap().rows.remove(&simple(3));
    let done = carry_out(&portal, &made, read_again()).await;
    let words: Vec<_> = done.outcomes.iter().map(|(_, outcome)| outcome.as_str()).collect();
    assert_eq!(words, ["changed", "already-default", "reset"]);
    assert_eq!(world.lock().unwrap().resets, [simple(4)]);
}

#[tokio::test]
async fn portal_that_answers_with_the_callers_card_never_leads_to_a_reset_of_others() {
    let world = world(&[(simple(1), "own"), (simple(2), "two")]);
    world.lock().unwrap().legacy = true;
    let portal = InMemoryPortal::new(&world);
    let made =
        make_plan(&portal, &[simple(1), simple(2), simple(3)], &Mode::Enforce, Ledger::default())
            .await;
    assert_eq!(made.trust, ReadTrust::NotTrusted);
    let words: Vec<_> = made.targets.iter().map(|target| target.decision.as_str()).collect();
    assert_eq!(words, ["reset", "hold", "hold"]);
}

#[tokio::test]
async fn apply_sends_no_reset_for_a_card_at_the_common_default() {
    let world = world(&[(simple(2), "two")]);
    world.lock().unwrap().common_defaults.insert(LeadCustomerType::Simple.into(), layout("all"));
    let done = run(&world, &[simple(2), simple(3)]).await;
    assert_eq!(done.outcomes, [(simple(2), Outcome::Reset)]);
}

#[tokio::test]
async fn wish_to_stop_leaves_the_rest_untouched_and_the_journal_closed() {
    let world = world(&[(simple(2), "two"), (simple(3), "three")]);
    let portal = InMemoryPortal::new(&world);
    let made = make_plan(&portal, &[simple(2), simple(3)], &Mode::Enforce, Ledger::default()).await;
    let mut log = InMemoryLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
    let (handle, stop) = cancellation();
    handle.cancel("interrupted");
    let report =
        apply(&portal, &mut log, approve(&made), &[], just_read(), &stop, &quiet).await.unwrap();
    assert_eq!(report.stopped.as_deref(), Some("interrupted"));
    assert_eq!(report.totals.failed, 2);
    assert!(world.lock().unwrap().resets.is_empty());
    assert!(matches!(
        log.records().last(),
        Some(JournalRecord::Closed { interrupted: Interrupted::Yes })
    ));
}

#[tokio::test]
async fn reset_in_mode_once_is_remembered_and_not_repeated() {
    let mode = Mode::Once(Generation::new("2026-11").unwrap());
    let world = world(&[(simple(2), "two")]);
    let portal = InMemoryPortal::new(&world);
    let made = make_plan(&portal, &[simple(2), simple(3)], &mode, Ledger::default()).await;
    let done = carry_out(&portal, &made, just_read()).await;
    let ledger = done.log.disk().ledger.clone();
    assert_eq!(ledger.iter().count(), 2);
    world.lock().unwrap().rows.insert(simple(2), layout("again"));
    let again = make_plan(&portal, &[simple(2), simple(3)], &mode, ledger).await;
    assert_eq!(again.resets().count(), 0);
}
