//! The store on a disk: locks between processes, damaged files.

mod corruption;
mod locking;
