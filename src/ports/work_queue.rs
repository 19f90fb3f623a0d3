//! Port of the work queue: which portals are due, and which worker may reconcile each.
//!
//! The queue holds one row for each portal of a fleet. A worker claims rows that are due, keeps
//! the claims with a heartbeat, and ends each with a release or by parking the portal. Every
//! method is one atomic step of the queue.
//!
//! # Time
//!
//! Leases and due times are measured by the clock of the queue alone. Answers therefore hold
//! durations, counted from some moment between the call and its answer. A worker counts them from
//! the moment *before* the call, so that its own view of a lease never outlasts that of the queue.
//!
//! # Laws
//!
//! 1. A portal has at most one claim with a living lease.
//! 2. Each claim of a portal has a greater token than every earlier one, and an id that no other
//!    claim ever had. After the failover of a server a token may come twice; an id never does.
//! 3. A claim that was lost, released or parked changes nothing any more: its calls answer
//!    [`ClaimState::Lost`].
//! 4. A portal is claimed only if it is due, neither paused nor parked, and without a living
//!    lease.
//! 5. `attempts` counts the claims of a portal since the last one that ended with a release. It is
//!    above one in a claim only if a worker ended without a release.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use super::StoreError;
use crate::model::{Digest, PortalId};

/// Queue of the portals of a fleet.
///
/// A dropped call may have been executed or not. No method waits for a lease or for work.
pub trait WorkQueue: Send + Sync {
    /// Claims portals that are due, the longest overdue first within each lane, and at most so
    /// many of each lane. Rows that another call has locked are skipped.
    ///
    /// Each claim gets the next token of its portal, a new random id, a lease, and one more
    /// attempt.
    ///
    /// # Errors
    ///
    /// If the queue could not be asked. Claims of a call that failed end with their lease.
    fn claim(
        &self,
        worker: &Worker,
        limits: LaneLimits,
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<Claim>, StoreError>> + Send;

    /// Extends the leases of claims to this length from now, in one step, and notes that the
    /// worker is alive. Called without a claim as well. A claim that is not in the answer is lost.
    ///
    /// A lease that has ended is extended if no other worker has claimed the portal since.
    ///
    /// # Errors
    ///
    /// If the queue could not be asked. Then no lease may be counted as extended.
    fn extend(
        &self,
        worker: &Worker,
        claims: &[ClaimId],
        lease: Duration,
    ) -> impl Future<Output = Result<Vec<Extension>, StoreError>> + Send;

    /// Ends a claim with the end of its round.
    fn release(
        &self,
        claim: &Claim,
        release: &Release,
    ) -> impl Future<Output = Result<ClaimState, StoreError>> + Send;

    /// Ends a claim and parks its portal: it is not due before it is freed. Attempts become zero.
    fn park(
        &self,
        claim: &Claim,
        reason: &ParkReason,
    ) -> impl Future<Output = Result<ClaimState, StoreError>> + Send;

    /// Returns the portals that are parked for a refused webhook, with the mark of the secret.
    fn refused_webhooks(
        &self,
    ) -> impl Future<Output = Result<Vec<(PortalId, SecretMark)>, StoreError>> + Send;

    /// Frees a portal that is parked for the webhook with this mark, and makes it due. Does
    /// nothing if the portal is not parked, or for another reason.
    fn free(
        &self,
        portal: &PortalId,
        refused: &SecretMark,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Returns the numbers of portals by state, for metrics.
    fn overview(&self) -> impl Future<Output = Result<QueueOverview, StoreError>> + Send;

    /// Notes that the worker has ended. Its claims were released before.
    fn sign_off(&self, worker: &Worker) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Worker as the queue names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Its id: the name of the machine and a random part. No two processes share one.
    pub id: String,
    /// Version of the program.
    pub version: String,
}

/// Lane of a portal in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueLane {
    /// Portals whose last round did not fail.
    Healthy,
    /// Portals whose last round failed.
    Failing,
    /// Portals on which a worker ended without a release, whatever their last round.
    Suspect,
}

impl QueueLane {
    /// Returns the lane of a portal, from its row before the claim.
    pub fn of_row(attempts: u32, failures: u32) -> Self {
        match (attempts, failures) {
            (0, 0) => Self::Healthy,
            (0, _) => Self::Failing,
            (_, _) => Self::Suspect,
        }
    }
}

/// Maximum number of portals that one call claims of each lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// Of [`QueueLane::Healthy`].
    pub healthy: usize,
    /// Of [`QueueLane::Failing`].
    pub failing: usize,
    /// Of [`QueueLane::Suspect`].
    pub suspect: usize,
}

impl LaneLimits {
    /// Returns the limit of a lane.
    pub fn limit(&self, lane: QueueLane) -> usize {
        match lane {
            QueueLane::Healthy => self.healthy,
            QueueLane::Failing => self.failing,
            QueueLane::Suspect => self.suspect,
        }
    }

    /// Returns `true` if nothing can be claimed.
    pub fn is_zero(&self) -> bool {
        let Self { healthy, failing, suspect } = *self;
        healthy + failing + suspect == 0
    }
}

/// Random id of a claim, 128 bits. Its text form is 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimId(u128);

impl ClaimId {
    /// Returns the id of a number.
    pub fn new(number: u128) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub fn number(self) -> u128 {
        self.0
    }
}

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Exclusive right to reconcile a portal for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The id.
    pub id: ClaimId,
    /// The portal.
    pub portal: PortalId,
    /// The token, which every write to the store names.
    pub token: u64,
    /// The digest of the revision that the portal is reconciled with.
    pub revision: Digest,
    /// Claims since the last release, with this one.
    pub attempts: u32,
    /// Failed rounds since the last one that did not fail.
    pub failures: u32,
    /// The time for which the lease still lasts.
    pub left: Duration,
    /// The time for which the portal has been due.
    pub overdue: Duration,
}

impl Claim {
    /// Returns the lane that the portal was claimed from.
    pub fn lane(&self) -> QueueLane {
        QueueLane::of_row(self.attempts.saturating_sub(1), self.failures)
    }
}

/// Extended lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The claim.
    pub claim: ClaimId,
    /// The time for which the lease still lasts.
    pub left: Duration,
}

/// State in which a call found its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// The claim was the present one; the call is done.
    Current,
    /// The claim was no longer the present one; nothing was changed.
    Lost,
}

/// End of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What became of the round.
    pub end: RoundEnd,
    /// The time after which the portal is due again. A portal that got another revision since the
    /// claim is due at once.
    pub due_in: Duration,
}

/// End of the round of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoundEnd {
    /// The round ended. Attempts become zero; failures become zero or one more.
    Ended(RoundResult),
    /// There was no round: the worker ends, the portal is in use, or a newer worker must recover
    /// it. Attempts become what they were before the claim; failures and the last result stay.
    GivenBack,
}

/// Result of a round, as the queue keeps it for the rollout and for `fleet status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundResult {
    /// The class; `None` if the portal could not be reached and nothing was written. Such a round
    /// is one more failure of the portal, and says nothing about its revision.
    pub class: Option<RoundClass>,
    /// The number of people whose cards the round reset.
    pub people: u32,
    /// The row of the portal in the report over the fleet, as `records` writes it.
    pub row: String,
}

/// Class of the result of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundClass {
    /// The round did what it was for.
    Succeeded,
    /// The round failed, a guard blocked it, cards are held, or an outcome is not known.
    Failed,
}

/// Reason why a portal is parked. Only `fleet retry` frees it, but for a refused webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParkReason {
    /// This number of workers ended without a release while they held the portal.
    Deaths(u32),
    /// The portal refuses the webhook for good. Another secret in its place frees the portal.
    WebhookRefused(SecretMark),
    /// The recovery of an interrupted run needs a person. The text is the problem, in English.
    RecoveryNeedsPerson(String),
    /// The row of the portal in the queue is damaged. It is never written with this reason: the
    /// state shows it. The text is the problem.
    UnreadableRow(String),
}

/// Salted digest of a secret, by which another secret in its place is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMark {
    /// Random salt, as text.
    pub salt: String,
    /// Digest of salt and secret.
    pub digest: Digest,
}

/// Numbers of portals by state. The first five count every portal once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueOverview {
    /// Parked.
    pub parked: u64,
    /// Paused and not parked.
    pub paused: u64,
    /// Claimed, with a living lease.
    pub claimed: u64,
    /// Due, without a living lease, neither parked nor paused.
    pub due: u64,
    /// Not due yet.
    pub waiting: u64,
    /// Portals of any state whose last round failed.
    pub failing: u64,
    /// Time for which the longest overdue of the due portals has been due.
    pub oldest_overdue: Duration,
}
