//! Manifests: YAML in git, read into a [`Declaration`].
//!
//! Reading is strict and complete: every unknown key or value is an error, and all problems of all
//! files are reported in one run, each with its position and its remedy. A declaration with an
//! error never reaches a portal: [`load`] returns a declaration or errors, never both.
//!
//! This is the only module that names the YAML crate. Text becomes a tree of nodes with positions
//! (`yaml_tree`), the tree is decoded by hand (`decode`, `mapping`, `cards`, `value`), and the
//! documents are compared with each other at the end (`cross_checks`).

mod cards;
mod cross_checks;
mod declaration;
mod decode;
mod mapping;
mod value;
mod yaml_tree;

pub use declaration::{
    CardSelector, Declaration, DepartmentName, DepartmentSelector, Document, Exceptions, Located,
    PersonalBlock, PipelineName, ProcessName, UserSelection,
};

pub use crate::diagnostic::Source;

use crate::diagnostic::{Diagnostic, DiagnosticCode, secrets};
use crate::model::SourceLocation;

/// JSON Schema of a manifest, draft-07, for editors and other programs. Tests compare it with the
/// decoder: every valid example validates, and every file with an error of form does not.
pub const SCHEMA: &str = include_str!("../../schemas/recard.v1.schema.json");

/// Maximum size of a file in bytes: room for half a million ids. Reading stops there.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// Result of reading manifests.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The declaration; `None` if there was an error.
    pub declaration: Option<Declaration>,
    /// All problems, warnings included, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads manifests: every document of every source becomes a part of one declaration.
pub fn load(sources: &[Source]) -> Loaded {
    let mut diagnostics = Vec::new();
    let mut documents = Vec::new();
    for source in sources {
        documents.extend(read(source, &mut diagnostics));
    }
    if documents.is_empty() && diagnostics.is_empty() {
        let place = SourceLocation {
            file: sources.first().map_or("".into(), |source| source.name.clone()),
            line: 1,
            column: 1,
        };
        diagnostics.push(
            Diagnostic::error(DiagnosticCode::Empty, place, tr!("there is no manifest here")).help(tr!(
                "`recard schema` describes what belongs into one; an empty manifest never means \"nothing\""
            )),
        );
    }
    diagnostics.extend(cross_checks::check(&documents));
    diagnostics.sort_by(|one, other| (one.place(), one.code).cmp(&(other.place(), other.code)));
    diagnostics.dedup();
    let broken = diagnostics.iter().any(Diagnostic::is_error);
    let declaration = if broken { None } else { Declaration::new(documents) };
    Loaded { declaration, diagnostics }
}

/// Removes the byte order marks of a text: that at its beginning, and those in front of
/// concatenated documents.
pub fn without_byte_order_marks(bytes: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    let begins = |rest: &[u8], word: &[u8]| {
        rest.strip_prefix(word)
            .is_some_and(|rest| !matches!(rest.first(), Some(byte) if !byte.is_ascii_whitespace()))
    };
    if !bytes.windows(MARK.len()).any(|window| window == MARK) {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut is_first = true;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let rest = line.strip_prefix(MARK).filter(|rest| is_first || begins(rest, b"---"));
        out.extend_from_slice(rest.unwrap_or(line));
        is_first = begins(rest.unwrap_or(line), b"---") || begins(rest.unwrap_or(line), b"...");
    }
    out
}

/// Returns what a file is whose documents are all of another tool, as their keys `kind` and
/// `apiVersion` say; `None` if any of them may be meant for recard.
pub fn kind_of_other_tool(bytes: &[u8]) -> Option<String> {
    let nodes = yaml_tree::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    let kinds: Option<Vec<String>> = nodes.iter().map(decode::kind_of_other_tool).collect();
    kinds?.into_iter().next()
}

fn read(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Vec<Document> {
    let at = |line: usize, column: usize| SourceLocation {
        file: source.name.clone(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    if source.bytes.len() > MAX_FILE_BYTES {
        let text = tr!("the file has {} bytes, and the limit is 8 MiB", source.bytes.len());
        let help = tr!("select by department instead of by id, or split the file");
        diagnostics.push(Diagnostic::error(DiagnosticCode::TooLarge, at(1, 1), text).help(help));
        return Vec::new();
    }
    let text = match std::str::from_utf8(&source.bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(problem) => {
            let good = source.bytes.get(..problem.valid_up_to()).unwrap_or_default();
            let (line, column) = position(&String::from_utf8_lossy(good));
            let text =
                tr!("the file is not UTF-8: byte {} cannot be read", problem.valid_up_to() + 1);
            let help = tr!("save the file in the encoding UTF-8");
            diagnostics.push(
                Diagnostic::error(DiagnosticCode::NotUtf8, at(line, column), text).help(help),
            );
            return Vec::new();
        }
    };
    for secret in secrets(text) {
        let (line, column) = position(text.get(..secret.start).unwrap_or_default());
        diagnostics.push(
            Diagnostic::error(
                DiagnosticCode::WebhookUrl,
                at(line, column),
                tr!("the secret of a webhook stands in the manifest"),
            )
            .span(secret)
            .help(tr!(
                "remove it, put the address into RECARD_WEBHOOK_URL, and make a new webhook: who can read this file \
                     can do on the portal what the webhook may do"
            )),
        );
    }
    let mut documents = Vec::new();
    match yaml_tree::parse(text) {
        Ok(nodes) => {
            for node in nodes {
                documents.extend(decode::document(&node, &source.name, diagnostics));
            }
        }
        Err(problem) => {
            let yaml_tree::YamlError { code, line, column, message } = problem;
            let mut found = Diagnostic::error(
                code,
                SourceLocation { file: source.name.clone(), line, column },
                message,
            );
            if let Some(help) = yaml_tree::help(code) {
                found = found.help(help);
            }
            diagnostics.push(found);
        }
    }
    documents
}

/// Returns the line and column behind a text, each from 1; columns are counted in characters.
fn position(before: &str) -> (usize, usize) {
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
