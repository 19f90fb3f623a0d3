//! Portal, store, caller and clock of one use case.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::observer::{Observer, Warning};
use crate::engine::CancellationToken;
use crate::model::{CardLabels, Identity, ReadTrust, ReleaseSign, TrustEvidence};
use crate::portal::{Estimate, HttpPortal, PlannedWork};
use crate::ports::{Claim, Clock, LockOwner, StoreError};
use crate::records::ReadProof;
use crate::store::Store;

/// Age at which the stored proof of a release is written again.
const PROOF_MAX_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Origin of a run, as its records name it.
#[derive(Clone, Debug, Default)]
pub struct RunOrigin {
    /// Process id.
    pub process: u32,
    /// Name of the machine.
    pub host: String,
    /// Person or pipeline; may be empty.
    pub actor: String,
    /// Commit of the manifests, if it is known.
    pub commit: Option<String>,
}

impl RunOrigin {
    /// Returns the owner of a lock that is taken at a time.
    pub fn lock_owner(&self, command: &str, since: Timestamp) -> LockOwner {
        LockOwner {
            process: self.process,
            host: self.host.clone(),
            actor: self.actor.clone(),
            command: command.to_owned(),
            since: since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

/// Portal, store, caller and clock of one use case.
pub struct Session {
    /// Portal.
    pub portal: HttpPortal,
    /// Part of the store that belongs to the portal.
    pub store: Store,
    /// Owner of the webhook.
    pub caller: Identity,
    /// Labels of the fields; those of leads come with the caller, others with the manifests.
    pub labels: CardLabels,
    /// Origin of the runs of this session.
    pub origin: RunOrigin,
    /// Time of day.
    pub clock: Arc<dyn Clock>,
    /// Token that stops a run in order.
    pub cancellation: CancellationToken,
    /// Claim of the worker whose round this is. Its lease is the lock then.
    pub claim: Option<Claim>,
}

impl Session {
    /// Returns the time of day.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns what work costs by the model of the portal's limits.
    pub fn estimate(&self, work: PlannedWork) -> Estimate {
        self.portal.estimate(work)
    }

    /// Returns how long work takes, counted from now.
    pub fn duration_estimator(
        &self,
    ) -> impl Fn(PlannedWork) -> Option<Duration> + Send + Sync + 'static {
        let portal = self.portal.clone();
        move |work| Some(portal.estimate(work).time)
    }

    /// Stores the proof that the reads of a command showed, for later commands that may find no
    /// card to compare.
    pub async fn save_proof(&self, observer: &impl Observer, trust: ReadTrust) {
        match (trust, self.caller.release_sign) {
            (_, ReleaseSign::Trusted(_) | ReleaseSign::Old)
            | (ReadTrust::NotTrusted | ReadTrust::Unproven, _) => {}
            (ReadTrust::Trusted(evidence), _) if !evidence.is_seen() => {}
            (ReadTrust::Trusted(evidence), ReleaseSign::Earlier(_) | ReleaseSign::Unknown) => {
                let kept = self.store.read_proof().await.ok().flatten();
                let saved = save_proof(&self.store, kept.as_ref(), evidence, self.now()).await;
                if let Err(error) = saved {
                    observer.warn(Warning::ProofNotSaved(error));
                }
            }
        }
    }
}

/// Stores a proof, unless the same was stored within a day.
pub async fn save_proof(
    store: &Store,
    kept: Option<&ReadProof>,
    evidence: TrustEvidence,
    at: Timestamp,
) -> Result<(), StoreError> {
    let is_fresh = |kept: &ReadProof| {
        let age = at.duration_since(kept.at);
        kept.evidence == evidence && !age.is_negative() && age < PROOF_MAX_AGE
    };
    match kept.is_some_and(is_fresh) {
        true => Ok(()),
        false => {
            let portal = store.portal().clone();
            store.save_read_proof(&ReadProof { at, portal, evidence }).await
        }
    }
}
