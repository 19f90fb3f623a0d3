//! Plan files whose pipelines, types or people have other names when they are applied.

use serde_json::Value;

use crate::support::env::{CommandOutput, TestEnv};

const PLAN: &str = "a.recard-plan.json";

/// A plan file for the cards of some people in one kind of card.
async fn planned(users: &str, card: &str) -> TestEnv {
    let env = TestEnv::start().await;
    let portal = env.portal();
    env.file(
        "cards.yaml",
        &format!(
            "apiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
             \"{portal}\"\n  personal:\n    - users: {users}\n      cards: [{card}]\n"
        ),
    );
    let planned = env.run(&["plan", "cards.yaml", "--out", PLAN]);
    assert!(planned.code == 0 && planned.stdout.contains("2 to reset"), "{planned:?}");
    env
}

fn rename(env: &TestEnv, list: &str, id: (&str, i64), names: &[(&str, &str)]) {
    env.change(|state| {
        let rows = state["portal"][list].as_array_mut().unwrap();
        let row = rows.iter_mut().find(|row| row[id.0] == id.1).unwrap();
        for (key, name) in names {
            row[*key] = Value::from(*name);
        }
    });
}

/// Returns the end of an apply of the plan file after which the portal is as before.
fn left_alone(env: &TestEnv, more: &[&str]) -> CommandOutput {
    let before = env.rows();
    let reviewed = env.run(&["show", PLAN, "--detail"]);
    assert_eq!(reviewed.code, 0, "{reviewed:?}");
    let applied = env.run(&[&["apply", PLAN], more].concat());
    assert!(applied.code == 3 && applied.stdout.contains("2 failed"), "{applied:?}");
    assert_eq!(env.rows(), before, "{applied:?}");
    assert_eq!(env.emulator().complaints(), []);
    CommandOutput { stdout: reviewed.stdout + &applied.stdout, ..applied }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_leaves_cards_alone_whose_pipeline_has_another_name_now() {
    let env = planned("{ ids: [8, 22] }", "deal: { pipelines: [\"Key accounts\"] }").await;
    rename(&env, "crm_deal_categories", ("id", 5), &[("name", "Archive")]);
    rename(&env, "crm_deal_categories", ("id", 3), &[("name", "Key accounts")]);
    let applied = left_alone(&env, &[]);
    let told = "deal/5 is deals of pipeline Key accounts (5) in the plan file, and deals of pipeline Archive (5) now";
    assert!(applied.stderr.contains(told), "{applied:?}");
    let reason = "not attempted: its pipeline or type has another name than in the plan";
    assert_eq!(applied.stdout.matches(reason).count(), 4, "in the review and the run: {applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_leaves_cards_alone_whose_type_has_another_title_now() {
    let env = planned("{ ids: [7, 33] }", "smartProcess: { type: 177, pipelines: [5] }").await;
    rename(&env, "crm_types", ("entityTypeId", 177), &[("title", "Contracts")]);
    let applied = left_alone(&env, &[]);
    assert!(applied.stderr.contains("and Contracts (177), pipeline Office (5) now"), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_beside_a_plan_file_decide_about_a_renamed_pipeline() {
    let env = planned("{ ids: [8, 22] }", "deal: { pipelines: [5] }").await;
    rename(&env, "crm_deal_categories", ("id", 5), &[("name", "Archive")]);
    let applied = env.run(&["apply", PLAN, "-f", "cards.yaml"]);
    assert!(applied.code == 0 && applied.stdout.contains("Done: 2 of 2"), "{applied:?}");
    assert!(applied.stdout.contains("deals of pipeline Archive (5)"), "{applied:?}");
    assert!(applied.stderr.contains("and deals of pipeline Archive (5) now"), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_type_of_a_plan_file_is_not_attempted() {
    let env = planned("{ ids: [7, 33] }", "smartProcess: { type: 177, pipelines: [5] }").await;
    env.change(|state| {
        let types = state["portal"]["crm_types"].as_array_mut().unwrap();
        types.retain(|one| one["entityTypeId"] != 177);
    });
    let applied = left_alone(&env, &[]);
    assert!(applied.stdout.contains("not attempted: the portal lists no pipeline"), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn person_of_a_plan_file_is_shown_by_the_present_name() {
    let env = planned("{ ids: [8, 22] }", "deal: { pipelines: [5] }").await;
    rename(&env, "users", ("ID", 8), &[("NAME", "Zed"), ("LAST_NAME", "Other")]);
    let applied = env.run(&["apply", PLAN]);
    assert!(
        applied.code == 0 && applied.stdout.contains("personal/8/deal/5   Zed Other"),
        "{applied:?}"
    );
    let told = "user 8 is Ivan Petrov in the plan file, and Zed Other now";
    assert!(applied.stderr.contains(told), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn person_who_gave_the_selecting_email_away_is_left_alone() {
    let users = "{ emails: [ivan.petrov@company.example, giulia.bianchi@company.example] }";
    let env = planned(users, "deal: { pipelines: [5] }").await;
    for id in [8, 22] {
        rename(&env, "users", ("ID", id), &[("EMAIL", &format!("old{id}@company.example"))]);
    }
    let applied = left_alone(&env, &[]);
    assert!(applied.stdout.contains("another e-mail than the one"), "{applied:?}");
}
