//! Translated text that keeps its English form for machine output.

use std::fmt;
use std::ops::Deref;

use serde::{Serialize, Serializer};

use super::catalog::{self, Value};
use super::language::{Language, current_language, with_language};

/// Text for people. [`tr!`](macro@crate::tr) makes it in the current language, and it displays in
/// that language; [`with_language`] English, and by [`Text::english`], it displays in English.
///
/// A foreign text, such as a message of the portal, is the same in every language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    english: String,
    translated: Option<String>,
}

impl Text {
    /// Creates a text with its values filled in; called by `tr!`.
    #[doc(hidden)]
    pub fn from_template(text: &'static str, values: &[Value<'_>]) -> Self {
        let translated =
            catalog::current().map(|catalog| catalog::substitute(catalog.find(text), values));
        Self {
            english: with_language(Language::English, || catalog::substitute(text, values)),
            translated,
        }
    }

    /// Creates a text that depends on a number; called by `tr!`.
    #[doc(hidden)]
    pub fn from_plural_template(
        one: &'static str,
        several: &'static str,
        number: impl TryInto<u64>,
        values: &[Value<'_>],
    ) -> Self {
        let number = number.try_into().unwrap_or(u64::MAX);
        let text = if number == 1 { one } else { several };
        let found = catalog::current().map(|catalog| catalog.find_counted(one, several, number));
        let translated = found.map(|found| catalog::substitute(found, values));
        Self {
            english: with_language(Language::English, || catalog::substitute(text, values)),
            translated,
        }
    }

    /// Creates a text from a value that can be displayed in every language.
    pub fn from_display(value: &impl fmt::Display) -> Self {
        let translated = (current_language() != Language::English).then(|| value.to_string());
        Self { english: with_language(Language::English, || value.to_string()), translated }
    }

    /// Translates a text that was made in English, if it is marked by `tr!` or `tr_later!` and has
    /// no placeholders: texts of a journal, for example, which are stored in English.
    pub fn from_msgid(english: &str) -> Self {
        let english = english.to_owned();
        let translated = catalog::current().map(|catalog| catalog.find(&english).to_owned());
        Self { english, translated }
    }

    /// Returns the text in the current language.
    pub fn as_str(&self) -> &str {
        match (current_language(), &self.translated) {
            (Language::English, _) | (_, None) => &self.english,
            (Language::Russian, Some(translated)) => translated,
        }
    }

    /// Returns the text in English, for machine output.
    pub fn english(&self) -> &str {
        &self.english
    }

    /// Joins texts with a separator.
    pub fn join(texts: &[Self], between: &str) -> Self {
        let all = || texts.iter().map(Self::as_str).collect::<Vec<_>>().join(between);
        Self {
            english: with_language(Language::English, all),
            translated: (current_language() != Language::English).then(all),
        }
    }

    /// Applies a function to every form of the text.
    #[must_use]
    pub fn map(self, change: impl Fn(String) -> String) -> Self {
        Self { english: change(self.english), translated: self.translated.map(change) }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Text {
    /// Serializes the English form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.english)
    }
}

impl From<String> for Text {
    fn from(english: String) -> Self {
        Self { english, translated: None }
    }
}

impl From<&str> for Text {
    fn from(english: &str) -> Self {
        english.to_owned().into()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a text as `tr!` does, at the place of use.
    fn takes(requests: u32) -> Text {
        let (one, several) = ("{n} request, {time}", "{n} requests, {time}");
        Text::from_plural_template(
            one,
            several,
            requests,
            &[("n", &requests), ("time", &Text::from_template("under a second", &[]))],
        )
    }

    #[test]
    fn text_reads_as_the_language_that_is_spoken_where_it_is_read() {
        let text = with_language(Language::Russian, || takes(3));
        assert_eq!(text, "3 requests, under a second");
        assert_eq!(
            with_language(Language::Russian, || takes(1)).english(),
            "1 request, under a second"
        );
        with_language(Language::Russian, || {
            assert_eq!(text, "3 запроса, меньше секунды");
            assert_eq!(text.english(), "3 requests, under a second");
            assert_eq!(takes(21), "21 запрос, меньше секунды");
            assert_eq!(takes(11), "11 запросов, меньше секунды");
        });
    }

    #[test]
    fn text_from_elsewhere_is_the_same_in_every_language() {
        with_language(Language::Russian, || {
            assert_eq!(Text::from("Access denied"), "Access denied")
        });
    }

    #[test]
    fn text_that_was_stored_in_english_is_translated_when_read() {
        assert_eq!(Text::from_msgid("under a second"), "under a second");
        with_language(Language::Russian, || {
            assert_eq!(Text::from_msgid("under a second"), "меньше секунды");
            assert_eq!(Text::from_msgid("no such text"), "no such text");
        });
    }
}
