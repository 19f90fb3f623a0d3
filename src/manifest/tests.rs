//! Tests of reading manifests, value by value.

use proptest::prelude::*;

use super::*;
use crate::model::{Mode, UserId};

const WHOLE: &str = r#"
apiVersion: recard/v1
kind: LeadCardReset
metadata:
  name: sales-back-to-standard
  reason: "New lead form since 1 November"
  owner: crm-team
spec:
  portal: Company.Bitrix24.com
  personal:
    - users:
        ids: [7, 42]
        emails: [Anna@Example.com]
        departments: [{ id: 41, recursive: true }, 43]
        all: false
        except: { ids: [1], emails: [], departments: [] }
      leadCustomerTypes: [simple, 2]
      mode: { once: 2026-11 }
  common:
    leadCustomerTypes: [repeat]
  guards:
    maxUsers: 20
    maxPercentOfUsers: 5
    acknowledge: { users: 37, common: [repeat], people: [1] }
  protect: { ids: [3] }
"#;

fn source(text: &str) -> Source {
    Source { name: "lead.yaml".into(), bytes: text.into() }
}

fn load_text(text: &str) -> Loaded {
    load(&[source(text)])
}

fn codes(text: &str) -> Vec<DiagnosticCode> {
    load_text(text).diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn whole_manifest_is_read_value_by_value() {
    let Loaded { declaration, diagnostics } = load_text(WHOLE);
    assert_eq!(diagnostics, []);
    let declaration = declaration.unwrap();
    assert_eq!(declaration.portal().as_str(), "company.bitrix24.com");
    let document = &declaration.documents[0];
    assert_eq!(
        (&*document.name, document.owner.as_deref()),
        ("sales-back-to-standard", Some("crm-team"))
    );
    let block = &document.personal[0];
    assert_eq!(block.users.ids.iter().map(|id| id.value.get()).collect::<Vec<_>>(), [7, 42]);
    assert_eq!(block.users.ids[1].place.to_string(), "lead.yaml:12:18");
    assert_eq!(&*block.users.emails[0].value, "anna@example.com");
    let recursive: Vec<_> = block
        .users
        .departments
        .iter()
        .map(|selector| (selector.value.department.to_string(), selector.value.recursive))
        .collect();
    assert_eq!(recursive, [("41".to_owned(), true), ("43".to_owned(), false)]);
    assert_eq!(block.users.all, None);
    let cards: Vec<String> = block.cards.iter().map(|card| card.value.to_string()).collect();
    assert_eq!(cards, ["lead/simple", "lead/repeat"]);
    assert!(matches!(&block.mode, Mode::Once(generation) if generation.as_str() == "2026-11"));
    let guards = declaration.guards();
    let stated = &guards.manifests["sales-back-to-standard"];
    assert_eq!((stated.max_users, stated.max_percent_of_users), (Some(20), Some(5)));
    assert_eq!(stated.acknowledged_users, Some(37));
    assert_eq!(guards.protected(), [UserId::new(3).unwrap()].into());
}

#[test]
fn problems_of_a_file_are_found_in_one_go() {
    let broken = WHOLE
        .replace("owner: crm-team", "ownr: crm-team")
        .replace("ids: [7, 42]", "ids: [0, \"42\", x]")
        .replace("[simple, 2]", "[simple, both]")
        .replace("maxUsers: 20", "maxUsers: many");
    assert_eq!(
        codes(&broken),
        [
            DiagnosticCode::UnknownKey,
            DiagnosticCode::InvalidId,
            DiagnosticCode::WrongType,
            DiagnosticCode::WrongType,
            DiagnosticCode::UnknownValue,
            DiagnosticCode::WrongType,
        ]
    );
}

#[test]
fn duplicate_key_shows_both_places() {
    let found = load_text(&WHOLE.replace("owner: crm-team", "name: again")).diagnostics;
    assert_eq!(found[0].code, DiagnosticCode::DuplicateKey);
    let places: Vec<String> = found[0].labels.iter().map(|label| label.place.to_string()).collect();
    assert_eq!(places, ["lead.yaml:7:3", "lead.yaml:5:3"]);
}

#[test]
fn empty_selection_is_never_everything() {
    assert_eq!(codes(""), [DiagnosticCode::Empty]);
    assert_eq!(codes("---\n# nothing\n---\n"), [DiagnosticCode::Empty]);
    assert_eq!(load(&[]).diagnostics[0].code, DiagnosticCode::Empty);
    assert_eq!(codes(&WHOLE.replace("ids: [7, 42]", "ids: []")), [DiagnosticCode::EmptyList]);
    let nobody = WHOLE
        .replace("        ids: [7, 42]\n", "")
        .replace("        emails: [Anna@Example.com]\n", "")
        .replace("        departments: [{ id: 41, recursive: true }, 43]\n", "");
    assert_eq!(codes(&nobody), [DiagnosticCode::EmptySelection]);
}

#[test]
fn secret_is_found_anywhere_and_shown_nowhere() {
    let secret = "https://company.bitrix24.com/rest/1/abcdefgh12345678/";
    for text in [
        WHOLE.replace("Company.Bitrix24.com", secret),
        WHOLE.replace("owner: crm-team", &format!("owner: crm-team # {secret}")),
        WHOLE.replace("ids: [7, 42]", &format!("ids: [\"{secret}\"]")),
        format!("{WHOLE}  {secret}: x\n"),
    ] {
        let sources = [source(&text)];
        let loaded = load(&sources);
        assert!(
            loaded.diagnostics.iter().any(|found| found.code == DiagnosticCode::WebhookUrl),
            "{text}"
        );
        let style = crate::diagnostic::RenderStyle::Plain;
        let shown = crate::diagnostic::render(&loaded.diagnostics, &sources, style)
            + &format!("{:?}", loaded.diagnostics);
        assert!(!shown.contains("abcdefgh12345678"), "{shown}");
    }
}

#[test]
fn aliases_that_multiply_are_refused_with_a_place() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ["b", "c", "d", "e", "f", "g", "h", "i"]
        .iter()
        .zip(["a", "b", "c", "d", "e", "f", "g", "h"])
    {
        let ten = vec![format!("*{before}"); 10].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{ten}]\n"));
    }
    let found = load_text(&bomb).diagnostics;
    assert_eq!(
        found.iter().map(|problem| problem.code).collect::<Vec<_>>(),
        [DiagnosticCode::TooManyNodes],
        "{found:?}"
    );
    assert!(found[0].place().unwrap().line > 1);
}

#[test]
fn file_that_is_no_text_or_too_large_is_refused() {
    let latin =
        Source { name: "lead.yaml".into(), bytes: b"apiVersion: recard/v1\nkind: \xe4\n".to_vec() };
    let found = load(&[latin]).diagnostics;
    assert_eq!(
        (found[0].code, found[0].place().unwrap().to_string()),
        (DiagnosticCode::NotUtf8, "lead.yaml:2:7".to_owned())
    );
    let large = Source { name: "lead.yaml".into(), bytes: vec![b'#'; MAX_FILE_BYTES + 1] };
    assert_eq!(load(&[large]).diagnostics[0].code, DiagnosticCode::TooLarge);
}

#[test]
fn selector_in_two_documents_is_a_repetition_or_a_contradiction() {
    let second = WHOLE.replace("name: sales-back-to-standard", "name: other");
    assert!(
        codes(&format!("{WHOLE}---{second}"))
            .iter()
            .all(|code| *code == DiagnosticCode::DuplicateTarget)
    );
    let enforced = second.replace("mode: { once: 2026-11 }", "mode: enforce");
    let found = codes(&format!("{WHOLE}---{enforced}"));
    assert!(found.contains(&DiagnosticCode::Contradiction), "{found:?}");
    let elsewhere = second.replace("Company.Bitrix24.com", "other.bitrix24.com");
    assert!(codes(&format!("{WHOLE}---{elsewhere}")).contains(&DiagnosticCode::DifferentPortals));
    assert!(codes(&format!("{WHOLE}---{WHOLE}")).contains(&DiagnosticCode::DuplicateName));
}

#[test]
fn digest_is_of_the_meaning_and_not_of_the_notation() {
    let digest = |text: &str| load_text(text).declaration.unwrap().digest;
    let same = WHOLE
        .replace("ids: [7, 42]", "ids:\n          - 42 # Anna\n          - 7")
        .replace("[simple, 2]", "[repeat, simple]")
        .replace("  owner: crm-team\n", "")
        .replace("kind: LeadCardReset", "kind: 'LeadCardReset'");
    assert_ne!(digest(WHOLE), digest(&same));
    let same = same.replace("metadata:\n", "metadata:\n  owner: crm-team\n");
    assert_eq!(digest(WHOLE), digest(&same));
    assert_ne!(digest(WHOLE), digest(&WHOLE.replace("[7, 42]", "[7, 43]")));
}

#[test]
fn largest_selection_that_people_write_is_read_whole() {
    let ids: Vec<String> = (2..100_002).map(|id| id.to_string()).collect();
    let loaded = load_text(&WHOLE.replace("[7, 42]", &format!("[{}]", ids.join(", "))));
    let found: Vec<_> = loaded.diagnostics.iter().map(|found| found.code).collect();
    // User 3 is protected.
    assert_eq!(found, [DiagnosticCode::ProtectedSelected]);
}

proptest! {
    #[test]
    fn manifest_of_any_text_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let sources = [Source { name: "x.yaml".into(), bytes }];
        let loaded = load(&sources);
        crate::diagnostic::render(&loaded.diagnostics, &sources, crate::diagnostic::RenderStyle::Plain);
        prop_assert!(loaded.declaration.is_none());
    }

    #[test]
    fn manifest_with_any_change_is_read_without_a_panic(at in 0..WHOLE.len(), with in any::<u8>(), cut in prop::bool::ANY) {
        let mut bytes = WHOLE.as_bytes().to_vec();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = with;
        }
        let sources = [Source { name: "x.yaml".into(), bytes }];
        let loaded = load(&sources);
        crate::diagnostic::render(&loaded.diagnostics, &sources, crate::diagnostic::RenderStyle::Plain);
        let broken = loaded.diagnostics.iter().any(Diagnostic::is_error);
        prop_assert_eq!(loaded.declaration.is_none(), broken);
    }
}

/// Returns a manifest with a text in place of its ids.
fn with_ids(ids: &str) -> String {
    format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: x, reason: y }}\nspec:\n  portal: a.example\n  personal:\n    \
         - users: {{ ids: {ids} }}\n      leadCustomerTypes: [simple]\n"
    )
}

#[test]
fn manifest_number_in_any_other_notation_is_refused_with_the_plain_one() {
    for (typed, plain) in [
        ("0x10", "16"),
        ("0o20", "16"),
        ("+16", "16"),
        ("1_000", "1000"),
        ("1e3", "1000"),
        ("16.0", "16"),
        ("010", "10"),
        ("\"8\"", "8"),
        ("\"010\"", "10"),
        ("' 8'", "8"),
    ] {
        for text in [
            with_ids(&format!("[{typed}]")),
            with_ids("[7]") + &format!("  protect: {{ ids: [{typed}] }}\n"),
            with_ids("[7]") + &format!("  guards: {{ maxUsers: {typed} }}\n"),
            with_ids("[7]") + &format!("  guards: {{ acknowledge: {{ users: {typed} }} }}\n"),
            with_ids("[7]").replace("ids: [7]", &format!("departments: [{{ id: {typed} }}]")),
            // An alias has the value of its anchor.
            with_ids(&format!("&ids [{typed}]")),
        ] {
            let Loaded { declaration, diagnostics } = load_text(&text);
            assert!(declaration.is_none(), "{text}");
            let [found] = diagnostics.as_slice() else { panic!("{text}{diagnostics:?}") };
            let help = found.help.as_ref().unwrap().english();
            assert!(help.split([' ', ':']).any(|word| word == plain), "{typed}: {help}");
        }
        // The value that the help suggests is valid.
        assert_eq!(load_text(&with_ids(&format!("[{plain}]"))).diagnostics, [], "{typed}");
    }
    for typed in ["0b11x", "1:30", ".5", "7.5", "-7", "0", "99999999999999999999"] {
        let text = with_ids(&format!("[{typed}]"));
        assert!(
            matches!(
                codes(&text).as_slice(),
                [DiagnosticCode::InvalidId | DiagnosticCode::WrongType]
            ),
            "{typed}: {:?}",
            codes(&text)
        );
    }
    // A once key is kept as it was written, or refused: never read as another notation of the same
    // number.
    for (typed, code) in [
        ("0x10", DiagnosticCode::WrongType),
        ("+7", DiagnosticCode::WrongType),
        ("2026.10", DiagnosticCode::WrongType),
    ] {
        let text = with_ids("[7]") + &format!("      mode: {{ once: {typed} }}\n");
        let Loaded { diagnostics, .. } = load_text(&text);
        assert_eq!(
            diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(),
            [code],
            "{typed}"
        );
        assert_eq!(
            diagnostics[0].help.as_ref().unwrap().english(),
            format!("put it in quotes: \"{typed}\"")
        );
    }
}

#[test]
fn manifest_help_for_one_value_in_place_of_a_list_is_right_the_first_time() {
    for (typed, list) in [
        ("8", "[8]"),
        ("\"8\"", "[8]"),
        ("7, 42", "[7, 42]"),
        ("\"010\"", "[10]"),
        ("0x10", "[16]"),
    ] {
        let Loaded { diagnostics, .. } =
            load_text(&with_ids(&format!("{typed:?}").replace("\\\"", "").to_owned()));
        let [found] = diagnostics.as_slice() else { panic!("{typed}: {diagnostics:?}") };
        assert_eq!(
            found.help.as_ref().unwrap().english(),
            format!("put it in brackets: {list}"),
            "{typed}"
        );
        assert_eq!(load_text(&with_ids(list)).diagnostics, []);
    }
    let help = |text: &str| {
        let Loaded { diagnostics, .. } = load_text(text);
        let [found] = diagnostics.as_slice() else { panic!("{text}{diagnostics:?}") };
        found.help.as_ref().unwrap_or_else(|| panic!("{text}")).english().to_owned()
    };
    assert_eq!(help(&with_ids("anna@example.com")), "e-mail addresses belong under `emails`");
    assert_eq!(help(&with_ids("anna")), "ids are numbers in brackets, such as [7, 42]");
    let mapping =
        with_ids("[7]").replace("    - users", "    users").replace("      lead", "    lead");
    assert_eq!(
        help(&mapping),
        "begin it with a hyphen: `- users: …`, and indent its other keys as far as `users`"
    );
    let lead = with_ids("[7]").replace("[simple]", "simple, repeat");
    assert_eq!(help(&lead), "put it in brackets: [simple, repeat]");
    // After following the help on a needed key, the key is not missing.
    assert!(
        help(&with_ids("[7]").replace("portal: a.example", "portal:"))
            .starts_with("name the portal")
    );
    assert!(help(&with_ids("[7]").replace("[simple]", "")).starts_with("say for which leads"));
}

#[test]
fn manifest_misspelt_key_is_one_problem_and_no_missing_one() {
    let words = [
        "apiVersion",
        "kind",
        "metadata",
        "name",
        "reason",
        "spec",
        "portal",
        "personal",
        "users",
        "ids",
        "leadCustomerTypes",
    ];
    for word in words {
        for typed in [format!("{word}x"), word.to_uppercase()] {
            let text = with_ids("[7]").replacen(&format!("{word}:"), &format!("{typed}:"), 1);
            assert_eq!(codes(&text), [DiagnosticCode::UnknownKey], "{text}");
        }
    }
}

#[test]
fn manifest_error_of_the_parser_has_no_names_of_its_types_and_counters() {
    let many = ["a: 1"; 1001].join("\n---\n");
    let aliases = format!("a: &a [1]\nb: [{}]", vec!["*a"; 60_000].join(","));
    for text in [
        many.as_str(),
        &aliases,
        "a: &a [*a]",
        "a: *b",
        "a: \u{7}",
        "a: @b",
        "a: !x b",
        "a: !!int b",
        "a: {b: 1}}",
        "a: b: c",
        "a:\n  b: 1\n c: 2",
        "a\nb: 1",
        "[a]\nb: 1",
        "a: - b",
        "a: b # c\n  d",
        "- a\nb",
        "a: 1\n\u{feff}b: 2",
        "a: .inf",
    ] {
        let Loaded { diagnostics, .. } = load_text(text);
        let found = &diagnostics[0];
        let start: String = text.chars().take(40).collect();
        assert!(found.message.english().starts_with("cannot read the YAML: "), "{start}: {found}");
        for sign in [
            "breach",
            "{ ",
            "=",
            "\\u{",
            "<",
            "policy",
            "weak",
            " u64",
            "i128",
            "Options",
            "did not find expected",
        ] {
            assert!(!found.message.english().contains(sign), "{start}: {found}");
        }
    }
}

#[test]
fn manifest_byte_order_marks_in_front_of_joined_files_are_left_out() {
    let (one, other) = (with_ids("[7]"), with_ids("[8]").replace("name: x", "name: z"));
    for joined in [
        format!("\u{feff}{one}\u{feff}---\n{other}"),
        format!("\u{feff}---\r\n{one}---\r\n\u{feff}{other}"),
        format!("{one}...\n\u{feff}---\n{other}"),
    ] {
        let bytes = without_byte_order_marks(joined.into_bytes());
        let Loaded { declaration, diagnostics } = load(&[Source { name: "-".into(), bytes }]);
        assert_eq!(
            (declaration.map(|found| found.documents.len()), diagnostics),
            (Some(2), Vec::new())
        );
    }
    // Inside of a text the mark is content.
    let text = "a: |\n  b\n\u{feff}c".as_bytes().to_vec();
    assert_eq!(without_byte_order_marks(text.clone()), text);
}
