//! recard keeps the lead cards of a Bitrix24 portal at their defaults, from a manifest in git.

#[cfg(feature = "emulator")]
pub mod emulator;
pub mod model;
pub mod plan;
pub mod port;
pub mod portal;
