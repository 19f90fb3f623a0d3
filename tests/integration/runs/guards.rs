//! Guards of several manifests: limits and acknowledgements belong to the manifest that states
//! them.

use recard::model::{CardKey, Generation};
use recard::records::plan_file::PlanFileContent;
use serde_json::{Value, json};

use crate::support::company::{ids, manifest, resets_sent, row, save};
use crate::support::env::{CommandOutput, TestEnv};

const PLAN: &str = "cards.recard-plan.json";
const APPLY: [&str; 4] = ["apply", "-f", "manifests", "--auto-approve"];

/// Writes a manifest into the folder of manifests.
fn write_manifest(env: &TestEnv, file: &str, name: &str, users: &str, more: &str) {
    let text = manifest(&env.portal(), users, more).replace("name: test", &format!("name: {name}"));
    env.file(&format!("manifests/{file}"), &text);
}

fn remove_manifest(env: &TestEnv, file: &str) {
    std::fs::remove_file(env.at("manifests").join(file)).unwrap();
}

/// Exit code 4, and nothing written to the portal. Returns what was said.
fn is_refused(env: &TestEnv, arguments: &[&str]) -> String {
    let before = (env.emulator().state(), resets_sent(env.emulator()));
    let ended = env.run(arguments);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert_eq!((env.emulator().state(), resets_sent(env.emulator())), before, "{ended:?}");
    ended.stderr
}

fn applies(env: &TestEnv, arguments: &[&str]) -> CommandOutput {
    let ended = env.run(arguments);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended
}

fn acknowledging(entries: &str) -> String {
    format!("  guards:\n    acknowledge: {{ {entries} }}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_of_one_manifest_are_not_lifted_by_another_one() {
    let (env, people) = TestEnv::with_customized_cards(36).await;
    write_manifest(&env, "a.yaml", "many", &ids(&people[..30]), "");
    write_manifest(&env, "b.yaml", "few", &ids(&people[30..]), &acknowledging("users: 1000"));
    let told = is_refused(&env, &APPLY);
    assert!(
        told.contains("manifest many: 30 people would lose a card; the limit maxUsers is 25"),
        "{told}"
    );
    // The advice names the manifest, and does not touch the other one.
    assert!(
        told.contains("# manifest many\n    guards:\n      acknowledge: { users: 30 }"),
        "{told}"
    );
    assert!(!told.contains("# manifest few"), "{told}");
    write_manifest(&env, "a.yaml", "many", &ids(&people[..30]), &acknowledging("users: 30"));
    applies(&env, &APPLY);
    assert_eq!(env.emulator().counters().rows_removed, 36);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_measure_the_run_against_the_smallest_limit() {
    let (env, people) = TestEnv::with_customized_cards(40).await;
    write_manifest(&env, "a.yaml", "one", &ids(&people[..20]), "");
    write_manifest(&env, "b.yaml", "other", &ids(&people[20..]), "  guards: { maxUsers: 22 }\n");
    let told = is_refused(&env, &APPLY);
    assert!(
        told.contains(
            "40 people of all manifests would lose a card; the smallest limit maxUsers is 22"
        ),
        "{told}"
    );
    // The acknowledgement of one of them is not enough.
    write_manifest(&env, "a.yaml", "one", &ids(&people[..20]), &acknowledging("users: 40"));
    let told = is_refused(&env, &APPLY);
    assert!(
        told.contains(
            "# manifest other\n    guards:\n      maxUsers: 22\n      acknowledge: { users: 20 }"
        ),
        "{told}"
    );
    write_manifest(
        &env,
        "b.yaml",
        "other",
        &ids(&people[20..]),
        "  guards: { maxUsers: 22, acknowledge: { users: 20 } }\n",
    );
    applies(&env, &APPLY);
    assert_eq!(env.emulator().counters().rows_removed, 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_of_both_manifests_hold_for_a_card_that_two_select() {
    let env = TestEnv::start().await;
    save(env.emulator(), row(1, "lead_details", "own"));
    write_manifest(&env, "a.yaml", "one", "{ ids: [1] }", &acknowledging("people: [1]"));
    write_manifest(&env, "b.yaml", "other", "{ emails: [anna.volkova@company.example] }", "");
    let mut state = env.emulator().state();
    let first = state["portal"]["users"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|user| user["ID"] == 1)
        .unwrap();
    first["EMAIL"] = json!("anna.volkova@company.example");
    env.emulator().set_state(&state).unwrap();
    let told = is_refused(&env, &APPLY);
    assert!(
        told.contains("manifest other: user 1 would lose a card: the owner of the webhook"),
        "{told}"
    );
    assert!(
        told.contains(
            "warning[RC0302]: personal/1/lead/simple is selected twice (and 1 more card)"
        ),
        "{told}"
    );
    write_manifest(
        &env,
        "b.yaml",
        "other",
        "{ emails: [anna.volkova@company.example] }",
        &acknowledging("people: [1]"),
    );
    applies(&env, &APPLY);
    // With another once key it is an error.
    let text = manifest(&env.portal(), "{ emails: [anna.volkova@company.example] }", "");
    let once = text.replace("name: test", "name: other") + "      mode: { once: 2026-11 }\n";
    env.file("manifests/b.yaml", &once);
    let ended = env.run(&APPLY);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains(
            "error[RC0301]: personal/1/lead/simple is selected twice, with different modes"
        ),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_on_shares_count_employees_and_not_guests() {
    let (env, people) = TestEnv::with_customized_cards(11).await;
    let mut state = env.emulator().state();
    // 601 are active, 109 of them employees: eleven are more than a tenth of these.
    let users = state["portal"]["users"].as_array_mut().unwrap();
    for user in users.iter_mut().skip(109) {
        user["UF_DEPARTMENT"] = json!([]);
    }
    env.emulator().set_state(&state).unwrap();
    write_manifest(&env, "a.yaml", "one", &ids(&people), "");
    let told = is_refused(&env, &APPLY);
    assert!(
        told.contains("11 of 109 employees would lose a card; the limit maxPercentOfUsers is 10 %"),
        "{told}"
    );
    let mut state = env.emulator().state();
    state["portal"]["users"].as_array_mut().unwrap()[200]["UF_DEPARTMENT"] = json!([100]);
    env.emulator().set_state(&state).unwrap();
    applies(&env, &APPLY);
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_on_shrinking_selections_follow_a_manifest_that_was_renamed() {
    let (env, people) = TestEnv::with_customized_cards(20).await;
    write_manifest(&env, "a.yaml", "sales", &ids(&people), "");
    applies(&env, &APPLY);
    save(env.emulator(), row(people[0], "lead_details", "again"));
    let shrunk = "5 people, and selected 20 in the last run";
    // Another name in the same file.
    write_manifest(&env, "a.yaml", "sales-2", &ids(&people[..5]), "");
    let told = is_refused(&env, &APPLY);
    assert!(told.contains(shrunk), "{told}");
    // Another name in another file; the first one is gone.
    remove_manifest(&env, "a.yaml");
    write_manifest(&env, "b.yaml", "sales-2", &ids(&people[..5]), "");
    let told = is_refused(&env, &APPLY);
    assert!(told.contains(shrunk) && told.contains("acknowledge: { selection: 5 }"), "{told}");
    // A manifest that joins the run does not make it a new one.
    write_manifest(&env, "a.yaml", "sales", &ids(&people[..5]), "");
    write_manifest(&env, "b.yaml", "other", "{ ids: [1] }", &acknowledging("people: [1]"));
    let told = is_refused(&env, &APPLY);
    assert!(
        told.contains(
            "manifest sales: the manifests select 5 people, and selected 20 in the last run"
        ),
        "{told}"
    );
    // One beside it, for a few of the same people, is measured by itself.
    write_manifest(&env, "a.yaml", "sales", &ids(&people), "");
    write_manifest(&env, "b.yaml", "one-off", &ids(&people[..1]), "");
    applies(&env, &["apply", "-f", "manifests/b.yaml", "--auto-approve"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_name_the_flag_where_it_is_the_limit() {
    let (env, people) = TestEnv::with_customized_cards(6).await;
    write_manifest(&env, "a.yaml", "one", &ids(&people), &acknowledging("users: 100"));
    let told = is_refused(&env, &[&APPLY[..], &["--max-users", "5"]].concat());
    assert!(
        told.contains("6 people would lose a card; the limit maxUsers is 5, by --max-users"),
        "{told}"
    );
    assert!(told.contains("give --max-users 6, or leave it out"), "{told}");
    assert!(!told.contains("acknowledge:"), "{told}");
    // A plan file keeps the flag.
    let flags = ["plan", "-f", "manifests", "--out", PLAN, "--max-users", "5"];
    assert_eq!(env.run(&flags).code, 4);
    for arguments in [&["apply", PLAN][..], &["apply", PLAN, "-f", "manifests"]] {
        let told = is_refused(&env, arguments);
        assert!(told.contains("the limit maxUsers is 5, by --max-users"), "{told}");
    }
    assert_eq!(env.run(&flags[..5]).code, 0);
    let told = is_refused(&env, &["apply", PLAN, "--max-users", "4"]);
    assert!(told.contains("give --max-users 6"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_advise_the_complete_block_merged_with_what_is_there() {
    let (env, people) = TestEnv::with_customized_cards(12).await;
    let stated = "  guards:\n    maxUsers: 10\n    maxPercentOfUsers: 9\n    acknowledge: { users: 3, people: [9] }\n";
    write_manifest(&env, "a.yaml", "one", &ids(&people), stated);
    let told = is_refused(&env, &APPLY);
    let block = "  guards:\n    maxUsers: 10\n    maxPercentOfUsers: 9\n    acknowledge: { users: 12, people: [9] }\n";
    let indented: String = block.lines().map(|line| format!("  {line}\n")).collect();
    assert!(told.contains(indented.trim_end()), "{told}");
    assert!(told.contains("in place of `guards` under `spec`"), "{told}");
    let json: Value =
        serde_json::from_str(&env.run(&["plan", "-f", "manifests", "--output", "json"]).stdout)
            .unwrap();
    let lines = json["guards"]["acknowledgement"].as_str().unwrap();
    // What is printed is what is pasted.
    let pasted: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    assert_eq!(pasted, block);
    write_manifest(&env, "a.yaml", "one", &ids(&people), &pasted);
    applies(&env, &APPLY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_of_a_plan_file_are_those_of_the_manifests_beside_it() {
    let env = TestEnv::start().await;
    let more = "  guards: { maxUsers: 25 }\n  protect: { ids: [31] }\n";
    let users = "{ departments: [{ id: 41, recursive: true }], ids: [13] }";
    let text = manifest(&env.portal(), users, "      mode: { once: 2026-11 }\n").to_owned() + more;
    env.file("manifests/a.yaml", &text);
    env.run(&["plan", "-f", "manifests", "--out", PLAN]);
    let good = env.read_plan_file(PLAN);
    assert!(good.targets.len() > 5);
    let limits = |content: &mut PlanFileContent, change: fn(&mut recard::model::ManifestLimits)| {
        change(content.limits.manifests.get_mut("test").unwrap());
    };
    let refused = |change: &dyn Fn(&mut PlanFileContent), text: &str| {
        let mut content = good.clone();
        change(&mut content);
        env.write_plan_file(PLAN, content);
        let before = env.emulator().state();
        let ended = env.run(&["apply", PLAN, "-f", "manifests"]);
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
        assert_eq!((env.emulator().state(), resets_sent(env.emulator())), (before, 0), "{text}");
    };
    let guards = "other guards, or another `protect`";
    refused(&|content| limits(content, |limits| limits.max_users = Some(1000)), guards);
    refused(&|content| limits(content, |limits| limits.acknowledged_users = Some(1000)), guards);
    refused(&|content| limits(content, |limits| limits.protected.clear()), guards);
    refused(&|content| content.limits.manifests.clear(), guards);
    let foreign = "and the manifests do not select it so";
    refused(
        &|content| {
            let once = Generation::new("2026-12");
            content.targets.iter_mut().for_each(|target| target.generation = once.clone());
        },
        foreign,
    );
    refused(
        &|content| {
            let target = content
                .targets
                .iter_mut()
                .find(|target| target.key.user().unwrap().get() != 13)
                .unwrap();
            target.origin.selector = recard::model::Selector::Id;
        },
        foreign,
    );
    refused(
        &|content| {
            content.expires =
                content.created.checked_add(jiff::SignedDuration::from_hours(24 * 365)).unwrap()
        },
        "no plan may be used for longer than 31 days",
    );
    refused(
        &|content| content.manifests[0].reason = "another".to_owned(),
        "made from other manifests",
    );
    env.write_plan_file(PLAN, good);
    assert_eq!(env.run(&["apply", PLAN, "-f", "manifests"]).code, 0);
    let late = env.run(&["plan", "-f", "manifests", "--out", PLAN, "--max-age", "745h"]);
    assert_eq!(late.code, 64, "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_of_a_plan_file_leave_out_whom_the_manifests_do_not_select() {
    let env = TestEnv::start().await;
    write_manifest(&env, "a.yaml", "one", "{ departments: [{ id: 41, recursive: true }] }", "");
    env.run(&["plan", "-f", "manifests", "--out", PLAN]);
    let mut content = env.read_plan_file(PLAN);
    let moved = content.targets[0].key.user().unwrap().get();
    let mut state = env.emulator().state();
    let users = state["portal"]["users"].as_array_mut().unwrap();
    users.iter_mut().find(|user| user["ID"] == moved).unwrap()["UF_DEPARTMENT"] = json!([44]);
    env.emulator().set_state(&state).unwrap();
    // Somebody was slipped into the file, with the origin of another target.
    save(env.emulator(), row(1, "lead_details", "own"));
    let own: CardKey = "personal/1/lead/simple".parse().unwrap();
    let slipped =
        recard::records::plan_file::PlanFileTarget { key: own, ..content.targets[0].clone() };
    content.targets.insert(0, slipped);
    content.counts.reset += 1;
    env.write_plan_file(PLAN, content.clone());
    let ended = env.run(&["apply", PLAN, "-f", "manifests"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    let left: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| line.contains("the manifests do not select the card any more"))
        .collect();
    assert!(left.iter().any(|line| line.contains("personal/1/lead/simple")), "{ended:?}");
    assert!(left.iter().any(|line| line.contains(&format!("personal/{moved}/"))), "{ended:?}");
    let rows = env.emulator().state()["options"].clone();
    let has = |user: u32| rows.as_array().unwrap().iter().any(|row| row["user_id"] == user);
    assert!(has(1) && has(moved));
    assert_eq!(resets_sent(env.emulator()), (content.targets.len() - left.len()) as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_hold_users_of_an_exception_below_a_missing_department() {
    let env = TestEnv::start().await;
    let mut state = env.emulator().state();
    let departments = state["portal"]["departments"].as_array_mut().unwrap();
    // 42 lies below 41; with 42 inactive nobody sees that 46 is below 41, nor where 42 itself
    // belongs.
    let mut below = departments.iter().find(|one| one["ID"] == 42).unwrap().clone();
    below["ID"] = json!(46);
    below["PARENT"] = json!(42);
    departments.push(below);
    let users = state["portal"]["users"].as_array_mut().unwrap();
    let of = |user: &Value, id: i64| {
        user["UF_DEPARTMENT"].as_array().is_some_and(|all| all.contains(&json!(id)))
    };
    let in_42: Vec<i64> = users
        .iter()
        .filter(|user| of(user, 42) && user["ACTIVE"] != false)
        .map(|user| user["ID"].as_i64().unwrap())
        .collect();
    let (lower, upper) = (in_42[0], in_42[1]);
    users.iter_mut().find(|user| user["ID"] == lower).unwrap()["UF_DEPARTMENT"] = json!([46]);
    env.emulator().set_state(&state).unwrap();
    for id in [lower, upper] {
        save(env.emulator(), row(id, "lead_details", "mine"));
    }
    let except = |recursive: bool| {
        format!(
            "{{ ids: [{lower}, {upper}, 13], except: {{ departments: [{{ id: 41, recursive: {recursive} }}] }} }}"
        )
    };
    save(env.emulator(), row(13, "lead_details", "mine"));
    let targets = |users: &str| {
        write_manifest(&env, "a.yaml", "one", users, "");
        let planned = env.run(&["plan", "-f", "manifests", "--output", "json", "--unchanged"]);
        let json: Value = serde_json::from_str(&planned.stdout).unwrap();
        let of = |target: &Value| {
            (
                target["target"].as_str().unwrap().to_owned(),
                target["decision"].as_str().unwrap().to_owned(),
                target["reason"].to_string(),
            )
        };
        json["targets"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    // The tree is whole: both are excepted.
    let whole = targets(&except(true));
    assert!(whole.iter().all(|(key, ..)| key.starts_with("personal/13/")), "{whole:?}");
    let mut state = env.emulator().state();
    let departments = state["portal"]["departments"].as_array_mut().unwrap();
    departments.iter_mut().find(|one| one["ID"] == 42).unwrap()["ACTIVE"] = json!(false);
    env.emulator().set_state(&state).unwrap();
    let holed = targets(&except(true));
    let held = |id: i64| {
        let own: Vec<_> =
            holed.iter().filter(|(key, ..)| key.starts_with(&format!("personal/{id}/"))).collect();
        own.len() == 2
            && own.iter().all(|(_, decision, reason)| {
                decision == "hold" && reason.contains("department-unknown")
            })
    };
    assert!(held(lower) && held(upper) && !held(13), "{holed:?}");
    let ended = env.run(&APPLY);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(
        ended.stdout.contains("may be excepted: the portal does not list department 42"),
        "{ended:?}"
    );
    assert_eq!(resets_sent(env.emulator()), 1);
    // A ring of departments has no place in the tree.
    let departments = state["portal"]["departments"].as_array_mut().unwrap();
    let department = departments.iter_mut().find(|one| one["ID"] == 42).unwrap();
    (department["ACTIVE"], department["PARENT"]) = (json!(true), json!(42));
    env.emulator().set_state(&state).unwrap();
    let ended = env.run(&["plan", "-f", "manifests"]);
    assert!(ended.stdout.contains("may be excepted: department 42 is above itself"), "{ended:?}");
    // An exception of the department alone is known, and so is somebody whom another block selects
    // for sure.
    let alone = targets(&except(false));
    assert!(alone.iter().all(|(_, decision, _)| decision != "hold"), "{alone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_refuse_a_shrunk_selection_that_resets_nobody_and_keep_the_number_before() {
    let (env, people) = TestEnv::with_customized_cards(10).await;
    write_manifest(&env, "a.yaml", "sales", &ids(&people), "");
    applies(&env, &APPLY);
    // All cards are at their defaults, and half of the selection is gone.
    write_manifest(&env, "a.yaml", "sales", &ids(&people[..5]), "");
    let shrunk = "5 people, and selected 10 in the last run";
    let planned = env.run(&["plan", "-f", "manifests", "-o", "text", "-o", "markdown=plan.md"]);
    assert!(planned.stdout.contains("Apply will refuse: 1 guard blocks the plan"), "{planned:?}");
    assert!(!planned.stdout.contains("No changes."), "{planned:?}");
    let markdown = std::fs::read_to_string(env.at("plan.md")).unwrap();
    assert!(markdown.contains("🛑") && !markdown.contains('✅'), "{markdown}");
    for _ in 0..2 {
        let told = is_refused(&env, &APPLY);
        assert!(told.contains(shrunk), "{told}");
    }
    // A smaller selection is measured against the last one that was not refused.
    save(env.emulator(), row(people[0], "lead_details", "again"));
    let told = is_refused(&env, &APPLY);
    assert!(told.contains(shrunk), "{told}");
    let five = acknowledging("selection: 5");
    write_manifest(&env, "a.yaml", "sales", &ids(&people[..5]), &five);
    applies(&env, &APPLY);
    write_manifest(&env, "a.yaml", "sales", &ids(&people[..5]), "");
    applies(&env, &APPLY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn department_in_a_ring_selects_nobody_with_those_below() {
    let env = TestEnv::start().await;
    env.change(|state| {
        let departments = state["portal"]["departments"].as_array_mut().unwrap();
        let company = departments.iter_mut().find(|one| one["ID"] == 1).unwrap();
        // Sales East stands below Sales, Sales below the company, and that below Sales East.
        company["PARENT"] = json!(42);
    });
    write_manifest(&env, "a.yaml", "sales", "{ departments: [{ id: 41, recursive: true }] }", "");
    for command in [&["plan", "-f", "manifests"][..], &APPLY] {
        let ended = env.run(command);
        assert_eq!(ended.code, 1, "{ended:?}");
        let told = "department 41 is above itself on the portal";
        assert!(ended.stderr.contains(told) && ended.stderr.contains("RC0404"), "{ended:?}");
    }
    assert_eq!(resets_sent(env.emulator()), 0);
    // Without those below, the place in the tree does not matter.
    write_manifest(&env, "a.yaml", "sales", "{ departments: [41] }", "");
    applies(&env, &APPLY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn department_without_people_has_a_hint_that_can_be_followed() {
    let env = TestEnv::start().await;
    env.change(|state| {
        let departments = state["portal"]["departments"].as_array_mut().unwrap();
        let mut empty = departments[1].clone();
        (empty["ID"], empty["NAME"]) = (json!(60), json!("Empty"));
        departments.push(empty);
    });
    let recursive = "count only with `{ id: …, recursive: true }`";
    for (department, told, other) in
        [("60", recursive, "60 (Empty)"), ("{ id: 60, recursive: true }", "60 (Empty)", recursive)]
    {
        let users = format!("{{ departments: [{department}, 41] }}");
        write_manifest(&env, "a.yaml", "sales", &users, "");
        let ended = env.run(&["plan", "-f", "manifests"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stderr.contains("nobody active is in department 60"), "{ended:?}");
        assert!(ended.stderr.contains(told) && !ended.stderr.contains(other), "{ended:?}");
    }
}
