//! plan, apply, plan, drift, apply, restore, plan on every release: idempotence and undo do not
//! depend on the owners of cards, or on the store's knowledge of the portal.

use std::path::Path;

use recard::emulator::{Emulator, EmulatorOptions, Release};
use recard::store::write_whole;
use serde_json::{Value, json};

use crate::support::company::{portal_of, resets_sent, row, save, sets_sent};
use crate::support::env::{CommandOutput, TestEnv};

const PLAN: [&str; 6] = ["plan", "-f", "lead.yaml", "--detailed-exitcode", "--rate", "unlimited"];
const APPLY: [&str; 6] = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];
const DRIFT: [&str; 5] = ["drift", "-f", "lead.yaml", "--rate", "unlimited"];
const RESTORE: [&str; 6] = ["restore", "last", "--all", "--auto-approve", "--rate", "unlimited"];

/// Card of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    HasCard,
    HasNone,
}

/// Knowledge of the portal in the store when a command starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    Kept,
    /// The runs alone.
    Lost,
}

struct LifeCycle {
    env: TestEnv,
    knowledge: Knowledge,
}

impl LifeCycle {
    async fn new(release: Release, caller: Caller, knowledge: Knowledge) -> Self {
        let options = EmulatorOptions { release: Some(release), ..EmulatorOptions::default() };
        let env = TestEnv::start_with(options).await;
        env.write_manifest("{ departments: [{ id: 41, recursive: true }] }", "");
        if caller == Caller::HasCard {
            for name in ["lead_details", "returning_lead_details"] {
                save(env.emulator(), row(1, name, "of the caller"));
            }
        }
        Self { env, knowledge }
    }

    fn run(&self, arguments: &[&str]) -> CommandOutput {
        if self.knowledge == Knowledge::Lost {
            let portals = self.env.at(".recard/portals");
            for portal in std::fs::read_dir(portals).into_iter().flatten() {
                forget(&portal.unwrap().path());
            }
        }
        self.env.run(arguments)
    }

    fn plan(&self) -> (i32, Value) {
        let ended = self.run(&[&PLAN[..], &["--output", "json"]].concat());
        let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        (ended.code, report)
    }

    fn become_release(&self, release: &str) {
        self.env.change(|state| state["variant"] = json!(release));
    }

    fn rows(&self) -> Vec<String> {
        rows(self.env.emulator())
    }
}

/// Removes everything of a portal but its runs.
fn forget(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// The rows of personal cards, without what a `set` leaves out.
fn rows(emulator: &Emulator) -> Vec<String> {
    let state = emulator.state();
    let shown = |row: &Value| {
        let value = &row["value"];
        let sections = if value[0]["type"] == "column" { &value[0]["elements"] } else { value };
        let titles: Vec<&Value> =
            sections.as_array().into_iter().flatten().map(|section| &section["title"]).collect();
        format!("{} {} {titles:?}", row["user_id"], row["name"])
    };
    let mut rows: Vec<String> = state["options"].as_array().unwrap().iter().map(shown).collect();
    rows.sort();
    rows
}

fn matrix() -> impl Iterator<Item = (Caller, Knowledge)> {
    let knowledge =
        |caller| [Knowledge::Kept, Knowledge::Lost].map(|knowledge| (caller, knowledge));
    [Caller::HasCard, Caller::HasNone].into_iter().flat_map(knowledge)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn release_with_trusted_reads_plans_applies_restores_and_drifts() {
    for release in [Release::Current, Release::Mid] {
        for (caller, knowledge) in matrix() {
            let world = LifeCycle::new(release, caller, knowledge).await;
            let case = format!("{release:?} {caller:?} {knowledge:?}");
            let before = world.rows();
            let (code, first) = world.plan();
            assert_eq!((code, &first["counts"]["hold"]), (2, &json!(0)), "{case}: {first}");
            let resets = first["counts"]["reset"].as_u64().unwrap();
            assert!(resets > 5, "{case}: {resets}");
            let applied = world.run(&APPLY);
            assert_eq!(
                (applied.code, resets_sent(world.env.emulator())),
                (0, resets),
                "{case}: {applied:?}"
            );
            let after = world.rows();

            let (code, second) = world.plan();
            assert_eq!((code, &second["counts"]["hold"]), (0, &json!(0)), "{case}: {second}");
            let drift = world.run(&DRIFT);
            assert_eq!(drift.code, 0, "{case}: {drift:?}");
            let again = world.run(&APPLY);
            assert_eq!(
                (again.code, resets_sent(world.env.emulator())),
                (0, resets),
                "{case}: {again:?}"
            );
            assert_eq!(world.rows(), after, "{case}");

            let restored = world.run(&RESTORE);
            assert_eq!(restored.code, 0, "{case}: {restored:?}");
            assert!(
                restored.stdout.contains(&format!("{resets} of {resets} cards")),
                "{case}: {restored:?}"
            );
            assert_eq!(world.rows(), before, "{case}");
            let (code, last) = world.plan();
            assert_eq!((code, &last["counts"]), (2, &first["counts"]), "{case}: {last}");
            assert_eq!(world.env.emulator().complaints(), [], "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn release_up_to_24_200_holds_plan_apply_restore_and_drift() {
    for (caller, knowledge) in matrix() {
        let world = LifeCycle::new(Release::LegacyRead, caller, knowledge).await;
        let case = format!("{caller:?} {knowledge:?}");
        let before = world.rows();
        let held = |report: &Value| {
            assert_eq!(report["counts"]["reset"], json!(0), "{case}: {report}");
            assert!(report["counts"]["hold"].as_u64().unwrap() > 5, "{case}: {report}");
        };
        held(&world.plan().1);
        for arguments in [&APPLY[..], &DRIFT, &APPLY] {
            let ended = world.run(arguments);
            assert_eq!(ended.code, if arguments == DRIFT { 2 } else { 3 }, "{case}: {ended:?}");
        }
        let restored = world.run(&RESTORE);
        assert_ne!(restored.code, 0, "{case}: {restored:?}");
        held(&world.plan().1);
        assert_eq!(
            (resets_sent(world.env.emulator()), sets_sent(world.env.emulator())),
            (0, 0),
            "{case}"
        );
        assert_eq!(world.rows(), before, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_proof_is_dropped_on_a_downgraded_portal() {
    for caller in [Caller::HasCard, Caller::HasNone] {
        let world = LifeCycle::new(Release::Mid, caller, Knowledge::Kept).await;
        assert_eq!(world.run(&APPLY).code, 0);
        let proof = world.env.store_folder().join("read-proof.json");
        let kept = std::fs::read_to_string(&proof).unwrap();
        assert!(kept.contains("select-obeyed"), "{kept}");
        let after = world.rows();
        let resets = resets_sent(world.env.emulator());

        world.become_release("legacy-read");
        let restored = world.run(&RESTORE);
        assert_eq!(restored.code, 3, "{restored:?}");
        assert!(!restored.stdout.contains("Nothing"), "{restored:?}");
        assert!(!proof.exists(), "a sign of an old release deletes the proof");
        // Neither a proof from another day nor the run's own record stands against what the portal
        // shows now.
        write_whole(&proof, kept.as_bytes()).unwrap();
        assert_eq!(world.run(&APPLY).code, 3);
        assert_eq!(
            (resets_sent(world.env.emulator()), sets_sent(world.env.emulator())),
            (resets, 0)
        );
        assert_eq!(world.rows(), after);

        world.become_release("mid");
        let restored = world.run(&RESTORE);
        assert_eq!(restored.code, 0, "{restored:?}");
        assert!(proof.exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_proof_that_is_damaged_is_ignored() {
    let world = LifeCycle::new(Release::LegacyRead, Caller::HasNone, Knowledge::Kept).await;
    assert_eq!(world.plan().0, 2);
    let proof = world.env.store_folder().join("read-proof.json");
    for damage in ["", "{", "[]", "{\"format\":\"recard.read-proof/v9\"}"] {
        write_whole(&proof, damage.as_bytes()).unwrap();
        let applied = world.run(&APPLY);
        assert_eq!((applied.code, resets_sent(world.env.emulator())), (3, 0), "{applied:?}");
        assert!(applied.stderr.contains("read-proof.json"), "{applied:?}");
    }
    world.become_release("mid");
    write_whole(&proof, b"{").unwrap();
    let applied = world.run(&APPLY);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(applied.stderr.contains("read-proof.json"), "{applied:?}");
    let next = world.run(&DRIFT);
    assert!(next.code == 0 && next.stderr.is_empty(), "it is written anew: {next:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_with_held_cards_counts_them_and_exits_with_3() {
    let world = LifeCycle::new(Release::Mid, Caller::HasNone, Knowledge::Kept).await;
    assert_eq!(world.run(&APPLY).code, 0);
    let all = resets_sent(world.env.emulator());
    save(world.env.emulator(), row(12, "lead_details", "arranged anew"));
    let restored = world.run(&RESTORE);
    assert_eq!(restored.code, 3, "{restored:?}");
    let sums = format!("Done: {} of {all} cards; 0 skipped, 0 failed, 0 unknown, 1 held.", all - 1);
    assert!(restored.stdout.contains(&sums), "{sums}: {restored:?}");
    // One card alone, and held: nothing is called done.
    let history = world.run(&["history", "--output", "json"]);
    assert_eq!(history.code, 0, "{history:?}");
    let first = first_run(&world.env);
    for format in ["text", "json", "markdown", "csv", "junit"] {
        let arguments = ["restore", &first, "--user", "12", "--auto-approve", "--output", format];
        let alone = world.run(&arguments);
        assert_eq!(alone.code, 3, "{alone:?}");
        let untrue = ["Nothing", "Done: 0 of 0", "Done: 1 of 1"];
        assert!(untrue.iter().all(|text| !alone.stdout.contains(text)), "{alone:?}");
        assert!(format == "junit" || alone.stdout.contains("personal/12/lead/simple"), "{alone:?}");
    }
}

/// The name of the oldest run.
fn first_run(env: &TestEnv) -> String {
    let mut runs: Vec<String> = std::fs::read_dir(env.store_folder().join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    runs.sort();
    runs.swap_remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_of_another_portal_is_refused_by_restore_and_recover() {
    let (one, other) = (
        LifeCycle::new(Release::Current, Caller::HasNone, Knowledge::Kept).await,
        LifeCycle::new(Release::Current, Caller::HasNone, Knowledge::Kept).await,
    );
    assert_eq!(one.run(&APPLY).code, 0);
    assert_eq!(other.run(&PLAN).code, 2);
    let run = first_run(&one.env);
    let (from, to) = (
        one.env.store_folder().join("runs").join(&run),
        other.env.store_folder().join("runs").join(&run),
    );
    std::fs::create_dir_all(&to).unwrap();
    for file in ["journal.jsonl", "backups.jsonl", "plan.json", "report.json"] {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let before = other.rows();
    let refused = |ended: &CommandOutput| {
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.stderr.contains(&portal_of(one.env.emulator())), "{ended:?}");
        assert!(ended.stderr.contains(&portal_of(other.env.emulator())), "{ended:?}");
        assert_eq!((sets_sent(other.env.emulator()), resets_sent(other.env.emulator())), (0, 0));
        assert_eq!(other.rows(), before);
    };
    refused(&other.run(&["restore", &run, "--all", "--auto-approve"]));
    refused(&other.run(&["restore", "last", "--all", "--overwrite-newer", "--auto-approve"]));
    for command in ["recover", "recover"] {
        refused(&other.run(&[command, &run]));
    }
    // Cut before its end, it is the run that `recover` takes by itself.
    let journal = to.join("journal.jsonl");
    let whole = std::fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let kept: String = lines[..lines.len() - 4].iter().map(|line| format!("{line}\n")).collect();
    write_whole(&journal, kept.as_bytes()).unwrap();
    let journal_before = std::fs::read(&journal).unwrap();
    refused(&other.run(&["recover"]));
    assert_eq!(std::fs::read(&journal).unwrap(), journal_before, "nothing is added to it");
    // Neither does it block the portal that it is not of without saying why.
    refused(&other.run(&APPLY));
    // A line that would say whose it is may be damaged: what else is kept with the run says it.
    let damaged = whole.replacen("purpose", "porpuse", 1);
    write_whole(&journal, damaged.as_bytes()).unwrap();
    refused(&other.run(&["restore", &run, "--all", "--auto-approve"]));
}
