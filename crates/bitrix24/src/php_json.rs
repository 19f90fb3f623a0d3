//! Values whose JSON type the portal does not promise: PHP writes an empty map as a list, a list
//! with gaps as an object, and numbers as texts.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Maximum number of entries of a map. A batch has 50 commands, a page 50 people, and a person as
/// many fields as a company has defined.
const MAX_ENTRIES: usize = 10_000;

/// Maximum number of values in one answer. A batch that lists 2,500 people with 100 fields each has
/// a third of it, and 50 layouts of 600 fields have a tenth.
const MAX_VALUES: usize = 1_000_000;

/// Returns `true` if a JSON text holds more values than any valid answer. Text of two bytes can
/// make a value that takes hundreds of bytes of memory, so a limit on bytes is not a limit on
/// memory.
pub(crate) fn is_overfull(text: &str) -> bool {
    let (mut values, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            // Every value but the first of a list or an object follows a comma.
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values > MAX_VALUES
}

/// Reads a field so that `null` and "missing" stay different: with `#[serde(default)]`, `None`
/// means "missing".
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads an object into a type. A list is refused: serde would take its items for the fields in
/// their order.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    if text.trim_start().starts_with('{') { serde_json::from_str(text).ok() } else { None }
}

/// Returns a whole number, written as a number or as text.
pub fn number(value: Option<&RawValue>) -> Option<u64> {
    let text = value?.get();
    match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?.trim().parse().ok(),
        None => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
    }
}

/// Returns a number of seconds, written as a number or as text.
pub fn seconds(value: Option<&RawValue>) -> Option<f64> {
    let number: f64 = value?.get().trim_matches('"').parse().ok()?;
    number.is_finite().then_some(number)
}

/// Returns a text, or the digits of a number. Any other value is `None`.
pub fn text(value: Option<&RawValue>) -> Option<String> {
    let text = value?.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).ok(),
        Some(b'0'..=b'9' | b'-') => Some(text.to_owned()),
        _ => None,
    }
}

/// Returns a map in any of PHP's forms: an object, a list (whose keys are then 0, 1, 2, …), and
/// `[]` or `null` for an empty one. `None` if it is none of these.
pub fn map(value: Option<&RawValue>) -> Option<BTreeMap<String, &RawValue>> {
    let Some(value) = value else {
        return Some(BTreeMap::new());
    };
    let map: Option<PhpMap<'_>> = serde_json::from_str(value.get()).ok();
    map.map(|PhpMap(entries)| entries)
}

/// Map in any of PHP's forms, as [`map`] reads it, within another value.
#[derive(Debug, Default)]
pub(crate) struct PhpMap<'a>(pub(crate) BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for PhpMap<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = PhpMap<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map, a list or nothing")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PhpMap<'de>, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    if entries.len() == MAX_ENTRIES {
                        return Err(A::Error::custom("a map with too many entries"));
                    }
                    entries.insert(key, value);
                }
                Ok(PhpMap(entries))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PhpMap<'de>, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some(value) = list.next_element()? {
                    if entries.len() == MAX_ENTRIES {
                        return Err(A::Error::custom("a list with too many entries"));
                    }
                    entries.insert(entries.len().to_string(), value);
                }
                Ok(PhpMap(entries))
            }

            fn visit_unit<E>(self) -> Result<PhpMap<'de>, E> {
                Ok(PhpMap::default())
            }
        }

        deserializer.deserialize_any(Entries)
    }
}

/// Reads a map that is a field, so that `null` and "missing" stay different: with
/// `#[serde(default)]`, `None` means "missing".
pub(crate) fn present_map<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PhpMap<'de>>, D::Error> {
    PhpMap::deserialize(deserializer).map(Some)
}

/// Returns the values of a list in any of PHP's forms: a list, an object with gaps in its keys, or
/// nothing.
pub fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'[') => serde_json::from_str(text).ok(),
        Some(b'{') => map(Some(value)).map(|map| map.into_values().collect()),
        _ => None,
    }
}

/// Returns the whole number of a number with a fraction or an exponent, as far as such numbers are
/// exact.
fn whole(number: f64) -> Option<u64> {
    let exact = 0.0..=9_007_199_254_740_992.0;
    (exact.contains(&number) && number.fract() == 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn number_is_read_from_text_too() {
        for text in ["125", "\"125\"", "125.0", "1.25e2"] {
            assert_eq!(number(Some(&raw(text))), Some(125), "{text}");
        }
        for text in ["null", "\"\"", "-1", "1.5", "[]", "\"12a\"", "true"] {
            assert_eq!(number(Some(&raw(text))), None, "{text}");
        }
    }

    #[test]
    fn map_may_come_as_a_list_and_an_empty_one_as_anything_empty() {
        for text in ["[]", "{}", "null"] {
            assert!(map(Some(&raw(text))).unwrap().is_empty(), "{text}");
        }
        let value = raw(r#"[true,{"a":1}]"#);
        let keys: Vec<String> = map(Some(&value)).unwrap().into_keys().collect();
        assert_eq!(keys, ["0", "1"]);
        assert!(map(Some(&raw("true"))).is_none());
    }

    #[test]
    fn answer_with_more_values_than_any_right_one_is_told_by_a_count() {
        let list = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        assert!(!is_overfull(&list(MAX_VALUES)));
        assert!(is_overfull(&list(MAX_VALUES + 1)));
        assert!(is_overfull(&"{\"a\":".repeat(MAX_VALUES + 1)));
        // Characters inside a text are not values, whatever quotes are in it.
        assert!(!is_overfull(&format!("[\"{}\",1]", "\\\\\\\",[{".repeat(MAX_VALUES))));
    }

    #[test]
    fn map_has_a_most_number_of_entries() {
        let entries = |count: usize| {
            (0..count).map(|number| format!("\"{number}\":1")).collect::<Vec<_>>().join(",")
        };
        let object = |count| raw(&format!("{{{}}}", entries(count)));
        assert_eq!(map(Some(&object(MAX_ENTRIES))).unwrap().len(), MAX_ENTRIES);
        assert!(map(Some(&object(MAX_ENTRIES + 1))).is_none());
        assert!(map(Some(&raw(&format!("[{}1]", "1,".repeat(MAX_ENTRIES))))).is_none());
    }

    #[test]
    fn code_may_be_a_number() {
        assert_eq!(text(Some(&raw("100"))).as_deref(), Some("100"));
        assert_eq!(text(Some(&raw("\"\""))).as_deref(), Some(""));
        assert_eq!(text(Some(&raw("{}"))), None);
    }
}
