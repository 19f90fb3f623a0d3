//! Values of PHP, the portal's language.
//!
//! A list and an object are the same ordered map there; an empty one is neither; and every value
//! can be read as a number or a boolean, by rules that cause most of the portal's traps. This type
//! holds those rules.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::php_number::{FloatDigits, float_text, leading_number, wrapped};

/// PHP value.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(from = "Value")]
pub(super) enum PhpValue {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Array(PhpArray),
    /// An object without content, which only a few answers have.
    EmptyObject,
}

/// Key of an array. Texts that look like whole numbers become numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PhpKey {
    Int(i64),
    Text(String),
}

/// Characters that are trimmed around a text: blanks, line ends, tabs and NUL, but no other white
/// space.
pub(super) const BLANKS: [char; 6] = [' ', '\t', '\n', '\r', '\0', '\u{b}'];

/// Ordered map.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PhpArray {
    entries: Vec<(PhpKey, PhpValue)>,
    /// The key of the next value without a key; `None` before the first number.
    next: Option<i64>,
}

impl From<&str> for PhpKey {
    fn from(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Self::Int(number),
            _ => Self::Text(text.to_owned()),
        }
    }
}

impl fmt::Display for PhpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl From<&str> for PhpValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for PhpValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Value> for PhpValue {
    fn from(json: Value) -> Self {
        match json {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(items) => items.into_iter().map(Self::from).collect(),
            Value::Object(entries) => {
                let mut array = PhpArray::default();
                for (key, value) in entries {
                    array.set(PhpKey::from(key.as_str()), Self::from(value));
                }
                Self::Array(array)
            }
        }
    }
}

impl FromIterator<PhpValue> for PhpValue {
    fn from_iter<I: IntoIterator<Item = PhpValue>>(items: I) -> Self {
        let mut array = PhpArray::default();
        for item in items {
            array.push(item);
        }
        Self::Array(array)
    }
}

impl<'k> FromIterator<(&'k str, PhpValue)> for PhpValue {
    fn from_iter<I: IntoIterator<Item = (&'k str, PhpValue)>>(items: I) -> Self {
        let mut array = PhpArray::default();
        for (key, item) in items {
            array.set(PhpKey::from(key), item);
        }
        Self::Array(array)
    }
}

impl PhpArray {
    pub(super) fn get(&self, key: &PhpKey) -> Option<&PhpValue> {
        // Lists are accessed by their index, which is the place of the entry.
        if let PhpKey::Int(number) = key
            && let Some((known, value)) =
                usize::try_from(*number).ok().and_then(|index| self.entries.get(index))
            && known == key
        {
            return Some(value);
        }
        self.entries.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// Returns the value of a text key.
    pub(super) fn at(&self, key: &str) -> Option<&PhpValue> {
        self.get(&PhpKey::from(key))
    }

    fn entry(&mut self, key: PhpKey) -> &mut PhpValue {
        let index = match &key {
            PhpKey::Int(number) => usize::try_from(*number)
                .ok()
                .filter(|index| self.entries.get(*index).is_some_and(|(known, _)| *known == key)),
            PhpKey::Text(_) => None,
        };
        let index = index
            .or_else(|| self.entries.iter().position(|(known, _)| *known == key))
            .unwrap_or_else(|| {
                if let PhpKey::Int(number) = key {
                    let after = number.saturating_add(1);
                    self.next = Some(self.next.map_or(after, |next| next.max(after)));
                }
                self.entries.push((key, PhpValue::Null));
                self.entries.len() - 1
            });
        #[expect(clippy::indexing_slicing, reason = "the index was found or made just now")]
        &mut self.entries[index].1
    }

    pub(super) fn set(&mut self, key: PhpKey, value: PhpValue) {
        *self.entry(key) = value;
    }

    /// Appends a value behind the last number; drops it if that was the largest of all.
    pub(super) fn push(&mut self, value: PhpValue) {
        let number = self.next.unwrap_or(0);
        if number == i64::MAX && self.get(&PhpKey::Int(number)).is_some() {
            return;
        }
        self.next = Some(number.saturating_add(1));
        self.entries.push((PhpKey::Int(number), value));
    }

    /// Returns the array behind a key, created if it is missing; any other value there is replaced.
    pub(super) fn array_at(&mut self, key: PhpKey) -> &mut PhpArray {
        let value = self.entry(key);
        if !matches!(value, PhpValue::Array(_)) {
            *value = PhpValue::Array(PhpArray::default());
        }
        match value {
            PhpValue::Array(array) => array,
            _ => unreachable!("an array was put there just now"),
        }
    }

    /// Returns the key that a push would take.
    pub(super) fn next_key(&self) -> PhpKey {
        PhpKey::Int(self.next.unwrap_or(0))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the number of values that are neither list nor map, over all levels.
    pub(super) fn leaves(&self) -> usize {
        self.values().map(|value| value.array().map_or(1, Self::leaves)).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PhpKey, &PhpValue)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &PhpValue> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut PhpValue> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &str) {
        let key = PhpKey::from(key);
        self.entries.retain(|(known, _)| *known != key);
    }

    /// Returns `true` if the keys are 0, 1, 2, … in order.
    pub(super) fn is_list(&self) -> bool {
        self.entries.iter().enumerate().all(|(index, (key, _))| *key == PhpKey::Int(index as i64))
    }
}

impl PhpValue {
    pub(super) fn array(&self) -> Option<&PhpArray> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Converts the value to a whole number, as `(int)` does.
    pub(super) fn to_int(&self) -> i64 {
        match self {
            Self::Null => 0,
            Self::Bool(value) => i64::from(*value),
            Self::Int(number) => *number,
            Self::Float(number) => wrapped(*number),
            Self::Text(text) => leading_number(text),
            Self::Array(array) => i64::from(!array.is_empty()),
            Self::EmptyObject => 1,
        }
    }

    /// Converts the value to a boolean.
    pub(super) fn to_bool(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty() && text != "0",
            Self::Array(array) => !array.is_empty(),
            Self::EmptyObject => true,
        }
    }

    /// Returns `true` for a number, or a text that is one.
    pub(super) fn is_numeric(&self) -> bool {
        match self {
            Self::Int(_) | Self::Float(_) => true,
            Self::Text(text) => {
                let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
                let number = text.strip_prefix(['+', '-']).unwrap_or(text);
                number.starts_with(|c: char| c.is_ascii_digit() || c == '.')
                    && text.parse::<f64>().is_ok()
            }
            _ => false,
        }
    }

    /// Returns `true` if a handler with an integer parameter accepts it.
    pub(super) fn passes_as_int(&self) -> bool {
        let fits = |number: f64| {
            (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number)
        };
        match self {
            Self::Bool(_) | Self::Int(_) => true,
            Self::Float(number) => fits(*number),
            Self::Text(text) => self.is_numeric() && text.trim().parse().is_ok_and(fits),
            Self::Null | Self::Array(_) | Self::EmptyObject => false,
        }
    }

    /// Converts any value to text.
    pub(super) fn forced_text(&self) -> String {
        match self {
            Self::Bool(value) => if *value { "1" } else { "" }.into(),
            Self::Array(_) | Self::EmptyObject => "Array".into(),
            Self::Null | Self::Int(_) | Self::Float(_) | Self::Text(_) => {
                self.scalar_text().unwrap_or_default()
            }
        }
    }

    /// Returns a number or text as text.
    pub(super) fn scalar_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(float_text(*number, FloatDigits::Fourteen)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_the_portal_reads_them() {
        let list: PhpValue = [PhpValue::Int(7)].into_iter().collect();
        for (value, number) in [
            (PhpValue::Int(7), 7),
            ("7".into(), 7),
            (" 7".into(), 7),
            ("7abc".into(), 7),
            (PhpValue::Float(7.9), 7),
            ("7.9".into(), 7),
            ("1e3".into(), 1000),
            ("".into(), 0),
            ("abc".into(), 0),
            ("U7".into(), 0),
            (PhpValue::Bool(false), 0),
            (PhpValue::Array(PhpArray::default()), 0),
            (PhpValue::Bool(true), 1),
            (list, 1),
            (PhpValue::Float(18_446_744_073_709_551_616.0), 0),
            (PhpValue::Float(18_446_744_073_709_555_712.0), 4096),
            ("99999999999999999999".into(), i64::MAX),
            ("-3".into(), -3),
            (".5".into(), 0),
            (".".into(), 0),
            ("1.e3".into(), 1000),
            ("1e30".into(), i64::MAX),
            ("-1e30".into(), i64::MIN),
            ("18446744073709551616.0".into(), i64::MAX),
            ("1e400".into(), 0),
            ("0x1A".into(), 0),
            ("\u{b}7".into(), 7),
            (PhpValue::Float(1e25), 1_590_897_979_265_384_448),
            (PhpValue::Float(-1e19), 8_446_744_073_709_551_616),
            (PhpValue::Float(-0.5), 0),
        ] {
            assert_eq!(value.to_int(), number, "{value:?}");
        }
    }

    #[test]
    fn nameless_values_go_behind_the_largest_number() {
        let mut array = PhpArray::default();
        array.set(PhpKey::Int(-5), PhpValue::Null);
        array.push(PhpValue::Null);
        array.set(PhpKey::Int(i64::MAX), PhpValue::Null);
        array.push(PhpValue::Null);
        let keys: Vec<&PhpKey> = array.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&PhpKey::Int(-5), &PhpKey::Int(-4), &PhpKey::Int(i64::MAX)]);
    }

    #[test]
    fn keys_that_look_like_numbers_are_numbers() {
        let value: PhpValue = serde_json::from_str(r#"{"0":"a","1":"b"}"#).unwrap();
        assert!(value.array().unwrap().is_list());
        let value: PhpValue = serde_json::from_str(r#"{"1":"a","08":"b"}"#).unwrap();
        let keys: Vec<&PhpKey> = value.array().unwrap().iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&PhpKey::Int(1), &PhpKey::Text("08".into())]);
    }
}
