//! People, departments and the caller's profile.

use std::collections::BTreeMap;

use bitrix24::php_json;
use serde_json::value::RawValue;

use crate::model::{Department, DepartmentId, Person, PersonName, UserId};

/// Caller, from `profile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The id.
    pub user: UserId,
    /// First and last name.
    pub name: PersonName,
    /// `true` if the caller administers the portal.
    pub portal_admin: bool,
    /// The presence of the field `TIME_ZONE_OFFSET`, which releases from 25.550 on leave out.
    pub time_zone_offset: TimeZoneOffset,
}

/// Presence of the field `TIME_ZONE_OFFSET` in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeZoneOffset {
    /// The profile has the field.
    Present,
    /// The profile lacks the field.
    Absent,
}

/// Parses the result of `profile`. Returns `None` if it is not a profile.
pub fn profile(result: &RawValue) -> Option<Profile> {
    let fields = object(result)?;
    Some(Profile {
        user: user_id(&fields)?,
        name: name(&fields),
        portal_admin: is_true(fields.get("ADMIN").copied()),
        time_zone_offset: match fields.contains_key("TIME_ZONE_OFFSET") {
            true => TimeZoneOffset::Present,
            false => TimeZoneOffset::Absent,
        },
    })
}

/// Parses the result of `user.get`. Returns `None` if any entry is not a person: a list with gaps
/// must not pass for a complete one.
pub fn people(result: &RawValue) -> Option<Vec<Person>> {
    php_json::list(result)?.into_iter().map(person).collect()
}

/// Obedience of a portal to `select` for people. Releases up to 24.200 ignore it and send all
/// fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// Every person has selected fields alone.
    Obeyed,
    /// A person has a field that was not selected.
    Ignored,
    /// There is no person in the answer.
    Unknown,
}

/// Returns the obedience of a `user.get` to its `select`.
pub fn select(result: &RawValue, selected: &[&str]) -> Select {
    let people = php_json::list(result).unwrap_or_default();
    let is_selected = |name: &String| selected.iter().any(|field| field.eq_ignore_ascii_case(name));
    let obeys =
        |person: &&RawValue| object(person).is_some_and(|fields| fields.keys().all(is_selected));
    match people.iter().filter(|person| !obeys(person)).count() {
        _ if people.is_empty() => Select::Unknown,
        0 => Select::Obeyed,
        _ => Select::Ignored,
    }
}

/// Parses the result of `department.get`. Returns `None` if any entry is not a department.
pub fn departments(result: &RawValue) -> Option<Vec<Department>> {
    php_json::list(result)?.into_iter().map(department).collect()
}

fn person(entry: &RawValue) -> Option<Person> {
    let fields = object(entry)?;
    let email = php_json::text(fields.get("EMAIL").copied()).map(|email| email.trim().to_owned());
    // Absent means that the person has no department; a single one may come without its list.
    let departments = match fields.get("UF_DEPARTMENT").copied() {
        None => Vec::new(),
        Some(value) => {
            let values = php_json::list(value).unwrap_or_else(|| vec![value]);
            let named = values.into_iter().map(department_if_any).collect::<Option<Vec<_>>>()?;
            named.into_iter().flatten().collect()
        }
    };
    Some(Person {
        id: user_id(&fields)?,
        name: name(&fields),
        email: email.filter(|email| !email.is_empty()).map(String::into_boxed_str),
        active: is_true(fields.get("ACTIVE").copied()),
        departments,
    })
}

fn department(entry: &RawValue) -> Option<Department> {
    let fields = object(entry)?;
    Some(Department {
        id: department_id(fields.get("ID").copied()?)?,
        name: php_json::text(fields.get("NAME").copied()).unwrap_or_default().into(),
        parent: match fields.get("PARENT") {
            Some(value) => department_if_any(value)?,
            None => None,
        },
    })
}

fn object(value: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    if value.get().starts_with('{') { php_json::map(Some(value)) } else { None }
}

fn user_id(fields: &BTreeMap<String, &RawValue>) -> Option<UserId> {
    UserId::new(php_json::number(fields.get("ID").copied())?).ok()
}

/// Parses an optional department. Returns `None` if the value is invalid: a misread tree has an
/// invisible gap.
fn department_if_any(value: &RawValue) -> Option<Option<DepartmentId>> {
    match value.get().trim_matches('"') {
        "" | "0" | "null" | "false" => Some(None),
        _ => department_id(value).map(Some),
    }
}

fn department_id(value: &RawValue) -> Option<DepartmentId> {
    DepartmentId::new(php_json::number(Some(value))?).ok()
}

fn name(fields: &BTreeMap<String, &RawValue>) -> PersonName {
    let part = |name: &str| php_json::text(fields.get(name).copied()).unwrap_or_default();
    PersonName::new(&part("NAME"), &part("LAST_NAME"))
}

/// Returns `true` for the portal's forms of yes.
fn is_true(value: Option<&RawValue>) -> bool {
    value.is_some_and(|value| matches!(value.get(), "true" | "1" | "\"1\"" | "\"Y\"" | "\"true\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn person_without_department_and_address_is_a_person_all_the_same() {
        let people = people(&raw(
            r#"[{"ID":"7","NAME":"Ivan","LAST_NAME":"Petrov","ACTIVE":true,"EMAIL":"ivan@portal.example","UF_DEPARTMENT":[41,"42"],"TIMESTAMP_X":{}},
                {"ID":10,"ACTIVE":false}]"#,
        ))
        .unwrap();
        assert_eq!(people[0].email.as_deref(), Some("ivan@portal.example"));
        assert_eq!(people[0].departments.len(), 2);
        assert_eq!(people[0].name.as_str(), "Ivan Petrov");
        assert_eq!(
            (people[1].active, people[1].email.as_deref(), people[1].departments.len()),
            (false, None, 0)
        );
    }

    #[test]
    fn list_with_a_hole_is_no_list() {
        assert!(people(&raw(r#"[{"ID":"7"},[]]"#)).is_none());
        assert!(people(&raw(r#"[{"ID":"0"}]"#)).is_none());
        assert!(people(&raw("null")).is_none());
        assert_eq!(people(&raw("[]")).unwrap(), []);
    }

    #[test]
    fn field_that_was_not_selected_shows_that_select_was_ignored() {
        let selected = ["ID", "NAME", "UF_DEPARTMENT"];
        let found = |text| select(&raw(text), &selected);
        assert_eq!(found(r#"[{"ID":"7","NAME":"Ivan"},{"ID":"8"}]"#), Select::Obeyed);
        assert_eq!(
            found(r#"[{"ID":"7","NAME":"Ivan"},{"ID":"8","ACTIVE":true}]"#),
            Select::Ignored
        );
        assert_eq!(found(r#"{"1":{"ID":"7","NAME":"Ivan","TIMESTAMP_X":{}}}"#), Select::Ignored);
        assert_eq!(found("[]"), Select::Unknown);
        assert_eq!(found("null"), Select::Unknown);
    }

    #[test]
    fn root_department_has_no_parent() {
        let list = departments(&raw(
            r#"[{"ID":"1","NAME":"Company","SORT":500},{"ID":"41","NAME":"Sales","PARENT":"1"}]"#,
        ))
        .unwrap();
        assert_eq!(list[0].parent, None);
        assert_eq!(list[1].parent, Some(list[0].id));
        for none in ["null", "false", "0", "\"0\"", "\"\""] {
            let list =
                departments(&raw(&format!(r#"[{{"ID":"1","NAME":"Company","PARENT":{none}}}]"#)))
                    .unwrap();
            assert_eq!(list[0].parent, None, "{none}");
        }
    }

    #[test]
    fn department_that_cannot_be_read_is_no_root_and_no_missing_one() {
        for odd in ["\"x\"", "-1", "{}", "[1]", "2147483647", "1.5"] {
            assert_eq!(
                departments(&raw(&format!(r#"[{{"ID":"41","NAME":"Sales","PARENT":{odd}}}]"#))),
                None,
                "{odd}"
            );
            assert_eq!(
                people(&raw(&format!(r#"[{{"ID":"7","UF_DEPARTMENT":[41,{odd}]}}]"#))),
                None,
                "{odd}"
            );
        }
        let none =
            people(&raw(r#"[{"ID":"7","UF_DEPARTMENT":false},{"ID":"8","UF_DEPARTMENT":[0]}]"#))
                .unwrap();
        assert!(none.iter().all(|person| person.departments.is_empty()));
    }

    #[test]
    fn profile_gives_away_whether_the_release_is_new() {
        let old = profile(&raw(
            r#"{"ID":"1","ADMIN":true,"NAME":"Anna","TIME_ZONE":"","TIME_ZONE_OFFSET":0}"#,
        ))
        .unwrap();
        assert_eq!((old.portal_admin, old.time_zone_offset), (true, TimeZoneOffset::Present));
        let new = profile(&raw(r#"{"ID":"9","ADMIN":false,"NAME":"Cyril"}"#)).unwrap();
        assert_eq!((new.portal_admin, new.time_zone_offset), (false, TimeZoneOffset::Absent));
    }
}
