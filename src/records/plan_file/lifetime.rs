//! Use of a plan file: the portal and the caller that it is bound to, and its lifetime.

use jiff::{SignedDuration, Timestamp};

use crate::model::{PortalId, UserId};

/// Tolerated difference of two machines' clocks.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Maximum lifetime of a plan.
pub const MAX_PLAN_AGE: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Portal, caller and lifetime of a plan file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanBinding<'a> {
    /// The portal.
    pub portal: &'a PortalId,
    /// The caller.
    pub caller: UserId,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time from which it is refused.
    pub expires: Timestamp,
}

impl PlanBinding<'_> {
    /// Returns `true` if the plan is too old to be executed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires
    }

    /// Returns `true` if the plan comes from a clock that is ahead by more than the tolerated
    /// difference.
    pub fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.created > now.saturating_add(MAX_CLOCK_SKEW).unwrap_or(now)
    }

    /// Returns `true` if the plan's lifetime exceeds the maximum.
    pub fn lasts_too_long(&self) -> bool {
        self.expires.duration_since(self.created) > MAX_PLAN_AGE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::plan_file::PlanContent as _;
    use crate::records::samples;

    #[test]
    fn plan_file_from_a_clock_far_ahead_is_from_the_future() {
        let content = samples::plan();
        let plan = content.binding();
        assert!(!plan.is_from_the_future(plan.created));
        assert!(!plan.is_from_the_future(plan.created - MAX_CLOCK_SKEW));
        assert!(
            plan.is_from_the_future(plan.created - MAX_CLOCK_SKEW - SignedDuration::from_nanos(1))
        );
    }

    #[test]
    fn plan_file_expires_at_the_end_of_its_lifetime() {
        let content = samples::plan();
        let plan = content.binding();
        assert!(!plan.is_expired(plan.created));
        assert!(!plan.is_expired(plan.expires - std::time::Duration::from_nanos(1)));
        assert!(plan.is_expired(plan.expires));
    }
}
