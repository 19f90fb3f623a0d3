//! Records in a database: the laws of every store, and what only a lease can do.

use std::sync::Arc;
use std::time::Duration;

use recard::model::*;
use recard::ports::*;
use recard::records::AuditEvent;
use recard::store::{LockState, StoreLocation};
use tokio_postgres::Client;

use crate::store::store_laws::{self, card, done, header, intent, layout, lock, owner, run, store};
use crate::support::postgres::{Server, TestDatabase};

async fn location(database: &TestDatabase) -> StoreLocation {
    StoreLocation::Database(database.open().await)
}

/// Ends all leases, as if their holders had been silent for long.
async fn end_leases(client: &Client) {
    let text =
        "update recard.portal set lease = now() - interval '1 second' where lease is not null";
    client.batch_execute(text).await.unwrap();
}

async fn rows(client: &Client) -> i64 {
    let text = "select (select count(*) from recard.journal) + (select count(*) from recard.audit) \
        + (select count(*) from recard.run_backup) + (select count(*) from recard.ledger) \
        + (select count(*) from recard.used_plan) + (select count(*) from recard.run_file)";
    client.query_one(text, &[]).await.unwrap().get(0)
}

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }
}

// The release at the end of a lock blocks its thread for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn store_in_a_database_keeps_the_laws() {
    let Some(database) = TestDatabase::create().await else { return };
    store_laws::check(&location(&database).await).await;
}

#[tokio::test]
async fn holder_of_a_lost_lease_writes_nothing() {
    let Some(database) = TestDatabase::create().await else { return };
    let (location, client) = (location(&database).await, database.client().await);
    let store = store(&location, "lost");
    let mut old = lock(&store).await;
    let mut second = lock(&crate::store::store_laws::store(&location, "kept")).await;
    let head = header(&store, &[card(1)]);
    {
        let mut log = old.start_run(run(1), head.clone()).await.unwrap();
        log.save_backups(&[(card(1), &layout("a"))]).await.unwrap();
        end_leases(&client).await;
        // Nobody has taken the portal yet: the lease is still this one.
        log.append(&[intent(card(1), &layout("a"))]).await.unwrap();
        let (_new, note) = store.lock(owner("recover"), Arc::new(NoClock)).await.unwrap();
        assert!(note.unwrap().english().contains("which ran `recard apply`"));
        let before = rows(&client).await;
        let lost = |ended: Result<(), StoreError>| {
            let problem = ended.unwrap_err();
            assert!(matches!(problem, StoreError::LeaseLost { .. }), "{problem}");
        };
        lost(log.append(&[done(card(1))]).await);
        drop(log);
        lost(old.reopen_run(&run(1)).await.map(drop));
        lost(old.audit(AuditEvent::PlanUsed(Digest::hash(b"p"))).await);
        lost(old.write_plan(&run(2), b"plan".to_vec()).await);
        let generation = Generation::new("2026-11").unwrap();
        let entry = LedgerEntry { removed: None };
        lost(old.record_reset(&[(generation, card(1), entry)]).await);
        lost(old.consume_plan(Digest::hash(b"plan")).await.map_err(|problem| match problem {
            recard::store::ConsumePlanError::Store(problem) => problem,
            other => panic!("{other}"),
        }));
        assert!(old.start_run(run(3), head).await.is_err());
        assert_eq!(rows(&client).await, before);
    }
    // A lease of another portal is as it was.
    second.audit(AuditEvent::PlanUsed(Digest::hash(b"p"))).await.unwrap();
}

#[tokio::test]
async fn lock_of_a_dead_process_is_free_after_its_lease_or_by_a_person() {
    let Some(database) = TestDatabase::create().await else { return };
    let (location, client) = (location(&database).await, database.client().await);
    let store = store(&location, "dead");
    // A process that is killed releases nothing.
    std::mem::forget(lock(&store).await);
    assert!(store.lock(owner("restore"), Arc::new(NoClock)).await.is_err());
    end_leases(&client).await;
    assert_eq!(store.lock_state().await.unwrap(), LockState::Left(owner("apply")));
    assert!(matches!(store.unlock(&owner("other")).await, Err(StoreError::Locked(_))));
    store.unlock(&owner("apply")).await.unwrap();
    assert_eq!(store.lock_state().await.unwrap(), LockState::Free);
    drop(lock(&store).await);
}

#[tokio::test]
async fn claim_of_a_worker_holds_the_lock() {
    let Some(database) = TestDatabase::create().await else { return };
    let (location, client) = (location(&database).await, database.client().await);
    let text = "insert into recard.revision values ($1, 'f', '')";
    let revision = Digest::hash(b"one").to_string();
    client.execute(text, &[&revision]).await.unwrap();
    let text = "insert into recard.portal (portal, revision, due) \
                values ('claimed.example.com', $1, now())";
    client.execute(text, &[&revision]).await.unwrap();
    let queue = recard::store::postgres::PostgresQueue::new(database.open().await);
    let worker = Worker { id: "host-1".to_owned(), version: "1".to_owned() };
    let limits = LaneLimits { healthy: 1, failing: 0, suspect: 0 };
    let claim = queue.claim(&worker, limits, Duration::from_secs(60)).await.unwrap().remove(0);
    let store = store(&location, "claimed");
    assert!(matches!(
        store.lock(owner("apply"), Arc::new(NoClock)).await,
        Err(StoreError::Locked(held)) if held.host == "host-1"
    ));
    let (mut guard, _) = store.adopt(&claim, owner("worker"), Arc::new(NoClock)).await.unwrap();
    drop(guard.start_run(run(1), header(&store, &[])).await.unwrap());
    drop(guard);
    assert_eq!(store.lock_state().await.unwrap(), LockState::Held(owner("worker")));
    let back = Release { end: RoundEnd::GivenBack, due_in: Duration::ZERO };
    assert_eq!(queue.release(&claim, &back).await.unwrap(), ClaimState::Current);
    assert!(matches!(
        store.adopt(&claim, owner("worker"), Arc::new(NoClock)).await,
        Err(StoreError::LeaseLost { .. })
    ));
    drop(lock(&store).await);
}

#[tokio::test]
async fn layout_is_stored_once_however_many_runs_hold_it() {
    let Some(database) = TestDatabase::create().await else { return };
    let (location, client) = (location(&database).await, database.client().await);
    let store = store(&location, "shared");
    let mut guard = lock(&store).await;
    for number in 1..=5 {
        let mut log = guard.start_run(run(number), header(&store, &[])).await.unwrap();
        log.save_backups(&[(card(1), &layout("same")), (card(2), &layout("other"))]).await.unwrap();
    }
    let count = |text: &'static str| {
        let client = &client;
        async move { client.query_one(text, &[]).await.unwrap().get::<_, i64>(0) }
    };
    assert_eq!(count("select count(*) from recard.backup").await, 2);
    assert_eq!(count("select count(*) from recard.run_backup").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_lines_survive_crashes_of_the_server() {
    let Some(mut server) = Server::start(&[]) else { return };
    let database = TestDatabase::on(&server).await;
    let location = location(&database).await;
    let store = store(&location, "crash");
    let mut guard = lock(&store).await;
    let mut log = guard.start_run(run(1), header(&store, &[card(1)])).await.unwrap();
    let mut written = 1;
    for round in 1..4 {
        log.save_backups(&[(card(round), &layout(&format!("{round}")))]).await.unwrap();
        log.append_unsynced(&[done(card(1))]).await.unwrap();
        log.append(&[intent(card(round), &layout(&format!("{round}")))]).await.unwrap();
        written += 2;
        server.crash();
        // The next line waits for the server, and is there once.
        let next = [done(card(2))];
        let (appended, ()) = tokio::join!(log.append(&next), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            tokio::task::block_in_place(|| server.restart());
        });
        appended.unwrap();
        written += 1;
        assert_eq!(store.journal(&run(1)).await.unwrap().len(), written);
    }
    for round in 1..4 {
        let kept = layout(&format!("{round}"));
        store.backup(&run(1), card(round), kept.digest()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn line_that_was_noted_and_lost_with_its_server_is_written_again() {
    let Some(database) = TestDatabase::create().await else { return };
    let location = StoreLocation::Database(database.open().await);
    let here = store(&location, "noted");
    let client = database.client().await;
    // What a crash may take, or a standby that is promoted may lack.
    let lose = "delete from recard.journal where portal = 'noted.example.com' and number = any($1)";
    let mut guard = lock(&here).await;
    let mut log = guard.start_run(run(1), header(&here, &[card(1), card(2)])).await.unwrap();
    let noted = |user| [intent(card(user), &layout("Noted"))];
    log.append_unsynced(&noted(1)).await.unwrap();
    log.append_unsynced(&noted(2)).await.unwrap();
    assert_eq!(client.execute(lose, &[&vec![2, 3]]).await.unwrap(), 2);
    log.sync().await.unwrap();
    log.append_unsynced(&noted(1)).await.unwrap();
    assert_eq!(client.execute(lose, &[&vec![4]]).await.unwrap(), 1);
    log.append(&noted(2)).await.unwrap();
    log.append_unsynced(&noted(1)).await.unwrap();
    log.append(&noted(2)).await.unwrap();
    drop(log);
    assert_eq!(here.journal(&run(1)).await.unwrap().len(), 7, "the first line and six more");
}
