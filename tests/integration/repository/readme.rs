//! Commands of the README, executed and compared with the text.

use crate::support::env::TestEnv;
use crate::support::page::{blocks_of as blocks, read};

fn place_with_examples() -> TestEnv {
    let env = TestEnv::new();
    for entry in std::fs::read_dir(crate::support::page::root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let name = format!("examples/{}", path.file_name().unwrap().to_str().unwrap());
        env.file(&name, &std::fs::read_to_string(&path).unwrap());
    }
    env
}

#[test]
fn readme_first_command_applies_and_is_idempotent() {
    let readme = read("README.md");
    let first = blocks(&readme, "sh").into_iter().next().unwrap();
    let arguments: Vec<&str> =
        first.trim().strip_prefix("cargo run -- ").unwrap().split(' ').collect();
    let env = place_with_examples();
    let once = env.run(&arguments);
    assert_eq!(once.code, 0, "{once:?}");
    for text in [
        "3 cards of 2 people: layout \"Start here\"",
        "No lead, contact or deal data",
        "Done: 9 of 9",
    ] {
        assert!(once.stdout.contains(text), "{text}: {}", once.stdout);
    }
    let again = env.run(&arguments);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("No changes"), "{again:?}");
}

#[test]
fn test_command_is_the_one_that_ci_runs() {
    let readme = read("README.md");
    let second = blocks(&readme, "sh").into_iter().nth(1).unwrap();
    assert_eq!(second.trim(), "cargo test --locked");
    // There with the store that needs a server, too.
    assert!(read(".ci/run").contains(&format!("step {}", second.trim())));
}

#[test]
fn manifest_in_the_readme_is_valid() {
    let readme = read("README.md");
    let manifest = blocks(&readme, "yaml").into_iter().next().unwrap();
    let env = TestEnv::new();
    env.file("lead.yaml", &manifest);
    let ended = env.run(&["validate", "-f", "lead.yaml"]);
    assert_eq!(
        ended.stdout, "1 manifest for the portal company.bitrix24.com: valid, 0 warnings\n",
        "{ended:?}"
    );
}
