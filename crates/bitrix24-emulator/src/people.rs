//! `user.get`, `user.current`, `user.admin` and `profile`.
//!
//! Behavior notes, section 11.1: an unknown filter is ignored, and the answer holds all people.

use crate::error::MethodError;
use crate::pagination::{MethodResult, PageRange, page};
use crate::php::{PhpArray, PhpValue};
use crate::state::{PortalState, Release, UserRow};

/// Kinds of users that are not people: bots, mail and network users and the like.
const NON_PERSON_AUTH_IDS: &[&str] = &[
    "bot",
    "email",
    "imconnector",
    "replica",
    "shop",
    "sale",
    "saleanonymous",
    "call",
    "__controller",
];

/// People of the base portal; only they have a value for the inner phone number.
const BASE_PEOPLE: &[i64] = &[1, 7, 8, 9, 10];

/// Fields of the right `user`, in the portal's order.
const FIELDS: &[&str] = &[
    "ID",
    "XML_ID",
    "ACTIVE",
    "NAME",
    "LAST_NAME",
    "SECOND_NAME",
    "TITLE",
    "EMAIL",
    "LAST_LOGIN",
    "DATE_REGISTER",
    "TIME_ZONE",
    "IS_ONLINE",
    "TIMESTAMP_X",
    "PERSONAL_GENDER",
    "PERSONAL_BIRTHDAY",
    "WORK_POSITION",
    "UF_DEPARTMENT",
    "UF_PHONE_INNER",
    "USER_TYPE",
];

/// Fields for filters and sorting that are empty for these people.
const UNUSED_FIELDS: &[&str] = &[
    "PERSONAL_PHONE",
    "PERSONAL_MOBILE",
    "PERSONAL_FAX",
    "PERSONAL_WWW",
    "PERSONAL_PROFESSION",
    "PERSONAL_PHOTO",
    "PERSONAL_STREET",
    "PERSONAL_CITY",
    "PERSONAL_STATE",
    "PERSONAL_ZIP",
    "PERSONAL_COUNTRY",
    "PERSONAL_NOTES",
    "WORK_COMPANY",
    "WORK_DEPARTMENT",
    "WORK_PHONE",
    "WORK_FAX",
    "WORK_WWW",
    "WORK_STREET",
    "WORK_CITY",
    "WORK_STATE",
    "WORK_ZIP",
    "WORK_COUNTRY",
    "WORK_NOTES",
];

/// Fields of the rights `user_brief` and `user_basic`.
const BRIEF_FIELDS: &[&str] = &[
    "ID",
    "XML_ID",
    "ACTIVE",
    "NAME",
    "LAST_NAME",
    "SECOND_NAME",
    "TITLE",
    "IS_ONLINE",
    "TIME_ZONE",
    "TIMESTAMP_X",
    "DATE_REGISTER",
    "PERSONAL_GENDER",
    "PERSONAL_BIRTHDAY",
    "WORK_POSITION",
    "UF_DEPARTMENT",
    "UF_PHONE_INNER",
    "USER_TYPE",
];

/// Returns the value of a field; `None` where the portal's database has none, and the field is left
/// out.
fn field(person: &UserRow, name: &str) -> Option<PhpValue> {
    let text = |text: &str| Some(PhpValue::from(text));
    match name {
        "ID" => Some(PhpValue::Text(person.id.to_string())),
        "ACTIVE" => Some(PhpValue::Bool(person.active)),
        "NAME" => text(&person.name),
        "LAST_NAME" => text(&person.last_name),
        "EMAIL" => text(&person.email),
        "LOGIN" => text(&person.login),
        "XML_ID" | "SECOND_NAME" | "TITLE" | "TIME_ZONE" | "PERSONAL_BIRTHDAY" => text(""),
        "LAST_LOGIN" => (!person.last_login.is_empty()).then(|| moment(&person.last_login)),
        "DATE_REGISTER" => day(&person.date_register),
        "IS_ONLINE" => text("N"),
        "TIMESTAMP_X" => Some(PhpValue::EmptyObject),
        "PERSONAL_GENDER" => text(&person.personal_gender),
        "WORK_POSITION" => text(&person.work_position),
        "UF_DEPARTMENT" => (!person.uf_department.is_empty())
            .then(|| person.uf_department.iter().copied().map(PhpValue::Int).collect()),
        "UF_PHONE_INNER" => BASE_PEOPLE.contains(&person.id).then(|| PhpValue::from("")),
        // Without the module for guests, people without a department count as customers of the
        // shop.
        "USER_TYPE" => text(if person.uf_department.is_empty() { "shop" } else { "employee" }),
        _ => None,
    }
}

/// Returns a time of the database as ISO 8601.
fn moment(text: &str) -> PhpValue {
    PhpValue::Text(format!("{}+00:00", text.replace(' ', "T")))
}

/// Returns the day of a time as ISO 8601: the portal cuts the time of day off.
fn day(text: &str) -> Option<PhpValue> {
    let day = text.split(' ').next().filter(|day| !day.is_empty())?;
    Some(PhpValue::Text(format!("{day}T00:00:00+00:00")))
}

/// Returns the fields that a webhook may see.
pub(super) fn visible_fields(rights: &[String]) -> &'static [&'static str] {
    if rights.iter().any(|right| right == "user") { FIELDS } else { BRIEF_FIELDS }
}

/// Answers `user.get`.
pub(super) fn get(
    state: &PortalState,
    rights: &[String],
    parameters: &PhpArray,
    start: Option<&PhpValue>,
) -> Result<MethodResult, MethodError> {
    let upper: PhpArray = upper_keys(parameters);
    let wrapped = upper.at("FILTER").and_then(PhpValue::array).map(upper_keys);
    let filter = wrapped.as_ref().unwrap_or(&upper);
    let mut found: Vec<&UserRow> = state
        .people
        .values()
        .filter(|person| {
            person
                .external_auth_id
                .as_deref()
                .is_none_or(|kind| !NON_PERSON_AUTH_IDS.contains(&kind))
        })
        .filter(|person| filter.iter().all(|(key, wanted)| fits(person, &key.to_string(), wanted)))
        .collect();
    let text = |name: &str| upper.at(name).filter(|value| value.to_bool()).and_then(PhpValue::text);
    if let (Some(sort), Some(order)) = (text("SORT"), text("ORDER")) {
        let field = sort.to_uppercase();
        if field != "LOGIN"
            && !FIELDS.contains(&field.as_str())
            && !UNUSED_FIELDS.contains(&field.as_str())
        {
            let text = format!(
                "Unknown field definition `{sort}` ({sort}) for \\Bitrix\\Intranet\\User Entity."
            );
            return Err(MethodError::kernel(100, text));
        }
        found.sort_by(|left, right| compare(left, right, &field));
        match order.to_uppercase().as_str() {
            "ASC" => {}
            "DESC" => found.reverse(),
            other => return Err(MethodError::kernel(100, format!("Invalid order \"{other}\""))),
        }
    }
    let mut fields: Vec<&str> = visible_fields(rights).to_vec();
    if let (Some(select), Release::Current | Release::Mid) =
        (upper.at("SELECT").and_then(PhpValue::array), state.release)
    {
        let wanted: Vec<String> =
            select.values().filter_map(PhpValue::text).map(str::to_uppercase).collect();
        fields.retain(|field| wanted.iter().any(|name| name == field));
    }
    let record = |person: &&UserRow| -> PhpValue {
        fields.iter().filter_map(|name| Some((*name, field(person, name)?))).collect()
    };
    let PageRange { from, to, total, next } = page(start, found.len());
    let rows: Vec<PhpValue> = found.get(from..to).unwrap_or_default().iter().map(record).collect();
    // Beyond the end there is neither a row nor a total.
    let total = if rows.is_empty() { None } else { Some(total) };
    Ok(MethodResult { rows: rows.into_iter().collect(), total, next })
}

fn upper_keys(array: &PhpArray) -> PhpArray {
    let mut upper = PhpArray::default();
    for (key, value) in array.iter() {
        upper.set(crate::php::PhpKey::from(key.to_string().to_uppercase().as_str()), value.clone());
    }
    upper
}

fn compare(left: &UserRow, right: &UserRow, sort: &str) -> std::cmp::Ordering {
    match sort {
        "ID" => left.id.cmp(&right.id),
        "ACTIVE" => left.active.cmp(&right.active),
        _ => {
            let text = |person| {
                field(person, sort).and_then(|value| value.scalar_text()).unwrap_or_default()
            };
            text(left).to_lowercase().cmp(&text(right).to_lowercase())
        }
    }
    .then(left.id.cmp(&right.id))
}

/// Returns `true` if a person matches one entry of a filter; unknown entries match all people.
fn fits(person: &UserRow, key: &str, wanted: &PhpValue) -> bool {
    let name = key.trim_start_matches(['!', '@', '%', '>', '<', '=', '~', '?']);
    let operator = key.strip_suffix(name).unwrap_or_default();
    let negated = operator.starts_with('!');
    let fit = match name {
        "ID" => by_number(person.id, operator, wanted),
        "ACTIVE" => person.active == is_active(wanted),
        "UF_DEPARTMENT" => {
            let wanted = numbers(wanted);
            person.uf_department.iter().any(|department| wanted.contains(department))
        }
        "HAS_DEPARTAMENT" => match wanted.text() {
            Some("Y") => !person.uf_department.is_empty(),
            Some("N") => person.uf_department.is_empty(),
            _ => return true,
        },
        // Times are not compared; no client should filter by them.
        "LAST_LOGIN" | "DATE_REGISTER" | "TIMESTAMP_X" => return true,
        known if FIELDS.contains(&known) || UNUSED_FIELDS.contains(&known) => {
            let text =
                field(person, name).and_then(|value| value.scalar_text()).unwrap_or_default();
            by_text(&text, operator, wanted)
        }
        _ => return true,
    };
    fit != negated
}

/// Returns the portal's reading of a filter on activity: most texts mean active.
fn is_active(wanted: &PhpValue) -> bool {
    match wanted {
        PhpValue::Text(text) => !matches!(text.as_str(), "" | "0" | "N"),
        other => other.to_bool(),
    }
}

fn numbers(wanted: &PhpValue) -> Vec<i64> {
    match wanted {
        PhpValue::Array(array) => array.values().map(PhpValue::to_int).collect(),
        other => vec![other.to_int()],
    }
}

fn by_number(number: i64, operator: &str, wanted: &PhpValue) -> bool {
    match operator {
        ">=" => number >= wanted.to_int(),
        "<=" => number <= wanted.to_int(),
        ">" => number > wanted.to_int(),
        "<" => number < wanted.to_int(),
        _ => numbers(wanted).contains(&number),
    }
}

/// Compares texts as the portal's database does: without regard to letter case.
fn by_text(text: &str, operator: &str, wanted: &PhpValue) -> bool {
    let text = text.to_lowercase();
    let left = |wanted: &PhpValue| {
        let Some(wanted) = wanted.scalar_text().map(|wanted| wanted.to_lowercase()) else {
            return false;
        };
        match operator.trim_start_matches('!') {
            "%" => text.contains(wanted.trim_matches('%')),
            "=" | "@" => text == wanted,
            _ => like(&text, &wanted),
        }
    };
    match wanted {
        PhpValue::Array(array) => array.values().any(left),
        other => left(other),
    }
}

/// Compares with `%` as a wildcard.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('%') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('%').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last)
}

/// Answers `user.current`: one record, without the kind of user, and with the time in the portal's
/// own form.
pub(super) fn current(state: &PortalState, rights: &[String], caller: i64) -> PhpValue {
    let Some(person) = state.people.get(&caller) else { return PhpValue::Null };
    visible_fields(rights)
        .iter()
        .filter(|name| **name != "USER_TYPE")
        .filter_map(|name| {
            let value = if *name == "TIMESTAMP_X" {
                Some(PhpValue::from("01.05.2026 09:00:00"))
            } else {
                field(person, name)
            };
            Some((*name, value?))
        })
        .collect()
}

/// Answers `profile`: the caller.
pub(super) fn profile(state: &PortalState, caller: i64) -> PhpValue {
    let Some(person) = state.people.get(&caller) else { return PhpValue::Null };
    let mut entries = vec![
        ("ID", PhpValue::Text(person.id.to_string())),
        ("ADMIN", PhpValue::Bool(person.portal_admin)),
        ("NAME", PhpValue::from(person.name.as_str())),
        ("LAST_NAME", PhpValue::from(person.last_name.as_str())),
        ("PERSONAL_GENDER", PhpValue::from(person.personal_gender.as_str())),
        ("TIME_ZONE", PhpValue::from("")),
    ];
    if state.release != Release::Current {
        entries.push(("TIME_ZONE_OFFSET", PhpValue::Int(0)));
    }
    entries.into_iter().collect()
}
