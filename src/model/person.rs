//! People and departments, as far as recard looks at them.

use std::fmt;

use super::{DepartmentId, ReleaseSign, UserId};

/// A user of the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub id: UserId,
    /// First and last name.
    pub name: PersonName,
    /// The address they sign in with, if the webhook may see it (the right `user_brief` does not
    /// show it).
    pub email: Option<Box<str>>,
    /// False for people who were dismissed.
    pub active: bool,
    /// The departments they belong to directly; empty for people without one.
    pub departments: Vec<DepartmentId>,
}

impl Person {
    /// Whether they work here: people without a department are guests of the portal, not its
    /// employees.
    pub fn is_employee(&self) -> bool {
        self.active && !self.departments.is_empty()
    }
}

/// A person's name for people to read; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonName(Box<str>);

impl PersonName {
    /// Joins first and last name, without what could disturb a terminal: control characters become
    /// blanks.
    pub fn new(first: &str, last: &str) -> Self {
        let joined = format!("{} {}", first.trim(), last.trim());
        let clean: String = joined.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self(clean.trim().into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A department of the company structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    /// The id.
    pub id: DepartmentId,
    /// The name that people see.
    pub name: Box<str>,
    /// The department above; none at the root.
    pub parent: Option<DepartmentId>,
}

/// Who the webhook acts as, and what its first answer gave away about the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The owner of the webhook: the caller of every request.
    pub user: UserId,
    /// Their name.
    pub name: PersonName,
    /// Whether they administer the portal. Administrators of the CRM alone are not told apart from
    /// anybody else.
    pub portal_admin: bool,
    /// How many active people the portal has, guests included.
    pub active_users: u32,
    /// Knowledge of the portal's release: a sign in the answers, or an earlier proof.
    pub release_sign: ReleaseSign,
    /// Whether the answers came from an emulator that said so.
    pub emulator: bool,
}
