//! Whole program against the emulator: exit code, stdout and stderr together.

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

use support::company::{manifest, portal_of, resets_sent};
use support::recard::{Ended, Place};

const QUICKSTART: &str = include_str!("../examples/quickstart.yaml");

fn removed(emulator: &Emulator) -> u64 {
    emulator.counters().rows_removed
}

#[test]
fn what_a_command_that_fails_has_used_of_the_limits_is_known_to_the_next_one() {
    let place = Place::new();
    place.file(
        "lead.yaml",
        &QUICKSTART
            .replace("departments:", "emails: [nobody@company.example]\n        departments:"),
    );
    for command in ["plan", "apply"] {
        let ended = place.run(&[command, "--portal", "embedded", "-f", "lead.yaml"]);
        assert_eq!(ended.code, 1, "{ended:?}");
        let kept = place.path().join(".recard/portals/embedded/limiter.json");
        assert!(kept.is_file(), "{command}: {ended:?}");
        std::fs::remove_file(kept).unwrap();
    }
}

#[test]
fn a_manifest_is_planned_applied_and_planned_again_on_the_embedded_portal() {
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
    let plan = ["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"];
    let first = place.run(&plan);
    assert_data_eq!(
        first.shown(),
        str![[r#"
exit 2
--- stdout
Portal embedded (an emulator), as user 1 Olga Sokolova
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest sales-back-to-standard: New lead form since 1 November

reset  personal/8/simple   Ivan Petrov     loses 2 sections, 5 fields
reset  personal/8/repeat   Ivan Petrov     loses 2 sections, 5 fields
reset  personal/12/simple  Anna Petrova    loses 1 section, 10 fields
reset  personal/14/simple  Sofia Rossi     loses 3 sections, 12 fields
reset  personal/15/repeat  Mateusz Nowak   loses 3 sections, 10 fields
reset  personal/18/simple  Zofia Wójcik    loses 1 section, 10 fields
reset  personal/18/repeat  Zofia Wójcik    loses 1 section, 10 fields
reset  personal/20/simple  Nadia Haddad    loses 2 sections, 5 fields
reset  personal/22/simple  Giulia Bianchi  loses 3 sections, 10 fields

Plan: 9 to reset (7 people of 37), 17 to keep, 0 held.
Apply takes under a second.
--- stderr

"#]]
    );
    let apply = ["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"];
    let applied = place.run(&apply);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.stdout.contains("Done: 9 of 9 cards; 0 skipped, 0 failed, 0 unknown."),
        "{applied:?}"
    );
    let again = place.run(&apply);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(
        again.stdout.contains("Nothing to do: 26 cards are as the manifests want."),
        "{again:?}"
    );
    assert_eq!(place.run(&plan).code, 0);
    let history = place.run(&["history", "--portal", "embedded"]);
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
async fn a_second_apply_sends_no_reset() {
    let emulator = Emulator::start().await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let selection = "{ departments: [{ id: 41, recursive: true }] }";
    place.file("lead.yaml", &manifest(&portal_of(&emulator), selection, ""));
    let apply = ["apply", "-f", "lead.yaml", "--auto-approve"];
    assert_eq!(place.run(&apply).code, 0);
    assert_eq!((resets_sent(&emulator), removed(&emulator)), (11, 11));
    let again = place.run(&apply);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!((resets_sent(&emulator), removed(&emulator)), (11, 11));
    assert_eq!(emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_selector_finds_exactly_the_customised_cards() {
    let emulator = Emulator::start().await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let portal = portal_of(&emulator);
    let all = "{ all: true, except: { ids: [7], emails: [karim.benali@company.example], departments: [{ id: 41, recursive: true }] } }";
    for (users, resets) in [
        ("{ ids: [7, 16, 10] }", "personal/7/simple personal/7/repeat"),
        ("{ emails: [Anna.Petrova@company.example] }", "personal/12/simple"),
        ("{ departments: [42] }", "personal/18/simple personal/18/repeat personal/20/simple"),
        (
            "{ departments: [41], except: { ids: [7, 8] } }",
            "personal/12/simple personal/14/simple personal/15/repeat personal/22/simple",
        ),
        (
            all,
            "personal/2/simple personal/5/simple personal/11/simple personal/26/simple personal/28/simple personal/33/simple personal/35/simple",
        ),
    ] {
        place.file("lead.yaml", &manifest(&portal, users, ""));
        let planned =
            place.run(&["plan", "-f", "lead.yaml", "--output", "json", "--detailed-exitcode"]);
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
    assert_eq!((resets_sent(&emulator), emulator.complaints()), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_shows_what_was_set_for_everybody_is_at_its_default() {
    let emulator = Emulator::start().await.unwrap();
    let mut state = emulator.state();
    let value = json!([{"name": "default_column", "type": "column", "elements": [{"name": "m", "title": "M", "type": "section", "elements": []}]}]);
    let row = json!({"user_id": 0, "category": "crm.entity.editor", "name": "lead_details", "common": "Y", "value": value});
    state["options"].as_array_mut().unwrap().push(row);
    emulator.set_state(&state).unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    place.file("lead.yaml", &manifest(&portal_of(&emulator), "{ ids: [16, 12] }", ""));
    let planned = place.run(&["plan", "-f", "lead.yaml", "--unchanged"]);
    assert!(
        planned
            .stdout
            .contains("keep   personal/16/simple  Elif Kaya     already at its default (shows the card set for all)"),
        "{planned:?}"
    );
    assert_eq!(place.run(&["apply", "-f", "lead.yaml", "--auto-approve"]).code, 0);
    let again = place.run(&["plan", "-f", "lead.yaml", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(removed(&emulator), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_portal_never_leads_to_a_wrong_reset_or_a_wrong_backup() {
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
        let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
        place.file("lead.yaml", &manifest(&portal, "{ ids: [7, 12, 16] }", ""));
        let applied = place.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
        assert_eq!(applied.code, 3, "{applied:?}");
        assert!(applied.stdout.contains("0 to reset, 0 to keep, 6 held"), "{applied:?}");
        assert_eq!(emulator.state(), before);
        assert_eq!(resets_sent(&emulator), 0);
        assert!(
            !place
                .path()
                .join(".recard/portals")
                .join(portal.replace(':', "_"))
                .join("backups")
                .exists()
        );
    }
}

#[test]
fn what_is_wrong_with_a_manifest_is_told_in_one_go_and_nothing_is_sent() {
    let place = Place::new();
    place.file("a.yaml", &manifest("embedded", "{ ids: [0] }", ""));
    place.file("b.yaml", "kind: LeadCardReset\n");
    let ended = place.run(&["plan", "--portal", "embedded", "-f", "a.yaml", "-f", "b.yaml"]);
    assert_eq!(ended.code, 1);
    assert_data_eq!(
        ended.stderr,
        str![[r#"
...
error: 4 problems in the manifests; nothing was sent to a portal

"#]]
    );
    assert!(!place.path().join(".recard").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_departments_that_are_not_there_are_told_with_their_places() {
    let emulator = Emulator::start().await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let users = "{ ids: [999], emails: [nobody@company.example, fedor.orlov@company.example], departments: [77] }";
    place.file("lead.yaml", &manifest(&portal_of(&emulator), users, ""));
    let ended = place.run(&["plan", "-f", "lead.yaml"]);
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
async fn another_portal_than_the_pinned_one_is_refused_before_anything_is_sent() {
    let emulator = Emulator::start().await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    place.file("lead.yaml", &manifest("company.bitrix24.com", "{ ids: [7] }", ""));
    let ended = place.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("the manifests are for the portal company.bitrix24.com"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("lead.yaml:5:11"), "{ended:?}");
    assert_eq!(emulator.counters().requests, 0);
}

#[test]
fn nobody_is_asked_where_nobody_can_answer() {
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
    let ended = place.run(&["apply", "--portal", "embedded", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 4);
    assert!(ended.stderr.contains("nobody can be asked here"), "{ended:?}");
    assert_eq!(
        place.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"]).code,
        2
    );
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_64() {
    let place = Place::new();
    for arguments in
        [&["fly"][..], &["plan"], &["plan", "-f", "x", "--deadline", "soon"], &["apply", "--force"]]
    {
        let ended = place.run(arguments);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended:?}");
    }
    assert_eq!(place.run(&["--help"]).code, 0);
    assert_eq!(place.run(&["--version"]).code, 0);
}

#[test]
fn a_missing_webhook_is_explained() {
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
    let ended = place.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("RECARD_WEBHOOK_URL") && ended.stderr.contains("--portal embedded"),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_of_the_webhook_is_shown_nowhere() {
    let emulator = Emulator::start().await.unwrap();
    let webhook = emulator.webhook_url(1).unwrap();
    let secret = webhook.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    assert_eq!(secret, "emulator00000001");
    let place = Place::with_webhook(&webhook);
    let portal = portal_of(&emulator);
    place.file("lead.yaml", &manifest(&portal, "{ departments: [42] }", ""));
    place.file("wrong.yaml", &manifest(&webhook, "{ ids: [7] }", ""));
    let mut told = String::new();
    let mut tell = |ended: Ended| {
        told.push_str(&ended.stdout);
        told.push_str(&ended.stderr);
    };
    let traced = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        Ended::of(
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
        let other = Place::with_webhook(&url);
        other.file("lead.yaml", &manifest(&portal, "{ ids: [7] }", ""));
        other.file("one.yaml", &manifest("127.0.0.1:1", "{ ids: [7] }", ""));
        for file in ["lead.yaml", "one.yaml"] {
            let mut command = other.command(&["plan", "-f", file, "--deadline", "1s"]);
            let ended = Ended::of(command.env("RECARD_LOG", "trace").output().unwrap());
            assert_eq!(ended.code, 1, "{ended:?}");
            tell(ended);
        }
    }
    assert!(told.contains("trusted"), "the commands did not get far enough to show anything");
    assert!(!told.contains(&secret), "{told}");
    let mut files = vec![place.path().join(".recard")];
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
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
    let check = |schema: &str, ended: &Ended| {
        let schema: Value = serde_json::from_str(schema).unwrap();
        let value: Value = serde_json::from_str(&ended.stdout).unwrap();
        let validator = jsonschema::draft7::new(&schema).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(&value).map(|problem| problem.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}");
        value
    };
    let plan_schema = include_str!("../schemas/plan.v1.schema.json");
    let report_schema = include_str!("../schemas/report.v1.schema.json");
    assert_eq!(place.run(&["schema", "plan"]).stdout, plan_schema);
    assert_eq!(place.run(&["schema", "report"]).stdout, report_schema);
    assert_eq!(place.run(&["schema"]).stdout, include_str!("../schemas/recard.v1.schema.json"));

    let common = ["--portal", "embedded", "-f", "lead.yaml", "--output", "json"];
    let run = |first: &[&str]| place.run(&[first, &common].concat());
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
fn colour_is_for_terminals_unless_asked_for() {
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
    let plan = ["plan", "--portal", "embedded", "-f", "lead.yaml"];
    assert!(!place.run(&plan).stdout.contains('\u{1b}'));
    let always = [&plan[..], &["--color", "always"]].concat();
    assert!(place.run(&always).stdout.contains('\u{1b}'));
    place.run(&[&always[..], &["--output", "text=plan.txt"]].concat());
    assert!(!std::fs::read_to_string(place.path().join("plan.txt")).unwrap().contains('\u{1b}'));
}

#[test]
fn an_output_that_cannot_be_written_is_found_before_anything_is_done() {
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
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
    let ended = place.run(&apply);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("cannot write none/report.json: there is no folder none\n"),
        "{ended:?}"
    );
    assert_eq!(
        place.run(&["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"]).code,
        2
    );
}

#[test]
fn the_demonstration_runs_and_leaves_nothing() {
    let place = Place::new();
    let ended = place.run(&["demo"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stdout.contains("Nothing to do: 26 cards are as the manifests want."),
        "{ended:?}"
    );
    assert_eq!(ended.stdout.matches("Done: 9 of 9 cards").count(), 2, "{ended:?}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn completions_and_the_manual_are_made_from_the_command_line() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = place.run(&["completions", shell]);
        assert!(ended.code == 0 && ended.stdout.contains("auto-approve"), "{shell}");
    }
    assert!(place.run(&["help-exit-codes"]).stdout.contains("  3  partial"));
}

#[test]
fn the_manual_has_a_page_for_every_command_that_it_names() {
    let place = Place::new();
    assert_eq!(place.run(&["man", "--out", "man/man1"]).code, 0);
    let read =
        |file: &str| std::fs::read_to_string(place.path().join("man/man1").join(file)).unwrap();
    // A page names another as `recard\-plan(1)`.
    let named = |page: &str| -> Vec<String> {
        let page = page.replace("\\-", "-").replace("\\fR", "").replace("\\fB", "");
        let words =
            page.split([' ', '\n']).filter_map(|word| word.strip_suffix("(1)")).map(str::to_owned);
        words.filter(|word| word.starts_with("recard-")).collect()
    };
    let commands = named(&read("recard.1"));
    assert!(commands.len() > 18, "{commands:?}");
    for command in &commands {
        let words: Vec<&str> = command.split('-').skip(1).collect();
        // `help-exit-codes` is one word, `audit verify` two.
        let words =
            if command == "recard-help-exit-codes" { vec!["help-exit-codes"] } else { words };
        let printed = place.run(&[&["man"][..], &words].concat());
        assert_eq!(printed.stdout, read(&format!("{command}.1")), "{command}: {printed:?}");
        for below in named(&printed.stdout) {
            read(&format!("{below}.1"));
        }
    }
    assert!(read("recard-plan.1").contains("detailed\\-exitcode"));
    assert!(read("recard-audit-verify.1").contains("EXIT STATUS"));
    assert!(read("recard.1").contains("RECARD_READ_WEBHOOK_URL"));
    assert_eq!(place.run(&["man"]).stdout, read("recard.1"));
    assert_eq!(place.run(&["man", "fly"]).code, 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_excepted_department_spares_a_dismissed_person_who_is_named_by_id() {
    let emulator = Emulator::start().await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let portal = portal_of(&emulator);
    let mut state = emulator.state();
    let users = state["portal"]["users"].as_array_mut().unwrap();
    users.iter_mut().find(|user| user["ID"] == 18).unwrap()["ACTIVE"] = json!(false);
    emulator.set_state(&state).unwrap();
    for (users, resets) in [
        (
            "{ ids: [18, 7] }",
            "personal/7/simple personal/7/repeat personal/18/simple personal/18/repeat",
        ),
        ("{ ids: [18, 7], except: { departments: [42] } }", "personal/7/simple personal/7/repeat"),
        ("{ ids: [18, 7], except: { departments: [{ id: 41, recursive: true }] } }", ""),
    ] {
        place.file("lead.yaml", &manifest(&portal, users, ""));
        let planned = place.run(&["plan", "-f", "lead.yaml", "--output", "json"]);
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
