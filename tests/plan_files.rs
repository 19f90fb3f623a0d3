//! Plan files: a reviewed plan is executed once, or less of it, and never anything else.

#![cfg(all(feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::path::Path;

use recard::emulator::{Emulator, EmulatorOptions, Seed};
use recard::records::plan_file::{PlanFile, PlanFileContent};
use serde_json::Value;

use support::company::{manifest, portal_of, resets_sent, row, save};
use support::recard::{Ended, Place};

const PLAN: &str = "cards.recard-plan.json";
const APPLY: [&str; 2] = ["apply", PLAN];

/// A portal and a plan file for the cards of a department: 11 resets.
struct World {
    emulator: Emulator,
    place: Place,
}

impl World {
    async fn new() -> Self {
        Self::with("{ departments: [{ id: 41, recursive: true }] }", "").await
    }

    async fn with(users: &str, more: &str) -> Self {
        let emulator = Emulator::start().await.unwrap();
        let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
        place.file("lead.yaml", &manifest(&portal_of(&emulator), users, more));
        let world = Self { emulator, place };
        world.plan(&[]);
        world
    }

    fn plan(&self, more: &[&str]) -> Ended {
        let planned = self.place.run(&[&["plan", "-f", "lead.yaml", "--out", PLAN], more].concat());
        assert_eq!(planned.code, 0, "{planned:?}");
        planned
    }

    fn path(&self) -> std::path::PathBuf {
        self.place.path().join(PLAN)
    }

    fn content(&self) -> PlanFileContent {
        PlanFile::parse(&std::fs::read(self.path()).unwrap()).unwrap().content
    }

    /// Seals another content, as a person could who reads the source of recard.
    fn seal(&self, content: PlanFileContent) {
        let bytes = PlanFile::new(content).unwrap().encode().unwrap();
        recard::store::write_whole(&self.path(), &bytes).unwrap();
    }

    /// Exit code 5 with this text, and nothing written to the portal or into the store.
    fn is_refused(&self, arguments: &[&str], text: &str) {
        let before = (self.emulator.state(), runs(self.place.path()));
        let ended = self.place.run(arguments);
        assert_eq!(ended.code, 5, "{ended:?}");
        assert!(ended.stderr.contains(text), "{text}: {ended:?}");
        assert_eq!((self.emulator.state(), runs(self.place.path())), before, "{text}");
        assert_eq!(resets_sent(&self.emulator), 0, "{text}");
    }
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
async fn a_plan_file_is_carried_out_once_and_without_a_question() {
    let world = World::new().await;
    let applied = world.place.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.stdout.contains("Done: 11 of 11 cards; 0 skipped, 0 failed, 0 unknown."),
        "{applied:?}"
    );
    assert_eq!(world.emulator.counters().rows_removed, 11);
    let again = world.place.run(&APPLY);
    assert_eq!(again.code, 5, "{again:?}");
    assert!(again.stderr.contains("Z, and a plan is carried out once"), "{again:?}");
    let at = again.stderr.split_once("was used at ").unwrap().1.split_once(", and").unwrap().0;
    assert_eq!(at.len(), "2026-11-01T09:00:00Z".len(), "to the second: {at}");
    assert_eq!((world.emulator.counters().rows_removed, resets_sent(&world.emulator)), (11, 11));
    assert_eq!(world.emulator.complaints(), []);
    // Laid out anew it is the same plan.
    let value: Value = serde_json::from_slice(&std::fs::read(world.path()).unwrap()).unwrap();
    world.place.file(PLAN, &serde_json::to_string_pretty(&value).unwrap());
    assert_eq!(world.place.run(&APPLY).code, 5);
    // And what it did can be undone like any run.
    let restored = world.place.run(&["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(restored.stdout.contains("Done: 11 of 11 cards"), "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_file_that_was_edited_cut_or_is_something_else_is_refused() {
    let world = World::new().await;
    let bytes = std::fs::read(world.path()).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    for (old, new) in
        [("personal/8/simple", "personal/9/simple"), ("\"max_users\":25", "\"max_users\":99")]
    {
        let edited = text.replace(old, new);
        assert_ne!(edited, text, "{old}");
        world.place.file(PLAN, &edited);
        world.is_refused(&APPLY, "was changed after it was written");
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
            text.replace("recard.plan-file/v1", "recard.plan-file/v2"),
            "a newer recard wrote this plan file",
        ),
    ] {
        world.place.file(PLAN, &damaged);
        world.is_refused(&APPLY, told);
    }
    // What `plan --output json` prints is for programs to read, and no plan file.
    assert_eq!(
        world.place.run(&["plan", "-f", "lead.yaml", "--output", &format!("json={PLAN}")]).code,
        0
    );
    world.is_refused(&APPLY, "does not say recard.plan-file");
    let missing = world.place.run(&["apply", "none.recard-plan.json"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(
        missing.stderr.contains("cannot read the plan file none.recard-plan.json"),
        "{missing:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_file_of_another_portal_or_another_caller_is_refused() {
    let world = World::new().await;
    let other = Emulator::start().await.unwrap();
    let elsewhere = Place::with_webhook(&other.webhook_url(1).unwrap());
    elsewhere.file(PLAN, &std::fs::read_to_string(world.path()).unwrap());
    let ended = elsewhere.run(&APPLY);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains(&format!("the plan file is for the portal {}", portal_of(&world.emulator)))
    );
    assert_eq!((other.counters().requests, other.counters().rows_removed), (0, 0));

    let webhooks = world.emulator.webhooks();
    let colleague = webhooks.iter().find(|webhook| webhook.user != 1).unwrap();
    let mut command = world.place.command(&APPLY);
    let ended = Ended::of(command.env("RECARD_WEBHOOK_URL", &colleague.url).output().unwrap());
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("and this webhook acts as user {}", colleague.user)),
        "{ended:?}"
    );
    assert_eq!(resets_sent(&world.emulator), 0);
    // It was not used up by that.
    assert_eq!(world.place.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_plan_file_is_refused_and_so_is_one_from_a_clock_far_ahead() {
    let world = World::new().await;
    world.plan(&["--max-age", "0s"]);
    world.is_refused(&APPLY, "the plan file expired at");
    let mut content = world.content();
    content.created = content.created.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    content.expires = content.created.checked_add(jiff::SignedDuration::from_mins(10)).unwrap();
    world.seal(content);
    world.is_refused(&APPLY, "the clock of one of the machines is wrong");
    // A day is the time unless said.
    world.plan(&[]);
    let content = world.content();
    assert_eq!(
        content.expires.duration_since(content.created),
        jiff::SignedDuration::from_hours(24)
    );
    let alone = world.place.run(&["plan", "-f", "lead.yaml", "--max-age", "1h"]);
    assert_eq!(alone.code, 64, "{alone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifests_beside_a_plan_file_must_be_those_that_it_was_made_from() {
    let world = World::new().await;
    let portal = portal_of(&world.emulator);
    world.place.file("other.yaml", &manifest(&portal, "{ ids: [7] }", ""));
    world.is_refused(&["apply", PLAN, "-f", "other.yaml"], "was made from other manifests");
    // What means the same is the same.
    let text = std::fs::read_to_string(world.place.path().join("lead.yaml")).unwrap();
    world.place.file("lead.yaml", &format!("# a comment\n{text}"));
    assert_eq!(world.place.run(&["apply", PLAN, "-f", "lead.yaml"]).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_cards_one_changed_is_left_alone_and_the_others_are_reset() {
    let options = EmulatorOptions { seed: Seed::Users(50), ..EmulatorOptions::default() };
    let emulator = Emulator::start_with(options).await.unwrap();
    let place = Place::with_webhook(&emulator.webhook_url(1).unwrap());
    let mut state = emulator.state();
    let people = support::company::people(&state);
    let fifty: Vec<String> =
        people.iter().filter(|id| **id != 1).take(50).map(ToString::to_string).collect();
    let options = state["options"].as_array_mut().unwrap();
    options.retain(|row| row["user_id"] == 0);
    options.extend(fifty.iter().map(|id| row(id.parse().unwrap(), "lead_details", "old")));
    emulator.set_state(&state).unwrap();
    let count = fifty.len();
    let users = format!("{{ ids: [{}] }}", fifty.join(", "));
    let guards = format!("  guards:\n    acknowledge: {{ users: {count} }}\n");
    place.file("lead.yaml", &manifest(&portal_of(&emulator), &users, &guards));
    let planned = place.run(&["plan", "-f", "lead.yaml", "--out", PLAN]);
    assert!(planned.stdout.contains(&format!("Plan: {count} to reset")), "{planned:?}");

    let changed: i64 = fifty[count / 2].parse().unwrap();
    save(&emulator, row(changed, "lead_details", "new"));
    let applied = place.run(&APPLY);
    assert_eq!(applied.code, 3, "{applied:?}");
    let done = format!("Done: {} of {count} cards; 1 skipped, 0 failed, 0 unknown.", count - 1);
    assert!(applied.stdout.contains(&done), "{applied:?}");
    assert!(applied.stdout.contains("changed since the plan; not touched"), "{applied:?}");
    assert!(applied.stdout.contains(&format!("personal/{changed}/simple")), "{applied:?}");
    assert_eq!(emulator.counters().rows_removed, count as u64 - 1);
    assert!(emulator.state()["options"].as_array().unwrap().contains(&row(
        changed,
        "lead_details",
        "new"
    )));
    assert_eq!(emulator.complaints(), []);
    // And the run adds up in the store.
    let shown = place.run(&["show", "last", "--output", "json"]);
    let report: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(report["totals"]["planned"], report["about"]["planned"]);
    assert_eq!((&report["totals"]["skipped"], &report["totals"]["failed"]), (&1.into(), &0.into()));
}

/// The exit code stays 3: the card still waits for another plan.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_file_card_changed_since_is_skipped_in_every_format() {
    let world = World::new().await;
    save(&world.emulator, row(12, "lead_details", "newer than the plan"));
    let formats = ["json", "junit", "csv", "markdown", "sarif", "github"];
    let outputs = formats.map(|format| format!("{format}={format}.out"));
    let mut arguments = APPLY.to_vec();
    arguments.extend(["--output", "text"]);
    arguments.extend(outputs.iter().flat_map(|output| ["--output", output.as_str()]));
    let applied = world.place.run(&arguments);
    assert_eq!(applied.code, 3, "{applied:?}");
    assert!(applied.stdout.contains("; 1 skipped, 0 failed, 0 unknown."), "{applied:?}");
    assert!(applied.stdout.contains("skip   personal/12/simple"), "{applied:?}");
    let of = |format: &str| {
        std::fs::read_to_string(world.place.path().join(format!("{format}.out"))).unwrap()
    };
    let json: Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!((&json["totals"]["skipped"], &json["totals"]["failed"]), (&1.into(), &0.into()));
    assert!(of("junit").contains("failures=\"0\" errors=\"0\" skipped=\"1\""), "{}", of("junit"));
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
async fn what_reached_its_default_since_is_skipped_and_new_people_are_never_touched() {
    let world = World::new().await;
    let mut state = world.emulator.state();
    let options = state["options"].as_array_mut().unwrap();
    // Somebody resets their own card, and somebody whom the plan does not name arranges one.
    options.retain(|one| !(one["user_id"] == 12 && one["name"] == "lead_details"));
    let newcomer = row(16, "lead_details", "new");
    options.push(newcomer.clone());
    world.emulator.set_state(&state).unwrap();
    let applied = world.place.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(
        applied.stdout.contains("Done: 10 of 11 cards; 1 skipped, 0 failed, 0 unknown."),
        "{applied:?}"
    );
    assert!(world.emulator.state()["options"].as_array().unwrap().contains(&newcomer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guards_are_measured_again_and_a_refused_plan_file_is_not_used_up() {
    let world = World::new().await;
    // A guard that stood at planning stands at applying, too.
    world.place.file("lead.yaml", &manifest(&portal_of(&world.emulator), "{ ids: [1, 7] }", ""));
    let mut state = world.emulator.state();
    state["options"].as_array_mut().unwrap().push(row(1, "lead_details", "own"));
    world.emulator.set_state(&state).unwrap();
    let planned = world.plan(&[]);
    assert!(planned.stdout.contains("guard: user 1 would lose a card"), "{planned:?}");
    let refused = world.place.run(&APPLY);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stderr.contains("acknowledge: { people: [1] }"), "{refused:?}");
    assert_eq!(resets_sent(&world.emulator), 0);
    // Once the card is no longer there to be lost, the rest may be done.
    let mut state = world.emulator.state();
    state["options"].as_array_mut().unwrap().retain(|row| row["user_id"] != 1);
    world.emulator.set_state(&state).unwrap();
    assert_eq!(world.place.run(&APPLY).code, 0);
    // A limit can be lowered when applying.
    world.place.file("lead.yaml", &manifest(&portal_of(&world.emulator), "{ ids: [8, 12] }", ""));
    world.plan(&[]);
    let refused = world.place.run(&["apply", PLAN, "--max-users", "1"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.stderr.contains("2 people would lose a card; the limit maxUsers is 1"),
        "{refused:?}"
    );
    assert_eq!(world.place.run(&APPLY).code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_file_shows_what_it_does_and_holds_neither_secret_nor_content() {
    let world = World::new().await;
    let shown = world.place.run(&["show", PLAN]);
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
        shown.stdout.contains("reset  personal/8/simple   Ivan Petrov      the layout "),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("lead.yaml:7:30 department 41 and below"), "{}", shown.stdout);
    assert_eq!(world.place.run(&APPLY).code, 0);
    let used = world.place.run(&["show", PLAN]);
    assert!(
        used.stdout.contains("used ") && used.stdout.contains("a plan is carried out once"),
        "{used:?}"
    );
    let text = std::fs::read_to_string(world.path()).unwrap();
    for hidden in ["emulator00000001", "elements", "Start here"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let refused = world.place.run(&["show", "none.json"]);
    assert_eq!(refused.code, 1, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_file_remembers_mode_once_as_an_apply_of_its_manifests_does() {
    let world = World::with("{ ids: [12, 16] }", "      mode: { once: 2026-11 }\n").await;
    let applied = world.place.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    let ledger = world.place.run(&["ledger", "show"]);
    assert_eq!(ledger.stdout.lines().count(), 4, "{ledger:?}");
    // Everybody had their turn: what they arrange now stays.
    for id in [12, 16] {
        save(&world.emulator, row(id, "lead_details", "again"));
    }
    let again = world.place.run(&["plan", "-f", "lead.yaml", "--detailed-exitcode"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(
        again.stdout.matches("customised again after its reset for 2026-11").count(),
        2,
        "{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_dismissed_after_the_review_is_out_of_the_plan() {
    let world = World::new().await;
    let people: Vec<u32> =
        world.content().targets.iter().filter_map(|one| Some(one.key.user()?.get())).collect();
    let gone = people[0];
    let cards = people.iter().filter(|user| **user == gone).count();
    let mut state = world.emulator.state();
    let users = state["portal"]["users"].as_array_mut().unwrap();
    users.iter_mut().find(|user| user["ID"] == gone).unwrap()["ACTIVE"] = false.into();
    world.emulator.set_state(&state).unwrap();
    let rows = |emulator: &Emulator| {
        let state = emulator.state();
        state["options"].as_array().unwrap().iter().filter(|row| row["user_id"] == gone).count()
    };
    let before = rows(&world.emulator);

    let applied = world.place.run(&APPLY);
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
    assert_eq!(rows(&world.emulator), before);
    assert_eq!(resets_sent(&world.emulator), left as u64);
    assert_eq!(world.emulator.complaints(), []);
}
