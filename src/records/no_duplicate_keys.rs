//! JSON without duplicate fields.
//!
//! Most parsers take the last of two fields with one name, and some the first. An object with both
//! has different meanings for different readers: for a person or a tool that reviews a plan file,
//! and for recard, which executes it. And a manual merge of two ledgers may leave two lists in one,
//! of which one would be silently dropped.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::FormatError;

/// Parses JSON, and refuses a duplicate field in an object, at any depth. A byte order mark in
/// front is allowed.
pub(super) fn value(bytes: &[u8]) -> Result<Value, FormatError> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    serde_json::from_slice::<Strict>(bytes).map(|Strict(value)| value).map_err(|problem| {
        // Data errors have a message below; all others mean that the text is not JSON.
        if problem.is_data() {
            FormatError::invalid(problem)
        } else {
            FormatError::NotJson(problem)
        }
    })
}

/// Parses a JSON object, with the same check.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, FormatError> {
    match value(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(FormatError::invalid("it is no JSON object")),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number without end"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let Strict(field) = fields.next_value()?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the field {name:?} stands there twice")));
            }
            object.insert(name, field);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_any_reader_reads_it() {
        let text = r#" {"b":[1,-2,0.5,1e3,18446744073709551615,null,true,"\u00e9\n"],"a":{"a":{}},"":[]} "#;
        assert_eq!(value(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        for text in ["", "{", "[1,]", "{} {}", "nul", "{\"a\"}"] {
            assert!(value(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"[]").is_err());
    }

    #[test]
    fn field_that_stands_twice_is_refused_however_deep_and_however_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"b":2,"a":3}}]"#, r#"{"a":1,"\u0061":2}"#]
        {
            let problem = value(text.as_bytes()).unwrap_err().to_string();
            assert!(
                problem.starts_with("the field \"a\" stands there twice at line 1"),
                "{problem}"
            );
        }
    }
}
