//! Context of a call: the request that it belongs to, and its position in a batch.

use crate::method::Caller;

/// Accepted request: its number, its caller and its webhook.
pub(super) struct RequestContext {
    pub(super) request: u64,
    pub(super) caller: Caller,
    pub(super) webhook: String,
}

/// Position of a call in its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallContext {
    /// The call is the whole request.
    Single,
    /// The call is a command of a batch.
    InBatch,
}
