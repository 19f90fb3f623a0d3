//! YAML as a tree of values, each with its place.
//!
//! Decoding by hand from such a tree, and not by derived code, is what makes it possible to report every problem at once,
//! with its place, duplicate keys and wrong types included.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{Options, Spanned};

use crate::diagnostic::Code;
use crate::language::Text;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// The line, from 1.
    pub(super) line: u32,
    /// The column in characters, from 1.
    pub(super) column: u32,
    /// The bytes of the file.
    pub(super) span: Range<usize>,
}

/// What stands there.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Whole(i128),
    Fraction,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a text is no YAML.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) message: Text,
}

/// Reads all documents of a text. Empty ones are left out.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Problem> {
    let nodes: Vec<Node> = serde_yaml::from_multiple_with_options(text, options()).map_err(|error| problem(&error))?;
    Ok(nodes.into_iter().filter(|node| !matches!(node.value, Value::Null)).collect())
}

/// What helps against a kind of problem with the text as a whole.
pub(super) fn help(code: Code) -> Option<Text> {
    match code {
        Code::TooManyNodes => Some(tr!("write the values out: aliases that multiply have no use in a manifest")),
        Code::BadAlias => {
            Some(tr!("an alias (*name) repeats what stands behind an anchor (&name) further up in the document"))
        }
        Code::Tag => Some(tr!("remove the tag: values say by themselves what they are")),
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
    // A manifest has little use for aliases; whoever multiplies them is stopped early.
    options.alias_limits.max_total_replayed_events = 100_000;
    // The message alone: recard draws the text itself.
    options.with_snippet = false;
    if let Some(budget) = &mut options.budget {
        // Room for 8 MiB of short ids; what aliases multiply is counted against the same limit.
        budget.max_events = 4_000_000;
        budget.max_nodes = 2_000_000;
        budget.max_depth = 64;
        budget.max_documents = 1_000;
    }
    options
}

fn problem(error: &serde_yaml::Error) -> Problem {
    let place = error.location();
    let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
    let message = error.without_snippet().to_string();
    // The text ends with the place, which stands in front already.
    let message = message.split(" at line ").next().unwrap_or(&message).lines().next().unwrap_or_default().to_owned();
    let lower = message.to_lowercase();
    let code = if lower.contains("budget") || lower.contains("limit") || lower.contains("exceed") {
        Code::TooManyNodes
    } else if lower.contains("alias") || lower.contains("anchor") {
        Code::BadAlias
    } else if lower.contains("tag") {
        Code::Tag
    } else {
        Code::Syntax
    };
    Problem {
        code,
        line: place.map_or(1, |place| number(place.line())),
        column: place.map_or(1, |place| number(place.column())),
        message: tr!("cannot read the YAML: {message}", message),
    }
}

impl Node {
    /// What kind of value it is, for people.
    pub(super) fn kind(&self) -> Text {
        match &self.value {
            Value::Null => tr!("nothing"),
            Value::Bool(_) => tr!("a boolean"),
            Value::Whole(_) => tr!("a number"),
            Value::Fraction => tr!("a fraction"),
            Value::Text(_) => tr!("a text"),
            Value::List(_) => tr!("a list"),
            Value::Map(_) => tr!("a mapping"),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Value>::deserialize(deserializer)?;
        let span = referenced.span();
        let index = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let start = index(span.byte_offset());
        Ok(Self {
            value,
            line: u32::try_from(referenced.line()).unwrap_or(u32::MAX),
            column: u32::try_from(referenced.column()).unwrap_or(u32::MAX),
            span: start..start.saturating_add(index(span.byte_len())),
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Whole(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Value, E> {
        i128::try_from(value).map(Value::Whole).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Value, E> {
        Ok(Value::Fraction)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, _value: &[u8]) -> Result<Value, E> {
        Err(E::custom("binary values have no use in a manifest"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or_default().min(1024));
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry::<Node, Node>()? {
            if map.len() > 10_000 {
                return Err(A::Error::custom("the mapping has too many keys"));
            }
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}
