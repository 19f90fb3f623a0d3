//! Damaged or endless files of the store: the message names the file, and everything else goes on.

use std::path::PathBuf;

use recard::ports::{Archive as _, JournalRecord};
use recard::store::write_whole;

use crate::support::company::{resets_sent, row, save};
use crate::support::env::{QUICKSTART, TestEnv};
use crate::support::wait::Wait as _;

const APPLY: [&str; 4] = ["apply", "-f", "lead.yaml", "--auto-approve"];

/// A portal on which a run has reset the cards of a few people, and the folder that knows of it.
struct AppliedRun {
    env: TestEnv,
    before: serde_json::Value,
}

impl AppliedRun {
    async fn after_a_run() -> Self {
        let env = TestEnv::with_manifest("{ departments: [{ id: 41, recursive: true }] }").await;
        let emulator = env.emulator();
        // One card looks like nobody else's, and so has a backup of its own.
        save(emulator, row(12, "lead_details", "Only mine"));
        let before = emulator.state();
        let applied = env.run(&APPLY);
        assert_eq!(applied.code, 0, "{applied:?}");
        Self { env, before }
    }

    fn journal(&self) -> PathBuf {
        let run = self.env.store().run_ids().wait().unwrap().pop().unwrap();
        self.env.store_folder().join("runs").join(run.as_str()).join("journal.jsonl")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_that_is_damaged_blocks_the_restore_of_its_card_only() {
    let world = AppliedRun::after_a_run().await;
    let store = world.env.store();
    let run = store.run_ids().await.unwrap().pop().unwrap();
    let mut removed = Vec::new();
    for record in store.journal(&run).await.unwrap() {
        if let JournalRecord::Intent { targets } = record {
            removed.extend(targets);
        }
    }
    // One whose backup is nobody else's.
    let (key, digest) = removed
        .iter()
        .find(|(_, digest)| removed.iter().filter(|(_, other)| other == digest).count() == 1)
        .copied()
        .unwrap();
    let path = world.journal().with_file_name("backups.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let wanted = digest.unwrap().to_string();
    let half = |line: &str| {
        if line.contains(&wanted) { line[..line.len() / 2].to_owned() } else { line.to_owned() }
    };
    let lines: String = whole.lines().map(|line| half(line) + "\n").collect();
    assert!(lines.len() < whole.len());
    write_whole(&path, lines.as_bytes()).unwrap();

    let restored = world.env.run(&["restore", "last", "--all", "--auto-approve"]);
    assert_eq!(restored.code, 3, "{restored:?}");
    let line = restored.stdout.lines().find(|line| line.contains(&key.to_string())).unwrap();
    assert!(line.starts_with("hold") && line.contains("its backup cannot be used"), "{line}");
    assert!(line.contains("backups.jsonl is damaged"), "the file is named: {line}");
    let sums = "0 skipped, 0 failed, 0 unknown, 1 held.";
    let done = format!("Done: {} of {} cards; {sums}", removed.len() - 1, removed.len());
    assert!(restored.stdout.contains(&done), "{done}: {restored:?}");

    // With the backup back in its place, so is the card.
    write_whole(&path, whole.as_bytes()).unwrap();
    let first = run.as_str();
    let rest = world.env.run(&["restore", first, "--all", "--auto-approve"]);
    assert!(rest.code == 0 && rest.stdout.contains("Done: 1 of 1 card"), "{rest:?}");
    let rows = |state: &serde_json::Value| {
        let mut rows: Vec<String> =
            state["options"].as_array().unwrap().iter().map(ToString::to_string).collect();
        rows.sort();
        rows
    };
    assert_eq!(rows(&world.env.emulator().state()).len(), rows(&world.before).len());
    assert_eq!(world.env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_that_is_missing_is_found_by_verify() {
    let world = AppliedRun::after_a_run().await;
    let restored = world.env.run(&["restore", "last", "--user", "12", "--auto-approve"]);
    assert_eq!(restored.code, 0, "{restored:?}");
    let verify = || world.env.run(&["audit", "verify"]);
    let found = verify();
    assert!(
        found.code == 0 && found.stdout.contains("the backups of 11 cards are whole"),
        "{found:?}"
    );
    let run = world.env.store().run_ids().await.unwrap().remove(0);
    let path = world.env.store_folder().join("runs").join(run.as_str()).join("backups.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    // Gone, cut off in the middle, or without its first layout.
    for damaged in ["", &whole[..whole.len() / 2], whole.split_once('\n').unwrap().1] {
        write_whole(&path, damaged.as_bytes()).unwrap();
        let found = verify();
        assert!(found.code == 1 && found.stderr.contains("cannot be put back: "), "{found:?}");
    }
    std::fs::remove_file(&path).unwrap();
    let found = verify();
    assert!(found.code == 1 && found.stderr.contains("11 cards of the run"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_log_without_its_last_line_is_an_error_unless_the_run_was_cut() {
    let world = AppliedRun::after_a_run().await;
    let verify = || world.env.run(&["audit", "verify"]);
    assert_eq!(verify().code, 0);
    let trail = world.env.store_folder().join("audit.jsonl");
    let whole = std::fs::read_to_string(&trail).unwrap();
    let without_the_last = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        lines[..lines.len() - 1].iter().map(|line| format!("{line}\n")).collect::<String>()
    };
    // The journal is closed, and a run tells the trail of its end before it closes its journal.
    let torn = &whole[..whole.len() - 30];
    for cut in [without_the_last(&whole), torn.to_owned()] {
        write_whole(&trail, cut.as_bytes()).unwrap();
        let found = verify();
        assert_eq!(found.code, 1, "{found:?}");
        assert!(found.stderr.contains("its end was cut off"), "{found:?}");
    }
    write_whole(&trail, whole.as_bytes()).unwrap();
    assert_eq!(verify().code, 0);

    // What a process leaves that is cut between the two: the trail tells the end, the journal has
    // all but its last line.
    let journal = world.journal();
    let closed = std::fs::read_to_string(&journal).unwrap();
    write_whole(&journal, without_the_last(&closed).as_bytes()).unwrap();
    let found = verify();
    assert!(found.code == 0 && found.stderr.contains("`recard recover` closes it"), "{found:?}");
    let resumed = world.env.run(&["recover"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    let found = verify();
    assert!(found.code == 0 && found.stderr.is_empty(), "{found:?}");

    // With an outcome more missing, no crash explains it.
    write_whole(&journal, without_the_last(&without_the_last(&closed)).as_bytes()).unwrap();
    let found = verify();
    assert!(found.code == 1 && found.stderr.contains("lost its end"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limiter_file_that_is_damaged_is_replaced() {
    let world = AppliedRun::after_a_run().await;
    let level = world.env.store_folder().join("limiter.json");
    let drift: &[&str] = &["drift", "-f", "lead.yaml"];
    let restore: &[&str] = &["restore", "last", "--all", "--auto-approve"];
    let commands = [drift, &["plan", "-f", "lead.yaml"], restore, &APPLY, &["inventory"]];
    for (arguments, damage) in
        commands.into_iter().zip(["", "{", "[]", "{\"format\":\"recard.level/v9\"}", "\u{0}"])
    {
        write_whole(&level, damage.as_bytes()).unwrap();
        let mut command = world.env.command(arguments);
        // A portal with a counter that is quickly empty: taken for full, it is waited for.
        command.env("RECARD_RATE", "100,50");
        let ended = crate::support::env::CommandOutput::of(command.output().unwrap());
        assert_eq!(ended.code, 0, "{arguments:?}: {ended:?}");
        let told =
            ended.stderr.lines().filter(|line| line.contains("limiter.json")).collect::<Vec<_>>();
        assert!(
            told.len() == 1 && told[0].contains("is taken for full"),
            "{arguments:?}: {ended:?}"
        );
        assert!(world.env.store().limiter_state().await.unwrap().is_some(), "it is written anew");
    }
    assert_eq!(world.env.emulator().complaints(), []);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_input_is_refused() {
    let world = AppliedRun::after_a_run().await;
    let sent = resets_sent(world.env.emulator());
    let zero = "/dev/zero";
    let ledger = ["plan", "-f", "lead.yaml", "--ledger", zero];
    for (arguments, code, told) in [
        (
            &["validate", "-f", zero][..],
            1,
            "cannot read the manifest /dev/zero: it holds more than 8 MiB",
        ),
        (&["plan", "-f", zero], 1, "cannot read the manifest /dev/zero: it holds more than 8 MiB"),
        (
            &["apply", "/dev/zero"],
            1,
            "cannot read the plan file /dev/zero: it holds more than 256 MiB",
        ),
        (&["--webhook-url-file", zero, "doctor"], 1, "cannot read the webhook from /dev/zero: "),
        (&ledger, 1, "it is not a regular file"),
    ] {
        let mut command = world.env.command(arguments);
        if arguments.contains(&"--webhook-url-file") {
            command.env_remove("RECARD_WEBHOOK_URL");
        }
        let ended = crate::support::env::CommandOutput::of(command.output().unwrap());
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {ended:?}");
    }

    // In a folder of manifests a pipe is a mistake, and is told at once.
    std::fs::create_dir(world.env.at("manifests")).unwrap();
    let pipe = world.env.at("manifests/pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let ended = world.env.run(&["validate", "-f", "manifests"]);
    assert!(
        ended.code == 1 && ended.stderr.contains("pipe.yaml: it is not a regular file"),
        "{ended:?}"
    );

    // Named itself it is read, if somebody writes into it.
    let text = std::fs::read(world.env.at("lead.yaml")).unwrap();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || {
            std::io::Write::write_all(
                &mut std::fs::File::options().write(true).open(pipe).unwrap(),
                &text,
            )
        }
    });
    let ended = world.env.run(&["validate", "-f", "manifests/pipe.yaml"]);
    writer.join().unwrap().unwrap();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(resets_sent(world.env.emulator()), sent);
}

/// All files under a folder.
#[cfg(unix)]
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Runs a command that must come to its end by itself, soon.
#[cfg(unix)]
fn soon(env: &TestEnv, arguments: &[&str]) -> crate::support::env::CommandOutput {
    let mut command = env.command(arguments);
    // A limiter state that cannot be read is taken for full, and would be waited for.
    command.env("RECARD_RATE", "unlimited");
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed().as_secs() > 30 {
            child.kill().unwrap();
            panic!(
                "{arguments:?} does not end: {:?}",
                crate::support::env::CommandOutput::of(child.wait_with_output().unwrap())
            );
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    crate::support::env::CommandOutput::of(child.wait_with_output().unwrap())
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_file_replaced_by_a_pipe_or_device_is_refused_at_once() {
    let world = AppliedRun::after_a_run().await;
    let sent = resets_sent(world.env.emulator());
    let plan = ["plan", "-f", "lead.yaml", "--out", "lead.recard-plan.json"];
    assert_eq!(world.env.run(&plan).code, 0);
    let found = files(&world.env.store_folder());
    assert!(found.len() >= 8, "{found:?}");
    let commands: [&[&str]; 9] = [
        &["history"],
        &["show", "last"],
        &["audit", "verify"],
        &["doctor"],
        &["unlock", "--auto-approve"],
        &["plan", "-f", "lead.yaml"],
        &APPLY,
        &["apply", "lead.recard-plan.json"],
        &["restore", "last", "--user", "1", "--auto-approve"],
    ];
    for path in found {
        let aside = path.with_extension("aside");
        for kind in ["pipe", "device"] {
            std::fs::rename(&path, &aside).unwrap();
            match kind {
                "pipe" => assert!(
                    std::process::Command::new("mkfifo").arg(&path).status().unwrap().success()
                ),
                _ => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
            }
            for arguments in commands {
                let ended = soon(&world.env, arguments);
                assert_ne!(ended.code, 101, "{path:?}, {kind}, {arguments:?}: {ended:?}");
                let name = path.file_name().unwrap().to_str().unwrap();
                // The run of the journal has ended, and costs the next one a warning.
                let code = match name {
                    "lock" => 1,
                    "journal.jsonl" => 0,
                    _ => continue,
                };
                if arguments[0] == "apply" {
                    assert!(
                        ended.code == code && ended.stderr.contains("it is not a regular file"),
                        "{path:?}, {kind}: {ended:?}"
                    );
                }
            }
            let _ = std::fs::remove_file(&path);
            std::fs::rename(&aside, &path).unwrap();
        }
    }
    assert_eq!(resets_sent(world.env.emulator()), sent);
    assert_eq!(world.env.run(&["audit", "verify"]).code, 0);
}

#[cfg(unix)]
#[test]
fn manifest_folder_behind_several_links_is_read_once() {
    let env = TestEnv::new();
    env.file("manifests/deep/lead.yaml", QUICKSTART);
    for (link, to) in
        [("a", "."), ("b", "."), ("c", "deep"), ("deep/up", ".."), ("deep/self", "../deep")]
    {
        std::os::unix::fs::symlink(to, env.at("manifests").join(link)).unwrap();
    }
    let ended = soon(&env, &["validate", "-f", "manifests"]);
    assert!(ended.code == 0 && ended.stdout.starts_with("1 manifest "), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifest_over_the_size_limit_is_refused_from_file_and_stdin() {
    let env = TestEnv::new();
    let large = format!("# {}\n", "x".repeat(9 << 20));
    env.file("large.yaml", &large);
    let mut command = env.command(&["validate", "-f", "-"]);
    command.stdin(std::fs::File::open(env.at("large.yaml")).unwrap());
    let ended = crate::support::env::CommandOutput::of(command.output().unwrap());
    assert!(
        ended.code == 1 && ended.stderr.contains("from stdin: it holds more than 8 MiB"),
        "{ended:?}"
    );
}
