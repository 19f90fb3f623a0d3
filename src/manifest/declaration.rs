//! Content of the manifests after reading: every value checked, with its position.

use std::fmt::{self, Write as _};
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::model::{
    CardKind, DepartmentId, Digest, GuardLimits, LeadCustomerType, ManifestLimits, Mode,
    PipelinedType, PortalId, SmartProcessType, SourceLocation, UserId,
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

/// Document of `kind: LeadCardReset` or `kind: CardReset`.
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
    /// `spec.common`: `leadCustomerTypes` or `cards`.
    pub common: Vec<Located<CardSelector>>,
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
    /// The cards: `leadCustomerTypes` or `cards`; each once.
    pub cards: Vec<Located<CardSelector>>,
    /// The condition on which the cards are reset.
    pub mode: Mode,
}

/// Cards as a manifest names them. Names, `default` and `all` become ids on the portal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardSelector {
    /// Leads of a type.
    Lead(LeadCustomerType),
    /// Deals of a pipeline.
    Deal(PipelineName),
    /// Contacts of a category; the default one is the main card.
    Contact(PipelineName),
    /// Companies of a category; the default one is the main card.
    Company(PipelineName),
    /// Quotes.
    Quote,
    /// Smart invoices, which have one pipeline.
    SmartInvoice,
    /// A smart process and one of its pipelines.
    SmartProcess(ProcessName, PipelineName),
}

/// Smart process as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcessName {
    /// By its number, the `entityTypeId`.
    Id(SmartProcessType),
    /// By its title, which exactly one smart process must have.
    Title(Arc<str>),
}

/// Pipeline or category as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PipelineName {
    /// `default`: the one that the portal marks as the default.
    Default,
    /// `all`: every one that the portal lists.
    All,
    /// By its id.
    Id(u32),
    /// By its name, which exactly one of the type must have.
    Name(Arc<str>),
}

impl CardSelector {
    /// Returns `true` if the selector can mean cards of a kind. The portal alone knows which ids
    /// names, `default` and `all` have.
    pub fn can_mean(&self, kind: CardKind) -> bool {
        match (self, kind) {
            (Self::Lead(lead), CardKind::Lead(of)) => *lead == of,
            (Self::Deal(name), CardKind::Deal(id)) => name.can_mean(id),
            (Self::Contact(name), CardKind::Contact(id))
            | (Self::Company(name), CardKind::Company(id)) => {
                name.can_mean(id.map_or(0, NonZeroU32::get))
            }
            (Self::Quote, CardKind::Quote) => true,
            (
                Self::SmartInvoice,
                CardKind::SmartInvoice(_) | CardKind::NoPipeline(PipelinedType::SmartInvoice),
            ) => true,
            (Self::SmartProcess(process, name), CardKind::SmartProcess(of, id)) => {
                process.can_mean(of) && name.can_mean(id.get())
            }
            (
                Self::SmartProcess(process, _),
                CardKind::NoPipeline(PipelinedType::SmartProcess(of)),
            ) => process.can_mean(of),
            _ => false,
        }
    }
}

impl ProcessName {
    fn can_mean(&self, process: SmartProcessType) -> bool {
        match self {
            Self::Id(id) => *id == process,
            Self::Title(_) => true,
        }
    }
}

impl PipelineName {
    fn can_mean(&self, pipeline: u32) -> bool {
        match self {
            Self::Id(id) => *id == pipeline,
            Self::Default | Self::All | Self::Name(_) => true,
        }
    }
}

impl fmt::Display for CardSelector {
    /// Writes the text form of a card, with names in quotes where it has ids.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lead(lead) => write!(f, "lead/{}", lead.as_str()),
            Self::Deal(pipeline) => write!(f, "deal/{pipeline}"),
            Self::Contact(category) => write!(f, "contact/{category}"),
            Self::Company(category) => write!(f, "company/{category}"),
            Self::Quote => f.write_str("quote"),
            Self::SmartInvoice => f.write_str("smart-invoice"),
            Self::SmartProcess(process, pipeline) => {
                write!(f, "smart-process/{process}/{pipeline}")
            }
        }
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Title(title) => write!(f, "{title:?}"),
        }
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::All => f.write_str("all"),
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
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
    pub(super) fn new(mut documents: Vec<Document>) -> Option<Self> {
        let portal = documents.first()?.portal.clone();
        let digest = digest(&documents);
        // A fleet has thousands of declarations, most of one document with one entry.
        documents.iter_mut().for_each(|document| document.personal.shrink_to_fit());
        documents.shrink_to_fit();
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

    /// Iterates over the cards of all blocks.
    pub fn cards(&self) -> impl Iterator<Item = &Located<CardSelector>> {
        self.documents.iter().flat_map(|document| {
            let personal = document.personal.iter().flat_map(|block| &block.cards);
            document.common.iter().chain(personal)
        })
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
    lines.extend(common.iter().map(|card| format!("common {}\n", card.value)));
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
    let PersonalBlock { place: _, users, cards, mode } = block;
    let UserSelection { ids, emails, departments, all, except } = users;
    let mut cards: Vec<String> = cards.iter().map(|card| card.value.to_string()).collect();
    cards.sort();
    let mut text = format!("personal {cards:?} {mode:?} all={}\n", all.is_some());
    let mut lines: Vec<String> = Vec::new();
    let mut lists = |sign: char,
                     ids: &[Located<UserId>],
                     emails: &[Located<Arc<str>>],
                     departments: &[Located<_>]| {
        lines.extend(ids.iter().map(|id| format!(" {sign}id {}\n", id.value)));
        lines.extend(emails.iter().map(|email| format!(" {sign}email {:?}\n", email.value)));
        let line = |department: &Located<DepartmentSelector>| {
            format!(
                " {sign}department {} {}\n",
                department.value.department, department.value.recursive
            )
        };
        lines.extend(departments.iter().map(line));
    };
    lists('+', ids, emails, departments);
    lists('-', &except.ids, &except.emails, &except.departments);
    lines.sort();
    lines.dedup();
    text.extend(lines);
    text
}
