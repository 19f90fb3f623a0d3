//! Laws of the store, for every medium.

use std::sync::Arc;

use jiff::Timestamp;
use recard::model::*;
use recard::ports::*;
use recard::records::{AuditEvent, LimiterState, PortalLabels, ReadProof};
use recard::store::{ConsumePlanError, LockState, RunEnd, Store, StoreLocation, WriteGuard};

#[tokio::test]
async fn store_in_a_folder_keeps_the_laws() {
    let folder = tempfile::tempdir().unwrap();
    check(&StoreLocation::Folder(folder.path().join("store"))).await;
}

/// Checks all laws. Each has a portal of its own.
pub(crate) async fn check(location: &StoreLocation) {
    run_comes_back_as_it_was_written(location).await;
    reopened_run_goes_on_behind_its_last_line(location).await;
    run_begins_once(location).await;
    run_that_was_cut_counts_with_the_one_that_continues_it(location).await;
    layouts_come_back_byte_for_byte(location).await;
    lock_has_one_owner(location).await;
    plan_is_used_once(location).await;
    resets_of_mode_once_are_remembered(location).await;
    documents_come_back(location).await;
    audit_log_is_one_chain(location).await;
    portals_share_nothing(location).await;
}

pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-11-01T09:00:00Z".parse().unwrap()
    }
}

pub(crate) fn portal(law: &str) -> PortalId {
    PortalId::new(&format!("{law}.example.com")).unwrap()
}

pub(crate) fn store(location: &StoreLocation, law: &str) -> Store {
    Store::open(location, &portal(law)).unwrap()
}

pub(crate) fn owner(command: &str) -> LockOwner {
    LockOwner {
        process: std::process::id(),
        host: "build".to_owned(),
        actor: "anna".to_owned(),
        command: command.to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    }
}

pub(crate) async fn lock(store: &Store) -> WriteGuard {
    let (guard, note) = store.lock(owner("apply"), Arc::new(FixedClock)).await.unwrap();
    assert!(note.is_none(), "{note:?}");
    guard
}

pub(crate) fn run(number: u32) -> RunId {
    RunId::new("20261101T090000Z", number).unwrap()
}

pub(crate) fn card(user: u64) -> CardKey {
    CardKey::personal(UserId::new(user).unwrap(), LeadCustomerType::Simple)
}

pub(crate) fn layout(title: &str) -> Layout {
    let text = format!(r#"[{{"name":"main","title":"{title}","type":"section","elements":[]}}]"#);
    Layout::from_json(&text).unwrap()
}

pub(crate) fn header(store: &Store, cards: &[CardKey]) -> RunHeader {
    let target = |key: &CardKey| PlannedCard { key: *key, digest: None, generation: None };
    RunHeader {
        purpose: RunPurpose::Apply,
        portal: store.portal().clone(),
        caller: UserId::new(7).unwrap(),
        actor: "anna".to_owned(),
        manifest: Some(Digest::hash(b"manifest")),
        commit: None,
        ledger: None,
        reasons: vec![("sales".to_owned(), "a new form".to_owned())],
        trust: None,
        targets: cards.iter().map(target).collect(),
    }
}

pub(crate) fn intent(card: CardKey, layout: &Layout) -> JournalRecord {
    JournalRecord::Intent { targets: vec![(card, Some(layout.digest()))] }
}

pub(crate) fn done(target: CardKey) -> JournalRecord {
    JournalRecord::Completed { target, outcome: Outcome::Reset }
}

const CLOSED: JournalRecord = JournalRecord::Closed { interrupted: Interrupted::No };

async fn run_comes_back_as_it_was_written(location: &StoreLocation) {
    let store = store(location, "run");
    assert!(!store.is_there().await.unwrap());
    assert_eq!(store.run_ids().await.unwrap(), []);
    let mut guard = lock(&store).await;
    guard.write_plan(&run(1), b"the plan".to_vec()).await.unwrap();
    assert_eq!(store.run_ids().await.unwrap(), [], "a plan alone is no run");
    let (header, before) = (header(&store, &[card(1), card(2)]), layout("before"));
    let mut log = guard.start_run(run(1), header.clone()).await.unwrap();
    log.save_backups(&[(card(1), &before)]).await.unwrap();
    log.append(&[intent(card(1), &before)]).await.unwrap();
    log.append_unsynced(&[done(card(1))]).await.unwrap();
    log.append_unsynced(&[done(card(2))]).await.unwrap();
    log.sync().await.unwrap();
    assert_eq!(store.unfinished().await.unwrap(), Some(run(1)));
    log.append(std::slice::from_ref(&CLOSED)).await.unwrap();
    let written = [
        JournalRecord::Opened(header),
        intent(card(1), &before),
        done(card(1)),
        done(card(2)),
        CLOSED,
    ];
    assert_eq!(store.journal(&run(1)).await.unwrap(), written);
    let summary = store.summary(&run(1)).await.unwrap();
    assert_eq!((summary.end, summary.settled.len()), (RunEnd::Closed(Interrupted::No), 2));
    assert_eq!(store.unfinished().await.unwrap(), None);
    assert_eq!(store.find_run("last").await.unwrap(), run(1));
    assert_eq!(store.plan(&run(1)).await.unwrap().as_deref(), Some(&b"the plan"[..]));
    assert_eq!(store.report(&run(1)).await.unwrap(), None);
    let report = summary.into_report().unwrap();
    guard.write_run_report(&report).await.unwrap();
    assert!(store.report(&run(1)).await.unwrap().is_some());
    assert!(store.is_there().await.unwrap());
}

async fn reopened_run_goes_on_behind_its_last_line(location: &StoreLocation) {
    let store = store(location, "reopened");
    let mut guard = lock(&store).await;
    let mut log = guard.start_run(run(1), header(&store, &[card(1)])).await.unwrap();
    log.append(&[intent(card(1), &layout("a"))]).await.unwrap();
    drop(log);
    drop(guard);
    let mut guard = lock(&store).await;
    let mut log = guard.reopen_run(&run(1)).await.unwrap();
    log.append(&[done(card(1)), CLOSED]).await.unwrap();
    let records = store.journal(&run(1)).await.unwrap();
    assert_eq!(records.len(), 4);
    assert_eq!(records[2..], [done(card(1)), CLOSED]);
    assert!(guard.reopen_run(&run(2)).await.is_err(), "there is no such run");
}

async fn run_that_was_cut_counts_with_the_one_that_continues_it(location: &StoreLocation) {
    let store = store(location, "people");
    let mut guard = lock(&store).await;
    let cut = JournalRecord::Closed { interrupted: Interrupted::Yes };
    let runs = [
        ("of r1", &[1][..], &cut, &[1][..]),
        ("of r2", &[2], &CLOSED, &[2]),
        ("of r2", &[3, 4], &cut, &[3, 4]),
        ("of r2", &[4, 5], &cut, &[3, 4, 5]),
        ("of r2", &[6], &CLOSED, &[3, 4, 5, 6]),
        ("of r2", &[7], &CLOSED, &[7]),
        ("anna", &[8], &cut, &[8]),
    ];
    for (number, (actor, reset, end, people)) in (1..).zip(runs) {
        let cards = [reset, &[99]].concat().into_iter().map(card).collect::<Vec<_>>();
        let header = RunHeader { actor: actor.to_owned(), ..header(&store, &cards) };
        let mut log = guard.start_run(run(number), header).await.unwrap();
        let not = Outcome::NotAttempted("stopped".to_owned());
        let not = JournalRecord::Completed { target: card(99), outcome: not };
        let done = reset.iter().map(|user| done(card(*user)));
        log.append(&done.chain([not, end.clone()]).collect::<Vec<_>>()).await.unwrap();
        let found = store.people_reset_by(actor).await.unwrap();
        assert_eq!(found.iter().map(|user| user.get()).collect::<Vec<_>>(), people, "{number}");
        assert!(store.people_reset_by("of r3").await.unwrap().is_empty());
    }
}

async fn run_begins_once(location: &StoreLocation) {
    let store = store(location, "begun");
    let mut guard = lock(&store).await;
    let head = header(&store, &[card(1)]);
    drop(guard.start_run(run(1), head.clone()).await.unwrap());
    assert!(guard.start_run(run(1), header(&store, &[card(2)])).await.is_err());
    assert_eq!(store.journal(&run(1)).await.unwrap(), [JournalRecord::Opened(head)]);
}

async fn layouts_come_back_byte_for_byte(location: &StoreLocation) {
    let store = store(location, "layouts");
    let mut guard = lock(&store).await;
    let (one, two) = (layout("Один \\u0000 \\\" 😀"), layout("two"));
    for number in [1, 2] {
        let mut log = guard.start_run(run(number), header(&store, &[])).await.unwrap();
        log.save_backups(&[(card(1), &one), (card(2), &one)]).await.unwrap();
        log.save_backups(&[(card(3), &two), (card(1), &one)]).await.unwrap();
        for (card, layout) in [(card(1), &one), (card(2), &one), (card(3), &two)] {
            let kept = store.backup(&run(number), card, layout.digest()).await.unwrap();
            assert_eq!(kept.as_json(), layout.as_json());
        }
        let other = layout("never stored").digest();
        let missing = store.backup(&run(number), card(1), other).await.unwrap_err();
        assert!(matches!(missing, StoreError::Missing(_)), "{missing}");
    }
}

async fn lock_has_one_owner(location: &StoreLocation) {
    let store = store(location, "lock");
    assert_eq!(store.lock_state().await.unwrap(), LockState::Free);
    let guard = lock(&store).await;
    let refused = store.lock(owner("restore"), Arc::new(FixedClock)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Locked(held) if *held == owner("apply")), "{refused}");
    assert_eq!(store.lock_owner().await.unwrap(), Some(owner("apply")));
    assert_eq!(store.lock_state().await.unwrap(), LockState::Held(owner("apply")));
    assert!(matches!(store.unlock(&owner("apply")).await, Err(StoreError::Locked(_))));
    drop(guard);
    assert_eq!(store.lock_state().await.unwrap(), LockState::Free);
    drop(lock(&store).await);
}

async fn plan_is_used_once(location: &StoreLocation) {
    let store = store(location, "plan");
    let (one, two) = (Digest::hash(b"one"), Digest::hash(b"two"));
    let mut guard = lock(&store).await;
    assert_eq!(store.consumed_at(one).await.unwrap(), None);
    guard.consume_plan(one).await.unwrap();
    guard.consume_plan(two).await.unwrap();
    drop(guard);
    let mut guard = lock(&store).await;
    for plan in [one, two] {
        let again = guard.consume_plan(plan).await.unwrap_err();
        assert!(matches!(again, ConsumePlanError::AlreadyUsed(at) if at == FixedClock.now()));
    }
}

async fn resets_of_mode_once_are_remembered(location: &StoreLocation) {
    let store = store(location, "once");
    let generation = |text: &str| Generation::new(text).unwrap();
    let (may, june) = (generation("2026-05"), generation("2026-06"));
    let mut guard = lock(&store).await;
    let entry = LedgerEntry { removed: Some(Digest::hash(b"x")) };
    guard.record_reset(&[(may.clone(), card(1), entry)]).await.unwrap();
    let blind = LedgerEntry { removed: None };
    guard
        .record_reset(&[(june.clone(), card(1), blind), (may.clone(), card(2), blind)])
        .await
        .unwrap();
    let ledger = store.ledger().await.unwrap();
    assert_eq!(ledger.get(&may, card(1)), Some(entry));
    assert_eq!(ledger.get(&june, card(1)), Some(blind));
    assert_eq!(ledger.get(&may, card(2)), Some(blind));
    assert_eq!(ledger.get(&june, card(2)), None);
}

async fn documents_come_back(location: &StoreLocation) {
    let store = store(location, "documents");
    let at = FixedClock.now();
    assert_eq!(store.limiter_state().await.unwrap(), None);
    for level in [3.5, 7.25] {
        let state = LimiterState { at, level };
        store.save_limiter_state(&state).await.unwrap();
        assert_eq!(store.limiter_state().await.unwrap(), Some(state));
    }
    let portal = store.portal().clone();
    let evidence = TrustEvidence::SelectObeyed;
    let proof = ReadProof { at, portal: portal.clone(), evidence };
    store.save_read_proof(&proof).await.unwrap();
    assert_eq!(store.read_proof().await.unwrap(), Some(proof));
    store.delete_read_proof().await.unwrap();
    store.delete_read_proof().await.unwrap();
    assert_eq!(store.read_proof().await.unwrap(), None);
    let lead = FieldLabels::from_fields([("TITLE", Some("Название")), ("UF_CRM_1", None)]);
    let labels = PortalLabels { at, portal, labels: lead.into() };
    store.save_field_labels(&labels).await.unwrap();
    assert_eq!(store.field_labels().await.unwrap(), Some(labels));
    store.probe().await.unwrap();
}

async fn audit_log_is_one_chain(location: &StoreLocation) {
    let store = store(location, "audit");
    for number in 1..4 {
        let mut guard = lock(&store).await;
        guard.audit(AuditEvent::PlanUsed(Digest::hash(&[number]))).await.unwrap();
        guard.audit(AuditEvent::PlanUsed(Digest::hash(&[number, 0]))).await.unwrap();
    }
    let entries = store.audit_entries().await.unwrap();
    assert_eq!(entries.len(), 6);
    assert_eq!(entries[5].event, AuditEvent::PlanUsed(Digest::hash(&[3, 0])));
    assert!(entries.iter().all(|entry| entry.actor == "anna"));
}

async fn portals_share_nothing(location: &StoreLocation) {
    let (left, right) = (store(location, "left"), store(location, "right"));
    let mut guard = lock(&left).await;
    let mut log = guard.start_run(run(1), header(&left, &[card(1)])).await.unwrap();
    log.save_backups(&[(card(1), &layout("left"))]).await.unwrap();
    let other = lock(&right).await;
    assert_eq!(right.run_ids().await.unwrap(), []);
    assert!(right.audit_entries().await.unwrap().is_empty());
    assert!(right.backup(&run(1), card(1), layout("left").digest()).await.is_err());
    drop(other);
}
