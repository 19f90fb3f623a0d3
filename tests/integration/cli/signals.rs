//! Signals: the first one ends a waiting command within a second unless a run writes, and the
//! second one ends it at once.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use recard::ports::{Clock, LockOwner};
use recard::store::Store;
use serde_json::json;

use crate::support::company::resets_sent;
use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};
use crate::support::wait::Wait as _;

/// The promise is a second. A machine that does much else may take a little more, and what is stuck
/// takes a minute.
const SOON: Duration = Duration::from_secs(3);

const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 143)];

struct Standing;

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-01T09:00:00Z".parse().unwrap()
    }
}

fn signal(child: &Child, name: &str) {
    let sent =
        Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until a process listens for SIGINT and SIGTERM, and then has begun to wait for something
/// else.
fn wait_until_it_waits(child: &Child) {
    let listens = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .unwrap_or("0")
            .trim()
            .to_owned();
        let caught = u64::from_str_radix(&caught, 16).unwrap();
        caught & (1 << 1) != 0 && caught & (1 << 14) != 0
    };
    while !listens() {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(300));
}

/// Waits for the end of a process, and fails if it takes long.
fn ends_soon(mut child: Child, what: &str) -> CommandOutput {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.kill().unwrap();
            panic!(
                "{what} does not end: {:?}",
                CommandOutput::of(child.wait_with_output().unwrap())
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    CommandOutput::of(child.wait_with_output().unwrap())
}

fn piped(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a run has begun and its first request is under way.
fn wait_until_a_reset_is_sent(store: &Store) {
    while !store.unfinished().wait().is_ok_and(|run| run.is_some()) {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(300));
}

fn make_pipe(env: &TestEnv) {
    assert!(Command::new("mkfifo").arg(env.at("pipe")).status().unwrap().success());
}

#[test]
fn signal_ends_a_wait_for_stdin_pipe_or_reader() {
    let env = TestEnv::new();
    make_pipe(&env);
    env.file("lead.yaml", QUICKSTART);
    let cases: [&[&str]; 9] = [
        &["validate", "-f", "-"],
        &["plan", "--portal", "embedded", "-f", "-"],
        &["validate", "-f", "pipe"],
        &["plan", "--portal", "embedded", "-f", "lead.yaml", "-f", "pipe"],
        &["drift", "--portal", "embedded", "-f", "pipe"],
        &["plan", "-f", "lead.yaml", "--webhook-url-file", "pipe"],
        &["history", "--webhook-url-file", "pipe"],
        &["apply", "--portal", "embedded", "pipe"],
        &["validate", "-f", "lead.yaml", "--output", "json=pipe"],
    ];
    for (arguments, (name, code)) in cases.into_iter().zip(SIGNALS.into_iter().cycle()) {
        let child = piped(env.command(arguments).stdin(Stdio::piped()));
        wait_until_it_waits(&child);
        signal(&child, name);
        let ended = ends_soon(child, &format!("{arguments:?}"));
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("interrupted"), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn signal_ends_a_command_with_an_unread_stdout() {
    let env = TestEnv::new();
    // More than a pipe takes.
    let arguments = ["completions", "bash"];
    assert!(env.run(&arguments).stdout.len() > 100_000);
    for (name, code) in SIGNALS {
        let mut command = env.command(&arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        // Both go into one pipe, so that a word about the signal finds no room either.
        let mut child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
        drop(command);
        wait_until_it_waits(&child);
        signal(&child, name);
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < SOON, "{name}: {:?}", child.kill());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(child.wait().unwrap().code(), Some(code));
        drop(reader);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_ends_reads_of_a_stuck_portal_and_each_output_reports_it() {
    let env = TestEnv::with_manifest("{ ids: [7, 12] }").await;
    let emulator = env.emulator();
    let cases: [(&[&str], u64); 7] = [
        (&["plan", "-f", "lead.yaml"], 1),
        (&["plan", "-f", "lead.yaml"], 2),
        (&["drift", "-f", "lead.yaml"], 2),
        (&["apply", "-f", "lead.yaml", "--auto-approve"], 2),
        (&["doctor"], 1),
        (&["inventory"], 2),
        (&["export"], 2),
    ];
    for ((arguments, nth), (name, code)) in cases.into_iter().zip(SIGNALS.into_iter().cycle()) {
        let slow = json!([{"method": "*", "nth": nth, "do": "slow", "ms": 60_000}]);
        emulator.set_faults(&slow).unwrap();
        let before = emulator.counters().requests;
        let has_reports = ["plan", "drift", "apply"].contains(&arguments[0]);
        let output: &[&str] = if has_reports { &["--output", "json=report.json"] } else { &[] };
        let child = piped(&mut env.command(&[arguments, output].concat()));
        while emulator.counters().requests < before + nth {
            std::thread::yield_now();
        }
        signal(&child, name);
        let ended = tokio::task::block_in_place(|| {
            ends_soon(child, &format!("{arguments:?}, request {nth}"))
        });
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        if has_reports {
            let report = std::fs::read_to_string(env.at("report.json")).unwrap();
            let report: serde_json::Value = serde_json::from_str(&report).unwrap();
            assert_eq!(report["exitCode"], code, "{report}");
        }
        emulator.set_faults(&json!([])).unwrap();
        // It has ended in order: its name is in no lock.
        let store = env.store();
        assert_eq!(store.lock_owner().await.unwrap(), None, "{arguments:?}");
    }
    assert_eq!(resets_sent(emulator), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_ends_a_wait_for_the_lock_or_git() {
    let env = TestEnv::with_manifest("{ ids: [7, 12] }").await;
    let emulator = env.emulator();
    let store = env.store();
    let owner = LockOwner {
        process: std::process::id(),
        host: "build".to_owned(),
        actor: String::new(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    };
    let apply = ["apply", "-f", "lead.yaml", "--auto-approve", "--lock-timeout", "10m"];
    let held = store.lock(owner, Arc::new(Standing)).await.unwrap();
    for (name, code) in SIGNALS {
        let before = emulator.counters().requests;
        let child = piped(&mut env.command(&apply));
        // It knows the caller, and waits for the lock.
        while emulator.counters().requests == before {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, name);
        let ended = tokio::task::block_in_place(|| ends_soon(child, "the wait for the lock"));
        assert_eq!(ended.code, code, "{ended:?}");
    }
    drop(held);

    let git = env.file("bin/git", "#!/bin/sh\nexec sleep 10\n");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", git.parent().unwrap().display());
    for (name, code) in SIGNALS {
        let child = piped(env.command(&["plan", "-f", "lead.yaml"]).env("PATH", &path));
        wait_until_it_waits(&child);
        signal(&child, name);
        let ended = tokio::task::block_in_place(|| ends_soon(child, "the wait for git"));
        assert_eq!(ended.code, code, "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_ends_the_wait_for_late_requests() {
    let env = TestEnv::with_manifest("{ ids: [7, 12] }").await;
    let emulator = env.emulator();
    let inside = "crm.lead.details.configuration.reset";
    let slow = json!([{"method": "batch", "inside": inside, "nth": 1, "do": "slow", "ms": 60_000}]);
    emulator.set_faults(&slow).unwrap();
    let store = env.store();
    let mut child = piped(&mut env.command(&["apply", "-f", "lead.yaml", "--auto-approve"]));
    wait_until_a_reset_is_sent(&store);
    child.kill().unwrap();
    child.wait().unwrap();
    emulator.set_faults(&json!([])).unwrap();
    let run = store.unfinished().await.unwrap().unwrap();
    let before = emulator.counters().requests;
    let child = piped(&mut env.command(&["recover", "--settle-time", "5m"]));
    while emulator.counters().requests == before {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "TERM");
    let ended = tokio::task::block_in_place(|| ends_soon(child, "recover"));
    assert_eq!(ended.code, 143, "{ended:?}");
    assert_eq!(store.unfinished().await.unwrap(), Some(run));
    assert_eq!(store.lock_owner().await.unwrap(), None);
    // The caller is known, and the cards are not shown.
    emulator.set_faults(&json!([{"method": "*", "nth": 2, "do": "slow", "ms": 60_000}])).unwrap();
    let before = emulator.counters().requests;
    let child = piped(&mut env.command(&["recover", "--settle-time", "0s"]));
    while emulator.counters().requests < before + 2 {
        std::thread::yield_now();
    }
    signal(&child, "INT");
    let ended = tokio::task::block_in_place(|| ends_soon(child, "recover that reads"));
    assert_eq!(ended.code, 130, "{ended:?}");
    emulator.set_faults(&json!([])).unwrap();
    assert_ne!(env.run(&["recover", "--settle-time", "0s"]).code, 1);
    assert_eq!(store.unfinished().await.unwrap(), None);
}

#[test]
fn hangup_ends_a_command_unless_it_was_ignored_at_the_start() {
    let env = TestEnv::new();
    for (ignored, code) in [("", 143), ("trap '' HUP; ", 130)] {
        let script = format!("{ignored}exec '{}' emulate", env!("CARGO_BIN_EXE_recard"));
        let mut command = Command::new("sh");
        let child = piped(
            command.args(["-c", &script]).current_dir(env.path()).env_clear().stdin(Stdio::null()),
        );
        wait_until_it_waits(&child);
        signal(&child, "HUP");
        std::thread::sleep(Duration::from_millis(300));
        // Of one that has ended, only what waits for its parent is left.
        signal(&child, "INT");
        let ended = ends_soon(child, "the emulator");
        assert_eq!(ended.code, code, "{ignored}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signal_during_a_write_waits_for_it_and_a_second_one_does_not() {
    for signals in [1, 2] {
        let env = TestEnv::with_manifest("{ ids: [7, 12] }").await;
        let emulator = env.emulator();
        let inside = "crm.lead.details.configuration.reset";
        let slow =
            json!([{"method": "batch", "inside": inside, "nth": 1, "do": "slow", "ms": 3_000}]);
        emulator.set_faults(&slow).unwrap();
        let store = env.store();
        let child = piped(&mut env.command(&["apply", "-f", "lead.yaml", "--auto-approve"]));
        wait_until_a_reset_is_sent(&store);
        let begun = Instant::now();
        for _ in 0..signals {
            signal(&child, "HUP");
            std::thread::sleep(Duration::from_millis(200));
        }
        let ended =
            tokio::task::block_in_place(|| CommandOutput::of(child.wait_with_output().unwrap()));
        assert_eq!(ended.code, 143, "{ended:?}");
        assert_eq!(store.unfinished().await.unwrap().is_some(), signals == 2, "{ended:?}");
        assert_eq!(begun.elapsed() < Duration::from_secs(2), signals == 2, "{ended:?}");
    }
}
