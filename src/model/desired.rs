//! Desired state: the manifests, resolved to single targets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use super::{CardKey, CardKind, DepartmentId, KindNames, Person, UserId};

/// Position in a file that people write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceLocation {
    /// The file as it was named on the command line, or found in a folder named there.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Condition on which a target is reset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// On every run in which the card is customized.
    Enforce,
    /// Once for a key; afterwards the person may customize the card again.
    Once(Generation),
}

/// Key of `mode: {once: …}`: 1 to 64 letters, digits, dots, hyphens and underscores.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(Arc<str>);

impl Generation {
    /// Checks the form; returns `None` if the text does not fit.
    pub fn new(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let right = !text.is_empty() && text.len() <= 64 && text.bytes().all(fits);
        right.then(|| Self(text.into()))
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not the name of a [`Generation`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no generation")]
pub struct ParseGenerationError(String);

impl FromStr for Generation {
    type Err = ParseGenerationError;

    fn from_str(text: &str) -> Result<Self, ParseGenerationError> {
        Self::new(text).ok_or_else(|| ParseGenerationError(text.to_owned()))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Selector of a manifest that matched a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// The id of a person.
    Id,
    /// An e-mail address.
    Email(Arc<str>),
    /// A department; a recursive selector includes the departments below.
    Department {
        /// The department named.
        id: DepartmentId,
        /// `true` if the departments below count too.
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
            Self::Department { id, recursive: true } => {
                f.write_str(&tr!("department {id} and below", id))
            }
            Self::Department { id, recursive: false } => f.write_str(&tr!("department {id}", id)),
            Self::All => f.write_str(&tr!("all")),
            Self::Common => f.write_str(&tr!("common")),
        }
    }
}

/// Origin of a target in the manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// `metadata.name` of the document.
    pub manifest: Arc<str>,
    /// `metadata.reason` of the document.
    pub reason: Arc<str>,
    /// The position of the selector.
    pub place: SourceLocation,
    /// The selector.
    pub selector: Selector,
}

/// One target that the manifests want at its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredTarget {
    /// The card.
    pub key: CardKey,
    /// The condition on which it is reset.
    pub mode: Mode,
    /// The origin; shared by all targets of a selector.
    pub origin: Arc<Origin>,
}

/// Limits on the blast radius of a run: those of its manifests and that of the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardLimits {
    /// Limits and acknowledgements of each manifest, by its name. They hold for the targets of that
    /// manifest.
    pub manifests: BTreeMap<Arc<str>, ManifestLimits>,
    /// Limit of `--max-users` on the people of the whole run. No acknowledgement lifts it.
    pub max_users: Option<u32>,
}

impl GuardLimits {
    /// Lowers the limit on the people of the whole run; never raises it.
    pub fn lower(&mut self, max_users: Option<u32>) {
        self.max_users = self.max_users.into_iter().chain(max_users).min();
    }

    /// Returns the users whose cards are never reset: those that any manifest protects.
    pub fn protected(&self) -> BTreeSet<UserId> {
        self.manifests.values().flat_map(|limits| limits.protected.iter().copied()).collect()
    }
}

/// Limits and acknowledgements that one manifest states: `spec.guards` and `spec.protect`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestLimits {
    /// `maxUsers`, if it is stated.
    pub max_users: Option<u32>,
    /// `maxPercentOfUsers`, from 0 to 100, if it is stated.
    pub max_percent_of_users: Option<u8>,
    /// `acknowledge.users`: up to this many people are allowed whatever the two limits say.
    pub acknowledged_users: Option<u32>,
    /// `acknowledge.selection`: a selection that shrank is allowed if it has at least this many
    /// people.
    pub acknowledged_selection: Option<u32>,
    /// `acknowledge.common`: the common cards that may be reset.
    pub acknowledged_common: BTreeSet<CardKind>,
    /// `acknowledge.people`: the caller and user 1, if their own cards may be reset.
    pub acknowledged_people: BTreeSet<UserId>,
    /// `protect.ids`: people whose cards are never reset, whatever is acknowledged.
    pub protected: BTreeSet<UserId>,
}

impl ManifestLimits {
    /// `maxUsers` of a manifest that states none.
    pub const MAX_USERS: u32 = 25;

    /// `maxPercentOfUsers` of a manifest that states none.
    pub const MAX_PERCENT_OF_USERS: u8 = 10;

    /// Returns the limit on people.
    pub fn people(&self) -> u32 {
        self.max_users.unwrap_or(Self::MAX_USERS)
    }

    /// Returns the limit on the share of the employees, in percent.
    pub fn percent(&self) -> u8 {
        self.max_percent_of_users.unwrap_or(Self::MAX_PERCENT_OF_USERS)
    }

    /// Returns `true` if `guards` stands in the manifest; `protect` is a key of its own.
    pub fn states_guards(&self) -> bool {
        let Self {
            max_users,
            max_percent_of_users,
            acknowledged_users,
            acknowledged_selection,
            acknowledged_common,
            acknowledged_people,
            protected: _,
        } = self;
        max_users.is_some()
            || max_percent_of_users.is_some()
            || acknowledged_users.is_some()
            || acknowledged_selection.is_some()
            || !acknowledged_common.is_empty()
            || !acknowledged_people.is_empty()
    }
}

/// Gap in the department tree that leaves open if a selected target is excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeGap {
    /// The department that the manifest excepts, with all below it.
    pub excepted: DepartmentId,
    /// The department of the user that may be below it.
    pub department: DepartmentId,
    /// The place at which the way up to the root ends: `department` itself or one above it.
    pub hole: TreeHole,
}

/// Place in the tree of departments at which the way up to the root ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TreeHole {
    /// Department that the portal does not list.
    NotListed(DepartmentId),
    /// Department that is above itself.
    Ring(DepartmentId),
}

/// The resolved targets of all manifests of a run.
#[derive(Clone, Debug, Default)]
pub struct DesiredState {
    /// The targets, sorted by key, each key once.
    pub targets: Vec<DesiredTarget>,
    /// The people among them, as the portal describes them.
    pub people: BTreeMap<UserId, Person>,
    /// The names of the departments, where the manifests had them looked up.
    pub departments: BTreeMap<DepartmentId, Box<str>>,
    /// The limits on the blast radius.
    pub guards: GuardLimits,
    /// Targets of several manifests, with the names of all manifests but the one in the target's
    /// origin.
    pub shared: BTreeMap<CardKey, BTreeSet<Arc<str>>>,
    /// Targets of which the exception is not known.
    pub gaps: BTreeMap<CardKey, TreeGap>,
    /// The names of pipelines and smart processes.
    pub kinds: KindNames,
}

impl DesiredState {
    /// Returns the people whom each manifest selects, by the name of the manifest; each list is
    /// sorted.
    pub fn selected(&self) -> BTreeMap<Arc<str>, Vec<UserId>> {
        let mut selected: BTreeMap<Arc<str>, Vec<UserId>> = BTreeMap::new();
        for target in &self.targets {
            let Some(user) = target.key.user() else { continue };
            let shared = self.shared.get(&target.key).into_iter().flatten();
            for manifest in [&target.origin.manifest].into_iter().chain(shared) {
                let people = selected.entry(Arc::clone(manifest)).or_default();
                // The targets are sorted, so a person's cards are neighbors.
                if people.last() != Some(&user) {
                    people.push(user);
                }
            }
        }
        selected
    }
}
