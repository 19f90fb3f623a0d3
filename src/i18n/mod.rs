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
mod language;
mod text;

pub use language::{Language, current_language, english, set_language, with_language};
pub use text::Text;

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
