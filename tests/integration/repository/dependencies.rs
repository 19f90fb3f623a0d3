//! Policy on dependencies, as far as it can be checked without a network. The lists are in
//! `deny.toml`, which cargo-deny reads too; cargo-deny also checks the database of advisories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The packages of this workspace.
const OWN: &[&str] = &["recard", "bitrix24", "bitrix24-emulator"];

/// Crates whose types or global state meet across crate borders: a second major version would not
/// know the first.
const ONE_VERSION: &[&str] = &[
    "anstyle",
    "aws-lc-rs",
    "aws-lc-sys",
    "clap",
    "http",
    "hyper",
    "jiff",
    "reqwest",
    "rustls",
    "schemars",
    "serde",
    "serde_json",
    "similar",
    "tokio",
    "tracing",
    "tracing-subscriber",
];

fn toml_of(name: &str) -> toml::Value {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    toml::from_str(&text).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

/// Every crate of the lock file, whatever system or feature wants it, with its versions and where
/// they come from.
fn locked() -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let mut locked: BTreeMap<String, Vec<(String, Option<String>)>> = BTreeMap::new();
    for package in toml_of("Cargo.lock")["package"].as_array().unwrap() {
        let text = |key: &str| package.get(key).map(|value| value.as_str().unwrap().to_owned());
        locked
            .entry(text("name").unwrap())
            .or_default()
            .push((text("version").unwrap(), text("source")));
    }
    assert!(locked.len() > 100, "the lock file has {} crates only", locked.len());
    locked
}

/// Runs `cargo tree`, and returns the name of each crate with what a format says of it.
fn tree(selection: &[&str], edges: &str, format: &str) -> Vec<(String, String)> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--locked", "--offline", "--prefix", "none", "--format", format]);
    command.args(["--edges", edges]).args(selection).current_dir(env!("CARGO_MANIFEST_DIR"));
    let ended = command.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let text = String::from_utf8(ended.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    let crates: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once('|'))
        .map(|(package, told)| (package.to_owned(), told.to_owned()))
        .collect();
    assert!(crates.len() > 100, "only {} crates are built", crates.len());
    crates
}

/// The crates that are built on this system, those for tests included, each with its license. A
/// crate that stands in the lock file for a feature that nobody asks for is not among them.
fn built() -> BTreeMap<String, String> {
    let built = tree(&["--workspace", "--all-features"], "all", "{p}|{l}").into_iter();
    built
        .map(|(package, licence)| (package.split(' ').next().unwrap().to_owned(), licence))
        .collect()
}

/// Features that differ between two commands make cargo build a crate twice, and all that stand on
/// it: see `Cargo.toml`.
#[test]
fn crates_have_the_same_features_for_running_and_testing() {
    let features = |selection: &[&str], edges: &str| {
        let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (package, of) in tree(selection, edges, "{p}|{f}") {
            features.entry(package).or_default().insert(of);
        }
        features
    };
    let run = features(&["--package", "recard"], "normal,build");
    let test = features(&["--workspace"], "normal,build,dev");
    let postgres = features(&["--workspace", "--features", "postgres"], "normal,build,dev");
    // On these stand few others.
    let apart = ["recard ", "digest ", "syn v2"];
    for (fewer, more) in [(&run, &test), (&test, &postgres)] {
        for (package, of) in fewer {
            let shared = of.is_subset(&more[package]);
            let is_apart = apart.iter().any(|name| package.starts_with(name));
            assert!(shared || is_apart, "{package} has {of:?} and {:?}", more[package]);
        }
    }
}

#[test]
fn licenses_of_crates_ask_for_a_notice_only() {
    let policy = toml_of("deny.toml");
    let allowed: BTreeSet<&str> = policy["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence.as_str().unwrap())
        .collect();
    let mut needed = BTreeSet::new();
    for (name, licence) in built() {
        // Old crates write `MIT/Apache-2.0`.
        let expression = spdx::Expression::parse_mode(&licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|problem| panic!("{name}: {licence}: {problem}"));
        let is_allowed = |wanted: &spdx::LicenseReq| {
            wanted.license.id().is_some_and(|id| {
                let fits = allowed.contains(id.name);
                if fits {
                    needed.insert(id.name);
                }
                fits
            })
        };
        assert!(
            expression.evaluate(is_allowed),
            "{name} has the licence {licence}; deny.toml does not allow it"
        );
    }
    let unused: Vec<&&str> = allowed.difference(&needed).collect();
    assert!(unused.is_empty(), "deny.toml allows what nothing needs: {unused:?}");
}

#[test]
fn banned_crates_are_not_built() {
    let (policy, built) = (toml_of("deny.toml"), built());
    let banned = policy["bans"]["deny"].as_array().unwrap();
    assert!(banned.len() > 3);
    for ban in banned {
        let name = ban["crate"].as_str().unwrap();
        assert!(!built.contains_key(name), "{name} is built: {}", ban["reason"].as_str().unwrap());
    }
}

#[test]
fn tls_has_one_provider() {
    let built = built();
    assert!(built.contains_key("aws-lc-rs") && built.contains_key("rustls"));
    for other in
        ["ring", "native-tls", "openssl-sys", "boring-sys", "rustls-openssl", "wolfssl-sys"]
    {
        assert!(!built.contains_key(other), "{other} is built beside aws-lc-rs");
    }
}

#[test]
fn crates_whose_types_meet_have_one_version() {
    let locked = locked();
    for name in ONE_VERSION {
        let versions = locked
            .get(*name)
            .unwrap_or_else(|| panic!("{name} is not used any more; take it off the list"));
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
}

#[test]
fn crates_come_from_the_registry() {
    for (name, versions) in locked() {
        for (version, source) in versions {
            let known = source
                .as_deref()
                .map_or(OWN.contains(&name.as_str()), |source| source.starts_with("registry+"));
            assert!(known, "{name} {version} comes from {source:?}");
        }
    }
}
