//! A mapping, taken apart key by key: what is not known, stands twice or is missing is an error.

use std::sync::Arc;

use super::node::{Node, Value};
use crate::diagnostic::{Code, Diagnostic};
use crate::language::Text;
use crate::model::Place;

/// Where problems are collected while a file is decoded.
pub(super) struct Finder<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) found: &'a mut Vec<Diagnostic>,
}

impl Finder<'_> {
    /// The place of a node.
    pub(super) fn place(&self, node: &Node) -> Place {
        Place { file: Arc::clone(self.file), line: node.line, column: node.column }
    }

    /// Reports a problem with a node.
    pub(super) fn error(&mut self, code: Code, node: &Node, message: impl Into<Text>, help: Option<Text>) {
        let mut found = Diagnostic::error(code, self.place(node), message).span(node.span.clone());
        if let Some(help) = help {
            found = found.help(help);
        }
        self.found.push(found);
    }

    /// Reports a value of a wrong type.
    pub(super) fn wrong_type(&mut self, node: &Node, wanted: Text, what: impl Into<Text>) {
        let (what, is) = (what.into(), |known| wanted.english() == known);
        let message = tr!("{what} is {wanted}, and here stands {}", node.kind(), what, wanted);
        let help = match &node.value {
            Value::Null => Some(tr!("give it a value, or remove the key")),
            Value::Whole(number) if is("a text") => Some(tr!("put it in quotes: \"{number}\"", number)),
            Value::Bool(value) if is("a text") => Some(tr!("put it in quotes: \"{value}\"", value)),
            _ if is("a list") => Some(tr!("put it in brackets: [ … ]")),
            _ => None,
        };
        self.error(Code::WrongType, node, message, help);
    }
}

/// The entries of a mapping that are not taken yet.
pub(super) struct Fields<'n> {
    node: &'n Node,
    name: &'static str,
    known: &'static [&'static str],
    entries: Vec<(&'n str, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// Takes a mapping with known keys apart. Unknown and duplicate keys are reported here, and left out.
    pub(super) fn of(
        finder: &mut Finder<'_>,
        node: &'n Node,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Option<Self> {
        let Value::Map(map) = &node.value else {
            finder.wrong_type(node, tr!("a mapping"), Text::known(name));
            return None;
        };
        let mut entries: Vec<(&'n str, &'n Node)> = Vec::new();
        let mut first: Vec<(&'n str, &'n Node)> = Vec::new();
        for (key, value) in map {
            let Value::Text(text) = &key.value else {
                finder.wrong_type(key, tr!("a text"), tr!("a key"));
                continue;
            };
            if text == "<<" {
                let help = tr!("write the keys out, so that a reader of the manifest sees them");
                finder.error(Code::UnknownKey, key, tr!("merge keys are not read"), Some(help));
                continue;
            }
            if let Some((_, earlier)) = first.iter().find(|(known, _)| known == text) {
                let place = finder.place(earlier);
                let found =
                    Diagnostic::error(Code::DuplicateKey, finder.place(key), tr!("`{text}` stands twice", text))
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
                let message = tr!("unknown key `{text}` in {name}", text, name = Text::known(name));
                finder.error(Code::UnknownKey, key, message, Some(suggestion(text, known)));
            }
        }
        Some(Self { node, name, known, entries })
    }

    /// Takes an entry.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        debug_assert!(self.known.contains(&key));
        let index = self.entries.iter().position(|(name, _)| *name == key)?;
        Some(self.entries.swap_remove(index).1)
    }

    /// Takes an entry that must be there.
    pub(super) fn require(
        &mut self,
        finder: &mut Finder<'_>,
        key: &'static str,
        help: impl Into<Text>,
    ) -> Option<&'n Node> {
        let found = self.take(key);
        if found.is_none() {
            let place = finder.place(self.node);
            let message = tr!("`{key}` is missing in {}", Text::known(self.name), key);
            finder.found.push(Diagnostic::error(Code::MissingKey, place, message).help(help));
        }
        found
    }
}

/// What somebody may have meant.
pub(super) fn suggestion(text: &str, known: &[&str]) -> Text {
    let same_letters = known.iter().copied().find(|word| word.eq_ignore_ascii_case(text));
    let close = || similar::get_close_matches(text, known, 1, 0.6).into_iter().next();
    match same_letters.or_else(close) {
        Some(word) => tr!("did you mean `{word}`?", word),
        None => tr!("there are: {}", known.join(", ")),
    }
}
