//! Explanations of diagnostic codes: the meaning, a wrong example, and a right one.
//!
//! A test runs every example: the wrong one gives its code, the right one does not.

use crate::diagnostic::DiagnosticCode;

/// Manifest that the examples change.
const BASE: &str = "\
apiVersion: recard/v1
kind: LeadCardReset
metadata: { name: example, reason: To show a rule }
spec:
  portal: embedded
  personal:
    - users: { ids: [7] }
      leadCustomerTypes: [simple]
";

/// Explanation of a code.
pub(super) struct Explanation {
    /// The code.
    pub(super) code: DiagnosticCode,
    /// The meaning, in words.
    pub(super) meaning: &'static str,
    wrong: Example,
    right: Example,
}

/// Example of a manifest.
#[derive(Clone, Copy)]
enum Example {
    /// The base, with one text in place of another.
    Edit(&'static str, &'static str),
    /// The base, followed by lines.
    More(&'static str),
    /// The base with cards of deals, of these pipelines.
    Deals(&'static str),
    /// The base as it is.
    Base,
    /// A shell command that writes the manifest, which cannot be printed.
    Shell(&'static str),
}

impl Example {
    fn text(self) -> String {
        match self {
            Self::Edit(from, to) => BASE.replacen(from, to, 1),
            Self::More(lines) => format!("{BASE}{lines}"),
            Self::Deals(pipelines) => BASE.replace("LeadCardReset", "CardReset").replace(
                "leadCustomerTypes: [simple]",
                &format!("cards: [{{ deal: {{ pipelines: {pipelines} }} }}]"),
            ),
            Self::Base => BASE.to_owned(),
            Self::Shell(command) => format!("$ {command}\n"),
        }
    }
}

impl Explanation {
    /// Returns the wrong example; a line that starts with `$ ` is a shell command that writes it.
    pub(super) fn wrong(&self) -> String {
        self.wrong.text()
    }

    /// Returns the right example.
    pub(super) fn right(&self) -> String {
        self.right.text()
    }
}

/// Returns the explanation of a code.
pub(super) fn explanation(code: DiagnosticCode) -> Explanation {
    use DiagnosticCode as Code;
    use Example::{Base, Deals, Edit, More, Shell};
    const IDS: &str = "ids: [7]";
    const USERS: &str = "users: { ids: [7] }";
    let (meaning, wrong, right) = match code {
        Code::NotUtf8 => (
            tr_later!("The file is not UTF-8 text."),
            Shell(r"printf 'name: caf\351\n' > wrong.yaml"),
            Base,
        ),
        Code::TooLarge => (
            tr_later!("The file is larger than 8 MiB."),
            Shell("head -c 9000000 /dev/zero | tr '\\0' '#' > wrong.yaml"),
            Base,
        ),
        Code::Syntax => (tr_later!("The text is not YAML."), Edit("[7] }", "[7 }"), Base),
        Code::Empty => (
            tr_later!("There is no manifest: no file, an empty file, or an empty document."),
            Edit(BASE, "# nothing yet\n"),
            Base,
        ),
        Code::TooManyNodes => (
            tr_later!(
                "The document is too large once its aliases are followed, or nested too deeply."
            ),
            Edit(
                BASE,
                "a: &a [x, x, x, x, x, x, x, x, x, x]\n\
                 b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n\
                 c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n\
                 d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n\
                 e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n\
                 f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\n\
                 g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]\n",
            ),
            Base,
        ),
        Code::BadAlias => (
            tr_later!("An alias refers to no anchor before it, or to itself."),
            Edit(IDS, "ids: *people"),
            Edit(IDS, "ids: &people [7]"),
        ),
        Code::Tag => (
            tr_later!("The manifest contains a YAML tag; tags have no meaning in it."),
            Edit("To show", "!secret To show"),
            Base,
        ),
        Code::WebhookUrl => (
            tr_later!("The manifest contains the URL of a webhook, which is a secret."),
            More("# https://company.bitrix24.com/rest/1/abcdefgh12345678/\n"),
            More("# The webhook is in RECARD_WEBHOOK_URL.\n"),
        ),
        Code::UnknownKey => (
            tr_later!("A key does not exist at this place."),
            Edit("leadCustomerTypes", "leadCustomerType"),
            Base,
        ),
        Code::DuplicateKey => (
            tr_later!("A key appears twice in one mapping."),
            Edit(IDS, "ids: [7], ids: [8]"),
            Base,
        ),
        Code::MissingKey => {
            (tr_later!("A required key is missing."), Edit("name: example, ", ""), Base)
        }
        Code::WrongType => (
            tr_later!("A value has the wrong type, such as a text in place of a list."),
            Edit(IDS, "ids: 7"),
            Base,
        ),
        Code::UnsupportedVersion => (
            tr_later!("This recard does not read that `apiVersion`."),
            Edit("recard/v1", "recard/v9"),
            Base,
        ),
        Code::UnsupportedKind => (
            tr_later!("This recard does not read that `kind`."),
            Edit("LeadCardReset", "LeadCardsReset"),
            Base,
        ),
        Code::UnknownValue => (
            tr_later!("A word is not among the allowed ones."),
            Edit("[simple]", "[repeated]"),
            Edit("[simple]", "[repeat]"),
        ),
        Code::InvalidId => (
            tr_later!("A value is not the id of a person or of a department."),
            Edit(IDS, "ids: [0]"),
            Base,
        ),
        Code::EmptyText => (
            tr_later!("A text is empty where one is required."),
            Edit("To show a rule", "\"\""),
            Base,
        ),
        Code::EmptyList => (
            tr_later!("A list is empty. Only lists under `except` may be."),
            Edit(IDS, "ids: []"),
            Base,
        ),
        Code::InvalidEmail => (
            tr_later!("A text is not an e-mail address."),
            Edit(IDS, "emails: [Anna Petrova]"),
            Edit(IDS, "emails: [anna.petrova@company.example]"),
        ),
        Code::InvalidPortal => (
            tr_later!("A text is not the host name of a portal."),
            Edit("portal: embedded", "portal: https://company.bitrix24.com/crm/"),
            Edit("portal: embedded", "portal: company.bitrix24.com"),
        ),
        Code::InvalidGeneration => (
            tr_later!("A text is not a valid once key."),
            More("      mode: { once: \"November 2026\" }\n"),
            More("      mode: { once: 2026-11 }\n"),
        ),
        Code::OutOfRange => (
            tr_later!("A number is outside of its range."),
            More("  guards: { maxPercentOfUsers: 120 }\n"),
            More("  guards: { maxPercentOfUsers: 20 }\n"),
        ),
        Code::ControlCharacter => (
            tr_later!("A control character, or a line break where one line belongs."),
            Edit("To show a rule", "\"To show\\na rule\""),
            Base,
        ),
        Code::Contradiction => (
            tr_later!("One target is selected in two blocks with different modes."),
            More(
                "    - users: { ids: [7] }\n      leadCustomerTypes: [simple]\n      mode: { once: 2026-11 }\n",
            ),
            More(
                "    - users: { ids: [8] }\n      leadCustomerTypes: [simple]\n      mode: { once: 2026-11 }\n",
            ),
        ),
        Code::DuplicateTarget => (
            tr_later!("One target is selected twice, in the same words. A warning."),
            Edit("[simple]", "[simple, simple]"),
            Base,
        ),
        Code::EmptySelection => (
            tr_later!("A block selects no people."),
            Edit(USERS, "users: { all: false }"),
            Edit(USERS, "users: { all: true }"),
        ),
        Code::NothingDeclared => (
            tr_later!("A document declares neither personal nor common cards."),
            Edit("  personal:\n    - users: { ids: [7] }\n      leadCustomerTypes: [simple]\n", ""),
            Edit(
                "  personal:\n    - users: { ids: [7] }\n      leadCustomerTypes: [simple]\n",
                "  common: { leadCustomerTypes: [simple] }\n",
            ),
        ),
        Code::SelectedAndExcepted => (
            tr_later!("The same person is selected and excepted in one block. A warning."),
            Edit(IDS, "ids: [7], except: { ids: [7] }"),
            Edit(IDS, "departments: [41], except: { ids: [7] }"),
        ),
        Code::ProtectedSelected => (
            tr_later!("A protected person is selected by id."),
            More("  protect: { ids: [7] }\n"),
            More("  protect: { ids: [3] }\n"),
        ),
        Code::DifferentPortals => (
            tr_later!("The documents of one run name different portals."),
            More(
                "---\napiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: second, reason: To show a rule }\nspec:\n  portal: company.bitrix24.com\n  common: { leadCustomerTypes: [simple] }\n",
            ),
            More(
                "---\napiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: second, reason: To show a rule }\nspec:\n  portal: embedded\n  common: { leadCustomerTypes: [simple] }\n",
            ),
        ),
        Code::DuplicateName => (
            tr_later!("Two documents have the same name."),
            More(
                "---\napiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: example, reason: To show a rule }\nspec:\n  portal: embedded\n  common: { leadCustomerTypes: [simple] }\n",
            ),
            More(
                "---\napiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: second, reason: To show a rule }\nspec:\n  portal: embedded\n  common: { leadCustomerTypes: [simple] }\n",
            ),
        ),
        Code::UnknownPerson => {
            (tr_later!("The portal has no person with that id."), Edit(IDS, "ids: [9999]"), Base)
        }
        Code::UnknownEmail => (
            tr_later!("The portal has no person with that e-mail address."),
            Edit(IDS, "emails: [nobody@company.example]"),
            Edit(IDS, "emails: [ivan.petrov@company.example]"),
        ),
        Code::AmbiguousEmail => (
            tr_later!("The portal has several people with that e-mail address."),
            Edit(IDS, "emails: [anna.petrova@company.example]"),
            Edit(IDS, "ids: [12]"),
        ),
        Code::UnknownDepartment => (
            tr_later!(
                "The portal has no active department with that id or name, or it is above itself."
            ),
            Edit(IDS, "departments: [Salse]"),
            Edit(IDS, "departments: [Sales]"),
        ),
        Code::AmbiguousDepartment => (
            tr_later!("The portal has several active departments with that name."),
            Edit(IDS, "departments: [Support]"),
            Edit(IDS, "departments: [Sales East]"),
        ),
        Code::UnknownPipeline => (
            tr_later!(
                "The portal lists no such pipeline, category or smart process to the owner of the webhook."
            ),
            Deals("[77]"),
            Deals("[default]"),
        ),
        Code::AmbiguousPipeline => (
            tr_later!(
                "The portal has several pipelines, categories or smart processes with that name."
            ),
            Deals("[Partners]"),
            Deals("[5]"),
        ),
        Code::PartialPipelines => (
            tr_later!(
                "`all` means the pipelines that the owner of the webhook may read; others may exist. A warning."
            ),
            Deals("all"),
            Deals("[default, 5]"),
        ),
        Code::ItemMethods => (
            tr_later!(
                "The portal has no methods of their own for the cards of leads, so those of all kinds of cards are used. The manifest is right; both change the same cards."
            ),
            Base,
            Base,
        ),
        Code::EmptyDepartment => (
            tr_later!("A department has no active people. A warning."),
            Edit(IDS, "departments: [46]"),
            Edit(IDS, "departments: [42]"),
        ),
        Code::DismissedPerson => (
            tr_later!("A selected person was dismissed. A warning where an id selects them."),
            Edit(IDS, "ids: [10]"),
            Base,
        ),
        Code::NotAdministrator => (
            tr_later!(
                "The owner of the webhook is no administrator of the CRM, so the portal refuses the cards of others. The manifest is right; the webhook must be that of an administrator."
            ),
            Base,
            Base,
        ),
    };
    Explanation { code, meaning, wrong, right }
}
