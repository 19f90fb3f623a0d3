//! Synchronous standby that takes the place of a server that crashed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use recard::ports::{Archive as _, RunLog as _};
use recard::store::StoreLocation;
use tokio::task::block_in_place;

use super::workers::wait_for_one;
use crate::store::store_laws::{card, done, header, layout, lock, run, store};
use crate::support::env::TestEnv;
use crate::support::postgres::{Server, TestDatabase, connect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_standby_that_is_promoted_has_every_acknowledged_line() {
    let Some(mut primary) = block_in_place(|| Server::start(&[])) else { return };
    let database = TestDatabase::on(&primary).await;
    let standby = block_in_place(|| primary.standby());
    let client = database.client().await;
    let synchronous = "alter system set synchronous_standby_names = '*'";
    client.batch_execute(synchronous).await.unwrap();
    client.batch_execute("select pg_reload_conf()").await.unwrap();
    let waits = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    wait_for_one(&client, waits, "the standby does not follow").await;
    let url = format!(
        "postgres://recard@127.0.0.1:{},127.0.0.1:{}/fleet?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    );
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
