//! Rendering of diagnostics with the lines of the text.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::mask::secrets;
use super::untrusted_text::{CommandMarkers, is_unsafe, visible, visible_lines};
use super::{Diagnostic, Label, Severity, Source};

/// Number of problems of one file that are drawn. A file with more has usually one mistake with
/// many consequences.
pub const MAX_SHOWN_PER_FILE: usize = 50;

/// Length above which a line is not drawn; its position is printed all the same.
const MAX_LINE_CHARS: usize = 2_000;

/// Use of colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RenderStyle {
    /// Plain text.
    #[default]
    Plain,
    /// Text with the color sequences of a terminal.
    Ansi,
}

/// Draws problems, each with its lines, carets and help, in the given order.
///
/// Secrets are covered in every line that is drawn.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], style: RenderStyle) -> String {
    let renderer = match style {
        RenderStyle::Plain => Renderer::plain(),
        RenderStyle::Ansi => Renderer::styled(),
    };
    let texts: BTreeMap<&str, &Source> =
        sources.iter().map(|source| (&*source.name, source)).collect();
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut text = String::new();
    for diagnostic in diagnostics {
        let file = diagnostic.place().map_or("", |place| &*place.file);
        let count = shown.entry(file).or_default();
        *count += 1;
        if *count > MAX_SHOWN_PER_FILE {
            continue;
        }
        text.push_str(&draw(diagnostic, &texts, &renderer));
        text.push_str("\n\n");
    }
    for (file, count) in shown {
        if let Some(left @ 1..) = count.checked_sub(MAX_SHOWN_PER_FILE) {
            text.push_str(&tr!("and {left} more in {file}", left, file = visible(file)));
            text.push_str("\n\n");
        }
    }
    text
}

/// Label, ready to be drawn.
struct DrawnLabel {
    file: String,
    text: String,
    /// The line, if it can be drawn.
    line: Option<DrawnLine>,
}

/// Line of a text, ready to be drawn.
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
    let drawn = |label: &Label| DrawnLabel {
        file: visible(&label.place.file).into_owned(),
        text: visible(&label.text).into_owned(),
        line: texts.get(&*label.place.file).and_then(|source| line(source, label)),
    };
    let labels: Vec<(&Label, DrawnLabel)> =
        diagnostic.labels.iter().map(|label| (label, drawn(label))).collect();
    let message = visible(&diagnostic.message);
    let help = diagnostic.help.as_ref().map(|help| visible_lines(help));
    let mut group: Group<'_> =
        Group::with_title(level.primary_title(message.as_ref()).id(diagnostic.code.as_str()));
    for (index, (label, DrawnLabel { file, text: said, line })) in labels.iter().enumerate() {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let number = usize::try_from(label.place.line).unwrap_or(1);
        match line {
            Some(DrawnLine { text, underlined }) => {
                let annotation = kind.span(underlined.clone());
                let annotation =
                    if said.is_empty() { annotation } else { annotation.label(said.as_str()) };
                let snippet = Snippet::source(text.as_str()).path(file.as_str()).line_start(number);
                group = group.element(snippet.annotation(annotation));
            }
            None => {
                let origin = annotate_snippets::Origin::path(file.as_str());
                let column = usize::try_from(label.place.column).unwrap_or(1);
                group = group.element(origin.line(number).char_column(column));
            }
        }
    }
    if let Some(help) = &help {
        group = group.element(Level::HELP.with_name(help_word.as_str()).message(help.as_ref()));
    }
    // The renderer marks a second position with colons, which begin a command to a build server. No
    // other text has them at this point.
    renderer.render(&[group]).replace(":::", "-->")
}

/// Returns the line of a label; `None` if it does not exist or cannot be drawn.
fn line(source: &Source, label: &Label) -> Option<DrawnLine> {
    let number = usize::try_from(label.place.line).ok()?.checked_sub(1)?;
    let bytes = source.bytes.split(|byte| *byte == b'\n').nth(number)?;
    if bytes.len() > MAX_LINE_CHARS {
        return None;
    }
    let raw = std::str::from_utf8(bytes).ok()?.trim_end_matches('\r');
    let raw = if number == 0 { raw.trim_start_matches('\u{feff}') } else { raw };
    let column = usize::try_from(label.place.column).ok()?.saturating_sub(1);
    let start = raw.char_indices().nth(column).map_or(raw.len(), |(index, _)| index);
    let length = match &label.span {
        Some(span) => span.len().min(raw.len() - start),
        None => word_length(raw.get(start..).unwrap_or_default()),
    };
    let end =
        (start..=raw.len()).find(|index| *index >= start + length && raw.is_char_boundary(*index));
    Some(drawn(raw, start..end.unwrap_or(raw.len())))
}

/// Returns the length of the word at the beginning of a text.
fn word_length(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}' | '#'))
        .unwrap_or(text.len())
}

/// Returns the line with its secrets covered and made safe for a terminal, and the place of the
/// underlined bytes in it.
fn drawn(line: &str, underlined: Range<usize>) -> DrawnLine {
    let secrets = secrets(line);
    let mut out = String::with_capacity(line.len());
    let mut signs = CommandMarkers::default();
    let (mut start, mut end) = (None, None);
    for (index, c) in line.char_indices() {
        let is_secret = secrets.iter().any(|secret| secret.contains(&index));
        let c = match c {
            _ if is_secret => '*',
            '\t' => '\t',
            c if is_unsafe(c) => '\u{fffd}',
            c => c,
        };
        if signs.completes(c) {
            out.push(' ');
        }
        if index >= underlined.start {
            start.get_or_insert(out.len());
        }
        if index >= underlined.end {
            end.get_or_insert(out.len());
        }
        out.push(c);
    }
    let length = out.len();
    DrawnLine { text: out, underlined: start.unwrap_or(length)..end.unwrap_or(length) }
}

#[cfg(test)]
mod tests {
    use super::super::DiagnosticCode;
    use super::*;
    use crate::model::SourceLocation;

    fn place(line: u32, column: u32) -> SourceLocation {
        SourceLocation { file: "lead.yaml".into(), line, column }
    }

    fn source(text: &str) -> Vec<Source> {
        vec![Source { name: "lead.yaml".into(), bytes: text.into() }]
    }

    #[test]
    fn diagnostic_points_at_its_place() {
        let found =
            Diagnostic::error(DiagnosticCode::UnknownKey, place(2, 3), "unknown key `portl`")
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
 --> lead.yaml:1:1
  |
1 | spec:
  | ----- in this mapping
  |
  = help: did you mean `portal`?


"#]]
        );
    }

    #[test]
    fn secret_is_covered_in_every_line_that_is_drawn() {
        let found = Diagnostic::error(
            DiagnosticCode::WrongType,
            place(1, 9),
            "not https://a/rest/1/secret0123456789/",
        );
        let text = render(
            &[found],
            &source("portal: https://a/rest/1/secret0123456789/\n"),
            RenderStyle::Plain,
        );
        assert!(!text.contains("secret0123456789"), "{text}");
        assert!(text.contains("rest/1/****************/"), "{text}");
    }

    #[test]
    fn render_shows_nothing_that_a_terminal_or_a_build_server_obeys() {
        let trap = "##[x] ::y ##vso[z] \u{1b}[2J\u{202e}\u{9b}";
        let name: std::sync::Arc<str> = format!("{trap}.yaml").into();
        let place = |column| SourceLocation { file: name.clone(), line: 1, column };
        let found = Diagnostic::error(DiagnosticCode::WrongType, place(1), format!("not {trap}"))
            .label(place(9), format!("here {trap}"))
            .help(format!("one {trap}\ntwo {trap}"));
        for drawn in [true, false] {
            let sources =
                vec![Source { name: name.clone(), bytes: format!("{trap} key: x\n").into() }];
            let text = render(
                std::slice::from_ref(&found),
                if drawn { &sources } else { &[] },
                RenderStyle::Plain,
            );
            for sign in ["::", "##[", "##vso[", "\u{1b}", "\u{202e}", "\u{9b}"] {
                assert!(!text.contains(sign), "{sign:?}: {text}");
            }
            assert_eq!(text.contains("key: x"), drawn, "{text}");
        }
    }

    #[test]
    fn underlined_word_stays_underlined_behind_what_was_taken_apart() {
        let DrawnLine { text, underlined } = drawn("::a ##[b]: \u{202e}word é", 14..18);
        assert_eq!(text, ": :a ## [b]: \u{fffd}word é");
        assert_eq!(&text[underlined], "word");
    }

    #[test]
    fn diagnostic_outside_of_its_source_is_rendered_without_an_excerpt() {
        for (line, column) in [(0, 0), (1, 900), (99, 1), (u32::MAX, u32::MAX)] {
            let found = Diagnostic::error(DiagnosticCode::Syntax, place(line, column), "odd");
            assert!(render(&[found], &source("a: é\n"), RenderStyle::Plain).contains("odd"));
        }
    }
}
