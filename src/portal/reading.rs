//! What a reader asks the portal, in the portal's words.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::client::{Client, words};
use super::command::{Command, DEPARTMENTS, GET, PROFILE, USERS};
use super::listing::{Entry, Listing, Page};
use super::reads::{Behind, Numbers, ReadEnd};
use super::wire::WholeSeconds;
use super::wire::people::{Select, TimeZoneOffset, departments, people, profile, select};
use crate::language::english;
use crate::model::{CardKey, Department, Identity, Person, ReleaseSign, TrustEvidence};
use crate::port::{CardQueue, CardRead, CardSink, PeopleHeard, PeopleQuery, PortalError};

/// The most values that are put into the list of one filter, so that its answer fits on one page of 50.
const FILTER_VALUES: usize = 50;

/// The fields of a person that are asked for. Portals up to 24.200 send all of them whatever is asked.
const PERSON_FIELDS: [&str; 6] = ["ID", "NAME", "LAST_NAME", "EMAIL", "ACTIVE", "UF_DEPARTMENT"];

impl Entry for Person {
    const WHAT: &'static str = "people";
    const CHANGED: &'static str = tr_later!("the list of people does not fit together");
    /// Each of 50 has two cards, and a request reads 50.
    const REQUESTS_BEHIND_A_PAGE: f64 = 2.0;

    fn number(&self) -> u32 {
        self.id.get()
    }

    fn page(result: &RawValue) -> Option<Vec<Self>> {
        people(result)
    }
}

impl Entry for Department {
    const WHAT: &'static str = "departments";
    const CHANGED: &'static str = tr_later!("the list of departments does not fit together");
    const REQUESTS_BEHIND_A_PAGE: f64 = 0.0;

    fn number(&self) -> u32 {
        self.id.get()
    }

    fn page(result: &RawValue) -> Option<Vec<Self>> {
        departments(result)
    }
}

impl Client {
    /// Asks who the caller is, and how many active people there are.
    pub(crate) async fn identify(&self) -> Result<Identity, PortalError> {
        // The first page of everybody's list, which tells how many there are and is used if all of them are wanted.
        let count = active_people().with("start", "0");
        let commands = [Command::new(PROFILE), count];
        let command = |number: usize| commands.get(number).cloned().unwrap_or_else(|| Command::new(PROFILE));
        let mut ends = BTreeMap::new();
        let mut take = |number: usize, end: ReadEnd| drop(ends.insert(number, end));
        self.read_all(commands.len(), Behind::Nothing, &command, &mut take).await?;
        let mut answer = |number: usize, method: &str| match ends.remove(&number) {
            Some(ReadEnd::Answered(answer)) => Ok(answer),
            Some(ReadEnd::Refused(refusal)) => Err(PortalError::Unexpected(format!("{method}: {}", words(&refusal)))),
            Some(ReadEnd::NoAnswer(text)) => Err(PortalError::MaybeExecuted(format!("{method}: {text}"))),
            None => Err(PortalError::MaybeExecuted(format!("{method}: no answer"))),
        };
        let (caller, count) = (answer(0, PROFILE)?, answer(1, USERS)?);
        let profile =
            profile(&caller.json).ok_or_else(|| PortalError::Unexpected("the profile names no user".to_owned()))?;
        let listed = people(&count.json);
        let listed = listed.ok_or_else(|| PortalError::Unexpected("this is no list of people".to_owned()))?;
        let active_users = count.total.unwrap_or(listed.len() as u64);
        // Every start must be whole: a single fraction can by chance be none.
        let starts = [caller.batch_times.start, caller.times.start, count.times.start];
        let whole = starts.contains(&Some(WholeSeconds::Yes)) && !starts.contains(&Some(WholeSeconds::No));
        // `user.get` belongs to another module than the cards; both are of one release unless their owner mixed them.
        let select = select(&count.json, &PERSON_FIELDS);
        let release_sign = match (whole, profile.time_zone_offset, select) {
            (true, _, _) => ReleaseSign::Trusted(TrustEvidence::WholeSeconds),
            (false, TimeZoneOffset::Absent, _) => ReleaseSign::Trusted(TrustEvidence::NoTimeZoneOffset),
            (false, TimeZoneOffset::Present, Select::Obeyed) => ReleaseSign::Trusted(TrustEvidence::SelectObeyed),
            (false, TimeZoneOffset::Present, Select::Ignored) => ReleaseSign::Old,
            (false, TimeZoneOffset::Present, Select::Unknown) => ReleaseSign::Unknown,
        };
        self.know_active_people(count.total, Page::first(listed, count.total, count.next));
        Ok(Identity {
            user: profile.user,
            name: profile.name,
            portal_admin: profile.portal_admin,
            active_users: u32::try_from(active_users).unwrap_or(u32::MAX),
            release_sign,
            emulator: self.is_emulator(),
        })
    }

    /// Lists all departments.
    pub(crate) async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        let listing = Listing { command: sorted(Command::new(DEPARTMENTS)), at_most: None, expected: None };
        Ok(self.list(&[listing], None, None).await?.into_values().collect())
    }

    /// Lists people.
    pub(crate) async fn people(&self, query: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        let first = match query {
            PeopleQuery::AllActive => self.first_page(),
            PeopleQuery::Ids(_) | PeopleQuery::Emails(_) | PeopleQuery::Departments(_) => None,
        };
        Ok(self.list(&listings(query, self.active_people()), first, None).await?.into_values().collect())
    }

    /// Lists everybody, and tells of them as they come.
    pub(crate) async fn everybody(&self, heard: &PeopleHeard<'_>) -> Result<Vec<Person>, PortalError> {
        let listings = listings(&PeopleQuery::AllActive, self.active_people());
        Ok(self.list(&listings, self.first_page(), Some(heard)).await?.into_values().collect())
    }

    /// Reads cards.
    pub(crate) async fn read_cards(&self, keys: &[CardKey], sink: &mut dyn CardSink) -> Result<(), PortalError> {
        // A number that is not in the list cannot come; the caller's profile would be the harmless thing to ask.
        let command = |number: usize| match keys.get(number) {
            Some(key) => Command::for_card(GET, *key),
            None => Command::new(PROFILE),
        };
        let mut take = |number: usize, end: ReadEnd| {
            if let Some(key) = keys.get(number) {
                sink.take(*key, self.card_read(end));
            }
        };
        self.read_all(keys.len(), Behind::Resets, &command, &mut take).await
    }

    /// Reads cards while others of them are still being found out.
    pub(crate) async fn read_queue(&self, queue: &CardQueue, sink: &mut dyn CardSink) -> Result<(), PortalError> {
        // Nothing can be reckoned with before something is known.
        while queue.is_empty() && !queue.is_complete() {
            queue.changed().await;
        }
        let command = |number: usize| match queue.card(number) {
            Some(key) => Command::for_card(GET, key),
            None => Command::new(PROFILE),
        };
        let mut take = |number: usize, end: ReadEnd| {
            if let Some(key) = queue.card(number) {
                sink.take(key, self.card_read(end));
            }
        };
        self.read_numbers(Numbers::Coming(queue), Behind::Resets, &command, &mut take).await
    }

    /// What the end of a read means for the card.
    fn card_read(&self, end: ReadEnd) -> CardRead {
        match end {
            ReadEnd::Answered(answer) => self.layout_read(&answer.json),
            ReadEnd::Refused(refusal) => CardRead::Refused(refusal),
            ReadEnd::NoAnswer(text) => CardRead::NoAnswer(text),
        }
    }

    /// What a result of `get` means for the card.
    pub(super) fn layout_read(&self, json: &RawValue) -> CardRead {
        match self.seen.layout(json) {
            Ok(layout) => CardRead::Read(layout),
            Err(error) => CardRead::NoAnswer(english(&error)),
        }
    }
}

/// The queries for some people, of whom so many are known to be active. Filters stand in `FILTER`, which hides all others,
/// with the names in capitals.
fn listings(query: &PeopleQuery, active: Option<u64>) -> Vec<Listing> {
    match query {
        PeopleQuery::Ids(ids) => ids
            .chunks(FILTER_VALUES)
            .map(|ids| Listing { command: filtered("ID", ids), at_most: Some(ids.len() as u64), expected: None })
            .collect(),
        // One command each: that the filter takes a list of addresses is promised nowhere.
        PeopleQuery::Emails(emails) => emails
            .iter()
            .map(|email| Listing {
                command: person_query().with("FILTER[EMAIL]", email),
                at_most: None,
                expected: Some(1),
            })
            .collect(),
        PeopleQuery::Departments(departments) => departments
            .chunks(FILTER_VALUES)
            .map(|ids| filtered("UF_DEPARTMENT", ids).with("FILTER[ACTIVE]", "Y"))
            .map(|command| Listing { command, at_most: None, expected: None })
            .collect(),
        PeopleQuery::AllActive => {
            vec![Listing { command: active_people(), at_most: None, expected: active }]
        }
    }
}

fn filtered(field: &str, values: &[impl std::fmt::Display]) -> Command {
    values.iter().enumerate().fold(person_query(), |command, (index, value)| {
        command.with(&format!("FILTER[{field}][{index}]"), &value.to_string())
    })
}

/// The query for everybody who is active.
fn active_people() -> Command {
    person_query().with("FILTER[ACTIVE]", "Y")
}

fn person_query() -> Command {
    PERSON_FIELDS
        .iter()
        .enumerate()
        .fold(sorted(Command::new(USERS)), |command, (index, field)| command.with(&format!("select[{index}]"), field))
}

/// Asks for an order. Without one the portal promises none, and pages may overlap.
fn sorted(command: Command) -> Command {
    command.with("sort", "ID").with("order", "ASC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DepartmentId, UserId};

    #[test]
    fn at_most_fifty_ids_stand_in_one_filter() {
        let ids = (1..=120).map(|id| UserId::new(id).unwrap()).collect();
        let listings = listings(&PeopleQuery::Ids(ids), None);
        assert_eq!(listings.iter().map(|listing| listing.at_most).collect::<Vec<_>>(), [Some(50), Some(50), Some(20)]);
        let text = listings[2].command.text();
        assert!(text.starts_with("user.get?sort=ID&order=ASC&select[0]=ID&"), "{text}");
        assert!(text.ends_with("&FILTER[ID][18]=119&FILTER[ID][19]=120"), "{text}");
    }

    #[test]
    fn addresses_are_asked_for_one_by_one_and_dismissed_people_too() {
        let listings = listings(&PeopleQuery::Emails(vec!["a+b@c.example".into(), "d@c.example".into()]), None);
        assert_eq!(listings.len(), 2);
        let text = listings[0].command.text();
        assert!(text.ends_with("&FILTER[EMAIL]=a%2Bb%40c.example") && !text.contains("FILTER[ACTIVE]"), "{text}");
    }

    #[test]
    fn of_departments_only_active_people_are_asked_for() {
        let departments = vec![DepartmentId::new(41).unwrap(), DepartmentId::new(43).unwrap()];
        let text = listings(&PeopleQuery::Departments(departments), None)[0].command.text();
        assert!(text.ends_with("&FILTER[UF_DEPARTMENT][0]=41&FILTER[UF_DEPARTMENT][1]=43&FILTER[ACTIVE]=Y"), "{text}");
    }
}
