//! Whole manifests: the folder is the verdict, and what is said about each file stands beside it.
//!
//! After a wanted change of a message: `SNAPSHOTS=overwrite cargo test --test integration
//! manifests::`, and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use recard::diagnostic::{Diagnostic, RenderStyle, render};
use recard::manifest::{Loaded, SCHEMA, Source, load};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(!files.is_empty());
    files
}

fn read(path: &Path) -> Vec<Source> {
    let name = path.file_name().unwrap().to_str().unwrap();
    vec![Source { name: name.into(), bytes: fs::read(path).unwrap() }]
}

/// Returns the output of `recard validate`.
fn told(path: &Path) -> (Loaded, String) {
    let sources = read(path);
    let loaded = load(&sources);
    let text = render(&loaded.diagnostics, &sources, RenderStyle::Plain);
    (loaded, text)
}

fn compare(path: &Path, text: String) {
    snapbox::assert_data_eq!(
        text,
        snapbox::Data::read_from(&path.with_extension("txt"), None).raw()
    );
}

#[test]
fn invalid_manifests_are_refused_with_line_and_column() {
    let files = files("tests/manifests/invalid");
    assert!(files.len() >= 60, "only {} files", files.len());
    for path in files {
        let (loaded, text) = told(&path);
        assert!(loaded.declaration.is_none(), "{} is accepted", path.display());
        for found in &loaded.diagnostics {
            let place =
                found.place().unwrap_or_else(|| panic!("{}: {found} has no place", path.display()));
            assert!(place.line > 0 && place.column > 0, "{}: {found}", path.display());
        }
        assert!(!text.contains("abcdefgh12345678"), "{}: {text}", path.display());
        compare(&path, text);
    }
}

#[test]
fn valid_manifests_are_accepted() {
    for path in files("tests/manifests/valid") {
        let (loaded, text) = told(&path);
        assert!(loaded.declaration.is_some(), "{}: {text}", path.display());
        compare(&path, text);
    }
}

#[test]
fn examples_are_valid_without_warnings() {
    for path in files("examples") {
        let (loaded, text) = told(&path);
        assert!(
            loaded.declaration.is_some() && loaded.diagnostics.is_empty(),
            "{}: {text}",
            path.display()
        );
    }
}

/// The documents of a file as JSON values, as an editor that knows the schema sees them.
fn documents(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    let mut options = serde_yaml::Options::default();
    options.strict_booleans = true;
    let text = text.trim_start_matches('\u{feff}');
    let documents: Vec<serde_json::Value> =
        serde_yaml::from_multiple_with_options(text, options).unwrap();
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

#[test]
fn schema_accepts_what_is_accepted() {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    // A manifest that the portals of a fleet share is bound to each of them.
    let shared = root().join("examples/fleet/standard-card.yaml");
    for document in documents(&shared) {
        assert!(validator.is_valid(&document), "{document}");
        let mut two = document;
        two["spec"]["personal"][0]["users"]["ids"] = serde_json::json!([1]);
        assert!(!validator.is_valid(&two), "a value stands alone: {two}");
    }
    for path in files("examples").into_iter().chain(files("tests/manifests/valid")) {
        for document in documents(&path) {
            let problems: Vec<String> =
                validator.iter_errors(&document).map(|problem| problem.to_string()).collect();
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
        }
    }
}

#[test]
fn schema_refuses_what_breaks_the_form() {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    // What is about the text itself, or about several values together, no schema can say.
    let beyond = [
        "syntax-",
        "duplicate-key",
        "alias-",
        "merge-key",
        "tag",
        "not-utf8",
        "empty-file",
        "only-comments",
        "two-",
        "contradicting-",
        "protected-",
        "webhook-in-a-comment",
        "empty-reason",
        "reason-of-two-lines",
        "id-beyond-64-bits",
        // A shared manifest of a fleet names none.
        "missing-portal",
    ];
    let mut refused = 0;
    for path in files("tests/manifests/invalid") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if beyond.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        let valid = documents(&path).iter().all(|document| validator.is_valid(document));
        assert!(!valid, "the schema accepts {name}");
        refused += 1;
    }
    assert!(refused >= 40, "only {refused} files were compared");
}

#[test]
fn problem_in_plain_style_is_one_line() {
    let (loaded, _) = told(&root().join("tests/manifests/invalid/unknown-key-near.yaml"));
    let lines: Vec<String> = loaded.diagnostics.iter().map(Diagnostic::to_string).collect();
    let start =
        "unknown-key-near.yaml:11:7: error[RC0201]: unknown key `leadCustomerType` in personal";
    assert!(lines.iter().any(|line| line == start), "{lines:?}");
}
