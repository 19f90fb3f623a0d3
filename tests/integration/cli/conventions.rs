//! Conventions of the command line: meanings of words, options and variables, and the suggested
//! next commands.

use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};
use serde_json::Value;

fn done(env: &TestEnv, line: &str) -> CommandOutput {
    let ended = env.run_embedded(line);
    assert_eq!(ended.code, 0, "{line}: {ended:?}");
    ended
}

/// The name of a run that a report ends with.
fn run_of(ended: &CommandOutput) -> String {
    let line = ended.stdout.lines().rev().find_map(|line| line.strip_prefix("Run "));
    line.unwrap_or_else(|| panic!("{ended:?}")).to_owned()
}

#[test]
fn restore_last_after_a_restore_and_an_idle_apply_is_the_apply_that_changed_something() {
    let env = TestEnv::quickstart();
    let none = env.run_embedded("restore last --all --auto-approve");
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("no apply in the store has changed a card"), "{none:?}");
    let applied = run_of(&done(&env, "apply -f lead.yaml --auto-approve"));
    // An apply that finds nothing to do, or finds it done meanwhile, is not the last one.
    done(&env, "apply -f lead.yaml --auto-approve");
    let restored = done(&env, "restore last --user 12 --auto-approve");
    assert!(restored.stdout.contains(&format!("Restore of the run {applied}")), "{restored:?}");
    let again = done(&env, "restore last --all --auto-approve");
    assert!(again.stdout.contains(&format!("Restore of the run {applied}")), "{again:?}");
    assert!(again.stdout.contains("Done: 8 of 8 cards"), "{again:?}");
    // A restore is undone by its name.
    let first = run_of(&restored);
    let undone = done(&env, &format!("restore {first} --all --auto-approve"));
    assert!(undone.stdout.contains(&format!("Restore of the run {first}")), "{undone:?}");
    let last = done(&env, "restore last --all --auto-approve");
    assert!(last.stdout.contains(&format!("Restore of the run {applied}")), "{last:?}");
    let shown = done(&env, "show last");
    assert!(shown.stdout.starts_with(&run_of(&last)), "show last is the newest run: {shown:?}");
}

#[test]
fn restore_of_a_user_who_is_not_in_the_run_is_an_error_that_lists_who_is() {
    let env = TestEnv::quickstart();
    let run = run_of(&done(&env, "apply -f lead.yaml --auto-approve"));
    let list = "8 Ivan Petrov, 12 Anna Petrova, 14 Sofia Rossi, 15 Mateusz Nowak, 18 Zofia Wójcik, 20 Nadia Haddad";
    for (selection, problem) in [
        ("--user 99", "user 99 is not in the run"),
        ("--user 12 --user 7", "user 7 is not in the run"),
        ("--user 12 --common", "has no common card"),
        ("--user 12 --type repeat", "user 12 has no card lead/repeat in the run"),
    ] {
        for run in [&run, "last"] {
            let refused = env.run_embedded(&format!("restore {run} {selection} --auto-approve"));
            assert_eq!(refused.code, 1, "{selection}: {refused:?}");
            assert!(
                refused.stderr.contains(problem) && refused.stderr.contains(list),
                "{selection}: {refused:?}"
            );
        }
    }
    let json = env.run_embedded("restore last --user 99 --output json");
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["exitCode"], 1, "{json:?}");
    assert_eq!(done(&env, "history").stdout.lines().count(), 2, "nothing was begun");
}

#[test]
fn number_of_an_option_is_decimal_and_the_error_says_so_in_words() {
    let env = TestEnv::quickstart();
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
        let ended = env.run_embedded(line);
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
    let demo = TestEnv::new().run(&["demo"]);
    assert_eq!(demo.code, 0, "{demo:?}");
    let text = crate::support::env::steady(&demo.stdout);
    let (_, printed) = text.split_once("$ ").unwrap();
    let steps = crate::support::page::steps(&format!("$ {printed}"));
    assert_eq!(steps.len(), 5, "{printed}");
    let env = TestEnv::new();
    let mut shell = crate::support::page::Shell::start(env.path());
    let manifest: String = steps[0]
        .printed
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| format!("{line}\n"))
        .collect();
    for step in &steps {
        let mut output = crate::support::env::steady(&shell.run(step.command.trim_end()));
        if step.command.contains("> quickstart.yaml") {
            assert_eq!(output, "", "{step:?}");
            output = manifest.clone();
            assert_eq!(std::fs::read_to_string(env.at("quickstart.yaml")).unwrap(), manifest);
        } else {
            // The way back, and the way to save a plan, are told beside the result.
            let result: String = output
                .split_inclusive('\n')
                .filter(|line| {
                    !line.starts_with("To put everything back")
                        && !line.starts_with("To apply exactly this plan")
                })
                .collect();
            assert_eq!(result.trim(), step.printed.trim(), "{}", step.command);
        }
        assert_eq!(shell.run("echo $?").trim(), "0", "{step:?}: {output}");
    }
    // No other command is told, above all none about the folder that is gone. The plans name the
    // undo command without a run.
    let commands = demo.stdout.replace("`recard restore RUN --all`", "");
    assert_eq!(
        (commands.matches("recard ").count(), demo.stderr.matches("recard ").count()),
        (5, 0),
        "{demo:?}"
    );
    assert!(!demo.stdout.contains("/tmp") && !demo.stderr.contains("/tmp"), "{demo:?}");
}

#[test]
fn show_plan_renders_every_format() {
    let env = TestEnv::quickstart();
    done(&env, "plan -f lead.yaml --out plan.json");
    let shown = |format: &str| {
        let ended = done(&env, &format!("show plan.json --output {format}"));
        assert_eq!(ended.stderr, "", "{format}");
        ended.stdout
    };
    let text = shown("text");
    assert!(
        text.starts_with("Plan ") && text.contains("Plan: 9 to reset, 17 to keep, 0 held."),
        "{text}"
    );
    assert_eq!(shown("json"), std::fs::read_to_string(env.at("plan.json")).unwrap());
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
        junit.contains("<testsuite name=\"recard show targets\" tests=\"9\" skipped=\"0\" errors=\"0\" failures=\"0\""),
        "{junit}"
    );
    let csv = shown("csv");
    assert_eq!(
        (csv.lines().count(), csv.matches("\"reset\",\"customized\"").count()),
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
    env.file("lead.yaml", &text);
    env.run_embedded("plan -f lead.yaml --out plan.json");
    let formats = ["text", "json", "markdown", "junit", "csv", "sarif", "github"];
    let outputs: Vec<String> =
        formats.iter().map(|format| format!("--output {format}={format}.out")).collect();
    done(&env, &format!("show plan.json {}", outputs.join(" ")));
    for (format, wanted) in [
        ("text", "guard: 7 people"),
        ("markdown", "Apply will refuse this plan."),
        ("junit", " type=\"too-many-people\">"),
        ("sarif", "\"too-many-people\""),
        ("github", "::error title=recard show%3A too-many-people::"),
    ] {
        let text = std::fs::read_to_string(env.at(format!("{format}.out"))).unwrap();
        assert!(text.contains(wanted), "{format}: {text}");
    }
    // A file that is no plan is told in every output, as any failure is.
    env.file("plan.json", "{}");
    let broken = env.run_embedded("show plan.json --output json");
    let report: Value = serde_json::from_str(&broken.stdout).unwrap();
    assert_eq!((broken.code, &report["exitCode"]), (5, &5.into()), "{broken:?}");
}

/// The options in a text, such as `--detail`.
fn options_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back().unwrap_or(' ');
        let is_part = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        let name: String = text[at + 2..].chars().take_while(is_part).collect();
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
const OF_OTHERS: &[&str] = &[
    "--bench",
    "--features",
    "--force",
    "--full",
    "--locked",
    "--newest",
    "--open",
    "--path",
    "--signal",
    "--test",
];

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
    let root = crate::support::page::root();
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
    let is_picture = |name: &str| name.ends_with(".svg") || name.ends_with(".png");
    for name in texts.iter().filter(|name| !is_picture(name)) {
        let text = crate::support::page::read(name);
        // The tests of a source file may try options that nobody has.
        let text = text.split("#[cfg(test)]").next().unwrap();
        // Beside documents only what is told about recard counts: pipelines and sources start other
        // programs, too, and so does the page on installing.
        let is_own = name.ends_with(".md") && name != "docs/install.md";
        let told = |line: &&str| is_own || line.contains("recard ") && !line.contains("podman ");
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
    let help = TestEnv::new().run(&["restore", "--help"]);
    assert!(help.stdout.contains("--everything"), "{help:?}");
}

const MARK: &str = "\u{feff}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn byte_order_mark_is_left_out_wherever_a_text_is_read() {
    let env = TestEnv::start().await;
    let webhook = env.webhook().to_owned();
    let env = env.without_webhook();
    let host = env.portal();
    let marked = |name: &str| {
        let path = env.at(name);
        let text = std::fs::read_to_string(&path).unwrap();
        env.file(name, &format!("{MARK}{text}"));
    };
    env.file("hook", &format!("{}\r\n", webhook));
    marked("hook");
    env.file("lead.yaml", &QUICKSTART.replace("portal: embedded", &format!("portal: \"{host}\"")));
    marked("lead.yaml");
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        env.run(&[&words[..], &["--webhook-url-file", "hook"]].concat())
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
    let mut command = env.command(&["validate", "-f", "-"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(two.as_bytes()).unwrap();
    let ended = CommandOutput::of(child.wait_with_output().unwrap());
    assert!(ended.code == 0 && ended.stdout.contains("2 manifests"), "{ended:?}");
    done(&env, "inventory");
    marked(".recard/embedded.json");
    done(&env, "inventory");
}

#[test]
fn folder_of_manifests_reads_its_files_whatever_the_case_of_their_ending() {
    let env = TestEnv::new();
    env.file("all/a.yaml", QUICKSTART);
    env.file("all/b.YAML", &QUICKSTART.replace("sales-back", "b").replace("41", "43"));
    env.file("all/below/c.Yml", &QUICKSTART.replace("sales-back", "c").replace("41", "44"));
    env.file("all/d.yamlx", "no manifest");
    let ended = env.run(&["validate", "-f", "all"]);
    assert!(ended.code == 0 && ended.stdout.contains("3 manifests"), "{ended:?}");
}

#[test]
fn manifest_nested_too_deep_is_told_in_words() {
    let env = TestEnv::new();
    env.file("deep.yaml", &format!("a: {}{}", "[".repeat(70), "]".repeat(70)));
    let ended = env.run(&["validate", "-f", "deep.yaml"]);
    assert!(ended.code == 1 && ended.stderr.contains("nested deeper than 64 levels"), "{ended:?}");
    assert!(!ended.stderr.contains("Depth"), "{ended:?}");
}

#[test]
fn webhook_of_an_sdk_is_named_in_the_error_and_never_taken() {
    let env = TestEnv::quickstart();
    for variable in ["B24_WEBHOOK_URL", "B24_HOOK", "B24_WEBHOOK", "BITRIX24_WEBHOOK"] {
        for line in ["plan -f lead.yaml", "apply -f lead.yaml --auto-approve", "history", "doctor"]
        {
            let words: Vec<&str> = line.split(' ').collect();
            // An address on which nothing listens: a request would fail in another way.
            let mut command = env.command(&words);
            let ended = CommandOutput::of(
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
        let mut command = env.command(&["apply", "-f", "lead.yaml"]);
        command.env(variable, "x").env("RECARD_READ_WEBHOOK_URL", "http://127.0.0.1:9/rest/1/key/");
        let ended = CommandOutput::of(command.output().unwrap());
        assert!(
            ended.stderr.contains("this command writes") && ended.stderr.contains(variable),
            "{ended:?}"
        );
    }
    let ended = CommandOutput::of(env.command(&["history"]).env("B24_HOOK", "").output().unwrap());
    assert!(!ended.stderr.contains("B24"), "{ended:?}");
}
