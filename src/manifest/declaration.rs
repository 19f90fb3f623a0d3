//! Content of the manifests after reading: every value checked, with its position.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use crate::model::{
    DepartmentId, Digest, GuardLimits, LeadCustomerType, ManifestLimits, Mode, PortalId,
    SourceLocation, UserId,
};

/// Value with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The position.
    pub place: SourceLocation,
}

/// All documents of a run: at least one, all for the same portal.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The documents, in the order of the files.
    pub documents: Vec<Document>,
    /// The digest of their meaning: comments, order and file names do not count.
    pub digest: Digest,
    portal: Located<PortalId>,
}

/// Document of `kind: LeadCardReset`.
#[derive(Clone, Debug)]
pub struct Document {
    /// The position of its beginning.
    pub place: SourceLocation,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.reason`.
    pub reason: Arc<str>,
    /// `metadata.owner`.
    pub owner: Option<Arc<str>>,
    /// `metadata.ticket`.
    pub ticket: Option<Arc<str>>,
    /// `spec.portal`: the only portal that the document is for.
    pub portal: Located<PortalId>,
    /// `spec.personal`.
    pub personal: Vec<PersonalBlock>,
    /// `spec.common.leadCustomerTypes`.
    pub common: Vec<Located<LeadCustomerType>>,
    /// `spec.guards` and `spec.protect`.
    pub guards: ManifestLimits,
}

/// Entry of `spec.personal`.
#[derive(Clone, Debug)]
pub struct PersonalBlock {
    /// The position of its beginning.
    pub place: SourceLocation,
    /// The people.
    pub users: UserSelection,
    /// The types of lead; each once.
    pub lead_customer_types: Vec<LeadCustomerType>,
    /// The condition on which the cards are reset.
    pub mode: Mode,
}

/// People of a block: `users`.
#[derive(Clone, Debug, Default)]
pub struct UserSelection {
    /// By id.
    pub ids: Vec<Located<UserId>>,
    /// By e-mail address, in lower case.
    pub emails: Vec<Located<Arc<str>>>,
    /// By department.
    pub departments: Vec<Located<DepartmentSelector>>,
    /// The position of `all: true`, if it is stated.
    pub all: Option<SourceLocation>,
    /// The people who are left out.
    pub except: Exceptions,
}

/// People who are left out, whatever selects them: `users.except`.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    /// By id.
    pub ids: Vec<Located<UserId>>,
    /// By e-mail address, in lower case.
    pub emails: Vec<Located<Arc<str>>>,
    /// By department.
    pub departments: Vec<Located<DepartmentSelector>>,
}

/// Department as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DepartmentName {
    /// By its id.
    Id(DepartmentId),
    /// By its name, which exactly one active department must have.
    Name(Arc<str>),
}

impl fmt::Display for DepartmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// Department, with or without those below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DepartmentSelector {
    /// The department.
    pub department: DepartmentName,
    /// `true` if the departments below count too.
    pub recursive: bool,
}

impl Declaration {
    /// Creates a declaration from checked documents; `None` if there are none.
    pub(super) fn new(documents: Vec<Document>) -> Option<Self> {
        let portal = documents.first()?.portal.clone();
        let digest = digest(&documents);
        Some(Self { documents, digest, portal })
    }

    /// Returns the portal of the documents.
    pub fn portal(&self) -> &PortalId {
        &self.portal.value
    }

    /// Returns the position at which the portal is named first.
    pub fn portal_place(&self) -> &SourceLocation {
        &self.portal.place
    }

    /// Returns the limits and acknowledgements of each document.
    pub fn guards(&self) -> GuardLimits {
        let stated = |document: &Document| (Arc::clone(&document.name), document.guards.clone());
        GuardLimits { manifests: self.documents.iter().map(stated).collect(), max_users: None }
    }
}

/// Computes the digest of the meaning of documents: a sorted list of statements, whatever their
/// order.
fn digest(documents: &[Document]) -> Digest {
    let mut statements: Vec<String> = documents.iter().map(statement).collect();
    statements.sort();
    Digest::hash(statements.concat().as_bytes())
}

/// Returns all statements of a document in one form. Every field is named, so that a new one is not
/// forgotten.
fn statement(document: &Document) -> String {
    let Document { place: _, name, reason, owner, ticket, portal, personal, common, guards } =
        document;
    let mut text = format!("document {name:?} {reason:?} {owner:?} {ticket:?} {}\n", portal.value);
    let mut lines: Vec<String> = personal.iter().map(block_statement).collect();
    lines.extend(common.iter().map(|lead| format!("common {}\n", lead.value)));
    lines.sort();
    lines.dedup();
    text.extend(lines);
    let ManifestLimits {
        max_users,
        max_percent_of_users,
        acknowledged_users,
        acknowledged_selection,
        acknowledged_common,
        acknowledged_people,
        protected,
    } = guards;
    let _ = writeln!(text, "guards {max_users:?} {max_percent_of_users:?} {acknowledged_users:?}");
    let _ = writeln!(text, "acknowledged {acknowledged_selection:?} {acknowledged_common:?}");
    let _ = writeln!(text, "people {acknowledged_people:?} {protected:?}");
    text
}

fn block_statement(block: &PersonalBlock) -> String {
    let PersonalBlock { place: _, users, lead_customer_types, mode } = block;
    let UserSelection { ids, emails, departments, all, except } = users;
    let mut leads = lead_customer_types.clone();
    leads.sort();
    let mut text = format!("personal {leads:?} {mode:?} all={}\n", all.is_some());
    let mut lines: Vec<String> = Vec::new();
    let mut lists = |sign: char,
                     ids: &[Located<UserId>],
                     emails: &[Located<Arc<str>>],
                     departments: &[Located<_>]| {
        lines.extend(ids.iter().map(|id| format!(" {sign}id {}\n", id.value)));
        lines.extend(emails.iter().map(|email| format!(" {sign}email {:?}\n", email.value)));
        let department = |one: &Located<DepartmentSelector>| {
            format!(" {sign}department {} {}\n", one.value.department, one.value.recursive)
        };
        lines.extend(departments.iter().map(department));
    };
    lists('+', ids, emails, departments);
    lists('-', &except.ids, &except.emails, &except.departments);
    lines.sort();
    lines.dedup();
    text.extend(lines);
    text
}
