//! Records that move between a folder and a database.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use recard::model::*;
use recard::ports::*;
use recard::store::{CopyError, StoreLocation};

use crate::store::store_laws::{
    FixedClock, card, done, header, intent, layout, lock, owner, run, store,
};
use crate::support::env::TestEnv;
use crate::support::postgres::TestDatabase;

/// Files below a folder with their bytes, but for the lock and the mark of a move.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.ends_with("/lock") && !name.ends_with("/moved-to") {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Fills a store with every kind of record.
async fn fill(location: &StoreLocation) {
    let store = store(location, "moves");
    let mut guard = lock(&store).await;
    for number in 1..4 {
        guard.write_plan(&run(number), format!("plan {number}\n").into_bytes()).await.unwrap();
        let cards: Vec<CardKey> = (1..700).map(card).collect();
        let mut log = guard.start_run(run(number), header(&store, &cards)).await.unwrap();
        for key in &cards {
            let before = layout(&format!("Ä {}", key.user().unwrap().get() % 40));
            log.save_backups(&[(*key, &before)]).await.unwrap();
            log.append_unsynced(&[intent(*key, &before), done(*key)]).await.unwrap();
        }
        if number < 3 {
            log.append(&[JournalRecord::Closed { interrupted: Interrupted::No }]).await.unwrap();
            let report = store.summary(&run(number)).await.unwrap().into_report().unwrap();
            guard.write_run_report(&report).await.unwrap();
        }
        guard.consume_plan(Digest::hash(&[9 - number as u8])).await.unwrap();
        let generation = Generation::new(&format!("2026-0{number}")).unwrap();
        let entry = LedgerEntry { removed: Some(Digest::hash(b"x")) };
        guard.record_reset(&[(generation, card(u64::from(number)), entry)]).await.unwrap();
    }
    let level = recard::records::LimiterState { at: FixedClock.now(), level: 3.5 };
    store.save_limiter_state(&level).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_move_to_a_database_and_back_byte_for_byte() {
    let Some(database) = TestDatabase::create().await else { return };
    let (first, last) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let database = StoreLocation::Database(database.open().await);
    let places = [
        StoreLocation::Folder(first.path().to_owned()),
        database,
        StoreLocation::Folder(last.path().to_owned()),
    ];
    fill(&places[0]).await;
    let clock: Arc<dyn Clock> = Arc::new(FixedClock);
    let by = owner("store copy");
    for pair in places.windows(2) {
        let (from, to) = (store(&pair[0], "moves"), store(&pair[1], "moves"));
        let name = pair[1].to_string();
        let (copied, _) = from.move_to(&to, &name, &by, &clock).await.unwrap();
        assert_eq!((copied.runs, copied.events), (3, 8));
        // The source refuses, and so does a second copy into the target.
        let refused = from.lock(by.clone(), Arc::clone(&clock)).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Moved { to, .. } if *to == name), "{refused}");
        assert!(from.refuse_moved().await.is_err());
        to.refuse_moved().await.unwrap();
        assert_eq!(to.unfinished().await.unwrap(), Some(run(3)));
    }
    let (before, after) = (files(first.path()), files(last.path()));
    assert!(before.len() > 15, "{:?}", before.keys());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (name, bytes) in &before {
        assert!(after[name] == *bytes, "{name} differs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_stay_where_a_copy_would_mix_or_hide_damage() {
    let Some(database) = TestDatabase::create().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = StoreLocation::Database(database.open().await);
    let place = StoreLocation::Folder(folder.path().to_owned());
    fill(&place).await;
    let clock: Arc<dyn Clock> = Arc::new(FixedClock);
    let by = owner("store copy");
    let (from, to) = (store(&place, "moves"), store(&database, "moves"));

    let held = lock(&from).await;
    let locked = from.move_to(&to, "there", &by, &clock).await.unwrap_err();
    assert!(matches!(locked, CopyError::Store(StoreError::Locked(_))), "{locked}");
    drop(held);

    let journal = folder
        .path()
        .join(format!("portals/moves.example.com/runs/{}/journal.jsonl", run(1).as_str()));
    let whole = std::fs::read(&journal).unwrap();
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    recard::store::write_whole(&journal, &damaged).unwrap();
    let refused = from.move_to(&to, "there", &by, &clock).await.unwrap_err();
    assert!(matches!(refused, CopyError::Store(StoreError::Damaged { .. })), "{refused}");
    recard::store::write_whole(&journal, &whole).unwrap();

    let level = recard::records::LimiterState { at: FixedClock.now(), level: 1.0 };
    to.save_limiter_state(&level).await.unwrap();
    let refused = from.move_to(&to, "there", &by, &clock).await.unwrap_err();
    assert!(matches!(refused, CopyError::NotEmpty(..)), "{refused}");
    from.refuse_moved().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_that_was_interrupted_goes_on_and_mixes_nothing() {
    let Some(database) = TestDatabase::create().await else { return };
    let (first, last) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let client = database.client().await;
    let places = [
        StoreLocation::Folder(first.path().to_owned()),
        StoreLocation::Database(database.open().await),
        StoreLocation::Folder(last.path().to_owned()),
    ];
    fill(&places[0]).await;
    let env = TestEnv::new();
    let addresses = [
        first.path().display().to_string(),
        database.url.clone(),
        last.path().display().to_string(),
    ];
    for (pair, address) in places.windows(2).zip(addresses.windows(2)) {
        let from = store(&pair[0], "moves");
        let (mut interrupted, mut time) = (0, Duration::from_millis(20));
        loop {
            let arguments = ["store", "copy", "--portal", "moves.example.com"];
            let mut copy = env.command(&arguments);
            copy.args(["--store", &address[0], "--to", &address[1]]).stderr(Stdio::piped());
            let mut copy = copy.stdout(Stdio::null()).spawn().unwrap();
            tokio::time::sleep(time).await;
            let _ = copy.kill();
            let ended = copy.wait_with_output().unwrap();
            if from.moved_to().await.unwrap().is_some() {
                break;
            }
            let said = String::from_utf8_lossy(&ended.stderr);
            // A statement that took a lock may have been under way.
            assert!(matches!(ended.status.code(), None | Some(6)), "{said}");
            interrupted += u32::from(ended.status.code().is_none());
            // The locks that were left behind end, and the source goes on.
            let left = "update recard.portal set lease = now() where lease > now()";
            client.batch_execute(left).await.unwrap();
            let level = recard::records::LimiterState { at: FixedClock.now(), level: 4.5 };
            from.save_limiter_state(&level).await.unwrap();
            time += Duration::from_millis(40);
        }
        assert!(interrupted > 0, "no copy was interrupted");
    }
    let (before, after) = (files(first.path()), files(last.path()));
    // A kill leaves a file under a name of its own behind.
    assert!(before.keys().all(|name| after.contains_key(name)), "{:?}", after.keys());
    let differing: Vec<_> = before.iter().filter(|(name, bytes)| after[*name] != **bytes).collect();
    // The source was locked anew in between, by the lock that was left behind.
    let names: Vec<&str> =
        differing.iter().map(|(name, _)| name.rsplit('/').next().unwrap()).collect();
    assert!(names.iter().all(|name| ["audit.jsonl", "limiter.json"].contains(name)), "{names:?}");

    // A target with a line of its own is no interrupted copy.
    let (whole, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let places = [whole.path(), other.path()].map(|path| StoreLocation::Folder(path.to_owned()));
    fill(&places[0]).await;
    let clock: Arc<dyn Clock> = Arc::new(FixedClock);
    let by = owner("store copy");
    let (from, to) = (store(&places[0], "moves"), store(&places[1], "moves"));
    lock(&to).await.consume_plan(Digest::hash(b"other")).await.unwrap();
    let refused = from.move_to(&to, "there", &by, &clock).await.unwrap_err();
    assert!(matches!(refused, CopyError::NotEmpty(..)), "{refused}");
}
