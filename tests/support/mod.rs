//! Shared code of the tests.

pub mod company;
pub mod page;
#[cfg(feature = "emulator")]
pub mod portal;
pub mod raw;
pub mod recard;
pub mod reference;
pub mod wire;
