//! Replies, and the faults on their way back.

use crate::fault_injection::{FaultEffect, Injection};

pub(super) const JSON: &str = "application/json; charset=utf-8";
pub(super) const XML: &str = "text/xml; charset=utf-8";
const HTML: &str = "text/html; charset=UTF-8";

/// Page of a proxy in front of the portal.
const PAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

/// Reply to a request.
#[derive(Debug)]
pub(super) enum Reply {
    /// The complete answer.
    Answer(ResponseParts),
    /// The headers and the beginning of the body; then the connection ends.
    Truncated(ResponseParts),
    /// The connection ends without an answer.
    Cut,
}

/// HTTP answer.
#[derive(Debug)]
pub(super) struct ResponseParts {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    pub(super) location: Option<&'static str>,
}

impl Reply {
    /// Creates the page of a web server, in place of an answer in JSON.
    pub(super) fn html(status: u16, body: &str) -> Self {
        Self::Answer(ResponseParts {
            status,
            content_type: HTML,
            body: body.to_owned(),
            location: None,
        })
    }

    /// Creates a redirect.
    pub(super) fn elsewhere(location: &'static str) -> Self {
        Self::Answer(ResponseParts {
            status: 302,
            content_type: HTML,
            body: String::new(),
            location: Some(location),
        })
    }

    /// Creates the answer of a fault in place of the portal's own.
    pub(super) fn in_place(injection: &Injection) -> Self {
        let Injection { status, body, .. } = injection;
        let content_type = if body.starts_with('{') { JSON } else { HTML };
        Self::Answer(ResponseParts {
            status: *status,
            content_type,
            body: body.clone(),
            location: None,
        })
    }

    /// Creates the page of a proxy in front of the portal.
    pub(super) fn page(status: u16) -> Self {
        Self::html(status, PAGE)
    }
}

/// Applies a fault to an answer on its way back.
pub(super) fn inject_after(reply: Reply, injection: &Injection) -> Reply {
    match (injection.effect, reply) {
        (FaultEffect::CutAfter, _) => Reply::Cut,
        (FaultEffect::HtmlAfter, _) => Reply::page(502),
        (FaultEffect::Answer, _) => Reply::in_place(injection),
        (FaultEffect::Truncate, Reply::Answer(answer)) => Reply::Truncated(answer),
        (_, reply) => reply,
    }
}
