//! Promises of the threat model: each names a test, and the test exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all functions that are tests in a file.
fn tests_in(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap();
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        is_test |= line.starts_with("#[test]")
            || line.starts_with("#[tokio::test")
            || line == "proptest! {";
        let name = line.trim_start_matches("async ").strip_prefix("fn ");
        if let Some(name) = name.filter(|_| is_test) {
            found.insert(name.split(['(', '<']).next().unwrap().to_owned());
            is_test = false;
        }
    }
    found
}

#[test]
fn threat_model_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files =
        ["src", "tests", "crates"].map(|folder| crate::support::sources::under(&root.join(folder)));
    let tests: BTreeSet<String> = files.iter().flatten().flat_map(|file| tests_in(file)).collect();
    let page = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let (promised, _) = page.split_once("## Not promised").unwrap();
    let mut promises = 0;
    for line in
        promised.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Against"))
    {
        let names = line.trim_end_matches(" |").rsplit("| ").next().unwrap();
        for name in names.split(", ").map(|name| name.trim_matches('`')) {
            assert!(tests.contains(name), "there is no test {name:?}: {line}");
        }
        promises += 1;
    }
    assert!(promises > 30, "only {promises} promises were found");
}
