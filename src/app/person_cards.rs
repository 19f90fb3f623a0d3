//! Cards of one person, as they are now. Reads only, by type.

use std::sync::Arc;

use super::inventory::listed_kinds;
use super::narrowing::PersonSelector;
use super::observer::Observer;
use super::plan::read_cards;
use super::{Error, Phase, Session};
use crate::engine::{self, KindSelection};
use crate::model::{CardKey, CardLabels, Person, Snapshot, UserId};
use crate::ports::{PeopleQuery, ReadPortal as _};

/// Cards of one person.
#[derive(Debug)]
pub struct PersonCards {
    /// The person, who may be dismissed.
    pub person: Person,
    /// The reads of the person's cards.
    pub snapshot: Snapshot,
    /// The labels of the portal's fields.
    pub labels: CardLabels,
}

/// Reads the cards of one person, of some kinds.
///
/// # Errors
///
/// If the portal cannot be read, has no such person or several, or does not list a kind.
pub async fn person_cards(
    session: &Session,
    selector: &PersonSelector,
    selection: &KindSelection,
    observer: &impl Observer,
) -> Result<PersonCards, Error> {
    let person = find_person(session, selector).await?;
    let listed = listed_kinds(session, selection, observer).await?;
    let keys: Vec<CardKey> =
        listed.kinds.iter().map(|kind| CardKey::personal(person.id, *kind)).collect();
    let snapshot = read_cards(session, &keys, observer).await?;
    let mut labels = session.labels.clone();
    labels.update(listed.labels);
    Ok(PersonCards { person, snapshot, labels })
}

/// Finds a person. The answer is compared with the query: a portal ignores a filter that it does
/// not know, and returns all people.
async fn find_person(session: &Session, selector: &PersonSelector) -> Result<Person, Error> {
    let reader = session.portal.reader();
    let failed = |error| Error::Portal(Phase::People, error);
    let found: Vec<Person> = match selector {
        PersonSelector::Id(id) => {
            let people = engine::look_up(&reader, vec![*id]).await.map_err(failed)?;
            people.into_values().collect()
        }
        PersonSelector::Email(email) => {
            let query = PeopleQuery::Emails(vec![Arc::clone(email)]);
            let people = reader.people(&query).await.map_err(failed)?;
            people.into_iter().filter(|person| selector.is(person)).collect()
        }
    };
    let ids: Vec<UserId> = found.iter().map(|person| person.id).collect();
    let mut people = found.into_iter();
    match (people.next(), people.next()) {
        (Some(person), None) => Ok(person),
        (None, _) | (Some(_), Some(_)) => {
            Err(Error::NotOnePerson { selector: selector.clone(), found: ids })
        }
    }
}
