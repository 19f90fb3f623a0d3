//! Portal that a worker holds, and what that means for its requests.

use std::sync::Arc;
use std::time::Duration;

use super::env;
use crate::app::RunOrigin;
use crate::portal::PortalSettings;
use crate::ports::{Claim, Permit};

/// Portal that a worker holds.
#[derive(Clone)]
pub(super) struct HeldPortal {
    /// The claim.
    pub(super) claim: Claim,
    /// The permission for each request that writes.
    pub(super) permit: Arc<dyn Permit>,
    /// The timeout of a request, which the permit counts on.
    pub(super) request_timeout: Duration,
}

impl HeldPortal {
    /// Sets what the requests of the portal need. Returns the claim.
    pub(super) fn apply(self, settings: &mut PortalSettings) -> Claim {
        let Self { claim, permit, request_timeout } = self;
        settings.write_permit =
            Arc::new(move || permit.check().map_err(|refusal| refusal.reason().to_owned()));
        settings.request_timeout = request_timeout;
        claim
    }
}

/// Returns the origin of the runs of this process. Those of a worker name the revision.
pub(super) fn origin(claim: Option<&Claim>) -> RunOrigin {
    let origin = env::origin();
    match claim {
        Some(claim) => {
            RunOrigin { actor: format!("worker, revision {}", claim.revision), ..origin }
        }
        None => origin,
    }
}
