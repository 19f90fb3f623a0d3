//! Kills of the recard process at seeded moments: nothing is lost, the report is true, and a
//! restore is possible.
//!
//! The program runs as a process of its own and is killed for good; the portal lives on in this
//! one. Each seed is another moment, from the first breath of the process to just behind its end.
//! The nightly form has 200 seeds: `cargo test --test integration crash:: -- --ignored`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use recard::emulator::Emulator;
use recard::model::{CardKey, Digest, Layout};
use recard::ports::{Archive as _, JournalRecord};
use recard::store::{Store, StoreLocation};
use serde_json::Value;

use crate::support::company::manifest;
use crate::support::env::{CommandOutput, TestEnv};
#[cfg(all(unix, feature = "postgres"))]
use crate::support::postgres::TestDatabase;
use crate::support::wait::Wait as _;

/// Number of cards that an apply resets.
pub(super) const TARGETS: usize = 500;

/// A portal with the cards of many people, each with a layout of its own.
pub(super) async fn portal() -> (TestEnv, Value) {
    let (env, _) = TestEnv::with_customized_cards(TARGETS).await;
    let state = env.emulator().state();
    (env, state)
}

/// A folder for a life of its own, with a manifest for the portal.
pub(super) fn folder_for(portal: &TestEnv) -> TestEnv {
    let env = TestEnv::with_webhook(portal.webhook());
    write_manifest(&env, portal);
    env
}

fn write_manifest(env: &TestEnv, portal: &TestEnv) {
    let guards = format!(
        "  guards:
    acknowledge: {{ users: {TARGETS} }}
"
    );
    let users = "{ all: true, except: { ids: [1] } }";
    let manifest =
        manifest(&portal.portal(), users, &guards).replace("[simple, repeat]", "[simple]");
    env.file("lead.yaml", &manifest);
}

/// Store of the applies that are killed.
enum Home {
    /// The folder of each life.
    Folder,
    #[cfg(all(unix, feature = "postgres"))]
    Database(TestDatabase),
}

impl Home {
    /// Opens the store of a portal in another folder than that of the portal.
    fn store(&self, env: &TestEnv, portal: &TestEnv) -> Store {
        let location: StoreLocation = match self {
            Self::Folder => env.at(".recard").into(),
            #[cfg(all(unix, feature = "postgres"))]
            Self::Database(database) => StoreLocation::Database(database.open().wait()),
        };
        Store::open(&location, &portal.portal().parse().unwrap()).unwrap()
    }

    /// Returns the words of a command on this store.
    fn words<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let store: &[&str] = match self {
            Self::Folder => &[],
            #[cfg(all(unix, feature = "postgres"))]
            Self::Database(database) => &["--store", &database.url],
        };
        [arguments, store].concat()
    }

    fn run(&self, env: &TestEnv, arguments: &[&str]) -> CommandOutput {
        env.run(&self.words(arguments))
    }

    /// Makes the store empty, or ends the lease of a process that was killed.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "a folder needs neither")
    )]
    fn execute(&self, statement: &str) {
        match self {
            Self::Folder => {}
            #[cfg(all(unix, feature = "postgres"))]
            Self::Database(database) => {
                let run = async { database.client().await.batch_execute(statement).await };
                run.wait().unwrap();
            }
        }
    }
}

/// Empties the tables of a database, in which all lives are of one portal.
const EMPTY: &str = "truncate recard.portal cascade";

/// Ends the lease of a process that was killed, as its time does.
pub(super) const END_LEASE: &str = "update recard.portal set lease = now() where lease is not null";

const APPLY: [&str; 6] = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];

fn start(env: &TestEnv, arguments: &[&str]) -> Child {
    env.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Every card that is arranged, with the digest of its layout.
pub(super) fn cards(emulator: &Emulator) -> BTreeMap<CardKey, Digest> {
    let state = emulator.state();
    let rows =
        state["options"].as_array().unwrap().iter().filter(|row| row["name"] == "lead_details");
    let card = |row: &Value| {
        let key: CardKey = format!("personal/{}/lead/simple", row["user_id"]).parse().unwrap();
        let value = &row["value"];
        let sections = if value[0]["type"] == "column" { &value[0]["elements"] } else { value };
        (key, Layout::from_json(&sections.to_string()).unwrap().digest())
    };
    rows.map(card).collect()
}

/// Lets a command run until it is killed at a moment between its start and `longest`, or has come
/// to its end.
fn run_and_kill(
    home: &Home,
    env: &TestEnv,
    arguments: &[&str],
    chance: &mut StdRng,
    longest: Duration,
) {
    let mut child = start(env, &home.words(arguments));
    // Not to wait for anything: the moment itself is what is tried.
    std::thread::sleep(longest.mul_f64(chance.random_range(0.0..1.05)));
    let _ = child.kill();
    child.wait().unwrap();
    home.execute(END_LEASE);
}

/// How long a command takes that nobody kills.
fn time(env: &TestEnv, arguments: &[&str]) -> Duration {
    let begin = Instant::now();
    let mut child = start(env, arguments);
    assert!(child.wait().unwrap().success());
    begin.elapsed()
}

/// The whole life of an apply that is killed.
fn survive(
    home: &Home,
    portal: &TestEnv,
    state: &Value,
    seed: u64,
    longest: (Duration, Duration),
) -> &'static str {
    let emulator = portal.emulator();
    emulator.set_state(state).unwrap();
    let before = cards(emulator);
    let env = folder_for(portal);
    home.execute(EMPTY);
    let mut chance = StdRng::seed_from_u64(seed);
    run_and_kill(home, &env, &APPLY, &mut chance, longest.0);

    let store = home.store(&env, portal);
    let Some(run) = store.run_ids().wait().unwrap().pop() else {
        assert_eq!(cards(emulator), before, "seed {seed}: something was written without a journal");
        return "before the journal";
    };

    // Every layout that is gone from the portal lies in a backup that can be read. Requests of the
    // dead process may still arrive behind this, and are looked at once more below.
    let all_backed_up = |left: &BTreeMap<CardKey, Digest>| {
        let check = async {
            for (key, digest) in before.iter().filter(|(key, _)| !left.contains_key(key)) {
                let kept = store.backup(&run, *key, *digest).await.unwrap();
                assert_eq!(kept.digest(), *digest, "seed {seed}: {key}");
            }
        };
        check.wait();
    };
    all_backed_up(&cards(emulator));
    let cut = store.unfinished().wait().unwrap().is_some();
    if cut {
        // Nothing new is begun over it.
        let refused = home.run(&env, &APPLY);
        assert_eq!(refused.code, 4, "seed {seed}: {refused:?}");
        assert_eq!(store.run_ids().wait().unwrap(), std::slice::from_ref(&run), "seed {seed}");
    }

    let resumed = home.run(&env, &RESUME);
    assert!([0, 3].contains(&resumed.code), "seed {seed}: {resumed:?}");
    let left = cards(emulator);
    all_backed_up(&left);
    let summary = store.summary(&run).wait().unwrap();
    assert_eq!(summary.totals().planned() as usize, summary.header.targets.len(), "seed {seed}");
    assert_eq!(summary.header.targets.len(), TARGETS, "seed {seed}");
    assert_eq!(summary.totals().unknown, 0, "seed {seed}: every card can be read");
    assert_eq!(summary.totals().done as usize, TARGETS - left.len(), "seed {seed}");

    // The way back is a run of its own, and may be killed, too.
    if seed.is_multiple_of(4) {
        run_and_kill(home, &env, &RESTORE, &mut chance, longest.1);
        let settled = home.run(&env, &RESUME);
        assert!([0, 3].contains(&settled.code), "seed {seed}: {settled:?}");
    }
    let back = ["restore", run.as_str(), "--all", "--auto-approve", "--rate", "unlimited"];
    let restored = home.run(&env, &back);
    assert_eq!(restored.code, 0, "seed {seed}: {restored:?}");
    assert_eq!(cards(emulator), before, "seed {seed}: everything is back");
    let verified = home.run(&env, &["audit", "verify"]);
    assert_eq!(verified.code, 0, "seed {seed}: {verified:?}");
    assert_eq!(emulator.complaints(), [], "seed {seed}");
    if cut { "in the run" } else { "after the run" }
}

/// The requests of the dead process arrive within moments: the portal is on this machine.
const RESUME: [&str; 5] = ["recover", "--rate", "unlimited", "--settle-time", "300ms"];

const RESTORE: [&str; 6] = ["restore", "last", "--all", "--auto-approve", "--rate", "unlimited"];

async fn survive_all(home: &Home, seeds: std::ops::Range<u64>) {
    let (portal, state) = portal().await;
    tokio::task::block_in_place(|| {
        let env = folder_for(&portal);
        let longest = (time(&env, &home.words(&APPLY)), time(&env, &home.words(&RESTORE)));
        let mut moments = BTreeMap::new();
        for seed in seeds {
            *moments.entry(survive(home, &portal, &state, seed, longest)).or_insert(0) += 1;
        }
        // A machine whose speed changes on the way may shift the moments, but not all of them out
        // of the run.
        assert!(moments.contains_key("in the run"), "no moment was in the run: {moments:?}");
    });
}

// Two tests with ten moments each, because two run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_killed_at_any_moment_can_be_resumed_and_restored() {
    survive_all(&Home::Folder, 0..10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_killed_at_ten_more_moments_can_be_resumed_and_restored() {
    survive_all(&Home::Folder, 10..20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: the nightly form of the tests above"]
async fn apply_killed_at_two_hundred_moments_can_be_resumed_and_restored() {
    survive_all(&Home::Folder, 1000..1200).await;
}

#[cfg(all(unix, feature = "postgres"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_on_a_database_killed_at_any_moment_can_be_resumed_and_restored() {
    let Some(database) = TestDatabase::create().await else { return };
    survive_all(&Home::Database(database), 0..4).await;
}

#[cfg(all(unix, feature = "postgres"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: the nightly form of the test above"]
async fn apply_on_a_database_killed_at_three_hundred_moments_can_be_resumed_and_restored() {
    let Some(database) = TestDatabase::create().await else { return };
    survive_all(&Home::Database(database), 2000..2300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn intent_in_the_journal_of_a_killed_apply_has_its_backup() {
    let (env, state) = portal().await;
    write_manifest(&env, &env);
    let emulator = env.emulator();
    tokio::task::block_in_place(|| {
        let mut child = start(&env, &APPLY);
        // Killed at the first reset that arrives, with others under way.
        while child.try_wait().unwrap().is_none() && emulator.counters().rows_removed == 0 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = env.store();
        let run = store.unfinished().wait().unwrap().unwrap();
        let mut intended = BTreeSet::new();
        for record in store.journal(&run).wait().unwrap() {
            if let JournalRecord::Intent { targets } = record {
                for (key, digest) in targets {
                    let digest = digest.unwrap();
                    assert_eq!(store.backup(&run, key, digest).wait().unwrap().digest(), digest);
                    intended.insert(key);
                }
            }
        }
        let left = cards(emulator);
        let gone: BTreeSet<CardKey> =
            cards_of(&state).into_iter().filter(|key| !left.contains_key(key)).collect();
        assert!(!gone.is_empty());
        assert!(gone.is_subset(&intended), "a reset left without an intent");
        // Whoever comes next is told of the dead owner.
        let resumed = env.run(&RESUME);
        assert!(resumed.stderr.contains("unclean end of process"), "{resumed:?}");
    });
}

fn cards_of(state: &Value) -> BTreeSet<CardKey> {
    let rows =
        state["options"].as_array().unwrap().iter().filter(|row| row["name"] == "lead_details");
    rows.map(|row| format!("personal/{}/lead/simple", row["user_id"]).parse().unwrap()).collect()
}
