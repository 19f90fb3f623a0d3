//! `recard inventory` and `recard export`: counts and manifests of customized cards.

use std::collections::BTreeSet;

use crate::support::env::TestEnv;
use recard::emulator::{EmulatorOptions, Release};
use recard::records::{LayoutExportContent, decode_layout_export};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

fn read(env: &TestEnv, name: &str) -> String {
    std::fs::read_to_string(env.at(name)).unwrap()
}

#[test]
fn inventory_counts_people_with_cards_by_department() {
    let ended = TestEnv::new().run(&["inventory", "--portal", "embedded"]);
    assert_data_eq!(
        ended.shown(),
        str![[r#"
exit 0
--- stdout
Portal embedded (an emulator): lead cards of 37 active people

department                people  simple  repeat  either  share
1   Company                    6       2       0       2   33 %
41  Sales                      9       5       3       6   67 %
42  Sales East                 5       2       1       2   40 %
43  Support                    9       3       1       4   44 %
45  Marketing                  7       2       0       2   29 %
    without a department       1       0       0       0    0 %
    all, each once            37      14       5      16   43 %

Common cards: simple customized, repeat customized
--- stderr

"#]]
    );
}

#[test]
fn inventory_counts_are_equal_in_each_format() {
    let env = TestEnv::new();
    let schema_text = include_str!("../../../schemas/inventory.v1.schema.json");
    assert_eq!(env.run(&["schema", "inventory"]).stdout, schema_text);
    let outputs = ["--output", "json=counts.json", "--output", "csv=counts.csv"];
    assert_eq!(env.run(&[&["inventory", "--portal", "embedded"], &outputs[..]].concat()).code, 0);
    let counts: Value = serde_json::from_str(&read(&env, "counts.json")).unwrap();
    let validator = jsonschema::draft7::new(&serde_json::from_str(schema_text).unwrap()).unwrap();
    assert!(validator.is_valid(&counts), "{counts}");
    assert_eq!(
        counts["all"],
        json!({"people": 37, "simple": 14, "repeat": 5, "either": 16, "unread": 0})
    );
    assert_eq!(counts["departments"][1]["name"], "Sales");
    let table = read(&env, "counts.csv");
    assert_eq!(table.lines().nth(2), Some(r#""41","Sales","9","5","3","6","0""#));
    assert_eq!(table.lines().count(), 1 + counts["departments"].as_array().unwrap().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exported_manifest_selects_the_stored_cards() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    let exported = env.run(&["export", "--out", "found"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let planned = env.run(&["plan", "-f", "found/manifest.yaml", "--output", "json"]);
    let plan: Value =
        serde_json::from_str(&planned.stdout).unwrap_or_else(|_| panic!("{planned:?}"));
    assert_eq!(
        plan["counts"],
        json!({"reset": 19, "keep": 0, "hold": 0, "people": 16}),
        "{planned:?}"
    );

    let bundle = decode_layout_export(read(&env, "found/layouts.json").as_bytes()).unwrap();
    assert_eq!(bundle.content, LayoutExportContent::Original);
    let layouts: BTreeSet<String> = bundle.cards.iter().map(|(key, _)| key.to_string()).collect();
    let targets = plan["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["target"].as_str().unwrap().to_owned());
    let common = ["common/lead/simple", "common/lead/repeat"].map(str::to_owned);
    assert_eq!(layouts, targets.chain(common).collect());
    let of_plan = plan["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["loses"]["digest"].as_str().unwrap());
    let of_bundle = bundle
        .cards
        .iter()
        .filter(|(key, _)| key.user().is_some())
        .map(|(_, card)| card.digest().to_string());
    assert_eq!(of_plan.collect::<Vec<_>>(), of_bundle.collect::<Vec<_>>());

    let again = env.run(&["export", "--out", "found"]);
    assert!(again.code == 1 && again.stderr.contains("replaces nothing"), "{again:?}");
    let counters = emulator.counters();
    assert_eq!(
        (counters.rows_written, counters.rows_removed, emulator.complaints()),
        (0, 0, vec![])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_with_sanitize_holds_no_name_and_no_title() {
    let env = TestEnv::start().await;
    assert_eq!(env.run(&["export", "--out", "open"]).code, 0);
    assert_eq!(env.run(&["export", "--out", "clean", "--sanitize"]).code, 0);
    let both = |folder: &str| {
        read(&env, &format!("{folder}/manifest.yaml"))
            + &read(&env, &format!("{folder}/layouts.json"))
    };
    let (open, clean) = (both("open"), both("clean"));
    let mut words: BTreeSet<String> = BTreeSet::new();
    for (_, layout) in
        decode_layout_export(read(&env, "open/layouts.json").as_bytes()).unwrap().cards
    {
        for section in layout.outline().sections {
            words.extend([section.name, section.title]);
            words.extend(section.fields.into_iter().map(|field| field.name));
        }
    }
    let mut words: BTreeSet<String> = words.iter().map(|word| format!("{word:?}")).collect();
    words.extend(["# Ivan Petrov", "# Zofia Wójcik", "127.0.0.1"].map(str::to_owned));
    assert!(words.len() > 15, "{words:?}");
    for word in &words {
        assert!(open.contains(word.as_str()), "{word}");
        assert!(!clean.contains(word.as_str()), "{word}");
    }
    let [open, clean] = ["open", "clean"].map(|folder| {
        decode_layout_export(read(&env, &format!("{folder}/layouts.json")).as_bytes())
            .unwrap()
            .cards
    });
    let shape = |cards: &[(recard::model::CardKey, recard::model::Layout)]| {
        cards.iter().map(|(key, card)| (*key, card.sections(), card.fields())).collect::<Vec<_>>()
    };
    assert_eq!(shape(&open), shape(&clean));
    assert_eq!(env.run(&["validate", "-f", "clean/manifest.yaml"]).code, 0);
}

#[test]
fn export_of_a_department_holds_its_subtree_only() {
    let env = TestEnv::new();
    let ids = |department: &str| {
        let ended = env.run(&["export", "--portal", "embedded", "--department", department]);
        let lines = ended.stdout.lines().filter_map(|line| line.trim().strip_prefix("- "));
        lines
            .filter_map(|line| line.split(' ').next()?.parse::<u32>().ok())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(ids("42"), BTreeSet::from([18, 20]));
    assert_eq!(ids("41"), BTreeSet::from([7, 8, 12, 14, 15, 18, 20, 22]));
    let unknown = env.run(&["export", "--portal", "embedded", "--department", "99"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("no active department 99"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inventory_counts_untrusted_reads_as_unread() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let counted = env.run(&["inventory", "--output", "json"]);
    assert_eq!(counted.code, 3, "{counted:?}");
    let counts: Value = serde_json::from_str(&counted.stdout).unwrap();
    assert_eq!(
        (&counts["all"]["unread"], &counts["all"]["either"]),
        (&json!(36), &json!(0)),
        "{counts}"
    );
    assert!(counted.stderr.contains("72 cards could not be read"), "{counted:?}");
    let exported = env.run(&["export"]);
    assert_eq!((exported.code, exported.stdout.as_str()), (3, ""), "{exported:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_without_cards_writes_no_manifest() {
    let options =
        EmulatorOptions { seed: recard::emulator::Seed::Empty, ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let exported = env.run(&["export", "--out", "found"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    assert!(exported.stderr.contains("Nobody has a card of their own"), "{exported:?}");
    assert!(!env.at("found/manifest.yaml").exists());
    assert_eq!(
        decode_layout_export(read(&env, "found/layouts.json").as_bytes()).unwrap().cards,
        vec![]
    );
}
