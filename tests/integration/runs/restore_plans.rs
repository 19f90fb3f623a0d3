//! Plans of restores: shown before anything is written, kept in a file, and executed once, or less
//! of it.

use recard::emulator::Emulator;
use recard::records::plan_file::{RestorePlanContent, RestorePlanFile};
use serde_json::Value;

use crate::support::company::{resets_sent, row, save, sets_sent};
use crate::support::env::{CommandOutput, TestEnv};

const PLAN: &str = "back.recard-plan.json";
const RESTORE: [&str; 2] = ["restore", PLAN];
const PREVIEW: [&str; 4] = ["restore", "last", "--all", "--plan"];
const OUT: [&str; 5] = ["restore", "last", "--all", "--out", PLAN];

/// A portal after an apply that has reset the eleven cards of a department.
async fn applied() -> TestEnv {
    let env = TestEnv::with_manifest("{ departments: [{ id: 41, recursive: true }] }").await;
    done(&env, &["apply", "-f", "lead.yaml", "--auto-approve"]);
    env
}

fn done(env: &TestEnv, arguments: &[&str]) -> CommandOutput {
    let ended = env.run(arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

/// Writes that have arrived, and the runs in the store.
fn traces(env: &TestEnv) -> (u64, usize, Value) {
    let runs = std::fs::read_dir(env.store_folder().join("runs")).unwrap().count();
    let writes = resets_sent(env.emulator()) + sets_sent(env.emulator());
    (writes, runs, env.rows())
}

/// Exit code 5 with this text, and nothing written to the portal or into the store.
fn is_refused(env: &TestEnv, arguments: &[&str], text: &str) {
    let before = traces(env);
    let ended = env.run(arguments);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains(text), "{text}: {ended:?}");
    assert_eq!(traces(env), before, "{text}");
}

fn read_plan(env: &TestEnv) -> RestorePlanContent {
    RestorePlanFile::parse(&std::fs::read(env.at(PLAN)).unwrap()).unwrap().content
}

fn title(env: &TestEnv, user: i64, name: &str) -> Option<String> {
    let rows = env.rows();
    let of = |one: &&Value| one["user_id"] == user && one["name"] == name;
    let row = rows.as_array().unwrap().iter().find(of)?;
    Some(row["value"][0]["elements"][0]["title"].as_str().unwrap().to_owned())
}

fn save_simple(emulator: &Emulator, user: i64, title: &str) {
    save(emulator, row(user, "lead_details", title));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_preview_shows_every_card_and_writes_nothing() {
    let env = applied().await;
    save_simple(env.emulator(), 12, "newer");
    let before = traces(&env);
    let shown = done(&env, &PREVIEW);
    for line in [
        "puts back 2 sections, 5 fields; now at its default",
        "hold   personal/12/lead/simple  Anna Petrova     holds a newer layout (1 section, 1 field), which stays; \
         --overwrite-newer would replace it",
        "Plan: 10 to put back, 0 to reset, 0 as before, 1 held.",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {shown:?}");
    }
    assert!(shown.stderr.contains("Nothing was written."), "{shown:?}");
    let detailed = env.run(&[&PREVIEW[..], &["--detailed-exitcode"]].concat());
    assert_eq!(detailed.code, 2, "{detailed:?}");
    let over = done(&env, &[&PREVIEW[..], &["--overwrite-newer"]].concat());
    let line = "over the layout that stands there (1 section, 1 field), which is backed up first";
    assert!(over.stdout.contains(line), "{over:?}");
    // Without a filter, all cards of the run.
    let bare = done(&env, &["restore", "last", "--plan"]);
    assert_eq!(bare.stdout, shown.stdout);
    assert_eq!(traces(&env), before);
    // Held cards alone are something to see to; nothing at all is not.
    let held = ["restore", "last", "--user", "12", "--card", "lead/simple", "--plan"];
    let held = env.run(&[&held[..], &["--detailed-exitcode"]].concat());
    assert_eq!(held.code, 2, "{held:?}");
    let restored = env.run(&["restore", "last", "--all", "--overwrite-newer", "--auto-approve"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let after = done(&env, &[&PREVIEW[..], &["--detailed-exitcode"]].concat());
    assert!(after.stdout.contains("Nothing to put back."), "{after:?}");
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_without_an_answer_shows_its_plan_first_and_writes_nothing() {
    let env = applied().await;
    let before = traces(&env);
    let asked = env.run(&["restore", "last", "--all"]);
    assert_eq!(asked.code, 4, "{asked:?}");
    assert!(asked.stdout.contains("Plan: 11 to put back, 0 to reset"), "{asked:?}");
    assert!(asked.stderr.contains("there is no terminal to ask on"), "{asked:?}");
    assert_eq!(traces(&env), before);
    let bare = env.run(&["restore", "last", "--auto-approve"]);
    assert_eq!(bare.code, 64, "{bare:?}");
    assert!(bare.stderr.contains("no card to be restored is named"), "{bare:?}");
    let both = env.run(&[&PREVIEW[..], &["--auto-approve"]].concat());
    assert_eq!(both.code, 64, "{both:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_is_executed_once_without_a_question() {
    let env = applied().await;
    let before = traces(&env);
    let planned = done(&env, &OUT);
    assert!(planned.stderr.contains(&format!("recard restore {PLAN}")), "{planned:?}");
    assert_eq!(traces(&env), before);
    let restored = done(&env, &RESTORE);
    assert!(restored.stdout.contains("Done: 11 of 11 cards; 0 skipped"), "{restored:?}");
    assert_eq!(sets_sent(env.emulator()), 11);
    // Laid out anew it is the same plan.
    let value: Value = serde_json::from_slice(&std::fs::read(env.at(PLAN)).unwrap()).unwrap();
    env.file(PLAN, &serde_json::to_string_pretty(&value).unwrap());
    is_refused(&env, &RESTORE, "Z, and can be used only once");
    let shown = done(&env, &["show", PLAN]);
    assert!(shown.stdout.contains("Z, and can be used only once"), "{shown:?}");
    // What it did can be undone like any run, and that again from a file.
    let run = restored.stdout.lines().last().unwrap().trim_start_matches("Run ").to_owned();
    let undo = done(&env, &["restore", &run, "--all", "--out", PLAN]);
    assert!(undo.stdout.contains("Plan: 0 to put back, 11 to reset"), "{undo:?}");
    let undone = done(&env, &RESTORE);
    assert!(undone.stdout.contains("Done: 11 of 11 cards"), "{undone:?}");
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_skips_cards_that_changed_and_writes_no_other_card() {
    let env = applied().await;
    save_simple(env.emulator(), 14, "reviewed");
    let planned = done(
        &env,
        &["restore", "last", "--user", "12", "--user", "14", "--overwrite-newer", "--out", PLAN],
    );
    assert!(planned.stdout.contains("Plan: 2 to put back"), "{planned:?}");
    save_simple(env.emulator(), 14, "saved after the review");
    let restored = env.run(&[&RESTORE[..], &["--output", "json"]].concat());
    assert_eq!(restored.code, 3, "{restored:?}");
    let report: Value = serde_json::from_str(&restored.stdout).unwrap();
    let outcomes: Vec<(&str, &str)> = report["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["target"].as_str().unwrap(), one["outcome"].as_str().unwrap()))
        .collect();
    let wanted = [("personal/12/lead/simple", "restored"), ("personal/14/lead/simple", "changed")];
    assert_eq!(outcomes, wanted);
    assert_eq!(report["totals"]["skipped"], 1);
    assert_eq!(sets_sent(env.emulator()), 1);
    assert_eq!(title(&env, 14, "lead_details").unwrap(), "saved after the review");
    assert_eq!(title(&env, 12, "lead_details").unwrap(), "All on one page");
    assert_eq!(title(&env, 8, "lead_details"), None, "stands in no plan");
    // The journal has the skipped card, too.
    let shown = done(&env, &["show", "last"]);
    assert!(shown.stdout.contains("changed since the plan; not touched"), "{shown:?}");
    assert!(env.run(&["audit", "verify"]).code == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_overwrites_exactly_the_reviewed_newer_layout() {
    let env = applied().await;
    save_simple(env.emulator(), 12, "reviewed");
    // A plan that keeps the newer layout never overwrites it, and says so again.
    done(&env, &["restore", "last", "--user", "12", "--user", "14", "--out", PLAN]);
    let kept = env.run(&RESTORE);
    assert_eq!(kept.code, 3, "{kept:?}");
    assert_eq!(title(&env, 12, "lead_details").unwrap(), "reviewed");
    let over = ["restore", "last", "--user", "12", "--overwrite-newer", "--out", PLAN];
    done(&env, &over);
    done(&env, &RESTORE);
    assert_eq!(title(&env, 12, "lead_details").unwrap(), "All on one page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_that_was_edited_or_is_of_another_kind_is_refused() {
    let env = applied().await;
    done(&env, &["restore", "last", "--user", "12", "--out", PLAN]);
    let text = std::fs::read_to_string(env.at(PLAN)).unwrap();
    env.file(PLAN, &text.replace("personal/12/lead/simple", "personal/14/lead/simple"));
    is_refused(&env, &RESTORE, "was changed after it was written");
    env.file(PLAN, &text[..text.len() / 2]);
    is_refused(&env, &RESTORE, "this is not a plan file: it is not JSON");
    env.file(PLAN, &text.replace("restore-plan-file/v1", "restore-plan-file/v2"));
    is_refused(&env, &RESTORE, "a newer recard wrote this plan file");
    env.file(PLAN, &text);
    is_refused(&env, &["apply", PLAN], &format!("for: recard restore {PLAN}"));
    // A preview as JSON is for programs to read, and no plan file.
    done(&env, &[&PREVIEW[..], &["--output", &format!("json={PLAN}")]].concat());
    is_refused(&env, &RESTORE, "does not say recard.restore-plan-file");
    done(&env, &["restore", "last", "--all", "--auto-approve"]);
    done(&env, &["plan", "-f", "lead.yaml", "--out", PLAN]);
    is_refused(&env, &RESTORE, &format!("for: recard apply {PLAN}"));
    let filter = env.run(&["restore", PLAN, "--user", "12"]);
    assert_eq!(filter.code, 64, "{filter:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_of_another_portal_caller_or_time_is_refused() {
    let env = applied().await;
    done(&env, &OUT);
    let text = std::fs::read_to_string(env.at(PLAN)).unwrap();
    let other = Emulator::start().await.unwrap();
    let elsewhere = TestEnv::with_webhook(&other.webhook_url(1).unwrap());
    elsewhere.file(PLAN, &text);
    let ended = elsewhere.run(&RESTORE);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains(&format!("the plan file is for the portal {}", env.portal())));
    assert!(ended.stderr.contains("recard restore RUN --all --out PLAN"), "{ended:?}");
    assert_eq!(other.counters().requests, 0);

    let before = traces(&env);
    let webhooks = env.emulator().webhooks();
    let colleague = webhooks.iter().find(|webhook| webhook.user != 1).unwrap();
    let mut command = env.command(&RESTORE);
    let command = command.env("RECARD_WEBHOOK_URL", &colleague.url);
    let ended = CommandOutput::of(command.output().unwrap());
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stderr.contains("and this webhook acts as user"), "{ended:?}");
    assert_eq!(traces(&env), before);

    done(&env, &[&OUT[..], &["--max-age", "0s"]].concat());
    is_refused(&env, &RESTORE, "the plan file expired at");
    let mut content = read_plan(&env);
    content.created = content.created.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    content.expires = content.created.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    env.file(
        PLAN,
        &String::from_utf8(RestorePlanFile::new(content).unwrap().encode().unwrap()).unwrap(),
    );
    is_refused(&env, &RESTORE, "the clock of one of the machines is wrong");
    // It was not used up by that.
    env.file(PLAN, &text);
    done(&env, &RESTORE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_holds_no_secret_and_no_content() {
    let env = applied().await;
    save_simple(env.emulator(), 12, "newer and secret");
    done(&env, &OUT);
    let text = std::fs::read_to_string(env.at(PLAN)).unwrap();
    let secret = env.webhook().trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    for hidden in [secret.as_str(), "All on one page", "newer and secret", "TITLE", "main"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    assert!(text.contains("newer-kept") && text.contains("personal/12/lead/simple"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_file_sealed_anew_restores_the_backup_of_that_run_or_nothing() {
    let env = applied().await;
    done(&env, &["restore", "last", "--user", "12", "--user", "14", "--out", PLAN]);
    let mut content = read_plan(&env);
    // The backup of another card, and a card that the run never changed.
    content.targets[0].decision = content.targets[1].decision.clone();
    content.targets[1].key = "personal/9/lead/simple".parse().unwrap();
    content.targets.swap(0, 1);
    let bytes = RestorePlanFile::new(content).unwrap().encode().unwrap();
    env.file(PLAN, &String::from_utf8(bytes).unwrap());
    let before = sets_sent(env.emulator());
    let ended = env.run(&RESTORE);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stdout.contains("0 of 2 cards"), "{ended:?}");
    assert_eq!(sets_sent(env.emulator()), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_by_department_takes_the_people_of_it_and_those_below() {
    let env = applied().await;
    let state = env.emulator().state();
    let of = |id: i64| {
        let users = state["portal"]["users"].as_array().unwrap();
        let user = users.iter().find(|user| user["ID"] == id).unwrap();
        user["UF_DEPARTMENT"][0].as_i64().unwrap()
    };
    let department = of(12).to_string();
    let shown = done(&env, &["restore", "last", "--department", &department, "--plan"]);
    let keys: Vec<i64> = shown
        .stdout
        .lines()
        .filter_map(|line| line.split("personal/").nth(1)?.split('/').next()?.parse().ok())
        .collect();
    assert!(keys.contains(&12), "{shown:?}");
    let all = done(&env, &["restore", "last", "--department", "41", "--plan"]);
    assert_eq!(all.stdout, done(&env, &PREVIEW).stdout);
    let departments = state["portal"]["departments"].as_array().unwrap();
    let empty = departments.iter().map(|one| one["ID"].as_i64().unwrap()).find(|department| {
        let refused =
            env.run(&["restore", "last", "--plan", "--department", &department.to_string()]);
        refused.stderr.contains(&format!("has no card of the department {department}"))
            && refused.code == 1
            && refused.stderr.contains("12 Anna Petrova")
    });
    assert!(empty.is_some(), "every department is in the run");
    let unknown = env.run(&["restore", "last", "--department", "999", "--auto-approve"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("the portal has no active department 999"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_plan_has_every_format_from_the_preview_and_from_its_file() {
    let env = applied().await;
    save_simple(env.emulator(), 12, "newer");
    let schema = include_str!("../../../schemas/restore-plan.v1.schema.json");
    assert_eq!(done(&env, &["schema", "restore-plan"]).stdout, schema);
    let validator = jsonschema::draft7::new(&serde_json::from_str(schema).unwrap()).unwrap();
    for arguments in [&OUT[..], &["show", PLAN], &["show", PLAN, "--detail"]] {
        let formats = ["text", "json", "markdown", "junit", "sarif", "github", "csv"];
        let files = formats.map(|format| format!("{format}=out.{format}"));
        let outputs: Vec<&str> = files.iter().flat_map(|file| ["--output", file]).collect();
        done(&env, &[arguments, &outputs].concat());
        for format in formats {
            let text = std::fs::read_to_string(env.at(format!("out.{format}"))).unwrap();
            let told = match format {
                "github" => "10 cards to put back",
                "sarif" => "holds a newer layout",
                _ => "personal/12/lead/simple",
            };
            assert!(text.contains(told), "{format}: {text}");
        }
        let json = std::fs::read_to_string(env.at("out.json")).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        let problems: Vec<String> =
            validator.iter_errors(&json).map(|problem| problem.to_string()).collect();
        assert!(problems.is_empty(), "{problems:?}: {json}");
        assert_eq!(json["purpose"], arguments[0]);
        assert_eq!(json["counts"]["restore"], 10);
        let held = json["targets"].as_array().unwrap().iter();
        let held: Vec<&Value> = held.filter(|one| one["decision"] == "hold").collect();
        assert_eq!(held.len(), 1);
        assert_eq!(
            (&held[0]["reason"], &held[0]["now"]["fields"]),
            (&"newer-kept".into(), &1.into())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn show_detail_of_a_plan_file_reads_the_cards_again_and_marks_what_changed() {
    let env = TestEnv::with_manifest("{ departments: [{ id: 41, recursive: true }] }").await;
    let file = "lead.recard-plan.json";
    done(&env, &["plan", "-f", "lead.yaml", "--out", file]);
    save_simple(env.emulator(), 12, "saved after the plan");
    let before = (env.emulator().counters().requests, env.rows());
    let offline = done(&env, &["show", file]);
    assert!(!offline.stdout.contains("All on one page"), "{offline:?}");
    assert_eq!(env.emulator().counters().requests, before.0);
    let shown = done(&env, &["show", file, "--detail"]);
    for line in [
        "read again: 1 card is not as it was reviewed, and would be left alone",
        "keep   personal/12/lead/simple",
        "changed since the plan; not touched",
        "-section main \"saved after the plan\"",
        "-section main \"All on one page\"",
    ] {
        assert!(shown.stdout.contains(line), "{line}: {shown:?}");
    }
    let csv = done(&env, &["show", file, "--detail", "--output", "csv"]).stdout;
    let changed: Vec<&str> = csv.lines().filter(|line| line.contains("\"changed\"")).collect();
    assert_eq!(changed.len(), 1, "{csv}");
    assert!(changed[0].starts_with("\"personal/12/lead/simple\""), "{csv}");
    assert_eq!(resets_sent(env.emulator()) + sets_sent(env.emulator()), 0);
    // It is not used up, and a run has no layouts to show.
    assert_eq!(env.run(&["apply", file]).code, 3);
    assert_eq!(env.run(&["show", "last", "--detail"]).code, 64);
    // A restore plan is read again in the same way.
    done(&env, &OUT);
    save_simple(env.emulator(), 14, "saved after the plan");
    let back = done(&env, &["show", PLAN, "--detail"]);
    for line in ["keep   personal/14/lead/simple", "read again: 1 card", "+section main"] {
        assert!(back.stdout.contains(line), "{line}: {back:?}");
    }
    // Without a webhook it cannot be read again.
    let path = env.at(file);
    let alone = TestEnv::new();
    alone.file(file, &std::fs::read_to_string(path).unwrap());
    assert_eq!(alone.run(&["show", file]).code, 0);
    assert_eq!(alone.run(&["show", file, "--detail"]).code, 1);
}
