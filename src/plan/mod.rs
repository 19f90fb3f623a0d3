//! Decisions: keep, reset or hold, each with its reason.
//!
//! Pure: [`plan`] takes the desired state, the snapshot and the policy, and returns a value. It
//! does no I/O, reads no clock, uses no randomness and cannot fail: a target without a possible
//! decision is [`Decision::Hold`]. Every target gets a decision, so that "why does nothing happen?"
//! has an answer.
//!
//! Beside the planner stand the verifier, which checks a plan with independent code
//! ([`verify_plan()`]), the guards, which measure the blast radius ([`GuardReport`]), and the
//! approval, without which no plan can be applied ([`ApprovedPlan`]).

mod advice;
mod approval;
mod decided;
mod decision;
pub mod diff;
mod drift;
mod guard;
mod once;
mod once_state;
mod planner;
mod policy;
mod set_form;
mod verify;

pub use advice::{Advice, Replaces};
pub use approval::{ApprovedPlan, NotApproved};
pub use decided::{Plan, PlanCounts, PlanExtent, PlannedTarget};
pub use decision::{Decision, HoldReason, KeepReason, Removal};
pub use drift::{Drift, DriftKind, DriftedCard};
pub use guard::{
    GuardReport, Impact, LimitSource, ManifestImpact, SpecialPerson, Violation, ViolationKind,
};
pub use once_state::OnceState;
pub use planner::plan;
pub use policy::{BlindReset, Policy};
pub use set_form::{RestoreLoss, SetForm};
pub use verify::{PlanDefect, verify_plan};

#[cfg(test)]
mod properties;
