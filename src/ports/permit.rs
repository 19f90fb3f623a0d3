//! Port of the permit: permission to send a request that writes to a portal.

/// Permission to send a request that writes to a portal, asked immediately before each.
///
/// A permit covers one request until its timeout: in this time no other process may get the right
/// to write to the portal.
pub trait Permit: Send + Sync {
    /// Returns at once.
    ///
    /// # Errors
    ///
    /// If nothing may be sent now.
    fn check(&self) -> Result<(), NoPermit>;
}

/// Reason for which nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPermit {
    /// The lease was lost: another worker may hold the portal.
    Lost,
    /// By the monotonic clock the lease ends before a request may end.
    EndsTooSoon,
    /// By the time of day the lease ends before a request may end: the machine was suspended, or
    /// its clock was set.
    EndsTooSoonByTimeOfDay,
}

impl NoPermit {
    /// Returns the text, which reports translate.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Lost => tr_later!("the lease of the portal was lost"),
            Self::EndsTooSoon => tr_later!("the lease of the portal ends too soon for a request"),
            Self::EndsTooSoonByTimeOfDay => {
                tr_later!("by the time of day the lease of the portal ends too soon for a request")
            }
        }
    }
}
