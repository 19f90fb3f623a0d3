//! Files that were truncated, flipped, emptied or edited give an error or the same content, never
//! other content.

use std::io::Write as _;

use super::*;
use crate::model::Outcome;
use crate::ports::{Interrupted, RunLog, SetPurpose};

/// Returns a closed run with every kind of record.
fn closed_run(world: &World) -> (PathBuf, Vec<JournalRecord>) {
    let (target, layout) = (samples::personal(7), samples::layout("mine"));
    let mut locked = world.locked();
    let mut log = locked.start_run(samples::run(), samples::header(&[target])).wait().unwrap();
    log.save_backups(&[(target, &layout)]).wait().unwrap();
    log.append(&[JournalRecord::Intent { targets: vec![(target, Some(layout.digest()))] }])
        .wait()
        .unwrap();
    log.append(&[
        JournalRecord::SetIntent { target, digest: layout.digest(), purpose: SetPurpose::Planned },
        JournalRecord::Completed { target, outcome: Outcome::Compensated },
        JournalRecord::Closed { interrupted: Interrupted::Yes },
    ])
    .wait()
    .unwrap();
    (
        world.paths().path(&Place::Journal(samples::run())),
        world.store.journal(&samples::run()).wait().unwrap(),
    )
}

/// Returns the beginning of each line of a file, and the end of the file.
fn edges(bytes: &[u8]) -> Vec<usize> {
    let ends =
        bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn journal_cut_anywhere_reads_as_without_its_torn_line() {
    let world = World::new();
    let (path, records) = closed_run(&world);
    let bytes = fs::read(&path).unwrap();
    let edges = edges(&bytes);
    for cut in 0..bytes.len() {
        put(&path, &bytes[..cut]);
        let whole = edges.iter().filter(|edge| **edge <= cut && **edge > 0).count();
        match world.store.journal(&samples::run()).wait() {
            Ok(read) => assert_eq!(read, records[..whole], "cut at {cut}"),
            // A journal is created atomically with its first line; without that line it is damaged
            // and not torn.
            Err(StoreError::Damaged { .. }) => assert_eq!(whole, 0, "cut at {cut}"),
            Err(problem) => panic!("cut at {cut}: {problem}"),
        }
        if whole > 0 {
            assert_eq!(
                world.store.unfinished().wait().unwrap(),
                Some(samples::run()),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn run_that_was_cut_anywhere_can_be_taken_up_and_closed() {
    let world = World::new();
    let (path, records) = closed_run(&world);
    let bytes = fs::read(&path).unwrap();
    let first = edges(&bytes)[1];
    // Each cut is synced several times, so only some bytes are tried here; the test above reads
    // every cut.
    for cut in (first..bytes.len()).step_by(23) {
        put(&path, &bytes[..cut]);
        let before = world.store.journal(&samples::run()).wait().unwrap();
        let mut locked = world.locked();
        let closed = JournalRecord::Closed { interrupted: Interrupted::No };
        locked
            .reopen_run(&samples::run())
            .wait()
            .unwrap()
            .append(std::slice::from_ref(&closed))
            .wait()
            .unwrap();
        let after = world.store.journal(&samples::run()).wait().unwrap();
        assert_eq!(after[..before.len()], records[..before.len()]);
        assert_eq!(after[before.len()..], [closed], "cut at {cut}");
        assert_eq!(world.store.unfinished().wait().unwrap(), None);
    }
    assert!(world.store.audit_entries().wait().unwrap().len() > 3);
}

#[test]
fn flipped_bit_in_a_journal_is_always_found() {
    let world = World::new();
    let (path, _) = closed_run(&world);
    samples::flip_every_bit(&fs::read(&path).unwrap(), |damaged| {
        put_quickly(&path, damaged);
        let read = world.store.journal(&samples::run()).wait();
        assert!(matches!(read, Err(StoreError::Damaged { .. } | StoreError::TooNew { .. })));
    });
}

#[test]
fn line_that_is_missing_or_stands_elsewhere_is_found_and_named() {
    let world = World::new();
    let (path, _) = closed_run(&world);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let problem = |lines: &[&str]| {
        put(&path, format!("{}\n", lines.join("\n")).as_bytes());
        match world.store.journal(&samples::run()).wait() {
            Err(StoreError::Damaged { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    };
    let without = [lines[0], lines[2], lines[3], lines[4]];
    assert_eq!(problem(&without), "line 2: record 2 is missing; record 3 stands in its place");
    let changed_about = [lines[0], lines[2], lines[1], lines[3], lines[4]];
    assert_eq!(
        problem(&changed_about),
        "line 2: record 2 is missing; record 3 stands in its place"
    );
    let edited = text.replace("lost-update-restored", "restored");
    assert_eq!(problem(&edited.lines().collect::<Vec<_>>()), "line 4 does not fit its checksum");
    let twice = [lines[0], lines[0]];
    assert_eq!(problem(&twice), "line 2: record 2 is missing; record 1 stands in its place");
}

#[test]
fn flipped_bit_in_a_backup_gives_an_error_or_the_same_layout() {
    let world = World::new();
    closed_run(&world);
    let layout = samples::layout("mine");
    let path = world.paths().path(&Place::Backups(samples::run()));
    samples::flip_every_bit(&fs::read(&path).unwrap(), |damaged| {
        put_quickly(&path, damaged);
        // A fresh store: the one before has an index.
        match Store::open(&world.root().into(), &samples::portal())
            .unwrap()
            .backup(&samples::run(), samples::personal(7), layout.digest())
            .wait()
        {
            Ok(read) => assert_eq!(read.as_json(), layout.as_json()),
            Err(problem) => {
                assert!(matches!(problem, StoreError::Damaged { .. } | StoreError::TooNew { .. }))
            }
        }
    });
}

#[test]
fn backup_under_the_name_of_another_is_found() {
    let world = World::new();
    closed_run(&world);
    let (mine, yours) = (samples::layout("mine"), samples::layout("yours"));
    let path = world.paths().path(&Place::Backups(samples::run()));
    let text = fs::read_to_string(&path).unwrap();
    let json = text.trim_end().split_once(' ').unwrap().1;
    // A forgery with a valid checksum.
    let forged = json.replace(&mine.digest().to_string(), &yours.digest().to_string());
    assert_ne!(forged, json);
    put(&path, crate::records::checked_line(&forged).as_bytes());
    let read = world.store.backup(&samples::run(), samples::personal(7), yours.digest()).wait();
    assert!(matches!(read, Err(StoreError::Damaged { .. })));
}

#[test]
fn backup_that_makes_no_sense_keeps_no_other_from_being_read() {
    let world = World::new();
    closed_run(&world);
    let layout = samples::layout("mine");
    let path = world.paths().path(&Place::Backups(samples::run()));
    let sound = fs::read_to_string(&path).unwrap();
    let odd = crate::records::checked_line(r#"{"format":"recard.backup/v1","digest":"mine"}"#);
    put(&path, format!("{odd}{sound}").as_bytes());
    let read = |digest| world.store.backup(&samples::run(), samples::personal(7), digest).wait();
    assert_eq!(read(layout.digest()).unwrap().as_json(), layout.as_json());
    let problem = read(samples::layout("yours").digest()).unwrap_err().to_string();
    assert!(problem.contains("damaged: line 1: "), "{problem}");
    // The run can still be recovered.
    let mut locked = world.locked();
    locked
        .reopen_run(&samples::run())
        .wait()
        .unwrap()
        .save_backups(&[(samples::personal(8), &samples::layout("yours"))])
        .wait()
        .unwrap();
    assert!(read(samples::layout("yours").digest()).is_ok());
    let newer = crate::records::checked_line(r#"{"format":"recard.backup/v9"}"#);
    put(&path, format!("{newer}{sound}").as_bytes());
    assert!(matches!(read(layout.digest()), Err(StoreError::TooNew { .. })));
}

#[test]
fn journal_without_end_is_not_read() {
    let world = World::new();
    closed_run(&world);
    let path = world.paths().path(&Place::Journal(samples::run()));
    // A sparse file: nothing is written.
    fs::File::options().write(true).open(&path).unwrap().set_len((1 << 30) + 1).unwrap();
    let problem = world.store.journal(&samples::run()).wait().unwrap_err();
    let StoreError::Unreadable { source, .. } = problem else { panic!("{problem}") };
    let StoreError::Io { source, .. } = *source else { panic!("{source}") };
    assert_eq!(
        source.to_string(),
        "it holds more than 1024 MiB, which is as much as is read of it"
    );
    // It is not cut to the lines that were read.
    let mut locked = world.locked();
    let reopened = locked.reopen_run(&samples::run()).wait().map(drop);
    assert!(matches!(reopened, Err(StoreError::Unreadable { .. })), "{reopened:?}");
    assert_eq!(fs::metadata(&path).unwrap().len(), (1 << 30) + 1);
}

#[test]
fn empty_files_are_damaged_and_not_empty_lists() {
    let world = World::new();
    let (journal, _) = closed_run(&world);
    let paths = &world.paths();
    for path in [
        &journal,
        &paths.path(&Place::Ledger),
        &paths.path(&Place::LimiterState),
        &paths.path(&Place::Selection),
        &paths.path(&Place::ReadProof),
    ] {
        put(path, b"");
    }
    assert!(matches!(world.store.journal(&samples::run()).wait(), Err(StoreError::Damaged { .. })));
    // Only the audit log shows that the run finished.
    assert_eq!(world.store.unfinished().wait().unwrap(), None);
    put(&paths.path(&Place::Audit), b"");
    assert_eq!(world.store.unfinished().wait().unwrap(), Some(samples::run()));
    assert!(matches!(world.store.read_proof().wait(), Err(StoreError::Damaged { .. })));
    assert!(matches!(world.store.ledger().wait(), Err(StoreError::Damaged { .. })));
    assert!(matches!(world.store.limiter_state().wait(), Err(StoreError::Damaged { .. })));
    assert!(matches!(world.store.selections().wait(), Err(StoreError::Damaged { .. })));
    // Append-only files begin empty.
    put(&paths.path(&Place::UsedPlans), b"");
    assert_eq!(world.store.consumed_at(Digest::hash(b"plan")).wait().unwrap(), None);
}

#[test]
fn file_of_a_newer_recard_is_called_newer() {
    let world = World::new();
    drop(world.locked());
    put(&world.paths().path(&Place::Ledger), br#"{"format":"recard.ledger/v9","more":[]}"#);
    let problem = world.store.ledger().wait().unwrap_err().to_string();
    assert!(
        problem.ends_with("has format version 9, and this recard knows versions up to 2"),
        "{problem}"
    );
}

#[test]
fn list_of_used_plans_cut_anywhere_forgets_no_plan_that_was_used() {
    let world = World::new();
    let (one, two) = (Digest::hash(b"one"), Digest::hash(b"two"));
    let path = world.paths().path(&Place::UsedPlans);
    let mut locked = world.locked();
    locked.consume_plan(one).wait().unwrap();
    let first = fs::read(&path).unwrap().len();
    // A process that is killed while it writes the list has not reached the audit log.
    let audit_log = fs::read(world.paths().path(&Place::Audit)).unwrap();
    locked.consume_plan(two).wait().unwrap();
    let bytes = fs::read(&path).unwrap();
    // A lost list alone loses no information.
    put(&path, &bytes[..first]);
    assert!(world.store.consumed_at(two).wait().unwrap().is_some());
    assert!(matches!(locked.consume_plan(two).wait(), Err(ConsumePlanError::AlreadyUsed(_))));
    drop(locked);
    put(&world.paths().path(&Place::Audit), &audit_log);
    let mut locked = world.locked();
    for cut in first..bytes.len() {
        put(&path, &bytes[..cut]);
        assert!(world.store.consumed_at(one).wait().unwrap().is_some());
        assert!(world.store.consumed_at(two).wait().unwrap().is_none());
    }
    locked.consume_plan(two).wait().unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    put(&path, &bytes[1..]);
    assert!(matches!(
        locked.consume_plan(two).wait(),
        Err(ConsumePlanError::Store(StoreError::Damaged { .. }))
    ));
}

#[test]
fn audit_log_with_an_edited_missing_or_moved_line_does_not_verify() {
    let world = World::new();
    closed_run(&world);
    world.locked().consume_plan(Digest::hash(b"plan")).wait().unwrap();
    let path = world.paths().path(&Place::Audit);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(world.store.audit_entries().wait().unwrap().len(), 3);
    let problem = |lines: &[&str]| {
        put(&path, format!("{}\n", lines.join("\n")).as_bytes());
        match world.store.audit_entries().wait() {
            Err(StoreError::Damaged { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    };
    let edited = text.replacen("anna", "otto", 1);
    assert_eq!(
        problem(&edited.lines().collect::<Vec<_>>()),
        "line 1 was altered after it was written"
    );
    let moved = "does not follow the line before: one was taken out or moved";
    assert_eq!(problem(&[lines[0], lines[2]]), format!("line 2 {moved}"));
    assert_eq!(problem(&[lines[1], lines[2]]), format!("line 1 {moved}"));
    assert_eq!(problem(&[lines[0], lines[2], lines[1]]), format!("line 2 {moved}"));
    // No event is appended to an audit log whose chain does not hold.
    assert!(
        world
            .locked()
            .start_run(RunId::new("20261102T090000Z", 1).unwrap(), samples::header(&[]))
            .wait()
            .is_err()
    );
}

#[test]
fn audit_log_with_a_flipped_bit_or_a_torn_line_is_found() {
    let world = World::new();
    closed_run(&world);
    let path = world.paths().path(&Place::Audit);
    let bytes = fs::read(&path).unwrap();
    samples::flip_every_bit(&bytes, |damaged| {
        put_quickly(&path, damaged);
        assert!(world.store.audit_entries().wait().is_err());
    });
    let first = edges(&bytes)[1];
    for cut in first..bytes.len() {
        put_quickly(&path, &bytes[..cut]);
        assert_eq!(world.store.audit_entries().wait().unwrap().len(), 1, "cut at {cut}");
    }
    world.locked().consume_plan(Digest::hash(b"plan")).wait().unwrap();
    assert_eq!(world.store.audit_entries().wait().unwrap().len(), 2);
}

#[test]
fn audit_log_of_another_portal_does_not_verify() {
    let world = World::new();
    closed_run(&world);
    let other =
        Store::open(&world.root().into(), &PortalId::new("other.bitrix24.com").unwrap()).unwrap();
    drop(other.lock(samples::owner(), clock()).wait().unwrap());
    put(
        &world.paths_of(&other).path(&Place::Audit),
        &fs::read(world.paths().path(&Place::Audit)).unwrap(),
    );
    assert!(matches!(other.audit_entries().wait(), Err(StoreError::Damaged { .. })));
}

/// Writes bytes like `put` without syncing: thousands of syncs take minutes on some disks.
pub(super) fn put_quickly(path: &Path, bytes: &[u8]) {
    let mut file = fs::File::options().write(true).truncate(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}
