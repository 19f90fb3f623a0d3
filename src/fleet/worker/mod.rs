//! Worker: reconciles the portals of a fleet continuously, as long as it holds their leases.

mod lease_permit;

pub use lease_permit::{LeasePermit, Moment};
