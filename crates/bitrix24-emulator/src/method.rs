//! Methods, with their rights and handlers.

use crate::card;
use crate::card_kind::{Family, Operation};
use crate::crm_types;
use crate::departments;
use crate::error::MethodError;
use crate::item_fields::item_fields;
use crate::lead_fields::lead_fields;
use crate::pagination::MethodResult;
use crate::people;
use crate::php::{PhpArray, PhpValue};
use crate::pipelines;
use crate::state::{PortalState, Release};

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
    ItemFields,
    CategoryList,
    CategoryGet,
    DealCategoryList,
    DealCategoryGet,
    DealCategoryDefault,
    TypeList,
    TypeGet,
    TypeGetByEntityType,
    Profile,
    Scope,
    Methods,
    LookUp,
    ServerTime,
}

/// Method that releases before 2025 do not have.
const TYPE_GET_BY_NUMBER: &str = "crm.type.getbyentitytypeid";

/// Row of a method.
type MethodRow = (&'static str, &'static str, Option<Method>);

const fn card(name: &'static str, family: Family, operation: Operation) -> MethodRow {
    (name, "crm", Some(Method::Card(family, operation)))
}

/// Methods with their lower-case names, and the section of the needed right; empty for none.
const METHODS: &[MethodRow] = &[
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
    ("crm.item.fields", "crm", Some(Method::ItemFields)),
    ("crm.category.list", "crm", Some(Method::CategoryList)),
    ("crm.category.get", "crm", Some(Method::CategoryGet)),
    ("crm.dealcategory.list", "crm", Some(Method::DealCategoryList)),
    ("crm.dealcategory.get", "crm", Some(Method::DealCategoryGet)),
    ("crm.dealcategory.default.get", "crm", Some(Method::DealCategoryDefault)),
    ("crm.type.list", "crm", Some(Method::TypeList)),
    ("crm.type.get", "crm", Some(Method::TypeGet)),
    (TYPE_GET_BY_NUMBER, "crm", Some(Method::TypeGetByEntityType)),
    card("crm.lead.details.configuration.get", Family::Lead, Operation::Get),
    card("crm.lead.details.configuration.set", Family::Lead, Operation::Set),
    card("crm.lead.details.configuration.reset", Family::Lead, Operation::Reset),
    card("crm.lead.details.configuration.forcecommonscopeforall", Family::Lead, Operation::Force),
    card("crm.deal.details.configuration.get", Family::Deal, Operation::Get),
    card("crm.deal.details.configuration.set", Family::Deal, Operation::Set),
    card("crm.deal.details.configuration.reset", Family::Deal, Operation::Reset),
    card("crm.deal.details.configuration.forcecommonscopeforall", Family::Deal, Operation::Force),
    card("crm.contact.details.configuration.get", Family::Contact, Operation::Get),
    card("crm.contact.details.configuration.set", Family::Contact, Operation::Set),
    card("crm.contact.details.configuration.reset", Family::Contact, Operation::Reset),
    card(
        "crm.contact.details.configuration.forcecommonscopeforall",
        Family::Contact,
        Operation::Force,
    ),
    card("crm.company.details.configuration.get", Family::Company, Operation::Get),
    card("crm.company.details.configuration.set", Family::Company, Operation::Set),
    card("crm.company.details.configuration.reset", Family::Company, Operation::Reset),
    card(
        "crm.company.details.configuration.forcecommonscopeforall",
        Family::Company,
        Operation::Force,
    ),
    card("crm.item.details.configuration.get", Family::Item, Operation::Get),
    card("crm.item.details.configuration.set", Family::Item, Operation::Set),
    card("crm.item.details.configuration.reset", Family::Item, Operation::Reset),
    card("crm.item.details.configuration.forcecommonscopeforall", Family::Item, Operation::Force),
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

/// Returns the methods of a portal: those of its release, without those that its state takes away.
fn methods_of(state: &PortalState) -> impl Iterator<Item = &'static MethodRow> {
    let is_old = state.release != Release::Current;
    let is_missing =
        |name: &str| state.missing_methods.iter().any(|missing| name.starts_with(missing.as_str()));
    METHODS
        .iter()
        .filter(move |(name, ..)| !(is_old && *name == TYPE_GET_BY_NUMBER || is_missing(name)))
}

/// Finds a method of a portal, in any letter case.
pub(super) fn find(state: &PortalState, name: &str) -> Option<KnownMethod> {
    let lower = name.to_ascii_lowercase();
    methods_of(state)
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
        Method::ItemFields => plain(item_fields(state, caller.user, parameters)?),
        Method::CategoryList => pipelines::list(state, caller.user, parameters)?,
        Method::CategoryGet => plain(pipelines::get(state, caller.user, parameters)?),
        Method::DealCategoryList => pipelines::list_of_deals(state, caller.user, parameters)?,
        Method::DealCategoryGet => plain(pipelines::get_of_deals(state, caller.user, parameters)?),
        Method::DealCategoryDefault => plain(pipelines::default_of_deals(state, caller.user)?),
        Method::TypeList => crm_types::list(state, caller.user, parameters)?,
        Method::TypeGet => plain(crm_types::get(state, caller.user, parameters)?),
        Method::TypeGetByEntityType => {
            plain(crm_types::get_by_entity_type(state, caller.user, parameters)?)
        }
        Method::UserCurrent => plain(people::current(state, &caller.rights, caller.user)),
        Method::UserAdmin => plain(PhpValue::Bool(state.is_portal_admin(caller.user))),
        Method::Profile => plain(people::profile(state, caller.user)),
        Method::ServerTime => plain(PhpValue::from(now)),
        Method::Scope => plain(scope(caller, parameters)),
        Method::Methods => plain(methods(state, caller, parameters)),
        Method::LookUp => plain(method_get(state, caller, parameters)),
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

fn methods(state: &PortalState, caller: &Caller, parameters: &PhpArray) -> PhpValue {
    let wanted = parameters.at("scope").and_then(PhpValue::text);
    let full = parameters.at("full").is_some_and(PhpValue::to_bool);
    methods_of(state)
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
fn method_get(state: &PortalState, caller: &Caller, parameters: &PhpArray) -> PhpValue {
    let name = parameters.at("name").and_then(PhpValue::text).unwrap_or_default();
    let known = find(state, name).filter(|known| known.name == name);
    let available = known.is_some_and(|known| known.is_allowed(&caller.rights));
    [("isExisting", PhpValue::Bool(known.is_some())), ("isAvailable", PhpValue::Bool(available))]
        .into_iter()
        .collect()
}
