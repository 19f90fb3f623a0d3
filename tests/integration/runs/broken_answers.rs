//! Answers that nobody can understand: they cost their own card alone, whatever else is read.

use serde_json::{Value, json};

use crate::support::company::{row, save};
use crate::support::env::TestEnv;

const DEAL: &str = "crm.item.details.configuration.get";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_whose_answer_is_broken_is_held_alone_however_few_are_read() {
    let env = TestEnv::start().await;
    save(env.emulator(), row(12, "lead_details", "Mine"));
    let answered = |body: &str| {
        let fault = json!({"inside": DEAL, "do": "answer", "status": 200, "body": body});
        env.emulator().set_faults(&json!([fault])).unwrap();
    };
    // No other card is read that could show that the portal works.
    answered("<html>an error</html>");
    assert_eq!(planned(&env, "deal: { pipelines: [default] }"), (0, 1));
    // No answer of a batch, in spite of its status.
    answered(r#"{"result":{"result":{},"result_error":{"c0":7}},"time":{}}"#);
    let both = "lead: { types: [simple] }, deal: { pipelines: [default] }";
    assert_eq!(planned(&env, both), (1, 1));
    let applied = env.run(&["apply", "cards.json", "-o", "text", "-o", "markdown=run.md"]);
    assert_eq!(applied.code, 3, "{applied:?}");
    let held = "1 card was held when the plan was made";
    assert!(applied.stdout.contains(held), "{applied:?}");
    let markdown = std::fs::read_to_string(env.at("run.md")).unwrap();
    assert!(markdown.contains("⚠️") && markdown.contains(held), "{markdown}");
    let rows = env.rows();
    let is_mine = |row: &Value| row["user_id"] == 12 && row["name"] == "lead_details";
    assert!(!rows.as_array().unwrap().iter().any(is_mine), "{applied:?}");
}

/// Plans the reset of these cards of one person. Returns the numbers of resets and holds.
fn planned(env: &TestEnv, cards: &str) -> (u64, u64) {
    let text = format!(
        "apiVersion: recard/v1\nkind: CardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         \"{}\"\n  personal:\n    - users: {{ ids: [12] }}\n      cards: [ {cards} ]\n",
        env.portal()
    );
    env.file("cards.yaml", &text);
    let planned = env.run(&["plan", "-f", "cards.yaml", "--json", "--out", "cards.json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    let count = |word: &str| plan["counts"][word].as_u64().unwrap();
    (count("reset"), count("hold"))
}
