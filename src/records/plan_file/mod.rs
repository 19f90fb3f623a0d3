//! Plan file: a reviewed plan that may be executed once.
//!
//! It is bound to a portal, to its caller, to the meaning of the manifests and to the digest of
//! every layout that it removes, and it expires. It holds no secret and no card content, so it may
//! be an artifact of a pipeline.
//!
//! The file is canonical JSON (RFC 8785) with a seal: the SHA-256 sum of all other fields in it.
//! The seal detects an edited file; it is not a signature, and does not detect a file that was
//! sealed anew. The plan's id is the digest of its content, without format, id and seal: a
//! reformatted file is the same plan, and counts as used.
//!
//! There are two kinds: [`PlanFile`] for an apply, [`RestorePlanFile`] for a restore. Seal, id,
//! lifetime and the list of used plans are the same for both.

mod content;
mod error;
mod kind_names;
mod lifetime;
mod restore;
mod sealed_plan;
#[cfg(test)]
mod tests;
mod v1;
mod violation;

pub use content::{
    PlanFileContent, PlanFileMark, PlanFileTarget, PlanManifest, PlannedRemoval, plan_file_targets,
};
pub use error::PlanFileError;
pub use lifetime::{MAX_PLAN_AGE, PlanBinding};
pub use restore::{
    LayoutSummary, PlannedRestore, RestoreCounts, RestorePlanContent, RestorePlanTarget,
};
pub use sealed_plan::{PlanContent, SealedPlan};

/// Plan file of an apply.
pub type PlanFile = SealedPlan<PlanFileContent>;

/// Plan file of a restore.
pub type RestorePlanFile = SealedPlan<RestorePlanContent>;
