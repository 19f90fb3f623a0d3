//! The lock of a portal, and signals to an apply: one process writes, and a stop leaves a complete
//! journal.

use std::process::{Child, Command};
use std::time::Duration;

use recard::emulator::{EmulatorOptions, Seed};
use recard::store::{LockState, RunEnd};
use serde_json::json;

use super::safeguards::APPLY;
use crate::support::company::{ids, resets_sent};
use crate::support::env::{CommandOutput, TestEnv};
use crate::support::wait::Wait as _;

/// Waits until a process holds the lock of the portal.
fn wait_until_locked(env: &TestEnv) {
    while !matches!(env.store().lock_owner().wait(), Ok(Some(_))) {
        std::thread::yield_now();
    }
}

pub(super) fn ended(child: Child) -> CommandOutput {
    CommandOutput::of(child.wait_with_output().unwrap())
}

/// Sends a signal to a process that the test started.
fn signal(child: &Child, name: &str) {
    let sent =
        Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_on_a_locked_portal_writes_nothing() {
    let (env, people) = TestEnv::with_customized_cards(20).await;
    env.write_manifest(&ids(&people), "");
    // The first one meets a slow portal, so that it surely holds the lock when the second one
    // comes.
    env.emulator()
        .set_faults(&json!([{"method": "*", "nth": 2, "do": "slow", "ms": 700}]))
        .unwrap();
    tokio::task::block_in_place(|| {
        let first = env.spawn(&APPLY);
        wait_until_locked(&env);
        let second = env.run(&APPLY);
        assert_eq!(second.code, 6, "{second:?}");
        assert!(
            second.stderr.contains(&format!("locked by process {} on", first.id())),
            "{second:?}"
        );
        let unlocked = env.run(&["unlock", "--auto-approve"]);
        assert_eq!(unlocked.code, 6, "a living owner keeps its lock: {unlocked:?}");
        // Whoever waits gets their turn, and finds nothing to do.
        let waiting = env.spawn(&[&APPLY[..], &["--lock-timeout", "60s"]].concat());
        let first = ended(first);
        assert_eq!(first.code, 0, "{first:?}");
        let waiting = ended(waiting);
        assert_eq!(waiting.code, 0, "{waiting:?}");
        assert!(waiting.stdout.contains("No changes"), "{waiting:?}");
    });
    assert_eq!((resets_sent(env.emulator()), env.emulator().counters().rows_removed), (20, 20));
    assert_eq!(env.store().run_ids().await.unwrap().len(), 1);
    assert_eq!(env.run(&["audit", "verify"]).code, 0);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_of_a_killed_owner_is_taken_over_with_a_note() {
    let (env, people) = TestEnv::with_customized_cards(20).await;
    env.write_manifest(&ids(&people), "");
    env.emulator()
        .set_faults(&json!([{"method": "*", "nth": 2, "do": "slow", "ms": 60000}]))
        .unwrap();
    tokio::task::block_in_place(|| {
        let mut first = env.spawn(&APPLY);
        wait_until_locked(&env);
        first.kill().unwrap();
        first.wait().unwrap();
        env.emulator().set_faults(&json!([])).unwrap();
        let next = env.run(&APPLY);
        assert_eq!(next.code, 0, "{next:?}");
        let note = format!("unclean end of process {} on", first.id());
        assert!(next.stderr.contains(&note), "{next:?}");
        let trail = env.run(&["audit", "show"]);
        assert!(trail.stdout.contains(&note), "{trail:?}");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_of_a_dead_owner_is_shown_and_released_after_a_confirmation() {
    let env = TestEnv::start().await;
    env.write_manifest("{ ids: [12] }", "");
    let free = env.run(&["unlock"]);
    assert_eq!((free.code, free.stdout.contains("Nobody holds the lock")), (0, true), "{free:?}");
    assert_eq!(env.run(&["plan", "-f", "lead.yaml"]).code, 0);
    // What another host left in a shared folder, where nobody here can tell whether it lives.
    let lock = env.store_folder().join("lock");
    let owner = recard::ports::LockOwner {
        process: 4711,
        host: "elsewhere".to_owned(),
        actor: "anna".to_owned(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    };
    let record = recard::records::LockRecord { owner, process: None, file: String::new() };
    recard::store::write_whole(&lock, &recard::records::encode_lock(&record).unwrap()).unwrap();
    let refused = env.run(&APPLY);
    assert_eq!(refused.code, 6, "{refused:?}");
    assert!(refused.stderr.contains("locked by process 4711 on elsewhere (anna)"), "{refused:?}");
    let asked = env.run(&["unlock"]);
    assert_eq!(asked.code, 4, "there is no terminal to ask on: {asked:?}");
    assert!(asked.stdout.contains("locked by process 4711 on elsewhere (anna)"), "{asked:?}");
    assert_eq!(env.run(&APPLY).code, 6);
    let given = env.run(&["unlock", "--auto-approve"]);
    assert_eq!(given.code, 0, "{given:?}");
    assert_eq!(env.run(&APPLY).code, 0);
    let trail = env.run(&["audit", "show"]);
    assert!(
        trail.stdout.contains("process 4711 on elsewhere")
            && trail.stdout.contains("given back by hand"),
        "{trail:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_during_apply_finishes_the_request_and_the_journal() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let options = EmulatorOptions {
            seed: Seed::Users(600),
            command_time: Duration::from_millis(2),
            ..EmulatorOptions::default()
        };
        let env = TestEnv::start_with(options).await;
        let all = "{ all: true, except: { ids: [1] } }";
        env.write_manifest(all, "  guards:\n    acknowledge: { users: 600 }\n");
        tokio::task::block_in_place(|| {
            let apply = env.spawn(&APPLY);
            while env.emulator().counters().rows_removed == 0 {
                std::thread::yield_now();
            }
            signal(&apply, name);
            let stopped = ended(apply);
            assert_eq!(stopped.code, code, "{stopped:?}");
            assert!(stopped.stdout.contains("The run ended early: interrupted"), "{stopped:?}");
        });
        let store = env.store();
        assert_eq!(store.unfinished().wait().unwrap(), None, "the journal is complete");
        let summary = store.summary(&store.run_ids().await.unwrap()[0]).await.unwrap();
        assert!(matches!(summary.end, RunEnd::Closed(recard::ports::Interrupted::Yes)));
        let totals = summary.totals();
        assert_eq!(totals.planned() as usize, summary.header.targets.len());
        assert_eq!(u64::from(totals.done), env.emulator().counters().rows_removed, "{totals:?}");
        assert!(totals.done > 0 && totals.failed > 0 && totals.unknown == 0, "{totals:?}");
        assert_eq!(store.lock_state().await.unwrap(), LockState::Free);
        // The rest can be done at once.
        let rest = env.run(&APPLY);
        assert_eq!(rest.code, 0, "{rest:?}");
        assert_eq!(env.emulator().complaints(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_for_the_second_time_stops_at_once_with_a_valid_journal() {
    let (env, people) = TestEnv::with_customized_cards(20).await;
    env.write_manifest(&ids(&people), "");
    tokio::task::block_in_place(|| {
        // The first request that resets somebody takes a minute.
        let inside = "crm.lead.details.configuration.reset";
        let script =
            json!([{"method": "batch", "inside": inside, "nth": 1, "do": "slow", "ms": 60000}]);
        env.emulator().set_faults(&script).unwrap();
        let mut apply = env.spawn(&APPLY);
        while !env.store().unfinished().wait().is_ok_and(|run| run.is_some()) {
            std::thread::yield_now();
        }
        signal(&apply, "INT");
        // It has noticed once it says so.
        let mut said = String::new();
        let mut stderr = std::io::BufReader::new(apply.stderr.take().unwrap());
        while !said.contains("a second signal stops at once") {
            assert!(std::io::BufRead::read_line(&mut stderr, &mut said).unwrap() > 0, "{said}");
        }
        signal(&apply, "INT");
        assert_eq!(apply.wait().unwrap().code(), Some(130));
        env.emulator().set_faults(&json!([])).unwrap();
        let run = env.store().unfinished().wait().unwrap().unwrap();
        let resumed = env.run(&["recover", "--settle-time", "0s"]);
        assert_eq!(resumed.code, 3, "{resumed:?}");
        let summary = env.store().summary(&run).wait().unwrap();
        assert_eq!(summary.totals().planned(), 20);
    });
}
