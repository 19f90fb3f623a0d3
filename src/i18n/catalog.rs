//! Translations: a gettext file for each language but English.

use std::fmt;
use std::sync::LazyLock;

use polib::catalog::Catalog;
use polib::message::MessageView;
use polib::po_file;

use super::language::{self, Language};

/// Value of a text, with its name if it has one.
pub(super) type Value<'a> = (&'a str, &'a dyn fmt::Display);

/// Russian translations, parsed on first use.
static RUSSIAN: LazyLock<Translations> =
    LazyLock::new(|| Translations::read(include_str!("ru.po"), russian_form));

/// Translations into one language.
pub(super) struct Translations {
    messages: Option<Catalog>,
    form: fn(u64) -> usize,
}

/// Returns the translations into the current language; `None` for English.
pub(super) fn current() -> Option<&'static Translations> {
    match language::current_language() {
        Language::English => None,
        Language::Russian => Some(&RUSSIAN),
    }
}

impl Translations {
    /// Parses a catalog. The file is part of the program and a test parses it; a parse error would
    /// mean English.
    fn read(file: &str, form: fn(u64) -> usize) -> Self {
        Self { messages: po_file::parse_from_reader(file.as_bytes()).ok(), form }
    }

    fn message(&self, text: &str, several: Option<&str>) -> Option<&dyn MessageView> {
        self.messages
            .as_ref()?
            .find_message(None, text, several)
            .filter(|message| message.is_translated())
    }

    /// Returns the translation of a text, or the text.
    pub(super) fn find<'a>(&'a self, text: &'a str) -> &'a str {
        self.message(text, None).and_then(|message| message.msgstr().ok()).unwrap_or(text)
    }

    /// Returns the translation of a text for a number, or its English form.
    pub(super) fn find_counted<'a>(
        &'a self,
        one: &'a str,
        several: &'a str,
        number: u64,
    ) -> &'a str {
        let forms =
            self.message(one, Some(several)).and_then(|message| message.msgstr_plural().ok());
        let english = if number == 1 { one } else { several };
        forms.and_then(|forms| forms.get((self.form)(number))).map_or(english, String::as_str)
    }
}

/// Returns the plural form of a Russian noun behind a number: 1 карточка, 2 карточки, 5 карточек.
/// The catalog's `Plural-Forms` in Rust.
fn russian_form(number: u64) -> usize {
    match (number % 10, number % 100) {
        (1, last) if last != 11 => 0,
        (2..=4, last) if !(12..=14).contains(&last) => 1,
        _ => 2,
    }
}

/// Fills in the values of a text in place of `{}`, `{0}` and `{name}`; `{{` and `}}` are braces.
pub(super) fn substitute(text: &str, values: &[Value<'_>]) -> String {
    use fmt::Write as _;

    let mut filled = String::with_capacity(text.len() * 2);
    let mut rest = text;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let doubled = from.starts_with("{{") || from.starts_with("}}");
        let end = from.find('}').filter(|_| !doubled && from.starts_with('{'));
        let Some(end) = end else {
            filled.push_str(from.get(..1).unwrap_or_default());
            rest = from.get(if doubled { 2 } else { 1 }..).unwrap_or_default();
            continue;
        };
        let name = from.get(1..end).unwrap_or_default();
        let value = if name.is_empty() {
            next += 1;
            values.get(next - 1)
        } else if let Ok(index) = name.parse::<usize>() {
            values.get(index)
        } else {
            values.iter().find(|(known, _)| *known == name)
        };
        match value {
            Some((_, value)) => {
                let _ = write!(filled, "{value}");
            }
            // The compiler and a test check that every placeholder has a value.
            None => filled.push_str(from.get(..=end).unwrap_or_default()),
        }
        rest = from.get(end + 1..).unwrap_or_default();
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_of_russian_has_its_plural_forms() {
        let catalogue = po_file::parse_from_reader(include_str!("ru.po").as_bytes()).unwrap();
        let rules = &catalogue.metadata.plural_rules;
        let standard =
            "(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2)";
        assert_eq!((rules.nplurals, rules.expr.as_str()), (3, standard));
        assert_eq!(catalogue.metadata.language, "ru");
    }

    #[test]
    fn russian_nouns_have_three_forms() {
        let forms = ["карточка", "карточки", "карточек"];
        for (numbers, form) in [
            (&[1, 21, 31, 101, 1001, 1_000_021][..], "карточка"),
            (&[2, 3, 4, 22, 24, 33, 102, 1004][..], "карточки"),
            (
                &[0, 5, 9, 10, 11, 12, 13, 14, 15, 20, 25, 100, 111, 112, 114, 1011, 11_112][..],
                "карточек",
            ),
        ] {
            for number in numbers {
                assert_eq!(forms[russian_form(*number)], form, "{number}");
            }
        }
    }

    #[test]
    fn values_stand_where_their_placeholders_are() {
        let values: &[Value<'_>] = &[("", &"one"), ("", &2), ("name", &'3')];
        for (text, expected) in [
            ("{} {} {name}", "one 2 3"),
            ("{1}, {0}, {2}", "2, one, 3"),
            ("{{ once: {name} }}", "{ once: 3 }"),
            ("{name}{name}", "33"),
            ("карточка {}…", "карточка one…"),
            ("{other} {9} {", "{other} {9} {"),
            ("} {", "} {"),
            ("", ""),
        ] {
            assert_eq!(substitute(text, values), expected);
        }
        assert_eq!(substitute("{}", &[("", &"{name}")]), "{name}");
    }
}
