//! What leads users to the program: documents, files in `contrib/`, and the files that pipeline
//! systems look for. None names what is not shipped, or vouches for what nobody has checked.

use std::collections::BTreeSet;
use std::fs;

use crate::support::page::{read, root};

/// The address of the project, until it has a public one.
const PLACEHOLDER: &str = "https://example.com/recard";

/// Every file that somebody copies, reads or runs to get recard.
fn files() -> Vec<String> {
    let mut found: Vec<String> = [
        "README.md",
        "CONTRIBUTING.md",
        "action.yml",
        ".pre-commit-hooks.yaml",
        "Cargo.toml",
        ".ci/package",
        "crates/bitrix24/README.md",
        "crates/bitrix24-emulator/README.md",
    ]
    .map(str::to_owned)
    .into();
    let mut folders: Vec<String> =
        ["docs", "contrib", "src/cli/templates"].map(str::to_owned).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(name),
                false if name.ends_with(".png") => {}
                false => found.push(name),
            }
        }
    }
    found.sort();
    assert!(found.len() > 30, "{found:?}");
    found
}

/// Words of a text that may be names of files.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
    text.split(move |c| !is_part(c)).map(|word| word.trim_end_matches(['.', '/']))
}

#[test]
fn hashes_and_digests_stand_in_no_file_that_installs() {
    // A checksum of a release cannot stand in the release; it is stated by the user, or computed.
    let is_hash =
        |word: &&str| [40, 64].contains(&word.len()) && word.chars().all(|c| c.is_ascii_hexdigit());
    for name in files() {
        let text = read(&name);
        let found: Vec<&str> =
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_hash).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn files_that_documents_name_are_there_and_shipped() {
    let package = read(".ci/package");
    assert!(package.contains("cp -R schemas examples contrib docs "), "the tarball has them");
    let mut seen = 0;
    for name in files() {
        let text = read(&name);
        for word in words(&text) {
            let word = word.trim_start_matches("../").trim_start_matches("./");
            if ["contrib/", "schemas/", "examples/"].iter().any(|folder| word.starts_with(folder)) {
                seen += 1;
                assert!(root().join(word).exists(), "{name} names {word}");
            }
        }
    }
    assert!(seen > 20, "{seen}");
    // The files of a release, by the names that `.ci/package` gives them.
    let version = format!("recard-{}-x86_64-unknown-linux-gnu", env!("CARGO_PKG_VERSION"));
    let made = ["", ".tar.xz", ".cdx.json", ".oci.tar", ".image-digest"];
    for end in made.into_iter().filter(|end| !end.is_empty()) {
        assert!(package.contains(&format!("$name{end}")), "{end}");
    }
    for name in files().into_iter().filter(|name| name != "CHANGELOG.md") {
        let text = read(&name).replace("$RECARD_VERSION", env!("CARGO_PKG_VERSION"));
        let text =
            text.replace("recard-VERSION-", &format!("recard-{}-", env!("CARGO_PKG_VERSION")));
        for word in words(&text).filter(|word| word.contains("-unknown-linux-gnu")) {
            let Some(rest) = word.rsplit('/').find_map(|part| part.strip_prefix("recard-")) else {
                continue;
            };
            let end = format!("recard-{rest}").replace(&version, "");
            assert!(made.contains(&&*end), "{name} names {word}, which is no file of this version");
        }
    }
}

#[test]
fn address_of_the_project_is_the_placeholder_everywhere() {
    let manifest: toml::Value = toml::from_str(&read("Cargo.toml")).unwrap();
    for key in ["repository", "homepage", "documentation"] {
        assert_eq!(manifest["workspace"]["package"][key].as_str(), Some(PLACEHOLDER), "{key}");
    }
    for name in ["Cargo.toml", "crates/bitrix24/Cargo.toml", "crates/bitrix24-emulator/Cargo.toml"]
    {
        let text = read(name);
        for key in ["repository", "homepage", "documentation"] {
            assert!(text.contains(&format!("{key}.workspace = true")), "{name}: {key}");
        }
        assert!(text.contains("[package.metadata.docs.rs]"), "{name}");
    }
    // Addresses of recard on hosts of others, whoever may own them.
    let mut others = BTreeSet::new();
    for name in files() {
        let text = read(&name);
        for address in text.split("https://").skip(1) {
            let end = |c: char| c.is_whitespace() || "\"'`)<>|,*$\\".contains(c);
            let address = address.split(end).next().unwrap();
            let host = address.split(['/', ':']).next().unwrap();
            let is_example = host.ends_with(".example") || host == "example.com";
            if address.contains("recard") && !is_example {
                others.insert(format!("{name}: {address}"));
            }
        }
    }
    assert!(others.is_empty(), "{others:#?}");
}

#[test]
fn packages_of_the_workspace_hold_what_they_need() {
    for name in ["recard", "bitrix24", "bitrix24-emulator"] {
        let listed = std::process::Command::new(env!("CARGO"))
            .args(["package", "--list", "--allow-dirty", "--offline", "--locked", "-p", name])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(listed.status.success(), "{listed:?}");
        let listed = String::from_utf8(listed.stdout).unwrap();
        let has = |file: &str| listed.lines().any(|line| line == file);
        assert!(has("README.md") && has("src/lib.rs"), "{name}: {listed}");
        if name == "recard" {
            assert!(
                has("src/cli/templates/install/github.sh") && has("src/i18n/ru.po"),
                "{listed}"
            );
        }
    }
}
