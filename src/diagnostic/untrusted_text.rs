//! Foreign text, made safe for terminals and build servers.
//!
//! Names of people, titles of sections, reasons in manifests, names of files and the portal's own
//! messages can hold anything: an escape sequence that rewrites the terminal, a mark that changes
//! the direction of writing, a command to a build server. All code that prints such a text calls a
//! function of this module. A format with an escape of its own (JSON, XML, HTML) uses that instead,
//! with the same two tests, [`is_unsafe`] and [`CommandMarkers`], so that the decoded value stays
//! exact.
//!
//! Build servers look for commands in the lines of a log: GitHub Actions for `::name` at the
//! beginning of a line and `##[name]` anywhere, Azure Pipelines for `##vso[` and `##[`, TeamCity
//! for `##teamcity[`. The position of such a marker depends on text that may come later, so the
//! markers are broken up at every position.

use std::borrow::Cow;

/// Replacement of a character that a terminal would execute.
const REPLACEMENT: char = '\u{fffd}';

/// Returns `true` for a control character, and for a mark that changes the direction of writing or
/// acts as a line end. The joiners that some scripts and emoji need are safe.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Search for the markers of build servers in a text, character by character.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CommandMarkers {
    last: Option<char>,
    before_last: Option<char>,
}

impl CommandMarkers {
    /// Returns `true` if the next character of the text would complete a marker, and a break must
    /// stand in front of it.
    ///
    /// A blank breaks `::` and `##[`. A format with escapes writes the character as an escape
    /// instead.
    pub(crate) fn completes(&mut self, next: char) -> bool {
        let colons = next == ':' && self.last == Some(':');
        let hashes = !matches!(next, '#' | ' ' | '\n')
            && self.last == Some('#')
            && self.before_last == Some('#');
        (self.before_last, self.last) = (self.last, Some(next));
        colons || hashes
    }

    /// Returns `true` if the next character would double a hash: the test for formats that can only
    /// escape punctuation.
    pub(crate) fn doubles(&mut self, next: char) -> bool {
        let doubles = matches!(next, ':' | '#') && self.last == Some(next);
        self.last = Some(next);
        doubles
    }
}

/// Returns a text for one line, without characters that move the cursor, change colors or the
/// direction of writing, and with the markers of build servers broken up. Line breaks are replaced
/// as well.
pub fn visible(text: &str) -> Cow<'_, str> {
    if is_harmless(text, is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut signs = CommandMarkers::default();
    for c in text.chars() {
        push(&mut out, &mut signs, if is_unsafe(c) { REPLACEMENT } else { c });
    }
    Cow::Owned(out)
}

/// Returns a text of several lines, each made safe by [`visible`].
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    if is_harmless(text, |c| is_unsafe(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(visible).collect::<Vec<_>>().join("\n"))
}

/// Returns a text with the control and direction characters replaced and the markers of build
/// servers unchanged: for formats that escape the markers themselves.
pub(crate) fn strip_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if is_unsafe(c) { REPLACEMENT } else { c }).collect())
}

/// Returns a finished text for a terminal or a log. It may have lines, tabs, and the colors of
/// recard itself; all other control characters, and the markers of build servers, are treated as in
/// [`visible`].
///
/// This is the last check in front of a stream. It cannot tell recard's colors from foreign ones,
/// so foreign text goes through [`visible`] first.
pub fn terminal_safe(text: &str) -> Cow<'_, str> {
    if is_harmless(text, |c| is_unsafe(c) && !matches!(c, '\n' | '\t')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut signs = CommandMarkers::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = color(rest) {
            // The texts on both sides of a color are adjacent once the color is removed.
            out.push_str(rest.get(..length).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        let kept = matches!(c, '\n' | '\t') || (c == '\r' && rest.starts_with('\n'));
        let shown = if is_unsafe(c) && !kept { REPLACEMENT } else { c };
        if shown == ':' && out.ends_with(':') && is_in_address(&out, rest) {
            out.push(':');
            signs = CommandMarkers::default();
            continue;
        }
        push(&mut out, &mut signs, shown);
    }
    Cow::Owned(out)
}

fn push(out: &mut String, signs: &mut CommandMarkers, c: char) {
    if signs.completes(c) {
        out.push(' ');
    }
    out.push(c);
}

fn is_harmless(text: &str, disturbs: impl Fn(char) -> bool) -> bool {
    !text.contains("::") && !text.contains("##") && !text.contains(disturbs)
}

/// Returns the length of the color sequence (SGR) at the beginning of a text.
fn color(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
    parameters.get(end..)?.starts_with('m').then_some(end + 3)
}

/// Returns `true` if two colons belong to an IPv6 address in brackets, such as `[::1]`; `before`
/// ends with the first of them.
fn is_in_address(before: &str, after: &str) -> bool {
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let opens = before.trim_end_matches(is_part).ends_with('[');
    opens && after.trim_start_matches(is_part).starts_with(']')
}

/// Returns `true` if a character may stand inside a secret without being visible.
pub(super) fn is_invisible(c: char) -> bool {
    is_unsafe(c)
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{fffd}')
}

/// Skips the rest of a color sequence, behind its escape character.
pub(super) fn after_color(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let Some(parameters) = rest.strip_prefix('[') else { return at };
    match parameters.find(|c: char| !(c.is_ascii_digit() || c == ';')) {
        Some(end) if parameters.as_bytes().get(end) == Some(&b'm') => at + end + 2,
        _ => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_leaves_no_character_that_a_terminal_obeys() {
        assert_eq!(visible("Anna Петрова 👩‍🔧"), "Anna Петрова 👩‍🔧");
        assert_eq!(
            visible("\u{1b}[31mred\u{9b}m\r\n\u{202e}x"),
            "\u{fffd}[31mred\u{fffd}m\u{fffd}\u{fffd}\u{fffd}x"
        );
        for c in [
            '\0', '\u{7f}', '\u{85}', '\u{200f}', '\u{2028}', '\u{2066}', '\u{206a}', '\u{feff}',
            '\u{fff9}',
        ] {
            assert_eq!(visible(&format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
    }

    #[test]
    fn visible_signs_of_build_servers_are_taken_apart_at_every_position() {
        for (text, safe) in [
            ("::error::x", ": :error: :x"),
            ("Anna ::error::x", "Anna : :error: :x"),
            (":::", ": : :"),
            ("##[error]y", "## [error]y"),
            ("a ##vso[task.complete]", "a ## vso[task.complete]"),
            ("x##teamcity[message]", "x## teamcity[message]"),
            ("###[x]", "### [x]"),
            ("\u{202e}::x", "\u{fffd}: :x"),
            ("##\u{1b}[0m[x]", "## \u{fffd}[0m[x]"),
            ("a: b #1 ## c", "a: b #1 ## c"),
        ] {
            assert_eq!(visible(text), safe);
            assert_eq!(visible(safe), safe, "a safe text stays as it is");
            assert_eq!(terminal_safe(&visible(text)), safe, "the guard finds nothing left");
        }
    }

    #[test]
    fn terminal_safe_text_keeps_lines_and_colors_only() {
        let own = "\u{1b}[1mPlan:\u{1b}[0m\n\tone\r\ntwo\u{1b}[1;38;5;9m!";
        assert_eq!(terminal_safe(own), own);
        assert_eq!(
            terminal_safe("a\rb\u{1b}[2Jc\u{1b}]0;t\u{7}"),
            "a\u{fffd}b\u{fffd}[2Jc\u{fffd}]0;t\u{fffd}"
        );
        assert_eq!(terminal_safe("a:\u{1b}[0m:b #\u{1b}[0m#[c]"), "a:\u{1b}[0m :b #\u{1b}[0m# [c]");
        assert_eq!(
            terminal_safe("at http://[::1]:80, [::error]"),
            "at http://[::1]:80, [: :error]"
        );
    }
}
