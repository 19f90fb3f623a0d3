//! Manifests: YAML in git, read into a [`Declaration`].
//!
//! Reading is strict and complete: every unknown key or value is an error, and all problems of all
//! files are reported in one run, each with its position and its remedy. A declaration with an
//! error never reaches a portal: [`load`] returns a declaration or errors, never both.
//!
//! This is the only module that names the YAML crate. Text becomes a tree of nodes with positions
//! (`document_tree`, `yaml_tree`), the tree is decoded by hand (`decode`, `mapping`, `cards`,
//! `value`), and the documents are compared with each other at the end (`cross_checks`).

mod cards;
mod cross_checks;
mod declaration;
mod decode;
mod document_tree;
mod fleet;
mod mapping;
mod value;
mod yaml_tree;

pub use declaration::{
    CardSelector, Declaration, DepartmentName, DepartmentSelector, Document, Exceptions, Located,
    PersonalBlock, PipelineName, ProcessName, UserSelection,
};

pub use document_tree::MAX_FILE_BYTES;
pub use fleet::{
    Fleet, FleetFiles, FleetGuards, FleetPortal, FleetWave, LabelSelector, LoadedFleet, Pause,
    PortalMode, SecretReference, SelectorError, StopRule, load_fleet,
};

pub use crate::diagnostic::Source;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::model::SourceLocation;

/// JSON Schema of a manifest, draft-07, for editors and other programs. Tests compare it with the
/// decoder: every valid example validates, and every file with an error of form does not.
pub const SCHEMA: &str = include_str!("../../schemas/recard.v1.schema.json");

/// JSON Schema of a fleet and of its portals, draft-07.
pub const FLEET_SCHEMA: &str = include_str!("../../schemas/fleet.v1.schema.json");

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
        for node in document_tree::parse(source, &mut diagnostics) {
            documents.extend(decode::document(&node, &source.name, &mut diagnostics));
        }
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
    let diagnostics = document_tree::sorted(diagnostics);
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

#[cfg(test)]
mod tests;
