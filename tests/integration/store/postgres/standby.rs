//! Synchronous standby that takes the place of a server that crashed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use recard::emulator::Portal;
use recard::ports::{Archive as _, RunLog as _};
use recard::store::StoreLocation;
use tokio::task::block_in_place;
use tokio_postgres::Client;

use super::round_watch::{Gap, RoundWatch, Span, time_of_day};
use super::workers::{Journals, LEASE, World, wait_for_one};
use crate::store::store_laws::{card, done, header, layout, lock, run, store};
use crate::support::env::TestEnv;
use crate::support::postgres::{Server, TestDatabase, connect};

/// Lets each commit wait for the standby.
async fn follow(client: &Client) {
    let synchronous = "alter system set synchronous_standby_names = '*'";
    client.batch_execute(synchronous).await.unwrap();
    client.batch_execute("select pg_reload_conf()").await.unwrap();
    let waits = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    wait_for_one(client, waits, "the standby does not follow").await;
}

fn url_of_both(primary: &Server, standby: &Server, database: &str) -> String {
    format!(
        "postgres://recard@127.0.0.1:{},127.0.0.1:{}/{database}?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_standby_that_is_promoted_has_every_acknowledged_line() {
    let Some(mut primary) = block_in_place(|| Server::start(&[])) else { return };
    let database = TestDatabase::on(&primary).await;
    let standby = block_in_place(|| primary.standby());
    follow(&database.client().await).await;
    let url = url_of_both(&primary, &standby, "fleet");
    let env = TestEnv::quickstart();
    let command = |line: &str| env.run_embedded(&format!("{line} --store {url}"));
    let checked = env.run(&["store", "check", "--store", &url]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stdout.contains("a commit waits for them"), "{checked:?}");
    let applied = command("apply -f lead.yaml --auto-approve");
    assert_eq!(applied.code, 0, "{applied:?}");

    let location = StoreLocation::Database(database.behind(url.clone()).open().await);
    let store = store(&location, "standby");
    let mut guard = lock(&store).await;
    let mut log = guard.start_run(run(1), header(&store, &[card(1)])).await.unwrap();
    log.save_backups(&[(card(1), &layout("1"))]).await.unwrap();
    let (written, is_over) = (AtomicUsize::new(1), AtomicBool::new(false));
    let append = async {
        while !is_over.load(Ordering::Relaxed) {
            log.append(&[done(card(1))]).await.unwrap();
            written.fetch_add(1, Ordering::Relaxed);
        }
    };
    let fail_over = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        block_in_place(|| primary.crash());
        let before = written.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(written.load(Ordering::Relaxed) <= before + 1, "the server was gone");
        let promoted = connect(&standby.url("fleet")).await;
        let lines = "select count(*) from recard.journal where portal like 'standby.%'";
        let kept = promoted.query_one(lines, &[]).await.unwrap().get::<_, i64>(0);
        assert!(before > 5 && kept >= i64::try_from(before).unwrap(), "{kept} of {before}");
        promoted.batch_execute("select pg_promote()").await.unwrap();
        // Appends go on by themselves.
        while written.load(Ordering::Relaxed) < before + 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let both = async { tokio::join!(append, fail_over) };
    tokio::time::timeout(Duration::from_secs(40), both).await.unwrap();
    assert_eq!(store.journal(&run(1)).await.unwrap().len(), written.into_inner());
    store.backup(&run(1), card(1), layout("1").digest()).await.unwrap();

    let verified = command("audit verify");
    assert_eq!(verified.code, 0, "{verified:?}");
    let restored = command("restore last --all --auto-approve");
    assert_eq!(restored.code, 0, "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "the figures of a row of the design")]
async fn workers_go_on_with_the_synchronous_standby_that_is_promoted() {
    let every = Duration::from_secs(2);
    let Some(mut world) = World::with_interval(16, every).await else { return };
    let standby = block_in_place(|| world.server.standby());
    let client = world.client().await;
    follow(&client).await;
    let url = url_of_both(&world.server, &standby, "postgres");
    let rows: Vec<_> = world.emulator.portals().iter().map(Portal::rows).collect();
    let mut watch = RoundWatch::new(world.emulator.portals(), time_of_day());
    let mut workers: Vec<_> = (0..2).map(|_| world.worker_over(&url, "unlimited")).collect();
    let (begun, mut before) = (Instant::now(), 0);
    while before < 2 {
        watch.look(&client, world.emulator.portals()).await.unwrap();
        before = watch.numbers().1;
        assert!(begun.elapsed() < Duration::from_secs(60), "no rounds");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // People customize all cards again, and the server is gone while workers reset them.
    for (portal, rows) in world.emulator.portals().iter().zip(&rows) {
        rows.iter().for_each(|row| portal.put_row(row.clone()));
    }
    tokio::time::sleep(every / 2).await;
    let from = time_of_day();
    block_in_place(|| world.server.crash());
    let standing: u64 = removed(&world);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let client = connect(&standby.url("postgres")).await;
    client.batch_execute("select pg_promote()").await.unwrap();
    let outage = Span { from, to: time_of_day() };
    let promoted = Instant::now();
    while watch.numbers().1 < before + 4 {
        watch.look(&client, world.emulator.portals()).await.unwrap();
        assert!(promoted.elapsed() < Duration::from_secs(60), "no rounds on the standby");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let gaps = watch.gaps(time_of_day(), every, LEASE, &[outage]);
    let longest = gaps.iter().map(Gap::length).fold(0.0, f64::max);
    let reset = removed(&world) - standing;
    println!(
        "longest gap {longest:.1} s, allowed {:.1} s; {reset} resets after the crash",
        longest - gaps[0].excess
    );
    assert!(gaps[0].excess <= 0.0, "{:?}", gaps[0]);
    for worker in &mut workers {
        worker.signal("-TERM");
        assert_eq!(worker.0.wait().unwrap().code(), Some(143));
    }
    Journals::read(&client).await.check(world.emulator.portals());
    assert_eq!(removed(&world), 4 * 16, "every card was reset twice");
}

/// Returns the number of resets of all portals.
fn removed(world: &World) -> u64 {
    world.emulator.portals().iter().map(|portal| portal.counters().rows_removed).sum()
}
