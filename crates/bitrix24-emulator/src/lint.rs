//! Linter: requests that a careful client would never send.
//!
//! The portal answers all of them with `true`, so only the emulator can tell. Tests require an
//! empty list.

use crate::call::CallContext;
use crate::card_kind::Operation;
use crate::complaint::Linter;
use crate::lint_card::CardCall;
use crate::method::Method;
use crate::php::{PhpArray, PhpValue};
use crate::request::{IncomingRequest, Parameters};
use crate::state::PortalState;

/// Parameters that the vendor's client libraries add to every call.
const TELEMETRY: &[&str] = &["bx24_request_id", "bx24_sdk_ver", "bx24_sdk_type", "__order"];

/// Returns the known parameter names of a method.
fn known_parameters(method: Method) -> &'static [&'static str] {
    match method {
        Method::Card(_, Operation::Set) => &["scope", "userId", "extras", "data", "entityTypeId"],
        Method::Card(..) => &["scope", "userId", "extras", "entityTypeId"],
        Method::Batch => &["cmd", "halt"],
        Method::UserGet => &[
            "FILTER",
            "filter",
            "sort",
            "order",
            "start",
            "select",
            "SELECT",
            "ID",
            "EMAIL",
            "ACTIVE",
            "UF_DEPARTMENT",
        ],
        Method::DepartmentGet => {
            &["FILTER", "sort", "order", "start", "ID", "NAME", "SORT", "PARENT", "UF_HEAD"]
        }
        Method::Scope => &["full"],
        Method::Methods => &["scope", "full"],
        Method::LookUp => &["name"],
        Method::CategoryList => &["entityTypeId", "filter", "start"],
        Method::CategoryGet => &["entityTypeId", "id"],
        Method::DealCategoryList => &["filter", "order", "select", "start"],
        Method::DealCategoryGet | Method::TypeGet => &["id"],
        Method::TypeList => &["filter", "order", "start"],
        Method::TypeGetByEntityType => &["entityTypeId"],
        Method::ItemFields => &["entityTypeId", "useOriginalUfNames"],
        Method::LeadFields
        | Method::DealCategoryDefault
        | Method::UserCurrent
        | Method::UserAdmin
        | Method::Profile
        | Method::ServerTime => &[],
    }
}

impl Linter<'_> {
    /// Checks the form of a request, and its lost parts.
    pub(super) fn lint_form(&mut self, incoming: &IncomingRequest, parameters: &Parameters) {
        let Parameters { values: _, lost_body, dropped } = parameters;
        if incoming.verb != "POST" {
            let text =
                format!("{} instead of POST: a redirect or a proxy can repeat it", incoming.verb);
            self.complain("not-post", text);
        } else if incoming.content_type.as_deref() != Some("application/json") {
            let sent = incoming.content_type.as_deref().unwrap_or("missing");
            let text = format!(
                "the content type is {sent}: only application/json is read by every release"
            );
            self.complain("bad-content-type", text);
        }
        if let Some(why) = lost_body {
            self.complain("lost-body", format!("{why}: the portal takes it for an empty one"));
        }
        if *dropped > 0 {
            self.complain(
                "dropped-values",
                format!("{dropped} values beyond the portal's limit were dropped"),
            );
        }
    }

    /// Checks the parameters of a call. They still contain references, which have a meaning in a
    /// batch only.
    pub(super) fn lint_call(
        &mut self,
        state: &PortalState,
        caller: i64,
        method: Method,
        parameters: &PhpArray,
        context: CallContext,
    ) {
        let known = known_parameters(method);
        for (key, value) in parameters.iter() {
            let key = key.to_string();
            if !known.contains(&key.as_str()) && !TELEMETRY.contains(&key.as_str()) {
                let text = format!("the parameter {key:?} is not known and is ignored");
                self.complain("unknown-parameter", text);
            }
            if context == CallContext::InBatch {
                self.lint_references(value);
            }
        }
        match method {
            Method::Card(family, operation) => {
                let call = CardCall { state, caller, family, operation, parameters, context };
                self.lint_card(&call);
            }
            Method::CategoryList => {
                let filter = parameters.at("filter").and_then(PhpValue::array);
                for (key, _) in filter.into_iter().flat_map(PhpArray::iter) {
                    let key = key.to_string();
                    if key != "code" {
                        let text = format!("the filter {key:?} is ignored: all are returned");
                        self.complain("unknown-filter", text);
                    }
                }
            }
            Method::UserGet => {
                let filter = parameters
                    .at("FILTER")
                    .or_else(|| parameters.at("filter"))
                    .and_then(PhpValue::array);
                let names = filter.into_iter().flat_map(PhpArray::iter);
                for (key, _) in names {
                    let key = key.to_string();
                    let name =
                        key.trim_start_matches(['!', '@', '%', '>', '<', '=']).to_ascii_uppercase();
                    let known = [
                        "ID",
                        "ACTIVE",
                        "EMAIL",
                        "UF_DEPARTMENT",
                        "NAME",
                        "LAST_NAME",
                        "USER_TYPE",
                        "HAS_DEPARTAMENT",
                    ];
                    if !known.contains(&name.as_str()) {
                        self.complain(
                            "unknown-filter",
                            format!("the filter {key:?} is ignored: everybody is returned"),
                        );
                    }
                }
                if parameters.at("sort").is_none() || parameters.at("order").is_none() {
                    self.complain(
                        "unsorted-list",
                        "without sort and order the pages have no order at all",
                    );
                }
            }
            Method::DepartmentGet => {
                for (key, _) in parameters
                    .at("FILTER")
                    .and_then(PhpValue::array)
                    .into_iter()
                    .flat_map(PhpArray::iter)
                {
                    let key = key.to_string();
                    if !["ID", "NAME", "SORT", "PARENT", "UF_HEAD"].contains(&key.as_str()) {
                        self.complain(
                            "unknown-filter",
                            format!("the filter {key:?} is ignored: all are returned"),
                        );
                    }
                }
            }
            _ => {}
        }
    }

    fn lint_references(&mut self, value: &PhpValue) {
        match value {
            PhpValue::Text(text) => {
                let lower = text.to_ascii_lowercase();
                let kinds = ["$result[", "$error[", "$total[", "$next[", "$time["];
                if kinds.iter().any(|kind| lower.contains(kind)) {
                    let text = "a reference that does not resolve becomes user 1 or the caller";
                    self.complain("reference", text);
                }
            }
            PhpValue::Array(array) => array.values().for_each(|value| self.lint_references(value)),
            _ => {}
        }
    }
}
