//! People and departments of a portal.

use std::fmt;

use super::{DepartmentId, ReleaseSign, UserId};

/// A user of the portal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub id: UserId,
    /// First and last name.
    pub name: PersonName,
    /// The address for signing in, if the webhook may see it (the right `user_brief` hides it).
    pub email: Option<Box<str>>,
    /// `false` for dismissed people.
    pub active: bool,
    /// The departments of the person, without those above; empty for people without one.
    pub departments: Vec<DepartmentId>,
}

impl Person {
    /// Returns `true` if the person has a department; people without one are guests of the portal.
    pub fn is_employee(&self) -> bool {
        self.active && !self.departments.is_empty()
    }
}

/// Name of a person for display; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonName(Box<str>);

impl PersonName {
    /// Joins first and last name; control characters, which could disturb a terminal, become
    /// blanks.
    pub fn new(first: &str, last: &str) -> Self {
        let joined = format!("{} {}", first.trim(), last.trim());
        let clean: String = joined.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self(clean.trim().into())
    }

    /// Returns the name as text.
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
    /// The department above; `None` at the root.
    pub parent: Option<DepartmentId>,
}

/// Caller of the webhook, with the knowledge of the portal that its first answer gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user behind the webhook URL: the caller of every request.
    pub user: UserId,
    /// The caller's name.
    pub name: PersonName,
    /// `true` if the caller administers the portal. Administrators of the CRM alone cannot be told
    /// apart from other users.
    pub portal_admin: bool,
    /// The number of active people on the portal, guests included.
    pub active_users: u32,
    /// Knowledge of the portal's release: a sign in the answers, or an earlier proof.
    pub release_sign: ReleaseSign,
    /// `true` if the answers came from the emulator.
    pub emulator: bool,
}
