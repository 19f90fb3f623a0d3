//! Checks across documents: contradictions and repetitions that no single value shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::declaration::{CardSelector, DepartmentSelector, Document, Located, PersonalBlock};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::i18n::Text;
use crate::model::{Mode, SourceLocation, UserId};

/// Selector as it was written. Different spellings of the same people are compared after the portal
/// was asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum WrittenSelector {
    Id(UserId),
    Email(Arc<str>),
    Department(DepartmentSelector),
    All,
    Common,
}

impl WrittenSelector {
    fn text(&self) -> Text {
        match self {
            Self::Id(id) => tr!("user {id}", id),
            Self::Email(email) => tr!("the e-mail {email}", email),
            Self::Department(DepartmentSelector { department, .. }) => {
                tr!("department {department}", department)
            }
            Self::All => tr!("everybody"),
            Self::Common => tr!("the common card"),
        }
    }
}

/// Reports contradictions and repetitions.
pub(super) fn check(documents: &[Document]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    portals(documents, &mut found);
    names(documents, &mut found);
    targets(documents, &mut found);
    let protected: BTreeSet<UserId> =
        documents.iter().flat_map(|document| document.guards.protected.iter().copied()).collect();
    for block in documents.iter().flat_map(|document| &document.personal) {
        exceptions(block, &mut found);
        protection(block, &protected, &mut found);
    }
    found
}

fn portals(documents: &[Document], found: &mut Vec<Diagnostic>) {
    let Some((first, rest)) = documents.split_first() else { return };
    for document in rest.iter().filter(|document| document.portal.value != first.portal.value) {
        let message = tr!(
            "this manifest is for {}, another one for {}",
            document.portal.value,
            first.portal.value
        );
        found.push(
            Diagnostic::error(DiagnosticCode::DifferentPortals, document.portal.place.clone(), message)
                .label(first.portal.place.clone(), tr!("the other one"))
                .help(tr!("one run works on one portal: keep manifests for different portals in different folders")),
        );
    }
}

fn names(documents: &[Document], found: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<&str, &SourceLocation> = BTreeMap::new();
    for document in documents {
        match known.get(&*document.name) {
            None => {
                known.insert(&document.name, &document.place);
            }
            Some(first) => found.push(
                Diagnostic::error(
                    DiagnosticCode::DuplicateName,
                    document.place.clone(),
                    tr!("two manifests have the name {}", format_args!("{:?}", document.name)),
                )
                .label((*first).clone(), tr!("the other one"))
                .help(tr!("reports tell manifests apart by their names")),
            ),
        }
    }
}

fn targets(documents: &[Document], found: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<(WrittenSelector, CardSelector), (&Mode, &SourceLocation)> =
        BTreeMap::new();
    let enforce = &Mode::Enforce;
    for document in documents {
        for card in &document.common {
            let key = (WrittenSelector::Common, card.value.clone());
            add(&mut known, key, enforce, &card.place, found);
        }
        for block in &document.personal {
            let users = &block.users;
            let ids = users.ids.iter().map(|id| (WrittenSelector::Id(id.value), &id.place));
            let emails = users
                .emails
                .iter()
                .map(|email| (WrittenSelector::Email(Arc::clone(&email.value)), &email.place));
            let departments = users.departments.iter().map(|department| {
                (WrittenSelector::Department(department.value.clone()), &department.place)
            });
            let all = users.all.iter().map(|place| (WrittenSelector::All, place));
            for (words, place) in ids.chain(emails).chain(departments).chain(all) {
                for card in &block.cards {
                    let before = found.len();
                    add(&mut known, (words.clone(), card.value.clone()), &block.mode, place, found);
                    // One repetition is one problem, however many cards it covers.
                    if found.len() > before {
                        break;
                    }
                }
            }
        }
    }
}

fn add<'d>(
    known: &mut BTreeMap<(WrittenSelector, CardSelector), (&'d Mode, &'d SourceLocation)>,
    key: (WrittenSelector, CardSelector),
    mode: &'d Mode,
    place: &'d SourceLocation,
    found: &mut Vec<Diagnostic>,
) {
    let what = key.0.text();
    match known.get(&key) {
        None => {
            known.insert(key, (mode, place));
        }
        Some((other, first)) if *other == mode => found.push(
            Diagnostic::warning(
                DiagnosticCode::DuplicateTarget,
                place.clone(),
                tr!("{what} is selected twice", what),
            )
            .label((*first).clone(), tr!("first here"))
            .help(tr!("one of them can go; the card is reset once")),
        ),
        Some((_, first)) => found.push(
            Diagnostic::error(
                DiagnosticCode::Contradiction,
                place.clone(),
                tr!("{what} is selected twice, with different modes", what),
            )
            .label((*first).clone(), tr!("first here"))
            .help(tr!("keep one of them")),
        ),
    }
}

fn exceptions(block: &PersonalBlock, found: &mut Vec<Diagnostic>) {
    let users = &block.users;
    let both = |place: &SourceLocation, except: &SourceLocation, what: Text| {
        Diagnostic::warning(
            DiagnosticCode::SelectedAndExcepted,
            place.clone(),
            tr!("{what} is selected and left out again", what),
        )
        .label(except.clone(), tr!("left out here"))
        .help(tr!("exceptions win; remove one of them"))
    };
    let excepted: BTreeMap<UserId, &SourceLocation> =
        users.except.ids.iter().map(|id| (id.value, &id.place)).collect();
    for Located { value, place } in &users.ids {
        if let Some(except) = excepted.get(value) {
            found.push(both(place, except, tr!("user {value}", value)));
        }
    }
    let excepted: BTreeMap<&str, &SourceLocation> =
        users.except.emails.iter().map(|email| (&*email.value, &email.place)).collect();
    for Located { value, place } in &users.emails {
        if let Some(except) = excepted.get(&**value) {
            found.push(both(place, except, tr!("the e-mail {value}", value)));
        }
    }
}

fn protection(block: &PersonalBlock, protected: &BTreeSet<UserId>, found: &mut Vec<Diagnostic>) {
    for Located { value, place } in
        block.users.ids.iter().filter(|id| protected.contains(&id.value))
    {
        found.push(
            Diagnostic::error(
                DiagnosticCode::ProtectedSelected,
                place.clone(),
                tr!("user {value} is protected and selected by id", value),
            )
            .help(tr!("nothing lifts a protection: take the id out of `ids` or out of `protect`")),
        );
    }
}
