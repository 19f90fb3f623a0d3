//! The canonical form of JSON (RFC 8785), of which digests are made.
//!
//! Every layout that is read needs it. The library for it lays every key and value out in a buffer of its own, which would take
//! longer than everything else that is done for a card. Nearly all layouts have plain keys and whole numbers; then what
//! `serde_json` writes is the canonical form, once the keys are sorted. Everything else is left to the library.

use serde_json::Value;

use super::Digest;

/// The largest whole number up to which a double, which is what canonical numbers are, is exact (RFC 8785, section 6).
const EXACT: u64 = 1 << 53;

/// The digest of the canonical form of a value.
///
/// # Errors
///
/// If there is no canonical form; nothing that was read from JSON is such a value.
pub(super) fn digest(mut value: Value) -> Result<Digest, serde_json::Error> {
    if !plain(&value) {
        return Digest::of_written(|mut sum| serde_json_canonicalizer::to_writer(&value, &mut sum));
    }
    value.sort_all_objects();
    Digest::of_json(&value)
}

/// Whether sorting by bytes and writing as usual gives the canonical form. That sorts keys by UTF-16 units, which is another
/// order than that of bytes for letters beyond ASCII, and writes numbers as doubles.
fn plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() <= EXACT),
        Value::Array(items) => items.iter().all(plain),
        Value::Object(entries) => entries.iter().all(|(key, value)| key.is_ascii() && plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Number, json};

    use super::*;

    /// The digest as the library has it.
    fn slowly(value: &Value) -> Digest {
        Digest::of(&serde_json_canonicalizer::to_vec(value).unwrap())
    }

    fn keys() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~\t\n\r]{0,4}",
            "[a-c]{0,3}",
            "[\u{0}-\u{7f}]{0,3}",
            "[\u{e000}-\u{10ffff}a]{0,2}",
            any::<String>()
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-20_i64..20).prop_map(|near| Value::from(EXACT.wrapping_add_signed(near))),
            (-20_i64..20).prop_map(Value::from),
            any::<f64>().prop_map(|number| Number::from_f64(number).map_or(Value::Null, Value::Number)),
            keys().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((keys(), inner), 0..6).prop_map(|entries| entries.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_quick_way_is_the_way_of_the_library(value in values()) {
            prop_assert_eq!(digest(value.clone()).unwrap(), slowly(&value));
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
            let value: Value = serde_json::from_str(text).unwrap();
            assert!(!plain(&value), "{text}");
            assert_eq!(digest(value.clone()).unwrap(), slowly(&value), "{text}");
        }
        for value in [
            json!(null),
            json!([{"name": "main", "title": "Zur\u{fc}ck \u{1}\u{7f}\"/\\", "elements": [], "sort": -7}]),
        ] {
            assert!(plain(&value), "{value}");
            assert_eq!(digest(value.clone()).unwrap(), slowly(&value), "{value}");
        }
    }
}
