//! Reading manifests, value by value.

use proptest::prelude::*;

use super::*;
use crate::model::{LeadCustomerType, Mode, UserId};

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

fn codes(text: &str) -> Vec<Code> {
    load_text(text).diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn a_whole_manifest_is_read_value_by_value() {
    let Loaded { declaration, diagnostics } = load_text(WHOLE);
    assert_eq!(diagnostics, []);
    let declaration = declaration.unwrap();
    assert_eq!(declaration.portal().as_str(), "company.bitrix24.com");
    let document = &declaration.documents[0];
    assert_eq!((&*document.name, document.owner.as_deref()), ("sales-back-to-standard", Some("crm-team")));
    let block = &document.personal[0];
    assert_eq!(block.users.ids.iter().map(|id| id.value.get()).collect::<Vec<_>>(), [7, 42]);
    assert_eq!(block.users.ids[1].place.to_string(), "lead.yaml:12:18");
    assert_eq!(&*block.users.emails[0].value, "anna@example.com");
    let recursive: Vec<_> =
        block.users.departments.iter().map(|one| (one.value.id.get(), one.value.recursive)).collect();
    assert_eq!(recursive, [(41, true), (43, false)]);
    assert_eq!(block.users.all, None);
    assert_eq!(block.lead_customer_types, LeadCustomerType::ALL);
    assert!(matches!(&block.mode, Mode::Once(generation) if generation.as_str() == "2026-11"));
    let guards = declaration.guards();
    assert_eq!((guards.max_users, guards.max_percent_of_users), (20, 5));
    assert_eq!(guards.acknowledged_users, Some(37));
    assert_eq!(guards.protected, [UserId::new(3).unwrap()].into());
}

#[test]
fn all_problems_of_a_file_are_found_in_one_go() {
    let broken = WHOLE
        .replace("owner: crm-team", "ownr: crm-team")
        .replace("ids: [7, 42]", "ids: [0, \"42\", x]")
        .replace("[simple, 2]", "[simple, both]")
        .replace("maxUsers: 20", "maxUsers: many");
    assert_eq!(
        codes(&broken),
        [Code::UnknownKey, Code::InvalidId, Code::WrongType, Code::WrongType, Code::UnknownValue, Code::WrongType,]
    );
}

#[test]
fn a_duplicate_key_shows_both_places() {
    let found = load_text(&WHOLE.replace("owner: crm-team", "name: again")).diagnostics;
    assert_eq!(found[0].code, Code::DuplicateKey);
    let places: Vec<String> = found[0].labels.iter().map(|label| label.place.to_string()).collect();
    assert_eq!(places, ["lead.yaml:7:3", "lead.yaml:5:3"]);
}

#[test]
fn nothing_is_never_everything() {
    assert_eq!(codes(""), [Code::Empty]);
    assert_eq!(codes("---\n# nothing\n---\n"), [Code::Empty]);
    assert_eq!(load(&[]).diagnostics[0].code, Code::Empty);
    assert_eq!(codes(&WHOLE.replace("ids: [7, 42]", "ids: []")), [Code::EmptyList]);
    let nobody = WHOLE
        .replace("        ids: [7, 42]\n", "")
        .replace("        emails: [Anna@Example.com]\n", "")
        .replace("        departments: [{ id: 41, recursive: true }, 43]\n", "");
    assert_eq!(codes(&nobody), [Code::EmptySelection]);
}

#[test]
fn a_secret_is_found_anywhere_and_shown_nowhere() {
    let secret = "https://company.bitrix24.com/rest/1/abcdefgh12345678/";
    for text in [
        WHOLE.replace("Company.Bitrix24.com", secret),
        WHOLE.replace("owner: crm-team", &format!("owner: crm-team # {secret}")),
        WHOLE.replace("ids: [7, 42]", &format!("ids: [\"{secret}\"]")),
        format!("{WHOLE}  {secret}: x\n"),
    ] {
        let sources = [source(&text)];
        let loaded = load(&sources);
        assert!(loaded.diagnostics.iter().any(|found| found.code == Code::WebhookUrl), "{text}");
        let style = crate::diagnostic::RenderStyle::Plain;
        let shown =
            crate::diagnostic::render(&loaded.diagnostics, &sources, style) + &format!("{:?}", loaded.diagnostics);
        assert!(!shown.contains("abcdefgh12345678"), "{shown}");
    }
}

#[test]
fn aliases_that_multiply_are_refused_with_a_place() {
    let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in ["b", "c", "d", "e", "f", "g", "h", "i"].iter().zip(["a", "b", "c", "d", "e", "f", "g", "h"])
    {
        let ten = vec![format!("*{before}"); 10].join(", ");
        bomb.push_str(&format!("{name}: &{name} [{ten}]\n"));
    }
    let found = load_text(&bomb).diagnostics;
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::TooManyNodes], "{found:?}");
    assert!(found[0].place().unwrap().line > 1);
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_refused() {
    let latin = Source { name: "lead.yaml".into(), bytes: b"apiVersion: recard/v1\nkind: \xe4\n".to_vec() };
    let found = load(&[latin]).diagnostics;
    assert_eq!((found[0].code, found[0].place().unwrap().to_string()), (Code::NotUtf8, "lead.yaml:2:7".to_owned()));
    let large = Source { name: "lead.yaml".into(), bytes: vec![b'#'; LARGEST_FILE + 1] };
    assert_eq!(load(&[large]).diagnostics[0].code, Code::TooLarge);
}

#[test]
fn a_selector_in_two_documents_is_a_repetition_or_a_contradiction() {
    let second = WHOLE.replace("name: sales-back-to-standard", "name: other");
    assert!(codes(&format!("{WHOLE}---{second}")).iter().all(|code| *code == Code::DuplicateTarget));
    let enforced = second.replace("mode: { once: 2026-11 }", "mode: enforce");
    let found = codes(&format!("{WHOLE}---{enforced}"));
    assert!(found.contains(&Code::Contradiction), "{found:?}");
    let elsewhere = second.replace("Company.Bitrix24.com", "other.bitrix24.com");
    assert!(codes(&format!("{WHOLE}---{elsewhere}")).contains(&Code::DifferentPortals));
    assert!(codes(&format!("{WHOLE}---{WHOLE}")).contains(&Code::DuplicateName));
}

#[test]
fn the_digest_is_of_the_meaning_and_not_of_the_notation() {
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
fn the_largest_selection_that_people_write_is_read_whole() {
    let ids: Vec<String> = (2..100_002).map(|id| id.to_string()).collect();
    let loaded = load_text(&WHOLE.replace("[7, 42]", &format!("[{}]", ids.join(", "))));
    let found: Vec<_> = loaded.diagnostics.iter().map(|found| found.code).collect();
    // User 3 is protected.
    assert_eq!(found, [Code::ProtectedSelected]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let sources = [Source { name: "x.yaml".into(), bytes }];
        let loaded = load(&sources);
        crate::diagnostic::render(&loaded.diagnostics, &sources, crate::diagnostic::RenderStyle::Plain);
        prop_assert!(loaded.declaration.is_none());
    }

    #[test]
    fn no_change_to_a_manifest_makes_it_panic(at in 0..WHOLE.len(), with in any::<u8>(), cut in prop::bool::ANY) {
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
