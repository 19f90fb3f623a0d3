//! What the store promises, tried on real folders.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::lock::folder;
use super::*;
use crate::model::{LeadCustomerType, Outcome, UserId};
use crate::port::{Interrupted, LockOwner, PlannedCard, RunLog as _, RunPurpose};

fn portal() -> PortalId {
    PortalId::new("company.bitrix24.com").unwrap()
}

fn owner(process: u32) -> LockOwner {
    LockOwner {
        process,
        host: "build-7".into(),
        actor: "pipeline".into(),
        command: "apply".into(),
        since: "2026-11-01T09:00:00Z".into(),
    }
}

fn key() -> CardKey {
    CardKey::personal(UserId::new(42).unwrap(), LeadCustomerType::Simple)
}

fn layout() -> Layout {
    Layout::from_json(r#"[{"title":"a\/b","name":"main","type":"section","elements":[]}]"#).unwrap()
}

fn run(number: u32) -> RunId {
    RunId::new("20261101T090000Z", number).unwrap()
}

fn header() -> RunHeader {
    RunHeader {
        purpose: RunPurpose::Apply,
        portal: portal(),
        caller: UserId::new(1).unwrap(),
        actor: "pipeline".into(),
        manifest: Some(Digest::of(b"manifest")),
        commit: None,
        reasons: vec![("sales".into(), "new form".into())],
        targets: vec![PlannedCard { key: key(), digest: Some(layout().digest()), generation: None }],
    }
}

async fn lock(store: &Store) -> Locked {
    store.lock(&owner(1), Duration::ZERO).await.unwrap().locked
}

/// A store with one whole run in it.
async fn with_a_run() -> (tempfile::TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &portal()).unwrap();
    let mut locked = lock(&store).await;
    let mut log = locked.start_run(&run(1), header()).unwrap();
    log.back_up(&[(key(), &layout())]).unwrap();
    log.append(&[JournalRecord::Intent { targets: vec![(key(), Some(layout().digest()))] }]).unwrap();
    log.append(&[JournalRecord::Settled { target: key(), outcome: Outcome::Reset }]).unwrap();
    log.append(&[JournalRecord::Closed { interrupted: Interrupted::No }]).unwrap();
    (place, store)
}

fn journal_file(store: &Store) -> PathBuf {
    folder(store).join("runs").join(run(1).as_str()).join("journal.jsonl")
}

fn overwrite(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn looking_at_a_portal_leaves_no_trace() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(&place.path().join("none"), &portal()).unwrap();
    assert!(store.ledger().unwrap().is_empty());
    assert_eq!(store.runs().unwrap(), []);
    assert_eq!(store.unfinished().unwrap(), None);
    assert_eq!(store.lock_owner().unwrap(), None);
    let level = StoredLevel { at: Timestamp::UNIX_EPOCH, level: 1.0, operating: Default::default() };
    store.keep_level(&level).unwrap();
    assert!(!place.path().join("none").exists());
}

#[tokio::test]
async fn a_backup_comes_back_byte_for_byte() {
    let (_place, store) = with_a_run().await;
    let back = store.backup(&run(1), key(), layout().digest()).unwrap();
    assert_eq!(back.as_json(), layout().as_json());
    assert!(matches!(store.backup(&run(1), key(), Digest::of(b"x")), Err(StoreError::Missing(_))));
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let (place, store) = with_a_run().await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder(&store)), 0o700);
    assert_eq!(mode(&journal_file(&store)), 0o600);
    assert_eq!(mode(&store.backup_path(layout().digest())), 0o600);
    assert!(fs::read_to_string(place.path().join(".gitignore")).unwrap().lines().any(|line| line == "*"));
}

#[tokio::test]
async fn a_journal_cut_anywhere_reads_as_without_its_torn_line_and_can_go_on() {
    let (_place, store) = with_a_run().await;
    let path = journal_file(&store);
    let whole = fs::read(&path).unwrap();
    let records = store.journal(&run(1)).unwrap();
    for cut in 0..whole.len() {
        overwrite(&path, &whole[..cut]);
        let read = store.journal(&run(1)).unwrap();
        assert_eq!(read[..], records[..read.len()]);
        assert!(read.len() < records.len());
        assert_eq!(store.unfinished().unwrap().is_some(), !read.is_empty(), "cut at {cut}");
    }
    overwrite(&path, &whole[..whole.len() - 3]);
    let mut locked = lock(&store).await;
    let mut log = locked.reopen_run(&run(1)).unwrap();
    log.append(&[JournalRecord::Closed { interrupted: Interrupted::Yes }]).unwrap();
    drop(log);
    let read = store.journal(&run(1)).unwrap();
    assert_eq!(read.len(), records.len());
    assert_eq!(store.unfinished().unwrap(), None);
}

#[tokio::test]
async fn no_flipped_bit_in_a_journal_or_a_backup_passes_as_something_else() {
    let (_place, store) = with_a_run().await;
    let records = store.journal(&run(1)).unwrap();
    let (journal, backup) = (journal_file(&store), store.backup_path(layout().digest()));
    for path in [&journal, &backup] {
        let whole = fs::read(path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            overwrite(path, &damaged);
            match store.journal(&run(1)) {
                Ok(read) => assert_eq!(read[..], records[..read.len()], "bit {bit}"),
                Err(problem) => assert!(matches!(problem, StoreError::Damaged { .. }), "{problem}"),
            }
            match store.backup(&run(1), key(), layout().digest()) {
                Ok(read) => assert_eq!(read, layout(), "bit {bit}"),
                Err(problem) => assert!(matches!(problem, StoreError::Damaged { .. }), "{problem}"),
            }
        }
        overwrite(path, &[]);
        assert!(!matches!(store.backup(&run(1), key(), layout().digest()), Ok(read) if read != layout()));
        overwrite(path, &whole);
    }
}

#[tokio::test]
async fn a_damaged_backup_is_written_anew_by_the_next_run() {
    let (_place, store) = with_a_run().await;
    overwrite(&store.backup_path(layout().digest()), b"[]");
    let mut locked = lock(&store).await;
    let mut log = locked.start_run(&run(2), header()).unwrap();
    log.back_up(&[(key(), &layout())]).unwrap();
    drop(log);
    assert_eq!(store.backup(&run(2), key(), layout().digest()).unwrap(), layout());
}

#[tokio::test]
async fn one_process_works_on_a_portal_and_the_other_is_told_who() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &portal()).unwrap();
    let first = store.lock(&owner(7), Duration::ZERO).await.unwrap();
    assert_eq!(first.note, None);
    let refused = store.lock(&owner(8), Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "locked by process 7 on build-7 (pipeline), which runs `recard apply` since 2026-11-01T09:00:00Z"
    );
    assert_eq!(store.lock_owner().unwrap(), Some(owner(7)));
    drop(first);
    assert_eq!(store.lock_owner().unwrap(), None);
    assert_eq!(store.lock(&owner(8), Duration::ZERO).await.unwrap().note, None);
}

#[tokio::test]
async fn a_process_that_waits_gets_the_lock_when_it_is_free() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &portal()).unwrap();
    let first = lock(&store).await;
    let second = owner(8);
    let waiting = store.lock(&second, Duration::from_secs(60));
    let letting_go = async {
        tokio::task::yield_now().await;
        drop(first);
    };
    let (taken, ()) = tokio::join!(waiting, letting_go);
    assert!(taken.is_ok());
}

#[tokio::test]
async fn the_lock_of_a_process_that_died_is_taken_over_with_a_note() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &portal()).unwrap();
    drop(lock(&store).await);
    overwrite(&folder(&store).join("lock"), &crate::format::encode_owner(&owner(7)));
    let taken = store.lock(&owner(8), Duration::ZERO).await.unwrap();
    assert!(taken.note.unwrap().contains("process 7 on build-7"));
}

#[tokio::test]
async fn marks_and_selections_are_remembered() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path(), &portal()).unwrap();
    let mut locked = lock(&store).await;
    locked.probe().unwrap();
    locked.keep_selection(37).unwrap();
    let generation = crate::model::Generation::new("2026-11").unwrap();
    let entry = crate::model::LedgerEntry { removed: Some(layout().digest()) };
    let mut log = locked.start_run(&run(1), header()).unwrap();
    log.mark(&[(generation.clone(), key(), entry)]).unwrap();
    assert_eq!(store.selection().unwrap(), Some(37));
    assert_eq!(store.ledger().unwrap().get(&generation, key()), Some(entry));
    overwrite(&folder(&store).join("ledger.json"), b"");
    assert!(matches!(store.ledger(), Err(StoreError::Damaged { .. })));
}

#[tokio::test]
async fn a_run_is_found_by_the_beginning_of_its_name() {
    let (_place, store) = with_a_run().await;
    assert_eq!(store.find_run("last").unwrap(), run(1));
    assert_eq!(store.find_run("20261101").unwrap(), run(1));
    drop(lock(&store).await.start_run(&run(2), header()).unwrap());
    assert!(store.find_run("20261101").is_err());
    assert!(store.find_run("2025").is_err());
    assert_eq!(store.unfinished().unwrap(), Some(run(2)));
}
