//! One call of a method as a command of a batch.
//!
//! A raw `&` ends a value and starts another parameter, a raw `#` drops the rest, a raw `+` is a
//! blank, and `$result[…]` is looked up in earlier answers. In all of these cases the caller's own
//! card is reset. Every byte that is not certainly harmless is therefore encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Bytes that are encoded: all but ASCII letters, digits and `-._~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The method that carries commands.
pub const BATCH: &str = "batch";

/// One call of a method with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchCommand {
    method: &'static str,
    query: String,
    is_optional: bool,
}

impl BatchCommand {
    /// Makes a call without parameters.
    pub fn new(method: &'static str) -> Self {
        Self { method, query: String::new(), is_optional: false }
    }

    /// Adds a parameter. The name is the program's own and may have brackets; the value may be
    /// anything.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
        self.query.push('=');
        self.query.extend(utf8_percent_encode(value, ENCODED));
        self
    }

    /// Marks a call whose failure must not fail or delay the others of its batch: it is answered
    /// at most once, and a rejection concerns this call alone.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// Returns `true` if the call may fail.
    pub fn is_optional(&self) -> bool {
        self.is_optional
    }

    /// Returns the method.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Returns the text that stands in a batch.
    pub fn text(&self) -> String {
        if self.query.is_empty() {
            self.method.to_owned()
        } else {
            format!("{}?{}", self.method, self.query)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_cannot_become_another_parameter() {
        let command = BatchCommand::new("user.get")
            .with("FILTER[EMAIL]", "a&userId=1@b.example")
            .with("start", "0");
        assert_eq!(command.text(), "user.get?FILTER[EMAIL]=a%26userId%3D1%40b.example&start=0");
        assert_eq!(BatchCommand::new("profile").text(), "profile");
    }

    #[test]
    fn value_has_no_character_with_a_meaning_in_a_command() {
        for (value, text) in [
            ("a+b@c.example", "a%2Bb%40c.example"),
            ("&userId=1#x%$result[u] /", "%26userId%3D1%23x%25%24result%5Bu%5D%20%2F"),
            ("ключ\n\0", "%D0%BA%D0%BB%D1%8E%D1%87%0A%00"),
            ("aZ09-._~", "aZ09-._~"),
        ] {
            assert_eq!(BatchCommand::new("m").with("x", value).text(), format!("m?x={text}"));
        }
    }
}
