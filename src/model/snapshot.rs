//! Snapshot of the portal, gaps included.

use std::collections::BTreeMap;

use super::{CardKey, CardKind, Identity, Layout, Observed, PortalId, ReadTrust};

/// Everything that the planner needs to know about the portal.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The portal.
    pub portal: PortalId,
    /// The caller of the reads.
    pub caller: Identity,
    /// The trust in reads of other people's cards.
    pub trust: ReadTrust,
    /// The common defaults, where the portal has them.
    pub common_defaults: BTreeMap<CardKind, Layout>,
    /// The observations of the common cards behind the personal targets: the common view shows
    /// them.
    pub common_cards: BTreeMap<CardKind, Observed>,
    /// The observation of each target, sorted by key, each key once.
    pub cards: Vec<(CardKey, Observed)>,
}

impl Snapshot {
    /// Returns the observation of a target; `None` if it was not read.
    pub fn card(&self, key: CardKey) -> Option<&Observed> {
        let index = self.cards.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cards.get(index).map(|(_, observed)| observed)
    }
}
