//! All integration tests, in one binary: one module an area. CONTRIBUTING.md says which test
//! belongs where.
//!
//! The tests of all areas share a process. None changes what belongs to the process: the folder it
//! runs in, its environment, its signal handlers, the subscriber of its log. A test that needs
//! such a change starts a process of its own (`crate::support::process`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, reason = "nothing outside of this binary can reach a test")]

mod cli;
mod emulator;
mod engine;
mod portal;
mod repository;
mod runs;
mod store;
mod support;
