//! Environment variables of the command line: unset, blank, malformed, and equal to their options.

use crate::support::env::{CommandOutput, TestEnv};

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
    let env = TestEnv::quickstart();
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
            let bare = env.run(&words);
            let set = CommandOutput::of(
                env.command(&words).envs(VARIABLES.iter().copied()).output().unwrap(),
            );
            assert_eq!(set.shown(), bare.shown(), "{words:?}");
        }
    }
}

/// Every variable that the sources name.
fn variables() -> Vec<String> {
    let mut found = Vec::new();
    let source =
        [include_str!("../../../src/cli/env.rs"), include_str!("../../../src/cli/commands/man.rs")]
            .concat();
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
            let env = TestEnv::quickstart();
            let mut command = env.command(&words);
            if let Some(value) = value {
                command.envs(variables.iter().map(|name| (name, value)));
                command.envs(
                    ["https_proxy", "no_proxy", "TMPDIR", "USER", "HOSTNAME"]
                        .map(|name| (name, value)),
                );
            }
            let ended = CommandOutput::of(command.output().unwrap());
            (ended.shown(), env.at(".recard").exists())
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
    let env = TestEnv::quickstart();
    for (name, value) in [
        ("RECARD_PORTAL", &b"embedded:\xff.json"[..]),
        ("RECARD_RATE", b"1,1\xff"),
        ("RECARD_WEBHOOK_URL", b"http://127.0.0.1:9/rest/1/S\xff/"),
        ("RECARD_READ_WEBHOOK_URL", b"\xff"),
        ("NO_PROXY", b"\xff"),
        ("RECARD_LANG", b"\xff"),
    ] {
        let mut command = env.command(&["plan", "-f", "lead.yaml"]);
        command.env("RECARD_WEBHOOK_URL", "http://127.0.0.1:9/rest/1/aaaaaaaa11111111/");
        let ended = CommandOutput::of(
            command.env(name, std::ffi::OsStr::from_bytes(value)).output().unwrap(),
        );
        assert_eq!(ended.code, 64, "{name}: {ended:?}");
        assert!(
            ended.stderr.contains(&format!("the variable {name} is not UTF-8")),
            "{name}: {ended:?}"
        );
    }
}

#[test]
fn environment_option_that_is_set_means_what_the_option_means() {
    let env = TestEnv::quickstart();
    let with = |words: &[&str], variables: &[(&str, &str)]| {
        CommandOutput::of(env.command(words).envs(variables.iter().copied()).output().unwrap())
    };
    let plan = ["plan", "-f", "lead.yaml"];
    assert_eq!(with(&plan, &VARIABLES[..2]).code, 0);
    assert!(env.at("kept/portals").is_dir() && !env.at(".recard").exists());
    let typed = with(&[&plan[..], &["--store", ".recard"]].concat(), &VARIABLES[..2]);
    assert!(
        typed.code == 0 && env.at(".recard").is_dir(),
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
