//! Fleets of a worker: pauses, fleets that it cannot use, what holds before the wave of a portal.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::fleet_modes::add_to_entry;
use super::fleets::Fleet;
use super::workers::{Worker, row, wait_until};
use crate::support::env::TestEnv;

pub(super) const PROBLEMS: &str = "recard_fleet_problems";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_of_files_leaves_portals_alone_that_are_paused_by_command() {
    let fleet = Fleet::start(2).await;
    let host = fleet.portal(2).host();
    let pause = |host: &str| fleet.env.run(&["fleet", "pause", host, "--reason", "x"]).code;
    assert_eq!(pause(host), 0);
    let worker = Worker::start(&fleet, &[]);
    wait_until("its pause", || worker.portals("paused") == Some(1.0) && fleet.removed() == [2, 0]);
    assert_eq!(fleet.portal(2).counters().requests, 0);
    assert_eq!(fleet.env.run(&["fleet", "unpause", host]).code, 0);
    wait_until("its reset", || fleet.removed() == [2, 2]);
    assert_eq!(pause(fleet.portal(1).host()), 0);
    wait_until("the pause of the other", || worker.portals("paused") == Some(1.0));
}

/// Makes the pair of keys `key.pem` and `key.pub`.
pub(super) fn make_keys(env: &TestEnv) {
    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"][..],
        &["pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"],
    ] {
        let made = Command::new("openssl").args(arguments).current_dir(env.path()).output();
        assert!(made.unwrap().status.success(), "{arguments:?}");
    }
}

/// Writes one fleet for each portal: `aaa`, which comes first, and `bbb` with two waves.
fn two_fleets(fleet: &Fleet) {
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let (head, portals) = text.split_once("  portals:\n").unwrap();
    let mut entries = portals.split_inclusive("ids: [8, 12] } }\n");
    let one = entries.next().unwrap();
    let others: String = entries.collect();
    let waves = "  waves: [{ percent: 50, name: first }, { name: rest }]\n";
    for (name, portals) in [("aaa", one.to_owned()), ("bbb", others + waves)] {
        let head = head.replace("name: test", &format!("name: {name}"));
        fleet.env.file(&format!("{name}.yaml"), &format!("{head}  portals:\n{portals}"));
    }
}

/// Lets a worker reconcile a fleet beside one that is not signed, and whose head is then damaged.
async fn reconcile_beside_an_unusable_fleet(store: &str, damage: impl AsyncFnOnce(&Fleet)) {
    let fleet = Fleet::start(3).await;
    make_keys(&fleet.env);
    two_fleets(&fleet);
    let run = |arguments: &[&str]| {
        let ended = fleet.env.run(&[&["fleet", "--store", store], arguments].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
    };
    run(&["publish", "aaa.yaml"]);
    run(&["publish", "bbb.yaml", "--signing-key", "key.pem"]);
    let worker = Worker::start_on(&fleet.env, &["--trusted-key", "key.pub", "--store", store]);
    // Its second wave opens, too.
    wait_until("the signed fleet", || fleet.removed() == [0, 2, 2]);
    assert_eq!(fleet.portal(1).counters().requests, 0);
    wait_until("the problem", || worker.metric(PROBLEMS) == 1.0);
    let told = worker.told();
    assert!(told.contains("the fleet aaa cannot be used"), "{told}");
    assert!(told.contains("the revision is not signed"), "{told}");
    run(&["pause", fleet.portal(2).host(), "--reason", "x"]);
    wait_until("its pause", || worker.portals("paused") == Some(1.0));

    damage(&fleet).await;
    wait_until("the damage", || worker.told().matches("the fleet aaa").count() == 2);
    run(&["unpause", "-l", "ring=rest", "--fleet", "bbb"]);
    wait_until("the end of the pause", || worker.portals("paused") == Some(0.0));
    assert_eq!(worker.metric(PROBLEMS), 1.0);
    run(&["status", "--fleet", "bbb"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_on_a_folder_with_a_fleet_that_it_cannot_use_reconciles_the_others() {
    reconcile_beside_an_unusable_fleet(".recard", async |fleet| {
        let heads = std::fs::read_dir(fleet.env.at(".recard/fleets")).unwrap();
        let mut heads = heads.map(|entry| entry.unwrap().path());
        let is_first = |path: &std::path::PathBuf| path.to_string_lossy().contains("/aaa-");
        let head = heads.find(|path| is_first(path) && path.is_file()).unwrap();
        recard::store::write_whole(&head, b"nonsense").unwrap();
    })
    .await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_on_a_database_with_a_fleet_that_it_cannot_use_reconciles_the_others() {
    let Some(database) = crate::support::postgres::TestDatabase::create().await else { return };
    reconcile_beside_an_unusable_fleet(&database.url, async |_| {
        let text = "update recard.rollout set document = 'nonsense' where fleet = 'aaa'";
        database.client().await.execute(text, &[]).await.map(drop).unwrap();
    })
    .await;
}

/// Publishes the fleet in place of its current revision.
fn publish(fleet: &Fleet, store: &str) {
    publish_with(fleet, store, &[]);
}

/// Publishes the fleet in place of its current revision, with more arguments.
pub(super) fn publish_with(fleet: &Fleet, store: &str, more: &[&str]) {
    let of_store = ["fleet", "--store", store];
    let run = |more: &[&str]| fleet.env.run(&[&of_store, more].concat());
    let status = run(&["status", "--fleet", "test", "-o", "json"]);
    let report: Value = serde_json::from_str(&status.stdout).unwrap_or_default();
    let expected = report["rollout"]["revision"].as_str().unwrap_or("none");
    let published = run(&[&["publish", "--expect", expected], more].concat());
    assert_eq!(published.code, 0, "{published:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_takes_all_but_the_manifests_before_the_wave_of_a_portal_opens() {
    publish_for_a_later_wave(".recard").await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_on_a_database_takes_all_but_the_manifests_before_the_wave_of_a_portal_opens() {
    let Some(database) = crate::support::postgres::TestDatabase::create().await else { return };
    publish_for_a_later_wave(&database.url).await;
}

/// Publishes intervals, an end of a pause and a mode for portals whose wave does not open.
async fn publish_for_a_later_wave(store: &str) {
    let fleet = Fleet::start(3).await;
    let before = fleet.portal(2).rows();
    let declare = |every: &str, more: &str| {
        fleet.declare(more);
        let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
        let every = format!("defaults: {{ every: {every},");
        fleet.env.file("fleet.yaml", &text.replace("defaults: {", &every));
    };
    declare("1s", "");
    add_to_entry(&fleet, 3, "pause: { reason: \"later\" }");
    publish(&fleet, store);
    let _worker = Worker::start_on(&fleet.env, &["--store", store]);
    wait_until("the first revision", || fleet.removed() == [2, 2, 0]);

    let waves =
        "  waves: [{ name: canary, select: { ring: canary }, settle: 1h }, { name: rest }]\n";
    declare("700h", waves);
    publish(&fleet, store);
    // By the manifests of the first revision, since its wave is not open.
    wait_until("the end of the pause", || fleet.removed() == [2, 2, 2]);
    let requests = || fleet.portal(2).counters().requests;
    wait_until("the longer interval", || {
        let so_far = requests();
        std::thread::sleep(Duration::from_secs(3));
        requests() == so_far
    });

    declare("1s", waves);
    add_to_entry(&fleet, 2, "mode: drift");
    let so_far = requests();
    publish(&fleet, store);
    wait_until("the shorter interval", || requests() > so_far + 10);
    // The mode is known now, or soon.
    std::thread::sleep(Duration::from_secs(11));
    before.into_iter().for_each(|row| fleet.portal(2).put_row(row));
    let so_far = requests();
    wait_until("more looks", || requests() > so_far + 10);
    assert_eq!(fleet.removed(), [2, 2, 2], "it is only looked at");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_parks_a_portal_of_mode_drift_that_refuses_the_webhook_as_any_other() {
    let fleet = Fleet::start(1).await;
    add_to_entry(&fleet, 1, "mode: drift");
    add_to_entry(&fleet, 1, "readWebhook: { file: \"reading\" }");
    let secret = fleet.secret(fleet.portal(1));
    let right = std::fs::read_to_string(fleet.env.at(&secret)).unwrap();
    fleet.env.file("secrets/reading", &right.replace("emulator", "reloaded"));
    let worker = Worker::start(&fleet, &[]);
    wait_until("the park", || worker.rounds("parked") >= 1.0);
    assert!(format!("{:?}", row(&fleet, 1).state.parked).contains("WebhookRefused"));
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(worker.rounds("parked"), 1.0, "the webhook that writes does not free it");
    fleet.env.file("secrets/reading", &right);
    wait_until("a look", || worker.rounds("succeeded") >= 1.0);
    assert_eq!(fleet.removed(), [0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_tells_portals_apart_whose_names_differ_in_one_sign() {
    let fleet = Fleet::start(1).await;
    let entry = |portal: &str| {
        format!(
            "    - portal: \"{portal}\"\n      labels: {{ ring: rest }}\n      values: {{ people: {{ ids: [8] }} }}\n"
        )
    };
    fleet.declare(&[entry("alike.localhost:1"), entry("alike.localhost_1")].concat());
    for _ in 0..2 {
        let mut worker = Worker::start(&fleet, &[]);
        wait_until("a round of each", || worker.portals("waiting") == Some(3.0));
        assert!(!worker.told().contains("damaged"), "{}", worker.told());
        assert_eq!(worker.metric(PROBLEMS), 0.0, "{}", worker.told());
        worker.signal("-TERM");
        assert_eq!(worker.code(), Some(143));
    }
    assert_eq!(fleet.removed(), [2]);
}
