//! Methods, with their rights and handlers.

use crate::card::{self, Family, Operation};
use crate::departments;
use crate::error::MethodError;
use crate::lead_fields::lead_fields;
use crate::pagination::MethodResult;
use crate::people;
use crate::php::{PhpArray, PhpValue};
use crate::state::PortalState;

/// Emulated method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Batch,
    Card(Family, Operation),
    UserGet,
    UserCurrent,
    UserAdmin,
    DepartmentGet,
    LeadFields,
    Profile,
    Scope,
    Methods,
    LookUp,
    ServerTime,
}

/// Methods with their lower-case names, and the section of the needed right; empty for none.
const METHODS: &[(&str, &str, Option<Method>)] = &[
    ("batch", "", Some(Method::Batch)),
    ("scope", "", Some(Method::Scope)),
    ("methods", "", Some(Method::Methods)),
    ("method.get", "", Some(Method::LookUp)),
    ("server.time", "", Some(Method::ServerTime)),
    ("profile", "", Some(Method::Profile)),
    ("user.admin", "", Some(Method::UserAdmin)),
    ("department.fields", "department", None),
    ("department.get", "department", Some(Method::DepartmentGet)),
    ("department.add", "department", None),
    ("department.update", "department", None),
    ("department.delete", "department", None),
    ("user.fields", "user", None),
    ("user.current", "user", Some(Method::UserCurrent)),
    ("user.get", "user", Some(Method::UserGet)),
    ("user.search", "user", None),
    ("user.add", "user", None),
    ("user.update", "user", None),
    ("crm.lead.fields", "crm", Some(Method::LeadFields)),
    ("crm.lead.add", "crm", None),
    ("crm.lead.get", "crm", None),
    ("crm.lead.list", "crm", None),
    ("crm.lead.update", "crm", None),
    ("crm.lead.delete", "crm", None),
    ("crm.lead.details.configuration.get", "crm", Some(Method::Card(Family::Lead, Operation::Get))),
    ("crm.lead.details.configuration.set", "crm", Some(Method::Card(Family::Lead, Operation::Set))),
    (
        "crm.lead.details.configuration.reset",
        "crm",
        Some(Method::Card(Family::Lead, Operation::Reset)),
    ),
    (
        "crm.lead.details.configuration.forcecommonscopeforall",
        "crm",
        Some(Method::Card(Family::Lead, Operation::Force)),
    ),
    ("crm.item.details.configuration.get", "crm", Some(Method::Card(Family::Item, Operation::Get))),
    ("crm.item.details.configuration.set", "crm", Some(Method::Card(Family::Item, Operation::Set))),
    (
        "crm.item.details.configuration.reset",
        "crm",
        Some(Method::Card(Family::Item, Operation::Reset)),
    ),
    (
        "crm.item.details.configuration.forcecommonscopeforall",
        "crm",
        Some(Method::Card(Family::Item, Operation::Force)),
    ),
];

/// All rights of the portal.
const RIGHTS: &[&str] = &[
    "department",
    "contact_center",
    "user",
    "user_brief",
    "user_basic",
    "crm",
    "task",
    "sonet_group",
    "user.userfield",
    "iblock",
    "intranet",
    "userfieldconfig",
    "main",
    "appform",
    "configuration.import",
    "rest",
];

/// Method that exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownMethod {
    pub(super) name: &'static str,
    section: &'static str,
    /// `None` for methods of the portal that are not emulated.
    pub(super) method: Option<Method>,
}

/// Finds a method, in any letter case.
pub(super) fn find(name: &str) -> Option<KnownMethod> {
    let lower = name.to_ascii_lowercase();
    METHODS
        .iter()
        .find(|(known, _, _)| *known == lower)
        .map(|(name, section, method)| KnownMethod { name, section, method: *method })
}

impl KnownMethod {
    /// Returns `true` if a webhook with these rights may call it.
    pub(super) fn is_allowed(&self, rights: &[String]) -> bool {
        match self.section {
            "" => true,
            "user" => rights
                .iter()
                .any(|right| matches!(right.as_str(), "user" | "user_brief" | "user_basic")),
            section => rights.iter().any(|right| right == section),
        }
    }
}

/// Caller, with the rights of the webhook.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) user: i64,
    pub(super) rights: Vec<String>,
}

/// Executes a method that is not `batch`.
pub(super) fn call(
    state: &mut PortalState,
    caller: &Caller,
    method: Method,
    parameters: &PhpArray,
    now: &str,
) -> Result<MethodResult, MethodError> {
    let plain = |rows: PhpValue| MethodResult { rows, total: None, next: None };
    let start = parameters.at("start");
    Ok(match method {
        Method::Card(family, operation) => {
            plain(card::call(state, caller.user, family, operation, parameters)?)
        }
        Method::UserGet => people::get(state, &caller.rights, parameters, start)?,
        Method::DepartmentGet => departments::get(state, parameters, start),
        Method::LeadFields => plain(lead_fields(state)),
        Method::UserCurrent => plain(people::current(state, &caller.rights, caller.user)),
        Method::UserAdmin => plain(PhpValue::Bool(state.is_portal_admin(caller.user))),
        Method::Profile => plain(people::profile(state, caller.user)),
        Method::ServerTime => plain(PhpValue::from(now)),
        Method::Scope => plain(scope(caller, parameters)),
        Method::Methods => plain(methods(caller, parameters)),
        Method::LookUp => plain(method_get(caller, parameters)),
        // A batch is split before its commands get here.
        Method::Batch => return Err(MethodError::no_method()),
    })
}

fn scope(caller: &Caller, parameters: &PhpArray) -> PhpValue {
    if parameters.at("full").is_some_and(PhpValue::to_bool) {
        return RIGHTS.iter().map(|right| PhpValue::from(*right)).collect();
    }
    caller.rights.iter().map(|right| PhpValue::from(right.as_str())).collect()
}

fn methods(caller: &Caller, parameters: &PhpArray) -> PhpValue {
    let wanted = parameters.at("scope").and_then(PhpValue::text);
    let full = parameters.at("full").is_some_and(PhpValue::to_bool);
    METHODS
        .iter()
        .filter(|(_, section, _)| match wanted {
            Some(wanted) => section == &wanted,
            None => {
                full || section.is_empty() || caller.rights.iter().any(|right| right == section)
            }
        })
        .map(|(name, _, _)| PhpValue::from(*name))
        .collect()
}

/// Answers `method.get`. The name must be in lower case; any other does not exist.
fn method_get(caller: &Caller, parameters: &PhpArray) -> PhpValue {
    let name = parameters.at("name").and_then(PhpValue::text).unwrap_or_default();
    let known = find(name).filter(|known| known.name == name);
    let available = known.is_some_and(|known| known.is_allowed(&caller.rights));
    [("isExisting", PhpValue::Bool(known.is_some())), ("isAvailable", PhpValue::Bool(available))]
        .into_iter()
        .collect()
}
