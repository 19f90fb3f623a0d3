//! Records over many portals: the report, the file with a plan for each portal, revisions with
//! their heads, and the row of a portal in the work queue.

mod head;
mod plan_file;
mod queue_row;
mod report;
mod revision;
mod rollout_report;
mod signature;

pub use head::{FleetRecord, StoredPortal, decode_pause, encode_pause};
pub use plan_file::{FleetPlanFile, PlannedPortal, StoredSecret, StoredStopRule};
pub use queue_row::{QueueRow, decode_queue_row, encode_queue_row};
pub use report::{
    CauseGroup, FLEET_REPORT_FORMAT, FleetCounts, FleetReport, FleetViolation, LastRound,
    PortalOutcome, PortalRow,
};
pub use revision::{FleetRevision, RevisionContent, RevisionError};
pub use rollout_report::{RolloutPhase, RolloutReport, WaveReport, WorkerReport};
pub use signature::{KeyError, RevisionSignature, SignatureError, SigningKey, TrustedKey};
