//! Mode `once` in a plan: pending, new, dismissed, unreadable and allowed cards.

use crate::support::company::{row, save};
use crate::support::env::TestEnv;
use recard::emulator::{Emulator, EmulatorOptions, Release};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

/// A portal and a folder with a manifest of these blocks.
async fn with_blocks(options: EmulatorOptions, blocks: &str) -> TestEnv {
    let env = TestEnv::start_with(options).await;
    let portal = env.portal();
    let text = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         \"{portal}\"\n  personal:\n{blocks}"
    );
    env.file("lead.yaml", &text);
    env
}

/// Changes a person behind recard's back.
fn change(emulator: &Emulator, user: u32, field: &str, value: Value) {
    let mut state = emulator.state();
    let people = state["portal"]["users"].as_array_mut().unwrap();
    people.iter_mut().find(|person| person["ID"] == user).unwrap()[field] = value;
    emulator.set_state(&state).unwrap();
}

/// The plan as JSON, by its schema.
fn plan(env: &TestEnv) -> Value {
    let ended = env.run(&["plan", "-f", "lead.yaml", "--output", "json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema: Value =
        serde_json::from_str(include_str!("../../../schemas/plan.v1.schema.json")).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let problems: Vec<String> =
        validator.iter_errors(&plan).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}");
    plan
}

fn state_of<'a>(plan: &'a Value, target: &str) -> &'a str {
    let targets = plan["targets"].as_array().unwrap();
    targets.iter().find(|one| one["target"] == target).unwrap()["once"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_states_are_told_apart_in_a_plan() {
    let blocks = "    - { users: { departments: [42] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }\n";
    let env = with_blocks(EmulatorOptions::default(), blocks).await;
    let emulator = env.emulator();
    let first = plan(&env);
    assert_eq!(first["once"], json!({"2026-11": {"not-yet-reset": 2, "done": 3}}));
    let applied = env.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(plan(&env)["once"], json!({"2026-11": {"done": 5}}));

    // One arranges the card again, one moves into the department, one who is named by id is
    // dismissed.
    save(emulator, row(18, "lead_details", "Mine again"));
    change(emulator, 26, "UF_DEPARTMENT", json!([42]));
    change(emulator, 28, "ACTIVE", json!(false));
    let more = "    - { users: { ids: [28] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }\n    - { users: { \
                departments: [42] }, leadCustomerTypes: [repeat], mode: { once: 2026-12 } }\n";
    let text = std::fs::read_to_string(env.at("lead.yaml")).unwrap();
    env.file("lead.yaml", &format!("{text}{more}"));
    let later = plan(&env);
    assert_eq!(state_of(&later, "personal/18/lead/simple"), "customized-again");
    assert_eq!(state_of(&later, "personal/26/lead/simple"), "new-in-group");
    assert_eq!(state_of(&later, "personal/28/lead/simple"), "dismissed");
    assert_eq!(state_of(&later, "personal/18/lead/repeat"), "not-yet-reset");
    let text = env.run(&["plan", "-f", "lead.yaml"]);
    assert_data_eq!(
        text.stdout.split_once("\n\n").unwrap().1,
        str![[r#"
reset  1 card of 1 person: layout "All on one page" (1 section, 10 fields)
       personal/18/lead/repeat  Zofia Wójcik  Sales East; not yet reset
reset  1 card of 1 person: layout "Start here" (2 sections, 5 fields)
       personal/26/lead/simple  Freja Jensen  Sales East; new in the group
reset  1 card of 1 person: layout "For the first call" (3 sections, 10 fields)
       personal/28/lead/simple  Lena Fischer  Support; gone user
keep   personal/18/lead/simple  Zofia Wójcik  customized again after its reset for 2026-11

Once for 2026-11: 1 new in the group, 1 gone user, 1 customized again after its reset, 4 done.
Once for 2026-12: 1 not yet reset, 5 done.
Plan: 3 to reset (3 people of 36), 10 to keep, 0 held.
Only card layouts change. No lead, contact or deal data is touched. Undo: `recard restore RUN --all`.
Apply takes under a second.

"#]]
    );
    let comment = env.run(&["plan", "-f", "lead.yaml", "--output", "markdown"]).stdout;
    let line = "- Once for 2026-11: 1 new in the group, 1 gone user, 1 customized again after its reset, 4 done.";
    assert!(comment.contains(line), "{comment}");
    let table = env.run(&["plan", "-f", "lead.yaml", "--output", "csv"]).stdout;
    assert!(table.lines().next().unwrap().contains(",\"once\","), "{table}");
    assert!(
        table.lines().any(
            |row| row.contains("personal/26/lead/simple") && row.contains(",\"new-in-group\",")
        ),
        "{table}"
    );
    assert_eq!(emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_card_that_cannot_be_read_is_held() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let blocks = "    - { users: { ids: [12, 14] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }\n";
    let env = with_blocks(options, blocks).await;
    let emulator = env.emulator();
    let made = plan(&env);
    assert_eq!(made["once"], json!({"2026-11": {"out-of-reach": 2}}));
    assert_eq!(state_of(&made, "personal/12/lead/simple"), "out-of-reach");
    let text = env.run(&["plan", "-f", "lead.yaml"]).stdout;
    assert!(text.contains("out of reach: reads empty, but nothing proves"), "{text}");
    assert!(text.contains("Once for 2026-11: 2 out of reach.\n"), "{text}");
    assert_eq!(emulator.counters().rows_removed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledger_new_over_a_file_that_exists_is_refused_and_leaves_the_file() {
    let env = with_blocks(
        EmulatorOptions::default(),
        "    - { users: { ids: [7] }, leadCustomerTypes: [simple] }\n",
    )
    .await;
    let begun = env.run(&["ledger", "new", "once.json"]);
    assert_eq!(begun.code, 0, "{begun:?}");
    let ledger = std::fs::read(env.at("once.json")).unwrap();
    std::fs::create_dir(env.at("folder")).unwrap();
    for name in ["once.json", "lead.yaml", "folder"] {
        let before = std::fs::read(env.at(name)).ok();
        let refused = env.run(&["ledger", "new", name]);
        let told = format!(
            "error: {name} exists already\nhelp: nothing was written; name another file, or keep this ledger with \
             --ledger\n"
        );
        assert_eq!(
            (refused.code, refused.stderr, refused.stdout),
            (1, told, String::new()),
            "{name}"
        );
        assert_eq!(std::fs::read(env.at(name)).ok(), before, "{name}");
    }
    assert_eq!(std::fs::read(env.at("once.json")).unwrap(), ledger);
}
