//! What several tests need.

pub mod page;
pub mod raw;
pub mod recard;
pub mod reference;
pub mod wire;
