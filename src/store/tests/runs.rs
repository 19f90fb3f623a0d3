//! Runs, backups, the ledger, plans and the audit log without damage.

use super::*;
use crate::model::{
    CurrentSelection, Generation, LedgerEntry, Outcome, Selections, Totals, UserId,
};
use crate::ports::{Interrupted, RunLog};
use crate::records::{AuditEvent, RunReport, decode_run_report};

#[test]
fn looking_at_a_store_that_is_not_there_leaves_no_trace() {
    let world = World::new();
    assert!(world.store.ledger().unwrap().is_empty());
    assert_eq!(world.store.selections().unwrap(), Selections::default());
    assert_eq!(world.store.limiter_state().unwrap(), None);
    assert_eq!(world.store.runs().unwrap(), []);
    assert_eq!(world.store.unfinished().unwrap(), None);
    assert_eq!(world.store.consumed_at(Digest::hash(b"plan")).unwrap(), None);
    assert_eq!(world.store.lock_owner().unwrap(), None);
    assert_eq!(world.store.audit_entries().unwrap().len(), 0);
    assert!(matches!(world.store.journal(&samples::run()), Err(StoreError::Missing(_))));
    assert!(!world.root().exists());
}

#[test]
fn run_is_unfinished_until_it_is_closed_and_its_totals_come_from_its_journal() {
    let world = World::new();
    let (header, layout) =
        (samples::header(&[samples::common(), samples::personal(7)]), samples::layout("mine"));
    let mut locked = world.locked();
    let mut log = locked.start_run(samples::run(), header.clone()).unwrap();
    assert_eq!(log.run(), &samples::run());
    assert_eq!(world.store.unfinished().unwrap(), Some(samples::run()));
    log.save_backups(&[(samples::personal(7), &layout)]).unwrap();
    let digest = layout.digest();
    let intent = JournalRecord::Intent { targets: vec![(samples::personal(7), Some(digest))] };
    let settled = |target, outcome| JournalRecord::Completed { target, outcome };
    let unknown = settled(samples::personal(7), Outcome::Unknown("no answer".to_owned()));
    log.append(&[intent.clone(), unknown.clone()]).unwrap();
    let rest = [
        settled(samples::common(), Outcome::AlreadyDefault),
        settled(samples::personal(7), Outcome::Reset),
    ];
    log.append(&rest).unwrap();
    log.append(&[]).unwrap();
    let closed = JournalRecord::Closed { interrupted: Interrupted::No };
    log.append(std::slice::from_ref(&closed)).unwrap();

    let [first, second] = rest;
    let records = vec![JournalRecord::Opened(header), intent, unknown, first, second, closed];
    assert_eq!(world.store.journal(&samples::run()).unwrap(), records);
    assert_eq!(world.store.backup(&samples::run(), samples::personal(7), digest).unwrap(), layout);
    assert_eq!(world.store.unfinished().unwrap(), None);
    let summary = world.store.summary(&samples::run()).unwrap();
    assert_eq!(summary.end, RunEnd::Closed(Interrupted::No));
    assert_eq!(summary.totals(), Totals { done: 1, skipped: 1, failed: 0, unknown: 0 });
    let report: RunReport = summary.clone().into_report().unwrap();
    locked.write_run_report(&report).unwrap();
    let kept = world.store.report(&samples::run()).unwrap().unwrap();
    assert_eq!(decode_run_report(&kept).unwrap(), report);
    let events: Vec<_> =
        world.store.audit_entries().unwrap().into_iter().map(|entry| entry.event).collect();
    let totals = summary.totals();
    assert_eq!(
        events,
        [
            AuditEvent::RunStarted { run: samples::run(), restores: None, targets: 2 },
            AuditEvent::RunClosed { run: samples::run(), totals, interrupted: Interrupted::No },
        ]
    );
}

#[test]
fn run_cannot_begin_twice() {
    let world = World::new();
    let mut locked = world.locked();
    drop(locked.start_run(samples::run(), samples::header(&[])).unwrap());
    assert!(matches!(
        locked.start_run(samples::run(), samples::header(&[])),
        Err(StoreError::Io { .. })
    ));
}

#[test]
fn runs_are_found_by_a_beginning_that_fits_one_only() {
    let world = World::new();
    let mut locked = world.locked();
    let second = RunId::new("20261102T090000Z", 7).unwrap();
    for run in [&second, &samples::run()] {
        drop(locked.start_run(run.clone(), samples::header(&[])).unwrap());
    }
    file::make_folder(&world.store.paths.runs().join("20261103T090000Z-000000")).unwrap();
    file::make_folder(&world.store.paths.runs().join("notes")).unwrap();
    assert_eq!(world.store.run_ids().unwrap(), [samples::run(), second.clone()]);
    assert_eq!(world.store.find_run("20261101").unwrap(), samples::run());
    assert_eq!(world.store.find_run("last").unwrap(), second);
    for text in ["2026", "", "x"] {
        assert!(matches!(world.store.find_run(text), Err(StoreError::Missing(_))), "{text:?}");
    }
}

#[test]
fn people_with_the_same_layout_share_a_backup_and_other_bytes_get_their_own() {
    let world = World::new();
    let layout = |text: &str| Layout::from_json(text).unwrap();
    let (one, other) =
        (layout(r#"[{"name":"a","title":"1.0"}]"#), layout(r#"[{"title":"1.0", "name":"a"}]"#));
    assert_eq!(one.digest(), other.digest());
    let mut locked = world.locked();
    let mut log = locked.start_run(samples::run(), samples::header(&[])).unwrap();
    let cards = [
        (samples::personal(1), &one),
        (samples::personal(2), &one),
        (samples::personal(3), &other),
    ];
    log.save_backups(&cards).unwrap();
    log.save_backups(&cards).unwrap();
    for (target, layout) in cards {
        let read = world.store.backup(&samples::run(), target, layout.digest()).unwrap();
        assert_eq!(read.as_json(), layout.as_json(), "{target}");
    }
    let lines = |world: &World| {
        fs::read_to_string(world.store.paths.backups(&samples::run())).unwrap().lines().count()
    };
    assert_eq!(lines(&world), 2);
    // The next process reads the same records.
    drop(locked);
    world.locked().reopen_run(&samples::run()).unwrap().save_backups(&cards).unwrap();
    assert_eq!(lines(&world), 2);
    let missing = world.store.backup(&samples::run(), samples::personal(1), Digest::hash(b""));
    assert!(matches!(missing, Err(StoreError::Missing(_))));
}

#[test]
fn damaged_backup_is_healed_by_whoever_takes_up_the_run_and_sees_the_layout() {
    let world = World::new();
    let layout = samples::layout("mine");
    put_backup(&world, &layout);
    let path = world.store.paths.backups(&samples::run());
    put(&path, &fs::read_to_string(&path).unwrap().replace("mine", "mina").into_bytes());
    let read = || world.store.backup(&samples::run(), samples::personal(7), layout.digest());
    assert!(matches!(read(), Err(StoreError::Damaged { .. })));
    let mut locked = world.locked();
    locked
        .reopen_run(&samples::run())
        .unwrap()
        .save_backups(&[(samples::personal(7), &layout)])
        .unwrap();
    assert_eq!(read().unwrap().as_json(), layout.as_json());
    let missing =
        world.store.backup(&samples::run(), samples::personal(7), Digest::hash(b"another"));
    assert!(
        matches!(missing, Err(StoreError::Damaged { .. })),
        "it may have stood in the damaged line: {missing:?}"
    );
}

#[test]
fn marks_selection_and_level_are_kept() {
    let world = World::new();
    let mut locked = world.locked();
    let generation = Generation::new("2026-11").unwrap();
    let removed = Some(Digest::hash(b"x"));
    let mut log = locked.start_run(samples::run(), samples::header(&[])).unwrap();
    log.record_reset(&[(generation.clone(), samples::common(), LedgerEntry { removed: None })])
        .unwrap();
    log.record_reset(&[(generation, samples::personal(7), LedgerEntry { removed })]).unwrap();
    assert_eq!(world.store.ledger().unwrap(), samples::ledger());
    let people = [UserId::FIRST];
    let selecting = CurrentSelection { manifest: "sales", file: "sales.yaml", people: &people };
    locked.save_selections(&[selecting]).unwrap();
    let mut kept = Selections::default();
    kept.keep(&[selecting]);
    assert_eq!(world.store.selections().unwrap(), kept);
    locked.store().save_limiter_state(&samples::limiter_state()).unwrap();
    assert_eq!(world.store.limiter_state().unwrap(), Some(samples::limiter_state()));
    locked.write_plan(&samples::run(), b"plan").unwrap();
    assert_eq!(world.store.plan(&samples::run()).unwrap().unwrap(), b"plan");
}

#[test]
fn plan_is_used_once() {
    let world = World::new();
    let (plan, other) = (Digest::hash(b"plan"), Digest::hash(b"other"));
    let mut locked = world.locked();
    locked.consume_plan(plan).unwrap();
    let again = locked.consume_plan(plan).unwrap_err();
    assert_eq!(
        again.to_string(),
        "the plan file was used at 2026-11-01T09:00:00Z, and a plan is carried out once"
    );
    locked.consume_plan(other).unwrap();
    assert_eq!(world.store.consumed_at(other).unwrap(), Some(clock().now()));
    assert_eq!(world.store.consumed_at(Digest::hash(b"third")).unwrap(), None);
}

#[test]
fn store_that_takes_no_backups_is_found_before_the_first_reset() {
    let world = World::new();
    world.store.probe().unwrap();
    assert!(files(world.store.paths.portal()).is_empty());
    put(&world.folder.path().join("file"), b"");
    let file = Store::open(&world.folder.path().join("file"), &samples::portal());
    assert!(matches!(file, Err(StoreError::Io { .. })));
    let below = Store::open(&world.folder.path().join("file").join("store"), &samples::portal());
    assert!(below.is_err() || below.unwrap().probe().is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn read_only_store_is_found_before_the_first_reset() {
    use std::os::unix::fs::PermissionsExt as _;
    // Even the superuser cannot create a folder there.
    let store = Store::open(Path::new("/proc/self/store"), &samples::portal()).unwrap();
    assert!(matches!(store.probe(), Err(StoreError::Io { .. })));
    assert!(matches!(store.lock(samples::owner(), clock()), Err(StoreError::Io { .. })));

    let world = World::new();
    world.store.probe().unwrap();
    fs::set_permissions(world.store.paths.portal(), fs::Permissions::from_mode(0o500)).unwrap();
    // Permissions do not bind the superuser, and the probe correctly passes.
    let bound = tempfile::NamedTempFile::new_in(world.store.paths.portal()).is_err();
    assert_eq!(world.store.probe().is_err(), bound);
    fs::set_permissions(world.store.paths.portal(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(unix)]
#[test]
fn store_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    put_backup(&world, &samples::layout("mine"));
    world.locked().consume_plan(Digest::hash(b"plan")).unwrap();
    world.store.save_limiter_state(&samples::limiter_state()).unwrap();
    let mut seen = 0;
    for path in files(&world.root()) {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&path), mode(path.parent().unwrap())),
            (0o600, 0o700),
            "{}",
            path.display()
        );
        seen += 1;
    }
    assert!(seen >= 6, "only {seen} files");
}

fn put_backup(world: &World, layout: &Layout) {
    let mut locked = world.locked();
    let mut log = locked.start_run(samples::run(), samples::header(&[])).unwrap();
    log.save_backups(&[(samples::personal(7), layout)]).unwrap();
}
