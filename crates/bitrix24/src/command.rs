//! One call of a method as a command of a batch.

use crate::encode::push_encoded;

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
        push_encoded(&mut self.query, value);
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
}
