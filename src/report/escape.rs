//! Escapes for foreign text in each format.
//!
//! Names of people, titles of sections, reasons in manifests and the portal's own messages can hold
//! anything: an escape sequence that rewrites the terminal, a link or a mention in a comment, a
//! formula in a spreadsheet, a command to a build server. Each format has its own special
//! characters, and its own function here.

use std::borrow::Cow;
use std::fmt::Write as _;

pub use crate::diagnostic::visible;
use crate::diagnostic::{CommandMarkers, is_unsafe, strip_controls};

/// Makes a line safe as [`visible`] does, but keeps its indentation.
pub(super) fn visible_line(line: &str) -> String {
    let (blanks, text) = line.split_at(line.len() - line.trim_start().len());
    format!("{blanks}{}", visible(text))
}

/// Escapes text for Markdown as GitHub and GitLab read it, on one line, also in a table.
///
/// Plain words stay as they are. Any other text goes into a `code` element with each special
/// character as a character reference: there it cannot become a link, a mention, a reference to an
/// issue or commit, an emoji, a table cell or HTML.
pub(super) fn markdown(text: &str) -> String {
    let text = strip_controls(text);
    if text.is_empty() || is_plain(&text) {
        return text.into_owned();
    }
    format!("<code>{}</code>", references(&text))
}

/// Escapes text inside a `pre` or `code` element.
pub(super) fn references(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns `true` if a text consists of words, numbers and characters without a meaning in Markdown
/// at their place.
fn is_plain(text: &str) -> bool {
    // Seven hexadecimal digits and more may be taken for a commit.
    let may_be_a_commit = |word: &str| {
        word.len() >= 7
            && word.chars().all(|c| c.is_ascii_hexdigit())
            && word.chars().any(|c| c.is_ascii_digit())
    };
    let mut before = ' ';
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let after = signs.peek().copied().unwrap_or(' ');
        let is_harmless = match sign {
            ' ' => before != ' ',
            ',' | '%' | '(' | ')' | ';' => true,
            // A colon at the end may meet one of recard's own.
            ':' => before.is_alphanumeric() && after == ' ' && signs.peek().is_some(),
            '.' => before.is_alphanumeric() && after == ' ',
            '-' | '\'' => before.is_alphabetic() && after.is_alphabetic(),
            sign => sign.is_alphanumeric(),
        };
        if !is_harmless {
            return false;
        }
        before = sign;
    }
    // Words at the beginning have a meaning in Markdown only with a special character behind them:
    // `1. x` makes a list.
    let first_is_a_number =
        text.split(' ').next().is_some_and(|word| word.ends_with('.') || word.ends_with(')'));
    before != ' '
        && !first_is_a_number
        && !text.split([' ', '(', ')', ',', ';']).any(may_be_a_commit)
}

/// Returns an equivalent JSON document without characters that a terminal or a build server
/// executes: they are written as escapes, so that the decoded values stay exact.
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut signs = CommandMarkers::default();
    for c in document.chars() {
        // Between strings JSON has neither two colons nor a hash.
        if signs.doubles(c) || (is_unsafe(c) && c != '\n') {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns a text that XML can hold. Control characters but line breaks are replaced.
pub(super) fn xml_text(text: &str) -> String {
    let holds = |c: char| (!c.is_control() || c == '\n') && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if holds(c) { c } else { '\u{fffd}' }).collect()
}

/// Returns an XML document that says the same, with nothing in it that a terminal or a build server
/// obeys: that is written as references, so that the decoded values stay exact. Line breaks inside
/// tags belong to attributes, where only a reference keeps them.
pub(super) fn xml(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut signs = CommandMarkers::default();
    let mut is_in_tag = false;
    for c in document.chars() {
        is_in_tag = c == '<' || (is_in_tag && c != '>');
        if signs.doubles(c) || (is_unsafe(c) && (c != '\n' || is_in_tag)) {
            let _ = write!(out, "&#{};", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Escapes the message of a workflow command of GitHub Actions. Line breaks are kept, in the form
/// of the format.
pub(super) fn command_message(text: &str) -> String {
    let clean: Vec<Cow<'_, str>> = text.split('\n').map(visible).collect();
    clean.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// Escapes a property of a workflow command of GitHub Actions. The format has escapes for the
/// characters that end a property, and none for a hash.
pub(super) fn command_property(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut signs = CommandMarkers::default();
    for c in strip_controls(text).chars() {
        if signs.completes(c) && c != ':' {
            out.push(' ');
        }
        match c {
            '%' => out.push_str("%25"),
            ':' => out.push_str("%3A"),
            ',' => out.push_str("%2C"),
            c => out.push(c),
        }
    }
    out
}

/// Returns a field of a table for spreadsheets. A text that a spreadsheet would take for a formula
/// gets an apostrophe in front, as spreadsheets themselves write such texts.
pub(super) fn csv(text: &str) -> String {
    let text = visible(text);
    // A spreadsheet may look for the formula behind blanks.
    let formula = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '\u{fffd}']);
    format!("{}{text}", if formula { "'" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text with everything that a terminal or a build server executes.
    const TRAP: &str = "a::b ##[x] ##vso[y] ##teamcity[z] ::: ### \u{9b}\u{202e}\t\r\n\u{1b}[2J";

    fn is_safe(text: &str) -> bool {
        !["::", "##[", "##vso[", "##teamcity["].iter().any(|sign| text.contains(sign))
            && !text.chars().any(|c| is_unsafe(c) && c != '\n')
    }

    #[test]
    fn json_decodes_to_the_exact_value_and_shows_nothing_that_is_obeyed() {
        let value = serde_json::json!({"a::b": TRAP, "c": ["::x", "#", ":"]});
        for document in [value.to_string(), format!("{value:#}")] {
            let safe = json(&document);
            assert!(is_safe(&safe), "{safe}");
            assert!(safe.contains("#\\u0023[x]") && safe.contains("a:\\u003ab"), "{safe}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }

    #[test]
    fn xml_document_shows_nothing_that_is_obeyed() {
        let document = "<a b=\"x::y\n##[z]\">x::y\n##[z]\u{202e}</a>";
        let safe = xml(document);
        assert_eq!(safe.matches('\n').count(), 1, "{safe}");
        assert!(is_safe(&safe) && safe.contains("x:&#58;y\n#&#35;[z]&#8238;"), "{safe}");
        let parsed = roxmltree::Document::parse(&safe).unwrap();
        assert_eq!(parsed.root_element().text(), Some("x::y\n##[z]\u{202e}"));
        assert_eq!(parsed.root_element().attribute("b"), Some("x::y\n##[z]"));
    }

    #[test]
    fn other_formats_show_nothing_that_is_obeyed() {
        for safe in [
            markdown(TRAP),
            csv(TRAP),
            command_property(TRAP),
            command_message(TRAP),
            visible_line(TRAP),
        ] {
            assert!(is_safe(&safe) && !safe.contains('\n'), "{safe}");
        }
        assert!(
            markdown("##[x] ::y").contains("&#35;&#35;&#91;x&#93; &#58;&#58;y"),
            "a reference decodes to the sign"
        );
    }

    #[test]
    fn markdown_keeps_words_and_disarms_the_rest() {
        assert_eq!(markdown("Anna Петрова"), "Anna Петрова");
        for trap in [
            "@everyone",
            "#1",
            "GH-1",
            "a|b",
            "<img src=x>",
            "[x](javascript:y)",
            "**b**",
            "`c`",
            "https://x.example",
            "www.x.example",
            ":tada:",
            "1234abc",
            "&lt;",
            "--- x",
            "- x",
            "1. x",
            "| x",
            "  x",
            "a  b",
            "x\n# y",
        ] {
            let safe = markdown(trap);
            let inner =
                safe.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>")).unwrap();
            let bare = inner.chars().filter(char::is_ascii_punctuation).all(|c| "&#;".contains(c));
            assert!(bare, "{trap}: {safe}");
        }
        assert_eq!(markdown("a|b"), "<code>a&#124;b</code>");
    }

    #[test]
    fn xml_text_holds_only_what_xml_may_hold() {
        assert_eq!(
            xml_text("a\n\t\u{0}\u{1b}\u{9b}\u{ffff}"),
            "a\n\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn github_command_with_line_breaks_and_colons_is_escaped() {
        assert_eq!(command_message("50 %\n::error::x"), "50 %25%0A: :error: :x");
        assert_eq!(command_property("a,b::c ##[d]"), "a%2Cb%3A%3Ac ## [d]");
    }

    #[test]
    fn csv_formula_is_escaped_as_text() {
        for formula in ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1"] {
            assert!(csv(formula).starts_with('\''), "{formula}: {}", csv(formula));
        }
        assert_eq!(csv("say \"hi\", Ivan"), "say \"hi\", Ivan");
    }
}
