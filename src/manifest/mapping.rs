//! Decoder of a mapping, key by key: an unknown, duplicate or missing key is an error.

use std::sync::Arc;

use similar::DiffTag;
use similar::algorithms::{Capture, myers};

use super::yaml_tree::{YamlNode, YamlValue};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::i18n::Text;
use crate::model::SourceLocation;

/// Similarity from which a word may be a misspelling of another one, as in Python's `difflib`.
const MIN_SIMILARITY: f64 = 0.6;

/// Collector of problems during the decoding of a file.
pub(super) struct Finder<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) found: &'a mut Vec<Diagnostic>,
}

impl Finder<'_> {
    /// Returns the position of a node.
    pub(super) fn place(&self, node: &YamlNode) -> SourceLocation {
        let file = node.file.as_ref().unwrap_or(self.file);
        SourceLocation { file: Arc::clone(file), line: node.line, column: node.column }
    }

    /// Reports a problem with a node.
    pub(super) fn error(
        &mut self,
        code: DiagnosticCode,
        node: &YamlNode,
        message: impl Into<Text>,
        help: Option<Text>,
    ) {
        let mut found = Diagnostic::error(code, self.place(node), message).span(node.span.clone());
        if let Some(help) = help {
            found = found.help(help);
        }
        self.found.push(found);
    }

    /// Reports a value of a wrong type.
    pub(super) fn wrong_type(&mut self, node: &YamlNode, wanted: Text, what: impl Into<Text>) {
        let (what, is) = (what.into(), |known| wanted.english() == known);
        let message = tr!("{what} must be {wanted}, and this is {}", node.kind(), what, wanted);
        let help = match &node.value {
            YamlValue::Null => Some(tr!("give it a value, or remove the key")),
            YamlValue::Whole(number) if is("a text") => {
                Some(tr!("put it in quotes: \"{number}\"", number))
            }
            YamlValue::Odd(number) if is("a text") => {
                Some(tr!("put it in quotes: \"{number}\"", number))
            }
            YamlValue::Bool(value) if is("a text") => {
                Some(tr!("put it in quotes: \"{value}\"", value))
            }
            YamlValue::Text(_) if is("true or false") => {
                Some(tr!("write true or false, without quotes"))
            }
            _ => None,
        };
        self.error(DiagnosticCode::WrongType, node, message, help);
    }

    /// Reports a value of a wrong type, with a suggestion.
    pub(super) fn wrong_type_with(
        &mut self,
        node: &YamlNode,
        wanted: Text,
        what: impl Into<Text>,
        help: Text,
    ) {
        let what = what.into();
        let message = tr!("{what} must be {wanted}, and this is {}", node.kind(), what, wanted);
        self.error(DiagnosticCode::WrongType, node, message, Some(help));
    }
}

/// Key that merges another mapping in.
const MERGE: &str = "<<";

/// Entries of a mapping that are not taken yet.
pub(super) struct Mapping<'n> {
    node: &'n YamlNode,
    name: &'static str,
    known: &'static [&'static str],
    entries: Vec<(&'n str, &'n YamlNode)>,
    /// Unknown keys, already reported, which may be misspellings of others.
    unknown: Vec<&'n str>,
}

impl<'n> Mapping<'n> {
    /// Reads a mapping with known keys. Unknown and duplicate keys are reported here and left out.
    pub(super) fn from_node(
        finder: &mut Finder<'_>,
        node: &'n YamlNode,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Option<Self> {
        let YamlValue::Map(map) = &node.value else {
            let (wanted, name) = (tr!("a mapping"), Text::from_msgid(name));
            match &node.value {
                YamlValue::Null => finder.wrong_type(node, wanted, name),
                YamlValue::List(_) => {
                    let help =
                        tr!("write its keys without hyphens and brackets: {}", known.join(", "));
                    finder.wrong_type_with(node, wanted, name, help);
                }
                _ => finder.wrong_type_with(
                    node,
                    wanted,
                    name,
                    tr!("write its keys below it: {}", known.join(", ")),
                ),
            }
            return None;
        };
        let mut entries: Vec<(&'n str, &'n YamlNode)> = Vec::new();
        let mut first: Vec<(&'n str, &'n YamlNode)> = Vec::new();
        let mut unknown = Vec::new();
        for (key, value) in map {
            let YamlValue::Text(text) = &key.value else {
                finder.wrong_type(key, tr!("a text"), tr!("a key"));
                continue;
            };
            if text == MERGE {
                let help = tr!("write the keys out, so that a reader of the manifest sees them");
                finder.error(
                    DiagnosticCode::UnknownKey,
                    key,
                    tr!("merge keys are not read"),
                    Some(help),
                );
                // It may hold any key.
                unknown.push(text.as_str());
                continue;
            }
            if let Some((_, earlier)) = first.iter().find(|(known, _)| known == text) {
                let place = finder.place(earlier);
                let found = Diagnostic::error(
                    DiagnosticCode::DuplicateKey,
                    finder.place(key),
                    tr!("`{text}` appears twice", text),
                )
                .span(key.span.clone())
                .help(tr!("keep one of them; recard does not guess which"))
                .label(place, tr!("first here"))
                .span(earlier.span.clone());
                finder.found.push(found);
                continue;
            }
            first.push((text, key));
            if known.contains(&text.as_str()) {
                entries.push((text, value));
            } else {
                let message =
                    tr!("unknown key `{text}` in {name}", text, name = Text::from_msgid(name));
                finder.error(
                    DiagnosticCode::UnknownKey,
                    key,
                    message,
                    Some(suggestion(text, known)),
                );
                unknown.push(text.as_str());
            }
        }
        Some(Self { node, name, known, entries, unknown })
    }

    /// Takes an entry.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n YamlNode> {
        debug_assert!(self.known.contains(&key));
        let index = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.swap_remove(index).1)
    }

    /// Takes an entry if the mapping may have it.
    pub(super) fn take_known(&mut self, key: &'static str) -> Option<&'n YamlNode> {
        if self.known.contains(&key) { self.take(key) } else { None }
    }

    /// Takes an entry that is required.
    pub(super) fn require(
        &mut self,
        finder: &mut Finder<'_>,
        key: &'static str,
        help: impl Into<Text>,
    ) -> Option<&'n YamlNode> {
        match self.take(key) {
            // Advice to remove the key would lead to the next error.
            Some(node) if matches!(node.value, YamlValue::Null) => {
                finder.error(
                    DiagnosticCode::WrongType,
                    node,
                    tr!("`{key}` has no value", key),
                    Some(help.into()),
                );
                None
            }
            Some(node) => Some(node),
            // The misspelled key is reported already.
            None if self
                .unknown
                .iter()
                .any(|typed| *typed == MERGE || meant(typed, self.known) == Some(key)) =>
            {
                None
            }
            None => {
                let place = finder.place(self.node);
                let message = tr!("`{key}` is missing in {}", Text::from_msgid(self.name), key);
                finder
                    .found
                    .push(Diagnostic::error(DiagnosticCode::MissingKey, place, message).help(help));
                None
            }
        }
    }

    /// Returns `true` if an unknown key was reported that may be a misspelling of another one.
    pub(super) fn has_unknown(&self) -> bool {
        !self.unknown.is_empty()
    }
}

/// Suggests known words for a misspelled one.
pub(super) fn suggestion(text: &str, known: &[&str]) -> Text {
    match meant(text, known) {
        Some(word) => tr!("did you mean `{word}`?", word),
        None if known.is_empty() => tr!("the value is missing: write `{{}}`"),
        None => tr!("there are: {}", known.join(", ")),
    }
}

/// Returns the known word that is close enough to a text.
pub(super) fn meant<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    let same_letters = known.iter().copied().find(|word| word.eq_ignore_ascii_case(text));
    let close = || {
        let by_closeness = known
            .iter()
            .map(|word| (similarity(text, word), *word))
            .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY);
        by_closeness
            .max_by(|(left, a), (right, b)| left.total_cmp(right).then(b.cmp(a)))
            .map(|(_, word)| word)
    };
    same_letters.or_else(close)
}

/// Returns the similarity of two words, from 0 to 1: twice the letters that they share in the same
/// order, divided by all letters.
fn similarity(left: &str, right: &str) -> f64 {
    let letters = |word: &str| -> Vec<char> { word.chars().collect() };
    let (left, right) = (letters(left), letters(right));
    let share = |same: usize| 2.0 * same as f64 / (left.len() + right.len()).max(1) as f64;
    // Words of such different lengths are not close, whatever their letters. A key of a million
    // letters costs no time.
    if share(left.len().min(right.len())) < MIN_SIMILARITY {
        return 0.0;
    }
    let mut found = Capture::new();
    let Ok(()) =
        myers::diff(&mut found, left.as_slice(), 0..left.len(), right.as_slice(), 0..right.len());
    let same: usize = found
        .ops()
        .iter()
        .filter(|part| part.tag() == DiffTag::Equal)
        .map(|part| part.old_range().len())
        .sum();
    share(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_close_to_what_it_was_meant_to_be() {
        let known = ["departments", "emails", "except", "ids", "all"];
        for (typed, meant) in [
            ("departements", "departments"),
            ("Emails", "emails"),
            ("exept", "except"),
            ("id", "ids"),
        ] {
            assert_eq!(suggestion(typed, &known).english(), format!("did you mean `{meant}`?"));
        }
        for typed in ["people", "x", "", &"departments".repeat(100_000)] {
            assert!(
                suggestion(typed, &known).english().starts_with("there are: departments, "),
                "{typed}"
            );
        }
        // Of two equally close words, the first in alphabetical order wins.
        assert_eq!(suggestion("ac", &["ad", "ab"]).english(), "there are: ad, ab");
        assert_eq!(suggestion("abx", &["abz", "aby"]).english(), "did you mean `aby`?");
        assert!((similarity("portl", "portal") - 10.0 / 11.0).abs() < 1e-9);
    }
}
