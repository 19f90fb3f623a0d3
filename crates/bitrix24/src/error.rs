//! Errors of the client and the reasons in them.

use std::fmt;

use thiserror::Error;

/// Order in which requests are admitted to the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// First come, first served. Requests end at a stop and at the deadline.
    Normal,
    /// Ahead of all others, and for a limited time also after a stop or the deadline.
    Urgent,
}

/// The portal's refusal of a request or a command. The texts are the portal's; the code may be
/// empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, numbers as text.
    pub code: String,
    /// The description.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.as_str(), self.message.as_str()) {
            ("", "") => f.write_str("refused without a word"),
            ("", message) => f.write_str(message),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

/// Failure of the client: the request, or every request, cannot be completed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientError {
    /// No request of this credential can succeed. Another attempt is pointless, and in the case of
    /// overload harmful.
    #[error("{0}")]
    Rejected(Rejection, Refusal),
    /// The request surely had no effect, and the retry budget is exhausted.
    #[error("the portal did not take the request: {0}")]
    NotExecuted(String),
    /// The request was sent, and the response does not tell if it was executed.
    #[error("no usable answer from the portal: {0}")]
    MaybeExecuted(String),
    /// The response is malformed, and another attempt will not change it.
    #[error("an answer of the portal makes no sense: {0}")]
    Unexpected(String),
    /// The client was stopped before the portal answered.
    #[error("stopped before the portal answered: {0}")]
    Stopped(#[from] StopReason),
}

/// Reason for which the client sends no more requests.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StopReason {
    /// The caller canceled the client, with this reason.
    #[error("{0}")]
    Canceled(String),
    /// The deadline has passed.
    #[error("the deadline has passed")]
    DeadlinePassed,
    /// The request would have to wait beyond the deadline.
    #[error("the deadline would pass while waiting")]
    DeadlineTooClose,
    /// The permit of the settings was refused, with this reason. Nothing was sent.
    #[error("{0}")]
    NotPermitted(String),
    /// The limits of the portal hold up urgent requests for too long after the stop.
    #[error("the portal's limits still hold up requests after the end of the run")]
    LimitsAfterEnd,
}

/// Reason for which no request of a credential can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The webhook is wrong, expired or switched off.
    #[error("the portal does not accept the webhook")]
    Credentials,
    /// The owner of the webhook was dismissed.
    #[error("the owner of the webhook was dismissed from the portal")]
    OwnerDismissed,
    /// The webhook lacks a right.
    #[error("the webhook lacks a right")]
    MissingRight,
    /// The owner of the webhook may not use the CRM, or not for other users.
    #[error("the owner of the webhook may not do this in the CRM")]
    NotAllowed,
    /// The request came over plain http, and the portal requires https.
    #[error("the portal wants https")]
    HttpsRequired,
    /// The webhook is blocked for overload.
    #[error("the portal has blocked the webhook for overload")]
    Overload,
    /// The plan of the portal does not include REST.
    #[error("the portal's plan does not include the REST interface")]
    PlanWithoutRest,
    /// The portal was closed.
    #[error("the portal is closed")]
    PortalClosed,
    /// The response is a redirect. Redirects are never followed.
    #[error("the portal answers with a redirect, which is not followed")]
    Redirect,
    /// The method does not exist: the host is not a portal, or a portal without CRM.
    #[error("the address is not that of a portal's REST interface")]
    NotAPortal,
    /// The certificate of the host is not trusted. No request was sent.
    #[error("the certificate of the portal is not trusted")]
    Certificate,
    /// The proxy refuses the connection to the portal. No request was sent.
    #[error("the proxy refuses the connection to the portal")]
    ProxyRefuses,
    /// The proxy cannot be reached. No request was sent.
    #[error("the proxy cannot be reached")]
    ProxyUnreachable,
}

impl Rejection {
    /// Returns `true` if the refusal of one method says that all others are refused too. The right
    /// to one section, or the section itself, may be missing while others are there.
    pub(crate) fn holds_for_all_methods(self) -> bool {
        match self {
            Self::MissingRight | Self::NotAllowed | Self::NotAPortal => false,
            Self::Credentials
            | Self::OwnerDismissed
            | Self::HttpsRequired
            | Self::Overload
            | Self::PlanWithoutRest
            | Self::PortalClosed
            | Self::Redirect
            | Self::Certificate
            | Self::ProxyRefuses
            | Self::ProxyUnreachable => true,
        }
    }
}

/// End of a call without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The client cannot complete the call.
    Client(ClientError),
    /// The portal refused the call and executed nothing.
    Refused(Refusal),
    /// A request that only reads has no usable response.
    Broken(String),
    /// The response to a request that writes does not tell if the portal executed it.
    Indeterminate(String, IndeterminateCause),
}

impl From<StopReason> for CallError {
    fn from(reason: StopReason) -> Self {
        Self::Client(reason.into())
    }
}

/// Kind of a response that leaves a write indeterminate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndeterminateCause {
    /// Refusal of the whole request because of a limit.
    Limit,
    /// Another refusal of the whole request: a credential, a redirect, an error code.
    Refusal(ClientError),
    /// No response, a cut one, or a malformed one. The portal may still be working on the request.
    NoAnswer,
}

/// Error of a transport that cannot be set up.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No trusted certificates are known.
    #[error("no root certificates are found on this machine")]
    NoRoots,
    /// The trusted files hold no readable certificate.
    #[error("the file holds no certificate that can be read")]
    BadRoots,
    /// The URL of the proxy is invalid.
    #[error("the address of the proxy cannot be used; it looks like http://proxy.example:3128")]
    BadProxy,
    /// Any other error.
    #[error("cannot set up HTTP")]
    Http(#[source] reqwest::Error),
}
