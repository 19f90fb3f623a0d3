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
        (String::new(), "the audit log has no record of the run"),
    ] {
        assert_ne!(damaged, trail);
        recard::store::write_whole(&path, damaged.as_bytes()).unwrap();
        let ended = env.run(&["audit", "verify"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_that_lost_a_whole_run_is_found_by_an_earlier_head() {
    let (env, people) = TestEnv::with_customized_cards(3).await;
    env.write_manifest(&ids(&people), "");
    let heads = |more: &[&str]| env.run(&[&["audit", "heads"], more].concat());
    let nothing = heads(&["--output", "json=heads.json"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("has no audit log"), "{nothing:?}");
    assert_eq!(env.run(&APPLY).code, 0);
    let trail = env.store_folder().join("audit.jsonl");
    let after_one = std::fs::read(&trail).unwrap();
    let kept = ["--check", "heads.json", "--output", "text", "--output", "json=heads.json"];
    assert_eq!(heads(&["--output", "json=heads.json"]).code, 0);
    let written = || -> Value {
        serde_json::from_slice(&std::fs::read(env.at("heads.json")).unwrap()).unwrap()
    };
    let first = written();
    assert_eq!(first["heads"][0]["lines"], 2, "{first}");
    assert_eq!(env.run(&["restore", "last", "--all", "--yes"]).code, 0);
    let later = heads(&kept);
    assert!(later.code == 0 && later.stdout.contains("1 earlier head is still"), "{later:?}");
    let grown = written();
    assert_eq!(grown["heads"][0]["lines"], 4, "{grown}");

    // The second run is taken out without a trace in the store.
    recard::store::write_whole(&trail, &after_one).unwrap();
    let runs = std::fs::read_dir(env.store_folder().join("runs")).unwrap();
    let last = runs.map(|entry| entry.unwrap().path()).max().unwrap();
    std::fs::rename(last, env.at("taken-out")).unwrap();
    assert_eq!(env.run(&["audit", "verify"]).code, 0);
    let cut = heads(&kept);
    assert_eq!(cut.code, 1, "{cut:?}");
    assert!(cut.stderr.contains("was cut: it had 4 lines, and has 2"), "{cut:?}");
    assert_eq!(written(), grown, "the evidence stays");
    // Another run in its place has other lines.
    assert_eq!(env.run(&APPLY).code, 0);
    let other = heads(&kept);
    assert!(other.code == 1 && other.stderr.contains("its line 4 is another one"), "{other:?}");
    let elsewhere = heads(&["--check", "heads.json", "--store", "elsewhere"]);
    assert!(elsewhere.code == 1 && elsewhere.stderr.contains("and has 0"), "{elsewhere:?}");
    let stranger = heads(&["--check", "heads.json", "--portal", "other.example"]);
    assert!(stranger.code == 1 && stranger.stderr.contains("nothing was checked"), "{stranger:?}");
    assert_eq!(heads(&["--check", "lead.yaml"]).code, 1);
}
