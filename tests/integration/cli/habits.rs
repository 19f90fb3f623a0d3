//! Habits that people bring from other programs: each works, or the message says what to write.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};
use crate::support::wait::Wait as _;

/// Expected end of a command line.
enum End {
    /// Exit code 0, and this text on stdout.
    Works(&'static str),
    /// A usage error with this help.
    Hint(&'static str),
    /// An error with this exit code and help.
    Error(i32, &'static str),
}

#[test]
fn habit_of_another_program_works_or_is_answered_with_a_hint() {
    use End::{Error, Hint, Works};
    let env = TestEnv::quickstart();
    env.file("manifests/lead.yaml", QUICKSTART);
    assert_eq!(env.run_embedded("apply lead.yaml --yes").code, 0);
    assert_eq!(env.run_embedded("restore last --all --yes").code, 0);
    for (line, end) in [
        ("plan", Works("Plan: 9 to reset")),
        ("plan manifests", Works("Plan: 9 to reset")),
        ("plan manifests/", Works("Plan: 9 to reset")),
        ("plan -f manifests", Works("Plan: 9 to reset")),
        ("plan lead.yaml", Works("Plan: 9 to reset")),
        ("drift lead.yaml --json", Error(2, "")),
        ("validate", Works("1 manifest")),
        ("validate lead.yaml", Works("1 manifest")),
        ("plan -out=p.json lead.yaml", Hint("write it with two dashes: --out=p.json")),
        ("plan lead.yaml -out p.json", Hint("write it with two dashes: --out")),
        ("plan lead.yaml -target personal/12/lead/simple", Hint("two dashes: --target")),
        ("plan lead.yaml --target personal/12/lead/simple", Works("Plan: 1 to reset")),
        ("plan -file lead.yaml", Hint("two dashes: --file")),
        ("plan lead.yaml -detailed-exitcode", Hint("two dashes: --detailed-exitcode")),
        ("apply lead.yaml -auto-approve", Hint("write it with two dashes: --auto-approve")),
        ("apply lead.yaml -yes", Hint("write it with two dashes: --yes")),
        ("plan lead.yaml -refresh=false", Hint("leave it out: recard keeps no state")),
        ("plan lead.yaml --refresh=false", Hint("leave it out: recard keeps no state")),
        ("apply lead.yaml -input=false", Hint("without a terminal recard never asks")),
        ("apply lead.yaml --dry-run", Hint("`recard plan` is the dry run")),
        ("plan lead.yaml -o p.json", Hint("--output json=p.json")),
        ("plan lead.yaml -o comment.md", Hint("--output markdown=comment.md")),
        ("plan lead.yaml --json", Works("\"recard.plan/v1\"")),
        ("history --json", Works("\"recard.report/v1\"")),
        ("history -n 5", Works("restore of")),
        ("history --limit 5", Works("restore of")),
        ("history --since 1h", Works("restore of")),
        ("version", Works("recard 0.1.0\n")),
        ("diff", Hint("recard says it so: recard plan")),
        ("diff lead.yaml", Hint("recard says it so: recard plan")),
        ("refresh", Hint("recard says it so: recard plan")),
        ("undo", Hint("recard says it so: recard restore last --all")),
        ("rollback", Hint("recard says it so: recard restore last --all")),
        ("help-exit-codes", Hint("recard says it so: recard help exit-codes")),
        ("help exit-codes", Works("  3  partial")),
        ("help options", Works("--lock-timeout <TIME>")),
        ("help plan", Works("--detailed-exitcode")),
        ("help audit verify", Works("Verify the chain")),
        ("help fly", Hint("`recard help` lists the commands")),
        ("plan manifests/*.yaml", Error(1, "leave out the quotes, or name the folder: manifests")),
        ("apply lead.yaml --yes", Works("Done: 9 of 9 cards")),
    ] {
        // Words pass no shell here, so a pattern arrives as if it stood in quotes.
        let ended = env.run_embedded(line);
        match end {
            Works(told) => {
                assert_eq!(ended.code, 0, "{line}: {ended:?}");
                assert!(ended.stdout.contains(told), "{line}: {ended:?}");
            }
            Hint(told) => {
                assert_eq!(ended.code, 64, "{line}: {ended:?}");
                assert!(
                    ended.stderr.contains(told) && ended.stdout.is_empty(),
                    "{line}: {ended:?}"
                );
            }
            Error(code, told) => {
                assert_eq!(ended.code, code, "{line}: {ended:?}");
                assert!(ended.stderr.contains(told), "{line}: {ended:?}");
            }
        }
    }
    assert!(!env.at("p.json").exists());
}

#[test]
fn manifest_that_is_not_named_is_looked_for_in_the_default_folder() {
    let env = TestEnv::new();
    for line in ["plan", "apply --yes", "validate", "drift"] {
        let ended = env.run_embedded(line);
        assert_eq!(ended.code, 1, "{line}: {ended:?}");
        assert!(
            ended.stderr.contains("no manifest is named, and there is no folder manifests"),
            "{line}: {ended:?}"
        );
        assert!(ended.stderr.contains("`recard init` writes a first manifest"), "{ended:?}");
    }
    env.file("manifests/a.yaml", QUICKSTART);
    env.file("b.yaml", &QUICKSTART.replace("sales-back", "b").replace("41", "43"));
    assert!(env.run_embedded("validate").stdout.contains("1 manifest"));
    // A named file takes the place of the folder, and all named files count.
    assert!(env.run_embedded("validate b.yaml").stdout.contains("1 manifest"));
    assert!(env.run_embedded("validate b.yaml -f manifests").stdout.contains("2 manifests"));
    // The output would replace a manifest of the default folder.
    let refused = env.run_embedded("plan --out manifests/a.yaml");
    assert!(refused.code == 64 && refused.stderr.contains("over a manifest"), "{refused:?}");
}

#[test]
fn apply_tells_a_plan_file_from_a_manifest_by_its_content() {
    let env = TestEnv::quickstart();
    assert_eq!(env.run_embedded("plan lead.yaml --out plan.json").code, 0);
    std::fs::rename(env.at("plan.json"), env.at("saved")).unwrap();
    std::fs::rename(env.at("lead.yaml"), env.at("lead")).unwrap();
    let both = env.run_embedded("apply saved -f lead");
    assert!(both.code == 0 && both.stdout.contains("Done: 9 of 9"), "{both:?}");
    // A plan file is used once, so this is no apply of the manifest beside it.
    let again = env.run_embedded("apply saved");
    assert_eq!(again.code, 5, "{again:?}");
    assert_eq!(env.run_embedded("restore last --all --yes").code, 0);
    // Without --yes manifests are not applied here, without a terminal to ask on.
    let asked = env.run_embedded("apply lead");
    assert!(
        asked.code == 4 && asked.stderr.contains("there is no terminal to ask on"),
        "{asked:?}"
    );
    let applied = env.run_embedded("apply lead --yes");
    assert!(applied.code == 0 && applied.stdout.contains("Done: 9 of 9"), "{applied:?}");
    // Where only manifests belong, a plan file is named as such.
    std::fs::rename(env.at("saved"), env.at("plan.json")).unwrap();
    let planned = env.run_embedded("plan plan.json");
    assert_eq!(planned.code, 1, "{planned:?}");
    assert!(planned.stderr.contains("plan.json is a plan file, not a manifest"), "{planned:?}");
    let two = env.run_embedded("apply plan.json lead");
    assert!(two.code == 64 && two.stderr.contains("a plan file is applied alone"), "{two:?}");
}

#[test]
fn file_of_another_tool_in_a_folder_is_left_out_with_a_note() {
    let env = TestEnv::new();
    env.file("all/lead.yaml", QUICKSTART);
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\n";
    env.file("all/deployment.yaml", deployment);
    env.file("all/two.yaml", &format!("{deployment}---\napiVersion: v1\nkind: Service\n"));
    let checked = env.run(&["validate", "all"]);
    assert!(checked.code == 0 && checked.stdout.contains("1 manifest"), "{checked:?}");
    for note in [
        "left out all/deployment.yaml: it is a Deployment (apps/v1), which is not of recard",
        "left out all/two.yaml: it is a Deployment (apps/v1)",
    ] {
        assert!(checked.stderr.contains(note), "{checked:?}");
    }
    // A file that is named is meant.
    let named = env.run(&["validate", "all/deployment.yaml"]);
    assert!(named.code == 1 && named.stderr.contains("RC0205"), "{named:?}");
    // A misspelled manifest, or one beside a document of another tool, is never left out.
    for wrong in [
        QUICKSTART.replace("recard/v1", "recrd/v1"),
        QUICKSTART.replace("LeadCardReset", "LeadCardsReset"),
        QUICKSTART.replace("apiVersion: recard/v1\n", ""),
        format!("{QUICKSTART}---\n{deployment}"),
    ] {
        env.file("all/wrong.yaml", &wrong);
        let refused = env.run(&["validate", "all"]);
        assert!(refused.code == 1 && refused.stderr.contains("all/wrong.yaml:"), "{refused:?}");
    }
    env.file("others/deployment.yaml", deployment);
    let none = env.run(&["validate", "others"]);
    assert!(none.code == 1 && none.stderr.contains("no file of these folders"), "{none:?}");
}

#[test]
fn note_after_a_plan_says_how_to_save_it_if_there_are_changes() {
    let env = TestEnv::quickstart();
    let note = "To apply exactly this plan";
    assert!(env.run_embedded("plan lead.yaml").stderr.contains(note));
    for line in ["plan lead.yaml --out p.json", "plan lead.yaml --json", "plan lead.yaml --quiet"] {
        assert!(!env.run_embedded(line).stderr.contains(note), "{line}");
    }
    assert_eq!(env.run_embedded("apply lead.yaml --yes").code, 0);
    assert!(!env.run_embedded("plan lead.yaml").stderr.contains(note));
}

#[test]
fn history_is_limited_by_number_and_time_newest_first_in_every_format() {
    let env = TestEnv::quickstart();
    for _ in 0..2 {
        assert_eq!(env.run_embedded("apply lead.yaml --yes").code, 0);
        assert_eq!(env.run_embedded("restore last --all --yes").code, 0);
    }
    let runs = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let mut found: Vec<String> = words
            .filter(|word| crate::support::env::is_run(word.as_bytes()))
            .map(str::to_owned)
            .collect();
        // A restore names its run behind its own.
        found.dedup();
        found
    };
    let store = recard::store::Store::open(&env.at(".recard").into(), &"embedded".parse().unwrap());
    let all: Vec<String> =
        store.unwrap().run_ids().wait().unwrap().iter().rev().map(ToString::to_string).collect();
    assert_eq!(all.len(), 4);
    for format in ["text", "json", "markdown", "csv"] {
        let whole = env.run_embedded(&format!("history -o {format}"));
        let two = env.run_embedded(&format!("history -n 2 -o {format}"));
        let first_of = |text: &str, run: &String| text.find(run.as_str()).unwrap();
        let places: Vec<usize> = all.iter().map(|run| first_of(&whole.stdout, run)).collect();
        // The newest restore names the apply before it, so only its own place counts.
        assert_eq!(places[0], *places.iter().min().unwrap(), "{format}: {whole:?}");
        assert!(runs(&two.stdout).contains(&all[0]), "{format}: {two:?}");
        assert!(!two.stdout.contains(&all[3]), "{format}: {two:?}");
    }
    let none = env.run_embedded("history --since 2099-01-01");
    assert!(none.code == 0 && none.stdout.contains("no run"), "{none:?}");
    assert_eq!(
        env.run_embedded("history --since 2020-01-01 --json").stdout,
        env.run_embedded("history --json").stdout
    );
    for wrong in ["history -n 0", "history --limit all", "history --since yesterday"] {
        assert_eq!(env.run_embedded(wrong).code, 64, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_file_for_reading_is_taken_by_commands_that_read_and_by_no_other() {
    let env = TestEnv::with_manifest("{ ids: [7] }").await;
    let webhook = env.webhook().to_owned();
    env.file("reading", &webhook);
    let env = env.without_webhook();
    let run = |line: &str, more: &[(&str, &str)]| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = env.command(&words);
        command.env("RECARD_READ_WEBHOOK_URL_FILE", "reading").envs(more.iter().copied());
        CommandOutput::of(command.output().unwrap())
    };
    for line in ["plan lead.yaml", "drift lead.yaml --json", "history", "doctor --read"] {
        assert!(matches!(run(line, &[]).code, 0 | 2), "{line}: {:?}", run(line, &[]));
    }
    let writes = run("apply lead.yaml --yes", &[]);
    assert_eq!(writes.code, 1, "{writes:?}");
    assert!(
        writes.stderr.contains("RECARD_READ_WEBHOOK_URL_FILE is for commands that only read"),
        "{writes:?}"
    );
    // The text itself precedes its file, and both precede the webhook that may write.
    let wrong = [("RECARD_READ_WEBHOOK_URL", "nonsense")];
    assert!(run("plan lead.yaml", &wrong).stderr.contains("RECARD_READ_WEBHOOK_URL does not hold"));
    assert_eq!(run("plan lead.yaml", &[("RECARD_WEBHOOK_URL", "nonsense")]).code, 0);
    // It is a file that no output may replace.
    let refused = run("plan lead.yaml --out reading", &[]);
    assert!(
        refused.code == 64 && refused.stderr.contains("the file of the webhook"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portal_option_is_compared_with_the_webhook_before_a_request() {
    let env = TestEnv::with_manifest("{ ids: [7] }").await;
    let host = env.portal();
    assert_eq!(env.run(&["plan", "lead.yaml", "--portal", &host]).code, 0);
    let before = env.emulator().counters();
    let other = env.run(&["plan", "lead.yaml", "--portal", "other.bitrix24.com"]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.stderr.contains("--portal names other.bitrix24.com"), "{other:?}");
    assert!(other.stderr.contains("nothing was sent"), "{other:?}");
    assert_eq!(env.emulator().counters(), before);
    for wrong in ["embeded", "embedded:", "https://x.bitrix24.com"] {
        let refused = env.run(&["plan", "lead.yaml", "--portal", wrong]);
        assert!(refused.code == 1 && refused.stderr.contains("--portal takes"), "{refused:?}");
    }
}

#[test]
fn emulator_option_is_the_embedded_portal_with_its_file() {
    let env = TestEnv::quickstart();
    let plan = |options: &[&str]| env.run(&[&["plan", "lead.yaml"], options].concat());
    let embedded = plan(&["--portal", "embedded"]);
    assert_eq!(plan(&["--emulator"]).stdout, embedded.stdout);
    assert_eq!(env.run(&["--emulator", "plan", "lead.yaml"]).stdout, embedded.stdout);
    let saved = plan(&["--emulator=other.json", "--out", "p.json"]);
    assert!(env.at("other.json").is_file());
    assert!(
        saved.stderr.contains("recard apply p.json --emulator=other.json"),
        "the suggested command names the portal: {saved:?}"
    );
    assert_eq!(plan(&["--emulator", "--portal", "embedded"]).code, 64);
    // A file of the command is never taken for the state of the portal.
    assert_eq!(env.run(&["plan", "--emulator", "lead.yaml"]).stdout, embedded.stdout);
    // The option precedes the variable.
    let mut command = env.command(&["plan", "lead.yaml", "--emulator"]);
    let ended = CommandOutput::of(command.env("RECARD_PORTAL", "x.bitrix24.com").output().unwrap());
    assert_eq!(ended.stdout, embedded.stdout);
    let no_portal = env.run(&["plan", "lead.yaml"]);
    assert!(no_portal.stderr.contains("add --emulator"), "{no_portal:?}");
}

#[test]
fn manifest_from_a_pipe_is_applied() {
    let env = TestEnv::new();
    let mut command = env.command(&["apply", "-", "--yes", "--emulator"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(QUICKSTART.as_bytes()).unwrap();
    let ended = CommandOutput::of(child.wait_with_output().unwrap());
    assert!(ended.code == 0 && ended.stdout.contains("Done: 9 of 9"), "{ended:?}");
}

#[test]
fn json_flag_is_the_short_form_of_its_output_and_stands_alone() {
    let env = TestEnv::quickstart();
    for line in ["plan lead.yaml", "validate lead.yaml", "inventory", "doctor", "history"] {
        let short: Value =
            serde_json::from_str(&env.run_embedded(&format!("{line} --json")).stdout).unwrap();
        let long: Value =
            serde_json::from_str(&env.run_embedded(&format!("{line} -o json")).stdout).unwrap();
        assert_eq!(short["format"], long["format"], "{line}");
        let both = env.run_embedded(&format!("{line} --json -o text"));
        assert!(both.code == 64 && both.stderr.contains("--json"), "{line}: {both:?}");
    }
}

#[test]
fn help_is_short_and_complete() {
    let env = TestEnv::new();
    let lines = |text: &str| text.lines().count();
    let alone = env.run(&[]);
    assert_eq!(alone.code, 64, "{alone:?}");
    assert!(lines(&alone.stderr) <= 40, "{alone:?}");
    let whole = env.run(&["--help"]);
    assert_eq!((whole.code, &whole.stdout), (0, &alone.stderr));
    assert_eq!(env.run(&["help"]).stdout, whole.stdout);
    for group in ["Everyday:", "Review:", "Set up:", "Operate:", "Learn:"] {
        assert!(whole.stdout.contains(group), "{whole:?}");
    }
    let plan = env.run(&["plan", "--help"]);
    assert!(lines(&plan.stdout) <= 60, "{}: {}", lines(&plan.stdout), plan.stdout);
    assert!(plan.stdout.contains("EXAMPLES:"), "{plan:?}");
    assert_eq!(env.run(&["help", "plan"]).stdout, plan.stdout);
    // Every option stands in the help of its command, or in that of all commands.
    let options = env.run(&["help", "options"]).stdout;
    for command in recard::cli::command().get_subcommands() {
        let shown = env.run(&[command.get_name(), "--help"]).stdout;
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(shown.contains(&format!("--{option}")), "{} {option}", command.get_name());
        }
        assert!(!shown.contains("--lock-timeout"), "{shown}");
    }
    for option in recard::cli::command().get_arguments().filter_map(clap::Arg::get_long) {
        assert!(options.contains(&format!("--{option}")), "{option}: {options}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn department_is_selected_by_the_name_that_exactly_one_has() {
    let env = TestEnv::start().await;
    let plan = |departments: &str| {
        env.write_manifest(&format!("{{ departments: [{departments}] }}"), "");
        env.run(&["plan", "lead.yaml", "--json", "--quiet"])
    };
    for (by_id, by_name) in [
        ("42", "Sales East"),
        ("{ id: 41, recursive: true }", "{ name: Sales, recursive: true }"),
        ("43, 45", "Support, \" Marketing \""),
    ] {
        let (ids, names) = (plan(by_id), plan(by_name));
        assert_eq!((ids.code, names.code), (0, 0), "{names:?}");
        let targets = |ended: &CommandOutput| {
            let plan: Value = serde_json::from_str(&ended.stdout).unwrap();
            let targets = plan["targets"].as_array().unwrap().clone();
            targets.iter().map(|target| target["target"].clone()).collect::<Vec<Value>>()
        };
        assert!(!targets(&ids).is_empty());
        assert_eq!(targets(&ids), targets(&names), "{by_name}");
    }
    let unknown = plan("sales");
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(
        unknown.stderr.contains("no active department named \"sales\"")
            && unknown.stderr.contains("41 (Sales)"),
        "{unknown:?}"
    );
    // The department of an exception is looked for in the same way.
    env.write_manifest("{ all: true, except: { departments: [Sale] } }", "");
    let except = env.run(&["plan", "lead.yaml"]);
    assert!(except.code == 1 && except.stderr.contains("RC0404"), "{except:?}");
    env.change(|state| {
        let departments = state["portal"]["departments"].as_array_mut().unwrap();
        let mut second = departments[3].clone();
        second["ID"] = 47.into();
        second["PARENT"] = 42.into();
        departments.push(second);
    });
    let ambiguous = plan("Support");
    assert_eq!(ambiguous.code, 1, "{ambiguous:?}");
    assert!(
        ambiguous.stderr.contains(
            "several departments have the name \"Support\": 43 (Company / Support), 47 (Sales East / Support)"
        ),
        "{ambiguous:?}"
    );
    assert_eq!(plan("43").code, 0);
    // A plan file stays bound to the targets that were reviewed.
    env.write_manifest("{ departments: [Sales East] }", "");
    assert_eq!(env.run(&["plan", "lead.yaml", "--out", "plan.json"]).code, 0);
    let applied = env.run(&["apply", "plan.json", "-f", "lead.yaml"]);
    assert!(applied.code == 0 && applied.stdout.contains("Done: 3 of 3"), "{applied:?}");
}
