//! Portals behind one address, told apart by host name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::server_state::EmulatedPortal;

/// Domain of the names of portals. Names below it always mean this machine (RFC 6761).
const DOMAIN: &str = ".localhost";

/// Portals behind one address.
#[derive(Debug)]
pub(super) struct Portals {
    /// The portal of every host name that names none.
    pub(super) first: Arc<EmulatedPortal>,
    /// The portals by host name; empty for an emulator of one portal.
    pub(super) named: BTreeMap<String, Arc<EmulatedPortal>>,
}

impl Portals {
    /// Returns the portal of a request, by its header `Host`; `None` for the name of no portal.
    pub(super) fn find(&self, host: Option<&str>) -> Option<&Arc<EmulatedPortal>> {
        let host = host.unwrap_or_default().to_ascii_lowercase();
        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        match self.named.get(name) {
            None if self.named.is_empty() || !name.ends_with(DOMAIN) => Some(&self.first),
            found => found,
        }
    }
}

/// Returns the host name of a portal, from 1 on: `p0001.localhost`.
pub(super) fn host_name(number: u32) -> String {
    format!("p{number:04}{DOMAIN}")
}
