//! Linter: requests that a careful client would never send.
//!
//! The portal answers all of them with `true`, so only the emulator can tell. Tests require an
//! empty list.

use serde::Serialize;

use crate::call::CallContext;
use crate::card::Operation;
use crate::encode;
use crate::method::Method;
use crate::php::{PhpArray, PhpValue};
use crate::request::{IncomingRequest, Parameters};

/// Request that a careful client would never send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// The number of the request, from 1.
    pub request: u64,
    /// The kind, as a stable word.
    pub kind: &'static str,
    /// The method.
    pub method: String,
    /// The value that was sent, and its meaning for the portal.
    pub text: String,
}

/// Collector of complaints about one request.
#[derive(Debug)]
pub(super) struct Linter<'a> {
    pub(super) request: u64,
    pub(super) method: &'a str,
    pub(super) complaints: &'a mut Vec<Complaint>,
}

/// Returns a value as it was sent.
fn shown(value: Option<&PhpValue>) -> String {
    value.map_or_else(|| "missing".to_owned(), encode::json)
}

/// Maximum number of complaints, so that a careless client does not fill the memory.
const MAX_COMPLAINTS: usize = 10_000;

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
        Method::LeadFields
        | Method::UserCurrent
        | Method::UserAdmin
        | Method::Profile
        | Method::ServerTime => &[],
    }
}

impl Linter<'_> {
    pub(super) fn complain(&mut self, kind: &'static str, text: impl Into<String>) {
        if self.complaints.len() < MAX_COMPLAINTS {
            let (request, method) = (self.request, self.method.to_owned());
            self.complaints.push(Complaint { request, kind, method, text: text.into() });
        }
    }

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
        method: Method,
        parameters: &PhpArray,
        context: CallContext,
    ) {
        let known = known_parameters(method);
        for (key, value) in parameters.iter() {
            let key = key.to_string();
            if !known.contains(&key.as_str()) {
                let text = format!("the parameter {key:?} is not known and is ignored");
                self.complain("unknown-parameter", text);
            }
            if context == CallContext::InBatch {
                self.lint_references(value);
            }
        }
        match method {
            Method::Card(_, operation) => self.lint_card(operation, parameters),
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

    fn lint_card(&mut self, operation: Operation, parameters: &PhpArray) {
        if operation == Operation::Force {
            self.complain(
                "force",
                "the personal cards of everybody are removed, whatever else the request says",
            );
        } else {
            self.lint_scope_and_user(parameters);
        }
        match parameters.at("extras").and_then(PhpValue::array) {
            None => self.complain(
                "missing-extras",
                "without extras.leadCustomerType the portal takes simple leads",
            ),
            Some(extras) => {
                for (key, value) in extras.iter() {
                    match key.to_string().as_str() {
                        "leadCustomerType" => {
                            let right = matches!(value, PhpValue::Int(1 | 2))
                                || matches!(value.text(), Some("1" | "2"));
                            if !right {
                                let text = format!(
                                    "leadCustomerType {} is neither 1 nor 2",
                                    encode::json(value)
                                );
                                self.complain("bad-lead-type", text);
                            }
                        }
                        other => {
                            let text = format!(
                                "the key {other:?} in extras is unknown, or addresses another row"
                            );
                            self.complain("unknown-extras", text);
                        }
                    }
                }
                if extras.at("leadCustomerType").is_none() {
                    self.complain(
                        "missing-extras",
                        "without extras.leadCustomerType the portal takes simple leads",
                    );
                }
            }
        }
    }

    fn lint_scope_and_user(&mut self, parameters: &PhpArray) {
        let scope = parameters.at("scope");
        match scope.and_then(PhpValue::text) {
            Some("C") => return,
            Some("P") => {}
            _ => {
                let text = format!(
                    "the scope is {}: what is not exactly C counts as personal",
                    shown(scope)
                );
                self.complain("bad-scope", text);
            }
        }
        let plain = match parameters.at("userId") {
            Some(PhpValue::Int(number)) => (1..=2_147_483_646).contains(number),
            // In a command of a batch every value is text.
            Some(PhpValue::Text(text)) => text.parse::<u32>().is_ok_and(|number| {
                number.to_string() == *text && (1..=2_147_483_646).contains(&number)
            }),
            _ => false,
        };
        if !plain {
            let text = format!(
                "the user id is {}: it is read as the caller, as user 1, or as somebody else",
                shown(parameters.at("userId"))
            );
            self.complain("bad-user-id", text);
        }
    }
}
