//! Documents of a source as trees, with the checks of the text as a whole: size, encoding, secrets
//! and the syntax of YAML.

use super::yaml_tree::{self, YamlNode};
use crate::diagnostic::{Diagnostic, DiagnosticCode, Source, secrets};
use crate::model::SourceLocation;

/// Maximum size of a file in bytes: room for half a million ids. Reading stops there.
pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

/// Parses the documents of a source. The problems of its text are reported.
pub(super) fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Vec<YamlNode> {
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
                tr!("the manifest contains the secret of a webhook"),
            )
            .span(secret)
            .help(tr!(
                "remove it, put the address into RECARD_WEBHOOK_URL, and make a new webhook: who can read this file \
                     can do on the portal what the webhook may do"
            )),
        );
    }
    match yaml_tree::parse(text) {
        Ok(nodes) => nodes,
        Err(problem) => {
            let yaml_tree::YamlError { code, line, column, message } = problem;
            let place = SourceLocation { file: source.name.clone(), line, column };
            let mut found = Diagnostic::error(code, place, message);
            if let Some(help) = yaml_tree::help(code) {
                found = found.help(help);
            }
            diagnostics.push(found);
            Vec::new()
        }
    }
}

/// Sorts problems by place, and drops repeated ones.
pub(super) fn sorted(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|one, other| (one.place(), one.code).cmp(&(other.place(), other.code)));
    diagnostics.dedup();
    diagnostics
}

/// Returns the line and column behind a text, each from 1; columns are counted in characters.
fn position(before: &str) -> (usize, usize) {
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
