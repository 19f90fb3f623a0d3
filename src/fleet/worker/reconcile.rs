//! One claim, from its round to its release.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{sleep, timeout};

use super::{
    LeasePermit, Moment, RoundControl, RoundEnding, RoundFailure, RoundOutcome, Rounds,
    WorkerSettings, WorkerStatus, due_after_failure, due_after_success,
};
use crate::app::panic_text;
use crate::engine::{CancellationHandle, CancellationToken, cancellation};
use crate::model::PortalId;
use crate::ports::{
    Claim, ClaimId, ClaimState, Extension, ParkReason, QueueLane, Release, RoundClass, RoundEnd,
    RoundResult, StoreError, WorkQueue,
};

/// Number of workers that may die while they hold a portal. Then it is parked.
const MAX_DEATHS: u32 = 3;

/// Pause between attempts to release a claim.
const RELEASE_PAUSE: Duration = Duration::from_secs(1);

/// Claims that this worker works on.
#[derive(Default)]
pub(super) struct Running(Mutex<BTreeMap<PortalId, Held>>);

struct Held {
    claim: ClaimId,
    permit: Arc<LeasePermit>,
    handle: CancellationHandle,
    is_lost: bool,
}

impl Running {
    /// Returns the ids of all claims.
    pub(super) fn claims(&self) -> Vec<ClaimId> {
        self.held().values().map(|held| held.claim).collect()
    }

    /// Takes the answer to a heartbeat that asked for these claims: those that are missing are
    /// lost.
    pub(super) fn extend(&self, asked: Moment, claims: &[ClaimId], extensions: &[Extension]) {
        let extensions: BTreeMap<ClaimId, Duration> =
            extensions.iter().map(|extension| (extension.claim, extension.left)).collect();
        for held in self.held().values_mut().filter(|held| claims.contains(&held.claim)) {
            match extensions.get(&held.claim) {
                Some(left) => held.permit.extend(asked, *left),
                None => held.lose(),
            }
        }
    }

    /// Stops all rounds in order.
    pub(super) fn stop(&self, reason: &str) {
        self.held().values().for_each(|held| held.handle.cancel(reason));
    }

    /// Notes a claim. Returns `false` if the portal is still worked on; that claim is lost then.
    fn begin(&self, claim: &Claim, permit: &Arc<LeasePermit>, handle: CancellationHandle) -> bool {
        let mut all = self.held();
        if let Some(held) = all.get_mut(&claim.portal) {
            held.lose();
            return false;
        }
        let held = Held { claim: claim.id, permit: Arc::clone(permit), handle, is_lost: false };
        all.insert(claim.portal.clone(), held);
        true
    }

    fn is_lost(&self, portal: &PortalId) -> bool {
        self.held().get(portal).is_some_and(|held| held.is_lost)
    }

    fn end(&self, portal: &PortalId) {
        self.held().remove(portal);
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<PortalId, Held>> {
        // Every change is one insertion or removal, so that a panic leaves a valid map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn lose(&mut self) {
        self.is_lost = true;
        // The permit first: the round may still be sending.
        self.permit.withdraw();
        self.handle.cancel(tr_later!("the lease of the portal was lost"));
    }
}

/// Parts of a worker that each claim needs.
pub(super) struct Reconciler<'a, Q, R> {
    pub(super) queue: &'a Q,
    pub(super) rounds: &'a R,
    pub(super) settings: &'a WorkerSettings,
    pub(super) status: &'a WorkerStatus,
    pub(super) running: &'a Running,
    /// Cancelled when the worker is told to stop.
    pub(super) stop: &'a CancellationToken,
}

impl<Q: WorkQueue, R: Rounds> Reconciler<'_, Q, R> {
    /// Works on a claim until it has ended. Returns the lane that has a free slot then.
    pub(super) async fn reconcile(&self, claim: Claim, permit: Arc<LeasePermit>) -> QueueLane {
        let ending = self.end_of(&claim, permit).await;
        tracing::info!(
            portal = claim.portal.as_str(),
            claim = %claim.id,
            token = claim.token,
            ending = ending.as_str(),
            overdue_milliseconds = u64::try_from(claim.overdue.as_millis()).unwrap_or(u64::MAX),
            "round"
        );
        self.status.ended(claim.lane(), ending);
        claim.lane()
    }

    async fn end_of(&self, claim: &Claim, permit: Arc<LeasePermit>) -> RoundEnding {
        if claim.attempts > MAX_DEATHS {
            return self.park(claim, &ParkReason::Deaths(claim.attempts - 1)).await;
        }
        if self.stop.reason().is_some() {
            return self.give_back(claim, Duration::ZERO).await;
        }
        let (handle, cancellation) = cancellation();
        if !self.running.begin(claim, &permit, handle.clone()) {
            // The round of the claim before is stopped, which takes a moment.
            return self.give_back(claim, self.settings.lease.heartbeat()).await;
        }
        let control = RoundControl { permit: Arc::clone(&permit), cancellation };
        let outcome = self.round(claim, &control, &handle).await;
        let ending = self.finish(claim, outcome).await;
        self.running.end(&claim.portal);
        ending
    }

    /// Runs the round. One that is stopped and does not end is dropped.
    async fn round(
        &self,
        claim: &Claim,
        control: &RoundControl,
        handle: &CancellationHandle,
    ) -> RoundOutcome {
        let is_late = Cell::new(false);
        let limit = async {
            tokio::select! {
                () = control.cancellation.cancelled() => {}
                () = sleep(self.settings.round) => {
                    is_late.set(true);
                    handle.cancel(tr_later!("the round took too long"));
                }
            }
            // Longer than the answer to a write in flight may take.
            sleep(self.settings.lease.lease).await;
        };
        // Nothing of the round is used after a panic.
        let round = AssertUnwindSafe(self.rounds.round(claim, control)).catch_unwind();
        let ended = tokio::select! {
            biased;
            ended = round => ended,
            () = limit => Ok(RoundOutcome::Stopped),
        };
        // What may be left of it, such as a connection, writes nothing any more.
        control.permit.withdraw();
        let failed = |failure| RoundOutcome::Ended(self.rounds.failed(claim, failure));
        match ended {
            Err(panic) => failed(RoundFailure::Panicked(panic_text(panic.as_ref()))),
            Ok(RoundOutcome::Stopped) if is_late.get() => {
                failed(RoundFailure::Late(self.settings.round))
            }
            Ok(outcome) => outcome,
        }
    }

    async fn finish(&self, claim: &Claim, outcome: RoundOutcome) -> RoundEnding {
        if self.running.is_lost(&claim.portal) {
            return RoundEnding::Lost;
        }
        match outcome {
            RoundOutcome::Ended(result) => self.release(claim, result).await,
            RoundOutcome::Stopped => self.give_back(claim, Duration::ZERO).await,
            RoundOutcome::NotNow { due_in } => self.give_back(claim, due_in).await,
            RoundOutcome::Parked(reason) => self.park(claim, &reason).await,
        }
    }

    async fn release(&self, claim: &Claim, result: RoundResult) -> RoundEnding {
        let every = self.rounds.every(claim);
        let (due_in, ending) = match result.class {
            Some(RoundClass::Succeeded) => {
                (due_after_success(every, rand::random()), RoundEnding::Succeeded)
            }
            Some(RoundClass::Failed) | None => {
                let failures = claim.failures.saturating_add(1);
                (due_after_failure(every, failures, rand::random()), RoundEnding::Failed)
            }
        };
        let release = Release { end: RoundEnd::Ended(result), due_in };
        self.until_answered(ending, || self.queue.release(claim, &release)).await
    }

    async fn give_back(&self, claim: &Claim, due_in: Duration) -> RoundEnding {
        let release = Release { end: RoundEnd::GivenBack, due_in };
        self.until_answered(RoundEnding::GivenBack, || self.queue.release(claim, &release)).await
    }

    async fn park(&self, claim: &Claim, reason: &ParkReason) -> RoundEnding {
        self.until_answered(RoundEnding::Parked, || self.queue.park(claim, reason)).await
    }

    /// Calls the queue until it answers. A call that is repeated changes nothing twice.
    async fn until_answered<F: Future<Output = Result<ClaimState, StoreError>>>(
        &self,
        ending: RoundEnding,
        call: impl Fn() -> F,
    ) -> RoundEnding {
        let mut is_first = true;
        loop {
            match timeout(self.settings.lease.heartbeat(), call()).await {
                Ok(Ok(ClaimState::Current)) => return ending,
                // The answer to an earlier call was lost, or the claim was.
                Ok(Ok(ClaimState::Lost)) if !is_first => return ending,
                Ok(Ok(ClaimState::Lost)) => return RoundEnding::Lost,
                Ok(Err(error)) => tracing::warn!(%error, "claim not ended"),
                Err(_) => tracing::warn!("claim not ended: no answer"),
            }
            is_first = false;
            sleep(RELEASE_PAUSE).await;
        }
    }
}
