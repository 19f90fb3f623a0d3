//! What people want, resolved to single targets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::{CardKey, DepartmentId, LeadCustomerType, Person, UserId};

/// A place in a file that people write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named on the command line, or found in a folder named there.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// When a target is reset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Whenever it is not at its default.
    Enforce,
    /// Once for the named generation; afterwards the person may arrange the card again.
    Once(Generation),
}

/// The name of a generation of `mode: {once: …}`: 1 to 64 letters, digits, dots, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(Arc<str>);

impl Generation {
    /// Checks the form; nothing if the text does not fit.
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let right = !text.is_empty() && text.len() <= 64 && text.bytes().all(fits);
        right.then(|| Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which words of a manifest matched a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// An id of a person.
    Id,
    /// An e-mail address.
    Email(Arc<str>),
    /// A department; recursive ones include those below.
    Department {
        /// The department named.
        id: DepartmentId,
        /// Whether the departments below count too.
        recursive: bool,
    },
    /// `all: true`.
    All,
    /// The `common` block.
    Common,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str(&tr!("id")),
            Self::Email(email) => f.write_str(&tr!("e-mail {email}", email)),
            Self::Department { id, recursive: true } => f.write_str(&tr!("department {id} and below", id)),
            Self::Department { id, recursive: false } => f.write_str(&tr!("department {id}", id)),
            Self::All => f.write_str(&tr!("all")),
            Self::Common => f.write_str(&tr!("common")),
        }
    }
}

/// Where in the manifests a target comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// `metadata.name` of the document.
    pub manifest: Arc<str>,
    /// `metadata.reason` of the document.
    pub reason: Arc<str>,
    /// Where the selector stands.
    pub place: Place,
    /// The selector.
    pub selector: Selector,
}

/// One target that people want at its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTarget {
    /// The card.
    pub key: CardKey,
    /// When it is reset.
    pub mode: Mode,
    /// Where it comes from; shared by all targets of a selector.
    pub origin: Arc<Origin>,
}

/// The limits on the blast radius that the manifests set, over all documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardLimits {
    /// At most this many people may lose a card; 25 unless set.
    pub max_users: u32,
    /// At most this share of the portal's active people, in percent from 0 to 100; 10 unless set. Counts only once more
    /// than 10 people are hit.
    pub max_percent_of_users: u8,
    /// Up to this many people are allowed whatever the two limits say.
    pub acknowledged_users: Option<u32>,
    /// A selection that shrank is allowed if it has at least this many people.
    pub acknowledged_selection: Option<u32>,
    /// The common cards that may be reset.
    pub acknowledged_common: BTreeSet<LeadCustomerType>,
    /// The caller and user 1, if their own cards may be reset.
    pub acknowledged_people: BTreeSet<UserId>,
    /// People whose cards are never reset, whatever is acknowledged.
    pub protected: BTreeSet<UserId>,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            max_users: 25,
            max_percent_of_users: 10,
            acknowledged_users: None,
            acknowledged_selection: None,
            acknowledged_common: BTreeSet::new(),
            acknowledged_people: BTreeSet::new(),
            protected: BTreeSet::new(),
        }
    }
}

/// The resolved targets of all manifests of a run.
#[derive(Clone, Debug, Default)]
pub struct DesiredState {
    /// The targets, sorted by key, each key once.
    pub targets: Vec<DesiredTarget>,
    /// The people among them, as the portal describes them.
    pub people: BTreeMap<UserId, Person>,
    /// The limits on the blast radius.
    pub guards: GuardLimits,
}
