//! Whole program against the emulator: exit code, stdout and stderr together.

use recard::emulator::{Emulator, EmulatorOptions, Release};
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use crate::support::company::{manifest, portal_of, resets_sent};
use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};

fn removed(emulator: &Emulator) -> u64 {
    emulator.counters().rows_removed
}

#[test]
fn rate_limit_level_of_a_failed_command_is_stored_for_the_next() {
    let env = TestEnv::new();
    env.file(
        "lead.yaml",
        &QUICKSTART
            .replace("departments:", "emails: [nobody@company.example]\n        departments:"),
    );
    for command in ["plan", "apply"] {
        let ended = env.run(&[command, "--portal", "embedded", "-f", "lead.yaml"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        let kept = env.at(".recard/portals/embedded/limiter.json");
        assert!(kept.is_file(), "{command}: {ended:?}");
        std::fs::remove_file(kept).unwrap();
    }
}

#[test]
fn plan_apply_and_second_plan_on_the_embedded_portal_converge() {
    let env = TestEnv::quickstart();
    let plan = ["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"];
    let first = env.run(&plan);
    assert_data_eq!(
        first.shown(),
        str![[r#"
exit 2
--- stdout
Portal embedded (an emulator), as user 1 Olga Sokolova
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest sales-back-to-standard: New lead form since 1 November

reset  3 cards of 2 people: layout "Start here" (2 sections, 5 fields)
       personal/8/lead/simple   Ivan Petrov   Sales
       personal/8/lead/repeat   Ivan Petrov   Sales
       personal/20/lead/simple  Nadia Haddad  Sales East
reset  3 cards of 2 people: layout "All on one page" (1 section, 10 fields)
       personal/12/lead/simple  Anna Petrova  Sales
       personal/18/lead/simple  Zofia Wójcik  Sales East
       personal/18/lead/repeat  Zofia Wójcik  Sales East
reset  2 cards of 2 people: layout "For the first call" (3 sections, 10 fields)
       personal/15/lead/repeat  Mateusz Nowak   Sales
       personal/22/lead/simple  Giulia Bianchi  Sales
reset  1 card of 1 person: layout "About the lead" (3 sections, 12 fields)
       personal/14/lead/simple  Sofia Rossi  Sales

Plan: 9 to reset (7 people of 37), 17 to keep, 0 held.
Only card layouts change. No lead, contact or deal data is touched. Undo: `recard restore RUN --all`.
Apply takes under a second.
--- stderr
To apply exactly this plan, save it with --out FILE and run `recard apply FILE`.

"#]]
    );
    let apply = ["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"];
    let applied = env.run(&apply);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.stdout.contains("Done: 9 of 9 cards; 0 skipped, 0 failed, 0 unknown."),
        "{applied:?}"
    );
    let again = env.run(&apply);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("No changes. 26 cards match the manifests."), "{again:?}");
    assert_eq!(env.run(&plan).code, 0);
    let history = env.run(&["history", "--portal", "embedded"]);
    assert_data_eq!(
        history.shown(),
        str![[r#"
exit 0
--- stdout
RUN  apply: 9 of 9 done, 0 skipped, 0 failed, 0 unknown
    sales-back-to-standard
--- stderr

"#]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apply_for_the_second_time_sends_no_reset() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    let selection = "{ departments: [{ id: 41, recursive: true }] }";
    env.file("lead.yaml", &manifest(&env.portal(), selection, ""));
    let apply = ["apply", "-f", "lead.yaml", "--auto-approve"];
    assert_eq!(env.run(&apply).code, 0);
    assert_eq!((resets_sent(emulator), removed(emulator)), (11, 11));
    let again = env.run(&apply);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!((resets_sent(emulator), removed(emulator)), (11, 11));
    assert_eq!(emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selector_of_each_kind_selects_the_customized_cards() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    let portal = env.portal();
    let all = "{ all: true, except: { ids: [7], emails: [karim.benali@company.example], departments: [{ id: 41, recursive: true }] } }";
    for (users, resets) in [
        ("{ ids: [7, 16, 10] }", "personal/7/lead/simple personal/7/lead/repeat"),
        ("{ emails: [Anna.Petrova@company.example] }", "personal/12/lead/simple"),
        (
            "{ departments: [42] }",
            "personal/18/lead/simple personal/18/lead/repeat personal/20/lead/simple",
        ),
        (
            "{ departments: [41], except: { ids: [7, 8] } }",
            "personal/12/lead/simple personal/14/lead/simple personal/15/lead/repeat personal/22/lead/simple",
        ),
        (
            all,
            "personal/2/lead/simple personal/5/lead/simple personal/11/lead/simple personal/26/lead/simple personal/28/lead/simple personal/33/lead/simple personal/35/lead/simple",
        ),
    ] {
        env.file("lead.yaml", &manifest(&portal, users, ""));
        let planned =
            env.run(&["plan", "-f", "lead.yaml", "--output", "json", "--detailed-exitcode"]);
        assert_eq!(planned.code, 2, "{planned:?}");
        let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
        let decided = plan["targets"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|target| target["decision"] == "reset");
        let found: Vec<&str> = decided.map(|target| target["target"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), resets, "{users}");
    }
    assert_eq!((resets_sent(emulator), emulator.complaints()), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_card_that_shows_the_common_default_is_kept() {
    let emulator = Emulator::start().await.unwrap();
    let mut state = emulator.state();
    let value = json!([{"name": "default_column", "type": "column", "elements": [{"name": "m", "title": "M", "type": "section", "elements": []}]}]);
    let row = json!({"user_id": 0, "category": "crm.entity.editor", "name": "lead_details", "common": "Y", "value": value});
    state["options"].as_array_mut().unwrap().push(row);
    emulator.set_state(&state).unwrap();
    let env = TestEnv::with_webhook(&emulator.webhook_url(1).unwrap());
    env.file("lead.yaml", &manifest(&portal_of(&emulator), "{ ids: [16, 12] }", ""));
    let planned = env.run(&["plan", "-f", "lead.yaml", "--unchanged"]);
    assert!(
        planned
            .stdout
            .contains("keep   personal/16/lead/simple  Elif Kaya     already at its default (shows the card set for all)"),
        "{planned:?}"
    );
    assert_eq!(env.run(&["apply", "-f", "lead.yaml", "--auto-approve"]).code, 0);
    let again = env.run(&["plan", "-f", "lead.yaml", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(removed(&emulator), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_portal_with_wrong_reads_gets_no_reset_and_no_backup() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let emulator = Emulator::start_with(options).await.unwrap();
    let portal = portal_of(&emulator);
    // The caller with a card of their own, and without one.
    for own in [false, true] {
        let mut state = emulator.state();
        if own {
            let value =
                json!([{"name": "mine", "title": "Mine", "type": "section", "elements": []}]);
            let row = json!({"user_id": 1, "category": "crm.entity.editor", "name": "lead_details", "common": "N", "value": value});
            state["options"].as_array_mut().unwrap().push(row);
            emulator.set_state(&state).unwrap();
        }
        let before = emulator.state();
        let env = TestEnv::with_webhook(&emulator.webhook_url(1).unwrap());
        env.file("lead.yaml", &manifest(&portal, "{ ids: [7, 12, 16] }", ""));
        let applied = env.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
        assert_eq!(applied.code, 3, "{applied:?}");
        assert!(applied.stdout.contains("0 to reset, 0 to keep, 6 held"), "{applied:?}");
        assert_eq!(emulator.state(), before);
        assert_eq!(resets_sent(&emulator), 0);
        assert!(
            !env.path()
                .join(".recard/portals")
                .join(portal.replace(':', "_"))
                .join("backups")
                .exists()
        );
    }
}

#[test]
fn manifest_errors_are_reported_together_before_the_first_request() {
    let env = TestEnv::new();
    env.file("a.yaml", &manifest("embedded", "{ ids: [0] }", ""));
    env.file("b.yaml", "kind: LeadCardReset\n");
    let ended = env.run(&["plan", "--portal", "embedded", "-f", "a.yaml", "-f", "b.yaml"]);
    assert_eq!(ended.code, 1);
    assert_data_eq!(
        ended.stderr,
        str![[r#"
...
error: 4 problems in the manifests; nothing was sent to a portal

"#]]
    );
    assert!(!env.at(".recard").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_people_and_departments_are_errors_with_line_and_column() {
    let env = TestEnv::start().await;
    let users = "{ ids: [999], emails: [nobody@company.example, fedor.orlov@company.example], departments: [77] }";
    env.file("lead.yaml", &manifest(&env.portal(), users, ""));
    let ended = env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1);
    for text in [
        "the portal has no user 999",
        "nobody on the portal has the e-mail nobody@company.example",
        "the person with the e-mail fedor.orlov@company.example was dismissed",
        "the portal has no active department 77",
        "41 (Sales)",
        "lead.yaml:7:22",
        "4 problems in the manifests; nothing was written",
    ] {
        assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pinned_portal_that_differs_is_refused_before_the_first_request() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    env.file("lead.yaml", &manifest("company.bitrix24.com", "{ ids: [7] }", ""));
    let ended = env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("the manifests are for the portal company.bitrix24.com"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("lead.yaml:5:11"), "{ended:?}");
    assert_eq!(emulator.counters().requests, 0);
}

#[test]
fn apply_without_a_terminal_and_auto_approve_is_refused() {
    let env = TestEnv::quickstart();
    let ended = env.run(&["apply", "--portal", "embedded", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 4);
    assert!(ended.stderr.contains("there is no terminal to ask on"), "{ended:?}");
    assert_eq!(
        env.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"]).code,
        2
    );
}

#[test]
fn usage_error_exits_with_64() {
    let env = TestEnv::new();
    for arguments in [
        &["fly"][..],
        &["restore", "last"],
        &["plan", "-f", "x", "--deadline", "soon"],
        &["apply", "--force"],
    ] {
        let ended = env.run(arguments);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended:?}");
    }
    assert_eq!(env.run(&["--help"]).code, 0);
    assert_eq!(env.run(&["--version"]).code, 0);
}

#[test]
fn missing_webhook_is_an_error_with_help() {
    let env = TestEnv::quickstart();
    let ended = env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("RECARD_WEBHOOK_URL") && ended.stderr.contains("--emulator"),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_secret_is_in_no_output_and_no_file() {
    let emulator = Emulator::start().await.unwrap();
    let webhook = emulator.webhook_url(1).unwrap();
    let secret = webhook.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    assert_eq!(secret, "emulator00000001");
    let env = TestEnv::with_webhook(&webhook);
    let portal = portal_of(&emulator);
    env.file("lead.yaml", &manifest(&portal, "{ departments: [42] }", ""));
    env.file("wrong.yaml", &manifest(&webhook, "{ ids: [7] }", ""));
    let mut told = String::new();
    let mut tell = |ended: CommandOutput| {
        told.push_str(&ended.stdout);
        told.push_str(&ended.stderr);
    };
    let traced = |arguments: &[&str]| {
        let mut command = env.command(arguments);
        CommandOutput::of(
            command
                .env("RECARD_LOG", "trace,recard=trace,h2::codec=trace,hyper_util::client=trace")
                .output()
                .unwrap(),
        )
    };
    tell(traced(&["plan", "-f", "lead.yaml", "--detail"]));
    tell(traced(&["plan", "-f", "lead.yaml", "--output", "json", "--log-format", "json"]));
    tell(traced(&["plan", "-f", "wrong.yaml"]));
    tell(traced(&["apply", "-f", "lead.yaml", "--auto-approve"]));
    tell(traced(&["restore", "last", "--all", "--auto-approve"]));
    for fault in ["redirect", "html-before", "cut-before", "truncate", "expire-webhook", "overload"]
    {
        emulator.set_faults(&json!([{"do": fault, "times": 1}])).unwrap();
        let ended = traced(&["plan", "-f", "lead.yaml", "--deadline", "2s"]);
        tell(ended);
        emulator.set_state(&emulator.state()).unwrap();
    }
    // An address where nobody listens, one that is not http, and one that is no webhook.
    for url in [
        format!("http://127.0.0.1:1/rest/1/{secret}/"),
        format!("http://example.com/rest/1/{secret}/"),
        secret.clone(),
    ] {
        let other = TestEnv::with_webhook(&url);
        other.file("lead.yaml", &manifest(&portal, "{ ids: [7] }", ""));
        other.file("one.yaml", &manifest("127.0.0.1:1", "{ ids: [7] }", ""));
        for file in ["lead.yaml", "one.yaml"] {
            let mut command = other.command(&["plan", "-f", file, "--deadline", "1s"]);
            let ended = CommandOutput::of(command.env("RECARD_LOG", "trace").output().unwrap());
            assert_eq!(ended.code, 1, "{ended:?}");
            tell(ended);
        }
    }
    assert!(told.contains("trusted"), "the commands did not get far enough to show anything");
    assert!(!told.contains(&secret), "{told}");
    let mut files = vec![env.at(".recard")];
    let mut looked = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            looked += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(&secret), "{}", path.display());
        }
    }
    assert!(looked > 5, "only {looked} files were looked at");
}

#[test]
fn json_output_keeps_to_its_schema() {
    let env = TestEnv::quickstart();
    let check = |schema: &str, ended: &CommandOutput| {
        let schema: Value = serde_json::from_str(schema).unwrap();
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(&value).map(|problem| problem.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
        value
    };
    let plan_schema = include_str!("../../../schemas/plan.v1.schema.json");
    let report_schema = include_str!("../../../schemas/report.v1.schema.json");
    assert_eq!(env.run(&["schema", "plan"]).stdout, plan_schema);
    assert_eq!(env.run(&["schema", "report"]).stdout, report_schema);
    assert_eq!(env.run(&["schema"]).stdout, include_str!("../../../schemas/recard.v1.schema.json"));

    let common = ["--portal", "embedded", "-f", "lead.yaml", "--output", "json"];
    let run = |first: &[&str]| env.run(&[first, &common].concat());
    let plan = check(plan_schema, &run(&["plan", "--detail"]));
    assert_eq!(plan["counts"], json!({"reset": 9, "keep": 17, "hold": 0, "people": 7}));
    assert!(plan["targets"][0]["loses"]["diff"].as_str().unwrap().contains("-section main"));
    let report = check(report_schema, &run(&["apply", "--auto-approve"]));
    assert_eq!(
        report["totals"],
        json!({"planned": 9, "done": 9, "skipped": 0, "failed": 0, "unknown": 0})
    );
    let nothing = check(report_schema, &run(&["apply", "--auto-approve"]));
    assert_eq!((nothing["totals"]["planned"].clone(), nothing.get("run")), (json!(0), None));
}

#[test]
fn output_that_cannot_be_written_is_refused_before_the_first_request() {
    let env = TestEnv::quickstart();
    let apply = [
        "apply",
        "--portal",
        "embedded",
        "-f",
        "lead.yaml",
        "--auto-approve",
        "--output",
        "json=none/report.json",
    ];
    let ended = env.run(&apply);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("cannot write none/report.json: there is no folder none\n"),
        "{ended:?}"
    );
    assert_eq!(
        env.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"]).code,
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn excepted_department_excludes_a_dismissed_user_selected_by_id() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    let portal = env.portal();
    let mut state = emulator.state();
    let users = state["portal"]["users"].as_array_mut().unwrap();
    users.iter_mut().find(|user| user["ID"] == 18).unwrap()["ACTIVE"] = json!(false);
    emulator.set_state(&state).unwrap();
    for (users, resets) in [
        (
            "{ ids: [18, 7] }",
            "personal/7/lead/simple personal/7/lead/repeat personal/18/lead/simple personal/18/lead/repeat",
        ),
        (
            "{ ids: [18, 7], except: { departments: [42] } }",
            "personal/7/lead/simple personal/7/lead/repeat",
        ),
        ("{ ids: [18, 7], except: { departments: [{ id: 41, recursive: true }] } }", ""),
    ] {
        env.file("lead.yaml", &manifest(&portal, users, ""));
        let planned = env.run(&["plan", "-f", "lead.yaml", "--output", "json"]);
        let plan: Value = serde_json::from_str(&planned.stdout).unwrap();
        let Some(targets) = plan["targets"].as_array() else {
            assert!(resets.is_empty() && planned.stderr.contains("selects nobody"), "{planned:?}");
            continue;
        };
        let decided = targets.iter().filter(|target| target["decision"] == "reset");
        let found: Vec<&str> = decided.map(|target| target["target"].as_str().unwrap()).collect();
        assert_eq!(found.join(" "), resets, "{users}");
    }
}
