//! Conventions of the command line: meanings of words, options and variables, and the suggested
//! next commands.

#![cfg(all(unix, feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use serde_json::Value;
use support::recard::{Ended, Place};

const QUICKSTART: &str = include_str!("../examples/quickstart.yaml");

fn place() -> Place {
    let place = Place::new();
    place.file("lead.yaml", QUICKSTART);
    place
}

/// Runs a command on the embedded portal.
fn embedded(place: &Place, line: &str) -> Ended {
    let mut words: Vec<&str> = line.split(' ').collect();
    words.extend(["--portal", "embedded"]);
    place.run(&words)
}

fn done(place: &Place, line: &str) -> Ended {
    let ended = embedded(place, line);
    assert_eq!(ended.code, 0, "{line}: {ended:?}");
    ended
}

/// The name of a run that a report ends with.
fn run_of(ended: &Ended) -> String {
    let line = ended.stdout.lines().rev().find_map(|line| line.strip_prefix("Run "));
    line.unwrap_or_else(|| panic!("{ended:?}")).to_owned()
}

#[test]
fn restore_last_after_a_restore_and_an_idle_apply_is_the_apply_that_changed_something() {
    let place = place();
    let none = embedded(&place, "restore last --all --auto-approve");
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("no apply in the store has changed a card"), "{none:?}");
    let applied = run_of(&done(&place, "apply -f lead.yaml --auto-approve"));
    // An apply that finds nothing to do, or finds it done meanwhile, is not the last one.
    done(&place, "apply -f lead.yaml --auto-approve");
    let restored = done(&place, "restore last --user 12 --auto-approve");
    assert!(restored.stdout.contains(&format!("Restore of the run {applied}")), "{restored:?}");
    let again = done(&place, "restore last --all --auto-approve");
    assert!(again.stdout.contains(&format!("Restore of the run {applied}")), "{again:?}");
    assert!(again.stdout.contains("Done: 8 of 8 cards"), "{again:?}");
    // A restore is undone by its name.
    let first = run_of(&restored);
    let undone = done(&place, &format!("restore {first} --all --auto-approve"));
    assert!(undone.stdout.contains(&format!("Restore of the run {first}")), "{undone:?}");
    let last = done(&place, "restore last --all --auto-approve");
    assert!(last.stdout.contains(&format!("Restore of the run {applied}")), "{last:?}");
    let shown = done(&place, "show last");
    assert!(shown.stdout.starts_with(&run_of(&last)), "show last is the newest run: {shown:?}");
}

#[test]
fn restore_of_a_user_who_is_not_in_the_run_is_an_error_that_lists_who_is() {
    let place = place();
    let run = run_of(&done(&place, "apply -f lead.yaml --auto-approve"));
    let list = "8 Ivan Petrov, 12 Anna Petrova, 14 Sofia Rossi, 15 Mateusz Nowak, 18 Zofia Wójcik, 20 Nadia Haddad";
    for (selection, problem) in [
        ("--user 99", "user 99 is not in the run"),
        ("--user 12 --user 7", "user 7 is not in the run"),
        ("--user 12 --common", "has no common card"),
        ("--user 12 --type repeat", "user 12 has no card for these leads"),
    ] {
        for run in [&run, "last"] {
            let refused = embedded(&place, &format!("restore {run} {selection} --auto-approve"));
            assert_eq!(refused.code, 1, "{selection}: {refused:?}");
            assert!(
                refused.stderr.contains(problem) && refused.stderr.contains(list),
                "{selection}: {refused:?}"
            );
        }
    }
    let json = embedded(&place, "restore last --user 99 --output json");
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["exitCode"], 1, "{json:?}");
    assert_eq!(done(&place, "history").stdout.lines().count(), 2, "nothing was begun");
}

/// Every command that a page of help shows, but for what needs more than a word.
fn commands() -> Vec<String> {
    fn walk(command: &clap::Command, name: &str, found: &mut Vec<String>) {
        found.push(name.trim().to_owned());
        for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
            walk(one, &format!("{name} {}", one.get_name()), found);
        }
    }
    let mut found = Vec::new();
    walk(&recard::cli::command(), "", &mut found);
    found
}

const VARIABLES: &[(&str, &str)] = &[
    ("RECARD_PORTAL", "embedded"),
    ("RECARD_STORE", "kept"),
    ("RECARD_RATE", "enterprise"),
    ("RECARD_LANG", "en"),
];

#[test]
fn usage_with_the_variables_of_options_set_is_the_usage_without_them() {
    let place = place();
    for command in commands() {
        for more in [&["--help"][..], &["--fly"], &["x", "y", "z"], &[]] {
            let words: Vec<&str> = command
                .split(' ')
                .filter(|word| !word.is_empty())
                .chain(more.iter().copied())
                .collect();
            if more.is_empty()
                && !["plan", "apply", "restore", "show", "audit", "ledger", ""]
                    .contains(&command.as_str())
            {
                // Without anything they would run.
                continue;
            }
            let bare = place.run(&words);
            let set =
                Ended::of(place.command(&words).envs(VARIABLES.iter().copied()).output().unwrap());
            assert_eq!(set.shown(), bare.shown(), "{words:?}");
        }
    }
}

/// Every variable that the sources name.
fn variables() -> Vec<String> {
    let mut found = Vec::new();
    let source =
        [include_str!("../src/cli/env.rs"), include_str!("../src/cli/commands/man.rs")].concat();
    for word in source.split(|c: char| !(c.is_ascii_uppercase() || c == '_')) {
        let is_known = ["RECARD_", "GITHUB_", "GITLAB_", "CI_", "B24_", "BITRIX24_", "SSL_"]
            .iter()
            .any(|start| word.starts_with(start));
        if is_known
            || ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NO_COLOR", "LANG", "LC_ALL", "LC_MESSAGES"]
                .contains(&word)
        {
            found.push(word.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn environment_variable_that_is_empty_or_blank_counts_as_unset() {
    let variables = variables();
    assert!(variables.len() > 15, "{variables:?}");
    for line in [
        "plan -f lead.yaml --portal embedded",
        "history",
        "init new --ci github",
        "doctor --portal embedded",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let run = |value: Option<&str>| {
            let place = place();
            let mut command = place.command(&words);
            if let Some(value) = value {
                command.envs(variables.iter().map(|name| (name, value)));
                command.envs(
                    ["https_proxy", "no_proxy", "TMPDIR", "USER", "HOSTNAME"]
                        .map(|name| (name, value)),
                );
            }
            let ended = Ended::of(command.output().unwrap());
            (ended.shown(), place.path().join(".recard").exists())
        };
        let unset = run(None);
        assert_eq!(run(Some("")), unset, "{line}");
        assert_eq!(run(Some("  ")), unset, "{line}");
    }
}

#[cfg(unix)]
#[test]
fn environment_variable_that_is_no_text_is_refused_by_its_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = place();
    for (name, value) in [
        ("RECARD_PORTAL", &b"embedded:\xff.json"[..]),
        ("RECARD_RATE", b"1,1\xff"),
        ("RECARD_WEBHOOK_URL", b"http://127.0.0.1:9/rest/1/S\xff/"),
        ("RECARD_READ_WEBHOOK_URL", b"\xff"),
        ("NO_PROXY", b"\xff"),
        ("RECARD_LANG", b"\xff"),
    ] {
        let mut command = place.command(&["plan", "-f", "lead.yaml"]);
        command.env("RECARD_WEBHOOK_URL", "http://127.0.0.1:9/rest/1/aaaaaaaa11111111/");
        let ended =
            Ended::of(command.env(name, std::ffi::OsStr::from_bytes(value)).output().unwrap());
        assert_eq!(ended.code, 64, "{name}: {ended:?}");
        assert!(
            ended.stderr.contains(&format!("the variable {name} is not UTF-8")),
            "{name}: {ended:?}"
        );
    }
}

#[test]
fn environment_option_that_is_set_means_what_the_option_means() {
    let place = place();
    let with = |words: &[&str], variables: &[(&str, &str)]| {
        Ended::of(place.command(words).envs(variables.iter().copied()).output().unwrap())
    };
    let plan = ["plan", "-f", "lead.yaml"];
    assert_eq!(with(&plan, &VARIABLES[..2]).code, 0);
    assert!(place.path().join("kept/portals").is_dir() && !place.path().join(".recard").exists());
    let typed = with(&[&plan[..], &["--store", ".recard"]].concat(), &VARIABLES[..2]);
    assert!(
        typed.code == 0 && place.path().join(".recard").is_dir(),
        "the command line goes first: {typed:?}"
    );
    let rate = with(&plan, &[("RECARD_PORTAL", "embedded"), ("RECARD_RATE", "fast")]);
    assert!(rate.code == 64 && rate.stderr.contains("a rate is `standard`"), "{rate:?}");
    let language = with(&plan, &[("RECARD_PORTAL", "embedded"), ("RECARD_LANG", "fr")]);
    assert!(
        language.code == 64
            && language
                .stderr
                .contains("recard speaks en and ru\nhelp: the value comes from RECARD_LANG"),
        "{language:?}"
    );
}

#[test]
fn number_of_an_option_is_decimal_and_the_error_says_so_in_words() {
    let place = place();
    for (line, problem) in [
        (
            "restore last --user anna",
            "an id is a whole number from 1 to 2147483646, in decimal digits; `recard show RUN` names",
        ),
        ("restore last --user 0x10", "in decimal digits"),
        ("restore last --user +7", "in decimal digits"),
        ("restore last --user 010", "in decimal digits"),
        ("export --department Sales", "`recard inventory` lists the departments"),
        ("plan -f lead.yaml --max-users 1_000", "a limit is a whole number"),
        ("plan -f lead.yaml --markdown-limit 1e5", "a limit is a number of bytes"),
        ("reconcile -f lead.yaml --rounds 0", "rounds are counted from 1"),
        ("reconcile -f lead.yaml --every 015m", "a time is a number with a unit"),
        ("history --operating-share 8e-1", "a share is a number from 0.1 to 1"),
        ("doctor --rate 5e1,2", "a rate is `standard`"),
        ("emulate --seed users=0x10", "how many people is a whole number"),
        ("emulate --limits 1e1,1", "there are off, standard"),
    ] {
        let ended = embedded(&place, line);
        assert_eq!(ended.code, 64, "{line}: {ended:?}");
        assert!(ended.stderr.contains(problem), "{line}: {ended:?}");
        assert!(
            !ended.stderr.contains("invalid digit") && !ended.stderr.contains("float literal"),
            "{line}: {ended:?}"
        );
    }
}

#[test]
fn demo_commands_as_printed_work_in_an_empty_folder_and_print_what_stands_below_them() {
    let demo = Place::new().run(&["demo"]);
    assert_eq!(demo.code, 0, "{demo:?}");
    let text = support::recard::steady(&demo.stdout);
    let (_, printed) = text.split_once("$ ").unwrap();
    let steps = support::page::steps(&format!("$ {printed}"));
    assert_eq!(steps.len(), 5, "{printed}");
    let place = Place::new();
    let mut shell = support::page::Shell::start(place.path());
    let manifest: String = steps[0]
        .printed
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    for step in &steps {
        let mut output = support::recard::steady(&shell.run(step.command.trim_end()));
        if step.command.contains("> quickstart.yaml") {
            assert_eq!(output, "", "{step:?}");
            output = manifest.clone();
            assert_eq!(
                std::fs::read_to_string(place.path().join("quickstart.yaml")).unwrap(),
                manifest
            );
        } else {
            // The way back is told beside the result.
            let result: String = output
                .split_inclusive('\n')
                .filter(|line| !line.starts_with("To put everything back"))
                .collect();
            assert_eq!(result.trim(), step.printed.trim(), "{}", step.command);
        }
        assert_eq!(shell.run("echo $?").trim(), "0", "{step:?}: {output}");
    }
    // No other command is told, above all none about the folder that is gone.
    assert_eq!(
        (demo.stdout.matches("recard ").count(), demo.stderr.matches("recard ").count()),
        (5, 0),
        "{demo:?}"
    );
    assert!(!demo.stdout.contains("/tmp") && !demo.stderr.contains("/tmp"), "{demo:?}");
}

#[test]
fn show_plan_renders_every_format() {
    let place = place();
    done(&place, "plan -f lead.yaml --out plan.json");
    let shown = |format: &str| {
        let ended = done(&place, &format!("show plan.json --output {format}"));
        assert_eq!(ended.stderr, "", "{format}");
        ended.stdout
    };
    let text = shown("text");
    assert!(
        text.starts_with("Plan ") && text.contains("Plan: 9 to reset, 17 to keep, 0 held."),
        "{text}"
    );
    assert_eq!(shown("json"), std::fs::read_to_string(place.path().join("plan.json")).unwrap());
    let markdown = shown("markdown");
    assert!(
        markdown.starts_with("<!-- recard:show -->\n### 📋 recard show: 9 cards to reset\n"),
        "{markdown}"
    );
    assert_eq!(markdown.matches("| `personal/").count(), 9, "{markdown}");
    let junit = shown("junit");
    roxmltree::Document::parse(&junit).unwrap();
    assert!(junit.contains("<testsuite name=\"recard show guards\" tests=\"7\""), "{junit}");
    assert!(
        junit.contains("<testsuite name=\"recard show targets\" tests=\"9\" failures=\"0\""),
        "{junit}"
    );
    let csv = shown("csv");
    assert_eq!(
        (csv.lines().count(), csv.matches("\"reset\",\"customised\"").count()),
        (10, 9),
        "{csv}"
    );
    let sarif: Value = serde_json::from_str(&shown("sarif")).unwrap();
    assert_eq!(
        sarif["runs"][0]["results"],
        serde_json::json!([]),
        "what is going to happen is no problem"
    );
    assert!(shown("github").starts_with("::notice file=lead.yaml,line="), "{}", shown("github"));

    // What a guard refuses is told in every format, too, and a file of each form is written in one
    // go.
    let text = QUICKSTART.replacen("spec:\n", "spec:\n  guards: { maxUsers: 2 }\n", 1);
    place.file("lead.yaml", &text);
    embedded(&place, "plan -f lead.yaml --out plan.json");
    let formats = ["text", "json", "markdown", "junit", "csv", "sarif", "github"];
    let outputs: Vec<String> =
        formats.iter().map(|format| format!("--output {format}={format}.out")).collect();
    done(&place, &format!("show plan.json {}", outputs.join(" ")));
    for (format, wanted) in [
        ("text", "guard: 7 people"),
        ("markdown", "Apply will refuse this plan."),
        ("junit", "<failure type=\"too-many-people\""),
        ("sarif", "\"too-many-people\""),
        ("github", "::error title=recard show%3A too-many-people::"),
    ] {
        let text = std::fs::read_to_string(place.path().join(format!("{format}.out"))).unwrap();
        assert!(text.contains(wanted), "{format}: {text}");
    }
    // A file that is no plan is told in every output, as any failure is.
    place.file("plan.json", "{}");
    let broken = embedded(&place, "show plan.json --output json");
    let report: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!((broken.code, &report["exitCode"]), (5, &5.into()), "{broken:?}");
}

/// The options in a text, such as `--detail`.
fn options_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let name: String =
            text[at + 2..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        let name = name.trim_end_matches('-');
        let is_option = name.starts_with(|c: char| c.is_ascii_lowercase())
            && !before.is_alphanumeric()
            && before != '-';
        if is_option && text[..at].chars().rev().take(4).collect::<String>() != "--!<" {
            found.push(format!("--{name}"));
        }
    }
    found
}

/// Options of other programs in the documents.
const OF_OTHERS: &[&str] = &["--bench", "--force", "--locked", "--open", "--path", "--test"];

#[test]
fn documented_options_all_stand_in_the_help() {
    fn walk(command: &clap::Command, shown: &mut Vec<String>) {
        for option in command.get_arguments() {
            assert!(
                !option.is_hide_set() && !option.is_hide_long_help_set(),
                "{option} of {} is hidden",
                command.get_name()
            );
            let aliases = option.get_all_aliases().unwrap_or_default();
            let visible = option.get_visible_aliases().unwrap_or_default();
            assert_eq!(
                aliases.len(),
                visible.len(),
                "{option} of {} has a hidden alias",
                command.get_name()
            );
            shown.extend(
                option.get_long().into_iter().chain(visible).map(|name| format!("--{name}")),
            );
        }
        for one in command.get_subcommands() {
            assert!(!one.is_hide_set(), "{} is hidden", one.get_name());
            assert_eq!(
                one.get_all_aliases().count(),
                one.get_visible_aliases().count(),
                "{}",
                one.get_name()
            );
            walk(one, shown);
        }
    }
    let mut command = recard::cli::command();
    command.build();
    let mut shown = Vec::new();
    walk(&command, &mut shown);
    let root = support::page::root();
    let mut texts = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for folder in ["docs", "examples", "src/cli/templates", "src/cli", "src/cli/commands"] {
        for entry in std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(Result::unwrap)
            .filter(|entry| entry.path().is_file())
        {
            texts.push(format!("{folder}/{}", entry.file_name().to_string_lossy()));
        }
    }
    let mut documented = 0;
    let mut hidden = std::collections::BTreeSet::new();
    for name in texts.iter().filter(|name| !name.ends_with(".svg")) {
        let text = support::page::read(name);
        // The tests of a source file may try options that nobody has.
        let text = text.split("#[cfg(test)]").next().unwrap();
        // Beside documents only what is told about recard counts: pipelines and sources start other
        // programs, too.
        let told = |line: &&str| name.ends_with(".md") || line.contains("recard ");
        let options = text.lines().filter(told).flat_map(options_in);
        for option in options {
            documented += 1;
            if !shown.contains(&option) && !OF_OTHERS.contains(&option.as_str()) {
                hidden.insert(format!("{name}: {option}"));
            }
        }
    }
    assert!(hidden.is_empty(), "documents tell of options that no help does: {hidden:#?}");
    assert!(documented > 100, "{documented}");
    // The help of a command is what people see: an alias stands in it.
    let help = Place::new().run(&["restore", "--help"]);
    assert!(help.stdout.contains("--everything"), "{help:?}");
}

const MARK: &str = "\u{feff}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn byte_order_mark_is_left_out_wherever_a_text_is_read() {
    use recard::emulator::{Emulator, EmulatorOptions};

    let emulator = Emulator::start_with(EmulatorOptions::default()).await.unwrap();
    let host =
        emulator.rest_url().trim_start_matches("http://").trim_end_matches("/rest").to_owned();
    let place = Place::new();
    let marked = |name: &str| {
        let path = place.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        place.file(name, &format!("{MARK}{text}"));
    };
    place.file("hook", &format!("{}\r\n", emulator.webhook_url(1).unwrap()));
    marked("hook");
    place
        .file("lead.yaml", &QUICKSTART.replace("portal: embedded", &format!("portal: \"{host}\"")));
    marked("lead.yaml");
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        place.run(&[&words[..], &["--webhook-url-file", "hook"]].concat())
    };
    assert_eq!(run("ledger new once.json").code, 0);
    marked("once.json");
    let planned = run("plan -f lead.yaml --out plan.json --ledger once.json");
    assert_eq!(planned.code, 0, "{planned:?}");
    marked("plan.json");
    let shown = run("show plan.json --output json");
    assert!(shown.code == 0 && shown.stdout.starts_with('{'), "{shown:?}");
    let applied = run("apply plan.json --ledger once.json");
    assert!(applied.code == 0 && applied.stdout.contains("Done: 9 of 9"), "{applied:?}");

    // From stdin, several joined; and the state, a seed and faults of the emulator.
    use std::io::Write as _;
    let two = format!(
        "{MARK}{QUICKSTART}---\n{MARK}{}",
        QUICKSTART.replace("sales-back", "again-sales-back").replace("41", "43")
    );
    let mut command = place.command(&["validate", "-f", "-"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(two.as_bytes()).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert!(ended.code == 0 && ended.stdout.contains("2 manifests"), "{ended:?}");
    done(&place, "inventory");
    marked(".recard/embedded.json");
    done(&place, "inventory");
}

#[test]
fn folder_of_manifests_reads_its_files_whatever_the_case_of_their_ending() {
    let place = Place::new();
    place.file("all/a.yaml", QUICKSTART);
    place.file("all/b.YAML", &QUICKSTART.replace("sales-back", "b").replace("41", "43"));
    place.file("all/below/c.Yml", &QUICKSTART.replace("sales-back", "c").replace("41", "44"));
    place.file("all/d.yamlx", "no manifest");
    let ended = place.run(&["validate", "-f", "all"]);
    assert!(ended.code == 0 && ended.stdout.contains("3 manifests"), "{ended:?}");
}

#[test]
fn manifest_nested_too_deep_is_told_in_words() {
    let place = Place::new();
    place.file("deep.yaml", &format!("a: {}{}", "[".repeat(70), "]".repeat(70)));
    let ended = place.run(&["validate", "-f", "deep.yaml"]);
    assert!(ended.code == 1 && ended.stderr.contains("nested deeper than 64 levels"), "{ended:?}");
    assert!(!ended.stderr.contains("Depth"), "{ended:?}");
}

#[test]
fn webhook_of_an_sdk_is_named_in_the_error_and_never_taken() {
    let place = place();
    for variable in ["B24_WEBHOOK_URL", "B24_HOOK", "B24_WEBHOOK", "BITRIX24_WEBHOOK"] {
        for line in ["plan -f lead.yaml", "apply -f lead.yaml --auto-approve", "history", "doctor"]
        {
            let words: Vec<&str> = line.split(' ').collect();
            // An address on which nothing listens: a request would fail in another way.
            let mut command = place.command(&words);
            let ended = Ended::of(
                command.env(variable, "http://127.0.0.1:9/rest/1/s3cr3tvalue/").output().unwrap(),
            );
            assert_eq!(ended.code, 1, "{variable} {line}: {ended:?}");
            assert!(ended.stderr.contains("no portal is given"), "{variable} {line}: {ended:?}");
            assert!(
                ended
                    .stderr
                    .contains(&format!("help: {variable} is set, and recard never takes it")),
                "{ended:?}"
            );
            assert!(
                !ended.stderr.contains("s3cr3t") && !ended.stdout.contains("s3cr3t"),
                "{ended:?}"
            );
        }
        let mut command = place.command(&["apply", "-f", "lead.yaml"]);
        command.env(variable, "x").env("RECARD_READ_WEBHOOK_URL", "http://127.0.0.1:9/rest/1/key/");
        let ended = Ended::of(command.output().unwrap());
        assert!(
            ended.stderr.contains("this command writes") && ended.stderr.contains(variable),
            "{ended:?}"
        );
    }
    let ended = Ended::of(place.command(&["history"]).env("B24_HOOK", "").output().unwrap());
    assert!(!ended.stderr.contains("B24"), "{ended:?}");
}
