//! Plan of manifests, with what was found on the way to it.

use crate::diagnostic::Diagnostic;
use crate::model::{CardLabels, GuardLimits};
use crate::plan::Plan;

/// Plan, and what was found on the way to it.
#[derive(Debug)]
pub struct Planned {
    /// The plan, which the verifier accepted.
    pub plan: Plan,
    /// Problems of the manifests that the portal shows, and of the rights of the caller.
    pub warnings: Vec<Diagnostic>,
    /// Limits that the guards were measured against.
    pub limits: GuardLimits,
    /// Labels of the fields of the types that the manifests name.
    pub labels: CardLabels,
}
