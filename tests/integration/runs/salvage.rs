//! Salvage: one damaged line of a journal, or one damaged byte of the audit log, prevents no
//! restore, and no message about it is untrue.

use std::collections::BTreeSet;
use std::path::PathBuf;

use recard::store::write_whole;
use serde_json::Value;

use crate::support::company::{row, save};
use crate::support::env::{CommandOutput, TestEnv};

const APPLY: [&str; 6] = ["apply", "-f", "lead.yaml", "--auto-approve", "--rate", "unlimited"];

/// A portal on which a run has reset the cards of a department, and what was there before and
/// after.
struct AppliedRun {
    env: TestEnv,
    before: Value,
    after: Value,
    run: String,
    journal: String,
    trail: String,
}

impl AppliedRun {
    async fn after_a_run() -> Self {
        let env = TestEnv::with_manifest("{ departments: [{ id: 41, recursive: true }] }").await;
        let emulator = env.emulator();
        save(emulator, row(12, "lead_details", "Only mine"));
        let before = emulator.state();
        let applied = env.run(&APPLY);
        assert_eq!(applied.code, 0, "{applied:?}");
        let after = emulator.state();
        let mut world = Self {
            env,
            before,
            after,
            run: String::new(),
            journal: String::new(),
            trail: String::new(),
        };
        let runs = std::fs::read_dir(world.env.store_folder().join("runs")).unwrap();
        world.run = runs.map(|run| run.unwrap().file_name().into_string().unwrap()).next().unwrap();
        world.journal = std::fs::read_to_string(world.journal_path()).unwrap();
        world.trail = std::fs::read_to_string(world.trail_path()).unwrap();
        world
    }

    fn journal_path(&self) -> PathBuf {
        self.env.store_folder().join("runs").join(&self.run).join("journal.jsonl")
    }

    fn trail_path(&self) -> PathBuf {
        self.env.store_folder().join("audit.jsonl")
    }

    /// Everything as it was just after the run, with another journal.
    fn with_journal(&self, journal: &[u8]) {
        self.with(journal, self.trail.as_bytes());
    }

    fn with(&self, journal: &[u8], trail: &[u8]) {
        for run in std::fs::read_dir(self.env.store_folder().join("runs")).unwrap() {
            let run = run.unwrap();
            if run.file_name().to_str() != Some(&self.run) {
                // Two runs that were put aside may have the same name.
                let aside = tempfile::tempdir_in(self.env.path()).unwrap().keep();
                std::fs::rename(run.path(), aside.join(run.file_name())).unwrap();
            }
        }
        write_whole(&self.trail_path(), trail).unwrap();
        write_whole(&self.journal_path(), journal).unwrap();
        self.env.emulator().set_state(&self.after).unwrap();
    }

    fn restore(&self) -> CommandOutput {
        self.env.run(&["restore", &self.run, "--all", "--auto-approve", "--rate", "unlimited"])
    }

    fn resume(&self) -> CommandOutput {
        self.env.run(&["recover", &self.run, "--settle-time", "0s", "--rate", "unlimited"])
    }

    fn cards(&self) -> BTreeSet<String> {
        cards(&self.env.emulator().state())
    }
}

/// Whose cards are there, with the titles of their sections.
fn cards(state: &Value) -> BTreeSet<String> {
    let shown = |row: &Value| {
        let value = &row["value"];
        let sections = if value[0]["type"] == "column" { &value[0]["elements"] } else { value };
        let titles: Vec<&Value> =
            sections.as_array().into_iter().flatten().map(|section| &section["title"]).collect();
        format!("{} {} {titles:?}", row["user_id"], row["name"])
    };
    state["options"].as_array().unwrap().iter().map(shown).collect()
}

/// Each line of a text with its end.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A text with one byte of one line changed: its first, one in its middle, its last, or its end.
fn damaged(text: &str, line: usize, place: usize) -> Vec<u8> {
    let lines = lines(text);
    let start: usize = lines[..line].iter().map(|line| line.len()).sum();
    let length = lines[line].len();
    let mut bytes = text.as_bytes().to_vec();
    let at = start + [0, length / 2, length - 2, length - 1][place];
    bytes[at] ^= 1;
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journal_with_a_damaged_line_is_restored_whole() {
    let world = AppliedRun::after_a_run().await;
    let count = lines(&world.journal).len();
    assert!(count > 5, "{}", world.journal);
    for line in 0..count {
        for place in 0..4 {
            world.with_journal(&damaged(&world.journal, line, place));
            let verified = world.env.run(&["audit", "verify"]);
            assert_eq!(verified.code, 1, "line {line}, {place}: {verified:?}");
            let restored = world.restore();
            assert_eq!(restored.code, 3, "line {line}, {place}: {restored:?}");
            assert!(
                restored.stderr.contains("journal.jsonl is damaged"),
                "line {line}, {place}: {restored:?}"
            );
            assert_eq!(world.cards(), cards(&world.before), "line {line}, {place}: {restored:?}");
            assert_eq!(world.env.run(&["audit", "verify"]).code, 1, "line {line}, {place}");
        }
    }
    assert_eq!(world.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journal_with_other_damage_is_restored_from_its_backups() {
    let world = AppliedRun::after_a_run().await;
    let lines = lines(&world.journal);
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    for (what, journal, code) in [
        ("empty", String::new(), 3),
        ("header gone", lines[1..].concat(), 3),
        ("every second line gone", lines.iter().step_by(2).copied().collect(), 3),
        ("two lines gone", [&lines[..1], &lines[3..]].concat().concat(), 3),
        (
            "a block of zeros",
            [&lines[..2], &["\0".repeat(4096).as_str()], &lines[4..]].concat().concat(),
            3,
        ),
        ("two lines changed places", swapped.concat(), 0),
        ("a line twice", [&lines[..2], &lines[1..]].concat().concat(), 0),
        ("a foreign line", [&lines[..2], &["hello\n"], &lines[2..]].concat().concat(), 0),
    ] {
        world.with_journal(journal.as_bytes());
        let restored = world.restore();
        assert_eq!(restored.code, code, "{what}: {restored:?}");
        assert_eq!(world.cards(), cards(&world.before), "{what}: {restored:?}");
        assert!(restored.stderr.contains("journal.jsonl is damaged"), "{what}: {restored:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journal_without_its_end_is_recovered_by_reading_and_restored() {
    let world = AppliedRun::after_a_run().await;
    let lines = lines(&world.journal);
    let intents = lines.iter().rposition(|line| line.contains("intent")).unwrap();
    let cut = |until: usize| lines[..until].concat();
    let torn = cut(intents + 1).len() - 40;
    for (what, journal, trail) in [
        ("the head alone", cut(1), world.trail.clone()),
        ("in an intent", world.journal[..torn].to_owned(), world.trail.clone()),
        // Of a run that was killed, no trail tells the end.
        (
            "the head alone, killed",
            cut(1),
            world.trail.split_inclusive('\n').next().unwrap().to_owned(),
        ),
        (
            "in an intent, killed",
            world.journal[..torn].to_owned(),
            world.trail.split_inclusive('\n').next().unwrap().to_owned(),
        ),
    ] {
        world.with(journal.as_bytes(), trail.as_bytes());
        std::fs::remove_file(world.journal_path().with_file_name("report.json"))
            .unwrap_or_default();
        let refused = world.restore();
        assert_eq!(refused.code, 4, "{what}: {refused:?}");
        let resumed = world.resume();
        assert!(!resumed.stdout.contains("not attempted"), "{what}: {resumed:?}");
        let restored = world.restore();
        assert_eq!(world.cards(), cards(&world.before), "{what}: {resumed:?} {restored:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_with_a_damaged_byte_blocks_no_restore() {
    let world = AppliedRun::after_a_run().await;
    for line in 0..lines(&world.trail).len() {
        for place in 0..4 {
            world.with(world.journal.as_bytes(), &damaged(&world.trail, line, place));
            let restored = world.restore();
            assert_eq!(restored.code, 0, "line {line}, {place}: {restored:?}");
            assert!(
                restored.stderr.contains("audit.jsonl is damaged"),
                "line {line}, {place}: {restored:?}"
            );
            assert_eq!(world.cards(), cards(&world.before), "line {line}, {place}");
            assert_eq!(world.env.run(&["audit", "verify"]).code, 1, "line {line}, {place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recover_of_a_damaged_journal_never_reports_lost_cards_as_not_attempted() {
    let world = AppliedRun::after_a_run().await;
    // The run died with all requests sent and nothing settled: what is left are the header and the
    // intents.
    let kept: String = lines(&world.journal)
        .into_iter()
        .filter(|line| line.contains("opened") || line.contains("intent"))
        .collect();
    let trail = lines(&world.trail)[0];
    let count = lines(&kept).len();
    assert!(count > 1, "{kept}");
    for line in 0..count {
        for place in 0..4 {
            world.with(&damaged(&kept, line, place), trail.as_bytes());
            // One person's card is there again, as if its reset had never come.
            save(world.env.emulator(), row(12, "lead_details", "Only mine"));
            let refused = world.env.run(&APPLY);
            assert_eq!(refused.code, 4, "line {line}, {place}: {refused:?}");
            let resumed = world.resume();
            assert_eq!(resumed.code, 3, "line {line}, {place}: {resumed:?}");
            assert!(
                resumed.stderr.contains("journal.jsonl is damaged"),
                "line {line}, {place}: {resumed:?}"
            );
            let shown = |user: &str| {
                resumed.stdout.lines().find(|line| line.contains(user)).map(ToOwned::to_owned)
            };
            let gone = shown("personal/8/lead/simple")
                .unwrap_or_else(|| panic!("line {line}, {place}: {resumed:?}"));
            assert!(!gone.contains("not attempted"), "line {line}, {place}: {gone}");
            if line > 0 {
                // Its intent stood in the line, or in another.
                let there = shown("personal/12/lead/simple").unwrap();
                let lost = !String::from_utf8_lossy(&damaged(&kept, line, place)).lines().any(
                    |kept_line| {
                        lines(&kept).iter().any(|one| one.trim_end() == kept_line)
                            && kept_line.contains("personal/12/lead/simple\",\"digest")
                    },
                );
                assert!(!lost || !there.contains("not attempted"), "line {line}, {place}: {there}");
            }
            // It is closed, nothing else is in the way, and the way back is open.
            assert_eq!(world.env.run(&["audit", "verify"]).code, 1);
            let restored = world.restore();
            assert_eq!(restored.code, 3, "line {line}, {place}: {restored:?}");
            assert_eq!(world.cards(), cards(&world.before), "line {line}, {place}: {restored:?}");
            let next = world.env.run(&APPLY);
            assert_eq!(next.code, 0, "line {line}, {place}: {next:?}");
        }
    }
    assert_eq!(world.env.emulator().complaints(), []);
}
