//! Error classes of answers without a result: final refusals, refusals without effect, and
//! indeterminate ones.
//!
//! The code decides. The status counts only without JSON, because the cloud's front servers change
//! it, and the description never, because it may be translated.

use std::fmt;

use crate::error::{CallError, ClientError, IndeterminateCause, Refusal, Rejection};
use crate::quota::Limit;

/// Error: an answer has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// No request of this credential can succeed.
    Rejected(Rejection, Refusal),
    /// Refused because of a limit: certainly not executed.
    Limited(Limit, Refusal),
    /// A well-formed refusal of this one call: nothing was done.
    Refused(Refusal),
    /// No usable answer: the request may have been executed.
    Broken(FailureClass, String),
}

/// Class of an unusable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The portal's code failed, or timed out: a retry of the same request is likely to end the
    /// same way.
    Persistent,
    /// A web page with a status of success: the host may not be a portal, or a failing one.
    NotAPortal,
    /// Any other failure: an error page, a cut or malformed answer. A retry is likely to help.
    Transient,
}

/// Error: one command of a batch has no result, when the batch itself has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No command of this credential can succeed.
    Rejected(Rejection, Refusal),
    /// Refused because of a limit: certainly not executed.
    Limited(Limit, Refusal),
    /// Refused: nothing was done.
    Refused(Refusal),
    /// The portal's code failed in this command.
    Broken(Refusal),
}

/// Codes after which no request can succeed. Compared without regard to letter case.
const REJECTIONS: [(&str, Rejection); 14] = [
    ("INVALID_CREDENTIALS", Rejection::Credentials),
    ("NO_AUTH_FOUND", Rejection::Credentials),
    ("EXPIRED_TOKEN", Rejection::Credentials),
    ("INVALID_TOKEN", Rejection::Credentials),
    ("WRONG_AUTH_TYPE", Rejection::Credentials),
    ("AUTHORIZATION_ERROR", Rejection::OwnerDismissed),
    ("INSUFFICIENT_SCOPE", Rejection::MissingRight),
    ("USER_ACCESS_ERROR", Rejection::NotAllowed),
    ("INVALID_REQUEST", Rejection::HttpsRequired),
    ("OVERLOAD_LIMIT", Rejection::Overload),
    ("ACCESS_DENIED", Rejection::PlanWithoutRest),
    ("PORTAL_DELETED", Rejection::PortalClosed),
    ("ERROR_METHOD_NOT_FOUND", Rejection::NotAPortal),
    ("ERROR_MANIFEST_IS_NOT_AVAILABLE", Rejection::NotAPortal),
];

/// Codes that refuse a request or a command because of a limit.
const LIMITS: [(&str, Limit); 2] =
    [("QUERY_LIMIT_EXCEEDED", Limit::Rate), ("OPERATION_TIME_LIMIT", Limit::OperatingTime)];

/// Codes of failures of the portal's code, after which part of the work may have been done.
const BREAKDOWNS: [&str; 4] =
    ["INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "ERROR_CORE", "WRONG_ENCODING"];

impl CommandError {
    /// Returns the answer of the portal.
    pub(crate) fn into_refusal(self) -> Refusal {
        match self {
            Self::Rejected(_, refusal)
            | Self::Limited(_, refusal)
            | Self::Refused(refusal)
            | Self::Broken(refusal) => refusal,
        }
    }

    /// Classifies the refusal of one command.
    pub fn from_refusal(refusal: Refusal) -> Self {
        if let Some(rejection) = rejection(&refusal.code) {
            Self::Rejected(rejection, refusal)
        } else if let Some(limit) = limit(&refusal.code) {
            Self::Limited(limit, refusal)
        } else if BREAKDOWNS.iter().any(|code| code.eq_ignore_ascii_case(&refusal.code)) {
            Self::Broken(refusal)
        } else {
            Self::Refused(refusal)
        }
    }
}

impl ResponseError {
    /// Returns the end of a call that writes. No refusal proves that the portal executed none of
    /// it.
    pub(crate) fn into_indeterminate(self) -> CallError {
        let (text, cause) = match self {
            Self::Limited(_, refusal) => (refusal.to_string(), IndeterminateCause::Limit),
            Self::Rejected(rejection, refusal) => {
                let text = refusal.to_string();
                let error = ClientError::Rejected(rejection, refusal);
                (text, IndeterminateCause::Refusal(error))
            }
            Self::Refused(refusal) => {
                let text = refusal.to_string();
                (text.clone(), IndeterminateCause::Refusal(ClientError::Unexpected(text)))
            }
            Self::Broken(_, text) => (text, IndeterminateCause::NoAnswer),
        };
        CallError::Indeterminate(text, cause)
    }

    /// Classifies an answer with an error in the portal's own form.
    pub(crate) fn from_error(status: u16, refusal: Refusal) -> Self {
        match CommandError::from_refusal(refusal) {
            CommandError::Rejected(rejection, refusal) => Self::Rejected(rejection, refusal),
            CommandError::Limited(limit, refusal) => Self::Limited(limit, refusal),
            CommandError::Broken(refusal) => {
                Self::Broken(FailureClass::Persistent, error_text(status, &refusal))
            }
            CommandError::Refused(refusal) if status >= 500 => {
                Self::Broken(class(status), error_text(status, &refusal))
            }
            CommandError::Refused(refusal) => Self::Refused(refusal),
        }
    }

    /// Classifies an answer that is not in the portal's own form. `body` is its kind.
    pub(crate) fn from_status(status: u16, body: BodyKind) -> Self {
        let refusal =
            || Refusal { code: String::new(), message: format!("{body}, with status {status}") };
        match status {
            300..=399 => Self::Rejected(Rejection::Redirect, refusal()),
            401 => Self::Rejected(Rejection::Credentials, refusal()),
            403 => Self::Rejected(Rejection::NotAllowed, refusal()),
            404 | 405 | 410 => Self::Rejected(Rejection::NotAPortal, refusal()),
            // "Too many requests" has one meaning, from any server.
            429 => Self::Limited(Limit::Rate, refusal()),
            400 | 411..=428 | 431 => Self::Refused(refusal()),
            200..=299 if body == BodyKind::Page => {
                Self::Broken(FailureClass::NotAPortal, format!("{body}, with status {status}"))
            }
            _ => Self::Broken(class(status), format!("{body}, with status {status}")),
        }
    }
}

/// Returns the class of a status. 500 is a failure of the portal's code, 504 a timeout of the front
/// server. Both tend to come again.
fn class(status: u16) -> FailureClass {
    if matches!(status, 500 | 504) { FailureClass::Persistent } else { FailureClass::Transient }
}

fn rejection(code: &str) -> Option<Rejection> {
    REJECTIONS
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(code))
        .map(|(_, rejection)| *rejection)
}

fn limit(code: &str) -> Option<Limit> {
    LIMITS.iter().find(|(own, _)| own.eq_ignore_ascii_case(code)).map(|(_, limit)| *limit)
}

fn error_text(status: u16, refusal: &Refusal) -> String {
    format!("error {:?} ({}) with status {status}", refusal.code, refusal.message)
}

/// Kind of a body that is not in the form of the portal. No error repeats its text: an error page
/// may hold anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    Empty,
    Page,
    CutJson,
    JsonWithoutResult,
    Other,
}

impl BodyKind {
    pub(crate) fn from_bytes(content_type: Option<&str>, body: &[u8]) -> Self {
        let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let html = content_type.is_some_and(|value| value.to_ascii_lowercase().contains("html"));
        match start {
            None => Self::Empty,
            Some(b'<') => Self::Page,
            _ if html => Self::Page,
            Some(b'{') if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err() => {
                Self::CutJson
            }
            Some(b'{') => Self::JsonWithoutResult,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty answer",
            Self::Page => "a page in place of JSON",
            Self::CutJson => "cut or broken JSON",
            Self::JsonWithoutResult => "JSON without a result",
            Self::Other => "something other than JSON",
        })
    }
}
