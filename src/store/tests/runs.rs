//! Runs, backups, the ledger, plans and the audit log without damage.

use super::*;
use crate::model::{
    CurrentSelection, Generation, LedgerEntry, Outcome, Selections, Totals, UserId,
};
use crate::ports::{Interrupted, RunLog};
use crate::records::{AuditEvent, RunReport, decode_run_report};

#[test]
fn store_that_does_not_exist_is_read_without_creating_it() {
    let world = World::new();
    assert!(world.store.ledger().wait().unwrap().is_empty());
    assert_eq!(world.store.selections().wait().unwrap(), Selections::default());
    assert_eq!(world.store.limiter_state().wait().unwrap(), None);
    assert_eq!(world.store.runs().wait().unwrap(), []);
    assert_eq!(world.store.unfinished().wait().unwrap(), None);
    assert_eq!(world.store.consumed_at(Digest::hash(b"plan")).wait().unwrap(), None);
    assert_eq!(world.store.lock_owner().wait().unwrap(), None);
    assert_eq!(world.store.audit_entries().wait().unwrap().len(), 0);
    assert!(matches!(world.store.journal(&samples::run()).wait(), Err(StoreError::Missing(_))));
    assert!(!world.root().exists());
}

#[test]
fn run_is_unfinished_until_it_is_closed_and_its_totals_come_from_its_journal() {
    let world = World::new();
    let (header, layout) =
        (samples::header(&[samples::common(), samples::personal(7)]), samples::layout("mine"));
    let mut locked = world.locked();
    let mut log = locked.start_run(samples::run(), header.clone()).wait().unwrap();
    assert_eq!(log.run(), &samples::run());
    assert_eq!(world.store.unfinished().wait().unwrap(), Some(samples::run()));
    log.save_backups(&[(samples::personal(7), &layout)]).wait().unwrap();
    let digest = layout.digest();
    let intent = JournalRecord::Intent { targets: vec![(samples::personal(7), Some(digest))] };
    let settled = |target, outcome| JournalRecord::Completed { target, outcome };
    let unknown = settled(samples::personal(7), Outcome::Unknown("no answer".to_owned()));
    log.append(&[intent.clone(), unknown.clone()]).wait().unwrap();
    let rest = [
        settled(samples::common(), Outcome::AlreadyDefault),
        settled(samples::personal(7), Outcome::Reset),
    ];
    log.append(&rest).wait().unwrap();
    log.append(&[]).wait().unwrap();
    let closed = JournalRecord::Closed { interrupted: Interrupted::No };
    log.append(std::slice::from_ref(&closed)).wait().unwrap();

    let [first, second] = rest;
    let records = vec![JournalRecord::Opened(header), intent, unknown, first, second, closed];
    assert_eq!(world.store.journal(&samples::run()).wait().unwrap(), records);
    assert_eq!(
        world.store.backup(&samples::run(), samples::personal(7), digest).wait().unwrap(),
        layout
    );
    assert_eq!(world.store.unfinished().wait().unwrap(), None);
    let summary = world.store.summary(&samples::run()).wait().unwrap();
    assert_eq!(summary.end, RunEnd::Closed(Interrupted::No));
    assert_eq!(summary.totals(), Totals { done: 1, skipped: 1, failed: 0, unknown: 0 });
    let report: RunReport = summary.clone().into_report().unwrap();
    locked.write_run_report(&report).wait().unwrap();
    let kept = world.store.report(&samples::run()).wait().unwrap().unwrap();
    assert_eq!(decode_run_report(&kept).unwrap(), report);
    let events: Vec<_> =
        world.store.audit_entries().wait().unwrap().into_iter().map(|entry| entry.event).collect();
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
fn runs_are_found_by_a_beginning_that_fits_one_only() {
    let world = World::new();
    let mut locked = world.locked();
    let second = RunId::new("20261102T090000Z", 7).unwrap();
    for run in [&second, &samples::run()] {
        drop(locked.start_run(run.clone(), samples::header(&[])).wait().unwrap());
    }
    folder::make_folder(&world.paths().runs().join("20261103T090000Z-000000")).unwrap();
    folder::make_folder(&world.paths().runs().join("notes")).unwrap();
    assert_eq!(world.store.run_ids().wait().unwrap(), [samples::run(), second.clone()]);
    assert_eq!(world.store.find_run("20261101").wait().unwrap(), samples::run());
    assert_eq!(world.store.find_run("last").wait().unwrap(), second);
    for text in ["2026", "", "x"] {
        assert!(
            matches!(world.store.find_run(text).wait(), Err(StoreError::Missing(_))),
            "{text:?}"
        );
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
    let mut log = locked.start_run(samples::run(), samples::header(&[])).wait().unwrap();
    let cards = [
        (samples::personal(1), &one),
        (samples::personal(2), &one),
        (samples::personal(3), &other),
    ];
    log.save_backups(&cards).wait().unwrap();
    log.save_backups(&cards).wait().unwrap();
    for (target, layout) in cards {
        let read = world.store.backup(&samples::run(), target, layout.digest()).wait().unwrap();
        assert_eq!(read.as_json(), layout.as_json(), "{target}");
    }
    let lines = |world: &World| {
        fs::read_to_string(world.paths().path(&Place::Backups(samples::run())))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(lines(&world), 2);
    // The next process reads the same records.
    drop(log);
    drop(locked);
    world.locked().reopen_run(&samples::run()).wait().unwrap().save_backups(&cards).wait().unwrap();
    assert_eq!(lines(&world), 2);
    let missing =
        world.store.backup(&samples::run(), samples::personal(1), Digest::hash(b"")).wait();
    assert!(matches!(missing, Err(StoreError::Missing(_))));
}

#[test]
fn backup_that_is_damaged_is_written_again_by_a_run_that_reads_the_layout() {
    let world = World::new();
    let layout = samples::layout("mine");
    put_backup(&world, &layout);
    let path = world.paths().path(&Place::Backups(samples::run()));
    put(&path, &fs::read_to_string(&path).unwrap().replace("mine", "mina").into_bytes());
    let read = || world.store.backup(&samples::run(), samples::personal(7), layout.digest()).wait();
    assert!(matches!(read(), Err(StoreError::Damaged { .. })));
    let mut locked = world.locked();
    locked
        .reopen_run(&samples::run())
        .wait()
        .unwrap()
        .save_backups(&[(samples::personal(7), &layout)])
        .wait()
        .unwrap();
    assert_eq!(read().unwrap().as_json(), layout.as_json());
    let missing =
        world.store.backup(&samples::run(), samples::personal(7), Digest::hash(b"another")).wait();
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
    let mut log = locked.start_run(samples::run(), samples::header(&[])).wait().unwrap();
    log.record_reset(&[(generation.clone(), samples::common(), LedgerEntry { removed: None })])
        .wait()
        .unwrap();
    log.record_reset(&[(generation, samples::personal(7), LedgerEntry { removed })])
        .wait()
        .unwrap();
    assert_eq!(world.store.ledger().wait().unwrap(), samples::ledger());
    let people = [UserId::FIRST];
    let selecting = CurrentSelection { manifest: "sales", file: "sales.yaml", people: &people };
    locked.save_selections(&[selecting]).wait().unwrap();
    let mut kept = Selections::default();
    kept.keep(&[selecting]);
    assert_eq!(world.store.selections().wait().unwrap(), kept);
    locked.store().save_limiter_state(&samples::limiter_state()).wait().unwrap();
    assert_eq!(world.store.limiter_state().wait().unwrap(), Some(samples::limiter_state()));
    locked.write_plan(&samples::run(), b"plan".to_vec()).wait().unwrap();
    assert_eq!(world.store.plan(&samples::run()).wait().unwrap().unwrap(), b"plan");
}

#[test]
fn plan_is_used_once() {
    let world = World::new();
    let (plan, other) = (Digest::hash(b"plan"), Digest::hash(b"other"));
    let mut locked = world.locked();
    locked.consume_plan(plan).wait().unwrap();
    let again = locked.consume_plan(plan).wait().unwrap_err();
    assert_eq!(
        again.to_string(),
        "the plan file was used at 2026-11-01T09:00:00Z, and can be used only once"
    );
    locked.consume_plan(other).wait().unwrap();
    assert_eq!(world.store.consumed_at(other).wait().unwrap(), Some(clock().now()));
    assert_eq!(world.store.consumed_at(Digest::hash(b"third")).wait().unwrap(), None);
}

#[test]
fn store_that_takes_no_backups_is_found_before_the_first_reset() {
    let world = World::new();
    world.store.probe().wait().unwrap();
    assert!(files(world.paths().portal()).is_empty());
    put(&world.folder.path().join("file"), b"");
    let file = Store::open(&world.folder.path().join("file").into(), &samples::portal());
    assert!(matches!(file, Err(StoreError::Io { .. })));
    let below =
        Store::open(&world.folder.path().join("file").join("store").into(), &samples::portal());
    assert!(below.is_err() || below.unwrap().probe().wait().is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn read_only_store_is_found_before_the_first_reset() {
    use std::os::unix::fs::PermissionsExt as _;
    // Even the superuser cannot create a folder there.
    let store =
        Store::open(&Path::new("/proc/self/store").to_owned().into(), &samples::portal()).unwrap();
    assert!(matches!(store.probe().wait(), Err(StoreError::Io { .. })));
    assert!(matches!(store.lock(samples::owner(), clock()).wait(), Err(StoreError::Io { .. })));

    let world = World::new();
    world.store.probe().wait().unwrap();
    fs::set_permissions(world.paths().portal(), fs::Permissions::from_mode(0o500)).unwrap();
    // Permissions do not bind the superuser, and the probe correctly passes.
    let bound = tempfile::NamedTempFile::new_in(world.paths().portal()).is_err();
    assert_eq!(world.store.probe().wait().is_err(), bound);
    fs::set_permissions(world.paths().portal(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(unix)]
#[test]
fn store_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    put_backup(&world, &samples::layout("mine"));
    world.locked().consume_plan(Digest::hash(b"plan")).wait().unwrap();
    world.store.save_limiter_state(&samples::limiter_state()).wait().unwrap();
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
    let mut log = locked.start_run(samples::run(), samples::header(&[])).wait().unwrap();
    log.save_backups(&[(samples::personal(7), layout)]).wait().unwrap();
}

#[test]
fn unreadable_journal_is_a_fence_only_if_it_is_the_newest_and_has_no_other_end() {
    let world = World::new();
    let (older, newer) = (samples::run(), samples::run().behind(&samples::run()));
    let mut locked = world.locked();
    for run in [&older, &newer] {
        let mut log = locked.start_run(run.clone(), samples::header(&[])).wait().unwrap();
        log.append(&[JournalRecord::Closed { interrupted: Interrupted::No }]).wait().unwrap();
    }
    let report = world.store.summary(&newer).wait().unwrap().into_report().unwrap();
    fs::remove_file(world.paths().path(&Place::Audit)).unwrap();
    let find = || {
        let mut unread = Vec::new();
        let found = world.store.find_unfinished(&mut unread).wait();
        (found, unread.len())
    };
    let make_unreadable = |run: &RunId| {
        let journal = world.paths().path(&Place::Journal(run.clone()));
        fs::remove_file(&journal).unwrap();
        fs::create_dir(&journal).unwrap();
    };
    make_unreadable(&older);
    assert!(matches!(find(), (Ok(None), 1)));
    make_unreadable(&newer);
    assert!(matches!(find(), (Err(StoreError::Unreadable { run, .. }), 1) if run == newer));
    locked.write_run_report(&report).wait().unwrap();
    assert!(matches!(find(), (Ok(None), 2)), "its report tells the end");
    // A journal that is gone is that of an interrupted run until the audit log tells its end.
    fs::remove_dir(world.paths().path(&Place::Journal(newer.clone()))).unwrap();
    assert!(matches!(find(), (Ok(Some(run)), 1) if run == newer));
}
