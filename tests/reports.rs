//! Reports of runs: the listed outcomes, and runs whose report cannot be written.

#![cfg(all(target_os = "linux", feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::fs::File;
use std::process::{Command, Stdio};

use recard::emulator::Emulator;
use recard::model::RunId;
use recard::store::Store;
use serde_json::{Value, json};

use support::company::{manifest, portal_of, resets_sent};
use support::recard::{Ended, Place};

const RESET: &str = "crm.lead.details.configuration.reset";
const APPLY: [&str; 6] = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];

/// A portal, and a folder with its webhook and a manifest.
struct World {
    emulator: Emulator,
    place: Place,
}

impl World {
    async fn new() -> Self {
        let emulator = Emulator::start().await.unwrap();
        let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
        place.file("lead.yaml", &manifest(&portal_of(&emulator), "{ ids: [12, 14] }", ""));
        Self { emulator, place }
    }

    fn faults(&self, script: &Value) {
        self.emulator.set_faults(script).unwrap();
    }

    fn store(&self) -> Store {
        Store::open(&self.place.path().join(".recard"), &portal_of(&self.emulator).parse().unwrap())
            .unwrap()
    }

    fn rows(&self) -> Value {
        self.emulator.state()["options"].clone()
    }

    /// Kills an apply while the answer to its reset is on the way, and returns its run.
    fn killed_apply(&self) -> RunId {
        self.faults(
            &json!([{"method": "batch", "inside": RESET, "nth": 1, "do": "slow", "ms": 60_000}]),
        );
        let before = resets_sent(&self.emulator);
        let stderr = self.place.path().join("killed.stderr");
        let mut command = self.place.command(&APPLY);
        command.stdout(Stdio::null()).stderr(File::create(&stderr).unwrap());
        let mut child = command.spawn().unwrap();
        while resets_sent(&self.emulator) == before
            || self.store().unfinished().ok().flatten().is_none()
        {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {}", std::fs::read_to_string(&stderr).unwrap());
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        self.faults(&json!([]));
        self.store().unfinished().unwrap().unwrap()
    }
}

/// Runs a command whose stdout cannot be written: a full device, or a pipe without a reader.
fn unheard(mut command: Command, stdout: &str) -> Ended {
    let (_, writer) = std::io::pipe().unwrap();
    match stdout {
        "full" => command.stdout(File::options().write(true).open("/dev/full").unwrap()),
        _ => command.stdout(writer),
    };
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // The command holds its own copy of the writer.
    drop(command);
    Ended::of(child.wait_with_output().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_report_lists_resets_whose_layout_was_not_seen_before() {
    let world = World::new().await;
    let seen = world.place.run(&APPLY);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(!seen.stdout.contains("was not seen"), "{seen:?}");
    let back =
        world.place.run(&["restore", "last", "--all", "--auto-approve", "--rate", "unlimited"]);
    assert_eq!(back.code, 0, "{back:?}");
    // The batch is executed, and its answer with the reads before the resets is lost.
    world.faults(&json!([{"method": "batch", "inside": RESET, "nth": 1, "do": "cut-after"}]));
    let unseen = world.place.run(&APPLY);
    assert_eq!(unseen.code, 0, "{unseen:?}");
    let listed: Vec<&str> = unseen.stdout.lines().filter(|line| line.starts_with("done")).collect();
    let [line] = listed.as_slice() else { panic!("{unseen:?}") };
    // The two cards may travel in one request each, in any order.
    assert!(line.contains("personal/12/simple") || line.contains("personal/14/simple"), "{line}");
    assert!(
        line.ends_with("what it held just before was not seen, the backup is of the plan"),
        "{line}"
    );
    assert!(unseen.stdout.contains("Done: 2 of 2 cards"), "{unseen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resume_whose_report_cannot_be_written_tells_the_run_and_the_way_back() {
    for stdout in ["full", "gone"] {
        let world = World::new().await;
        let before = world.rows();
        let run = world.killed_apply();
        let resume = world.place.command(&["resume", "--settle-time", "0s", "--rate", "unlimited"]);
        let ended = unheard(resume, stdout);
        assert_eq!(ended.code, 3, "{stdout}: {ended:?}");
        for told in [
            "personal/12/simple",
            "Done: ",
            &format!("the run {run} is over, but its report could not be written"),
            &format!("recard show {run}"),
            &format!("recard restore {run} --all"),
        ] {
            assert!(ended.stderr.contains(told), "{stdout}: {told}: {ended:?}");
        }
        assert_eq!(world.store().unfinished().unwrap(), None);
        let back = world.place.run(&[
            "restore",
            &run.to_string(),
            "--all",
            "--auto-approve",
            "--rate",
            "unlimited",
        ]);
        assert_eq!(back.code, 0, "{stdout}: {back:?}");
        assert_eq!(world.rows().as_array().unwrap().len(), before.as_array().unwrap().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resume_with_a_ledger_that_cannot_be_read_leaves_the_run_unfinished() {
    let world = World::new().await;
    let run = world.killed_apply();
    let resume = ["resume", "--settle-time", "0s", "--rate", "unlimited", "--ledger"];
    for ledger in ["missing.json", ".", "lead.yaml"] {
        let refused = world.place.run(&[&resume[..], &[ledger]].concat());
        assert_eq!(refused.code, 1, "{ledger}: {refused:?}");
        assert_eq!(world.store().unfinished().unwrap().as_ref(), Some(&run), "{ledger}");
    }
    let resumed = world.place.run(&resume[..5]);
    assert!(resumed.stdout.contains(&run.to_string()), "{resumed:?}");
    assert_eq!(world.store().unfinished().unwrap(), None);
}

#[test]
fn files_that_were_written_are_told_on_stderr_where_stdout_is_full() {
    let place = Place::new();
    for (line, files) in [
        (
            "init made --ci github --ci shell",
            &["made/manifests/lead-cards.yaml", "made/ci/recard.sh"][..],
        ),
        ("export --out kept --portal embedded", &["kept/manifest.yaml", "kept/layouts.json"][..]),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = unheard(place.command(&words), "full");
        assert_eq!(ended.code, 3, "{line}: {ended:?}");
        assert!(
            ended.stderr.contains("the command is over, but its result could not be written"),
            "{ended:?}"
        );
        for file in files {
            assert!(
                ended.stderr.contains(file) && place.path().join(file).is_file(),
                "{file}: {ended:?}"
            );
        }
    }
}
