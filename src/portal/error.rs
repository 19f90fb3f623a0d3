//! Errors of the REST client in the words of the port.

use bitrix24::{CallError, ClientError, StopReason};

use crate::ports::{IndeterminateCause, Lane, PortalError, Refusal, Rejection, WriteError};

impl From<ClientError> for PortalError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Rejected(rejection, bitrix24::Refusal { code, message }) => {
                Self::Rejected { rejection: rejection.into(), code, message }
            }
            ClientError::NotExecuted(text) => Self::NotExecuted(text),
            ClientError::MaybeExecuted(text) => Self::MaybeExecuted(text),
            ClientError::Unexpected(text) => Self::Unexpected(text),
            ClientError::Stopped(reason) => Self::Stopped(stop_text(reason)),
        }
    }
}

/// Returns the text of a stop, which reports translate.
fn stop_text(reason: StopReason) -> String {
    let text = match reason {
        StopReason::Canceled(reason) | StopReason::NotPermitted(reason) => return reason,
        StopReason::DeadlinePassed => tr_later!("the deadline has passed"),
        StopReason::DeadlineTooClose => tr_later!("the deadline would pass while waiting"),
        StopReason::LimitsAfterEnd => {
            tr_later!("the portal's limits still hold up requests after the end of the run")
        }
    };
    text.to_owned()
}

impl From<bitrix24::Refusal> for Refusal {
    fn from(refusal: bitrix24::Refusal) -> Self {
        let bitrix24::Refusal { code, message } = refusal;
        Self { code, message }
    }
}

impl From<bitrix24::Rejection> for Rejection {
    fn from(rejection: bitrix24::Rejection) -> Self {
        match rejection {
            bitrix24::Rejection::Credentials => Self::Credentials,
            bitrix24::Rejection::OwnerDismissed => Self::OwnerDismissed,
            bitrix24::Rejection::MissingRight => Self::MissingRight,
            bitrix24::Rejection::NotAllowed => Self::NotAllowed,
            bitrix24::Rejection::HttpsRequired => Self::HttpsRequired,
            bitrix24::Rejection::Overload => Self::Overload,
            bitrix24::Rejection::PlanWithoutRest => Self::PlanWithoutRest,
            bitrix24::Rejection::PortalClosed => Self::PortalClosed,
            bitrix24::Rejection::Redirect => Self::Redirect,
            bitrix24::Rejection::NotAPortal => Self::NotAPortal,
            bitrix24::Rejection::Certificate => Self::Certificate,
            bitrix24::Rejection::ProxyRefuses => Self::ProxyRefuses,
            bitrix24::Rejection::ProxyUnreachable => Self::ProxyUnreachable,
        }
    }
}

impl From<Lane> for bitrix24::Lane {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Planned => Self::Normal,
            Lane::Compensation => Self::Urgent,
        }
    }
}

impl From<bitrix24::IndeterminateCause> for IndeterminateCause {
    fn from(cause: bitrix24::IndeterminateCause) -> Self {
        match cause {
            bitrix24::IndeterminateCause::Limit => Self::Limit,
            bitrix24::IndeterminateCause::Refusal(error) => Self::Refusal(error.into()),
            bitrix24::IndeterminateCause::NoAnswer => Self::NoAnswer,
        }
    }
}

/// Converts the error of a write call to that of the port.
pub(super) fn write_error(error: CallError) -> WriteError {
    match error {
        CallError::Client(error) => WriteError::NotSent(error.into()),
        CallError::Indeterminate(reason, cause) => {
            WriteError::Indeterminate { reason, cause: cause.into() }
        }
        CallError::Refused(refusal) => {
            let reason = refusal.to_string();
            let cause = IndeterminateCause::Refusal(PortalError::Unexpected(reason.clone()));
            WriteError::Indeterminate { reason, cause }
        }
        CallError::Broken(reason) => {
            WriteError::Indeterminate { reason, cause: IndeterminateCause::NoAnswer }
        }
    }
}
