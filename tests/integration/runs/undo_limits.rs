//! Cards that an undo does not bring back, or not whole: said before the reset, and true after it.

use recard::emulator::{EmulatorOptions, Release};
use serde_json::{Value, json};

use crate::support::company::{ids, manifest, row, save};
use crate::support::env::{CommandOutput, TestEnv};

const PERSON: i64 = 12;

/// A portal where one person's simple card has this value, and a manifest that resets it.
async fn portal_with(sections: Value) -> TestEnv {
    portal_of_release(Release::Current, sections).await
}

async fn portal_of_release(release: Release, sections: Value) -> TestEnv {
    let options = EmulatorOptions { release: Some(release), ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let mut card = row(PERSON, "lead_details", "Mine");
    card["value"] = json!([{"name": "default_column", "type": "column", "elements": sections}]);
    save(env.emulator(), card);
    let text = manifest(&env.portal(), &ids(&[PERSON]), "").replace("[simple, repeat]", "[simple]");
    env.file("lead.yaml", &text);
    env
}

fn section(title: Value, elements: Value) -> Value {
    json!([{"name": "main", "type": "section", "title": title, "elements": elements}])
}

/// The card of the person as the portal stores it.
fn card(env: &TestEnv) -> Option<Value> {
    let rows = env.rows();
    let rows = rows.as_array().unwrap();
    let own = rows.iter().find(|row| row["user_id"] == PERSON && row["name"] == "lead_details");
    own.map(|row| row["value"][0]["elements"].clone())
}

fn apply(env: &TestEnv) -> CommandOutput {
    let applied = env.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(card(env), None);
    applied
}

fn run_of(output: &CommandOutput) -> String {
    let line = output.stdout.lines().find_map(|line| line.strip_prefix("Run ")).unwrap();
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_titles_of_fields_are_lost_by_name_and_the_restore_can_be_undone() {
    let named = json!([{"name": "TITLE", "title": "Our name for it", "optionFlags": "1"}]);
    let env = portal_with(section(json!("Mine"), named)).await;
    let plan = env.run(&["plan", "-f", "lead.yaml", "-o", "text", "-o", "markdown=plan.md"]);
    let warned = "1 card has parts that the portal does not take again, such as own titles of";
    assert!(plan.stdout.contains(warned), "{}", plan.stdout);
    assert!(std::fs::read_to_string(env.at("plan.md")).unwrap().contains(warned));
    apply(&env);
    let planned = env.run(&["restore", "last", "--all", "--plan"]);
    assert!(planned.stdout.contains(warned), "{}", planned.stdout);
    let restored = env.run(&["restore", "last", "--all", "--yes"]);
    assert_eq!(restored.code, 3, "{restored:?}");
    assert!(restored.stdout.contains("did not keep all of it"), "{}", restored.stdout);
    assert!(restored.stdout.contains("Our name for it"), "{}", restored.stdout);
    let kept = section(json!("Mine"), json!([{"name": "TITLE", "optionFlags": "1"}]));
    assert_eq!(card(&env), Some(kept));
    // The card holds the restore's own write, which its undo removes.
    let undone = env.run(&["restore", &run_of(&restored), "--all", "--yes"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(card(&env), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layout_that_a_person_saved_over_a_restore_kept_in_part_is_newer() {
    let named = json!([{"name": "TITLE", "title": "Our name for it"}]);
    let env = portal_with(section(json!("Mine"), named)).await;
    apply(&env);
    let restored = env.run(&["restore", "last", "--all", "--yes"]);
    save(env.emulator(), row(PERSON, "lead_details", "Newer"));
    let undone = env.run(&["restore", &run_of(&restored), "--all", "--yes"]);
    assert_eq!(undone.code, 3, "{undone:?}");
    assert!(undone.stdout.contains("newer layout"), "{}", undone.stdout);
    assert_eq!(card(&env).unwrap()[0]["title"], "Newer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layout_that_the_portal_refuses_is_refused_alone_and_was_announced() {
    let env = portal_with(section(json!(7), json!([{"name": "TITLE"}]))).await;
    save(env.emulator(), row(14, "lead_details", "Good"));
    let text =
        manifest(&env.portal(), &ids(&[PERSON, 14]), "").replace("[simple, repeat]", "[simple]");
    env.file("lead.yaml", &text);
    let plan = env.run(&["plan", "-f", "lead.yaml"]);
    let warned = "1 card holds a layout that the portal does not take again";
    assert!(plan.stdout.contains(warned), "{}", plan.stdout);
    apply(&env);
    let restored = env.run(&["restore", "last", "--all", "--yes"]);
    assert_eq!(restored.code, 3, "{restored:?}");
    assert!(restored.stdout.contains("1 backup holds a layout"), "{}", restored.stdout);
    assert!(restored.stdout.contains("does not have title"), "{}", restored.stdout);
    for word in ["not attempted", "ended early", "refuses to work"] {
        assert!(!restored.shown().contains(word), "{word}: {}", restored.shown());
    }
    assert_eq!(card(&env), None);
    let good = env.rows().as_array().unwrap().iter().any(|row| row["user_id"] == 14);
    assert!(good, "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_that_an_undo_loses_is_named_in_every_format() {
    let env = portal_with(section(json!(7), json!([{"name": "TITLE"}]))).await;
    let own = json!([{"name": "TITLE", "title": "Our name for it"}]);
    let mut in_part = row(14, "lead_details", "Part");
    in_part["value"] = section(json!("Part"), own);
    save(env.emulator(), in_part);
    save(env.emulator(), row(15, "lead_details", "Good"));
    let users = ids(&[PERSON, 14, 15]);
    let text = manifest(&env.portal(), &users, "").replace("[simple, repeat]", "[simple]");
    env.file("lead.yaml", &text);
    let outputs =
        "-o text -o markdown=r.md -o csv=r.csv -o junit=r.xml -o html=r.html -o json=r.json";
    let outputs: Vec<&str> = outputs.split(' ').collect();
    let file = |name: &str| std::fs::read_to_string(env.at(name)).unwrap();
    let run = |arguments: &[&str], limits: [&str; 2]| {
        let ended = env.run(&[arguments, &outputs].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let whole = [&ended.stdout].map(String::clone).into_iter();
        for text in whole.chain(["r.md", "r.csv", "r.xml", "r.html"].map(file)) {
            for limit in limits {
                let named = format!("; {limit}");
                let encoded = format!("&#59; {limit}");
                assert!(text.contains(&named) || text.contains(&encoded), "{limit}: {text}");
            }
        }
        serde_json::from_str::<Value>(&file("r.json")).unwrap()
    };
    let losses = ["cannot be put back", "a restore leaves parts out"];
    let plan = run(&["plan", "-f", "lead.yaml"], losses);
    let undo = |group: &Value| (group["targets"][0].to_string(), group["undo"].to_string());
    let mut groups: Vec<_> = plan["groups"].as_array().unwrap().iter().map(undo).collect();
    groups.sort();
    let word =
        |user: i64, word: &str| (format!("\"personal/{user}/lead/simple\""), format!("\"{word}\""));
    assert_eq!(groups, [word(PERSON, "nothing"), word(14, "part"), word(15, "all")]);
    let apply = ["apply", "-f", "lead.yaml", "--auto-approve", "-o", "html=r.html", "-o", "text"];
    let applied = env.run(&apply);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(applied.stderr.contains("To put back what the portal takes again"), "{applied:?}");
    assert!(file("r.html").contains("backed up, but cannot be put back"));
    let refused = ["the portal will refuse this layout", "a restore leaves parts out"];
    let restore = run(&["restore", "last", "--all", "--plan"], refused);
    let texts: Vec<_> = restore["targets"].as_array().unwrap().iter().collect();
    let is_whole = |target: &&&Value| target["text"].as_str().unwrap().ends_with("its default");
    assert_eq!(texts.iter().filter(is_whole).count(), 1, "{restore}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn section_without_a_title_is_announced_where_the_portal_refuses_it() {
    for (release, back) in [(Release::Mid, false), (Release::Current, true)] {
        let sections = section(json!(" "), json!([{"name": "TITLE"}]));
        let env = portal_of_release(release, sections.clone()).await;
        let plan = env.run(&["plan", "-f", "lead.yaml"]);
        let warned = "1 card holds a layout that the portal does not take again";
        assert_eq!(!plan.stdout.contains(warned), back, "{}", plan.stdout);
        apply(&env);
        let restored = env.run(&["restore", "last", "--all", "--yes"]);
        assert_eq!(restored.code, if back { 0 } else { 3 }, "{restored:?}");
        let announced = restored.stdout.contains("1 backup holds a layout");
        assert_eq!(!announced, back, "{}", restored.stdout);
        assert_eq!(card(&env), back.then_some(sections), "{restored:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_and_run_of_blind_resets_promise_no_undo() {
    let release = Some(Release::LegacyRead);
    let options = EmulatorOptions { release, ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let text = manifest(&env.portal(), &ids(&[PERSON]), "").replace("[simple, repeat]", "[simple]");
    env.file("lead.yaml", &text);
    let plan = env.run(&[
        "plan",
        "-f",
        "lead.yaml",
        "--blind-reset",
        "--output",
        "text",
        "--output",
        "markdown=plan.md",
        "--output",
        "html=plan.html",
    ]);
    let formats =
        ["plan.md", "plan.html"].map(|name| std::fs::read_to_string(env.at(name)).unwrap());
    for text in [&plan.stdout].into_iter().chain(&formats) {
        assert!(text.contains("no backup, no undo"), "{text}");
        assert!(!text.contains("Undo"), "{text}");
    }
    let applied = env.run(&["apply", "-f", "lead.yaml", "--blind-reset", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(!applied.shown().contains("To put"), "{}", applied.shown());
}

/// A portal on which a run of mode once died behind its last write: no end, and nothing in the
/// ledgers. Its journal has lost its first lines, and then no report tells them either.
async fn dead_run_of_mode_once(ledger: &[&str], lost: usize) -> TestEnv {
    let env = portal_with(section(json!("Mine"), json!([{"name": "TITLE"}]))).await;
    let text = std::fs::read_to_string(env.at("lead.yaml")).unwrap();
    env.file("lead.yaml", &text.replace("[simple]", "[simple]\n      mode: { once: 2026-11 }"));
    assert_eq!(env.run(&["ledger", "new", "once.json"]).code, 0);
    let empty = std::fs::read(env.at("once.json")).unwrap();
    let applied = env.run(&[&["apply", "-f", "lead.yaml", "--auto-approve"], ledger].concat());
    assert_eq!(applied.code, 0, "{applied:?}");
    recard::store::write_whole(&env.at("once.json"), &empty).unwrap();
    std::fs::remove_file(env.store_folder().join("ledger.json")).unwrap();
    let run = env.store_folder().join("runs").join(run_of(&applied));
    let text = std::fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let journal = run.join("journal.jsonl");
    let name = journal.strip_prefix(env.path()).unwrap().to_str().unwrap();
    env.file(name, &(lines[lost..lines.len() - 1].join("\n") + "\n"));
    if lost > 0 {
        std::fs::remove_file(run.join("report.json")).unwrap();
        let trail = env.store_folder().join("audit.jsonl");
        let text = std::fs::read_to_string(&trail).unwrap();
        let end = text.trim_end().rfind('\n').unwrap();
        recard::store::write_whole(&trail, &text.as_bytes()[..=end]).unwrap();
    }
    env
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_asks_for_the_ledger_file_of_the_run() {
    let named: &[&str] = &["--ledger", "once.json"];
    let again: &[&str] = &["--ledger", "again.json"];
    // Without the head of the journal nobody knows if there was a file.
    for (ledger, lost, with, said) in [
        (named, 0, named, "once.json"),
        (named, 1, named, "the name of its ledger file"),
        (&[][..], 1, again, "`recard ledger new FILE`"),
    ] {
        let env = dead_run_of_mode_once(ledger, lost).await;
        let refused = env.run(&["recover", "--settle-time", "0s"]);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert_eq!(env.run(&["ledger", "new", "again.json"]).code, 0);
        let recovered = env.run(&[&["recover", "--settle-time", "0s"], with].concat());
        assert_eq!(recovered.code, if lost > 0 { 3 } else { 0 }, "{recovered:?}");
        save(env.emulator(), row(PERSON, "lead_details", "Arranged anew"));
        let applied = env.run(&[&["apply", "-f", "lead.yaml", "--auto-approve"], ledger].concat());
        assert_eq!(applied.code, 0, "{applied:?}");
        assert!(card(&env).is_some(), "{applied:?}");
    }
}
