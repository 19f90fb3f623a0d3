//! Commands, one file each.

pub(super) mod about;
pub(super) mod apply;
pub(super) mod apply_plan_file;
pub(super) mod audit;
pub(super) mod card;
#[cfg(feature = "emulator")]
pub(super) mod demo;
pub(super) mod doctor;
mod doctor_cards;
pub(super) mod drift;
#[cfg(feature = "emulator")]
pub(super) mod emulate;
pub(super) mod explain;
pub(super) mod export;
pub(super) mod fleet;
pub(super) mod history;
pub(super) mod init;
mod init_program;
pub(super) mod inventory;
pub(super) mod ledger;
pub(super) mod man;
pub(super) mod plan;
pub(super) mod reconcile;
pub(super) mod recover;
pub(super) mod restore;
pub(super) mod restore_plan_file;
pub(super) mod restore_preview;
pub(super) mod schema;
pub(super) mod show;
pub(super) mod store;
pub(super) mod unlock;
pub(super) mod validate;
pub(super) mod worker;
