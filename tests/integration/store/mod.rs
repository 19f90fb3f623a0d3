//! The store on a disk: locks between processes, damaged files.

mod corruption;
mod folder_queue;
mod locking;
pub(crate) mod queue_laws;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
