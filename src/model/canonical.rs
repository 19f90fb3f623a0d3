//! Canonical form of JSON (RFC 8785), the input of every digest.
//!
//! The canonical form is computed for every layout that is read, and is the largest part of the CPU
//! time of a card. The text is therefore parsed into [`JsonNode`]s, which borrow from it, and not
//! into the values of `serde_json`, which own a string for every name. Most layouts have plain keys
//! and whole numbers; for them, the output of `serde_json` with sorted keys is the canonical form.
//! Other layouts go through the library, which puts every key and value into a buffer of its own.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

use super::Digest;

/// Largest whole number up to which a double is exact; canonical numbers are doubles (RFC 8785,
/// section 6).
const EXACT: u64 = 1 << 53;

/// JSON value as it stands in a text, with the keys of objects sorted.
#[derive(Debug)]
pub(super) enum JsonNode<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<JsonNode<'a>>),
    /// Entries sorted by the bytes of their keys. The last of several entries with the same key
    /// counts, as everywhere in `serde_json`.
    Object(Vec<(Cow<'a, str>, JsonNode<'a>)>),
}

impl<'a> JsonNode<'a> {
    /// Parses a text.
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub(super) fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Computes the digest of the canonical form.
    ///
    /// # Errors
    ///
    /// If there is no canonical form; values that were read from JSON always have one.
    pub(super) fn digest(&self) -> Result<Digest, serde_json::Error> {
        if self.is_plain() {
            Digest::hash_json(self)
        } else {
            Digest::hash_written(|mut sum| serde_json_canonicalizer::to_writer(self, &mut sum))
        }
    }

    /// Returns the value of a key, if this is an object that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Returns the items, if this is a list.
    pub(super) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => None,
        }
    }

    /// Returns `true` if plain serialization gives the canonical form. The canonical form sorts
    /// keys by UTF-16 units, which differs from the order of bytes beyond ASCII, and writes numbers
    /// as doubles.
    fn is_plain(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Text(_) => true,
            Self::Number(number) => {
                number.as_i64().is_some_and(|number| number.unsigned_abs() <= EXACT)
            }
            Self::List(items) => items.iter().all(Self::is_plain),
            Self::Object(entries) => {
                entries.iter().all(|(key, value)| key.is_ascii() && value.is_plain())
            }
        }
    }
}

impl Serialize for JsonNode<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonNode<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;

        impl<'de> Visitor<'de> for Nodes {
            type Value = JsonNode<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<JsonNode<'de>, E> {
                Ok(JsonNode::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<JsonNode<'de>, E> {
                Ok(JsonNode::Bool(value))
            }

            fn visit_i64<E>(self, number: i64) -> Result<JsonNode<'de>, E> {
                Ok(JsonNode::Number(number.into()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<JsonNode<'de>, E> {
                Ok(JsonNode::Number(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<JsonNode<'de>, E> {
                // Numbers of JSON are finite.
                Ok(Number::from_f64(number).map_or(JsonNode::Null, JsonNode::Number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<JsonNode<'de>, E> {
                Ok(JsonNode::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<JsonNode<'de>, E> {
                Ok(JsonNode::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsonNode<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(JsonNode::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonNode<'de>, A::Error> {
                let mut entries: Vec<(Cow<'de, str>, JsonNode<'de>)> = Vec::new();
                while let Some((JsonKey(key), value)) = map.next_entry()? {
                    entries.push((key, value));
                }
                // The sort is stable: the last entry of a key stays the last.
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                entries.dedup_by(|later, earlier| {
                    let same = later.0 == earlier.0;
                    if same {
                        std::mem::swap(later, earlier);
                    }
                    same
                });
                Ok(JsonNode::Object(entries))
            }
        }

        deserializer.deserialize_any(Nodes)
    }
}

/// Key of an object, borrowed if it stands in the text without escapes.
#[derive(Deserialize)]
struct JsonKey<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Computes the digest with the libraries alone.
    fn slowly(text: &str) -> Digest {
        let value: Value = serde_json::from_str(text).unwrap();
        Digest::hash(&serde_json_canonicalizer::to_vec(&value).unwrap())
    }

    fn quickly(text: &str) -> Digest {
        JsonNode::parse(text).unwrap().digest().unwrap()
    }

    fn words() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~\t\n\r]{0,4}",
            "[a-c]{0,3}",
            "[\u{0}-\u{7f}]{0,3}",
            "[\u{e000}-\u{10ffff}a]{0,2}",
            any::<String>()
        ]
    }

    /// Generates a JSON string, as `serde_json` writes it or with every letter escaped.
    fn strings() -> impl Strategy<Value = String> {
        let escaped = |text: String| {
            let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{units}\"")
        };
        prop_oneof![
            words().prop_map(|text| Value::from(text).to_string()),
            words().prop_map(escaped)
        ]
    }

    /// Generates JSON texts, some with repeated keys.
    fn texts() -> impl Strategy<Value = String> {
        let number =
            |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number).to_string();
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            (-20_i64..20).prop_map(|near| EXACT.wrapping_add_signed(near).to_string()),
            (-20_i64..20).prop_map(|number| number.to_string()),
            any::<f64>().prop_map(number),
            strings(),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let entry =
                (strings(), inner.clone()).prop_map(|(key, value)| format!("{key} : {value}"));
            prop_oneof![
                prop::collection::vec(inner, 0..6)
                    .prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec(entry, 0..6)
                    .prop_map(|entries| format!("{{{}}}", entries.join(", "))),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_way_is_the_way_of_the_library(text in texts()) {
            prop_assert_eq!(quickly(&text), slowly(&text));
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_library() {
        for text in [
            "1.0",
            "1e2",
            "-0",
            "-0.0",
            "9007199254740993",
            "18446744073709551615",
            "{\"\u{e9}\":1}",
            "[{\"a\":[0.5]}]",
        ] {
            assert!(!JsonNode::parse(text).unwrap().is_plain(), "{text}");
            assert_eq!(quickly(text), slowly(text), "{text}");
        }
        for value in [
            json!(null),
            json!([{"name": "main", "title": "Zur\u{fc}ck \u{1}\u{7f}\"/\\", "elements": [], "sort": -7}]),
        ] {
            let text = value.to_string();
            assert!(JsonNode::parse(&text).unwrap().is_plain(), "{text}");
            assert_eq!(quickly(&text), slowly(&text), "{text}");
        }
    }

    #[test]
    fn of_a_key_that_comes_more_than_once_the_last_value_counts() {
        let text = r#"{"b":1,"a":1,"\u0061":2,"c":0,"a":3,"b":4}"#;
        assert_eq!(quickly(text), quickly(r#"{"a":3,"b":4,"c":0}"#));
        assert_eq!(quickly(text), slowly(text));
        // The standard library sorts short lists with another algorithm than long ones.
        let many: Vec<String> =
            (0..300).map(|number| format!("\"{}\":{number}", number * 7 % 31)).collect();
        let text = format!("{{{}}}", many.join(","));
        assert_eq!(quickly(&text), slowly(&text));
    }

    #[test]
    fn what_is_no_json_is_none_here_either() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for text in ["", "[1,]", "{\"a\"}", "[1] 2", "\"\\ud800\"", "nul", "1e999", &deep] {
            assert!(
                JsonNode::parse(text).is_err() && serde_json::from_str::<Value>(text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn texts_are_borrowed_where_they_stand_as_they_are() {
        let node = JsonNode::parse(r#"[{"name":"main"},{"name":"a\/b"}]"#).unwrap();
        let name = |index: usize| node.items().unwrap()[index].get("name").unwrap();
        assert!(matches!(name(0), JsonNode::Text(Cow::Borrowed("main"))));
        let JsonNode::Object(entries) = &node.items().unwrap()[0] else { panic!("no object") };
        assert!(matches!(entries[..], [(Cow::Borrowed("name"), _)]));
        assert!(matches!(name(1), JsonNode::Text(Cow::Owned(text)) if text == "a/b"));
        assert!(node.get("name").is_none() && name(0).items().is_none());
    }
}
