//! Layers: the allowed imports. A new edge is a decision, made here in the table and not by
//! accident in an import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those that it may name.
const MAY_KNOW: &[(&str, &str)] = &[
    ("i18n", ""),
    ("model", "i18n"),
    ("diagnostic", "i18n model"),
    ("manifest", "i18n model diagnostic"),
    ("plan", "i18n model diagnostic"),
    ("ports", "i18n model diagnostic manifest plan"),
    ("records", "i18n model diagnostic manifest plan ports"),
    ("portal", "i18n model diagnostic manifest plan ports records"),
    ("store", "i18n model diagnostic manifest plan ports records"),
    ("engine", "i18n model diagnostic manifest plan ports records"),
    ("report", "i18n model diagnostic manifest plan ports records engine"),
    ("app", "i18n model diagnostic manifest plan ports records portal store engine"),
    ("fleet", "i18n model diagnostic manifest plan ports records portal store engine app"),
    (
        "cli",
        "app fleet i18n model diagnostic manifest plan ports records portal store engine report",
    ),
];

/// Each crate of the workspace with the modules of recard that may name it. `lib` re-exports the
/// emulator for tests.
const CRATES: &[(&str, &[&str])] =
    &[("bitrix24", &["portal"]), ("bitrix24_emulator", &["cli", "lib"])];

/// Modules below `report` that still translate texts, with the number of their texts. New code
/// returns values, which `report` and `cli` put into words; a number here may only fall.
const TRANSLATES: &[(&str, usize)] = &[
    ("model", 58),
    ("diagnostic", 4),
    ("manifest", 240),
    ("plan", 46),
    ("ports", 28),
    ("records", 5),
    ("portal", 8),
    ("store", 10),
    ("engine", 57),
    ("app", 4),
];

/// Crates and parts of the standard library that have one owner, with the modules that may name
/// them.
const OWNED: &[(&str, &[&str])] = &[
    ("serde_yaml::", &["manifest"]),
    ("polib::", &["i18n"]),
    ("hyper::", &["cli"]),
    ("prometheus_client::", &["report"]),
    ("quick_junit::", &["report"]),
    ("clap::", &["cli"]),
    ("deadpool::", &["store"]),
    ("rustls::", &["store"]),
    ("tokio_postgres::", &["store"]),
    ("std::env", &["cli", "main"]),
    ("std::fs", &["store", "cli"]),
    ("std::process::ExitCode", &["main"]),
];

/// The lines of code of each module: comments left out, the way to the file kept.
fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for file in crate::support::sources::under(&root) {
        let way = file.strip_prefix(&root).unwrap().to_path_buf();
        let first = way.iter().next().unwrap().to_str().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first).to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let lines = modules.entry(module).or_default();
        lines.extend(code.map(|line| (way.clone(), line.to_owned())));
    }
    modules
}

/// The modules of this crate that a line names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).filter_map(|rest| {
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        // A macro stands in no module.
        rest.get(..end).filter(|name| !name.is_empty() && !rest[end..].starts_with('!'))
    })
}

#[test]
fn modules_import_downward_only_by_the_table() {
    let table: BTreeMap<&str, BTreeSet<&str>> = MAY_KNOW
        .iter()
        .map(|(module, known)| (*module, known.split_whitespace().collect()))
        .collect();
    let mut edges = 0;
    for (module, lines) in modules() {
        if module == "lib" || module == "main" {
            continue;
        }
        let known = table
            .get(module.as_str())
            .unwrap_or_else(|| panic!("module {module} stands in no layer"));
        for (file, line) in lines {
            for name in named(&line).filter(|name| *name != module) {
                assert!(
                    known.contains(name),
                    "{}: {module} must not know {name}: {line}",
                    file.display()
                );
                edges += 1;
            }
        }
    }
    assert!(edges > 20, "the test looks at the wrong place: only {edges} edges found");
}

#[test]
fn crate_with_one_owner_is_named_by_its_owner_alone() {
    for (module, lines) in modules() {
        for (file, line) in lines {
            for (thing, owners) in OWNED {
                let allowed = owners.contains(&module.as_str());
                assert!(
                    allowed || !line.contains(thing),
                    "{}: {thing} belongs to {owners:?}: {line}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn texts_below_the_reports_are_translated_no_more_often_than_now() {
    for (module, lines) in modules() {
        if matches!(module.as_str(), "i18n" | "report" | "cli" | "lib") {
            continue;
        }
        // `include_str!` ends like the macro.
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        let is_text = |line: &str, at: usize| !line[..at].ends_with(is_name);
        let texts =
            |line: &str| line.match_indices("tr!(").filter(|(at, _)| is_text(line, *at)).count();
        let found: usize = lines.iter().map(|(_, line)| texts(line)).sum();
        let known = TRANSLATES.iter().find(|(name, _)| *name == module);
        let known = known.map_or(0, |(_, number)| *number);
        assert!(
            found <= known,
            "{module} translates {found} texts, up from {known}: translate them in report or cli"
        );
        assert!(
            found == known,
            "{module} translates {found} texts only: lower its number in TRANSLATES from {known}"
        );
    }
}

#[test]
fn driver_of_the_database_is_named_by_one_folder() {
    let lines = modules().remove("store").unwrap();
    let names =
        |line: &str| ["tokio_postgres", "deadpool", "rustls"].iter().any(|one| line.contains(one));
    let namers: BTreeSet<PathBuf> =
        lines.into_iter().filter(|(_, line)| names(line)).map(|(file, _)| file).collect();
    assert!(namers.len() > 3, "{namers:?}");
    assert!(namers.iter().all(|file| file.starts_with("store/postgres")), "{namers:?}");
}

/// Returns `true` if a line names a path of a crate.
fn names_crate(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric()))
        || line.contains(&format!("use {name} as"))
}

#[test]
fn crates_are_named_by_their_users_alone_and_name_no_other() {
    for (module, lines) in modules() {
        for (file, line) in lines {
            for (name, users) in CRATES {
                let allowed = users.contains(&module.as_str());
                assert!(
                    allowed || !names_crate(&line, name),
                    "{}: {module} must not know {name}: {line}",
                    file.display()
                );
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let manifest: toml::Value = toml::from_str(&text).unwrap();
        let own = manifest["package"]["name"].as_str().unwrap().to_owned();
        for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names = manifest.get(table).and_then(toml::Value::as_table).into_iter().flatten();
            for (name, _) in names {
                let of_workspace = CRATES.iter().any(|(known, _)| name.replace('-', "_") == *known);
                assert!(!of_workspace && name != "recard", "{own} must not know {name}");
            }
        }
        found.insert(own.replace('-', "_"));
    }
    assert_eq!(found, CRATES.iter().map(|(name, _)| (*name).to_owned()).collect());
}

/// The commands that write to a portal. No other file of the command line takes the right to.
const WRITERS: &[&str] = &["apply", "restore", "recover"];

#[test]
fn right_to_write_is_taken_by_writing_commands_alone() {
    let lines = modules().remove("app").unwrap();
    let takes = lines.iter().filter(|(_, line)| line.contains(".writer()"));
    let files: BTreeSet<&str> =
        takes.map(|(file, _)| file.file_stem().unwrap().to_str().unwrap()).collect();
    let is_known = |file: &&str| WRITERS.iter().any(|writer| file.starts_with(writer));
    assert!(files.len() >= WRITERS.len() && files.iter().all(is_known), "{files:?}");
}

#[test]
fn layers_go_downward_only() {
    for (index, (module, known)) in MAY_KNOW.iter().enumerate() {
        for name in known.split_whitespace() {
            let below = MAY_KNOW.iter().position(|(other, _)| *other == name).unwrap();
            assert!(below < index, "{module} stands below {name} and may not know it");
        }
    }
}

#[test]
fn way_of_one_target_in_the_docs_passes_at_most_forty_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let section =
        page.split("\n## ").find(|part| part.starts_with("The way of one target")).unwrap();
    let mut files = 0;
    for step in section.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let mut names = step.split('`').skip(1).step_by(2);
        let folder = root.join(names.next().unwrap());
        for name in names {
            assert!(folder.join(name).is_file(), "{} has no {name}", folder.display());
            files += 1;
        }
    }
    assert!((20..=40).contains(&files), "{files} files");
}
