//! Content of the portal: people, departments, webhooks, roles, and the rows of its options table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::crm_rows::{CategoryRow, CrmPortal, TypeRow};
use crate::option_rows::{OptionKey, OptionRow, OptionRowJson};
use crate::php::PhpKey;
use crate::portal_additions;

/// Base portal: missing parts of a state come from here.
const BASE_PORTAL: &str = include_str!("base_portal.json");

/// Emulated release of the portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// Up to 24.200: reads of other people's cards answer with the caller's own.
    LegacyRead,
    /// 24.300, of January 2025.
    Mid,
    /// 26.250, of May 2026; what the cloud runs.
    #[default]
    Current,
}

impl std::str::FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "current" => Ok(Self::Current),
            "mid" => Ok(Self::Mid),
            "legacy-read" => Ok(Self::LegacyRead),
            other => Err(format!(
                "there is no release {other:?}; there are current, mid and legacy-read"
            )),
        }
    }
}

/// Error: a value is not the state of a portal.
#[derive(Debug, Error)]
#[error("not the state of a portal: {0}")]
pub struct StateError(pub(super) String);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) struct UserRow {
    #[serde(rename = "ID")]
    pub(super) id: i64,
    #[serde(default)]
    pub(super) login: String,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) last_name: String,
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) work_position: String,
    #[serde(default)]
    pub(super) personal_gender: String,
    #[serde(default)]
    pub(super) date_register: String,
    #[serde(default)]
    pub(super) last_login: String,
    #[serde(default)]
    pub(super) external_auth_id: Option<String>,
    #[serde(default)]
    pub(super) confirm_code: Option<String>,
    #[serde(default)]
    pub(super) uf_department: Vec<i64>,
    #[serde(default, rename = "portal_admin")]
    pub(super) portal_admin: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) struct DepartmentRow {
    pub(super) id: i64,
    pub(super) name: String,
    #[serde(default)]
    pub(super) parent: Option<i64>,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default = "usual_sort")]
    pub(super) sort: i64,
    #[serde(default)]
    pub(super) left_margin: i64,
    #[serde(default)]
    pub(super) uf_head: Option<i64>,
}

/// User field of leads. Its labels are those that somebody gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) struct UserFieldRow {
    pub(super) field_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) edit_form_label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) list_column_label: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WebhookRow {
    pub(super) user_id: i64,
    pub(super) secret: String,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) scope: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Environment {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) php_max_input_vars: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) https_required: Option<bool>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) server_settings: BTreeMap<String, Value>,
}

/// Parts of a state, all optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateForm {
    variant: Option<Release>,
    environment: Option<Environment>,
    portal: Option<serde_json::Map<String, Value>>,
    options: Option<Vec<OptionRowJson>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortalJson {
    users: Vec<UserRow>,
    departments: Vec<DepartmentRow>,
    webhooks: Vec<WebhookRow>,
    crm_roles: BTreeMap<String, Vec<i64>>,
    security_filter: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lead_user_fields: Vec<UserFieldRow>,
    /// User fields of the other kinds, by the number of the type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    item_user_fields: BTreeMap<i64, Vec<UserFieldRow>>,
    /// Methods that the portal does not have, by the beginning of their names in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing_methods: Vec<String>,
    crm_types: Vec<TypeRow>,
    crm_deal_categories: Vec<CategoryRow>,
    crm_item_categories: Vec<CategoryRow>,
    crm_role_rights: BTreeMap<String, Vec<String>>,
    next_crm_item_category_id: i64,
}

/// Content of the portal.
#[derive(Clone, Debug)]
pub(super) struct PortalState {
    pub(super) release: Release,
    pub(super) environment: Environment,
    pub(super) people: BTreeMap<i64, UserRow>,
    pub(super) departments: Vec<DepartmentRow>,
    pub(super) webhooks: Vec<WebhookRow>,
    pub(super) roles: BTreeMap<String, Vec<i64>>,
    pub(super) security_filter: bool,
    pub(super) lead_user_fields: Vec<UserFieldRow>,
    pub(super) item_user_fields: BTreeMap<i64, Vec<UserFieldRow>>,
    pub(super) missing_methods: Vec<String>,
    pub(super) crm: CrmPortal,
    pub(super) rows: BTreeMap<OptionKey, OptionRow>,
    /// The number of changes of rows: it tells if a state must be saved.
    pub(super) changes: u64,
}

fn yes() -> bool {
    true
}

fn usual_sort() -> i64 {
    500
}

impl PortalState {
    /// Parses a state: `variant`, `environment`, `portal` and `options`. Missing parts of the
    /// portal come from the base portal.
    pub(super) fn from_json(state: &Value) -> Result<Self, StateError> {
        let wrong = |problem: serde_json::Error| StateError(problem.to_string());
        // The derived form would accept a list as the parts in their order.
        if !state.is_object() {
            return Err(StateError("it is not an object".into()));
        }
        let StateForm { variant, environment, portal: given, options } =
            StateForm::deserialize(state).map_err(wrong)?;
        if variant.is_none() && environment.is_none() && given.is_none() && options.is_none() {
            return Err(StateError(
                "it has none of the parts `variant`, `environment`, `portal` and `options`".into(),
            ));
        }
        let mut portal: Value = serde_json::from_str(BASE_PORTAL).map_err(wrong)?;
        let known_types = portal.get("crm_types").cloned().unwrap_or_default();
        if let (Some(base), Some(given)) = (portal.as_object_mut(), given) {
            base.extend(given);
            portal_additions::apply(base).map_err(StateError)?;
        }
        let form: PortalJson = serde_json::from_value(portal).map_err(wrong)?;
        let (rows, release) = (options.unwrap_or_default(), variant.unwrap_or_default());
        let environment = environment.unwrap_or_default();
        let PortalJson {
            users,
            departments,
            webhooks,
            crm_roles,
            security_filter,
            lead_user_fields,
            item_user_fields,
            missing_methods,
            crm_types,
            crm_deal_categories,
            crm_item_categories,
            crm_role_rights,
            next_crm_item_category_id,
        } = form;
        let known_types: Vec<TypeRow> = serde_json::from_value(known_types).map_err(wrong)?;
        let mut made = Self {
            release,
            environment,
            people: users.into_iter().map(|person| (person.id, person)).collect(),
            departments,
            webhooks,
            roles: crm_roles,
            security_filter,
            lead_user_fields,
            item_user_fields,
            missing_methods,
            crm: CrmPortal {
                types: crm_types.into_iter().map(|row| row.completed(&known_types)).collect(),
                deal_categories: crm_deal_categories,
                item_categories: crm_item_categories,
                role_rights: crm_role_rights,
                next_item_category: next_crm_item_category_id,
            },
            rows: BTreeMap::new(),
            changes: 0,
        };
        made.rows.extend(rows.into_iter().map(OptionRowJson::into_row));
        Ok(made)
    }

    /// Returns the state in the form of [`Self::from_json`].
    pub(super) fn to_json(&self) -> Value {
        let portal = PortalJson {
            users: self.people.values().cloned().collect(),
            departments: self.departments.clone(),
            webhooks: self.webhooks.clone(),
            crm_roles: self.roles.clone(),
            security_filter: self.security_filter,
            lead_user_fields: self.lead_user_fields.clone(),
            item_user_fields: self.item_user_fields.clone(),
            missing_methods: self.missing_methods.clone(),
            crm_types: self.crm.types.clone(),
            crm_deal_categories: self.crm.deal_categories.clone(),
            crm_item_categories: self.crm.item_categories.clone(),
            crm_role_rights: self.crm.role_rights.clone(),
            next_crm_item_category_id: self.crm.next_item_category,
        };
        // Texts, numbers and lists only, which JSON can always hold.
        let value = |part: serde_json::Result<Value>| part.unwrap_or(Value::Null);
        let options: Vec<Value> = self
            .rows
            .iter()
            .map(|((user, category, _), row)| {
                serde_json::json!({
                    "user_id": user,
                    "category": category,
                    "name": row.name,
                    "common": if row.common { "Y" } else { "N" },
                    "value": crate::encode::value(&row.value),
                })
            })
            .collect();
        serde_json::json!({
            "variant": value(serde_json::to_value(self.release)),
            "environment": value(serde_json::to_value(&self.environment)),
            "portal": value(serde_json::to_value(&portal)),
            "options": options,
        })
    }

    /// Returns the maximum number of values of a form, a query string or a command of a batch.
    pub(super) fn input_limit(&self) -> usize {
        self.environment.php_max_input_vars.unwrap_or(10_000)
    }

    pub(super) fn setting(&self, name: &str) -> Option<&Value> {
        self.environment.server_settings.get(name)
    }

    /// Returns the same state with secrets of its own, so that a webhook opens one portal alone.
    pub(super) fn with_secrets_of(&self, host: &str) -> Self {
        let mut state = self.clone();
        let name = host.split('.').next().unwrap_or_default();
        state.webhooks.iter_mut().for_each(|webhook| webhook.secret.push_str(name));
        state
    }

    /// Returns the webhook of an address: by its secret, in any letter case, and by the id or the
    /// login of its owner.
    pub(super) fn webhook(&self, owner: &str, secret: &str) -> Option<&WebhookRow> {
        self.webhooks.iter().find(|row| {
            // A number is an id, and any other text a login.
            let is_owner = match PhpKey::from(owner) {
                PhpKey::Int(id) => row.user_id == id,
                PhpKey::Text(login) => {
                    let person = self.people.get(&row.user_id);
                    person.is_some_and(|user| {
                        !login.is_empty() && user.login.to_lowercase() == login.to_lowercase()
                    })
                }
            };
            row.active && row.secret.eq_ignore_ascii_case(secret) && is_owner
        })
    }

    /// Returns `true` if a webhook is blocked for overload: a setting of the portal's REST module
    /// lists the blocked ones.
    pub(super) fn is_held(&self, secret: &str) -> bool {
        let names_it = |value: &Value| value.to_string().to_ascii_lowercase().contains(secret);
        let mut settings = self.environment.server_settings.iter();
        settings.any(|(name, value)| {
            name.starts_with("rest.") && name.contains("hold") && names_it(value)
        })
    }

    /// Returns `true` if a person administers the portal.
    pub(super) fn is_portal_admin(&self, user: i64) -> bool {
        self.people.get(&user).is_some_and(|person| person.portal_admin)
    }
}
