//! Ports: interfaces of the engine to the portal, the store and the clock, in words of the domain.
//!
//! The engine resolves, observes, applies, recovers and restores through these traits and never
//! sees HTTP or a file. The adapters are `portal` and `store`; the tests bring fakes that fail at
//! every step.
//!
//! Rights are types: [`ReadPortal`] has no method that writes, and a [`RunLog`] exists only while
//! its portal's lock is held.

mod fleet_state;
mod lease_permit;
mod permit;
mod portal;
mod rollout;
mod store;
mod work_queue;

pub use fleet_state::{
    CommandPause, DeclaredPause, FleetHead, FleetState, FleetView, NamedHead, Parked, PortalState,
    Publication, Published, PublishedPortal, Publisher, QueueState, RetriedPortal, RevisionRounds,
    WorkerSign,
};
pub use lease_permit::{LeasePermit, Moment};
pub use permit::{NoPermit, Permit};
pub use portal::{
    CardRead, CardSink, CardWrite, CatalogQuery, IndeterminateCause, Lane, MAX_WRITES_PER_REQUEST,
    NO_PIPELINE, PeopleQuery, PortalError, ReadPortal, Refusal, Rejection, SingleSet, WriteAnswer,
    WriteError, WriteEvidence, WritePortal,
};
pub use rollout::{HaltCause, Rollout, RolloutChange, RolloutState, RolloutStep, RolloutWave};
pub use store::{
    Archive, Interrupted, JournalLoss, JournalRecord, LockOwner, PlannedCard, RunHeader, RunLog,
    RunPurpose, SalvagedJournal, SetPurpose, StoreError,
};
pub use work_queue::{
    Claim, ClaimId, ClaimState, Extension, LaneLimits, ParkReason, QueueLane, QueueOverview,
    Release, RoundClass, RoundEnd, RoundResult, SecretMark, WorkQueue, Worker,
};

/// Clock. Only `cli` has the real one.
pub trait Clock: Send + Sync {
    /// Returns the time of day.
    fn now(&self) -> jiff::Timestamp;
}
