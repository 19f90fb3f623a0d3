//! recard keeps the lead cards of a Bitrix24 portal at their defaults, from a manifest in git.

pub mod diagnostic;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod engine;
pub mod format;
pub mod manifest;
pub mod model;
pub mod plan;
pub mod port;
pub mod portal;
pub mod report;
pub mod store;
