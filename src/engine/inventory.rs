//! Inventory of all people's cards and their layouts, for `recard inventory` and `recard export`.

use std::collections::BTreeMap;

use super::{EventSink, ListedKinds, observe};
use crate::model::{
    CardKey, CardKind, CardState, Department, DepartmentId, Identity, KindNames, Layout, Observed,
    Person, Snapshot, UserId,
};
use crate::ports::{PeopleQuery, PortalError, ReadPortal};

/// Active people of a portal, its departments, and the cards of all of them.
#[derive(Clone, Debug)]
pub struct CardInventory {
    /// The active people, guests included.
    pub people: BTreeMap<UserId, Person>,
    /// The departments.
    pub departments: BTreeMap<DepartmentId, Department>,
    /// The kinds of cards that were read, sorted.
    pub kinds: Vec<CardKind>,
    /// The names of the kinds.
    pub names: KindNames,
    /// The common cards and those of every person, of these kinds.
    pub snapshot: Snapshot,
}

/// Presence of one card in an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardPresence<'a> {
    /// The card is at its default.
    Nothing,
    /// The card is customized.
    Card(&'a Layout),
    /// The card could not be read.
    Unread,
}

/// Lists all active people and departments, and reads every card of some kinds.
///
/// # Errors
///
/// If the portal cannot be used at all. A single unreadable card is a gap, not an error.
pub async fn take_inventory<P: ReadPortal>(
    portal: &P,
    caller: &Identity,
    ListedKinds { kinds, names, .. }: ListedKinds,
    events: &dyn EventSink,
) -> Result<CardInventory, PortalError> {
    let departments = portal
        .departments()
        .await?
        .into_iter()
        .map(|department| (department.id, department))
        .collect();
    let people = portal.people(&PeopleQuery::AllActive).await?;
    // A portal that ignores the filter returns dismissed people too, whose cards are not part of an
    // inventory.
    let people: BTreeMap<UserId, Person> = people
        .into_iter()
        .filter(|person| person.active)
        .map(|person| (person.id, person))
        .collect();
    let common = kinds.iter().map(|kind| CardKey::common(*kind));
    let personal = |user: &UserId| {
        let user = *user;
        kinds.iter().map(move |kind| CardKey::personal(user, *kind))
    };
    let targets: Vec<CardKey> = common.chain(people.keys().flat_map(personal)).collect();
    let snapshot = observe(portal, caller, &targets, events).await?;
    Ok(CardInventory { people, departments, kinds, names, snapshot })
}

impl CardInventory {
    /// Returns the presence of a card.
    pub fn card(&self, key: CardKey) -> CardPresence<'_> {
        match self.snapshot.card(key) {
            Some(Observed::Known(CardState::Customized(layout))) => CardPresence::Card(layout),
            Some(Observed::Known(CardState::Default | CardState::CommonDefault)) => {
                CardPresence::Nothing
            }
            Some(Observed::Unreadable(_)) | None => CardPresence::Unread,
        }
    }

    /// Iterates over the customized cards, sorted.
    pub fn cards(&self) -> impl Iterator<Item = (CardKey, &Layout)> {
        self.snapshot.cards.iter().filter_map(|(key, _)| match self.card(*key) {
            CardPresence::Card(layout) => Some((*key, layout)),
            CardPresence::Nothing | CardPresence::Unread => None,
        })
    }

    /// Returns the number of cards that could not be read.
    pub fn unread(&self) -> u32 {
        let unread = self
            .snapshot
            .cards
            .iter()
            .filter(|(key, _)| self.card(*key) == CardPresence::Unread)
            .count();
        u32::try_from(unread).unwrap_or(u32::MAX)
    }

    /// Keeps only people who belong to one of the departments, directly or through those below.
    pub fn retain_departments(&mut self, wanted: &[DepartmentId]) {
        let is_below = |id: &DepartmentId| {
            // A ring of departments terminates: no way is longer than the number of departments.
            let up = std::iter::successors(Some(*id), |id| {
                self.departments.get(id).and_then(|department| department.parent)
            });
            up.take(self.departments.len() + 1).any(|id| wanted.contains(&id))
        };
        let stays = |person: &Person| person.departments.iter().any(is_below);
        let people: BTreeMap<UserId, Person> = self
            .people
            .iter()
            .filter(|(_, person)| stays(person))
            .map(|(id, person)| (*id, person.clone()))
            .collect();
        self.snapshot
            .cards
            .retain(|(key, _)| key.user().is_none_or(|user| people.contains_key(&user)));
        self.people = people;
    }
}
