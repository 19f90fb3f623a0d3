//! Refusals of the portal.

use crate::php::PhpValue;
use crate::state::Release;

/// Failure of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MethodError {
    /// The answer holds an error.
    Refused(ErrorResponse),
    /// The handler fails: status 500, without JSON.
    Fatal,
}

/// Error in the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ErrorResponse {
    pub(super) status: u16,
    pub(super) code: ErrorCode,
    pub(super) text: String,
}

/// Code of an error.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ErrorCode {
    Word(&'static str),
    /// The code of a fault script.
    Any(String),
    /// A number of the portal's kernel: a number in older releases, a text in current ones.
    Number(i64),
}

impl MethodError {
    fn new(status: u16, word: &'static str, text: impl Into<String>) -> Self {
        Self::Refused(ErrorResponse { status, code: ErrorCode::Word(word), text: text.into() })
    }

    /// Creates a refusal with any code.
    pub(super) fn any(code: String) -> Self {
        Self::Refused(ErrorResponse {
            status: 400,
            code: ErrorCode::Any(code),
            text: "A fault by script.".to_owned(),
        })
    }

    /// Creates a refusal of the CRM: its code is always empty.
    pub(super) fn crm(text: impl Into<String>) -> Self {
        Self::new(400, "", text)
    }

    /// Creates a refusal with a code of its own.
    pub(super) fn refused(word: &'static str, text: impl Into<String>) -> Self {
        Self::new(400, word, text)
    }

    pub(super) fn access_denied() -> Self {
        Self::crm("Access denied.")
    }

    pub(super) fn kernel(number: i64, text: impl Into<String>) -> Self {
        Self::Refused(ErrorResponse {
            status: 400,
            code: ErrorCode::Number(number),
            text: text.into(),
        })
    }

    pub(super) fn no_method() -> Self {
        Self::new(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
    }

    /// Creates the refusal of an unknown method in a batch. The portal looks for a module, by the
    /// part before the first dot; some characters cannot be in the name of a module.
    pub(super) fn no_method_in_batch(name: &str) -> Self {
        let module = name.split('.').next().unwrap_or_default().to_lowercase();
        if module.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Self::no_method();
        }
        Self::kernel(22_102_051, format!("Invalid module name {module}"))
    }

    pub(super) fn no_auth() -> Self {
        Self::new(401, "NO_AUTH_FOUND", "Wrong authorization data")
    }

    pub(super) fn bad_credentials() -> Self {
        Self::new(401, "INVALID_CREDENTIALS", "Invalid request credentials")
    }

    pub(super) fn dismissed() -> Self {
        Self::new(401, "authorization_error", "Unable to authorize user")
    }

    pub(super) fn missing_right() -> Self {
        let text = "The request requires higher privileges than provided by the webhook token";
        Self::new(401, "insufficient_scope", text)
    }

    pub(super) fn missing_right_in_batch() -> Self {
        Self::new(401, "insufficient_scope", "")
    }

    pub(super) fn https_required() -> Self {
        Self::new(401, "INVALID_REQUEST", "Https required.")
    }

    pub(super) fn portal_closed() -> Self {
        Self::new(403, "PORTAL_DELETED", "Portal was deleted")
    }

    pub(super) fn too_many_requests() -> Self {
        Self::new(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
    }

    pub(super) fn operating_time() -> Self {
        Self::new(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
    }

    pub(super) fn database() -> Self {
        Self::new(500, "ERROR_CORE", "SQL query error!")
    }

    pub(super) fn overloaded() -> Self {
        Self::new(401, "OVERLOAD_LIMIT", "REST API is blocked due to overload.")
    }

    /// Creates the refusal for a plan without REST. The text is that of the release (behavior
    /// notes, section 8.2).
    pub(super) fn not_in_the_plan(release: Release) -> Self {
        let how = match release {
            Release::Current => "by subscription",
            Release::Mid | Release::LegacyRead => "on commercial plans",
        };
        Self::new(401, "ACCESS_DENIED", format!("REST API is available only {how}."))
    }

    pub(super) fn batch_in_batch() -> Self {
        Self::new(405, "ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
    }

    pub(super) fn batch_too_long() -> Self {
        Self::new(400, "ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    }
}

impl ErrorResponse {
    /// Returns the error in the form of the answer.
    pub(super) fn body(&self, release: Release) -> PhpValue {
        let code = match (&self.code, release) {
            (ErrorCode::Word(word), _) => PhpValue::from(*word),
            (ErrorCode::Any(word), _) => PhpValue::Text(word.clone()),
            (ErrorCode::Number(number), Release::Current) => PhpValue::Text(number.to_string()),
            (ErrorCode::Number(number), Release::Mid | Release::LegacyRead) => {
                PhpValue::Int(*number)
            }
        };
        [("error", code), ("error_description", PhpValue::Text(self.text.clone()))]
            .into_iter()
            .collect()
    }
}
