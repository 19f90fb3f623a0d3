//! What tests of several areas need.

pub mod company;
pub mod env;
pub mod journal;
pub mod page;
pub mod portal;
pub mod process;
pub mod raw;
pub mod reference;
pub mod sources;
pub mod wire;
