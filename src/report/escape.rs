//! Text that other people wrote, made harmless for where it is about to stand.
//!
//! Names of people, titles of sections, reasons in manifests and the portal's own messages can hold anything: an escape
//! sequence that rewrites the terminal, a link or a mention in a comment, a formula in a spreadsheet, a command to a build
//! server. Each format has its own traps, and its own function here.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text without what would move the cursor, change colours or turn the direction of writing: each such character becomes a
/// replacement character. Line breaks are replaced as well.
///
/// The two signs at which a build server takes the rest of a line for a command (`##[`, and `::` where a line begins) are
/// taken apart.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_disturbing) && !text.contains("##[") && !text.starts_with("::") {
        return Cow::Borrowed(text);
    }
    let text: String = text.chars().map(|c| if is_disturbing(c) { '\u{fffd}' } else { c }).collect();
    let text = text.replace("##[", "## [");
    Cow::Owned(if text.starts_with("::") { format!(" {text}").replacen("::", ": :", 1) } else { text })
}

/// Like [`visible`], of a line whose indentation stays as it is.
pub(super) fn visible_line(line: &str) -> String {
    let (blanks, text) = line.split_at(line.len() - line.trim_start().len());
    format!("{blanks}{}", visible(text))
}

/// Control characters, and marks that turn the direction of writing or end a line without being control characters. The
/// joiners that some scripts and emoji need are left alone.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Text for Markdown as GitHub and GitLab read it, on one line, safe in a table too.
///
/// Plain words stay as they are. Everything else goes into a `code` element with each sign as a character reference: there
/// nothing is a link, a mention, a reference to an issue or commit, an emoji, a table cell or HTML.
pub(super) fn markdown(text: &str) -> String {
    let text = visible(text);
    if text.is_empty() || is_plain(&text) {
        return text.into_owned();
    }
    format!("<code>{}</code>", references(&text))
}

/// Text inside a `pre` or `code` element.
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

/// Whether a text is made of words, numbers and signs that no Markdown gives a meaning where they stand.
fn is_plain(text: &str) -> bool {
    // Seven hexadecimal digits and more may be taken for a commit.
    let may_be_a_commit = |word: &str| {
        word.len() >= 7 && word.chars().all(|c| c.is_ascii_hexdigit()) && word.chars().any(|c| c.is_ascii_digit())
    };
    let mut before = ' ';
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        let after = signs.peek().copied().unwrap_or(' ');
        let is_harmless = match sign {
            ' ' => before != ' ',
            ',' | '%' | '(' | ')' | ';' => true,
            '.' | ':' => before.is_alphanumeric() && after == ' ',
            '-' | '\'' => before.is_alphabetic() && after.is_alphabetic(),
            sign => sign.is_alphanumeric(),
        };
        if !is_harmless {
            return false;
        }
        before = sign;
    }
    // Words at the beginning can mean something to Markdown only with a sign behind them: `1. x` makes a list.
    let first_is_a_number = text.split(' ').next().is_some_and(|word| word.ends_with('.') || word.ends_with(')'));
    before != ' ' && !first_is_a_number && !text.split([' ', '(', ')', ',', ';']).any(may_be_a_commit)
}

/// A JSON document that says the same, but holds none of the signs that [`visible`] takes apart: they are written as
/// escapes, so that nothing is lost for programs and nothing is obeyed where the document is looked at.
pub(super) fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if is_disturbing(c) && c != '\n' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.replace("##[", "#\\u0023[")
}

/// Text for XML, in an element or an attribute. Characters that XML cannot hold are replaced.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if is_disturbing(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.replace("##[", "#&#35;[")
}

/// The message of a workflow command of GitHub Actions. Line breaks are kept, in the form that the format gives them.
pub(super) fn command_message(text: &str) -> String {
    let clean: Vec<Cow<'_, str>> = text.split('\n').map(visible).collect();
    clean.join("\n").replace('%', "%25").replace('\n', "%0A")
}

/// A property of a workflow command of GitHub Actions.
pub(super) fn command_property(text: &str) -> String {
    command_message(text).replace(':', "%3A").replace(',', "%2C")
}

/// A field of a table for spreadsheets, quoted. A text that a spreadsheet would take for a formula gets an apostrophe in
/// front, as spreadsheets themselves write such texts.
pub(super) fn csv(text: &str) -> String {
    let text = visible(text);
    // A spreadsheet may look for the formula behind blanks.
    let formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '|', '\u{fffd}']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(visible("Anna Петрова 👩‍🔧"), "Anna Петрова 👩‍🔧");
        assert_eq!(visible("\u{1b}[31mred\u{9b}m\r\n\u{202e}x"), "\u{fffd}[31mred\u{fffd}m\u{fffd}\u{fffd}\u{fffd}x");
        assert_eq!(visible("::error::x ##[error]y"), " : :error::x ## [error]y");
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
            let inner = safe.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>")).unwrap();
            let bare = inner.chars().filter(char::is_ascii_punctuation).all(|c| "&#;".contains(c));
            assert!(bare, "{trap}: {safe}");
        }
        assert_eq!(markdown("a|b"), "<code>a&#124;b</code>");
    }

    #[test]
    fn xml_holds_only_what_xml_may_hold() {
        assert_eq!(
            xml("<a b='c'>\"&\u{0}\u{1b}\u{ffff}"),
            "&lt;a b=&apos;c&apos;&gt;&quot;&amp;\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_workflow_command_ends_where_it_should() {
        assert_eq!(command_message("50 %\n::error::x"), "50 %25%0A : :error::x");
        assert_eq!(command_property("a,b:c"), "a%2Cb%3Ac");
    }

    #[test]
    fn a_formula_is_a_text_in_a_spreadsheet() {
        for formula in ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "＝1"] {
            assert!(csv(formula).starts_with("\"'"), "{formula}: {}", csv(formula));
        }
        assert_eq!(csv("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(csv("Anna, Ivan"), "\"Anna, Ivan\"");
    }
}
