//! What an answer without a result means: which refusals are final, which say "not executed", and
//! which say nothing.
//!
//! The code decides. The status is looked at only where there is no JSON, because the cloud's front
//! servers change it, and the description never, because it may be translated.

use std::fmt;

use crate::error::{CallError, ClientError, IndeterminateCause, Refusal, Rejection};
use crate::quota::Limit;

/// Why an answer has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// No request of this credential can succeed.
    Rejected(Rejection, Refusal),
    /// Refused because of a limit: surely not executed.
    Limited(Limit, Refusal),
    /// A well-formed refusal of this one call: nothing was done.
    Refused(Refusal),
    /// No usable answer: it may have been executed.
    Broken(FailureClass, String),
}

/// In which way an answer is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The portal's code broke down, or ran out of time: repeating the same request is likely to
    /// end the same way.
    Persistent,
    /// A web page with a status of success: whoever answers may be no portal at all, or a portal in
    /// trouble.
    NotAPortal,
    /// Anything else: an error page, a cut or garbled answer. Repeating is likely to help.
    Transient,
}

/// Why one command of a batch has no result, when the batch itself has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No command of this credential can succeed.
    Rejected(Rejection, Refusal),
    /// Refused because of a limit: surely not executed.
    Limited(Limit, Refusal),
    /// Refused: nothing was done.
    Refused(Refusal),
    /// The portal's code broke down in this command.
    Broken(Refusal),
}

/// Codes after which nothing can succeed. Compared without regard to letter case.
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

/// Codes behind which the portal's code broke down, so that part of the work may have been done.
const BREAKDOWNS: [&str; 4] =
    ["INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "ERROR_CORE", "WRONG_ENCODING"];

impl CommandError {
    /// Judges the refusal of one command.
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
    /// Returns the end of a call that writes. No refusal proves that the portal executed none of it.
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

    /// Judges an answer that has an error in the portal's own form.
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

    /// Judges an answer that is not in the portal's own form. `body` says what it is instead.
    pub(crate) fn from_status(status: u16, body: BodyKind) -> Self {
        let refusal =
            || Refusal { code: String::new(), message: format!("{body}, with status {status}") };
        match status {
            300..=399 => Self::Rejected(Rejection::Redirect, refusal()),
            401 => Self::Rejected(Rejection::Credentials, refusal()),
            403 => Self::Rejected(Rejection::NotAllowed, refusal()),
            404 | 405 | 410 => Self::Rejected(Rejection::NotAPortal, refusal()),
            // "Too many requests" has only one meaning, whoever says it.
            429 => Self::Limited(Limit::Rate, refusal()),
            400 | 411..=428 | 431 => Self::Refused(refusal()),
            200..=299 if body == BodyKind::Page => {
                Self::Broken(FailureClass::NotAPortal, format!("{body}, with status {status}"))
            }
            _ => Self::Broken(class(status), format!("{body}, with status {status}")),
        }
    }
}

/// 500 is a breakdown of the portal's code, 504 the front server's word for "took too long". Both
/// tend to come again.
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
