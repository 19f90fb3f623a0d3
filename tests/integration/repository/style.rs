//! Language of the comments: see the glossary in CONTRIBUTING.md.
//!
//! Doc summaries open with a noun phrase, those of functions with a third-person verb; comment
//! lines fit 100 columns.

use std::path::{Path, PathBuf};

/// Words with which a summary must not open: it would ask a question or name nothing.
const INDEFINITE: &[&str] = &[
    "what",
    "whether",
    "how",
    "who",
    "whoever",
    "whatever",
    "so",
    "nothing",
    "nobody",
    "somebody",
    "somebody's",
    "everybody",
    "as",
    "for",
    "such",
    "any",
    "it",
    "not",
    "no",
    "where",
    "when",
    "why",
    "which",
    "those",
    "that",
];

/// Words that end in `s` and are no verbs.
const NO_VERBS: &[&str] = &[
    "this",
    "its",
    "always",
    "as",
    "is",
    "has",
    "was",
    "does",
    "requests",
    "cards",
    "users",
    "commands",
    "bytes",
    "lines",
    "seconds",
    "times",
    "people",
    "arguments",
    "options",
    "layouts",
    "targets",
    "pages",
    "records",
    "files",
    "names",
    "ids",
    "fields",
    "rows",
];

/// Maximum width of a comment line, in characters.
const WIDTH: usize = 100;

/// Maximum number of lines of a file of the program.
const MAX_LINES: usize = 450;

/// Longer files, which still have to be split. An entry goes with its reason.
const LONG_FILES: &[&str] = &[];

/// First line of a doc comment.
struct Summary {
    /// The place, as `file:line`.
    place: String,
    /// The first word, without markup.
    opening: String,
    /// `true` if the comment belongs to a function.
    is_function: bool,
}

/// Returns all Rust files below the folders of the repository that hold code.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["src", "crates", "tests", "benches"].map(|name| root.join(name)).into();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns `true` if a line declares a function, with any qualifiers.
fn declares_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        ["pub", "const", "async", "unsafe"].contains(word)
            || word.starts_with("pub(")
            || (word.ends_with(')') && !word.contains('('))
    });
    words.next() == Some("fn")
}

/// Returns the summaries of a file of code.
fn summaries(name: &str, text: &str) -> Vec<Summary> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_doc = |line: &str| line.starts_with("///") || line.starts_with("//!");
    let begins =
        |at: &usize| is_doc(lines[*at]) && (*at == 0 || !is_doc(lines[at.saturating_sub(1)]));
    (0..lines.len())
        .filter(begins)
        .map(|at| {
            let first = lines[at].trim_start_matches(['/', '!', ' ']);
            let opening = first.split(' ').next().unwrap_or_default();
            let opening = opening.replace(['`', '[', ']', '*'], "");
            let item = lines[at..].iter().find(|line| {
                !(line.starts_with("///") || line.starts_with("#[") || line.is_empty())
            });
            Summary {
                place: format!("{name}:{}", at + 1),
                opening: opening.trim_end_matches([',', '.', ':', ';']).to_owned(),
                is_function: lines[at].starts_with("///")
                    && item.is_some_and(|line| declares_function(line)),
            }
        })
        .collect()
}

/// Returns `true` if a word looks like a verb in the third person.
fn is_verb(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.ends_with('s')
        && word.chars().skip(1).all(|c| c.is_ascii_lowercase())
        && !NO_VERBS.contains(&word.to_lowercase().as_str())
}

/// Returns the share of a part, in percent, rounded up.
fn percent(part: usize, whole: usize) -> usize {
    (part * 100).div_ceil(whole)
}

#[test]
fn doc_summaries_open_with_a_noun_or_a_verb() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_test = |name: &str| {
        name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("tests.rs")
    };
    let mut found = Vec::new();
    for file in files() {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        if !is_test(&name) && !name.starts_with("benches/") {
            found.extend(summaries(&name, &std::fs::read_to_string(&file).unwrap()));
        }
    }
    let is_indefinite =
        |summary: &&Summary| INDEFINITE.contains(&summary.opening.to_lowercase().as_str());
    let indefinite: Vec<&str> =
        found.iter().filter(is_indefinite).map(|summary| summary.place.as_str()).collect();
    let functions: Vec<&Summary> = found.iter().filter(|summary| summary.is_function).collect();
    let no_verb: Vec<&str> = functions
        .iter()
        .filter(|summary| !is_verb(&summary.opening))
        .map(|summary| summary.place.as_str())
        .collect();
    assert!(found.len() > 1_000 && functions.len() > 500, "{} {}", found.len(), functions.len());
    assert!(
        percent(indefinite.len(), found.len()) <= 5,
        "{} of {} summaries open with a question or an indefinite word: {indefinite:#?}",
        indefinite.len(),
        found.len()
    );
    assert!(
        percent(no_verb.len(), functions.len()) <= 25,
        "{} of {} summaries of functions do not open with a verb: {no_verb:#?}",
        no_verb.len(),
        functions.len()
    );
}

#[test]
fn comment_lines_fit_the_width_of_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wide = Vec::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut in_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            let comment = line.trim_start();
            let content = comment.trim_start_matches(['/', '!']).trim_start();
            in_code = comment.starts_with("//") && (in_code ^ content.starts_with("```"));
            // Tables and code cannot be wrapped, and neither can a word longer than a line.
            let is_text = comment.starts_with("//") && !in_code && !content.starts_with('|');
            let is_wide = line.chars().count() > WIDTH;
            if is_text && is_wide && line.split_whitespace().all(|word| word.len() < WIDTH - 12) {
                wide.push(format!("{}:{number}", file.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(wide.is_empty(), "wrap these comments at {WIDTH} columns: {wide:#?}");
}

#[test]
fn files_of_the_program_have_at_most_450_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    for file in files() {
        let name = file.strip_prefix(root).unwrap().display().to_string();
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if lines > MAX_LINES && (name.starts_with("src/") || name.starts_with("crates/")) {
            long.push(name);
        }
    }
    assert_eq!(long, LONG_FILES, "split these by noun, or take them off the list");
}

#[test]
fn style_counter_tells_openings_apart() {
    let text = "//! What it is.\n\n/// Returns `x`.\n#[must_use]\npub(crate) const fn x() {}\n\
                /// The x.\npub(in crate::a) fn y() {}\n/// A noun.\nstruct Z;\n";
    let found = summaries("a.rs", text);
    let seen: Vec<(&str, bool)> =
        found.iter().map(|summary| (summary.opening.as_str(), summary.is_function)).collect();
    assert_eq!(seen, [("What", false), ("Returns", true), ("The", true), ("A", false)]);
    assert!(is_verb("Returns") && !is_verb("The") && !is_verb("Bytes") && !is_verb("RFCs"));
    assert_eq!(found[1].place, "a.rs:3");
}
