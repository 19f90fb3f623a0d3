//! Deletion of old backups.

use recard::model::{CardKey, Layout, RunId};
use recard::ports::{Archive as _, Interrupted, JournalRecord, RunLog as _, StoreError};
use recard::store::{Store, StoreLocation};

use crate::store::store_laws::{card, done, header, intent, layout, lock, run, store};
use crate::support::env::TestEnv;
use crate::support::postgres::TestDatabase;

const CLOSED: JournalRecord = JournalRecord::Closed { interrupted: Interrupted::No };

/// Layout of a card before a run.
fn before(card: u64, run: u32) -> Layout {
    // Cards 1 and 2 look alike, and card 9 is the same in each run.
    match card {
        9 => layout("always the same"),
        1 | 2 => layout(&format!("of run {run}")),
        card => layout(&format!("card {card} of run {run}")),
    }
}

/// Writes a run of a month ago that resets these cards.
async fn write_run(store: &Store, number: u32, cards: &[u64], is_closed: bool) {
    let mut guard = lock(store).await;
    let keys: Vec<CardKey> = cards.iter().map(|user| card(*user)).collect();
    let mut log = guard.start_run(run(number), header(store, &keys)).await.unwrap();
    for user in cards {
        let layout = before(*user, number);
        log.save_backups(&[(card(*user), &layout)]).await.unwrap();
        log.append(&[intent(card(*user), &layout), done(card(*user))]).await.unwrap();
    }
    if is_closed {
        log.append(std::slice::from_ref(&CLOSED)).await.unwrap();
    }
}

async fn has(store: &Store, of: &RunId, user: u64, number: u32) -> bool {
    match store.backup(of, card(user), before(user, number).digest()).await {
        Ok(_) => true,
        Err(StoreError::Missing(_)) => false,
        Err(problem) => panic!("{problem}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_go_but_never_the_newest_of_a_card() {
    let Some(database) = TestDatabase::create().await else { return };
    let location = StoreLocation::Database(database.open().await);
    let store = store(&location, "old");
    // Card 3 was reset once and long ago; run 4 was cut, and run 6 is the newest.
    let runs: [&[u64]; 6] = [&[1, 2, 3, 9], &[1, 9], &[2, 9], &[1, 9], &[1, 9], &[2, 9]];
    for (number, cards) in (1..).zip(runs) {
        write_run(&store, number, cards, number != 4).await;
    }
    let env = TestEnv::new();
    let arguments = ["store", "gc", "--older", "24h", "--keep", "1", "--store", &database.url];
    let asked = env.run(&arguments);
    assert_eq!(asked.code, 4, "nobody can answer: {asked:?}");
    assert!(asked.stdout.contains(run(1).as_str()), "{asked:?}");
    assert!(has(&store, &run(1), 1, 1).await, "nothing was deleted");
    let young = env.run(&["store", "gc", "--older", "20000h", "--store", &database.url]);
    assert!(young.stdout.contains("No backup is old enough"), "{young:?}");
    assert_eq!(young.code, 0);

    let ended = env.run(&[&arguments[..], &["--auto-approve"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let kept: Vec<(u32, u64)> = {
        let mut kept = Vec::new();
        for (number, cards) in (1..).zip(runs) {
            for user in cards {
                if has(&store, &run(number), *user, number).await {
                    kept.push((number, *user));
                }
            }
        }
        kept
    };
    // Run 4 is open, run 5 has the newest backup of card 1, and run 6 is the newest.
    assert_eq!(kept, [(1, 3), (4, 1), (4, 9), (5, 1), (6, 2), (6, 9)]);
    let gone = store.backup(&run(2), card(1), before(1, 2).digest()).await.unwrap_err();
    assert!(gone.to_string().contains("any more: `recard store gc` deleted it"), "{gone}");
    let shared = "select count(*) from recard.backup";
    let layouts: i64 = database.client().await.query_one(shared, &[]).await.unwrap().get(0);
    assert_eq!(layouts, 5, "a layout that some run holds stays");

    let again = env.run(&[&arguments[..], &["--auto-approve"]].concat());
    assert!(again.stdout.contains("No backup is old enough"), "{again:?}");
    let portal = store.portal().to_string();
    let verified = env.run(&["audit", "verify", "--portal", &portal, "--store", &database.url]);
    assert_eq!(verified.code, 0, "{verified:?}");
    for table in ["audit", "journal", "run"] {
        let count = format!("select count(*) from recard.{table}");
        let rows: i64 = database.client().await.query_one(&count, &[]).await.unwrap().get(0);
        assert!(rows >= 6, "{table} is whole: {rows}");
    }
    let folder = env.run(&["store", "gc", "--older", "24h"]);
    assert_eq!(folder.code, 64, "{folder:?}");
}
