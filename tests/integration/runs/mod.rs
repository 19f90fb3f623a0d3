//! Plan, apply, restore, recover and drift from end to end: what holds, what is refused, what a
//! crash leaves.

mod app;
mod broken_answers;
mod card_kinds;
#[cfg(all(unix, feature = "postgres"))]
mod compose;
#[cfg(unix)]
mod crash;
mod drift;
mod fault_scripts;
mod fleet_modes;
mod fleet_outcomes;
#[cfg(unix)]
mod fleet_pauses;
#[cfg(unix)]
mod fleet_publications;
mod fleet_retries;
mod fleet_revisions;
mod fleet_selection;
mod fleet_status;
mod fleets;
mod guards;
#[cfg(unix)]
mod history;
#[cfg(unix)]
mod identity;
mod labels;
mod life_cycle;
#[cfg(unix)]
mod locks_and_signals;
#[cfg(unix)]
mod metrics;
mod once;
mod plan_files;
#[cfg(unix)]
mod reconcile;
mod renamed;
mod restore_filters;
mod restore_plans;
#[cfg(unix)]
mod rollouts;
#[cfg(unix)]
mod safeguards;
mod salvage;
mod undo_limits;
#[cfg(all(unix, feature = "postgres"))]
mod worker_crash;
#[cfg(unix)]
mod worker_fleets;
#[cfg(unix)]
mod worker_unusable;
#[cfg(unix)]
mod workers;
