//! Language of texts for people.
//!
//! English texts stand in the code, marked by [`tr!`](macro@crate::tr); other languages stand in
//! gettext catalogs (`ru.po` beside this file), for which translators have programs. A catalog is
//! part of the binary and is parsed on first use. A text without a translation is printed in
//! English.
//!
//! What programs read is the same in every language, and one run speaks to both: Russian on the
//! terminal, English in JSON and in the journal. So a translated text is a [`Text`], which has kept
//! its English form, and everything that is written for programs or to be read back is made
//! [`with_language`] English. That is why the macro is our own and not that of the crate `tr`,
//! whose syntax it has: that one knows one language a process, and finds a placeholder without a
//! value only when it is said. Here the compiler finds it, and
//! `tests/integration/repository/i18n.rs` finds what has no translation.

mod catalog;
mod text;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

pub use text::Text;

/// Language of recard's texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Russian.
    Russian,
}

impl Language {
    /// All languages, with the words that name them on the command line.
    pub const ALL: [(&'static str, Self); 2] = [("en", Self::English), ("ru", Self::Russian)];

    /// Returns the language of a POSIX locale such as `ru_RU.UTF-8`; English for all others.
    pub fn from_locale(locale: &str) -> Self {
        let word = locale.split(['_', '.', '@', '-']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == word)
            .map_or(Self::English, |(_, language)| language)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::ALL.iter().find(|(_, language)| language == self).map_or("", |(word, _)| word))
    }
}

/// `true` if the language of the process is Russian. Set once, before any output.
static PROCESS_IS_RUSSIAN: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Language of the text that this thread is making, if it differs from that of the process.
    static LANGUAGE_OVERRIDE: Cell<Option<Language>> = const { Cell::new(None) };
}

/// Sets the language of the process. Only `cli` calls it, before any output.
pub fn set_language(language: Language) {
    PROCESS_IS_RUSSIAN.store(language == Language::Russian, Ordering::Relaxed);
}

/// Returns the current language of this thread.
pub fn current_language() -> Language {
    LANGUAGE_OVERRIDE.get().unwrap_or(if PROCESS_IS_RUSSIAN.load(Ordering::Relaxed) {
        Language::Russian
    } else {
        Language::English
    })
}

/// Runs a closure in a language, whatever the language of the process.
pub fn with_language<T>(language: Language, make: impl FnOnce() -> T) -> T {
    /// Guard that restores the language, also when `make` panics.
    struct RestoreLanguage(Option<Language>);
    impl Drop for RestoreLanguage {
        fn drop(&mut self) {
            LANGUAGE_OVERRIDE.set(self.0);
        }
    }
    let _before = RestoreLanguage(LANGUAGE_OVERRIDE.replace(Some(language)));
    make()
}

/// Returns the English form of a value, for machine output and records.
pub fn english(value: &impl fmt::Display) -> String {
    with_language(Language::English, || value.to_string())
}

/// Makes a [`Text`] in the current language from an English text and its catalog entry.
///
/// The text is a literal with placeholders as in [`std::format!`], but without a format behind a
/// colon; every value is passed, by its name or in order. A text that depends on a number has both
/// English forms, named placeholders, and `{n}` for the number:
///
/// ```
/// use recard::tr;
///
/// let path = "lead.yaml";
/// let text = tr!("cannot read {path}: {}", "no such file", path);
/// assert_eq!(text.english(), "cannot read lead.yaml: no such file");
/// let text = tr!("one card of {who}" | "{n} cards of {who}" % 3_u32, who = "Anna");
/// assert_eq!(text.english(), "3 cards of Anna");
/// ```
///
/// A placeholder without a value does not compile:
///
/// ```compile_fail
/// let path = "lead.yaml";
/// recard::tr!("cannot read {path}");
/// ```
#[macro_export]
macro_rules! tr {
    (@values $text:literal [$($checked:tt)*] [$($value:tt)*]) => {{
        // Dead code: makes the compiler compare placeholders and values. `concat` keeps it from
        // capturing variables.
        if false {
            let _ = ::std::format_args!(::std::concat!($text) $($checked)*);
        }
        $crate::i18n::Text::from_template($text, &[$($value)*])
    }};
    (@values $text:literal [$($checked:tt)*] [$($value:tt)*] $name:ident = $given:expr $(, $($rest:tt)*)?) => {
        $crate::tr!(@values $text [$($checked)*, $name = $given] [$($value)* (::std::stringify!($name), &$given),] $($($rest)*)?)
    };
    (@values $text:literal [$($checked:tt)*] [$($value:tt)*] $name:ident $(, $($rest:tt)*)?) => {
        $crate::tr!(@values $text [$($checked)*, $name = $name] [$($value)* (::std::stringify!($name), &$name),] $($($rest)*)?)
    };
    (@values $text:literal [$($checked:tt)*] [$($value:tt)*] $given:expr $(, $($rest:tt)*)?) => {
        $crate::tr!(@values $text [$($checked)*, $given] [$($value)* ("", &$given),] $($($rest)*)?)
    };
    (@counted $one:literal $several:literal $number:ident [$($checked:tt)*] [$($value:tt)*]) => {{
        if false {
            let _ = ::std::format_args!(::std::concat!($one, $several, "{n}"), n = $number $($checked)*);
        }
        $crate::i18n::Text::from_plural_template($one, $several, $number, &[("n", &$number), $($value)*])
    }};
    (@counted $one:literal $several:literal $number:ident [$($checked:tt)*] [$($value:tt)*] $name:ident = $given:expr $(, $($rest:tt)*)?) => {
        $crate::tr!(@counted $one $several $number [$($checked)*, $name = $given] [$($value)* (::std::stringify!($name), &$given),] $($($rest)*)?)
    };
    (@counted $one:literal $several:literal $number:ident [$($checked:tt)*] [$($value:tt)*] $name:ident $(, $($rest:tt)*)?) => {
        $crate::tr!(@counted $one $several $number [$($checked)*, $name = $name] [$($value)* (::std::stringify!($name), &$name),] $($($rest)*)?)
    };
    ($one:literal | $several:literal % $number:expr $(, $($rest:tt)*)?) => {{
        let number = $number;
        $crate::tr!(@counted $one $several number [] [] $($($rest)*)?)
    }};
    ($text:literal $(, $($rest:tt)*)?) => {
        $crate::tr!(@values $text [] [] $($($rest)*)?)
    };
}

/// Marks an English text that [`Text::from_msgid`] translates later: it stays as it is here, and
/// translators find it.
#[macro_export]
macro_rules! tr_later {
    ($text:literal) => {
        $text
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_names_a_language_by_its_first_part() {
        for locale in ["ru_RU.UTF-8", "ru", "ru_UA", "ru-RU", "ru@latin"] {
            assert_eq!(Language::from_locale(locale), Language::Russian, "{locale}");
        }
        for locale in ["", "C", "POSIX", "C.UTF-8", "en_GB.UTF-8", "de_DE", "run", "RU_RU", "_ru"] {
            assert_eq!(Language::from_locale(locale), Language::English, "{locale}");
        }
    }

    #[test]
    fn a_language_holds_for_what_is_made_within_it_and_no_longer() {
        assert_eq!(current_language(), Language::English);
        with_language(Language::Russian, || {
            assert_eq!(current_language(), Language::Russian);
            with_language(Language::English, || assert_eq!(current_language(), Language::English));
            assert_eq!(current_language(), Language::Russian);
        });
        let ended = std::panic::catch_unwind(|| {
            with_language(Language::Russian, || std::panic::panic_any(()))
        });
        assert!(ended.is_err() && current_language() == Language::English);
    }

    #[test]
    fn other_threads_speak_on_as_they_did() {
        with_language(Language::Russian, || {
            std::thread::scope(|scope| {
                scope.spawn(|| assert_eq!(current_language(), Language::English)).join().unwrap()
            });
        });
    }
}
