//! The methods that recard calls, apart from those of cards ([`address`](super::address)).

/// Tells who the caller is.
pub(super) const PROFILE: &str = "profile";
/// Lists the fields of leads with their labels.
pub(super) const LEAD_FIELDS: &str = "crm.lead.fields";
/// Lists the fields of a type of entity with their labels.
pub(super) const ITEM_FIELDS: &str = "crm.item.fields";
/// Lists the pipelines or categories of a type that the caller may read.
pub(super) const CATEGORIES: &str = "crm.category.list";
/// Lists all pipelines of deals but the default one.
pub(super) const DEAL_CATEGORIES: &str = "crm.dealcategory.list";
/// Lists smart processes.
pub(super) const TYPES: &str = "crm.type.list";
/// Lists people.
pub(super) const USERS: &str = "user.get";
/// Lists departments.
pub(super) const DEPARTMENTS: &str = "department.get";
/// Lists the webhook's rights.
pub(super) const RIGHTS: &str = "scope";
/// Tells the portal's time of day.
pub(super) const SERVER_TIME: &str = "server.time";
/// Method that returns the availability of a method.
pub(super) const METHOD_GET: &str = "method.get";
