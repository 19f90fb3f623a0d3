//! Whole fleets: the folder is the verdict, and what is said about each fleet stands beside it.
//!
//! After a wanted change of a message: `SNAPSHOTS=overwrite cargo test --test integration
//! fleets::`, and read the difference.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use recard::diagnostic::{Diagnostic, RenderStyle, render};
use recard::i18n::Text;
use recard::manifest::{FLEET_SCHEMA, FleetFiles, LoadedFleet, Source, load_fleet};

/// Files below a folder.
struct Folder(PathBuf);

impl FleetFiles for Folder {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
        fs::read(self.0.join(path)).map_err(|_| format!("cannot read {}", path.display()).into())
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, Text> {
        let entries = fs::read_dir(self.0.join(folder));
        let entries = entries.map_err(|_| format!("no folder {}", folder.display()))?;
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        Ok(names)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("tests/manifests/fleet").join(folder)).unwrap();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Reads a fleet. Returns its problems with those of its portals, and all of them as text.
fn read(folder: &Path) -> (LoadedFleet, Vec<Diagnostic>, String) {
    let bytes = fs::read(folder.join("fleet.yaml")).unwrap();
    let sources = [Source { name: "fleet.yaml".into(), bytes }];
    let loaded = load_fleet(&sources, &Folder(folder.to_owned()));
    let mut found = loaded.diagnostics.clone();
    let of_portals = loaded.fleet.iter().flat_map(|fleet| &fleet.portals);
    let of_waves = loaded.fleet.iter().flat_map(|fleet| &fleet.lost_waves);
    for problem in of_portals.flat_map(|one| &one.problems).chain(of_waves) {
        if !found.contains(problem) {
            found.push(problem.clone());
        }
    }
    let text = render(&found, &loaded.sources, RenderStyle::Plain);
    (loaded, found, text)
}

fn compare(case: &Path, text: String) {
    let told = case.join("told.txt");
    snapbox::assert_data_eq!(text, snapbox::Data::read_from(&told, None).raw());
}

#[test]
fn invalid_fleets_are_refused_with_line_and_column() {
    let cases = cases("invalid");
    assert!(cases.len() >= 30, "only {}", cases.len());
    for case in cases {
        let (_, found, text) = read(&case);
        assert!(found.iter().any(Diagnostic::is_error), "{} is accepted", case.display());
        for problem in &found {
            let place = problem.place().unwrap_or_else(|| panic!("{}: {problem}", case.display()));
            assert!(place.line > 0 && place.column > 0, "{}: {problem}", case.display());
        }
        assert!(!text.contains("abcdefgh12345678"), "{}: {text}", case.display());
        compare(&case, text);
    }
}

#[test]
fn valid_fleets_and_the_example_are_accepted_with_every_manifest_bound() {
    for case in cases("valid").into_iter().chain([root().join("examples/fleet")]) {
        let (loaded, found, text) = read(&case);
        assert!(found.is_empty(), "{}: {text}", case.display());
        let fleet = loaded.fleet.unwrap();
        for portal in &fleet.portals {
            let declared = portal.declaration.as_ref().unwrap();
            assert_eq!(Some(declared.portal()), portal.portal.as_ref(), "{}", case.display());
            assert!(portal.webhook.is_some() && portal.wave < fleet.waves.len());
        }
    }
}

#[test]
fn problem_of_an_included_file_or_a_manifest_stays_with_its_portals() {
    let folder = root().join("tests/manifests/fleet/invalid");
    for (case, portals, broken) in [
        ("included-broken", 4, 4),
        ("undefined-value", 2, 2),
        ("pin-to-another", 2, 2),
        ("canary-broken", 2, 1),
        ("broken-without-wave", 2, 1),
        ("include-unreadable", 2, 1),
    ] {
        let fleet = read(&folder.join(case)).0.fleet.unwrap();
        let of_broken = fleet.portals.iter().filter(|portal| portal.declaration.is_none());
        assert_eq!((fleet.portals.len(), of_broken.count()), (portals, broken), "{case}");
    }
    // A value of one portal is no matter of the others.
    let values = read(&root().join("tests/manifests/fleet/valid/values")).0.fleet.unwrap();
    let digests: BTreeSet<String> = values
        .portals
        .iter()
        .map(|portal| portal.declaration.as_ref().unwrap().digest.to_string())
        .collect();
    assert_eq!(digests.len(), 2);
}

#[test]
fn waves_take_portals_in_their_order() {
    let of = |case: &str| {
        let fleet = read(&root().join("tests/manifests/fleet/valid").join(case)).0.fleet.unwrap();
        let waves = fleet.portals.iter().map(|portal| fleet.waves[portal.wave].name.to_string());
        waves.collect::<Vec<_>>()
    };
    assert_eq!(of("everything"), ["canary", "rest", "neighbors", "neighbors"]);
    let percent = of("percent");
    assert_eq!(percent.iter().filter(|wave| *wave == "first").count(), 1, "{percent:?}");
    assert_eq!(of("smallest"), ["all", "all"]);
}

#[test]
fn interval_and_time_to_settle_are_those_stated_nearest_or_the_defaults() {
    let of = |case: &str| {
        let fleet = read(&root().join("tests/manifests/fleet/valid").join(case)).0.fleet.unwrap();
        let every: Vec<Duration> = fleet.portals.iter().map(|portal| portal.every).collect();
        let settle: Vec<Duration> = fleet.waves.iter().map(|wave| wave.settle).collect();
        (every, settle, fleet.guards.acknowledged_fleet)
    };
    let seconds =
        |list: &[u64]| list.iter().copied().map(Duration::from_secs).collect::<Vec<Duration>>();
    let everything = (seconds(&[900, 90, 900, 900]), seconds(&[3600, 0, 0]), Some(700));
    assert_eq!(of("everything"), everything);
    assert_eq!(of("smallest"), (seconds(&[900, 900]), seconds(&[0]), None));
}

/// Returns the documents of a fleet and of its portals as JSON values.
fn documents(case: &Path) -> Vec<serde_json::Value> {
    let mut files = vec![case.join("fleet.yaml")];
    let included = fs::read_dir(case.join("portals")).into_iter().flatten();
    files.extend(
        included
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(".portal.yaml")),
    );
    let documents = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap();
        let mut options = serde_yaml::Options::default();
        options.strict_booleans = true;
        serde_yaml::from_multiple_with_options::<serde_json::Value>(&text, options).unwrap()
    });
    documents.filter(|document| !document.is_null()).collect()
}

#[test]
fn schema_of_fleets_accepts_the_valid_and_refuses_wrong_forms() {
    let schema = serde_json::from_str(FLEET_SCHEMA).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    for case in cases("valid").into_iter().chain([root().join("examples/fleet")]) {
        for document in documents(&case) {
            let problems: Vec<String> =
                validator.iter_errors(&document).map(|problem| problem.to_string()).collect();
            assert!(problems.is_empty(), "{}: {problems:?}", case.display());
        }
    }
    // Several values together, other files and the text itself are beyond a schema.
    let beyond = [
        "broken-manifest",
        "broken-without-wave",
        "canary-broken",
        "empty-portals",
        "include-unreadable",
        "included-broken",
        "label-twice",
        "missing-manifest",
        "no-manifest",
        "nothing-included",
        "pin-to-another",
        "portal-twice",
        "portal-without-wave",
        "secret-outside",
        "two-fleets",
        "undefined-value",
        "value-with-problem",
        "wave-twice",
        "wave-without-portal",
    ];
    for case in cases("invalid") {
        let name = case.file_name().unwrap().to_str().unwrap();
        if !beyond.contains(&name) {
            let refused = documents(&case).iter().any(|document| !validator.is_valid(document));
            assert!(refused, "the schema accepts {name}");
        }
    }
}
