//! Complaints about requests that a careful client would never send.

use serde::Serialize;

use crate::encode;
use crate::php::PhpValue;

/// Maximum number of complaints, so that a careless client does not fill the memory.
const MAX_COMPLAINTS: usize = 10_000;

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
pub(super) fn shown(value: Option<&PhpValue>) -> String {
    value.map_or_else(|| "missing".to_owned(), encode::json)
}

impl Linter<'_> {
    pub(super) fn complain(&mut self, kind: &'static str, text: impl Into<String>) {
        if self.complaints.len() < MAX_COMPLAINTS {
            let (request, method) = (self.request, self.method.to_owned());
            self.complaints.push(Complaint { request, kind, method, text: text.into() });
        }
    }
}
