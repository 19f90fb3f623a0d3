//! Round of a worker over one portal, as the worker sees it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::LeasePermit;
use crate::engine::CancellationToken;
use crate::model::PortalId;
use crate::ports::{Claim, ParkReason, RoundResult, SecretMark};

/// Rounds over portals.
pub trait Rounds {
    /// Reconciles the portal of a claim: recovers what an earlier holder left, and applies. Every
    /// request that writes asks the permit of the control.
    ///
    /// After a cancellation the round ends at once if it has not begun to write; else it ends in
    /// order.
    fn round(&self, claim: &Claim, control: &RoundControl) -> impl Future<Output = RoundOutcome>;

    /// Returns the result of a round that ended without one.
    fn failed(&self, claim: &Claim, failure: RoundFailure) -> RoundResult;

    /// Returns the interval between the rounds of the portal of a claim.
    fn every(&self, claim: &Claim) -> Duration;

    /// Returns `true` if another secret than the one with this mark stands in its place.
    fn has_other_secret(&self, portal: &PortalId, refused: &SecretMark) -> bool;
}

/// What a worker grants to a round, and takes from it.
#[derive(Clone)]
pub struct RoundControl {
    /// Permit for each request that writes.
    pub permit: Arc<LeasePermit>,
    /// Token that stops the round.
    pub cancellation: CancellationToken,
}

/// End of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoundOutcome {
    /// It ended by itself.
    Ended(RoundResult),
    /// It stopped before its end, because it was cancelled.
    Stopped,
    /// The portal is not for this worker now: another process has it, or a newer version must
    /// recover it.
    NotNow {
        /// The time after which it is tried again.
        due_in: Duration,
    },
    /// The portal needs a person.
    Parked(ParkReason),
}

/// Failure of a round that ended without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoundFailure {
    /// It panicked; the text is that of the panic.
    Panicked(String),
    /// It took longer than it may.
    Late(Duration),
}
