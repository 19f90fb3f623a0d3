//! The store on a disk: locks between processes, damaged files.

mod corruption;
pub(crate) mod fleet_laws;
mod folder_fleets;
mod folder_queue;
mod locking;
mod lost_journals;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
pub(crate) mod queue_laws;
pub(crate) mod store_laws;
