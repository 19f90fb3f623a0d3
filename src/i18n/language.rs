//! Language of the process, and of the text that a thread is making.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_names_a_language_by_its_first_part() {
        for locale in ["ru_RU.UTF-8", "ru", "ru_UA", "ru-RU", "ru@latin"] {
            assert_eq!(Language::from_locale(locale), Language::Russian, "{locale}");
        }
        for locale in ["", "C", "POSIX", "C.UTF-8", "en_GB.UTF-8", "de_DE", "run", "RU_RU", "_ru"] {
            assert_eq!(Language::from_locale(locale), Language::English, "{locale}");
        }
    }

    #[test]
    fn language_holds_for_what_is_made_within_it_and_no_longer() {
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
    fn language_of_other_threads_is_unchanged() {
        with_language(Language::Russian, || {
            std::thread::scope(|scope| {
                scope.spawn(|| assert_eq!(current_language(), Language::English)).join().unwrap()
            });
        });
    }
}
