//! The README is true: its commands print what stands there.

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

#[test]
fn the_first_command_does_the_main_job_and_then_finds_nothing_to_do() {
    let readme = read("README.md");
    let first = blocks(&readme, "sh").into_iter().next().unwrap();
    let arguments: Vec<&str> =
        first.trim().strip_prefix("cargo run -- ").unwrap().split(' ').collect();
    let place = place_with_examples();
    let once = place.run(&arguments);
    assert_eq!(once.code, 0, "{once:?}");
    for text in
        ["-section main \"Start here\"", "examples/quickstart.yaml:17:23", "Done: 9 of 9 cards"]
    {
        assert!(once.stdout.contains(text), "{text}: {}", once.stdout);
    }
    let again = place.run(&arguments);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("Nothing to do"), "{again:?}");
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
