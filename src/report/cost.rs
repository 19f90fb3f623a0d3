//! Cost of an apply.

/// Estimated cost of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// HTTP requests.
    pub requests: u32,
    /// Seconds, by the model of the portal's limits.
    pub seconds: f64,
    /// The share of the operating time that the portal grants a method in ten minutes; 0.1 is a
    /// tenth.
    pub operating_share: f64,
}
