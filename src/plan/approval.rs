//! The right to apply a plan, as a value.

use super::{GuardReport, Plan, PlanDefect};

/// A plan that may be applied: the checker found nothing, and every guard holds or is acknowledged.
///
/// There is no other way to make one, and `apply` takes nothing else.
#[derive(Clone, Copy, Debug)]
pub struct ApprovedPlan<'a>(&'a Plan);

/// Why a plan may not be applied.
#[derive(Clone, Debug)]
pub enum NotApproved {
    /// A guard stands against it.
    Guards(Box<GuardReport>),
    /// The checker found a fault: a bug in recard.
    Faulty(Vec<PlanDefect>),
}

impl<'a> ApprovedPlan<'a> {
    /// Approves a plan, given what the checker found.
    pub fn new(plan: &'a Plan, findings: Vec<PlanDefect>) -> Result<Self, NotApproved> {
        if !findings.is_empty() {
            return Err(NotApproved::Faulty(findings));
        }
        if !plan.guards.holds() {
            return Err(NotApproved::Guards(Box::new(plan.guards.clone())));
        }
        Ok(Self(plan))
    }

    /// The plan.
    pub fn plan(self) -> &'a Plan {
        self.0
    }
}
