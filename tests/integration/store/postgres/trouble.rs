//! Rows that somebody edited or removed, and databases that refuse: no other portal suffers, and
//! nothing is told that is not so.

use std::time::Duration;

use recard::manifest::StopRule;
use recard::ports::*;
use recard::store::postgres::{
    Database, DatabaseAccess, DatabaseAddress, PostgresFleets, PostgresQueue, Rights,
};
use recard::store::{Store, StoreLocation, write_whole};
use tokio_postgres::Client;

use super::workers::{World, wait_for_one};
use crate::store::store_laws::{card, done, header, intent, layout, lock, run, store};
use crate::support::env::TestEnv;
use crate::support::postgres::TestDatabase;

const CLOSED: JournalRecord = JournalRecord::Closed { interrupted: Interrupted::No };

/// Writes a closed run of a month ago that resets these cards, each with a layout of its own.
async fn write_run(store: &Store, number: u32, cards: &[u64]) {
    let mut guard = lock(store).await;
    let keys: Vec<_> = cards.iter().map(|user| card(*user)).collect();
    let mut log = guard.start_run(run(number), header(store, &keys)).await.unwrap();
    for user in cards {
        let before = layout(&format!("card {user} of run {number}"));
        log.save_backups(&[(card(*user), &before)]).await.unwrap();
        log.append(&[intent(card(*user), &before), done(card(*user))]).await.unwrap();
    }
    log.append(std::slice::from_ref(&CLOSED)).await.unwrap();
}

/// Returns the cards of a run whose backups can be read.
async fn readable(store: &Store, number: u32, cards: &[u64]) -> Vec<u64> {
    let mut found = Vec::new();
    for user in cards {
        let before = layout(&format!("card {user} of run {number}"));
        if store.backup(&run(number), card(*user), before.digest()).await.is_ok() {
            found.push(*user);
        }
    }
    found
}

async fn count(client: &Client, what: &str) -> i64 {
    client.query_one(&format!("select count(*) from {what}"), &[]).await.unwrap().get(0)
}

/// Creates a role with the rights of a worker, and returns the address of the database for it.
async fn worker_role(database: &TestDatabase, name: &str) -> String {
    let role = format!("{name}_{}", std::process::id());
    let text = format!("drop role if exists {role}; create role {role} login");
    database.client().await.batch_execute(&text).await.unwrap();
    database.open().await.grant(&role, Rights::Worker).await.unwrap();
    let (_, rest) = database.url.split_once('@').unwrap();
    format!("postgres://{role}@{rest}")
}

async fn drop_role(database: &TestDatabase, url: &str) {
    let role = url.trim_start_matches("postgres://").split('@').next().unwrap();
    let text = format!("drop owned by {role}; drop role {role}");
    database.client().await.batch_execute(&text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn row_that_makes_no_sense_stops_no_other_portal() {
    let Some(database) = TestDatabase::create().await else { return };
    let client = database.client().await;
    let revision = recard::model::Digest::hash(b"one").to_string();
    let row = "insert into recard.revision (digest, fleet, document) values ($1, 'f', '')";
    client.execute(row, &[&revision]).await.unwrap();
    let rows = format!(
        "insert into recard.portal (portal, fleet, revision, due, moved_to, parked, parked_at) values \
         ('Bad Name', 'g', '{revision}', now(), null, null, null), \
         ('at-once.example.com', 'f', '{revision}', '-infinity', null, null, null), \
         ('fine.example.com', 'f', '{revision}', now(), null, null, null), \
         ('never.example.com', 'f', '{revision}', 'infinity', null, null, null), \
         ('gone.example.com', 'f', '{revision}', now() - interval '1 day', 'other', null, null), \
         ('parked.example.com', 'f', '{revision}', now(), null, 'webhook', now())"
    );
    client.batch_execute(&rows).await.unwrap();
    let queue = PostgresQueue::new(database.open().await);
    let before = queue.overview().await.unwrap();
    assert_eq!((before.due, before.waiting, before.parked), (3, 1, 1), "not the moved one");
    assert!(before.oldest_overdue < Duration::from_secs(3600), "{before:?}");
    let worker = Worker { id: "w".to_owned(), version: "1.0.0".to_owned() };
    let all = LaneLimits { healthy: 9, failing: 9, suspect: 9 };
    let claims = queue.claim(&worker, all, Duration::from_secs(60)).await.unwrap();
    let mut names: Vec<&str> = claims.iter().map(|claim| claim.portal.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["at-once.example.com", "fine.example.com"]);
    assert!(queue.refused_webhooks().await.unwrap().is_empty());
    assert_eq!(count(&client, "recard.portal_status where overdue is not null").await, 4);
    assert_eq!(count(&client, "recard.portal_status where state = 'moved'").await, 1);
    // The view of a fleet shows what can be a portal.
    let fleets = PostgresFleets::new(database.open().await);
    let publication = Publication {
        fleet: "f".to_owned(),
        revision: recard::model::Digest::hash(b"two"),
        document: Vec::new(),
        expected: None,
        publisher: Publisher::default(),
        waves: vec![RolloutWave { name: "all".into(), settle: Duration::ZERO, opened: None }],
        stop: StopRule { failed: None, failed_percent: None },
        max_people: None,
        portals: Vec::new(),
        withdrawn: None,
    };
    fleets.publish(&publication).await.unwrap();
    let edited = "update recard.portal set fleet = 'f', wave = 0, every = interval '1 hour' \
                  where portal in ('Bad Name', 'fine.example.com')";
    client.batch_execute(edited).await.unwrap();
    let view = fleets.view("f").await.unwrap().unwrap();
    let names: Vec<&str> = view.portals.iter().map(|one| one.published.portal.as_str()).collect();
    assert_eq!(names, ["fine.example.com"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_of_backups_that_is_gone_or_altered_hides_no_other_backup() {
    let Some(database) = TestDatabase::create().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (key, other) = (folder.path().join("key"), folder.path().join("other"));
    write_whole(&key, "5a".repeat(32).as_bytes()).unwrap();
    write_whole(&other, "5b".repeat(32).as_bytes()).unwrap();
    let with_key = |key: &std::path::Path| {
        let url = format!("{}?backupkeyfile={}", database.url, key.display());
        let address = DatabaseAddress::parse(&url).unwrap();
        StoreLocation::Database(Database::new(address, &DatabaseAccess::default()).unwrap())
    };
    let (sealed, foreign) = (with_key(&key), with_key(&other));
    let open = StoreLocation::Database(database.open().await);
    let client = database.client().await;
    for (name, location) in [("sealed", &sealed), ("open", &open)] {
        let here = store(location, name);
        write_run(&here, 1, &[1, 2, 3, 4]).await;
        assert_eq!(readable(&here, 1, &[1, 2, 3, 4]).await, [1, 2, 3, 4]);
        let gone = format!(
            "delete from recard.run_backup where portal = '{name}.example.com' and number = 1"
        );
        client.batch_execute(&gone).await.unwrap();
        let altered = format!(
            "update recard.backup set line = overlay(line placing 'AAAA' from 60) \
             where portal = '{name}.example.com' and digest = (select digest from recard.run_backup \
             where portal = '{name}.example.com' and number = 3)"
        );
        client.batch_execute(&altered).await.unwrap();
        let here = store(location, name);
        assert_eq!(readable(&here, 1, &[1, 2, 3, 4]).await, [2, 4], "{name}");
    }
    // Without their key no backup is added to them.
    for (number, location) in [(2, &open), (3, &foreign)] {
        let here = store(location, "sealed");
        let mut guard = lock(&here).await;
        let mut log = guard.start_run(run(number), header(&here, &[card(1)])).await.unwrap();
        let problem = log.save_backups(&[(card(1), &layout("new"))]).await.unwrap_err();
        assert!(problem.to_string().contains("sealed"), "{problem}");
    }
    assert_eq!(count(&client, "recard.run_backup where run not like '%1'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn gc_that_is_refused_marks_nothing_and_one_portal_stops_no_other() {
    let Some(database) = TestDatabase::create().await else { return };
    let (client, env) = (database.client().await, TestEnv::new());
    let location = StoreLocation::Database(database.open().await);
    for name in ["a", "b", "c"] {
        let here = store(&location, name);
        for number in 1..3 {
            write_run(&here, number, &[1]).await;
        }
    }
    let gc = |url: &str| {
        let rest = ["--older", "24h", "--keep", "1", "--auto-approve", "--store", url];
        env.run(&[&["store", "gc"], &rest[..]].concat())
    };
    let worker = worker_role(&database, "gc").await;
    let refused = gc(&worker);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("permission denied"), "{refused:?}");
    let mark = "recard.run_file where name = 'collected.json'";
    assert_eq!(count(&client, mark).await, 0, "a lost backup would count as deleted");
    assert_eq!(count(&client, "recard.run_backup").await, 6);
    drop_role(&database, &worker).await;

    let held = lock(&store(&location, "a")).await;
    client
        .batch_execute("insert into recard.run (portal, run) values ('b.example.com', 'no run')")
        .await
        .unwrap();
    let ended = gc(&database.url);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stderr.contains("a.example.com") && ended.stderr.contains("no run"), "{ended:?}");
    assert_eq!(count(&client, "recard.run_backup where portal = 'c.example.com'").await, 1);
    assert_eq!(count(&client, "recard.run_backup").await, 5);
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_what_a_role_may_not_do_and_which_table_is_gone() {
    let Some(database) = TestDatabase::create().await else { return };
    let (client, env) = (database.client().await, TestEnv::new());
    let url = worker_role(&database, "rights").await;
    let role = url.trim_start_matches("postgres://").split('@').next().unwrap().to_owned();
    let check = || env.run(&["store", "check", "--store", &url]).stdout;
    assert!(check().contains("this role may do what a worker must"), "{}", check());
    let granted = "select table_name::text, privilege_type::text from \
                   information_schema.role_table_grants where grantee = $1 \
                   and table_schema = 'recard' and privilege_type <> 'SELECT'";
    let granted = client.query(granted, &[&role]).await.unwrap();
    assert!(granted.len() > 15);
    for row in granted {
        let (table, right): (String, String) = (row.get(0), row.get(1));
        let change = format!("revoke {right} on recard.{table} from {role}");
        client.batch_execute(&change).await.unwrap();
        let said = check();
        assert!(said.contains("FAIL  rights") && said.contains(&table), "{right} {table}: {said}");
        let back = format!("grant {right} on recard.{table} to {role}");
        client.batch_execute(&back).await.unwrap();
    }
    client.batch_execute("alter table recard.ledger rename to lost").await.unwrap();
    assert!(check().contains("there is no table ledger"), "{}", check());
    let verified = env.run(&["audit", "verify", "--portal", "a.example.com", "--store", &url]);
    assert!(verified.stderr.contains("knows nothing"), "{verified:?}");
    client.batch_execute(&format!("revoke all on recard.run from {role}")).await.unwrap();
    let verified = env.run(&["audit", "verify", "--portal", "a.example.com", "--store", &url]);
    assert!(verified.stderr.contains("permission denied for table run"), "{verified:?}");
    drop_role(&database, &url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migration_waits_for_another_one_but_not_for_ever() {
    let Some(database) = TestDatabase::create_empty().await else { return };
    let client = database.client().await;
    let lock = "begin; select pg_advisory_xact_lock(x'726563617264'::bigint)";
    client.batch_execute(lock).await.unwrap();
    let opened = Database::new(database.address(), &DatabaseAccess::default()).unwrap();
    let problem = opened.migrate().await.unwrap_err();
    assert!(problem.to_string().contains("lock timeout"), "{problem}");
    client.batch_execute("rollback").await.unwrap();
    assert_eq!(opened.migrate().await.unwrap().to, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_that_is_away_counts_no_portal_as_failed() {
    let Some(world) = World::start(2).await else { return };
    let client = world.client().await;
    // As on a full disk, once the writes have begun.
    let portal = &world.emulator.portals()[0];
    let rows = portal.rows();
    let full = "create function full_disk() returns trigger language plpgsql as \
                $$ begin if new.line like '%\"settled\"%' then \
                raise exception 'no space left' using errcode = '53100'; end if; return new; end $$; \
                create trigger full_disk before insert on recard.journal \
                for each row execute function full_disk()";
    client.batch_execute(full).await.unwrap();
    let worker = world.worker();
    let given_back = "select count(*) from recard.portal where token > 0 and claim is null \
                      and due > now() + interval '30 s' having count(*) = 2";
    let both = format!("select count(*) from ({given_back}) as both_of_them");
    wait_for_one(&client, &both, "the portals were not given back").await;
    assert_eq!(count(&client, "recard.portal where failures > 0 or round_failed").await, 0);
    let healed = "drop trigger full_disk on recard.journal; update recard.portal set due = now()";
    client.batch_execute(healed).await.unwrap();
    let done = "select count(*) from (select count(*) from recard.portal \
                where round_failed = false having count(*) = 2) as both_of_them";
    wait_for_one(&client, done, "the cut runs were not recovered").await;
    drop(worker);
    super::workers::Journals::read(&client).await.check(world.emulator.portals());

    // What lasts is a failure, with its cause.
    let lasting = "create or replace function full_disk() returns trigger language plpgsql as \
                   $$ begin raise exception 'somebody forbids it'; end $$; \
                   create trigger full_disk before insert on recard.run_backup \
                   for each row execute function full_disk()";
    client.batch_execute(lasting).await.unwrap();
    rows.into_iter().for_each(|row| portal.put_row(row));
    client.batch_execute("update recard.portal set due = now()").await.unwrap();
    let _worker = world.worker();
    let failed = "select count(*) from recard.portal where round_failed";
    wait_for_one(&client, failed, "no failure").await;
    let row = "select report_row from recard.portal where round_failed";
    let row: String = client.query_one(row, &[]).await.unwrap().get(0);
    assert!(row.contains("somebody forbids it"), "{row}");
}
