//! What was seen of the portal, holes included.

use std::collections::BTreeMap;

use super::{CardKey, Identity, Layout, LeadCustomerType, Observed, PortalId};

/// Whether the portal's answers about other people's cards are theirs.
///
/// Releases up to 24.200 answer a read of anybody's card with the caller's own, while a reset works on the person named.
/// A backup made there is of the wrong person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadTrust {
    /// Something proves that the portal reads the card of the person named.
    Trusted(TrustEvidence),
    /// Everything looks like a portal that answers with the caller's own card.
    NotTrusted,
    /// Nothing seen so far tells.
    Unproven,
}

/// What proves that reads can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustEvidence {
    /// `time.start` is a whole number: a release from 25.700 on.
    WholeSeconds,
    /// The caller's profile lacks `TIME_ZONE_OFFSET`: a release from 25.550 on.
    NoTimeZoneOffset,
    /// A read of somebody else's card differs from the caller's own.
    DifferingRead,
}

/// Everything that planning needs to know about the portal.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The portal.
    pub portal: PortalId,
    /// Who looked.
    pub caller: Identity,
    /// Whether reads of other people's cards are theirs.
    pub trust: ReadTrust,
    /// The layouts that stand in for everybody without a card of their own, where there are such.
    pub common_defaults: BTreeMap<LeadCustomerType, Layout>,
    /// What is known of each target, sorted by key, each key once.
    pub cards: Vec<(CardKey, Observed)>,
}

impl Snapshot {
    /// What is known of a target; nothing if nobody asked.
    pub fn card(&self, key: CardKey) -> Option<&Observed> {
        let index = self.cards.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.cards.get(index).map(|(_, observed)| observed)
    }
}
