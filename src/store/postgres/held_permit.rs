//! Permit of the lease that this process holds of a portal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::ports::{LeasePermit, NoPermit, Permit as _};

/// Permit of a lease, once it is held. Clones share it.
#[derive(Clone, Default)]
pub(in crate::store) struct HeldPermit(Arc<Mutex<Option<Arc<LeasePermit>>>>);

impl HeldPermit {
    /// Asks the permit of the lease; without a lease nothing may be sent.
    pub(in crate::store) fn check(&self) -> Result<(), NoPermit> {
        self.permit().as_ref().map_or(Err(NoPermit::Lost), |permit| permit.check())
    }

    /// Puts the permit of a new lease in the place of the last one.
    pub(super) fn set(&self, permit: &Arc<LeasePermit>) {
        *self.permit() = Some(Arc::clone(permit));
    }

    fn permit(&self) -> MutexGuard<'_, Option<Arc<LeasePermit>>> {
        // Every change is one assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for HeldPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldPermit({:?})", self.check())
    }
}
