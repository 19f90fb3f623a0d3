//! Fleets: what works over many portals, above the use cases of one portal.

pub mod rollout;
pub mod worker;
