//! Anonymizer for layouts that leave the company.
//!
//! Section titles and field names tell about a company's business. The anonymizer replaces every
//! text by a salted hash, and keeps the structure: the number of sections and fields, their order,
//! flags and numbers. Equal texts get equal hashes within one export, so that two people's layouts
//! can be compared; the salt is made for the export and never stored, so that guessed names cannot
//! be tested.

use std::fmt;

use serde_json::{Map, Value};

use crate::model::{Digest, Layout, LayoutError, PortalId};

/// Number of hexadecimal digits of a hash: enough to tell the names of one company apart.
const DIGITS: usize = 10;

/// Keys that the portal itself gives to the parts of a layout. Any other key may be a text of a
/// person.
const KEYS: [&str; 6] = ["elements", "name", "optionFlags", "options", "title", "type"];

/// The portal's own words for the kind of a part.
const TYPES: [&str; 3] = ["column", "field", "section"];

/// Anonymizer with one salt: equal texts get equal hashes.
#[derive(Clone)]
pub struct Anonymizer {
    salt: [u8; 16],
}

impl Anonymizer {
    /// Creates an anonymizer with a salt, which must be random and must not be stored.
    pub fn new(salt: [u8; 16]) -> Self {
        Self { salt }
    }

    /// Returns the replacement of a person's name.
    pub fn person(&self, name: &str) -> String {
        self.replaced("person", name)
    }

    /// Returns the replacement of a portal.
    pub fn portal(&self, portal: &PortalId) -> PortalId {
        // Ten hexadecimal digits are always a valid host name.
        PortalId::new(&format!("{}.example", self.replaced("portal", portal.as_str())))
            .unwrap_or_else(|_| portal.clone())
    }

    /// Returns the layout without texts of people.
    ///
    /// # Errors
    ///
    /// If the layout is not JSON, which is impossible.
    pub fn layout(&self, layout: &Layout) -> Result<Layout, LayoutError> {
        let value: Value = serde_json::from_str(layout.as_json()).map_err(LayoutError::NotJson)?;
        Layout::from_json(&self.value("text", value).to_string())
    }

    fn value(&self, key: &str, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(key, &text)),
            Value::Array(values) => {
                Value::Array(values.into_iter().map(|value| self.value(key, value)).collect())
            }
            Value::Object(fields) => {
                let field = |(key, value): (String, Value)| {
                    // A numeric key is a place in a list with gaps.
                    let own = KEYS.contains(&key.as_str())
                        || key.bytes().all(|byte| byte.is_ascii_digit());
                    let value = self.value(&key, value);
                    (if own { key } else { self.replaced("key", &key) }, value)
                };
                Value::Object(fields.into_iter().map(field).collect::<Map<_, _>>())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
        }
    }

    fn text(&self, key: &str, text: &str) -> String {
        let own_word = match key {
            "type" => TYPES.contains(&text),
            "optionFlags" => text.bytes().all(|byte| byte.is_ascii_digit()),
            _ => text.is_empty(),
        };
        match key {
            _ if own_word => text.to_owned(),
            "name" | "title" => self.replaced(key, text),
            _ => self.replaced("text", text),
        }
    }

    /// Returns the replacement of a text, with its kind in front.
    pub fn replaced(&self, what: &str, text: &str) -> String {
        let mut salted = self.salt.to_vec();
        salted.extend(text.as_bytes());
        let mut hash = Digest::hash(&salted).hex();
        hash.truncate(DIGITS);
        format!("{what}-{hash}")
    }
}

impl fmt::Debug for Anonymizer {
    /// Writes no salt: with it, guessed names could be tested.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Anonymizer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sanitized(text: &str) -> String {
        Anonymizer::new([7; 16])
            .layout(&Layout::from_json(text).unwrap())
            .unwrap()
            .as_json()
            .to_owned()
    }

    #[test]
    fn anonymized_layout_has_no_word_of_a_person() {
        let text = r#"[{"name":"user_secret","title":"Secret merger","type":"section","note":"secret","elements":[
            {"name":"UF_SECRET","optionFlags":"1","options":{"secretOption":"secret","defaultCountry":2}}]}]"#;
        let clean = sanitized(text);
        assert!(!clean.to_lowercase().contains("secret"), "{clean}");
        for kept in [
            r#""type":"section""#,
            r#""optionFlags":"1""#,
            ":2",
            r#""title":"title-"#,
            r#""name":"name-"#,
        ] {
            assert!(clean.contains(kept), "{kept} {clean}");
        }
    }

    #[test]
    fn anonymized_words_are_equal_where_they_were_equal() {
        assert_eq!(sanitized(r#"["A","A"]"#), sanitized(r#"["A","A"]"#));
        let pair: Vec<String> = serde_json::from_str(&sanitized(r#"["A","B"]"#)).unwrap();
        assert_ne!(pair[0], pair[1]);
        let one = Anonymizer::new([1; 16]).person("Anna");
        assert_ne!(one, Anonymizer::new([2; 16]).person("Anna"));
    }

    #[test]
    fn odd_layouts_keep_their_form() {
        for text in ["[]", "{}", "false", "\"\"", "7"] {
            assert_eq!(sanitized(text), text);
        }
        assert!(sanitized(r#"{"1":{"name":"main"}}"#).starts_with(r#"{"1":{"name":"name-"#));
        let portal = PortalId::new("company.bitrix24.com").unwrap();
        assert!(Anonymizer::new([3; 16]).portal(&portal).as_str().ends_with(".example"));
    }
}
