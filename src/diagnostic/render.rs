//! Draws problems into the text that they are about.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::secret::secrets;
use super::{Diagnostic, Label, Severity, Source};

/// How many problems of one file are drawn. A file with more has usually one mistake that is seen everywhere.
pub const SHOWN_PER_FILE: usize = 50;

/// A line that is longer than this is not drawn; its place is told all the same.
const LONGEST_LINE: usize = 2_000;

/// Whether colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RenderStyle {
    /// Plain text.
    #[default]
    Plain,
    /// With the colours of a terminal.
    Ansi,
}

/// Draws problems, each with its lines, carets and help, in the order given.
///
/// Secrets are covered in every line that is drawn, whatever the problem is about.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], style: RenderStyle) -> String {
    let renderer = match style {
        RenderStyle::Plain => Renderer::plain(),
        RenderStyle::Ansi => Renderer::styled(),
    };
    let texts: BTreeMap<&str, &Source> = sources.iter().map(|source| (&*source.name, source)).collect();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let file = diagnostic.place().map_or("", |place| &*place.file);
        let count = shown.entry(file).or_default();
        *count += 1;
        if *count > SHOWN_PER_FILE {
            continue;
        }
        text.push_str(&draw(diagnostic, &texts, &renderer));
        text.push_str("\n\n");
    }
    for (file, count) in shown {
        if let Some(left @ 1..) = count.checked_sub(SHOWN_PER_FILE) {
            text.push_str(&tr!("and {left} more in {file}", left, file));
            text.push_str("\n\n");
        }
    }
    text
}

/// A line of a text, ready to be drawn.
struct DrawnLine {
    text: String,
    /// The bytes to underline, within the line.
    underlined: Range<usize>,
}

fn draw(diagnostic: &Diagnostic, texts: &BTreeMap<&str, &Source>, renderer: &Renderer) -> String {
    let (error, warning, help_word) = (tr!("error"), tr!("warning"), tr!("help"));
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR.with_name(error.as_str()),
        Severity::Warning => Level::WARNING.with_name(warning.as_str()),
    };
    let lines: Vec<(&Label, Option<DrawnLine>)> = diagnostic
        .labels
        .iter()
        .map(|label| (label, texts.get(&*label.place.file).and_then(|source| line(source, label))))
        .collect();
    let mut group: Group<'_> =
        Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str()));
    for (index, (label, line)) in lines.iter().enumerate() {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let number = usize::try_from(label.place.line).unwrap_or(1);
        match line {
            Some(DrawnLine { text, underlined }) => {
                let annotation = kind.span(underlined.clone());
                let annotation = if label.text.is_empty() { annotation } else { annotation.label(&*label.text) };
                let snippet = Snippet::source(text.as_str()).path(&*label.place.file).line_start(number);
                group = group.element(snippet.annotation(annotation));
            }
            None => {
                let origin = annotate_snippets::Origin::path(&*label.place.file);
                let column = usize::try_from(label.place.column).unwrap_or(1);
                group = group.element(origin.line(number).char_column(column));
            }
        }
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.with_name(help_word.as_str()).message(help.as_str()));
    }
    renderer.render(&[group])
}

/// Finds the line that a label is about; nothing if it is not there or cannot be drawn.
fn line(source: &Source, label: &Label) -> Option<DrawnLine> {
    let number = usize::try_from(label.place.line).ok()?.checked_sub(1)?;
    let bytes = source.bytes.split(|byte| *byte == b'\n').nth(number)?;
    if bytes.len() > LONGEST_LINE {
        return None;
    }
    let raw = std::str::from_utf8(bytes).ok()?.trim_end_matches('\r');
    let raw = if number == 0 { raw.trim_start_matches('\u{feff}') } else { raw };
    let column = usize::try_from(label.place.column).ok()?.saturating_sub(1);
    let start = raw.char_indices().nth(column).map_or(raw.len(), |(index, _)| index);
    let length = match &label.span {
        Some(span) => span.len().min(raw.len() - start),
        None => word(raw.get(start..).unwrap_or_default()),
    };
    let end = (start..=raw.len()).find(|index| *index >= start + length && raw.is_char_boundary(*index));
    Some(DrawnLine { text: covered(raw), underlined: start..end.unwrap_or(raw.len()) })
}

/// The length of the word at the beginning of a text.
fn word(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}' | '#')).unwrap_or(text.len())
}

/// The line with its secrets covered, byte for byte, so that places stay where they are; other characters that a terminal
/// would obey are covered too.
fn covered(line: &str) -> String {
    let mut bytes = line.as_bytes().to_vec();
    for secret in secrets(line) {
        if let Some(part) = bytes.get_mut(secret) {
            part.fill(b'*');
        }
    }
    for byte in &mut bytes {
        if byte.is_ascii_control() && *byte != b'\t' {
            *byte = b'?';
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Code;
    use super::*;
    use crate::model::Place;

    fn place(line: u32, column: u32) -> Place {
        Place { file: "lead.yaml".into(), line, column }
    }

    fn source(text: &str) -> Vec<Source> {
        vec![Source { name: "lead.yaml".into(), bytes: text.into() }]
    }

    #[test]
    fn a_problem_is_drawn_where_it_is() {
        let found = Diagnostic::error(Code::UnknownKey, place(2, 3), "unknown key `portl`")
            .label(place(1, 1), "in this mapping")
            .help("did you mean `portal`?");
        snapbox::assert_data_eq!(
            render(&[found], &source("spec:\n  portl: x\n"), RenderStyle::Plain),
            snapbox::str![[r#"
error[RC0201]: unknown key `portl`
 --> lead.yaml:2:3
  |
2 |   portl: x
  |   ^^^^^^
  |
 ::: lead.yaml:1:1
  |
1 | spec:
  | ----- in this mapping
  |
  = help: did you mean `portal`?


"#]]
        );
    }

    #[test]
    fn a_secret_is_covered_in_every_line_that_is_drawn() {
        let found = Diagnostic::error(Code::WrongType, place(1, 9), "not https://a/rest/1/secret0123456789/");
        let text = render(&[found], &source("portal: https://a/rest/1/secret0123456789/\n"), RenderStyle::Plain);
        assert!(!text.contains("secret0123456789"), "{text}");
        assert!(text.contains("rest/1/****************/"), "{text}");
    }

    #[test]
    fn odd_places_are_told_without_being_drawn() {
        for (line, column) in [(0, 0), (1, 900), (99, 1), (u32::MAX, u32::MAX)] {
            let found = Diagnostic::error(Code::Syntax, place(line, column), "odd");
            assert!(render(&[found], &source("a: é\n"), RenderStyle::Plain).contains("odd"));
        }
    }
}
