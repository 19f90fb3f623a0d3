//! `recard card show`: the cards of one person.

use recard::emulator::{EmulatorOptions, Release};
use serde_json::Value;
use snapbox::{assert_data_eq, str};

use crate::support::env::{CommandOutput, TestEnv};

#[test]
fn card_show_prints_the_cards_of_a_person_by_id_and_by_address() {
    let env = TestEnv::new();
    let shown = env.run_embedded("card show 8");
    assert_data_eq!(
        shown.shown(),
        str![[r#"
exit 0
--- stdout
Portal embedded (an emulator)
user 8 Ivan Petrov, department 41

personal/8/lead/simple  customized
  [Start here]
    Lead Name (TITLE), always shown
    Phone (PHONE), always shown
    Status (STATUS_ID), hidden when empty
  [Money]
    Amount and currency (OPPORTUNITY_WITH_CURRENCY), always shown
    Products (PRODUCT_ROW_SUMMARY), hidden when empty

personal/8/lead/repeat  customized
  [Start here]
    Lead Name (TITLE), always shown
    Phone (PHONE), always shown
    Status (STATUS_ID), hidden when empty
  [Money]
    Amount and currency (OPPORTUNITY_WITH_CURRENCY), always shown
    Products (PRODUCT_ROW_SUMMARY), hidden when empty
--- stderr

"#]]
    );
    assert_eq!(env.run_embedded("card show Ivan.Petrov@company.example").stdout, shown.stdout);
    let one = env.run_embedded("card show 12 --card lead/repeat");
    assert_data_eq!(
        one.shown(),
        str![[r#"
exit 0
--- stdout
Portal embedded (an emulator)
user 12 Anna Petrova, department 41

personal/12/lead/repeat  no layout of its own
--- stderr

"#]]
    );
    assert_eq!(env.run_embedded("card show 12 --card repeat").stdout, one.stdout);
}

#[test]
fn card_show_json_has_the_layout_with_labels_and_fits_its_schema() {
    let env = TestEnv::new();
    let schema_text = include_str!("../../../schemas/card.v1.schema.json");
    assert_eq!(env.run(&["schema", "card"]).stdout, schema_text);
    let validator = jsonschema::draft7::new(&serde_json::from_str(schema_text).unwrap()).unwrap();
    for user in ["8", "12", "10"] {
        let ended = env.run_embedded(&format!("card show {user} --json"));
        assert_eq!(ended.code, 0, "{ended:?}");
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(&value).map(|problem| problem.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(value["user"].to_string(), user);
        for card in value["cards"].as_array().unwrap() {
            let has_layout = card["layout"]["sections"].is_array();
            assert_eq!(
                has_layout,
                card["state"] == "customized" || card["state"] == "common-default"
            );
        }
    }
    let dismissed = env.run_embedded("card show 10");
    assert!(dismissed.stdout.contains("user 10 Fedor Orlov, department 41, dismissed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_show_of_nobody_or_of_several_people_is_an_error() {
    let env = TestEnv::start().await;
    env.change(|state| {
        let users = state["portal"]["users"].as_array_mut().unwrap();
        let thirteen = users.iter_mut().find(|user| user["ID"] == 13).unwrap();
        thirteen["EMAIL"] = "anna.petrova@company.example".into();
    });
    for (user, told) in [
        ("9999", "the portal has no user 9999"),
        ("nobody@company.example", "nobody on the portal has the e-mail nobody@company.example"),
        (
            "anna.petrova@company.example",
            "several people have the e-mail anna.petrova@company.example: users 12, 13",
        ),
    ] {
        let ended = env.run(&["card", "show", user]);
        assert!(ended.code == 1 && ended.stderr.contains(told), "{user}: {ended:?}");
        assert!(ended.stderr.contains("help: "), "{user}: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(env.run(&["card", "show", "anna"]).code, 64);
    assert_eq!(env.run(&["card", "show", "8", "--card", "deal"]).code, 64);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_show_on_an_old_portal_shows_no_card_of_another_person() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let ended: CommandOutput = env.run(&["card", "show", "8"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stdout.contains("nothing proves that the portal reads"), "{ended:?}");
    assert!(!ended.stdout.contains("Start here"), "{ended:?}");
}
