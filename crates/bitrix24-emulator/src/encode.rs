//! Encoders of answers: JSON as the portal's own encoder writes it, and XML.

use std::fmt::Write as _;

use serde_json::Value;

use crate::php::{PhpKey, PhpValue};
use crate::php_number::{FloatDigits, float_text};

/// Encodes JSON. Any empty value is `[]`, a map with the keys 0, 1, 2, … is a list.
pub(super) fn json(value: &PhpValue) -> String {
    let mut text = String::with_capacity(256);
    write_json(&mut text, value);
    text
}

fn write_json(out: &mut String, value: &PhpValue) {
    match value {
        PhpValue::Null => out.push_str("null"),
        PhpValue::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        PhpValue::Int(number) => {
            let _ = write!(out, "{number}");
        }
        PhpValue::Float(number) => out.push_str(&float_text(*number, FloatDigits::Shortest)),
        PhpValue::Text(text) => write_text(out, text),
        PhpValue::EmptyObject => out.push_str("{}"),
        PhpValue::Array(array) if array.is_list() => {
            out.push('[');
            for (index, item) in array.values().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        PhpValue::Array(array) => {
            out.push('{');
            for (index, (key, item)) in array.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(out, &key.to_string());
                out.push(':');
                write_json(out, item);
            }
            out.push('}');
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '/' => out.push_str("\\/"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '"' | '\'' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Only HTML characters have escapes with upper-case digits.
                let _ = match c {
                    '<' | '>' => write!(out, "\\u{:04X}", u32::from(c)),
                    _ => write!(out, "\\u{:04x}", u32::from(c)),
                };
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Converts a value for the admin API, where a whole fraction stays a fraction.
pub(super) fn value(value: &PhpValue) -> Value {
    match value {
        PhpValue::Null => Value::Null,
        PhpValue::Bool(value) => Value::Bool(*value),
        PhpValue::Int(number) => Value::from(*number),
        PhpValue::Float(number) => Value::from(*number),
        PhpValue::Text(text) => Value::String(text.clone()),
        PhpValue::EmptyObject => Value::Object(serde_json::Map::new()),
        PhpValue::Array(array) if array.is_list() => array.values().map(self::value).collect(),
        PhpValue::Array(array) => {
            array.iter().map(|(key, item)| (key.to_string(), self::value(item))).collect()
        }
    }
}

/// Encodes XML: a list becomes items, a map becomes elements.
pub(super) fn xml(value: &PhpValue) -> String {
    let mut text = String::from("<response>");
    write_xml(&mut text, value);
    text.push_str("</response>");
    text
}

fn write_xml(out: &mut String, value: &PhpValue) {
    match value {
        PhpValue::Array(array) => {
            for (key, item) in array.iter() {
                let name = match key {
                    PhpKey::Int(_) => "item",
                    PhpKey::Text(text) if PhpValue::from(text.as_str()).is_numeric() => "item",
                    PhpKey::Text(text) => text,
                };
                let _ = write!(out, "<{name}>");
                write_xml(out, item);
                let _ = write!(out, "</{name}>");
            }
        }
        PhpValue::Null | PhpValue::EmptyObject => {}
        PhpValue::Bool(value) => out.push_str(if *value { "1" } else { "" }),
        PhpValue::Int(number) => {
            let _ = write!(out, "{number}");
        }
        PhpValue::Float(number) => out.push_str(&float_text(*number, FloatDigits::Fourteen)),
        PhpValue::Text(text) => {
            for c in text.chars() {
                match c {
                    '<' => out.push_str("&lt;"),
                    '>' => out.push_str("&gt;"),
                    '&' => out.push_str("&amp;"),
                    '"' => out.push_str("&quot;"),
                    '\'' => out.push_str("&#039;"),
                    other => out.push(other),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_numbered_things_look_as_the_portal_writes_them() {
        for (sent, written) in [
            ("{}", "[]"),
            (r#"{"0":1,"1":2}"#, "[1,2]"),
            (r#"{"1":1}"#, r#"{"1":1}"#),
            (
                r#"["a/b","<b>\"x\"</b> & 'y'","Ё😀"]"#,
                r#"["a\/b","\u003Cb\u003E\u0022x\u0022\u003C\/b\u003E \u0026 \u0027y\u0027","Ё😀"]"#,
            ),
            ("[1.0,0.25,null,true]", "[1,0.25,null,true]"),
            (r#""\u0001\u001f\u007f\u2028""#, "\"\\u0001\\u001f\u{7f}\\u2028\""),
        ] {
            assert_eq!(json(&serde_json::from_str(sent).unwrap()), written);
        }
    }
}
