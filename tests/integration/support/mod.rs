//! What tests of several areas need.

#[cfg(unix)]
pub mod browser;
pub mod company;
pub mod env;
pub mod journal;
pub mod large_plan;
pub mod memory_queue;
pub mod page;
#[cfg(all(unix, feature = "postgres"))]
pub mod pooler;
pub mod portal;
#[cfg(all(unix, feature = "postgres"))]
pub mod postgres;
pub mod process;
pub mod raw;
pub mod reference;
pub mod session;
pub mod sources;
#[cfg(unix)]
pub mod tools;
pub mod wait;
pub mod wire;
