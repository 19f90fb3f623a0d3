//! Mode `once` in a plan: pending, new, dismissed, unreadable and allowed cards.

#![cfg(all(feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use recard::emulator::{Emulator, EmulatorOptions, Release};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};
use support::company::{portal_of, row, save};
use support::recard::Place;

/// A portal and a folder with a manifest of these blocks.
async fn world(options: EmulatorOptions, blocks: &str) -> (Emulator, Place) {
    let emulator = Emulator::start_with(options).await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let portal = portal_of(&emulator);
    let text = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         \"{portal}\"\n  personal:\n{blocks}"
    );
    place.file("lead.yaml", &text);
    (emulator, place)
}

/// Changes a person behind recard's back.
fn change(emulator: &Emulator, user: u32, field: &str, value: Value) {
    let mut state = emulator.state();
    let people = state["portal"]["users"].as_array_mut().unwrap();
    people.iter_mut().find(|person| person["ID"] == user).unwrap()[field] = value;
    emulator.set_state(&state).unwrap();
}

/// The plan as JSON, by its schema.
fn plan(place: &Place) -> Value {
    let ended = place.run(&["plan", "-f", "lead.yaml", "--output", "json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
    let schema: Value =
        serde_json::from_str(include_str!("../schemas/plan.v1.schema.json")).unwrap();
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
async fn a_plan_tells_the_states_of_mode_once_apart() {
    let blocks = "    - { users: { departments: [42] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }\n";
    let (emulator, place) = world(EmulatorOptions::default(), blocks).await;
    let first = plan(&place);
    assert_eq!(first["once"], json!({"2026-11": {"not-yet-reset": 2, "done": 3}}));
    let applied = place.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(plan(&place)["once"], json!({"2026-11": {"done": 5}}));

    // One arranges the card again, one moves into the department, one who is named by id is
    // dismissed.
    save(&emulator, row(18, "lead_details", "Mine again"));
    change(&emulator, 26, "UF_DEPARTMENT", json!([42]));
    change(&emulator, 28, "ACTIVE", json!(false));
    let more = "    - { users: { ids: [28] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }\n    - { users: { \
                departments: [42] }, leadCustomerTypes: [repeat], mode: { once: 2026-12 } }\n";
    let text = std::fs::read_to_string(place.path().join("lead.yaml")).unwrap();
    place.file("lead.yaml", &format!("{text}{more}"));
    let later = plan(&place);
    assert_eq!(state_of(&later, "personal/18/simple"), "customised-again");
    assert_eq!(state_of(&later, "personal/26/simple"), "new-in-group");
    assert_eq!(state_of(&later, "personal/28/simple"), "dismissed");
    assert_eq!(state_of(&later, "personal/18/repeat"), "not-yet-reset");
    let text = place.run(&["plan", "-f", "lead.yaml"]);
    assert_data_eq!(
        text.stdout.split_once("\n\n").unwrap().1,
        str![[r#"
keep   personal/18/simple  Zofia Wójcik  customised again after its reset for 2026-11
reset  personal/18/repeat  Zofia Wójcik  loses 1 section, 10 fields; not yet reset
reset  personal/26/simple  Freja Jensen  loses 2 sections, 5 fields; new in the group
reset  personal/28/simple  Lena Fischer  loses 3 sections, 10 fields; gone user

Once for 2026-11: 1 new in the group, 1 gone user, 1 customised again after its reset, 4 done.
Once for 2026-12: 1 not yet reset, 5 done.
Plan: 3 to reset (3 people of 36), 10 to keep, 0 held.
Apply takes under a second.

"#]]
    );
    let comment = place.run(&["plan", "-f", "lead.yaml", "--output", "markdown"]).stdout;
    let line = "- Once for 2026-11: 1 new in the group, 1 gone user, 1 customised again after its reset, 4 done.";
    assert!(comment.contains(line), "{comment}");
    let table = place.run(&["plan", "-f", "lead.yaml", "--output", "csv"]).stdout;
    assert!(table.lines().next().unwrap().ends_with(",\"once\""), "{table}");
    assert!(
        table
            .lines()
            .any(|row| row.contains("personal/26/simple") && row.ends_with("\"new-in-group\"")),
        "{table}"
    );
    assert_eq!(emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_of_mode_once_that_cannot_be_read_is_out_of_reach() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let blocks = "    - { users: { ids: [12, 14] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }\n";
    let (emulator, place) = world(options, blocks).await;
    let made = plan(&place);
    assert_eq!(made["once"], json!({"2026-11": {"out-of-reach": 2}}));
    assert_eq!(state_of(&made, "personal/12/simple"), "out-of-reach");
    let text = place.run(&["plan", "-f", "lead.yaml"]).stdout;
    assert!(text.contains("out of reach: reads empty, but nothing proves"), "{text}");
    assert!(text.contains("Once for 2026-11: 2 out of reach.\n"), "{text}");
    assert_eq!(emulator.counters().rows_removed, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledger_new_over_a_file_that_exists_is_refused_and_leaves_the_file() {
    let (_emulator, place) = world(
        EmulatorOptions::default(),
        "    - { users: { ids: [7] }, leadCustomerTypes: [simple] }\n",
    )
    .await;
    let begun = place.run(&["ledger", "new", "once.json"]);
    assert_eq!(begun.code, 0, "{begun:?}");
    let ledger = std::fs::read(place.path().join("once.json")).unwrap();
    std::fs::create_dir(place.path().join("folder")).unwrap();
    for name in ["once.json", "lead.yaml", "folder"] {
        let before = std::fs::read(place.path().join(name)).ok();
        let refused = place.run(&["ledger", "new", name]);
        let told = format!(
            "error: {name} exists already\nhelp: nothing was written; name another file, or keep this ledger with \
             --ledger\n"
        );
        assert_eq!(
            (refused.code, refused.stderr, refused.stdout),
            (1, told, String::new()),
            "{name}"
        );
        assert_eq!(std::fs::read(place.path().join(name)).ok(), before, "{name}");
    }
    assert_eq!(std::fs::read(place.path().join("once.json")).unwrap(), ledger);
}
