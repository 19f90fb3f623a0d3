//! Commands of the README, executed and compared with the text.

#![cfg(all(feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use support::page::{blocks_of as blocks, read};
use support::recard::Place;

fn place_with_examples() -> Place {
    let place = Place::new();
    for entry in std::fs::read_dir(support::page::root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("examples/{}", path.file_name().unwrap().to_str().unwrap());
        place.file(&name, &std::fs::read_to_string(&path).unwrap());
    }
    place
}

/// Returns a command with the answer to its question.
fn answered<'a>(command: &[&'a str]) -> Vec<&'a str> {
    [command, &["--auto-approve"]].concat()
}

#[test]
fn readme_first_commands_plan_apply_and_restore() {
    let readme = read("README.md");
    let first = blocks(&readme, "sh").into_iter().next().unwrap();
    let commands: Vec<Vec<&str>> = first
        .trim()
        .lines()
        .map(|line| line.strip_prefix("cargo run -- ").unwrap().split(' ').collect())
        .collect();
    let [plan, apply, restore] = commands.as_slice() else { panic!("{first}") };
    let place = place_with_examples();
    let planned = place.run(plan);
    assert_eq!(planned.code, 0, "{planned:?}");
    for text in ["-section main \"Start here\"", "examples/quickstart.yaml:17:23", "9 to reset"] {
        assert!(planned.stdout.contains(text), "{text}: {}", planned.stdout);
    }
    for (command, text) in [
        (answered(apply), "Done: 9 of 9 cards"),
        (answered(apply), "Nothing to do"),
        (answered(restore), "Done: 9 of 9 cards"),
    ] {
        let ended = place.run(&command);
        assert_eq!(ended.code, 0, "{command:?}: {ended:?}");
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
}

#[test]
fn the_test_command_is_the_one_that_ci_runs() {
    let readme = read("README.md");
    let second = blocks(&readme, "sh").into_iter().nth(1).unwrap();
    assert_eq!(second.trim(), "cargo test");
    assert!(read(".ci/run").contains("step cargo test --locked\n"));
}

#[test]
fn the_manifest_in_the_readme_is_valid() {
    let readme = read("README.md");
    let manifest = blocks(&readme, "yaml").into_iter().next().unwrap();
    let place = Place::new();
    place.file("lead.yaml", &manifest);
    let ended = place.run(&["validate", "-f", "lead.yaml"]);
    assert_eq!(
        ended.stdout, "1 manifest for the portal company.bitrix24.com: valid, 0 warnings\n",
        "{ended:?}"
    );
}
