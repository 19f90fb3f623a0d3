//! Approval: the right to apply a plan, as a value.

use super::{GuardReport, Plan, PlanDefect};

/// Plan that may be applied: the verifier found no defect, and every guard holds or is
/// acknowledged.
///
/// [`ApprovedPlan::new`] is the only constructor, and `apply` takes no other plan.
#[derive(Clone, Copy, Debug)]
pub struct ApprovedPlan<'a>(&'a Plan);

/// Reason why a plan may not be applied.
#[derive(Clone, Debug)]
pub enum NotApproved {
    /// A guard blocks it.
    Guards(Box<GuardReport>),
    /// The verifier found a defect: a bug in recard.
    Faulty(Vec<PlanDefect>),
}

impl<'a> ApprovedPlan<'a> {
    /// Approves a plan, given the defects that the verifier found.
    pub fn new(plan: &'a Plan, findings: Vec<PlanDefect>) -> Result<Self, NotApproved> {
        if !findings.is_empty() {
            return Err(NotApproved::Faulty(findings));
        }
        if !plan.guards.holds() {
            return Err(NotApproved::Guards(Box::new(plan.guards.clone())));
        }
        Ok(Self(plan))
    }

    /// Returns the plan.
    pub fn plan(self) -> &'a Plan {
        self.0
    }
}
