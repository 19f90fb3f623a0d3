//! `recard drift`: finds unplanned differences by kind, keeps one fingerprint, and cannot write.

use crate::support::env::{CommandOutput, TestEnv};
use recard::emulator::{EmulatorOptions, Release};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

/// A portal and a folder to look at it from.
fn write_blocks(env: &TestEnv, blocks: &[&str]) {
    let portal = env
        .emulator()
        .rest_url()
        .trim_start_matches("http://")
        .trim_end_matches("/rest")
        .to_owned();
    let blocks: Vec<String> = blocks.iter().map(|block| format!("    - {block}\n")).collect();
    let text = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
         \"{portal}\"\n  personal:\n{}",
        blocks.concat()
    );
    env.file("lead.yaml", &text);
}

/// Lets a person arrange their card for simple leads.
fn arrange(env: &TestEnv, user: u32, title: &str) {
    let value = json!([{"name": "default_column", "type": "column", "elements":
        [{"name": "main", "title": title, "type": "section", "elements": []}]}]);
    let row = json!({"user_id": user, "category": "crm.entity.editor", "name": "lead_details", "common": "N", "value": value});
    env.change(|state| {
        let options = state["options"].as_array_mut().unwrap();
        options.retain(|row| !(row["user_id"] == user && row["name"] == "lead_details"));
        options.push(row);
    });
}

fn drift(env: &TestEnv) -> (i32, Value) {
    let ended = env.run(&["drift", "-f", "lead.yaml", "--output", "json"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!(report["purpose"], "drift");
    (ended.code, report["drift"].clone())
}

fn apply(env: &TestEnv) -> CommandOutput {
    env.run(&["apply", "-f", "lead.yaml", "--auto-approve"])
}

fn assert_nothing_was_written(env: &TestEnv) {
    let counters = env.emulator().counters();
    assert_eq!((counters.rows_written, counters.rows_removed), (0, 0));
    assert_eq!(env.emulator().complaints(), []);
}

#[test]
fn drift_has_line_and_column_and_ends_with_an_apply() {
    let env = TestEnv::quickstart();
    let drift = ["drift", "--portal", "embedded", "-f", "lead.yaml"];
    assert_data_eq!(
        env.run(&drift).shown(),
        str![[r#"
exit 2
--- stdout
Portal embedded (an emulator), read as user 1

customized  personal/8/lead/simple   Ivan Petrov     lead.yaml:17
customized  personal/8/lead/repeat   Ivan Petrov     lead.yaml:17
customized  personal/12/lead/simple  Anna Petrova    lead.yaml:17
customized  personal/14/lead/simple  Sofia Rossi     lead.yaml:17
customized  personal/15/lead/repeat  Mateusz Nowak   lead.yaml:17
customized  personal/18/lead/simple  Zofia Wójcik    lead.yaml:17
customized  personal/18/lead/repeat  Zofia Wójcik    lead.yaml:17
customized  personal/20/lead/simple  Nadia Haddad    lead.yaml:17
customized  personal/22/lead/simple  Giulia Bianchi  lead.yaml:17

Drift: 9 customized; 17 as wanted.
Fingerprint sha256:[..]
--- stderr

"#]]
    );
    let apply = ["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"];
    assert_eq!(env.run(&apply).code, 0);
    let after = env.run(&drift);
    assert_eq!(after.code, 0, "{after:?}");
    assert!(after.stdout.contains("No drift. 26 cards match the manifests."), "{after:?}");
    assert!(!after.stdout.contains("Fingerprint"), "{after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_fingerprint_depends_on_the_drift_only() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    let sales = "{ users: { departments: [42] }, leadCustomerTypes: [simple, repeat] }";
    let support = "{ users: { ids: [26, 28] }, leadCustomerTypes: [simple] }";
    let fingerprint = || drift(&env).1["fingerprint"].as_str().unwrap().to_owned();
    write_blocks(&env, &[sales, support]);
    let first = fingerprint();
    assert!(first.starts_with("sha256:"));
    assert_eq!(fingerprint(), first);
    write_blocks(&env, &[support, sales]);
    assert_eq!(fingerprint(), first, "the order of blocks");
    arrange(&env, 26, "Arranged once more");
    assert_eq!(fingerprint(), first, "what a drifted card holds");
    env.change(|state| {
        let people = state["portal"]["users"].as_array_mut().unwrap();
        let person =
            people.iter_mut().find(|person| person["ID"] == 26 || person["ID"] == "26").unwrap();
        person["LAST_NAME"] = json!("Married");
    });
    assert_eq!(fingerprint(), first, "a name");
    arrange(&env, 19, "One more person");
    assert_ne!(fingerprint(), first, "one more card");
    assert_nothing_was_written(&env);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_in_mode_once_tells_pending_new_and_allowed_cards_apart() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    write_blocks(
        &env,
        &["{ users: { departments: [42] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }"],
    );
    let (code, before) = drift(&env);
    assert_eq!((code, &before["counts"]), (2, &json!({"not-yet-reset": 2})));
    let applied = apply(&env);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(drift(&env).0, 0);

    arrange(&env, 18, "Mine again");
    let (code, allowed) = drift(&env);
    assert_eq!((code, &allowed["counts"]), (0, &json!({"customized-again": 1})), "{allowed}");
    assert_eq!(allowed.get("fingerprint"), None);

    // Somebody with a card of their own moves into the department.
    env.change(|state| {
        let people = state["portal"]["users"].as_array_mut().unwrap();
        let person =
            people.iter_mut().find(|person| person["ID"] == 26 || person["ID"] == "26").unwrap();
        person["UF_DEPARTMENT"] = json!([42]);
    });
    let (code, later) = drift(&env);
    assert_eq!(
        (code, &later["counts"]),
        (2, &json!({"new-in-group": 1, "customized-again": 1})),
        "{later}"
    );
    let text = env.run(&["drift", "-f", "lead.yaml"]);
    assert!(text.stdout.contains("new in group      personal/26/lead/simple"), "{text:?}");
    assert!(
        text.stdout
            .contains("1 card was customized again after the reset, which mode once allows."),
        "{text:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_with_a_deleted_user_reports_the_others_too() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    write_blocks(
        &env,
        &[
            "{ users: { ids: [12, 9999], emails: [nobody@company.example] }, leadCustomerTypes: [simple] }",
            "{ users: { departments: [77] }, leadCustomerTypes: [simple] }",
        ],
    );
    let (code, drift) = drift(&env);
    assert_eq!((code, &drift["counts"]), (2, &json!({"customized": 1})), "{drift}");
    let gone: Vec<&str> =
        drift["gone"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(gone.len(), 3, "{gone:?}");
    assert!(gone.iter().any(|text| text.contains("no user 9999")), "{gone:?}");
    // A plan refuses such a manifest.
    assert_eq!(env.run(&["plan", "-f", "lead.yaml"]).code, 1);
    assert_nothing_was_written(&env);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_of_a_deleted_user_alone_has_a_title_that_says_so() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    write_blocks(&env, &["{ users: { ids: [9999] }, leadCustomerTypes: [simple] }"]);
    let ended = env.run(&["drift", "-f", "lead.yaml", "-o", "markdown"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    let title = "recard drift: 1 selector finds nobody any more";
    assert!(ended.stdout.contains(title), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_of_a_dismissed_user_is_a_kind_of_its_own() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    write_blocks(&env, &["{ users: { ids: [12, 14] }, leadCustomerTypes: [simple] }"]);
    env.change(|state| {
        let people = state["portal"]["users"].as_array_mut().unwrap();
        let person =
            people.iter_mut().find(|person| person["ID"] == 12 || person["ID"] == "12").unwrap();
        person["ACTIVE"] = json!(false);
    });
    let (code, drift) = drift(&env);
    assert_eq!((code, &drift["counts"]), (2, &json!({"customized": 1, "dismissed": 1})), "{drift}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_card_that_cannot_be_read_is_held() {
    let env = TestEnv::start_with(EmulatorOptions {
        release: Some(Release::LegacyRead),
        ..EmulatorOptions::default()
    })
    .await;
    write_blocks(&env, &["{ users: { ids: [12] }, leadCustomerTypes: [simple, repeat] }"]);
    let (code, drift) = drift(&env);
    assert_eq!((code, &drift["counts"]), (2, &json!({"out-of-reach": 2})), "{drift}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_webhook_is_used_by_drift_and_refused_by_apply() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    write_blocks(&env, &["{ users: { departments: [42] }, leadCustomerTypes: [simple, repeat] }"]);
    let webhook = env.emulator().webhook_url(9).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        CommandOutput::of(
            command
                .env_remove("RECARD_WEBHOOK_URL")
                .env("RECARD_READ_WEBHOOK_URL", &webhook)
                .output()
                .unwrap(),
        )
    };
    let before = env.emulator().state();
    for command in ["plan", "drift"] {
        let ended = run(&[command, "-f", "lead.yaml", "--output", "markdown=comment.md"]);
        assert!(ended.code == 0 || ended.code == 2, "{ended:?}");
    }
    for command in [["inventory", "--quiet"], ["export", "--quiet"], ["doctor", "--quiet"]] {
        let ended = run(&command);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    let refused = run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("this command writes, and"),
        "{refused:?}"
    );
    let counters = env.emulator().counters();
    assert!(counters.by_method["crm.lead.details.configuration.get"] > 10);
    let asked: Vec<&str> = counters.by_method.keys().map(String::as_str).collect();
    assert!(
        !asked.iter().any(|name| name.ends_with(".reset") || name.ends_with(".set")),
        "{asked:?}"
    );
    assert_eq!(env.emulator().state(), before);
    assert_nothing_was_written(&env);
}

#[test]
fn drift_report_is_valid_by_the_plan_schema_and_fits_a_comment() {
    let env = TestEnv::quickstart();
    let outputs = ["--output", "json=drift.json", "--output", "markdown=drift.md"];
    assert_eq!(
        env.run(&[&["drift", "--portal", "embedded", "-f", "lead.yaml"], &outputs[..]].concat())
            .code,
        2
    );
    let read = |name: &str| std::fs::read_to_string(env.at(name)).unwrap();
    let schema: Value =
        serde_json::from_str(include_str!("../../../schemas/plan.v1.schema.json")).unwrap();
    let report: Value = serde_json::from_str(&read("drift.json")).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    assert_eq!(
        validator.iter_errors(&report).map(|problem| problem.to_string()).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
    let comment = read("drift.md");
    assert!(
        comment.starts_with("<!-- recard:drift -->\n### ⚠️ recard drift: 9 cards drifted\n"),
        "{comment}"
    );
    assert!(comment.contains(report["drift"]["fingerprint"].as_str().unwrap()), "{comment}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_kinds_and_fingerprint_are_in_each_format() {
    let env = TestEnv::start_with(EmulatorOptions::default()).await;
    write_blocks(
        &env,
        &[
            "{ users: { ids: [12, 14, 9999] }, leadCustomerTypes: [simple] }",
            "{ users: { departments: [42] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }",
        ],
    );
    env.change(|state| {
        let people = state["portal"]["users"].as_array_mut().unwrap();
        let person =
            people.iter_mut().find(|person| person["ID"] == 12 || person["ID"] == "12").unwrap();
        person["ACTIVE"] = json!(false);
    });
    let outputs = ["json", "junit", "sarif", "github", "csv", "markdown"]
        .map(|format| format!("{format}=out.{format}"));
    let mut drift = vec!["drift", "-f", "lead.yaml"];
    drift.extend(outputs.iter().flat_map(|output| ["--output", output]));
    assert_eq!(env.run(&drift).code, 2);
    let text = |format: &str| std::fs::read_to_string(env.at(format!("out.{format}"))).unwrap();
    let report: Value = serde_json::from_str(&text("json")).unwrap();
    assert_eq!(
        report["drift"]["counts"],
        json!({"customized": 1, "not-yet-reset": 2, "dismissed": 1})
    );
    let fingerprint = report["drift"]["fingerprint"].as_str().unwrap();
    for format in ["junit", "sarif", "github", "csv", "markdown"] {
        assert!(text(format).contains(fingerprint), "{format}: {}", text(format));
    }

    let (xml, sarif) = (text("junit"), text("sarif"));
    let document = roxmltree::Document::parse(&xml).unwrap();
    let failures = document.descendants().filter(|node| node.has_tag_name("failure"));
    let mut kinds: Vec<&str> = failures.map(|node| node.attribute("type").unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["customized", "dismissed", "gone", "not-yet-reset", "not-yet-reset"]);

    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["properties"]["driftFingerprint"], fingerprint);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let mut rules: Vec<&str> =
        results.iter().map(|result| result["ruleId"].as_str().unwrap()).collect();
    rules.sort_unstable();
    assert_eq!(rules, ["RC0401", "RC0406", "customized", "dismissed", "not-yet-reset"]);

    let annotated = text("github");
    for line in [
        "::warning file=lead.yaml,line=8,col=32,title=recard drift%3A not-yet-reset::personal/18/lead/simple and 1 more: not yet reset (department 42)",
        "::warning file=lead.yaml,line=7,col=28,title=recard drift%3A customized::personal/14/lead/simple: customized (id)",
        "::notice title=recard drift%3A fingerprint::1 customized, 2 not yet reset, 1 dismissed, 1 gone; ",
    ] {
        assert!(annotated.contains(line), "{line}: {annotated}");
    }
    let table = text("csv");
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 1 + 4 + 1, "{table}");
    assert!(rows[1].contains("\"dismissed\",\"yes\""), "{table}");
    assert!(rows[5].contains("\"gone\",\"yes\",\"the portal has no user 9999\""), "{table}");

    // What mode once allows is told, and is no failure.
    write_blocks(
        &env,
        &["{ users: { departments: [42] }, leadCustomerTypes: [simple], mode: { once: 2026-11 } }"],
    );
    assert_eq!(apply(&env).code, 0);
    arrange(&env, 18, "Mine again");
    assert_eq!(env.run(&drift).code, 0);
    assert!(!text("junit").contains("<failure"), "{}", text("junit"));
    let allowed: Value = serde_json::from_str(&text("sarif")).unwrap();
    assert_eq!(allowed["runs"][0]["results"], json!([]));
    assert!(text("github").contains("customized again (department 42)"), "{}", text("github"));
    assert!(text("csv").contains("\"customized-again\",\"no\""), "{}", text("csv"));
}
