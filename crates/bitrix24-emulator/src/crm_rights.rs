//! Rights of roles in the CRM.
//!
//! Behavior notes, section 6: card methods ask for access to the CRM only, lists of pipelines and
//! types for the right to read.

use crate::card_kind::CardKind;
use crate::state::PortalState;

/// Returns `true` if a right is about an entity, and gives more than nothing.
fn grants(right: &str, entity: &str) -> bool {
    let (named, level) = right.split_once(' ').unwrap_or((right, ""));
    named == entity && !level.starts_with("none")
}

impl PortalState {
    /// Returns the rights of a person, role by role; `None` for a role that may read everything.
    fn rights(&self, user: i64) -> impl Iterator<Item = (&str, Option<&Vec<String>>)> {
        let roles = self.roles.iter().filter(move |(_, people)| people.contains(&user));
        roles.map(|(role, _)| (role.as_str(), self.crm.role_rights.get(role)))
    }

    /// Returns `true` if a person may change the settings of the CRM.
    pub(super) fn is_crm_admin(&self, user: i64) -> bool {
        self.is_portal_admin(user)
            || self.rights(user).any(|(role, rights)| match rights {
                Some(rights) => rights.iter().any(|right| grants(right, "CONFIG")),
                None => role == "CRM admin",
            })
    }

    /// Returns `true` if a person may read any part of the CRM.
    pub(super) fn may_use_crm(&self, user: i64) -> bool {
        self.is_portal_admin(user)
            || self.rights(user).any(|(_, rights)| rights.is_none_or(|rights| !rights.is_empty()))
    }

    /// Returns `true` if a person may read a pipeline; 0 is the default one of deals, and the main
    /// list of contacts and companies.
    pub(super) fn may_read(&self, user: i64, kind: CardKind, pipeline: i64) -> bool {
        let entity = match pipeline {
            0 => kind.code(),
            number => format!("{}_C{number}", kind.code()),
        };
        self.is_portal_admin(user)
            || self.rights(user).any(|(_, rights)| {
                let reads = |right: &String| {
                    grants(right, &entity)
                        || (kind.is_always_numbered() && grants(right, &kind.code()))
                };
                rights.is_none_or(|rights| rights.iter().any(reads))
            })
    }

    /// Gives every role full rights in a pipeline, as old releases do for one they create.
    pub(super) fn give_everybody(&mut self, kind: CardKind, pipeline: i64) {
        let right = format!("{}_C{pipeline} full", kind.code());
        self.crm.role_rights.values_mut().for_each(|rights| rights.push(right.clone()));
    }
}
