//! A manifest made from what is there: everybody who has a card of their own.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::visible;
use super::words::Counted;
use crate::model::{CardKey, LeadCustomerType, PortalId, UserId};

/// What a manifest is made from.
#[derive(Clone, Debug)]
pub struct ExportedManifest {
    /// The portal.
    pub portal: PortalId,
    /// The day, in the form `2026-11-01`.
    pub day: String,
    /// The cards that were found.
    pub cards: Vec<CardKey>,
    /// What stands beside an id; may be empty.
    pub names: BTreeMap<UserId, String>,
}

impl ExportedManifest {
    /// The people with a card of their own, with the kinds of lead that it is for.
    pub fn people(&self) -> BTreeMap<UserId, Vec<LeadCustomerType>> {
        let mut people: BTreeMap<UserId, Vec<LeadCustomerType>> = BTreeMap::new();
        for key in &self.cards {
            if let Some(user) = key.user() {
                people.entry(user).or_default().push(key.lead);
            }
        }
        people
    }
}

impl fmt::Display for ExportedManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { portal, day, cards, names } = self;
        let people = self.people();
        let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
        writeln!(
            f,
            "# Written by `recard export` on {day}: {} with a card of their own.",
            Counted(count, "person", "people")
        )?;
        writeln!(f, "#")?;
        writeln!(
            f,
            "# Applied as it stands, it puts all of these cards back to their defaults. Take out the lines of those who"
        )?;
        writeln!(f, "# are to keep theirs, and look at `recard plan` first.")?;
        let common: Vec<&str> = cards.iter().filter(|key| key.user().is_none()).map(|key| key.lead.word()).collect();
        if !common.is_empty() {
            writeln!(f, "#\n# The common card is arranged for: {}. It is left out on purpose.", common.join(", "))?;
        }
        writeln!(f, "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata:\n  name: exported")?;
        writeln!(f, "  reason: \"Exported on {day}; say here why these cards are reset\"")?;
        writeln!(f, "spec:\n  portal: \"{portal}\"\n  personal:")?;
        let mut blocks: BTreeMap<&[LeadCustomerType], Vec<UserId>> = BTreeMap::new();
        for (user, leads) in &people {
            blocks.entry(leads).or_default().push(*user);
        }
        for (leads, users) in blocks {
            writeln!(f, "    - users:\n        ids:")?;
            for user in users {
                let mut line = format!("          - {user}");
                match names.get(&user).map(|name| visible(name)) {
                    Some(name) if !name.is_empty() => write!(line, " # {name}")?,
                    _ => {}
                }
                writeln!(f, "{line}")?;
            }
            let leads: Vec<&str> = leads.iter().map(|lead| lead.word()).collect();
            writeln!(f, "      leadCustomerTypes: [{}]", leads.join(", "))?;
        }
        Ok(())
    }
}
