//! Request as the portal reads it.
//!
//! Behavior notes, sections 1 and 2: an unreadable part is silently dropped, and then a call works
//! on the caller.

use crate::php::{PhpArray, PhpValue};
use crate::query::{self, ParsedQuery};
use crate::state::{PortalState, Release};
use crate::xss_filter;

/// Request as it came over the wire.
#[derive(Clone, Debug)]
pub(super) struct IncomingRequest {
    pub(super) verb: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) content_type: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Parsed address of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestTarget {
    /// Id or login, and secret, if the address has them.
    pub(super) webhook: Option<(String, String)>,
    /// The method as it was written; empty if there is none.
    pub(super) method: String,
    pub(super) format: ResponseFormat,
}

/// Format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseFormat {
    Json,
    Xml,
}

/// Parameters of a request, and the losses on the way to them.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    pub(super) values: PhpArray,
    /// The body could not be read, and counts as empty.
    pub(super) lost_body: Option<&'static str>,
    /// The number of values that were dropped because of the limit.
    pub(super) dropped: usize,
}

/// Parses the address; returns `None` if it does not lead to the REST interface.
pub(super) fn target(path: &str) -> Option<RequestTarget> {
    let rest =
        path.strip_prefix("/rest").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    let parts: Vec<String> = rest
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| query::decode(part.replace('+', "%2B").as_bytes()))
        .collect();
    let (webhook, method) = match parts.as_slice() {
        [] => (None, String::new()),
        [method] => (None, method.clone()),
        [user, secret] => (Some((user.clone(), secret.clone())), String::new()),
        [user, secret, method @ ..] => (Some((user.clone(), secret.clone())), method.join("/")),
    };
    let lower = method.to_ascii_lowercase();
    let cut =
        |suffix: &str| method.get(..method.len() - suffix.len()).unwrap_or_default().to_owned();
    let (method, format) = if lower.ends_with(".json") {
        (cut(".json"), ResponseFormat::Json)
    } else if lower.ends_with(".xml") {
        (cut(".xml"), ResponseFormat::Xml)
    } else {
        (method, ResponseFormat::Json)
    };
    Some(RequestTarget { webhook, method, format })
}

/// Reads the parameters: those of the address, and for POST those of the body on top.
pub(super) fn parameters(state: &PortalState, incoming: &IncomingRequest) -> Parameters {
    let limit = state.input_limit();
    let of_query = query::parse(incoming.query.as_bytes(), limit);
    let mut parameters =
        Parameters { values: PhpArray::default(), lost_body: None, dropped: of_query.dropped };
    merge(&mut parameters.values, of_query.values, state, BodyFormat::Form);
    if incoming.verb == "POST" {
        let content_type = incoming.content_type.as_deref().unwrap_or_default();
        let lower = content_type.to_ascii_lowercase();
        if is_json(state.release, content_type) {
            match json(&incoming.body) {
                Ok(body) => merge(&mut parameters.values, body, state, BodyFormat::Json),
                Err(why) => parameters.lost_body = Some(why),
            }
        } else {
            let ParsedQuery { values, dropped } = if lower.starts_with("multipart/form-data") {
                query::multipart(&incoming.body, content_type, limit)
            } else {
                if !lower.starts_with(FORM) && !incoming.body.is_empty() {
                    parameters.lost_body = Some("the content type is neither JSON nor a form");
                }
                // A form has room for one value more than the limit: PHP counts too late there.
                let room = if lower.starts_with(FORM) { limit.saturating_add(1) } else { limit };
                query::parse(trimmed(&incoming.body), room)
            };
            parameters.dropped += dropped;
            merge(&mut parameters.values, values, state, BodyFormat::Form);
        }
    } else if !incoming.body.is_empty() {
        parameters.lost_body = Some("the body of this verb is not read");
    }
    for reserved in ["ap", "aplogin", "method", "state"] {
        parameters.values.remove(reserved);
    }
    parameters
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Encoding of the values of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyFormat {
    Json,
    Form,
}

fn merge(values: &mut PhpArray, mut body: PhpArray, state: &PortalState, kind: BodyFormat) {
    // Old releases filter forms and the address, but not a JSON body.
    if state.security_filter && (kind == BodyFormat::Form || state.release == Release::Current) {
        xss_filter::clean(&mut body);
    }
    for (key, value) in body.iter() {
        values.set(key.clone(), value.clone());
    }
}

/// Returns `true` if a content type means JSON to a release.
fn is_json(release: Release, content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    match release {
        Release::Current => {
            let kind = kind.to_ascii_lowercase();
            kind == "application/json"
                || (kind.starts_with("application/") && kind.ends_with("+json"))
        }
        Release::Mid | Release::LegacyRead => kind == "application/json",
    }
}

/// Returns a body without the blanks around it, which the portal trims first.
fn trimmed(body: &[u8]) -> &[u8] {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\0' | 0x0b);
    let front = body.iter().take_while(is_blank).count();
    let rest = body.get(front..).unwrap_or_default();
    let back = rest.iter().rev().take_while(is_blank).count();
    rest.get(..rest.len() - back).unwrap_or_default()
}

fn json(body: &[u8]) -> Result<PhpArray, &'static str> {
    let body = trimmed(body);
    if body.is_empty() {
        return Ok(PhpArray::default());
    }
    let text = std::str::from_utf8(body).map_err(|_| "the JSON is not UTF-8")?;
    match serde_json::from_str::<PhpValue>(text) {
        Ok(PhpValue::Array(array)) => Ok(array),
        Ok(_) => Err("the JSON is no object"),
        Err(_) => Err("the JSON is malformed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_whatever_their_letter_case() {
        let shown = |path: &str| {
            let target = target(path).unwrap();
            (
                target.webhook.map(|(user, secret)| format!("{user}:{secret}")),
                target.method,
                target.format,
            )
        };
        let webhook = Some("1:abc".to_owned());
        assert_eq!(
            shown("/rest/1/abc/profile"),
            (webhook.clone(), "profile".into(), ResponseFormat::Json)
        );
        assert_eq!(
            shown("/rest/1/abc/PROFILE.JSON/"),
            (webhook.clone(), "PROFILE".into(), ResponseFormat::Json)
        );
        assert_eq!(
            shown("/rest/1/abc/profile.xml"),
            (webhook.clone(), "profile".into(), ResponseFormat::Xml)
        );
        assert_eq!(shown("/rest/1/abc/"), (webhook, String::new(), ResponseFormat::Json));
        assert_eq!(shown("/rest/profile"), (None, "profile".into(), ResponseFormat::Json));
        assert_eq!(target("/elsewhere"), None);
    }
}
