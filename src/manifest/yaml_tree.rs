//! YAML as a tree of values with positions.
//!
//! Decoding by hand from such a tree, and not by derived code, makes it possible to report every
//! problem at once, with its position, duplicate keys and wrong types included.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::budget::BudgetBreach;
use serde_yaml::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{Options, Spanned};

use crate::diagnostic::DiagnosticCode;
use crate::i18n::Text;
use crate::model::{SourceLocation, decimal};

/// Maximum depth of nested lists and mappings.
const DEPTH: usize = 64;

/// Maximum number of documents in a file.
const DOCUMENTS: usize = 1_000;

/// Value with its position.
#[derive(Clone, Debug)]
pub(super) struct YamlNode {
    pub(super) value: YamlValue,
    /// The line, from 1.
    pub(super) line: u32,
    /// The column in characters, from 1.
    pub(super) column: u32,
    /// The bytes of the file.
    pub(super) span: Range<usize>,
    /// The bytes of the value itself; behind an alias those of its anchor.
    written: Range<usize>,
    /// The file, if the node was put into a document of another one.
    pub(super) file: Option<Arc<str>>,
}

/// Content of a node.
#[derive(Clone, Debug)]
pub(super) enum YamlValue {
    Null,
    Bool(bool),
    /// A whole number in plain decimal digits.
    Whole(i128),
    /// Any other number, as it is written.
    Odd(String),
    Text(String),
    List(Vec<YamlNode>),
    Map(Vec<(YamlNode, YamlNode)>),
}

/// Error: a text is not YAML.
#[derive(Debug)]
pub(super) struct YamlError {
    pub(super) code: DiagnosticCode,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) message: Text,
}

/// Reads all documents of a text. Empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<YamlNode>, YamlError> {
    let mut nodes: Vec<YamlNode> =
        serde_yaml::from_multiple_with_options(text, options()).map_err(|error| problem(&error))?;
    nodes.iter_mut().for_each(|node| node.read_numbers(text));
    Ok(nodes.into_iter().filter(|node| !matches!(node.value, YamlValue::Null)).collect())
}

/// Returns the help for a kind of problem with the text as a whole.
pub(super) fn help(code: DiagnosticCode) -> Option<Text> {
    match code {
        DiagnosticCode::TooManyNodes => {
            Some(tr!("write the values out: aliases that multiply have no use in a manifest"))
        }
        DiagnosticCode::BadAlias => Some(tr!(
            "an alias (*name) repeats the value of an anchor (&name) further up in the document"
        )),
        DiagnosticCode::Tag => Some(tr!("remove the tag: values say by themselves what they are")),
        _ => None,
    }
}

fn options() -> Options {
    let mut options = Options::default();
    // Only `true` and `false` are booleans: a portal named `no` stays a text, as people expect.
    options.strict_booleans = true;
    options.underscored_numbers_as_strings = true;
    options.leading_zero_numbers_as_strings = true;
    // Both entries of a duplicate are wanted, to show both places.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    options.reject_unsupported_tags = true;
    // Manifests need few aliases; alias bombs are stopped early.
    options.alias_limits.max_total_replayed_events = 100_000;
    // The message alone: recard draws the lines itself.
    options.with_snippet = false;
    if let Some(budget) = &mut options.budget {
        // Room for 8 MiB of short ids; expanded aliases count against the same limit.
        budget.max_events = 4_000_000;
        budget.max_nodes = 2_000_000;
        budget.max_depth = DEPTH;
        budget.max_documents = DOCUMENTS;
    }
    options
}

/// Translates an error of the parser into words of the manifest's authors. The parser's own words
/// are kept where they name content of the text; names of its types and its counters are dropped.
fn problem(error: &serde_yaml::Error) -> YamlError {
    let place = error.location();
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    let error = error.without_snippet();
    let (code, message) = match error {
        serde_yaml::Error::Budget { breach, .. } => {
            (DiagnosticCode::TooManyNodes, too_much(breach))
        }
        serde_yaml::Error::UnknownAnchor { .. } => {
            (DiagnosticCode::BadAlias, tr!("there is no anchor of this name above the alias"))
        }
        serde_yaml::Error::RecursiveReferencesRequireWeakTypes { .. } => {
            (DiagnosticCode::BadAlias, tr!("the alias is inside the value of its own anchor"))
        }
        serde_yaml::Error::UnsupportedTag { tag, .. } => {
            (DiagnosticCode::Tag, tr!("the tag {tag} is not read", tag))
        }
        serde_yaml::Error::NonFiniteFloat { value, .. } => {
            (DiagnosticCode::Syntax, tr!("{value} is no number", value))
        }
        serde_yaml::Error::InvalidScalar { .. } => {
            (DiagnosticCode::Tag, tr!("the value does not fit its tag"))
        }
        other => syntax(&other.to_string()),
    };
    YamlError {
        code,
        line: place.map_or(1, |place| number(place.line())),
        column: place.map_or(1, |place| number(place.column())),
        message: tr!("cannot read the YAML: {message}", message),
    }
}

fn too_much(breach: &BudgetBreach) -> Text {
    match breach {
        BudgetBreach::Depth { .. } => {
            tr!("lists and mappings are nested deeper than {DEPTH} levels", DEPTH)
        }
        BudgetBreach::Documents { .. } => {
            tr!("the file has more than {DOCUMENTS} documents", DOCUMENTS)
        }
        _ => tr!("the file holds more values than any manifest has"),
    }
}

/// Translates the parser's message on the syntax of the text.
fn syntax(said: &str) -> (DiagnosticCode, Text) {
    // The message ends with the position, which is printed in front already.
    let said = said.split(" at line ").next().unwrap_or(said).lines().next().unwrap_or_default();
    if let Some(sign) =
        said.strip_prefix("unexpected character: `").and_then(|rest| rest.strip_suffix('\''))
    {
        return match sign.starts_with("\\u{") {
            true => (DiagnosticCode::Syntax, tr!("there is a control character here")),
            false => {
                (DiagnosticCode::Syntax, tr!("no value begins with {sign}; put it in quotes", sign))
            }
        };
    }
    let known = SYNTAX
        .iter()
        .find(|(start, _)| said.starts_with(start))
        .map(|(_, words)| Text::from_msgid(words));
    let lower = said.to_lowercase();
    // Inside of an expanded alias, the parser reports its errors as texts.
    if lower.starts_with("alias ") && (lower.contains("exceeded") || lower.contains("overflow")) {
        return (DiagnosticCode::TooManyNodes, tr!("aliases repeat more than 100,000 values"));
    }
    let code = if lower.contains("alias") || lower.contains("anchor") {
        DiagnosticCode::BadAlias
    } else if lower.contains("tag") {
        DiagnosticCode::Tag
    } else {
        DiagnosticCode::Syntax
    };
    (code, known.unwrap_or_else(|| Text::from(said)))
}

/// Messages of the parser on its own state, and their meaning for the text.
const SYNTAX: &[(&str, &str)] = &[
    (
        "a BOM must not appear",
        tr_later!("a byte order mark is inside a document; it may only be at the beginning"),
    ),
    (
        "did not find expected <document start>",
        tr_later!("this line belongs to nothing above it: see its indentation"),
    ),
    (
        "while parsing a block mapping, did not find expected key",
        tr_later!("this line fits no mapping above it: see its indentation"),
    ),
    (
        "while parsing a block collection, did not find expected '-'",
        tr_later!(
            "this line fits no list above it: begin it with a hyphen, or see its indentation"
        ),
    ),
    ("simple key expected ':'", tr_later!("there is no colon after the key")),
    (
        "mapping values are not allowed",
        tr_later!(
            "a colon is where no key is possible: quote a value with a colon, or check the indentation"
        ),
    ),
    (
        "mapping keys are not allowed",
        tr_later!("a key is not possible here: check the indentation"),
    ),
    (
        "block sequence entries are not allowed",
        tr_later!("no list can begin here: put its hyphens on lines of their own"),
    ),
    (
        "comment intercepting",
        tr_later!("a comment is inside a text of several lines: put the text in quotes"),
    ),
];

impl YamlNode {
    /// Separates numbers in plain decimal digits from all others. YAML reads `0x10`, `0o20` and
    /// `+16` as the same number, and other versions of YAML do not: the id of a user must not
    /// depend on that.
    fn read_numbers(&mut self, text: &str) {
        match &mut self.value {
            YamlValue::Whole(_) | YamlValue::Odd(_) => {
                let written = text.get(self.written.clone()).unwrap_or_default();
                let plain = decimal::is_plain(written.strip_prefix('-').unwrap_or(written));
                self.value = match written.parse() {
                    Ok(number) if plain => YamlValue::Whole(number),
                    Ok(_) | Err(_) => YamlValue::Odd(written.to_owned()),
                };
            }
            YamlValue::List(items) => items.iter_mut().for_each(|item| item.read_numbers(text)),
            YamlValue::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.read_numbers(text);
                value.read_numbers(text);
            }),
            YamlValue::Null | YamlValue::Bool(_) | YamlValue::Text(_) => {}
        }
    }

    /// Creates a text that stands for a place of another file.
    pub(super) fn text_at(place: &SourceLocation, text: &str) -> Self {
        Self {
            value: YamlValue::Text(text.to_owned()),
            line: place.line,
            column: place.column,
            span: 0..0,
            written: 0..0,
            file: Some(Arc::clone(&place.file)),
        }
    }

    /// Returns the tree with a file of its own, to be put into a document of another one.
    pub(super) fn in_file(&self, file: &Arc<str>) -> Self {
        let value = match &self.value {
            YamlValue::List(items) => {
                YamlValue::List(items.iter().map(|item| item.in_file(file)).collect())
            }
            YamlValue::Map(entries) => {
                let entries = entries.iter();
                YamlValue::Map(
                    entries.map(|(key, value)| (key.in_file(file), value.in_file(file))).collect(),
                )
            }
            other => other.clone(),
        };
        Self { value, file: Some(Arc::clone(file)), ..self.clone() }
    }

    /// Returns the name of the type for messages.
    pub(super) fn kind(&self) -> Text {
        match &self.value {
            YamlValue::Null => tr!("nothing"),
            YamlValue::Bool(_) => tr!("a boolean"),
            YamlValue::Whole(_) => tr!("a number"),
            YamlValue::Odd(_) => tr!("a number"),
            YamlValue::Text(_) => tr!("a text"),
            YamlValue::List(_) => tr!("a list"),
            YamlValue::Map(_) => tr!("a mapping"),
        }
    }
}

impl<'de> Deserialize<'de> for YamlNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } =
            Spanned::<YamlValue>::deserialize(deserializer)?;
        let index = |bytes: Option<u64>| {
            bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default()
        };
        let bytes = |place: serde_yaml::Location| {
            let start = index(place.span().byte_offset());
            start..start.saturating_add(index(place.span().byte_len()))
        };
        Ok(Self {
            value,
            line: u32::try_from(referenced.line()).unwrap_or(u32::MAX),
            column: u32::try_from(referenced.column()).unwrap_or(u32::MAX),
            span: bytes(referenced),
            written: bytes(defined),
            file: None,
        })
    }
}

impl<'de> Deserialize<'de> for YamlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = YamlValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }

    fn visit_none<E>(self) -> Result<YamlValue, E> {
        Ok(YamlValue::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<YamlValue, D::Error> {
        YamlValue::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<YamlValue, E> {
        Ok(YamlValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<YamlValue, E> {
        Ok(YamlValue::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<YamlValue, E> {
        Ok(YamlValue::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<YamlValue, E> {
        Ok(YamlValue::Whole(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<YamlValue, E> {
        Ok(i128::try_from(value)
            .map_or_else(|_| YamlValue::Odd(value.to_string()), YamlValue::Whole))
    }

    fn visit_f64<E>(self, value: f64) -> Result<YamlValue, E> {
        Ok(YamlValue::Odd(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<YamlValue, E> {
        Ok(YamlValue::Text(value.to_owned()))
    }

    fn visit_bytes<E: serde::de::Error>(self, _value: &[u8]) -> Result<YamlValue, E> {
        Err(E::custom("binary values have no use in a manifest"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<YamlValue, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or_default().min(1024));
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(YamlValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<YamlValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry::<YamlNode, YamlNode>()? {
            if map.len() > 10_000 {
                return Err(A::Error::custom("the mapping has too many keys"));
            }
            map.push(entry);
        }
        Ok(YamlValue::Map(map))
    }
}
