//! Stable codes of diagnostics.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Kind of a problem. The text form never changes and is never reused.
        ///
        /// `RC01` is about reading the text, `RC02` about its form, `RC03` about its meaning,
        /// `RC04` about the people, departments and pipelines on the portal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DiagnosticCode {
            $(#[doc = concat!("`", $text, "`")] #[doc = ""] $(#[$doc])* $name,)*
        }

        impl DiagnosticCode {
            /// All codes, in the order of their texts.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the text form: `RC0101` and so on.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// The file is not UTF-8 text.
    NotUtf8 = "RC0101",
    /// The file is larger than 8 MiB.
    TooLarge = "RC0102",
    /// The text is not YAML.
    Syntax = "RC0103",
    /// There is no manifest: no file, an empty file, or an empty document.
    Empty = "RC0104",
    /// The document is too large once its aliases are followed, or nested too deeply.
    TooManyNodes = "RC0105",
    /// An alias refers to no anchor before it, or to itself.
    BadAlias = "RC0106",
    /// A YAML tag (`!name`), which has no meaning in a manifest.
    Tag = "RC0107",
    /// The URL of a webhook, which is a secret. It is never shown.
    WebhookUrl = "RC0108",
    /// A key that does not exist there.
    UnknownKey = "RC0201",
    /// A key that appears twice in one mapping.
    DuplicateKey = "RC0202",
    /// A required key is missing.
    MissingKey = "RC0203",
    /// A value of a wrong type: a text where a number belongs, and the like.
    WrongType = "RC0204",
    /// `apiVersion` is not one that this recard reads.
    UnsupportedVersion = "RC0205",
    /// `kind` is not one that this recard reads.
    UnsupportedKind = "RC0206",
    /// A word that is not among the allowed ones.
    UnknownValue = "RC0207",
    /// A value that is not the id of a person or of a department.
    InvalidId = "RC0208",
    /// An empty text where a text is required.
    EmptyText = "RC0209",
    /// An empty list. Only lists under `except` may be empty.
    EmptyList = "RC0210",
    /// A text that is not an e-mail address.
    InvalidEmail = "RC0211",
    /// A text that is not the host name of a portal.
    InvalidPortal = "RC0212",
    /// A text that is not a valid once key.
    InvalidGeneration = "RC0213",
    /// A number outside of its range.
    OutOfRange = "RC0214",
    /// A control character, or a line break where one line belongs.
    ControlCharacter = "RC0215",
    /// One selector in two blocks with different modes.
    Contradiction = "RC0301",
    /// A target that is declared twice, in the same words; a warning.
    DuplicateTarget = "RC0302",
    /// A selection without people.
    EmptySelection = "RC0303",
    /// A document with neither personal nor common cards.
    NothingDeclared = "RC0304",
    /// Selected and excepted in the same block.
    SelectedAndExcepted = "RC0305",
    /// A protected person is selected by id.
    ProtectedSelected = "RC0306",
    /// Documents of one run name different portals.
    DifferentPortals = "RC0307",
    /// Two documents have the same name.
    DuplicateName = "RC0308",
    /// The portal has no person with that id.
    UnknownPerson = "RC0401",
    /// The portal has no person with that e-mail address.
    UnknownEmail = "RC0402",
    /// The portal has several people with that e-mail address.
    AmbiguousEmail = "RC0403",
    /// The portal has no active department with that id or name, or it is above itself.
    UnknownDepartment = "RC0404",
    /// A department without active people.
    EmptyDepartment = "RC0405",
    /// A person who was dismissed.
    DismissedPerson = "RC0406",
    /// The caller may not do what the manifest wants; a warning.
    NotAdministrator = "RC0407",
    /// The portal has several active departments with that name.
    AmbiguousDepartment = "RC0408",
    /// The portal lists no such pipeline, category or smart process.
    UnknownPipeline = "RC0409",
    /// The portal has several pipelines, categories or smart processes with that name.
    AmbiguousPipeline = "RC0410",
    /// Pipelines may be missing from `all`; a warning.
    PartialPipelines = "RC0411",
    /// The portal has no methods of their own for the cards of leads; a warning.
    ItemMethods = "RC0412",
}

impl fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_codes_are_unique() {
        let texts: Vec<&str> = DiagnosticCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(texts.is_sorted_by(|a, b| a < b), "{texts:?}");
    }
}
