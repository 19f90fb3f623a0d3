//! The decisions: what to keep, what to reset, what to hold, and why.
//!
//! Pure. [`plan`] takes what people want, what was seen and the rules, and returns a value; it asks
//! nobody, knows no clock and no chance, and cannot fail: what cannot be decided is a decision too,
//! [`Decision::Hold`]. Every target gets one, so that "why is nothing happening?" has an answer.
//!
//! Beside the planner stand a checker, which looks at a plan with other code and other eyes
//! ([`verify_plan()`]), the guards, which measure how many people a plan hits ([`GuardReport`]), and the
//! approval, without which nobody can apply ([`ApprovedPlan`]).

mod advice;
mod approval;
mod decision;
pub mod diff;
mod drift;
mod guard;
mod once;
mod planner;
mod verify;

pub use advice::{Advice, Replaces};
pub use approval::{ApprovedPlan, NotApproved};
pub use decision::{Decision, HoldReason, KeepReason, Removal};
pub use drift::{Drift, DriftKind, DriftedCard};
pub use guard::{
    GuardReport, Impact, LimitSource, ManifestImpact, SpecialPerson, Violation, ViolationKind,
};
pub use once::OnceState;
pub use planner::{BlindReset, Plan, PlanCounts, PlannedTarget, Policy, plan};
pub use verify::{PlanDefect, verify_plan};

#[cfg(test)]
mod properties;
