//! Journals that are lost or cannot be read: they cost their own run alone, and the fence in front
//! of a run stays.

use std::path::PathBuf;

use recard::store::write_whole;

use crate::support::company::{resets_sent, row, save};
use crate::support::env::{CommandOutput, TestEnv};

/// A portal on which two runs have each reset the card of one person.
struct TwoRuns {
    env: TestEnv,
    older: String,
    newest: String,
}

impl TwoRuns {
    async fn applied() -> Self {
        let env = TestEnv::with_manifest("{ ids: [12] }").await;
        for user in [12, 14] {
            save(env.emulator(), row(user, "lead_details", "Mine"));
            env.write_manifest(&format!("{{ ids: [{user}] }}"), "");
            let applied = env.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
            assert_eq!(applied.code, 0, "{applied:?}");
        }
        let mut names = env.store().run_ids().await.unwrap().into_iter().map(|run| run.to_string());
        let (older, newest) = (names.next().unwrap(), names.next().unwrap());
        Self { env, older, newest }
    }

    fn file(&self, run: &str, name: &str) -> PathBuf {
        self.env.store_folder().join("runs").join(run).join(name)
    }

    /// Puts a folder in the place of a journal: nothing can read it as a file.
    fn make_unreadable(&self, run: &str) {
        std::fs::remove_file(self.file(run, "journal.jsonl")).unwrap();
        std::fs::create_dir(self.file(run, "journal.jsonl")).unwrap();
    }

    /// Removes every record that the newest run ended, as a power cut before its end leaves it.
    fn forget_the_end(&self) {
        std::fs::remove_file(self.file(&self.newest, "report.json")).unwrap();
        let trail = self.env.store_folder().join("audit.jsonl");
        let text = std::fs::read_to_string(&trail).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.last().unwrap().contains(&self.newest), "{text}");
        let cut: String = lines[..lines.len() - 1].iter().map(|line| format!("{line}\n")).collect();
        write_whole(&trail, cut.as_bytes()).unwrap();
    }

    fn run(&self, line: &str) -> CommandOutput {
        self.env.run(&line.split(' ').collect::<Vec<_>>())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journal_that_cannot_be_read_costs_its_own_run_alone() {
    let world = TwoRuns::applied().await;
    world.make_unreadable(&world.older);
    let sent = resets_sent(world.env.emulator());
    let (older, newest) = (&world.older, &world.newest);
    for (line, code, said) in [
        (format!("restore {newest} --all --plan"), 0, "Plan: 1 to put back"),
        ("recover".to_owned(), 0, "No run is unfinished."),
        ("apply -f lead.yaml --auto-approve".to_owned(), 0, "No changes."),
        ("history".to_owned(), 0, older.as_str()),
        (format!("show {older}"), 0, "personal/12/lead/simple"),
        ("doctor".to_owned(), 0, "none is unfinished"),
    ] {
        let ended = world.run(&line);
        assert!(ended.code == code && ended.stdout.contains(said), "{line}: {ended:?}");
        // The doctor breaks its lines.
        let told: String = (ended.stderr + &ended.stdout).split_whitespace().collect();
        let file = format!("{older}/journal.jsonl:itisnotaregularfile");
        assert!(told.contains(&file), "{line}: {told}");
    }
    assert_eq!(resets_sent(world.env.emulator()), sent);

    // Its own way back goes by its report, its plan and its backups.
    let restored = world.run(&format!("restore {older} --all --auto-approve"));
    assert_eq!(restored.code, 3, "lines may be missing: {restored:?}");
    assert!(restored.stdout.contains("Done: 1 of 1 card"), "{restored:?}");
    assert!(
        restored.stderr.contains("journal.jsonl is damaged: it cannot be read"),
        "{restored:?}"
    );

    // It is not the newest run, so it blocks nothing even if no other record tells its end.
    std::fs::remove_file(world.file(older, "report.json")).unwrap();
    let applied = world.run("apply -f lead.yaml --auto-approve");
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!(world.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newest_journal_that_cannot_be_read_stops_writes_unless_its_run_surely_ended() {
    let world = TwoRuns::applied().await;
    world.make_unreadable(&world.newest);
    let applied = world.run("apply -f lead.yaml --auto-approve");
    assert!(applied.code == 0 && applied.stderr.contains("the run ended"), "{applied:?}");
    let last = world.run("restore last --all --plan");
    assert!(last.stdout.contains("personal/14/lead/simple"), "{last:?}");

    world.forget_the_end();
    let before = world.env.emulator().state();
    let solved = format!("`recard recover {}`", world.newest);
    for (line, code) in [
        ("apply -f lead.yaml --auto-approve", 4),
        ("restore last --all --auto-approve", 4),
        ("recover", 1),
        (&format!("recover {} --settle-time 0s", world.newest), 1),
    ] {
        let refused = world.run(line);
        assert_eq!(refused.code, code, "{line}: {refused:?}");
        assert!(
            refused.stderr.contains("it is not a regular file")
                && refused.stderr.contains(&solved)
                && !refused.stderr.contains("a store it can write to"),
            "{line}: {refused:?}"
        );
    }
    assert_eq!(world.env.emulator().state(), before);

    // The command that the message names helps, once an empty file is in its place.
    let journal = world.file(&world.newest, "journal.jsonl");
    std::fs::rename(&journal, world.env.at("kept-journal")).unwrap();
    let name = journal.strip_prefix(world.env.path()).unwrap().to_str().unwrap();
    world.env.file(name, "");
    let refused = world.run("apply -f lead.yaml --auto-approve");
    assert!(refused.code == 4 && refused.stderr.contains("was cut before its end"), "{refused:?}");
    let recovered = world.run(&format!("recover {} --settle-time 0s", world.newest));
    assert_eq!(recovered.code, 3, "{recovered:?}");
    assert!(recovered.stdout.contains("done   personal/14/lead/simple"), "{recovered:?}");
    let applied = world.run("apply -f lead.yaml --auto-approve");
    assert_eq!(applied.code, 0, "{applied:?}");
    let restored = world.run("restore last --all --auto-approve");
    assert!(restored.stdout.contains("done   personal/14/lead/simple"), "{restored:?}");
    assert_eq!(world.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_without_a_journal_is_still_a_run() {
    let world = TwoRuns::applied().await;
    let newest = &world.newest;
    std::fs::remove_file(world.file(newest, "journal.jsonl")).unwrap();
    let listed = world.run("history");
    assert!(listed.code == 0 && listed.stdout.starts_with(newest), "{listed:?}");
    assert!(listed.stderr.contains("journal.jsonl is damaged: it is missing"), "{listed:?}");
    let json: serde_json::Value =
        serde_json::from_str(&world.run("history --json").stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    let shown = world.run("show last");
    assert!(shown.code == 0 && shown.stdout.contains("personal/14/lead/simple"), "{shown:?}");
    let verified = world.run("audit verify");
    assert!(verified.code == 1 && verified.stderr.contains("it is missing"), "{verified:?}");
    // Its report tells that it ended.
    let applied = world.run("apply -f lead.yaml --auto-approve");
    assert_eq!(applied.code, 0, "{applied:?}");

    // Its head is taken from the report, and then from the plan.
    let before = world.env.emulator().state();
    for lost in ["", "report.json"] {
        if !lost.is_empty() {
            std::fs::remove_file(world.file(newest, lost)).unwrap();
        }
        let restored = world.run("restore last --all --auto-approve");
        assert_eq!(restored.code, 3, "{lost}: {restored:?}");
        assert!(restored.stdout.contains(&format!("of the run {newest}")), "{lost}: {restored:?}");
        assert!(restored.stdout.contains("done   personal/14/lead/simple"), "{lost}: {restored:?}");
        world.env.emulator().set_state(&before).unwrap();
    }
    // The audit log names no card: the loss is told, and no older run is taken instead.
    std::fs::remove_file(world.file(newest, "plan.json")).unwrap();
    let restored = world.run("restore last --all --auto-approve");
    assert!(
        restored.code == 3 && restored.stdout.contains(&format!("of the run {newest}")),
        "{restored:?}"
    );
    assert!(restored.stderr.contains("1 backup belongs to no card"), "{restored:?}");
    assert_eq!(world.env.emulator().complaints(), []);
}
