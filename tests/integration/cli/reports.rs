//! Reports of runs: the listed outcomes, and runs whose report cannot be written.

use std::fs::File;
use std::process::{Command, Stdio};

use recard::model::RunId;
use serde_json::{Value, json};

use crate::support::company::resets_sent;
use crate::support::env::{CommandOutput, TestEnv};
use crate::support::wait::Wait as _;

const RESET: &str = "crm.lead.details.configuration.reset";
const APPLY: [&str; 6] = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];

fn set_faults(env: &TestEnv, script: &Value) {
    env.emulator().set_faults(script).unwrap();
}

/// Kills an apply while the answer to its reset is on the way, and returns its run.
fn killed_apply(env: &TestEnv) -> RunId {
    set_faults(
        env,
        &json!([{"method": "batch", "inside": RESET, "nth": 1, "do": "slow", "ms": 60_000}]),
    );
    let before = resets_sent(env.emulator());
    let stderr = env.at("killed.stderr");
    let mut command = env.command(&APPLY);
    command.stdout(Stdio::null()).stderr(File::create(&stderr).unwrap());
    let mut child = command.spawn().unwrap();
    while resets_sent(env.emulator()) == before
        || env.store().unfinished().wait().ok().flatten().is_none()
    {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", std::fs::read_to_string(&stderr).unwrap());
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    set_faults(env, &json!([]));
    env.store().unfinished().wait().unwrap().unwrap()
}

/// Runs a command whose stdout cannot be written: a full device, or a pipe without a reader.
fn unheard(mut command: Command, stdout: &str) -> CommandOutput {
    let (_, writer) = std::io::pipe().unwrap();
    match stdout {
        "full" => command.stdout(File::options().write(true).open("/dev/full").unwrap()),
        _ => command.stdout(writer),
    };
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // The command holds its own copy of the writer.
    drop(command);
    CommandOutput::of(child.wait_with_output().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_report_lists_resets_whose_layout_was_not_seen_before() {
    let env = TestEnv::with_manifest("{ ids: [12, 14] }").await;
    let seen = env.run(&APPLY);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(!seen.stdout.contains("was not seen"), "{seen:?}");
    let back = env.run(&["restore", "last", "--all", "--auto-approve", "--rate", "unlimited"]);
    assert_eq!(back.code, 0, "{back:?}");
    // The batch is executed, and its answer with the reads before the resets is lost.
    set_faults(&env, &json!([{"method": "batch", "inside": RESET, "nth": 1, "do": "cut-after"}]));
    let unseen = env.run(&APPLY);
    assert_eq!(unseen.code, 0, "{unseen:?}");
    let listed: Vec<&str> = unseen.stdout.lines().filter(|line| line.starts_with("done")).collect();
    let [line] = listed.as_slice() else { panic!("{unseen:?}") };
    // The two cards may travel in one request each, in any order.
    assert!(
        line.contains("personal/12/lead/simple") || line.contains("personal/14/lead/simple"),
        "{line}"
    );
    assert!(
        line.ends_with("what it held just before was not seen, the backup is of the plan"),
        "{line}"
    );
    assert!(unseen.stdout.contains("Done: 2 of 2 cards"), "{unseen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recover_whose_report_cannot_be_written_names_the_run_and_the_undo() {
    for stdout in ["full", "gone"] {
        let env = TestEnv::with_manifest("{ ids: [12, 14] }").await;
        let before = env.rows();
        let run = killed_apply(&env);
        let resume = env.command(&["recover", "--settle-time", "0s", "--rate", "unlimited"]);
        let ended = unheard(resume, stdout);
        assert_eq!(ended.code, 3, "{stdout}: {ended:?}");
        for told in [
            "personal/12/lead/simple",
            "Done: ",
            &format!("the run {run} is over, but its report could not be written"),
            &format!("recard show {run}"),
            &format!("recard restore {run} --all"),
        ] {
            assert!(ended.stderr.contains(told), "{stdout}: {told}: {ended:?}");
        }
        assert_eq!(env.store().unfinished().await.unwrap(), None);
        let back = env.run(&[
            "restore",
            &run.to_string(),
            "--all",
            "--auto-approve",
            "--rate",
            "unlimited",
        ]);
        assert_eq!(back.code, 0, "{stdout}: {back:?}");
        assert_eq!(env.rows().as_array().unwrap().len(), before.as_array().unwrap().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recover_with_an_unreadable_ledger_leaves_the_run_unfinished() {
    let env = TestEnv::with_manifest("{ ids: [12, 14] }").await;
    let run = killed_apply(&env);
    let resume = ["recover", "--settle-time", "0s", "--rate", "unlimited", "--ledger"];
    for ledger in ["missing.json", ".", "lead.yaml"] {
        let refused = env.run(&[&resume[..], &[ledger]].concat());
        assert_eq!(refused.code, 1, "{ledger}: {refused:?}");
        assert_eq!(env.store().unfinished().await.unwrap().as_ref(), Some(&run), "{ledger}");
    }
    let resumed = env.run(&resume[..5]);
    assert!(resumed.stdout.contains(&run.to_string()), "{resumed:?}");
    assert_eq!(env.store().unfinished().await.unwrap(), None);
}

#[test]
fn files_that_were_written_are_told_on_stderr_where_stdout_is_full() {
    let env = TestEnv::new();
    for (line, files) in [
        (
            "init made --ci github --ci shell",
            &["made/manifests/lead-cards.yaml", "made/ci/recard.sh"][..],
        ),
        ("export --out kept --portal embedded", &["kept/manifest.yaml", "kept/layouts.json"][..]),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = unheard(env.command(&words), "full");
        assert_eq!(ended.code, 3, "{line}: {ended:?}");
        assert!(
            ended.stderr.contains("the command is over, but its result could not be written"),
            "{ended:?}"
        );
        for file in files {
            assert!(ended.stderr.contains(file) && env.at(file).is_file(), "{file}: {ended:?}");
        }
    }
}
