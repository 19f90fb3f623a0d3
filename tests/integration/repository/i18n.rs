//! Completeness of the translations: each marked text has a translation that fits it, and no
//! translation is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use polib::message::MessageView;
use proc_macro2::{TokenStream, TokenTree};

/// A marked text: in English, with its form for several things where it has one.
type Marked = (String, Option<String>);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text in `tr!` and `tr_later!`, with the first file that has it.
fn marked() -> BTreeMap<Marked, String> {
    let mut marked = BTreeMap::new();
    for file in crate::support::sources::under(&root().join("src")) {
        let tokens: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        walk(tokens, &mut |text| {
            marked.entry(text).or_insert_with(|| name.clone());
        });
    }
    marked
}

fn walk(tokens: TokenStream, found: &mut impl FnMut(Marked)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before = |back: usize| index.checked_sub(back).map(|index| tokens[index].to_string());
        let is_call = before(1).as_deref() == Some("!");
        if is_call && before(2).is_some_and(|name| name == "tr" || name == "tr_later") {
            take(group.stream(), found);
        }
        walk(group.stream(), found);
    }
}

/// Takes the text or the two texts that stand first in a call of the macro.
fn take(call: TokenStream, found: &mut impl FnMut(Marked)) {
    let mut tokens = call.into_iter();
    let Some(one) = literal(tokens.next()) else { return };
    let several = match tokens.next() {
        Some(TokenTree::Punct(sign)) if sign.as_char() == '|' => literal(tokens.next()),
        _ => None,
    };
    found((one, several));
}

fn literal(token: Option<TokenTree>) -> Option<String> {
    let Some(token @ TokenTree::Literal(_)) = token else { return None };
    syn::parse2::<syn::LitStr>(token.into()).ok().map(|literal| literal.value())
}

fn catalogue() -> (String, polib::catalog::Catalog) {
    let text = fs::read_to_string(root().join("src/i18n/ru.po")).unwrap();
    let catalogue = polib::po_file::parse_from_reader(text.as_bytes()).unwrap();
    (text, catalogue)
}

/// The placeholders of a text, sorted: names, and indexes for those without a name.
fn placeholders(text: &str) -> Vec<String> {
    let bare = text.replace("{{", "").replace("}}", "");
    let mut found = Vec::new();
    let mut rest = bare.as_str();
    let mut next = 0;
    while let Some((_, from)) = rest.split_once('{') {
        let (name, behind) =
            from.split_once('}').unwrap_or_else(|| panic!("a brace is open: {text}"));
        assert!(
            !name.contains(':'),
            "a placeholder has a form, which only std::format! knows: {text}"
        );
        found.push(if name.is_empty() { next.to_string() } else { name.to_owned() });
        next += usize::from(name.is_empty());
        rest = behind;
    }
    assert!(!rest.contains('}'), "a brace is not open: {text}");
    found.sort();
    found
}

/// Returns the parts that a translator must keep: text in backticks, options, and names of
/// variables.
fn untouchable(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
    let words = words
        .filter(|word| word.starts_with("--") || word.starts_with("RECARD_"))
        .map(str::to_owned);
    quoted.chain(words).collect()
}

fn has_letters(text: &str) -> bool {
    let outside =
        text.split('{').map(|part| part.split_once('}').map_or(part, |(_, behind)| behind));
    outside.flat_map(str::chars).any(char::is_alphabetic)
}

/// Returns the errors in the translation of a text; several translations are the plural forms of a
/// noun.
fn faults(marked: &Marked, translations: &[&str]) -> Vec<String> {
    let (one, several) = marked;
    let english = several.as_ref().unwrap_or(one);
    let mut faults = Vec::new();
    let mut fault = |what: &str, translation: &str| {
        faults.push(format!("{what}: {english:?}: {translation:?}"))
    };
    for translation in translations {
        if translation.is_empty() {
            fault("no translation", translation);
            continue;
        }
        if placeholders(translation) != placeholders(english) {
            fault("other placeholders", translation);
        }
        if untouchable(translation) != untouchable(english) {
            fault("other options, keys or commands", translation);
        }
        if has_letters(english)
            && !translation.chars().any(|c| ('а'..='я').contains(&c) || ('А'..='Я').contains(&c))
        {
            fault("not Russian", translation);
        }
        let edges = |text: &str| {
            (text.starts_with(char::is_whitespace), text.ends_with(char::is_whitespace))
        };
        if edges(translation) != edges(english) {
            fault("other blanks at its edges", translation);
        }
    }
    faults
}

/// An entry as it is to be added to a catalog.
fn entry(marked: &Marked) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    match marked {
        (one, None) => format!("msgid {}\nmsgstr \"\"\n", quoted(one)),
        (one, Some(several)) => {
            let forms: String = (0..3).map(|form| format!("msgstr[{form}] \"\"\n")).collect();
            format!("msgid {}\nmsgid_plural {}\n{forms}", quoted(one), quoted(several))
        }
    }
}

#[test]
fn catalog_has_a_translation_for_every_text_and_no_other() {
    let marked = marked();
    assert!(
        marked.len() > 100,
        "the test looks at the wrong place: only {} texts found",
        marked.len()
    );
    let (_, catalogue) = catalogue();
    let mut missing = Vec::new();
    for (text, file) in &marked {
        if catalogue.find_message(None, &text.0, text.1.as_deref()).is_none() {
            missing.push(format!("#: {file}\n{}", entry(text)));
        }
    }
    let is_marked = |message: &dyn MessageView| {
        marked.contains_key(&(
            message.msgid().to_owned(),
            message.msgid_plural().ok().map(str::to_owned),
        ))
    };
    let messages = catalogue.messages();
    let stale: Vec<String> = messages
        .filter(|message| !is_marked(*message))
        .map(|message| message.msgid().to_owned())
        .collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "add to src/i18n/ru.po:\n\n{}\nno longer said, remove: {stale:#?}",
        missing.join("\n")
    );
}

#[test]
fn translations_fit_their_texts() {
    let (_, catalogue) = catalogue();
    let mut found = Vec::new();
    for message in catalogue.messages() {
        let marked = (message.msgid().to_owned(), message.msgid_plural().ok().map(str::to_owned));
        let forms: Vec<&str> = match message.msgstr() {
            Ok(translation) => vec![translation],
            Err(_) => message.msgstr_plural().unwrap().iter().map(String::as_str).collect(),
        };
        if marked.1.is_some() && forms.len() != catalogue.metadata.plural_rules.nplurals {
            found.push(format!("{} forms: {:?}", forms.len(), marked.0));
        }
        if message.is_fuzzy() {
            found.push(format!("not sure: {:?}", marked.0));
        }
        found.extend(faults(&marked, &forms));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn catalog_translates_each_text_once() {
    let (text, catalogue) = catalogue();
    let entries = text.lines().filter(|line| line.starts_with("msgid ")).count();
    // The head of the file is an entry, too.
    assert_eq!(entries, catalogue.count() + 1, "two entries have the same text");
}

#[test]
fn placeholders_that_differ_are_found() {
    let text = |one: &str| (one.to_owned(), None);
    let fits = "не удалось прочитать {path}: {}; добавьте `users` или --deadline";
    let english = text("cannot read {path}: {}; add `users`, or --deadline");
    assert!(faults(&english, &[fits]).is_empty());
    for (translation, fault) in [
        ("", "no translation"),
        ("не удалось прочитать {path}; добавьте `users` или --deadline", "other placeholders"),
        ("не удалось прочитать {paht}: {}; добавьте `users` или --deadline", "other placeholders"),
        ("не удалось прочитать {path}: {}; добавьте `люди` или --deadline", "other options"),
        ("не удалось прочитать {path}: {}; добавьте `users` или --срок", "other options"),
        ("cannot read {path}: {}; add `users`, or --deadline", "not Russian"),
        ("не удалось прочитать {path}: {}; добавьте `users` или --deadline ", "other blanks"),
    ] {
        let found = faults(&english, &[translation]);
        assert!(found.iter().any(|found| found.starts_with(fault)), "{translation}: {found:?}");
    }
    let counted = ("one card".to_owned(), Some("{n} cards".to_owned()));
    assert!(faults(&counted, &["{n} карточка", "{n} карточки", "{n} карточек"]).is_empty());
    // The first form is for 21, too.
    assert!(!faults(&counted, &["одна карточка", "{n} карточки", "{n} карточек"]).is_empty());
}

#[test]
fn marked_texts_are_found_in_nested_macros() {
    let source = r#"
        #[error("{}", tr!("in an attribute: {problem}", problem = .0))]
        fn f() { writeln!(f, "{}", tr!("in a macro")); tr_later!("later"); other!("not marked") }
        fn g() { crate::tr!("one" | "{n} \"several\"" % count, name = tr!("nested")) }
    "#;
    let mut found = Vec::new();
    walk(source.parse().unwrap(), &mut |text| found.push(text));
    let text = |one: &str, several: Option<&str>| (one.to_owned(), several.map(str::to_owned));
    let expected = [
        text("in an attribute: {problem}", None),
        text("in a macro", None),
        text("later", None),
        text("one", Some("{n} \"several\"")),
        text("nested", None),
    ];
    assert_eq!(found, expected);
}
