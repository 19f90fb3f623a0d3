//! Layouts as text, and the diff of two of them.
//!
//! The text is canonical: equal layouts give equal text, whatever the order of their keys. A diff
//! shows only visible changes, and none of notation.

use std::fmt::Write as _;

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{ChangeTag, group_diff_ops};

use crate::diagnostic::strip_controls;
use crate::model::{Layout, Outline};

/// Number of unchanged lines around a change.
const CONTEXT: usize = 3;

/// One line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffLine {
    /// The kind of change.
    pub change: LineChange,
    /// The line without its end.
    pub text: String,
}

/// Kind of change of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineChange {
    /// The line stays.
    Same,
    /// The line is removed.
    Removed,
    /// The line is added.
    Added,
    /// Unchanged lines are left out here; the text is the position, as in a unified diff.
    Gap,
}

/// Returns a layout as lines: one line a section, its fields indented below it, flags and options
/// behind their field.
///
/// `None` gives no lines.
pub fn text(layout: Option<&Layout>) -> String {
    let mut text = String::new();
    let Some(layout) = layout else { return text };
    let Outline { sections, other } = layout.outline();
    if let Some(other) = other {
        let _ = writeln!(text, "(not a list of sections) {}", strip_controls(&other));
    }
    for section in sections {
        let _ = write!(
            text,
            "section {} {:?}",
            strip_controls(&section.name),
            strip_controls(&section.title)
        );
        attributes(&mut text, &section.other);
        for field in section.fields {
            let _ = write!(text, "  {}", strip_controls(&field.name));
            attributes(&mut text, &field.other);
        }
    }
    text
}

fn attributes(text: &mut String, attributes: &[(String, String)]) {
    for (name, value) in attributes {
        let _ = write!(text, "  {}={}", strip_controls(name), strip_controls(value));
    }
    text.push('\n');
}

/// Returns the unified diff from one layout to another; empty if they are equal.
pub fn diff(before: Option<&Layout>, after: Option<&Layout>) -> Vec<DiffLine> {
    let (before, after) = (text(before), text(after));
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    diff_lines(&before, &after)
}

/// Returns the unified diff of two texts; empty if they are equal.
fn diff_lines(before: &[&str], after: &[&str]) -> Vec<DiffLine> {
    // One algorithm by name: `TextDiff` chooses at run time and would link all of them into the
    // program.
    let mut found = Compact::new(Replace::new(Capture::new()), before, after);
    let Ok(()) = myers::diff(&mut found, before, 0..before.len(), after, 0..after.len());
    let mut lines = Vec::new();
    for hunk in group_diff_ops(found.into_inner().into_inner().into_ops(), CONTEXT) {
        lines.push(DiffLine {
            change: LineChange::Gap,
            text: UnifiedHunkHeader::new(&hunk).to_string(),
        });
        let changes = hunk.iter().flat_map(|part| part.iter_changes(before, after));
        lines.extend(changes.map(|change| DiffLine {
            change: match change.tag() {
                ChangeTag::Equal => LineChange::Same,
                ChangeTag::Delete => LineChange::Removed,
                ChangeTag::Insert => LineChange::Added,
            },
            text: change.value().to_owned(),
        }));
    }
    lines
}

impl LineChange {
    /// Returns the sign at the beginning of the line in a unified diff; empty for a position line.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::Removed => "-",
            Self::Added => "+",
            Self::Gap => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(json: &str) -> Layout {
        Layout::from_json(json).unwrap()
    }

    fn shown(before: Option<&Layout>, after: Option<&Layout>) -> String {
        diff(before, after)
            .iter()
            .map(|line| format!("{}{}\n", line.change.sign(), line.text))
            .collect()
    }

    const CARD: &str = r#"[{"name":"main","title":"About","type":"section","elements":[
        {"name":"TITLE","optionFlags":"1"},{"name":"PHONE","options":{"b":1,"a":2}}]}]"#;

    #[test]
    fn reset_shows_everything_that_is_lost() {
        snapbox::assert_data_eq!(
            shown(Some(&layout(CARD)), None),
            snapbox::str![[r#"
@@ -1,3 +0,0 @@
-section main "About"
-  TITLE  optionFlags="1"
-  PHONE  options={"a":2,"b":1}

"#]]
        );
    }

    #[test]
    fn diff_shows_a_change_with_its_context() {
        let changed = CARD
            .replace("About", "About the lead")
            .replace(r#""optionFlags":"1""#, r#""optionFlags":1"#);
        snapbox::assert_data_eq!(
            shown(Some(&layout(CARD)), Some(&layout(&changed))),
            snapbox::str![[r#"
@@ -1,3 +1,3 @@
-section main "About"
-  TITLE  optionFlags="1"
+section main "About the lead"
+  TITLE  optionFlags=1
   PHONE  options={"a":2,"b":1}

"#]]
        );
    }

    #[test]
    fn diff_ignores_the_notation_of_json() {
        let other =
            CARD.replace(r#""b":1,"a":2"#, r#""a":2,"b":1"#).replace("TITLE", "TI\\u0054LE");
        assert!(diff(Some(&layout(CARD)), Some(&layout(&other))).is_empty());
    }

    #[test]
    fn diff_shows_every_value_without_control_characters() {
        let odd = layout(
            "[{\"name\":\"a\",\"title\":\"x\\u001b[31m\",\"data\":{},\"type\":\"included_area\"}]",
        );
        assert_eq!(
            text(Some(&odd)),
            "section a \"x\u{fffd}[31m\"  data={}  type=\"included_area\"\n"
        );
        let odd = layout("{\"x\":\"\u{9b}31m\u{202e}\"}");
        assert_eq!(text(Some(&odd)), "(not a list of sections) {\"x\":\"\u{fffd}31m\u{fffd}\"}\n");
        assert_eq!(text(Some(&layout("false"))), "(not a list of sections) false\n");
        assert_eq!(text(Some(&layout("[]"))), "");
    }
}
