//! Seeds of portals: a small company, or any number of people. All secrets are invented.

use serde_json::{Value, json};

use crate::state::{PortalState, StateError};

/// First state of a portal.
#[derive(Clone, Debug, Default)]
pub enum Seed {
    /// A company of about forty people in five departments, a third of whom have customized cards.
    #[default]
    Company,
    /// An administrator with a webhook, one department, and no card.
    Empty,
    /// This number of people, of whom three in ten have customized both of their cards. The same
    /// number gives the same portal.
    Users(u32),
    /// A state from `GET /state` of the admin API.
    State(Value),
}

impl std::str::FromStr for Seed {
    type Err = String;

    /// Parses `company`, `empty`, or `users=N`.
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("users=")) {
            ("company", _) => Ok(Self::Company),
            ("empty", _) => Ok(Self::Empty),
            (_, Some(number)) => {
                let digits = number.bytes().all(|byte| byte.is_ascii_digit())
                    && (number == "0" || !number.starts_with('0'));
                let people = if digits { number.parse().ok() } else { None };
                people
                    .map(Self::Users)
                    .ok_or_else(|| format!("users={number}: how many people is a whole number"))
            }
            (other, None) => {
                Err(format!("there is no seed {other:?}; there are company, empty and users=N"))
            }
        }
    }
}

/// Secret of the administrator's webhook.
const ADMINISTRATOR: &str = "emulator00000001";
/// Secret of a webhook of a person without any rights over others.
const EMPLOYEE: &str = "emulator00000008";
/// Secret of the webhook of an administrator of the CRM alone.
const CRM_ADMINISTRATOR: &str = "emulator00000009";

/// Id, first name, last name, F or M, department, position. People without a department are guests.
type SamplePerson = (i64, &'static str, &'static str, &'static str, i64, &'static str);

const PEOPLE: &[SamplePerson] = &[
    (1, "Olga", "Sokolova", "F", 1, "Administrator"),
    (2, "Peter", "Baumann", "M", 1, "Managing director"),
    (3, "Ingrid", "Holm", "F", 1, "Finance"),
    (4, "Luca", "Moretti", "M", 1, "Finance"),
    (5, "Claire", "Dubois", "F", 1, "Personnel"),
    (6, "Jan", "Kowalski", "M", 1, "Law"),
    (7, "Maria", "Lindqvist", "F", 41, "Head of Sales"),
    (8, "Ivan", "Petrov", "M", 41, "Sales"),
    (9, "Tomas", "Novak", "M", 43, "CRM administrator"),
    (11, "Aylin", "Demir", "F", 43, "Support"),
    (12, "Anna", "Petrova", "F", 41, "Sales"),
    (13, "Hugo", "Martin", "M", 45, "Head of Marketing"),
    (14, "Sofia", "Rossi", "F", 41, "Sales"),
    (15, "Mateusz", "Nowak", "M", 41, "Sales"),
    (16, "Elif", "Kaya", "F", 41, "Sales"),
    (17, "Dmitri", "Volkov", "M", 42, "Head of Sales East"),
    (18, "Zofia", "Wójcik", "F", 42, "Sales"),
    (19, "Андрей", "Соловьёв", "M", 42, "Sales"),
    (20, "Nadia", "Haddad", "F", 42, "Sales"),
    (21, "Oscar", "Nilsson", "M", 41, "Sales"),
    (22, "Giulia", "Bianchi", "F", 41, "Sales"),
    (23, "Paul", "Schneider", "M", 41, "Sales"),
    (24, "Ewa", "Zielińska", "F", 42, "Sales"),
    (25, "Karim", "Benali", "M", 43, "Support"),
    (26, "Freja", "Jensen", "F", 43, "Support"),
    (27, "Marco", "Ricci", "M", 43, "Support"),
    (28, "Lena", "Fischer", "F", 43, "Support"),
    (29, "Viktor", "Horváth", "M", 43, "Support"),
    (30, "Chloé", "Bernard", "F", 43, "Support"),
    (31, "Pavel", "Svoboda", "M", 43, "Support"),
    (32, "Emma", "Larsen", "F", 45, "Marketing"),
    (33, "Adam", "Szabó", "M", 45, "Marketing"),
    (34, "Yusuf", "Yılmaz", "M", 45, "Marketing"),
    (35, "Katarina", "Jurić", "F", 45, "Marketing"),
    (36, "Noah", "de Vries", "M", 45, "Marketing"),
    (37, "Isabel", "García", "F", 45, "Marketing"),
];

/// Dismissed people.
const DISMISSED: &[SamplePerson] =
    &[(10, "Fedor", "Orlov", "M", 41, "Sales"), (38, "Lisa", "Krause", "F", 43, "Support")];

/// Customized cards: id, types of lead, and the sample layout.
const CUSTOMIZED: &[(i64, &[&str], usize)] = &[
    (2, &["lead_details"], 3),
    (5, &["lead_details"], 1),
    (7, &["lead_details", "returning_lead_details"], 0),
    (8, &["lead_details", "returning_lead_details"], 1),
    (11, &["lead_details"], 2),
    (12, &["lead_details"], 2),
    (14, &["lead_details"], 0),
    (15, &["returning_lead_details"], 3),
    (18, &["lead_details", "returning_lead_details"], 2),
    (20, &["lead_details"], 1),
    (22, &["lead_details"], 3),
    (25, &["returning_lead_details"], 0),
    (26, &["lead_details"], 1),
    (28, &["lead_details"], 3),
    (33, &["lead_details"], 2),
    (35, &["lead_details"], 0),
];

/// Sample layout of a card: the title of each section, and its fields with the stored flag.
type SampleLayout =
    &'static [(&'static str, &'static str, &'static [(&'static str, &'static str)])];

const SAMPLE_LAYOUTS: &[SampleLayout] = &[
    &[
        (
            "main",
            "About the lead",
            &[
                ("TITLE", "1"),
                ("STATUS_ID", "1"),
                ("OPPORTUNITY_WITH_CURRENCY", "1"),
                ("SOURCE_ID", "0"),
            ],
        ),
        (
            "person",
            "Who asks",
            &[("CLIENT", "1"), ("NAME", "0"), ("PHONE", "1"), ("EMAIL", "1"), ("POST", "0")],
        ),
        ("notes", "Notes", &[("COMMENTS", "0"), ("ASSIGNED_BY_ID", "0"), ("OBSERVER", "0")]),
    ],
    &[
        ("main", "Start here", &[("TITLE", "1"), ("PHONE", "1"), ("STATUS_ID", "0")]),
        ("money", "Money", &[("OPPORTUNITY_WITH_CURRENCY", "1"), ("PRODUCT_ROW_SUMMARY", "0")]),
    ],
    &[(
        "main",
        "All on one page",
        &[
            ("TITLE", "1"),
            ("NAME", "1"),
            ("LAST_NAME", "1"),
            ("PHONE", "1"),
            ("EMAIL", "1"),
            ("STATUS_ID", "0"),
            ("SOURCE_ID", "0"),
            ("UTM_SOURCE", "0"),
            ("UTM_CAMPAIGN", "0"),
            ("COMMENTS", "0"),
        ],
    )],
    &[
        (
            "call",
            "For the first call",
            &[("NAME", "1"), ("PHONE", "1"), ("SOURCE_DESCRIPTION", "1")],
        ),
        (
            "main",
            "Everything else",
            &[
                ("TITLE", "0"),
                ("STATUS_ID", "0"),
                ("ADDRESS", "0"),
                ("WEB", "0"),
                ("ASSIGNED_BY_ID", "0"),
            ],
        ),
        ("old", "Fair 2024", &[("UF_CRM_1712345678", "0"), ("UF_CRM_1712345679", "0")]),
    ],
];

/// Returns the user fields of leads: one with a label for forms, one with a label for lists alone,
/// and one without a label.
fn lead_user_fields() -> Value {
    json!([
        {"FIELD_NAME": "UF_CRM_1712345679", "LIST_COLUMN_LABEL": "Stand at the fair"},
        {"FIELD_NAME": "UF_CRM_1712345678", "EDIT_FORM_LABEL": "Hall of the fair", "LIST_COLUMN_LABEL": "Hall"},
        {"FIELD_NAME": "UF_CRM_1798765432"},
    ])
}

impl Seed {
    pub(super) fn state(&self) -> Result<PortalState, StateError> {
        match self {
            Self::Company => PortalState::from_json(&company()),
            Self::Empty => PortalState::from_json(&empty()),
            Self::Users(number) => PortalState::from_json(&many(*number)),
            Self::State(state) => PortalState::from_json(state),
        }
    }
}

fn person((id, first, last, gender, department, position): &SamplePerson) -> Value {
    let plain = |name: &str| -> String {
        let letter = |c: char| match c {
            'ó' | 'ö' => 'o',
            'ń' => 'n',
            'á' => 'a',
            'é' => 'e',
            'í' => 'i',
            'ć' => 'c',
            'ı' => 'i',
            ' ' => '-',
            other => other,
        };
        name.to_lowercase().chars().map(letter).collect()
    };
    let mail = match id {
        // The portal's addresses are plain letters, whatever the script of a name.
        19 => "andrey.solovyov".to_owned(),
        _ => format!("{}.{}", plain(first), plain(last)),
    };
    json!({
        "ID": id, "LOGIN": mail, "ACTIVE": true, "NAME": first, "LAST_NAME": last,
        "EMAIL": format!("{mail}@company.example"), "WORK_POSITION": position, "PERSONAL_GENDER": gender,
        "DATE_REGISTER": "2024-01-10 10:00:00", "LAST_LOGIN": "2026-10-30 09:00:00",
        "UF_DEPARTMENT": [department], "portal_admin": *id == 1,
    })
}

fn department(id: i64, name: &str, parent: Option<i64>, head: Option<i64>, margin: i64) -> Value {
    json!({"ID": id, "NAME": name, "PARENT": parent, "ACTIVE": id != 44, "SORT": 500, "LEFT_MARGIN": margin, "UF_HEAD": head})
}

fn webhook(user: i64, secret: &str) -> Value {
    json!({"user_id": user, "secret": secret, "active": true, "scope": ["crm", "user", "department"]})
}

fn row(user: i64, name: &str, common: &str, value: &Value) -> Value {
    json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": common, "value": value})
}

/// Returns a card as the portal stores it: one column around the sections.
fn card(sample_layout: SampleLayout) -> Value {
    let field = |(name, flag): &(&str, &str)| {
        let mut field = json!({"name": name, "optionFlags": flag});
        if *name == "ADDRESS"
            && let Some(object) = field.as_object_mut()
        {
            object.insert("options".into(), json!({"defaultCountry": "DE"}));
        }
        field
    };
    let section = |(name, title, fields): &(&str, &str, &[(&str, &str)])| {
        let elements: Vec<Value> = fields.iter().map(field).collect();
        json!({"name": name, "title": title, "type": "section", "elements": elements})
    };
    let sections: Vec<Value> = sample_layout.iter().map(section).collect();
    json!([{"name": "default_column", "type": "column", "elements": sections}])
}

fn sample_layout(number: usize) -> Value {
    SAMPLE_LAYOUTS
        .get(number % SAMPLE_LAYOUTS.len())
        .map_or(Value::Null, |sample_layout| card(sample_layout))
}

fn company() -> Value {
    let mut users: Vec<Value> = PEOPLE.iter().map(person).collect();
    for row in DISMISSED {
        let mut gone = person(row);
        if let Some(gone) = gone.as_object_mut() {
            gone.insert("ACTIVE".into(), json!(false));
        }
        users.push(gone);
    }
    users.push(
        json!({"ID": 39, "LOGIN": "guest", "NAME": "Gast", "LAST_NAME": "Extern", "EMAIL": "guest@partner.example",
        "DATE_REGISTER": "2025-05-05 10:00:00", "UF_DEPARTMENT": []}),
    );
    users.push(json!({"ID": 40, "LOGIN": "bot", "NAME": "Helper", "LAST_NAME": "Bot", "EXTERNAL_AUTH_ID": "bot",
        "UF_DEPARTMENT": []}));
    let mut options = Vec::new();
    for (user, names, number) in CUSTOMIZED {
        for name in *names {
            options.push(row(*user, name, "N", &sample_layout(*number)));
            options.push(row(*user, &format!("{name}_scope"), "N", &json!("P")));
        }
    }
    for (name, number) in [("lead_details_common", 0), ("returning_lead_details_common", 1)] {
        options.push(row(0, name, "Y", &sample_layout(number)));
    }
    json!({
        "variant": "current",
        "portal": {
            "users": users,
            "departments": [
                department(1, "Company", None, Some(2), 1),
                department(41, "Sales", Some(1), Some(7), 2),
                department(42, "Sales East", Some(41), Some(17), 3),
                department(43, "Support", Some(1), Some(9), 6),
                department(44, "Branch office", Some(1), None, 8),
                department(45, "Marketing", Some(1), Some(13), 10),
            ],
            "webhooks": [webhook(1, ADMINISTRATOR), webhook(8, EMPLOYEE), webhook(9, CRM_ADMINISTRATOR)],
            "crm_roles": {"CRM admin": [9], "Sales": PEOPLE.iter().map(|person| person.0).collect::<Vec<_>>()},
            "security_filter": false,
            "lead_user_fields": lead_user_fields(),
        },
        "options": options,
    })
}

fn empty() -> Value {
    let administrator: Vec<Value> = PEOPLE.iter().take(1).map(person).collect();
    json!({
        "portal": {
            "users": administrator,
            "departments": [department(1, "Company", None, Some(1), 1)],
            "webhooks": [webhook(1, ADMINISTRATOR)],
            "crm_roles": {},
            "security_filter": false,
        },
    })
}

/// Creates people from 2 on, in departments of fifty; three in ten have customized both cards.
fn many(number: u32) -> Value {
    let mut users: Vec<Value> = PEOPLE.iter().take(1).map(person).collect();
    let mut departments = vec![department(1, "Company", None, Some(1), 1)];
    let mut options = Vec::new();
    for index in 0..i64::from(number) {
        let (id, department_id) = (index + 2, 100 + index / 50);
        if index % 50 == 0 {
            departments.push(department(
                department_id,
                &format!("Team {}", index / 50 + 1),
                Some(1),
                None,
                department_id,
            ));
        }
        users.push(json!({"ID": id, "LOGIN": format!("user{id}"), "NAME": format!("First{id}"),
            "LAST_NAME": format!("Last{id}"), "EMAIL": format!("user{id}@company.example"),
            "DATE_REGISTER": "2024-01-10 10:00:00", "UF_DEPARTMENT": [department_id]}));
        if index % 10 < 3 {
            let value = sample_layout(usize::try_from(index).unwrap_or_default());
            options.push(row(id, "lead_details", "N", &value));
            options.push(row(id, "returning_lead_details", "N", &value));
        }
    }
    json!({
        "portal": {
            "users": users,
            "departments": departments,
            "webhooks": [webhook(1, ADMINISTRATOR)],
            "crm_roles": {},
            "security_filter": false,
            "lead_user_fields": lead_user_fields(),
        },
        "options": options,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead_fields::lead_fields;

    #[test]
    fn fields_of_every_sample_layout_are_fields_of_leads_or_composite() {
        let composite = ["CLIENT", "OBSERVER", "OPPORTUNITY_WITH_CURRENCY", "PRODUCT_ROW_SUMMARY"];
        for seed in [Seed::Company, Seed::Users(10)] {
            let fields = lead_fields(&seed.state().unwrap());
            let fields = fields.array().unwrap();
            let sections = SAMPLE_LAYOUTS.iter().flat_map(|layout| layout.iter());
            for (name, _) in sections.flat_map(|section| section.2.iter()) {
                assert!(fields.at(name).is_some() != composite.contains(name), "{name}");
            }
        }
    }
}
