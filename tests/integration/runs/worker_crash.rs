//! Kills of a worker at seeded moments of a real apply: another worker takes over.
//!
//! Each life begins with a portal that no worker knows. The nightly form has 300 of them:
//! `cargo test --features postgres --test integration worker_crash:: -- --ignored --nocapture`.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use recard::model::{CardKey, Digest};
use recard::store::{Store, StoreLocation};
use serde_json::Value;
use tokio_postgres::Client;

use super::crash::{END_LEASE, TARGETS, cards, folder_for, portal};
use super::reconcile::Running;
use crate::support::env::{CommandOutput, TestEnv};
use crate::support::postgres::TestDatabase;

/// Time for the answer to a request of the dead worker that is in flight.
const IN_FLIGHT: Duration = Duration::from_millis(300);

/// Tells if the portal had its round, and no run is open.
const SETTLED: &str = "select count(*) from recard.portal where claim is null \
     and round_failed = false and parked is null and attempts = 0 and not exists (select from \
     recard.run where run.portal = portal.portal and not exists (select from recard.journal \
     where journal.portal = run.portal and journal.run = run.run and line like '%\"closed\"%'))";

/// Where kills fell, and what came of them.
#[derive(Debug, Default)]
struct Figures {
    moments: BTreeMap<&'static str, usize>,
    cards_settled: u64,
    cards_restored: usize,
}

/// Portal, database and folder of one life.
struct Life<'a> {
    portal: &'a TestEnv,
    database: &'a TestDatabase,
    client: &'a Client,
    env: TestEnv,
    seed: u64,
}

impl<'a> Life<'a> {
    async fn begin(
        (portal, state): (&'a TestEnv, &Value),
        database: &'a TestDatabase,
        client: &'a Client,
        seed: u64,
    ) -> Self {
        portal.emulator().set_state(state).unwrap();
        let empty =
            "truncate recard.portal, recard.rollout, recard.revision, recard.worker cascade";
        client.batch_execute(empty).await.unwrap();
        let env = folder_for(portal);
        let host = portal.portal();
        env.file(&format!("secrets/{}", host.replace(':', "_")), portal.webhook());
        let fleet = format!(
            "apiVersion: recard/v1\nkind: Fleet\nmetadata: {{ name: test, reason: Test }}\nspec:\n  \
             defaults: {{ manifests: [lead.yaml], webhook: {{ file: \"{{portal}}\" }} }}\n  \
             portals: [{{ portal: \"{host}\" }}]\n"
        );
        env.file("fleet.yaml", &fleet);
        let life = Self { portal, database, client, env, seed };
        let published = life.run(&["fleet", "publish"]);
        assert_eq!(published.code, 0, "seed {seed}: {published:?}");
        life
    }

    fn run(&self, arguments: &[&str]) -> CommandOutput {
        self.env.run(&[arguments, &["--store", &self.database.url]].concat())
    }

    fn worker(&self) -> Running {
        let arguments = ["worker", "--secrets", "secrets", "--rate", "unlimited", "--lease", "5s"];
        let mut command = self.env.command(&arguments);
        command.args(["--store", &self.database.url]);
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    async fn count(&self, text: &str) -> i64 {
        self.client.query_one(text, &[]).await.unwrap().get(0)
    }

    /// Lets a worker have its round, and ends it in order.
    async fn settle(&self) {
        let workers = "select count(*) from recard.worker";
        let before = self.count(workers).await;
        let (mut worker, begun) = (self.worker(), Instant::now());
        while self.count(workers).await == before || self.count(SETTLED).await == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "seed {}: no round", self.seed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let id = worker.0.id().to_string();
        let ended = std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(ended.success());
        assert_eq!(worker.0.wait().unwrap().code(), Some(143), "seed {}", self.seed);
    }

    /// Checks the laws of the crash test, and restores everything.
    async fn check(&self, before: &BTreeMap<CardKey, Digest>) -> (u64, usize) {
        let (seed, emulator) = (self.seed, self.portal.emulator());
        assert_eq!(cards(emulator).len(), 0, "seed {seed}: every card is reset");
        let location = StoreLocation::Database(self.database.open().await);
        let store = Store::open(&location, &self.portal.portal().parse().unwrap()).unwrap();
        let mut runs = store.run_ids().await.unwrap();
        runs.sort();
        let mut settled = 0;
        for run in &runs {
            let totals = store.summary(run).await.unwrap().totals();
            assert_eq!(totals.unknown, 0, "seed {seed}: {totals:?}");
            settled += u64::from(totals.done);
        }
        assert_eq!(settled, TARGETS as u64, "seed {seed}: each card once");
        for run in runs.iter().rev() {
            let back = ["restore", run.as_str(), "--all", "--auto-approve", "--rate", "unlimited"];
            let restored = self.run(&back);
            assert_eq!(restored.code, 0, "seed {seed}: {restored:?}");
        }
        let after = cards(emulator);
        assert_eq!(after, *before, "seed {seed}: everything is back");
        let verified = self.run(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "seed {seed}: {verified:?}");
        assert_eq!(emulator.complaints(), [], "seed {seed}");
        (settled, after.len())
    }
}

#[allow(clippy::print_stdout, reason = "the figures of the nightly form")]
async fn survive_all(seeds: std::ops::Range<u64>) {
    let Some(database) = TestDatabase::create().await else { return };
    let (portal, state) = portal().await;
    let client = database.client().await;
    let before = cards(portal.emulator());
    let first = Life::begin((&portal, &state), &database, &client, 0).await;
    let begun = Instant::now();
    first.settle().await;
    let longest = begun.elapsed();
    let mut figures = Figures::default();
    for seed in seeds {
        let life = Life::begin((&portal, &state), &database, &client, seed).await;
        let mut chance = StdRng::seed_from_u64(seed);
        let killed = life.worker();
        // Not to wait for anything: the moment itself is what is tried.
        tokio::time::sleep(longest.mul_f64(chance.random_range(0.0..1.05))).await;
        drop(killed);
        tokio::time::sleep(IN_FLIGHT).await;
        let moment = match life.count(SETTLED).await {
            1 => "behind the round",
            _ => match life.count("select count(*) from recard.run").await {
                0 => "before the journal",
                _ => "in the run",
            },
        };
        *figures.moments.entry(moment).or_default() += 1;
        client.batch_execute(END_LEASE).await.unwrap();
        life.settle().await;
        let (settled, restored) = life.check(&before).await;
        figures.cards_settled += settled;
        figures.cards_restored += restored;
        if (seed + 1).is_multiple_of(50) {
            println!("{figures:?}");
        }
    }
    println!("{figures:?}; {longest:?} a round");
    let moments = &figures.moments;
    // A machine whose speed changes on the way may shift the moments, but not all of them out of
    // the run.
    assert!(moments.contains_key("in the run"), "no moment was in the run: {moments:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_killed_at_any_moment_of_an_apply_is_taken_over_by_another() {
    survive_all(0..5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: the nightly form of the test above"]
async fn worker_killed_at_three_hundred_moments_of_an_apply_is_taken_over_by_another() {
    survive_all(2000..2300).await;
}
