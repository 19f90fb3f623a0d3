//! What several tests need.

pub mod raw;
pub mod wire;
