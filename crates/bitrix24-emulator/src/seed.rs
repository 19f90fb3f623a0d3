//! Seeds of portals: a small company, or any number of people. All secrets are invented.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::option_rows::CATEGORY;
use crate::state::{PortalState, StateError};

/// First state of a portal.
#[derive(Clone, Debug, Default)]
pub enum Seed {
    /// A company of about forty people in five departments, a third of whom have customized cards
    /// of leads, and some cards of other kinds.
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

/// Sample company: its portal, the layouts of its cards, and rows that name a layout by its index.
const COMPANY: &str = include_str!("company.json");

/// Parts of the company that a portal of many people has, too.
const CRM_PARTS: &[&str] = &[
    "lead_user_fields",
    "item_user_fields",
    "crm_types",
    "crm_deal_categories",
    "crm_item_categories",
    "next_crm_item_category_id",
];

#[derive(Deserialize)]
struct Company {
    portal: Value,
    /// The layouts of leads; rows name them by their place.
    layouts: Vec<Value>,
    /// The layouts of the other kinds, by name.
    layouts_of_other_kinds: Map<String, Value>,
    options: Vec<Value>,
}

impl Seed {
    pub(super) fn state(&self) -> Result<PortalState, StateError> {
        match self {
            Self::Company => PortalState::from_json(&Company::read()?.into_state()),
            Self::Empty => PortalState::from_json(&Company::read()?.with_people(0, &[])),
            Self::Users(number) => {
                PortalState::from_json(&Company::read()?.with_people(*number, CRM_PARTS))
            }
            Self::State(state) => PortalState::from_json(state),
        }
    }
}

impl Company {
    fn read() -> Result<Self, StateError> {
        serde_json::from_str(COMPANY).map_err(|problem| StateError(problem.to_string()))
    }

    fn layout(&self, index: usize) -> Value {
        self.layouts.get(index % self.layouts.len().max(1)).cloned().unwrap_or_default()
    }

    fn into_state(mut self) -> Value {
        let mut options = std::mem::take(&mut self.options);
        for row in options.iter_mut().filter_map(Value::as_object_mut) {
            let layout = match row.remove("layout") {
                Some(Value::Number(index)) => {
                    self.layout(index.as_u64().unwrap_or_default() as usize)
                }
                Some(Value::String(name)) => {
                    self.layouts_of_other_kinds.get(&name).cloned().unwrap_or_default()
                }
                _ => continue,
            };
            row.insert("value".into(), layout);
        }
        json!({"variant": "current", "portal": self.portal, "options": options})
    }

    /// Returns a portal with people from 2 on, in departments of fifty; three in ten have
    /// customized both cards of leads. Some parts of the portal are those of the company.
    fn with_people(&self, number: u32, parts: &[&str]) -> Value {
        let first = |list: &str| self.portal.pointer(list).cloned().unwrap_or_default();
        let mut users = vec![first("/users/0")];
        let mut departments = vec![department(1, "Company", None, 1)];
        let mut options = Vec::new();
        for index in 0..i64::from(number) {
            let (id, department_id) = (index + 2, 100 + index / 50);
            if index % 50 == 0 {
                let name = format!("Team {}", index / 50 + 1);
                departments.push(department(department_id, &name, Some(1), department_id));
            }
            users.push(
                json!({"ID": id, "LOGIN": format!("user{id}"), "NAME": format!("First{id}"),
                "LAST_NAME": format!("Last{id}"), "EMAIL": format!("user{id}@company.example"),
                "DATE_REGISTER": "2024-01-10 10:00:00", "UF_DEPARTMENT": [department_id]}),
            );
            if index % 10 < 3 {
                let value = self.layout(usize::try_from(index).unwrap_or_default());
                for name in ["lead_details", "returning_lead_details"] {
                    options.push(json!({
                        "user_id": id, "category": CATEGORY, "name": name, "common": "N",
                        "value": value,
                    }));
                }
            }
        }
        let mut portal = json!({
            "users": users,
            "departments": departments,
            "webhooks": [first("/webhooks/0")],
            "crm_roles": {},
            "security_filter": false,
            "crm_types": [],
            "crm_deal_categories": [],
            "crm_item_categories": [],
            "crm_role_rights": {},
            "next_crm_item_category_id": 1,
        });
        if let (Some(portal), Some(company)) = (portal.as_object_mut(), self.portal.as_object()) {
            let company = company.iter().filter(|(part, _)| parts.contains(&part.as_str()));
            portal.extend(company.map(|(part, value)| (part.clone(), value.clone())));
        }
        json!({ "portal": portal, "options": options })
    }
}

/// Returns a department; the first one is headed by the administrator.
fn department(id: i64, name: &str, parent: Option<i64>, margin: i64) -> Value {
    let head = (id == 1).then_some(1);
    json!({"ID": id, "NAME": name, "PARENT": parent, "ACTIVE": true, "SORT": 500, "LEFT_MARGIN": margin, "UF_HEAD": head})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead_fields::lead_fields;

    #[test]
    fn fields_of_every_sample_layout_are_fields_of_leads_or_composite() {
        let composite = ["CLIENT", "OBSERVER", "OPPORTUNITY_WITH_CURRENCY", "PRODUCT_ROW_SUMMARY"];
        let layouts = Company::read().unwrap().layouts;
        let items = |part: &Value| part["elements"].as_array().unwrap().clone();
        let sections = layouts.iter().flat_map(|layout| items(&layout[0]));
        let fields: Vec<Value> = sections.flat_map(|section| items(&section)).collect();
        assert!(fields.len() > 30, "{}", fields.len());
        for seed in [Seed::Company, Seed::Users(10)] {
            let known = lead_fields(&seed.state().unwrap());
            let known = known.array().unwrap();
            for field in &fields {
                let name = field["name"].as_str().unwrap();
                assert!(known.at(name).is_some() != composite.contains(&name), "{name}");
            }
        }
    }
}
