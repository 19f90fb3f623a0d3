//! History of runs and the audit log: who did what, and what was edited since.

use serde_json::{Value, json};

use super::safeguards::APPLY;
use crate::support::company::ids;
use crate::support::env::{CommandOutput, TestEnv};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_show_name_actor_commit_and_manifest() {
    let (env, people) = TestEnv::with_customized_cards(3).await;
    env.write_manifest(&ids(&people), "");
    let mut command = env.command(&APPLY);
    let applied = CommandOutput::of(
        command
            .env("RECARD_ACTOR", "anna")
            .env("RECARD_COMMIT", "1a2b3c4d5e6f7a8b")
            .output()
            .unwrap(),
    );
    assert_eq!(applied.code, 0, "{applied:?}");
    let history = env.run(&["history"]);
    assert!(history.stdout.contains("3 of 3 done"), "{history:?}");
    assert!(history.stdout.contains("    test, by anna, commit 1a2b3c4d5e6f\n"), "{history:?}");
    let shown = env.run(&["show", "last"]);
    for text in ["manifest test: to try", "commit 1a2b3c4d5e6f7a8b", "by anna", "as user 1 of"] {
        assert!(shown.stdout.contains(text), "{text}: {shown:?}");
    }
    let shown = env.run(&["show", "last", "--output", "json"]);
    let report: Value = serde_json::from_str(&shown.stdout).unwrap();
    let about = &report["about"];
    assert_eq!((&about["actor"], &about["commit"]), (&json!("anna"), &json!("1a2b3c4d5e6f7a8b")));
    assert_eq!((&about["planned"], &report["totals"]["planned"]), (&json!(3), &json!(3)));
    // Plan and report lie beside the journal.
    let run = env.store().run_ids().await.unwrap().pop().unwrap();
    let plan = recard::records::plan_file::PlanFile::parse(
        &env.store().plan(&run).await.unwrap().unwrap(),
    )
    .unwrap();
    assert_eq!(plan.content.targets.len(), 3);
    let kept =
        recard::records::decode_run_report(&env.store().report(&run).await.unwrap().unwrap())
            .unwrap();
    assert_eq!(kept, env.store().summary(&run).await.unwrap().into_report().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_that_was_edited_or_truncated_is_found() {
    let (env, people) = TestEnv::with_customized_cards(3).await;
    env.write_manifest(&ids(&people), "");
    assert_eq!(env.run(&APPLY).code, 0);
    for store in ["elsewhere", "."] {
        let elsewhere = env.run(&["audit", "verify", "--store", store]);
        assert!(
            elsewhere.code == 1 && elsewhere.stderr.contains("knows nothing of"),
            "{elsewhere:?}"
        );
    }
    let verified = env.run(&["audit", "verify"]);
    assert!(verified.code == 0 && verified.stdout.contains("2 events, 1 run"), "{verified:?}");
    let path = env.store_folder().join("audit.jsonl");
    let trail = std::fs::read_to_string(&path).unwrap();
    for (damaged, told) in [
        (trail.replace("\"done\":3", "\"done\":2"), "line 2 was altered after it was written"),
        (
            trail.lines().skip(1).map(|line| format!("{line}\n")).collect(),
            "does not follow the line before",
        ),
        (String::new(), "the audit trail has no word of the run"),
    ] {
        assert_ne!(damaged, trail);
        recard::store::write_whole(&path, damaged.as_bytes()).unwrap();
        let ended = env.run(&["audit", "verify"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
}
