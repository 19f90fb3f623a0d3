//! Queries of a reader, in the portal's terms.

use std::collections::BTreeMap;

use bitrix24::{BatchCommand, MAX_COMMANDS, PAGE, PageItem, PagedQuery, ReadResult, WholeSeconds};
use serde_json::value::RawValue;

use super::address::{MethodFamily, Operation};
use super::catalog;
use super::client::PortalClient;
use super::method_lookup::{MethodAvailability, availability, look_up};
use super::methods::{DEPARTMENTS, LEAD_FIELDS, PROFILE, USERS};
use super::wire::fields;
use super::wire::people::{self as wire, Select, TimeZoneOffset, profile, select};
use crate::i18n::english;
use crate::model::{CardKey, Department, Identity, Person, ReleaseSign, TrustEvidence};
use crate::ports::{CardRead, CardSink, PeopleQuery, PortalError};

/// Maximum number of values in the list of one filter, so that its answer fits on one page of 50.
const FILTER_VALUES: usize = 50;

/// Requested fields of a person. Portals up to 24.200 send all fields in any case.
const PERSON_FIELDS: [&str; 6] = ["ID", "NAME", "LAST_NAME", "EMAIL", "ACTIVE", "UF_DEPARTMENT"];

impl PageItem for Person {
    const NOUN: &'static str = "people";
    const CHANGED: &'static str = tr_later!("the list of people does not fit together");
    /// Each of 50 people has two cards, and a request reads 50. As many requests of resets may
    /// follow.
    const REQUESTS_AFTER_A_PAGE: u64 = 4;

    fn number(&self) -> u32 {
        self.id.get()
    }

    fn page(result: &RawValue) -> Option<Vec<Self>> {
        wire::people(result)
    }
}

impl PageItem for Department {
    const NOUN: &'static str = "departments";
    const CHANGED: &'static str = tr_later!("the list of departments does not fit together");
    const REQUESTS_AFTER_A_PAGE: u64 = 0;

    fn number(&self) -> u32 {
        self.id.get()
    }

    fn page(result: &RawValue) -> Option<Vec<Self>> {
        wire::departments(result)
    }
}

/// Reads the caller and the number of active people. The labels of the fields, the first
/// departments and the availability of the methods for leads come in the same request; without an
/// answer there are none.
pub(super) async fn identify(client: &PortalClient) -> Result<Identity, PortalError> {
    // The first page of all people, which names their number.
    let count = active_people().with("start", "0");
    let labels = BatchCommand::new(LEAD_FIELDS).optional();
    let departments = sorted(BatchCommand::new(DEPARTMENTS)).with("start", "0").optional();
    let family = look_up(MethodFamily::Lead.method(Operation::Get)).optional();
    let mut commands = vec![BatchCommand::new(PROFILE), count, labels, departments];
    if client.method_family.get().is_none() {
        commands.push(family);
    }
    let command =
        |number: usize| commands.get(number).cloned().unwrap_or_else(|| BatchCommand::new(PROFILE));
    let mut ends = BTreeMap::new();
    let mut take = |number: usize, end: ReadResult| drop(ends.insert(number, end));
    client.batches().read_in_fewest(commands.len(), &command, &mut take).await?;
    if let Some(ReadResult::Answered(answer)) = ends.remove(&2)
        && let Some(labels) = fields::field_labels(&answer.json)
    {
        let _ = client.field_labels.set(labels);
    }
    if let Some(ReadResult::Answered(answer)) = ends.remove(&3)
        && let Some(departments) = wire::departments(&answer.json)
    {
        let names = departments.into_iter().map(|found| (found.id, found.name)).collect();
        let _ = client.department_names.set(names);
    }
    if let Some(ReadResult::Answered(answer)) = ends.remove(&4) {
        let family = match availability(&answer.json) {
            Some(MethodAvailability::Missing) => MethodFamily::Item,
            _ => MethodFamily::Lead,
        };
        let _ = client.method_family.set(family);
    }
    let mut answer = |number: usize, method: &str| match ends.remove(&number) {
        Some(ReadResult::Answered(answer)) => Ok(answer),
        Some(ReadResult::Refused(refusal)) => {
            Err(PortalError::Unexpected(format!("{method}: {}", refusal)))
        }
        Some(ReadResult::NoAnswer(text)) => {
            Err(PortalError::MaybeExecuted(format!("{method}: {text}")))
        }
        None => Err(PortalError::MaybeExecuted(format!("{method}: no answer"))),
    };
    let (caller, count) = (answer(0, PROFILE)?, answer(1, USERS)?);
    let profile = profile(&caller.json)
        .ok_or_else(|| PortalError::Unexpected("the profile names no user".to_owned()))?;
    let listed = wire::people(&count.json);
    let listed =
        listed.ok_or_else(|| PortalError::Unexpected("this is no list of people".to_owned()))?;
    let active_users = count.total.unwrap_or(listed.len() as u64);
    // Every start must be whole: a single fraction can be whole by chance.
    let starts = [caller.batch_times.start, caller.times.start, count.times.start];
    let whole =
        starts.contains(&Some(WholeSeconds::Yes)) && !starts.contains(&Some(WholeSeconds::No));
    // `user.get` belongs to another module than the cards; both have one release unless the modules
    // were updated separately.
    let select = select(&count.json, &PERSON_FIELDS);
    let release_sign = match (whole, profile.time_zone_offset, select) {
        (true, _, _) => ReleaseSign::Trusted(TrustEvidence::WholeSeconds),
        (false, TimeZoneOffset::Absent, _) => ReleaseSign::Trusted(TrustEvidence::NoTimeZoneOffset),
        (false, TimeZoneOffset::Present, Select::Obeyed) => {
            ReleaseSign::Trusted(TrustEvidence::SelectObeyed)
        }
        (false, TimeZoneOffset::Present, Select::Ignored) => ReleaseSign::Old,
        (false, TimeZoneOffset::Present, Select::Unknown) => ReleaseSign::Unknown,
    };
    Ok(Identity {
        user: profile.user,
        name: profile.name,
        portal_admin: profile.portal_admin,
        active_users: u32::try_from(active_users).unwrap_or(u32::MAX),
        release_sign,
        emulator: client.rest().is_emulator(),
    })
}

/// Counts the employees. The portal counts them; if its page shows a guest, it ignored the filter,
/// and all people are listed.
pub(super) async fn employees(client: &PortalClient) -> Result<u32, PortalError> {
    let command = active_people().with("FILTER[HAS_DEPARTAMENT]", "Y").with("start", "0");
    let mut end = None;
    client
        .batches()
        .read_all(1, 0, &|_| command.clone(), &mut |_, answered| end = Some(answered))
        .await?;
    let counted = match &end {
        Some(ReadResult::Answered(answer)) => {
            wire::people(&answer.json).map(|listed| (listed, answer.total, answer.next))
        }
        Some(ReadResult::Refused(_) | ReadResult::NoAnswer(_)) | None => None,
    };
    let count = match counted {
        Some((listed, total, next)) if listed.iter().all(Person::is_employee) => {
            total.or_else(|| next.is_none().then_some(listed.len() as u64))
        }
        Some(_) | None => None,
    };
    let count = match count {
        Some(count) => count,
        None => {
            let people = people(client, &PeopleQuery::AllActive).await?;
            people.iter().filter(|person| person.is_employee()).count() as u64
        }
    };
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Lists all departments.
pub(super) async fn departments(client: &PortalClient) -> Result<Vec<Department>, PortalError> {
    let listing =
        PagedQuery { command: sorted(BatchCommand::new(DEPARTMENTS)), at_most: None, likely: PAGE };
    Ok(client.lists.list(&[listing]).await?.into_values().collect())
}

/// Lists people.
pub(super) async fn people(
    client: &PortalClient,
    query: &PeopleQuery,
) -> Result<Vec<Person>, PortalError> {
    Ok(client.lists.list(&listings(query)).await?.into_values().collect())
}

/// Reads cards.
pub(super) async fn read_cards(
    client: &PortalClient,
    keys: &[CardKey],
    sink: &mut dyn CardSink,
) -> Result<(), PortalError> {
    catalog::ask_for_pipelines(client, keys).await?;
    let (keys, without): (Vec<CardKey>, Vec<CardKey>) =
        keys.iter().partition(|key| client.has_address(key.kind));
    without.into_iter().for_each(|key| sink.take(key, CardRead::NoPipeline));
    // A number outside of the list cannot occur; the caller's profile would be a harmless request.
    let command = |number: usize| {
        let key = keys.get(number);
        key.and_then(|key| client.card_command(Operation::Get, *key))
            .unwrap_or_else(|| BatchCommand::new(PROFILE))
    };
    let mut take = |number: usize, end: ReadResult| {
        if let Some(key) = keys.get(number) {
            sink.take(*key, card_read(client, end));
        }
    };
    // A reset is three commands, and about a third of the cards are customized: as many
    // requests of resets may follow, in this process or in the next one.
    let resets = keys.len().div_ceil(MAX_COMMANDS);
    Ok(client.batches().read_all(keys.len(), resets, &command, &mut take).await?)
}

/// What the end of a read means for the card.
fn card_read(client: &PortalClient, end: ReadResult) -> CardRead {
    match end {
        ReadResult::Answered(answer) => layout_read(client, &answer.json),
        ReadResult::Refused(refusal) => CardRead::Refused(refusal.into()),
        ReadResult::NoAnswer(text) => CardRead::NoAnswer(text),
    }
}

/// What a result of `get` means for the card.
pub(super) fn layout_read(client: &PortalClient, json: &RawValue) -> CardRead {
    match client.layout_cache.layout(json) {
        Ok(layout) => CardRead::Read(layout),
        Err(error) => CardRead::NoAnswer(english(&error)),
    }
}

/// Returns the queries for some people. Filters stand in `FILTER`, which hides all others,
/// with the names in capitals.
fn listings(query: &PeopleQuery) -> Vec<PagedQuery> {
    match query {
        PeopleQuery::Ids(ids) => ids
            .chunks(FILTER_VALUES)
            .map(|ids| PagedQuery {
                command: filtered("ID", ids),
                at_most: Some(ids.len() as u64),
                likely: ids.len() as u64,
            })
            .collect(),
        // One command each: no documentation promises that the filter takes a list of addresses.
        PeopleQuery::Emails(emails) => emails
            .iter()
            .map(|email| PagedQuery {
                command: person_query().with("FILTER[EMAIL]", email),
                at_most: None,
                likely: 1,
            })
            .collect(),
        PeopleQuery::Departments(departments) => departments
            .chunks(FILTER_VALUES)
            .map(|ids| filtered("UF_DEPARTMENT", ids).with("FILTER[ACTIVE]", "Y"))
            .map(|command| PagedQuery { command, at_most: None, likely: PAGE })
            .collect(),
        PeopleQuery::AllActive => {
            vec![PagedQuery { command: active_people(), at_most: None, likely: PAGE }]
        }
    }
}

fn filtered(field: &str, values: &[impl std::fmt::Display]) -> BatchCommand {
    values.iter().enumerate().fold(person_query(), |command, (index, value)| {
        command.with(&format!("FILTER[{field}][{index}]"), &value.to_string())
    })
}

/// Returns the query for all active people.
fn active_people() -> BatchCommand {
    person_query().with("FILTER[ACTIVE]", "Y")
}

fn person_query() -> BatchCommand {
    PERSON_FIELDS
        .iter()
        .enumerate()
        .fold(sorted(BatchCommand::new(USERS)), |command, (index, field)| {
            command.with(&format!("select[{index}]"), field)
        })
}

/// Requests an order. Without one the portal guarantees none, and pages may overlap.
fn sorted(command: BatchCommand) -> BatchCommand {
    command.with("sort", "ID").with("order", "ASC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DepartmentId, UserId};

    #[test]
    fn filter_has_at_most_fifty_ids() {
        let ids = (1..=120).map(|id| UserId::new(id).unwrap()).collect();
        let listings = listings(&PeopleQuery::Ids(ids));
        assert_eq!(
            listings.iter().map(|listing| listing.at_most).collect::<Vec<_>>(),
            [Some(50), Some(50), Some(20)]
        );
        let text = listings[2].command.text();
        assert!(text.starts_with("user.get?sort=ID&order=ASC&select[0]=ID&"), "{text}");
        assert!(text.ends_with("&FILTER[ID][18]=119&FILTER[ID][19]=120"), "{text}");
    }

    #[test]
    fn addresses_are_asked_for_one_by_one_and_dismissed_people_too() {
        let listings =
            listings(&PeopleQuery::Emails(vec!["a+b@c.example".into(), "d@c.example".into()]));
        assert_eq!(listings.len(), 2);
        let text = listings[0].command.text();
        assert!(
            text.ends_with("&FILTER[EMAIL]=a%2Bb%40c.example") && !text.contains("FILTER[ACTIVE]"),
            "{text}"
        );
    }

    #[test]
    fn department_query_asks_for_active_people_only() {
        let departments = vec![DepartmentId::new(41).unwrap(), DepartmentId::new(43).unwrap()];
        let text = listings(&PeopleQuery::Departments(departments))[0].command.text();
        assert!(
            text.ends_with(
                "&FILTER[UF_DEPARTMENT][0]=41&FILTER[UF_DEPARTMENT][1]=43&FILTER[ACTIVE]=Y"
            ),
            "{text}"
        );
    }
}
