//! Plan files: a reviewed plan is executed once, or less of it, and never anything else.

use std::path::Path;

use recard::emulator::{Emulator, EmulatorOptions, Seed};
use serde_json::Value;

use crate::support::company::{manifest, resets_sent, row, save};
use crate::support::env::{CommandOutput, TestEnv};

const PLAN: &str = "cards.recard-plan.json";
const APPLY: [&str; 2] = ["apply", PLAN];

/// A portal and a plan file for the cards of a department: 11 resets.
async fn planned(users: &str, more: &str) -> TestEnv {
    let env = TestEnv::start().await;
    env.write_manifest(users, more);
    plan(&env, &[]);
    env
}

fn plan(env: &TestEnv, more: &[&str]) -> CommandOutput {
    let planned = env.run(&[&["plan", "-f", "lead.yaml", "--out", PLAN], more].concat());
    assert_eq!(planned.code, 0, "{planned:?}");
    planned
}

/// Exit code 5 with this text, and nothing written to the portal or into the store.
fn is_refused(env: &TestEnv, arguments: &[&str], text: &str) {
    let before = (env.emulator().state(), runs(env.path()));
    let ended = env.run(arguments);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    assert_eq!((env.emulator().state(), runs(env.path())), before, "{text}");
    assert_eq!(resets_sent(env.emulator()), 0, "{text}");
}

/// The folders of all runs in a store.
fn runs(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut runs = Vec::new();
    let Ok(portals) = std::fs::read_dir(folder.join(".recard/portals")) else { return runs };
    for portal in portals {
        if let Ok(entries) = std::fs::read_dir(portal.unwrap().path().join("runs")) {
            runs.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    runs.sort();
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_is_applied_once_without_a_question() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.stdout.contains("Done: 11 of 11 cards; 0 skipped, 0 failed, 0 unknown."),
        "{applied:?}"
    );
    assert_eq!(env.emulator().counters().rows_removed, 11);
    let again = env.run(&APPLY);
    assert_eq!(again.code, 5, "{again:?}");
    assert!(again.stderr.contains("Z, and can be used only once"), "{again:?}");
    let at = again.stderr.split_once("was used at ").unwrap().1.split_once(", and").unwrap().0;
    assert_eq!(at.len(), "2026-11-01T09:00:00Z".len(), "to the second: {at}");
    assert_eq!((env.emulator().counters().rows_removed, resets_sent(env.emulator())), (11, 11));
    assert_eq!(env.emulator().complaints(), []);
    // Laid out anew it is the same plan.
    let value: Value = serde_json::from_slice(&std::fs::read(env.at(PLAN)).unwrap()).unwrap();
    env.file(PLAN, &serde_json::to_string_pretty(&value).unwrap());
    assert_eq!(env.run(&APPLY).code, 5);
    // And what it did can be undone like any run.
    let restored = env.run(&["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(restored.stdout.contains("Done: 11 of 11 cards"), "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_that_was_edited_truncated_or_replaced_is_refused() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let bytes = std::fs::read(env.at(PLAN)).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    for (old, new) in [
        ("personal/8/lead/simple", "personal/9/lead/simple"),
        ("\"max_users\":25", "\"max_users\":99"),
    ] {
        let edited = text.replace(old, new);
        assert_ne!(edited, text, "{old}");
        env.file(PLAN, &edited);
        is_refused(&env, &APPLY, "was changed after it was written");
    }
    for (damaged, told) in [
        (String::new(), "this is not a plan file: it is not JSON"),
        (text[..text.len() / 2].to_owned(), "this is not a plan file: it is not JSON"),
        ("{}".to_owned(), "does not say recard.plan-file"),
        (
            manifest("company.bitrix24.com", "{ ids: [7] }", ""),
            "this is not a plan file: it is not JSON",
        ),
        // Whoever looks at it may see the one, and recard would carry out the other.
        (
            text.replacen('{', r#"{"plan":{"targets":[]},"#, 1),
            "the field \"plan\" stands there twice",
        ),
        (
            text.replace("recard.plan-file/v2", "recard.plan-file/v3"),
            "a newer recard wrote this plan file",
        ),
    ] {
        env.file(PLAN, &damaged);
        is_refused(&env, &APPLY, told);
    }
    // What `plan --output json` prints is for programs to read, and no plan file.
    assert_eq!(env.run(&["plan", "-f", "lead.yaml", "--output", &format!("json={PLAN}")]).code, 0);
    is_refused(&env, &APPLY, "does not say recard.plan-file");
    let missing = env.run(&["apply", "none.recard-plan.json"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(
        missing.stderr.contains("cannot read the plan file none.recard-plan.json"),
        "{missing:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_of_another_portal_or_caller_is_refused() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let other = Emulator::start().await.unwrap();
    let elsewhere = TestEnv::with_webhook(&other.webhook_url(1).unwrap());
    elsewhere.file(PLAN, &std::fs::read_to_string(env.at(PLAN)).unwrap());
    let ended = elsewhere.run(&APPLY);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains(&format!("the plan file is for the portal {}", env.portal())));
    assert_eq!((other.counters().requests, other.counters().rows_removed), (0, 0));

    let webhooks = env.emulator().webhooks();
    let colleague = webhooks.iter().find(|webhook| webhook.user != 1).unwrap();
    let mut command = env.command(&APPLY);
    let ended =
        CommandOutput::of(command.env("RECARD_WEBHOOK_URL", &colleague.url).output().unwrap());
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("and this webhook acts as user {}", colleague.user)),
        "{ended:?}"
    );
    assert_eq!(resets_sent(env.emulator()), 0);
    // It was not used up by that.
    assert_eq!(env.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_that_expired_or_is_from_the_future_is_refused() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    plan(&env, &["--max-age", "0s"]);
    is_refused(&env, &APPLY, "the plan file expired at");
    let mut content = env.read_plan_file(PLAN);
    content.created = content.created.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    content.expires = content.created.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    env.write_plan_file(PLAN, content);
    is_refused(&env, &APPLY, "the clock of one of the machines is wrong");
    // A day is the time unless said.
    plan(&env, &[]);
    let content = env.read_plan_file(PLAN);
    assert_eq!(
        content.expires.duration_since(content.created),
        jiff::SignedDuration::from_hours(24)
    );
    let alone = env.run(&["plan", "-f", "lead.yaml", "--max-age", "1h"]);
    assert_eq!(alone.code, 64, "{alone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_with_changed_manifests_is_refused() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let portal = env.portal();
    env.file("other.yaml", &manifest(&portal, "{ ids: [7] }", ""));
    is_refused(&env, &["apply", PLAN, "-f", "other.yaml"], "was made from other manifests");
    // What means the same is the same.
    let text = std::fs::read_to_string(env.at("lead.yaml")).unwrap();
    env.file("lead.yaml", &format!("# a comment\n{text}"));
    assert_eq!(env.run(&["apply", PLAN, "-f", "lead.yaml"]).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_with_one_changed_card_of_fifty_resets_the_others() {
    let options = EmulatorOptions { seed: Seed::Users(50), ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let emulator = env.emulator();
    let mut state = emulator.state();
    let people = crate::support::company::people(&state);
    let fifty: Vec<String> =
        people.iter().filter(|id| **id != 1).take(50).map(ToString::to_string).collect();
    let options = state["options"].as_array_mut().unwrap();
    options.retain(|row| row["user_id"] == 0);
    options.extend(fifty.iter().map(|id| row(id.parse().unwrap(), "lead_details", "old")));
    emulator.set_state(&state).unwrap();
    let count = fifty.len();
    let users = format!("{{ ids: [{}] }}", fifty.join(", "));
    let guards = format!("  guards:\n    acknowledge: {{ users: {count} }}\n");
    env.file("lead.yaml", &manifest(&env.portal(), &users, &guards));
    let planned = env.run(&["plan", "-f", "lead.yaml", "--out", PLAN]);
    assert!(planned.stdout.contains(&format!("Plan: {count} to reset")), "{planned:?}");

    let changed: i64 = fifty[count / 2].parse().unwrap();
    save(emulator, row(changed, "lead_details", "new"));
    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 3, "{applied:?}");
    let done = format!("Done: {} of {count} cards; 1 skipped, 0 failed, 0 unknown.", count - 1);
    assert!(applied.stdout.contains(&done), "{applied:?}");
    assert!(applied.stdout.contains("changed since the plan; not touched"), "{applied:?}");
    assert!(applied.stdout.contains(&format!("personal/{changed}/lead/simple")), "{applied:?}");
    assert_eq!(emulator.counters().rows_removed, count as u64 - 1);
    assert!(emulator.state()["options"].as_array().unwrap().contains(&row(
        changed,
        "lead_details",
        "new"
    )));
    assert_eq!(emulator.complaints(), []);
    // And the run adds up in the store.
    let shown = env.run(&["show", "last", "--output", "json"]);
    let report: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(report["totals"]["planned"], report["about"]["planned"]);
    assert_eq!((&report["totals"]["skipped"], &report["totals"]["failed"]), (&1.into(), &0.into()));
}

/// The exit code stays 3: the card still waits for another plan.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_card_changed_since_is_skipped_in_every_format() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    save(env.emulator(), row(12, "lead_details", "newer than the plan"));
    let formats = ["json", "junit", "csv", "markdown", "sarif", "github"];
    let outputs = formats.map(|format| format!("{format}={format}.out"));
    let mut arguments = APPLY.to_vec();
    arguments.extend(["--output", "text"]);
    arguments.extend(outputs.iter().flat_map(|output| ["--output", output.as_str()]));
    let applied = env.run(&arguments);
    assert_eq!(applied.code, 3, "{applied:?}");
    assert!(applied.stdout.contains("; 1 skipped, 0 failed, 0 unknown."), "{applied:?}");
    assert!(applied.stdout.contains("skip   personal/12/lead/simple"), "{applied:?}");
    let of = |format: &str| std::fs::read_to_string(env.at(format!("{format}.out"))).unwrap();
    let json: Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!((&json["totals"]["skipped"], &json["totals"]["failed"]), (&1.into(), &0.into()));
    assert!(of("junit").contains("skipped=\"1\" failures=\"0\" errors=\"0\""), "{}", of("junit"));
    assert!(of("csv").contains("\"skipped\",\"changed\""), "{}", of("csv"));
    let markdown = of("markdown");
    assert!(
        markdown.contains("#### Skipped: 1") && !markdown.contains("#### Failed"),
        "{markdown}"
    );
    let sarif: Value = serde_json::from_str(&of("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"changed".into(), &"warning".into()),
        "{sarif}"
    );
    assert!(
        of("github").contains("::warning") && !of("github").contains("::error"),
        "{}",
        of("github")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_skips_converged_cards_and_people_added_since() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let mut state = env.emulator().state();
    let options = state["options"].as_array_mut().unwrap();
    // Somebody resets their own card, and somebody whom the plan does not name arranges one.
    options.retain(|one| !(one["user_id"] == 12 && one["name"] == "lead_details"));
    let newcomer = row(16, "lead_details", "new");
    options.push(newcomer.clone());
    env.emulator().set_state(&state).unwrap();
    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.stdout.contains("Done: 10 of 11 cards; 1 skipped, 0 failed, 0 unknown."),
        "{applied:?}"
    );
    assert!(env.emulator().state()["options"].as_array().unwrap().contains(&newcomer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_refused_by_a_guard_is_not_consumed() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    // A guard that stood at planning stands at applying, too.
    env.file("lead.yaml", &manifest(&env.portal(), "{ ids: [1, 7] }", ""));
    let mut state = env.emulator().state();
    state["options"].as_array_mut().unwrap().push(row(1, "lead_details", "own"));
    env.emulator().set_state(&state).unwrap();
    let planned = env.run(&["plan", "-f", "lead.yaml", "--out", PLAN]);
    assert_eq!(planned.code, 4, "{planned:?}");
    assert!(planned.stdout.contains("guard: user 1 would lose a card"), "{planned:?}");
    assert!(planned.stderr.contains("Apply would refuse it"), "{planned:?}");
    let refused = env.run(&APPLY);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("acknowledge: { people: [1] }"), "{refused:?}");
    assert_eq!(resets_sent(env.emulator()), 0);
    // Once the card is no longer there to be lost, the rest may be done.
    let mut state = env.emulator().state();
    state["options"].as_array_mut().unwrap().retain(|row| row["user_id"] != 1);
    env.emulator().set_state(&state).unwrap();
    assert_eq!(env.run(&APPLY).code, 0);
    // A limit can be lowered when applying.
    env.file("lead.yaml", &manifest(&env.portal(), "{ ids: [8, 12] }", ""));
    plan(&env, &[]);
    let refused = env.run(&["apply", PLAN, "--max-users", "1"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.stderr.contains("2 people would lose a card; the limit maxUsers is 1"),
        "{refused:?}"
    );
    assert_eq!(env.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_is_readable_without_secret_or_content() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let shown = env.run(&["show", PLAN]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for text in [
        "as user 1 Olga Sokolova",
        "manifest test: to try (lead.yaml)",
        "not used here",
        "Plan: 11 to reset",
    ] {
        assert!(shown.stdout.contains(text), "{text}: {}", shown.stdout);
    }
    assert!(
        shown.stdout.contains("reset  personal/8/lead/simple   Ivan Petrov      the layout "),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("lead.yaml:7:30 department 41 and below"), "{}", shown.stdout);
    assert_eq!(env.run(&APPLY).code, 0);
    let used = env.run(&["show", PLAN]);
    assert!(
        used.stdout.contains("used ") && used.stdout.contains("can be used only once"),
        "{used:?}"
    );
    let text = std::fs::read_to_string(env.at(PLAN)).unwrap();
    for hidden in ["emulator00000001", "elements", "Start here"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let refused = env.run(&["show", "none.json"]);
    assert_eq!(refused.code, 1, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_updates_the_once_ledger_as_apply_does() {
    let env = planned("{ ids: [12, 16] }", "      mode: { once: 2026-11 }\n").await;
    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    let ledger = env.run(&["ledger", "show"]);
    assert_eq!(ledger.stdout.lines().count(), 4, "{ledger:?}");
    // Everybody had their turn: what they arrange now stays.
    for id in [12, 16] {
        save(env.emulator(), row(id, "lead_details", "again"));
    }
    let again = env.run(&["plan", "-f", "lead.yaml", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(
        again.stdout.matches("customized again after its reset for 2026-11").count(),
        2,
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_skips_users_dismissed_since() {
    let env = planned("{ departments: [{ id: 41, recursive: true }] }", "").await;
    let people: Vec<u32> = env
        .read_plan_file(PLAN)
        .targets
        .iter()
        .filter_map(|one| Some(one.key.user()?.get()))
        .collect();
    let gone = people[0];
    let cards = people.iter().filter(|user| **user == gone).count();
    let mut state = env.emulator().state();
    let users = state["portal"]["users"].as_array_mut().unwrap();
    users.iter_mut().find(|user| user["ID"] == gone).unwrap()["ACTIVE"] = false.into();
    env.emulator().set_state(&state).unwrap();
    let rows = |emulator: &Emulator| {
        let state = emulator.state();
        state["options"].as_array().unwrap().iter().filter(|row| row["user_id"] == gone).count()
    };
    let before = rows(env.emulator());

    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 3, "{applied:?}");
    let left = 11 - cards;
    assert!(
        applied.stdout.contains(&format!("Done: {left} of 11 cards; 0 skipped, {cards} failed")),
        "{applied:?}"
    );
    assert!(
        applied.stdout.contains("the person was dismissed after the plan was made"),
        "{applied:?}"
    );
    assert_eq!(rows(env.emulator()), before);
    assert_eq!(resets_sent(env.emulator()), left as u64);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_without_changes_counts_no_cards_that_it_does_not_name() {
    let env = planned("{ ids: [5] }", "").await;
    env.run(&APPLY);
    env.write_manifest("{ ids: [5] }", "");
    plan(&env, &[]);
    let applied = env.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(applied.stdout.ends_with("No changes.\n"), "{applied:?}");
}
