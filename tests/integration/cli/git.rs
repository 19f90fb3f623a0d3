//! Git on repositories that others have made: which program and environment it gets, and how it
//! ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::untrusted_text::SECRET;
use serde_json::Value;

use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};

/// The path to programs of the system that the test was started with.
#[expect(clippy::disallowed_methods, reason = "git is found where the test itself finds it")]
fn system_path() -> String {
    std::env::var("PATH").unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=Anna",
        "-c",
        "user.email=anna@example.com",
        "-c",
        "commit.gpgsign=false",
    ]);
    command
        .args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"])
        .args(arguments);
    let output =
        command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Plans with a manifest of a folder, and gives who changed it last.
fn author(env: &TestEnv, manifest: &str) -> Value {
    let plan = ["plan", "--portal", "embedded", "-f", manifest, "--output", "json", "--detail"];
    let ended = CommandOutput::of(env.command(&plan).env("PATH", system_path()).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str::<Value>(&ended.stdout).unwrap()["targets"][0]["origin"]["commit"].clone()
}

#[test]
fn git_blame_at_the_boundary_of_a_shallow_clone_names_no_author() {
    let env = TestEnv::new();
    let whole = env.at("whole");
    env.file("whole/lead.yaml", QUICKSTART);
    git(&whole, &["init", "-q"]);
    git(&whole, &["add", "."]);
    git(&whole, &["commit", "-q", "-m", "first"]);
    for name in ["other.txt", "third.txt"] {
        env.file(&format!("whole/{name}"), "");
        git(&whole, &["add", "."]);
        git(&whole, &["commit", "-q", "-m", name]);
    }
    let from = format!("file://{}", whole.display());
    git(env.path(), &["clone", "-q", "--depth", "2", &from, "shallow"]);
    assert_eq!(author(&env, "whole/lead.yaml")["author"], "Anna");
    assert_eq!(
        author(&env, "shallow/lead.yaml"),
        Value::Null,
        "the boundary did not make the file"
    );
    // Behind the boundary the history is known.
    env.file("shallow/lead.yaml", &(QUICKSTART.to_owned() + "# changed\n"));
    git(&env.at("shallow"), &["commit", "-q", "-a", "-m", "changed"]);
    assert_eq!(author(&env, "shallow/lead.yaml")["author"], "Anna");
}

/// A program in a folder of its own.
fn program(env: &TestEnv, name: &str, script: &str) -> PathBuf {
    let path = env.file(name, script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn git_programs_named_by_a_repository_are_not_started() {
    let env = TestEnv::quickstart();
    env.file(".gitattributes", "* diff=evil filter=evil\n");
    let started = env.at("started");
    let evil = program(
        &env,
        "evil",
        &format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", started.display()),
    );
    git(env.path(), &["init", "-q"]);
    git(env.path(), &["add", "."]);
    git(env.path(), &["commit", "-q", "-m", "first"]);
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
        git(env.path(), &["config", key, &evil]);
    }
    for (key, value) in [
        ("alias.log", format!("!{evil}")),
        ("log.showSignature", "true".to_owned()),
        ("core.hooksPath", ".".to_owned()),
    ] {
        git(env.path(), &["config", key, &value]);
    }
    let commit = author(&env, "lead.yaml");
    assert_eq!(commit["author"], "Anna", "{commit}");
    // A clone that left out what the question needs would ask the program that it names as its
    // origin.
    git(env.path(), &["config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", env.path().display());
    let filter = ["clone", "-q", "--filter=tree:0", "--no-checkout", &from, "partial"];
    git(env.path(), &filter);
    env.file("partial/lead.yaml", QUICKSTART);
    for (key, value) in [
        ("remote.origin.url", format!("ext::{evil}")),
        ("protocol.ext.allow", "always".to_owned()),
        ("remote.origin.uploadpack", evil.clone()),
    ] {
        git(&env.at("partial"), &["config", key, &value]);
    }
    assert_eq!(author(&env, "partial/lead.yaml"), Value::Null);
    assert!(!started.exists(), "{}", std::fs::read_to_string(&started).unwrap());
}

#[test]
fn git_environment_holds_path_and_home_only() {
    let env = TestEnv::quickstart();
    let seen = env.at("seen");
    program(&env, "bin/git", &format!("#!/bin/sh\nenv > '{}'\n", seen.display()));
    let mut command = env.command(&["plan", "--portal", "embedded", "-f", "lead.yaml"]);
    let variables = [
        ("PATH", format!("{}:{}", env.at("bin").display(), system_path())),
        ("HOME", "/nowhere".to_owned()),
        ("RECARD_WEBHOOK_URL", format!("https://company.bitrix24.com/rest/1/{SECRET}/")),
        ("GIT_DIR", "/nowhere".to_owned()),
        ("GIT_EXTERNAL_DIFF", "/nowhere".to_owned()),
        ("LD_LIBRARY_PATH", "/nowhere".to_owned()),
    ];
    let ended = CommandOutput::of(command.envs(variables).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    let seen = std::fs::read_to_string(seen).unwrap();
    // A shell adds some of its own.
    let mut names: Vec<&str> = seen.lines().filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["GIT_NO_LAZY_FETCH", "GIT_TERMINAL_PROMPT", "HOME", "PATH"], "{seen}");
    assert!(
        seen.contains("GIT_TERMINAL_PROMPT=0\n") && seen.contains("GIT_NO_LAZY_FETCH=1\n"),
        "{seen}"
    );
}

#[test]
fn git_program_beside_a_manifest_is_not_started() {
    let env = TestEnv::new();
    env.file("manifests/lead.yaml", QUICKSTART);
    let started = env.at("started");
    for folder in ["manifests", "manifests/bin", "."] {
        program(
            &env,
            &format!("{folder}/git"),
            &format!("#!/bin/sh\necho x >> '{}'\n", started.display()),
        );
    }
    for path in [".", "", "bin", "./bin", ".:/usr/bin", ":/usr/bin", "/nowhere:"] {
        let mut command =
            env.command(&["plan", "--portal", "embedded", "-f", "manifests/lead.yaml"]);
        let ended = CommandOutput::of(command.env("PATH", path).output().unwrap());
        assert_eq!(ended.code, 0, "{path:?}: {ended:?}");
        assert!(!started.exists(), "{path:?}");
    }
}

#[test]
fn git_that_hangs_is_killed_with_its_children() {
    let env = TestEnv::quickstart();
    let ids = env.at("ids");
    program(
        &env,
        "bin/git",
        &format!("#!/bin/sh\nsleep 600 &\necho $$ $! >> '{}'\nwait\n", ids.display()),
    );
    let mut command = env.command(&["plan", "--portal", "embedded", "-f", "lead.yaml"]);
    let begun = Instant::now();
    let path = format!("{}:{}", env.at("bin").display(), system_path());
    let ended = CommandOutput::of(command.env("PATH", path).output().unwrap());
    assert!(ended.code == 0 && ended.stdout.contains("9 to reset"), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(60), "the plan waited for git");
    let ids = std::fs::read_to_string(ids).unwrap();
    for id in ids.split_whitespace() {
        let is_alive = || {
            Command::new("kill")
                .args(["-0", id])
                .stderr(std::process::Stdio::null())
                .status()
                .unwrap()
                .success()
        };
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
