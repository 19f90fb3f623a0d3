//! What several tests need.

pub mod raw;
pub mod recard;
pub mod wire;
