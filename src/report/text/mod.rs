//! Reports as text for people: plans, restores, runs and drift.

pub(super) mod drift;
pub(super) mod plan;
pub(super) mod restore;
pub(super) mod run;
