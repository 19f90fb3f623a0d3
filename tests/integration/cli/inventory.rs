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
    assert!(exported.stderr.contains("No card is customized"), "{exported:?}");
    assert!(!env.at("found/manifest.yaml").exists());
    assert_eq!(
        decode_layout_export(read(&env, "found/layouts.json").as_bytes()).unwrap().cards,
        vec![]
    );
}

#[test]
fn inventory_of_all_kinds_has_a_line_for_each_kind() {
    let env = TestEnv::new();
    let ended = env.run(&["inventory", "--card", "all", "--portal", "embedded"]);
    assert_data_eq!(
        ended.shown(),
        str![[r#"
exit 0
--- stdout
Portal embedded (an emulator): cards of 37 active people

                     people  common card
simple                   14  customized
repeat                    5  customized
deal/0                    4  customized  deals of the default pipeline
deal/3                    2  customized  deals of pipeline Partners (3)
deal/5                    2  default     deals of pipeline Key accounts (5)
contact                   2  customized  contacts
contact/9                 1  default     contacts of category Suppliers (9)
company                   1  default     companies
quote                     1  default     quotes
smart-invoice/1           1  customized  invoices
smart-process/177/5       2  customized  Purchases (177), pipeline Office (5)
smart-process/177/7       1  default     Purchases (177), pipeline Warehouse (7)

16 of 37 people have a card of their own
--- stderr

"#]]
    );
    let counts = env.run(&["inventory", "--card", "all", "--portal", "embedded", "--json"]);
    let counts: Value = serde_json::from_str(&counts.stdout).unwrap();
    let schema = include_str!("../../../schemas/inventory.v1.schema.json");
    let validator = jsonschema::draft7::new(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(validator.is_valid(&counts), "{counts}");
    assert_eq!(
        (&counts["all"]["simple"], &counts["all"]["cards"]["deal/0"]),
        (&json!(14), &json!(4))
    );
    let of_deals = ["inventory", "--card", "deal/0", "--portal", "embedded", "-o", "csv"];
    let table = env.run(&of_deals).stdout;
    assert_eq!(
        table.lines().next(),
        Some(r#""department","name","people","deal/0","either","unread""#)
    );
}

#[test]
fn export_of_all_kinds_is_a_manifest_that_resets_them_all() {
    let env = TestEnv::new();
    let exported = env.run(&["export", "--card", "all", "--out", "all", "--portal", "embedded"]);
    assert_eq!(exported.code, 0, "{exported:?}");
    let manifest = read(&env, "all/manifest.yaml");
    assert!(manifest.contains("kind: CardReset"), "{manifest}");
    let planned = env.run(&["plan", "all/manifest.yaml", "--portal", "embedded", "--json"]);
    let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
    let bundle = decode_layout_export(&std::fs::read(env.at("all/layouts.json")).unwrap()).unwrap();
    let personal = bundle.cards.iter().filter(|(key, _)| key.user().is_some()).count();
    assert_eq!(
        (plan["counts"]["reset"].as_u64(), &plan["counts"]["hold"]),
        (Some(personal as u64), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kind_that_the_portal_does_not_list_is_an_error_and_never_read() {
    let env = TestEnv::start().await;
    for command in [&["inventory"][..], &["export"], &["card", "show", "7"]] {
        for kind in ["deal/77", "smart-process/1044/1", "contact/5", "smart-invoice/?"] {
            let ended = env.run(&[command, &["--card", kind]].concat());
            assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{command:?} {kind}");
            assert!(ended.stderr.contains(&format!("no kind of card {kind}")), "{ended:?}");
        }
        assert_eq!(env.run(&[command, &["--card", "deal"]].concat()).code, 64);
    }
    assert_eq!(env.emulator().complaints(), []);
}
