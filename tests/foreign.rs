//! What others have made: git, which reads their repositories.

#![cfg(all(unix, feature = "cli", feature = "emulator"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::recard::{Ended, Place};

const SECRET: &str = "s3cr3tS3CR3T0001";

/// The path to programs of the system that the test was started with.
#[expect(clippy::disallowed_methods, reason = "git is found where the test itself finds it")]
fn system_path() -> String {
    std::env::var("PATH").unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Anna", "-c", "user.email=anna@example.com", "-c", "commit.gpgsign=false"]);
    command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]).args(arguments);
    let output = command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Plans with a manifest of a folder, and gives who changed it last.
fn author(place: &Place, manifest: &str) -> Value {
    let plan = ["plan", "--portal", "embedded", "-f", manifest, "--output", "json", "--detail"];
    let ended = Ended::of(place.command(&plan).env("PATH", system_path()).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str::<Value>(&ended.stdout).unwrap()["targets"][0]["origin"]["commit"].clone()
}

#[test]
fn git_names_nobody_from_the_boundary_of_a_shallow_clone() {
    let place = Place::new();
    let quickstart = include_str!("../examples/quickstart.yaml");
    let whole = place.path().join("whole");
    place.file("whole/lead.yaml", quickstart);
    git(&whole, &["init", "-q"]);
    git(&whole, &["add", "."]);
    git(&whole, &["commit", "-q", "-m", "first"]);
    for name in ["other.txt", "third.txt"] {
        place.file(&format!("whole/{name}"), "");
        git(&whole, &["add", "."]);
        git(&whole, &["commit", "-q", "-m", name]);
    }
    let from = format!("file://{}", whole.display());
    git(place.path(), &["clone", "-q", "--depth", "2", &from, "shallow"]);
    assert_eq!(author(&place, "whole/lead.yaml")["author"], "Anna");
    assert_eq!(author(&place, "shallow/lead.yaml"), Value::Null, "the boundary did not make the file");
    // Behind the boundary the history is known.
    place.file("shallow/lead.yaml", &(quickstart.to_owned() + "# changed\n"));
    git(&place.path().join("shallow"), &["commit", "-q", "-a", "-m", "changed"]);
    assert_eq!(author(&place, "shallow/lead.yaml")["author"], "Anna");
}

/// A program in a folder of its own.
fn program(place: &Place, name: &str, script: &str) -> PathBuf {
    let path = place.file(name, script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn git_starts_no_program_that_a_repository_names() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    place.file(".gitattributes", "* diff=evil filter=evil\n");
    let started = place.path().join("started");
    let evil = program(&place, "evil", &format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", started.display()));
    git(place.path(), &["init", "-q"]);
    git(place.path(), &["add", "."]);
    git(place.path(), &["commit", "-q", "-m", "first"]);
    let evil = evil.display().to_string();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "core.sshCommand",
        "core.askPass",
        "core.gitProxy",
        "credential.helper",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.clean",
        "filter.evil.smudge",
        "gpg.program",
        "gpg.ssh.program",
        "core.alternateRefsCommand",
    ] {
        git(place.path(), &["config", key, &evil]);
    }
    for (key, value) in [
        ("alias.log", format!("!{evil}")),
        ("log.showSignature", "true".to_owned()),
        ("core.hooksPath", ".".to_owned()),
    ] {
        git(place.path(), &["config", key, &value]);
    }
    let commit = author(&place, "lead.yaml");
    assert_eq!(commit["author"], "Anna", "{commit}");
    assert!(!started.exists(), "{}", std::fs::read_to_string(&started).unwrap());
}

#[test]
fn git_gets_the_path_and_the_home_and_nothing_else_of_the_environment() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    let seen = place.path().join("seen");
    program(&place, "bin/git", &format!("#!/bin/sh\nenv > '{}'\n", seen.display()));
    let mut command = place.command(&["plan", "--portal", "embedded", "-f", "lead.yaml"]);
    let variables = [
        ("PATH", format!("{}:{}", place.path().join("bin").display(), system_path())),
        ("HOME", "/nowhere".to_owned()),
        ("RECARD_WEBHOOK_URL", format!("https://company.bitrix24.com/rest/1/{SECRET}/")),
        ("GIT_DIR", "/nowhere".to_owned()),
        ("GIT_EXTERNAL_DIFF", "/nowhere".to_owned()),
        ("LD_LIBRARY_PATH", "/nowhere".to_owned()),
    ];
    let ended = Ended::of(command.envs(variables).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    let seen = std::fs::read_to_string(seen).unwrap();
    // A shell adds some of its own.
    let mut names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["GIT_NO_LAZY_FETCH", "GIT_TERMINAL_PROMPT", "HOME", "PATH"], "{seen}");
    assert!(seen.contains("GIT_TERMINAL_PROMPT=0\n") && seen.contains("GIT_NO_LAZY_FETCH=1\n"), "{seen}");
}

#[test]
fn git_that_does_not_answer_is_killed_with_all_that_it_has_started() {
    let place = Place::new();
    place.file("lead.yaml", include_str!("../examples/quickstart.yaml"));
    let ids = place.path().join("ids");
    program(&place, "bin/git", &format!("#!/bin/sh\nsleep 600 &\necho $$ $! >> '{}'\nwait\n", ids.display()));
    let mut command = place.command(&["plan", "--portal", "embedded", "-f", "lead.yaml"]);
    let begun = Instant::now();
    let path = format!("{}:{}", place.path().join("bin").display(), system_path());
    let ended = Ended::of(command.env("PATH", path).output().unwrap());
    assert!(ended.code == 0 && ended.stdout.contains("9 to reset"), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "the plan waited for git");
    let ids = std::fs::read_to_string(ids).unwrap();
    for id in ids.split_whitespace() {
        let is_alive =
            || Command::new("kill").args(["-0", id]).stderr(std::process::Stdio::null()).status().unwrap().success();
        // The system may take a moment until it has cleared away what was killed.
        while is_alive() && begun.elapsed() < Duration::from_secs(120) {
            let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            if state.contains(") Z") {
                break;
            }
            std::thread::yield_now();
        }
        let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        assert!(!is_alive() || state.contains(") Z"), "{id} lives: {state}");
    }
}
