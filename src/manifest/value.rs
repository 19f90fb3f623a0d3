//! Decoders of the values of manifests: lists, ids, addresses, numbers and texts. Each returns its
//! type or reports a problem.

use std::fmt::Display;
use std::sync::Arc;

use super::declaration::{DepartmentName, DepartmentSelector, Located};
use super::mapping::{Finder, Mapping};
use super::yaml_tree::{YamlNode, YamlValue};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::i18n::Text;
use crate::model::{DepartmentId, UserId, decimal};

/// Maximum length of the name of a department, in characters: the portal keeps 255.
const MAX_DEPARTMENT_LENGTH: usize = 255;

/// Rule for empty lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// The list may be empty.
    Allowed,
    /// An empty list is an error, because it is more often a mistake than intended.
    Refused,
}

/// Decodes a list that may be left out.
pub(super) fn optional_list<T>(
    finder: &mut Finder<'_>,
    node: Option<&YamlNode>,
    what: &str,
    empty: Empty,
    read: impl FnMut(&mut Finder<'_>, &YamlNode) -> Option<T>,
) -> Vec<T> {
    node.map(|node| list(finder, node, what, empty, read)).unwrap_or_default()
}

/// Decodes a list; a problem with one item drops only that item.
pub(super) fn list<T>(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    what: &str,
    empty: Empty,
    mut read: impl FnMut(&mut Finder<'_>, &YamlNode) -> Option<T>,
) -> Vec<T> {
    match &node.value {
        YamlValue::List(items) => {
            if items.is_empty() && empty == Empty::Refused {
                let help = tr!("remove the key, or fill the list; empty never means everybody");
                finder.error(
                    DiagnosticCode::EmptyList,
                    node,
                    tr!("`{what}` is empty", what),
                    Some(help),
                );
            }
            items.iter().filter_map(|item| read(finder, item)).collect()
        }
        YamlValue::Null => {
            finder.wrong_type(node, tr!("a list"), format!("`{what}`"));
            Vec::new()
        }
        _ => {
            finder.wrong_type_with(node, tr!("a list"), format!("`{what}`"), as_list(node, what));
            Vec::new()
        }
    }
}

/// Returns the help that writes one value as a valid list.
fn as_list(node: &YamlNode, what: &str) -> Text {
    let name = what.rsplit('.').next().unwrap_or(what);
    let takes_ids = matches!(name, "ids" | "people" | "departments");
    match &node.value {
        YamlValue::Map(_) if name == "personal" => {
            tr!("begin it with a hyphen: `- users: …`, and indent its other keys as far as `users`")
        }
        YamlValue::Map(_) => tr!("put it in brackets: {}", "[{ … }]"),
        YamlValue::Whole(number) => tr!("put it in brackets: {}", format_args!("[{number}]")),
        YamlValue::Odd(text) | YamlValue::Text(text) => {
            let words: Vec<&str> = text.split(',').map(str::trim).collect();
            let numbers: Option<Vec<String>> = words
                .iter()
                .map(|word| decimal::meant(word).map(|number| number.to_string()))
                .collect();
            let is_plain = |word: &&str| {
                !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "@._+-".contains(c))
            };
            match numbers {
                Some(numbers) if takes_ids => {
                    tr!("put it in brackets: {}", format_args!("[{}]", numbers.join(", ")))
                }
                _ if takes_ids && text.contains('@') => {
                    tr!("e-mail addresses belong under `emails`")
                }
                _ if takes_ids => tr!("ids are numbers in brackets, such as [7, 42]"),
                _ if words.iter().all(is_plain) => {
                    tr!("put it in brackets: {}", format_args!("[{}]", words.join(", ")))
                }
                _ => tr!("put it in brackets: {}", "[ … ]"),
            }
        }
        YamlValue::Null | YamlValue::Bool(_) | YamlValue::List(_) => {
            tr!("put it in brackets: {}", "[ … ]")
        }
    }
}

/// Returns the words for a value that stands twice, and those at its first place.
pub(super) fn twice(text: &impl Display) -> (Text, Text) {
    (tr!("`{text}` appears twice", text), tr!("first here"))
}

/// Removes repeated cards; each is reported and counts once.
pub(super) fn unique<T: Display + PartialEq>(
    finder: &mut Finder<'_>,
    values: Vec<Located<T>>,
) -> Vec<Located<T>> {
    let mut unique: Vec<Located<T>> = Vec::new();
    for value in values {
        match unique.iter().find(|known| known.value == value.value) {
            None => unique.push(value),
            Some(known) => {
                let (message, here) = twice(&value.value);
                let first = known.place.clone();
                finder.found.push(
                    Diagnostic::warning(DiagnosticCode::DuplicateTarget, value.place, message)
                        .label(first, here),
                );
            }
        }
    }
    unique
}

/// Decodes the id of a person.
pub(super) fn user(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Located<UserId>> {
    let number = id(finder, node, &PERSON)?;
    Some(Located { value: UserId::new(number).ok()?, place: finder.place(node) })
}

/// Decodes a department: its id, its name, or `{ id: …, recursive: … }` or `{ name: …, … }`.
pub(super) fn department(
    finder: &mut Finder<'_>,
    node: &YamlNode,
) -> Option<Located<DepartmentSelector>> {
    let (department, recursive) = match &node.value {
        YamlValue::Map(_) => {
            let known = &["id", "name", "recursive"];
            let mut fields = Mapping::from_node(finder, node, tr_later!("a department"), known)?;
            let recursive = match fields.take("recursive") {
                None => false,
                Some(node) => match node.value {
                    YamlValue::Bool(recursive) => recursive,
                    _ => {
                        finder.wrong_type(node, tr!("true or false"), "recursive");
                        return None;
                    }
                },
            };
            let help = tr!(
                "write `{{ id: 41, recursive: true }}` or `{{ name: Sales, recursive: true }}`"
            );
            let department = match fields.take("name") {
                None => {
                    let id = fields.require(finder, "id", help)?;
                    department_id(finder, id)?
                }
                Some(_) if fields.take("id").is_some() => {
                    let message = tr!("a department has either `id` or `name`");
                    finder.error(DiagnosticCode::UnknownKey, node, message, Some(help));
                    return None;
                }
                Some(name) => department_name(finder, name)?,
            };
            (department, recursive)
        }
        YamlValue::Text(text) if decimal::meant(text).is_none() => {
            (department_name(finder, node)?, false)
        }
        _ => (department_id(finder, node)?, false),
    };
    let value = DepartmentSelector { department, recursive };
    Some(Located { value, place: finder.place(node) })
}

fn department_id(finder: &mut Finder<'_>, node: &YamlNode) -> Option<DepartmentName> {
    let number = id(finder, node, &DEPARTMENT)?;
    DepartmentId::new(number).ok().map(DepartmentName::Id)
}

fn department_name(finder: &mut Finder<'_>, node: &YamlNode) -> Option<DepartmentName> {
    line(finder, node, "departments", MAX_DEPARTMENT_LENGTH).map(DepartmentName::Name)
}

/// Kind of id that a number is.
struct IdKind {
    words: &'static str,
    /// The help if a name stands in place of the id.
    named: &'static str,
}

const PERSON: IdKind = IdKind {
    words: tr_later!("of a person"),
    named: tr_later!(
        "ids are numbers, such as 7; people can also be named by their addresses, under `emails`"
    ),
};

const DEPARTMENT: IdKind = IdKind {
    words: tr_later!("of a department"),
    named: tr_later!("the id of a department is a number, such as 41; a name belongs under `name`"),
};

/// Decodes an id and checks its range: the portal takes an id that it cannot read for the caller or
/// for user 1.
fn id(finder: &mut Finder<'_>, node: &YamlNode, of: &IdKind) -> Option<u64> {
    let whose = &Text::from_msgid(of.words);
    match &node.value {
        YamlValue::Whole(number) => {
            let known = u64::try_from(*number).ok().filter(|number| UserId::new(*number).is_ok());
            if known.is_none() {
                let help = tr!("ids are whole numbers from 1 to 2147483646");
                finder.error(
                    DiagnosticCode::InvalidId,
                    node,
                    tr!("{number} is not the id {whose}", number, whose),
                    Some(help),
                );
            }
            known
        }
        YamlValue::Text(text) | YamlValue::Odd(text)
            if decimal::meant(text).is_some_and(|number| UserId::new(number).is_ok()) =>
        {
            let number = decimal::meant(text).unwrap_or_default();
            let message = match &node.value {
                YamlValue::Text(text) if decimal::is_plain(text) => {
                    tr!("the id {whose} must be a number, and this is a text", whose)
                }
                _ => tr!("the id {whose} is not in plain decimal digits: {text}", whose, text),
            };
            let help = match &node.value {
                YamlValue::Text(text) if decimal::is_plain(text) => {
                    tr!("write it without quotes: {text}", text)
                }
                _ => in_plain_digits(text, number),
            };
            finder.error(DiagnosticCode::WrongType, node, message, Some(help));
            None
        }
        YamlValue::Text(text) if text.contains('@') => {
            let help = tr!("e-mail addresses belong under `emails`");
            finder.error(
                DiagnosticCode::InvalidId,
                node,
                tr!("an e-mail address is not the id {whose}", whose),
                Some(help),
            );
            None
        }
        YamlValue::Text(_) => {
            finder.wrong_type_with(
                node,
                tr!("a number"),
                tr!("the id {whose}", whose),
                Text::from_msgid(of.named),
            );
            None
        }
        YamlValue::Odd(text) => {
            let help = tr!("ids are whole numbers from 1 to 2147483646");
            finder.error(
                DiagnosticCode::InvalidId,
                node,
                tr!("{number} is not the id {whose}", number = text, whose),
                Some(help),
            );
            None
        }
        _ => {
            finder.wrong_type(node, tr!("a number"), tr!("the id {whose}", whose));
            None
        }
    }
}

/// Returns the help for a number in another notation. Digits behind a zero may be decimal or octal,
/// and the help names both.
fn in_plain_digits(text: &str, number: u64) -> Text {
    match decimal::octal(text) {
        Some(octal) if octal != number => tr!(
            "write {number} or {octal}, without a leading zero: YAML 1.2 reads {text} as {number}, and YAML 1.1 as octal {octal}",
            number,
            octal,
            text
        ),
        _ => tr!("write {number}", number),
    }
}

/// Decodes an e-mail address; returns it in lower case.
pub(super) fn email(finder: &mut Finder<'_>, node: &YamlNode) -> Option<Located<Arc<str>>> {
    let text = text(finder, node, tr!("an e-mail address"))?;
    let parts = text.split_once('@');
    let odd =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>' | '"');
    let right = parts
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'));
    if !right || text.contains(odd) || text.len() > 254 {
        let help = tr!("write the address alone, such as anna@example.com");
        finder.error(
            DiagnosticCode::InvalidEmail,
            node,
            tr!("{text} is not an e-mail address", text = format_args!("{text:?}")),
            Some(help),
        );
        return None;
    }
    Some(Located { value: text.to_lowercase().into(), place: finder.place(node) })
}

/// Decodes a whole number up to a maximum.
pub(super) fn number(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    what: &str,
    largest: u32,
) -> Option<u32> {
    match &node.value {
        YamlValue::Whole(number) => {
            let known = u32::try_from(*number).ok().filter(|number| *number <= largest);
            if known.is_none() {
                let message = tr!("{number} is outside of the range of `{what}`", number, what);
                finder.error(
                    DiagnosticCode::OutOfRange,
                    node,
                    message,
                    Some(tr!("a whole number from 0 to {largest}", largest)),
                );
            }
            known
        }
        YamlValue::Text(text) | YamlValue::Odd(text) if decimal::meant(text).is_some() => {
            let number = decimal::meant(text).unwrap_or_default();
            let (message, help) = match &node.value {
                YamlValue::Text(text) if decimal::is_plain(text) => (
                    tr!("`{what}` must be a number, and this is a text", what),
                    tr!("write it without quotes: {text}", text),
                ),
                _ => (
                    tr!("`{what}` is not in plain decimal digits: {text}", what, text),
                    in_plain_digits(text, number),
                ),
            };
            finder.error(DiagnosticCode::WrongType, node, message, Some(help));
            None
        }
        YamlValue::Odd(number) => {
            let message = tr!("{number} is outside of the range of `{what}`", number, what);
            finder.error(
                DiagnosticCode::OutOfRange,
                node,
                message,
                Some(tr!("a whole number from 0 to {largest}", largest)),
            );
            None
        }
        _ => {
            finder.wrong_type(node, tr!("a whole number"), format!("`{what}`"));
            None
        }
    }
}

/// Decodes a text.
pub(super) fn text<'n>(
    finder: &mut Finder<'_>,
    node: &'n YamlNode,
    what: impl Into<Text>,
) -> Option<&'n str> {
    match &node.value {
        YamlValue::Text(text) => Some(text),
        _ => {
            finder.wrong_type(node, tr!("a text"), what);
            None
        }
    }
}

/// Decodes a text of one line that is not empty.
pub(super) fn line(
    finder: &mut Finder<'_>,
    node: &YamlNode,
    what: &str,
    longest: usize,
) -> Option<Arc<str>> {
    let text = text(finder, node, format!("`{what}`"))?.trim();
    if text.is_empty() {
        finder.error(DiagnosticCode::EmptyText, node, tr!("`{what}` is empty", what), None);
        return None;
    }
    if text.contains(char::is_control) {
        let help = tr!("write it on one line");
        let message = tr!("`{what}` holds a line break or a control character", what);
        finder.error(DiagnosticCode::ControlCharacter, node, message, Some(help));
        return None;
    }
    if text.chars().count() > longest {
        let message = tr!("`{what}` is longer than {longest} characters", what, longest);
        finder.error(DiagnosticCode::OutOfRange, node, message, None);
        return None;
    }
    Some(text.into())
}
