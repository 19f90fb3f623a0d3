//! Commands over cards of several kinds: plan files, acknowledgements, once, drift, restore and
//! recover.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::company::save;
use crate::support::env::{CommandOutput, TestEnv};

const PLAN: &str = "cards.recard-plan.json";

/// Cards of several kinds: personal ones of four people, and a common one.
const MIXED: &str = "  personal:
    - users: { ids: [7, 8, 11, 12] }
      cards:
        - deal: { pipelines: [default, 3, \"Key accounts\"] }
        - contact: { categories: [9] }
        - company: {}
        - lead: { types: [simple] }
        - smartProcess: { type: Purchases, pipelines: all }
  common:
    cards:
      - deal: { pipelines: [default] }
  guards: { acknowledge: { common: [\"deal/0\"] } }
";

/// Cards that the manifest resets on the sample company.
const RESET: [&str; 13] = [
    "common/deal/0",
    "personal/11/contact/9",
    "personal/11/lead/simple",
    "personal/12/company",
    "personal/12/deal/0",
    "personal/12/lead/simple",
    "personal/7/deal/0",
    "personal/7/deal/3",
    "personal/7/lead/simple",
    "personal/7/smart-process/177/5",
    "personal/8/deal/5",
    "personal/8/lead/simple",
    "personal/8/smart-process/177/7",
];

fn write(env: &TestEnv, spec: &str) {
    let text = format!(
        "apiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: kinds, reason: to try }}\nspec:\n  portal: \
         \"{}\"\n{spec}",
        env.portal()
    );
    env.file("kinds.yaml", &text);
}

async fn with(spec: &str) -> TestEnv {
    let env = TestEnv::start().await;
    write(&env, spec);
    env
}

fn ends(env: &TestEnv, code: i32, arguments: &[&str]) -> CommandOutput {
    let ended = env.run(&[arguments, &["--rate", "unlimited"]].concat());
    assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
    ended
}

/// Returns the rows by owner and name, without what a `set` writes anew.
fn rows(env: &TestEnv) -> BTreeSet<(i64, String, String)> {
    let state = env.rows();
    let row = |row: &Value| {
        let title = row["value"][0]["elements"][0]["title"].to_string();
        let name = row["name"].as_str().unwrap().to_lowercase();
        (row["user_id"].as_i64().unwrap(), name, title)
    };
    state.as_array().unwrap().iter().map(row).collect()
}

fn gone(env: &TestEnv, before: &BTreeSet<(i64, String, String)>) -> Vec<String> {
    let after = rows(env);
    assert!(after.is_subset(before), "{:?}", after.difference(before));
    before.difference(&after).map(|(user, name, _)| format!("{user} {name}")).collect()
}

fn targets(env: &TestEnv, decision: &str) -> Vec<String> {
    let ended = env.run(&["plan", "-f", "kinds.yaml", "--output", "json"]);
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    let schema: Value =
        serde_json::from_str(include_str!("../../../../schemas/plan.v1.schema.json")).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(&plan).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let targets = plan["targets"].as_array().unwrap().iter();
    let decided = targets.filter(|one| one["decision"] == decision);
    let mut keys: Vec<String> =
        decided.map(|one| one["target"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

/// Changes the pipelines of deals behind recard's back.
fn deals(env: &TestEnv, list: Value) {
    env.change(|state| state["portal"]["crm_deal_categories"] = list);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_of_several_kinds_is_executed_as_reviewed_or_less_of_it() {
    let env = with(MIXED).await;
    let before = rows(&env);
    assert_eq!(targets(&env, "reset"), RESET);
    ends(&env, 0, &["plan", "-f", "kinds.yaml", "--out", PLAN]);
    let shown = ends(&env, 0, &["show", PLAN]).stdout;
    assert!(RESET.iter().all(|key| shown.contains(key)), "{shown}");
    // One card changes after the review, and stays.
    let mut changed = env.rows().as_array().unwrap().clone();
    changed.retain(|row| row["user_id"] == 7 && row["name"] == "deal_details_c_3");
    changed[0]["value"][0]["elements"][0]["title"] = json!("arranged anew");
    save(env.emulator(), changed.remove(0));
    let applied = ends(&env, 3, &["apply", PLAN]);
    assert!(applied.stdout.contains("12 of 13 cards"), "{applied:?}");
    let left = rows(&env);
    assert!(left.iter().any(|(user, name, title)| {
        (*user, name.as_str(), title.as_str()) == (7, "deal_details_c_3", "\"arranged anew\"")
    }));
    assert_eq!(before.difference(&left).count(), 13, "twelve resets and the change");
    ends(&env, 5, &["apply", PLAN]);
    ends(&env, 0, &["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(before.difference(&rows(&env)).count(), 1);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_is_never_widened_by_pipelines_that_are_renamed_removed_or_hidden() {
    let spec = "  personal:\n    - users: { ids: [7, 8, 14, 22] }\n      cards:\n        - deal: { pipelines: [\"Key accounts\"] }\n";
    let pipeline = |id: i64, name: &str| json!({"id": id, "name": name, "sort": 100});
    let main = json!({"id": 0, "name": "General", "sort": 300, "isDefault": "Y"});
    for (case, list) in [
        // The name passes on to another pipeline.
        ("renamed", json!([main, pipeline(3, "Key accounts"), pipeline(5, "Old")])),
        ("removed", json!([main, pipeline(3, "Partners")])),
        ("replaced", json!([main, pipeline(3, "Partners"), pipeline(6, "Key accounts")])),
        ("twice", json!([main, pipeline(3, "Key accounts"), pipeline(5, "Key accounts")])),
    ] {
        for beside in [&[][..], &["-f", "kinds.yaml"]] {
            let env = with(spec).await;
            let before = rows(&env);
            ends(&env, 0, &["plan", "-f", "kinds.yaml", "--out", PLAN]);
            deals(&env, list.clone());
            let ended = env.run(&[&["apply", PLAN][..], beside].concat());
            let gone = gone(&env, &before);
            if case == "twice" && beside.is_empty() {
                // The reviewed cards, by their ids and names.
                assert_eq!(ended.code, 0, "{case}: {ended:?}");
                assert_eq!(gone, ["8 deal_details_c_5", "22 deal_details_c_5"], "{case}");
            } else {
                assert_eq!(gone, [] as [&str; 0], "{case} {beside:?}: {ended:?}");
                assert_ne!(ended.code, 0, "{case} {beside:?}: {ended:?}");
            }
            assert_eq!(env.emulator().complaints(), [], "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgement_of_each_common_card_is_printed_to_be_pasted() {
    let spec = "  common:
    cards:
      - deal: { pipelines: all }
      - contact: {}
      - smartInvoice: {}
      - smartProcess: { type: 177, pipelines: [default] }
      - lead: { types: [simple] }
";
    let env = with(spec).await;
    let before = rows(&env);
    let refused = ends(&env, 4, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    assert_eq!(rows(&env), before);
    let block = refused.stderr.split_once("would allow exactly this:\n").unwrap().1;
    let block: String = block.lines().take(2).map(|line| format!("{}\n", &line[2..])).collect();
    // One card less than printed is not enough.
    let less = block.replace("\"deal/3\", ", "");
    assert_ne!(less, block);
    write(&env, &format!("{spec}{less}"));
    let refused = ends(&env, 4, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    let named = refused.stderr.contains("deals of pipeline ");
    assert!(named && refused.stderr.contains(" (3) would be lost"), "{refused:?}");
    write(&env, &format!("{spec}{block}"));
    ends(&env, 0, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    assert_eq!(
        gone(&env, &before),
        [
            "0 contact_details_common",
            "0 deal_details_c_3_common",
            "0 deal_details_common",
            "0 dynamic_177_details_c5_common",
            "0 lead_details_common",
            "0 smart_invoice_details_c1_common",
        ]
    );
    // That of another card of the same type covers none of these.
    let env = with(&format!("{spec}{}", block.replace("contact", "contact/9"))).await;
    let refused = ends(&env, 4, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    assert!(refused.stderr.contains("the common card for contacts would be lost"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_drift_and_restore_tell_the_cards_of_kinds_apart() {
    let once = MIXED.replace("11, 12] }\n", "11, 12] }\n      mode: { once: 2026-11 }\n");
    let env = with(&once).await;
    let before = rows(&env);
    ends(&env, 0, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    assert_eq!(gone(&env, &before).len(), 13);
    ends(&env, 0, &["drift", "-f", "kinds.yaml"]);
    // A person arranges one pipeline again: done for once, and no drift of another card.
    let all = ends(&env, 0, &["restore", "last", "--card", "deal/3", "--auto-approve"]);
    assert!(all.stdout.contains("1 of 1 card"), "{all:?}");
    assert_eq!(before.difference(&rows(&env)).count(), 12);
    assert_eq!(targets(&env, "reset"), [] as [&str; 0]);
    write(&env, MIXED);
    assert_eq!(targets(&env, "reset"), ["personal/7/deal/3"]);
    let drift = ends(&env, 2, &["drift", "-f", "kinds.yaml"]);
    assert!(drift.stdout.contains("personal/7/deal/3"), "{drift:?}");
    assert!(!drift.stdout.contains("deal/5 "), "{drift:?}");
    // Cards that the run does not have are no filter.
    for (kind, code) in [("deal/1", 1), ("deal", 64), ("smart-process/177", 64)] {
        ends(&env, code, &["restore", "last", "--card", kind, "--auto-approve"]);
    }
    ends(&env, 0, &["restore", "last", "--card", "smart-process/177/7", "--auto-approve"]);
    ends(&env, 0, &["restore", "last", "--card", "simple", "--auto-approve"]);
    assert_eq!(before.difference(&rows(&env)).count(), 12 - 1 - 4);
    ends(&env, 0, &["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(rows(&env), before);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interrupted_run_of_several_kinds_is_recovered_and_restored() {
    let env = with(MIXED).await;
    let before = rows(&env);
    ends(&env, 0, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    let runs = env.store_folder().join("runs");
    let run = std::fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let journal = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    assert!(RESET.iter().all(|key| journal.contains(&format!("\"{key}\""))), "{journal}");
    // Cut behind the intent: no outcome of any card is known.
    let intent = journal.lines().position(|line| line.contains("\"intent\"")).unwrap();
    let kept: String = journal.lines().take(intent + 1).map(|line| format!("{line}\n")).collect();
    recard::store::write_whole(&run.join("journal.jsonl"), kept.as_bytes()).unwrap();
    ends(&env, 4, &["apply", "-f", "kinds.yaml", "--auto-approve"]);
    // A pipeline is gone: what became of its card is not known, and no request asks.
    let whole = env.emulator().state()["portal"]["crm_deal_categories"].clone();
    let rest: Vec<Value> =
        whole.as_array().unwrap().iter().filter(|one| one["id"] != 3).cloned().collect();
    deals(&env, json!(rest));
    let recovered = env.run(&["recover"]);
    assert_eq!(recovered.code, 3, "{recovered:?}");
    assert!(
        recovered.stdout.contains("the portal lists no pipeline for this card"),
        "{recovered:?}"
    );
    ends(&env, 3, &["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(gone(&env, &before), ["7 deal_details_c_3"]);
    deals(&env, whole);
    ends(&env, 0, &["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(rows(&env), before);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lead_cards_of_both_kinds_of_manifest_are_one_card() {
    let env = with(
        "  personal:\n    - users: { ids: [7] }\n      cards:\n        - lead: { types: [simple] }\n        - deal: { pipelines: [3] }\n",
    )
    .await;
    let before = rows(&env);
    let lead = |users: &str, mode: &str| {
        format!(
            "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: leads, reason: r }}\nspec:\n  portal: \
             \"{}\"\n  personal:\n    - users: {users}\n      leadCustomerTypes: [simple]\n{mode}",
            env.portal()
        )
    };
    let both = ["-f", "kinds.yaml", "-f", "lead.yaml"];
    // The same words, and another selector of the same person.
    for users in ["{ ids: [7] }", "{ emails: [maria.lindqvist@company.example] }"] {
        env.file("lead.yaml", &lead(users, ""));
        let planned = ends(&env, 0, &[&["plan"][..], &both].concat());
        assert!(planned.stderr.contains("selected twice"), "{planned:?}");
        assert!(planned.stdout.contains("Plan: 2 to reset (1 person"), "{planned:?}");
        env.file("lead.yaml", &lead(users, "      mode: { once: 2026-11 }\n"));
        let refused = ends(&env, 1, &[&["plan"][..], &both].concat());
        assert!(refused.stderr.contains("with different modes"), "{refused:?}");
    }
    env.file("lead.yaml", &lead("{ ids: [7] }", ""));
    ends(&env, 0, &[&["apply", "--auto-approve"][..], &both].concat());
    assert_eq!(gone(&env, &before), ["7 deal_details_c_3", "7 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn narrowed_runs_and_reviewed_restores_name_cards_by_kind() {
    let env = with(MIXED).await;
    let before = rows(&env);
    let apply = ["apply", "-f", "kinds.yaml", "--auto-approve", "--target"];
    ends(&env, 0, &[&apply[..], &["personal/7/deal/3"]].concat());
    assert_eq!(gone(&env, &before), ["7 deal_details_c_3"]);
    for other in ["personal/7/deal/1", "personal/7/quote", "common/deal/3"] {
        assert_ne!(env.run(&[&apply[..], &[other]].concat()).code, 0, "{other}");
    }
    assert_eq!(gone(&env, &before), ["7 deal_details_c_3"]);

    // A reviewed restore, whose pipeline is gone for a while.
    ends(&env, 0, &["restore", "last", "--card", "deal/3", "--out", "back.json"]);
    let shown = ends(&env, 0, &["show", "back.json"]).stdout;
    assert!(shown.contains("personal/7/deal/3"), "{shown}");
    let whole = env.emulator().state()["portal"]["crm_deal_categories"].clone();
    let rest: Vec<Value> =
        whole.as_array().unwrap().iter().filter(|one| one["id"] != 3).cloned().collect();
    deals(&env, json!(rest));
    let held = env.run(&["restore", "back.json"]);
    assert!(held.code != 0 && held.stdout.contains("the portal lists no pipeline"), "{held:?}");
    assert_eq!(gone(&env, &before), ["7 deal_details_c_3"]);
    // What a manifest names and the portal has no more is drift.
    let drift = env.run(&["drift", "-f", "kinds.yaml"]);
    assert!(drift.code == 2, "{drift:?}");
    let plan = ends(&env, 1, &["plan", "-f", "kinds.yaml"]);
    assert!(plan.stderr.contains("the portal lists no pipeline 3 of deals"), "{plan:?}");
    deals(&env, whole);
    ends(&env, 0, &["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(rows(&env), before);
    assert_eq!(env.emulator().complaints(), []);
}
