//! Changes of a fleet against what is published: the portals to which a revision would let workers
//! write otherwise than before.

use std::collections::BTreeMap;

use super::state;
use crate::manifest::{Fleet, FleetPortal, PortalMode};
use crate::model::{Digest, PortalId};
use crate::ports::FleetView;
use crate::store::Fleets;

/// Returns the number of portals on which a revision means another thing than the one that they are
/// on. One that workers only look at does not count, and one that is new does.
pub(in crate::cli) async fn number(
    state: &Fleets,
    view: Option<&FleetView>,
    fleet: &Fleet,
) -> usize {
    let portals = view.into_iter().flat_map(|view| &view.portals);
    let on: BTreeMap<&PortalId, Digest> =
        portals.filter_map(|portal| Some((&portal.published.portal, portal.revision?))).collect();
    let mut meant: BTreeMap<Digest, BTreeMap<PortalId, Digest>> = BTreeMap::new();
    for digest in on.values() {
        if !meant.contains_key(digest) {
            // A revision that cannot be read is no measure: every portal on it counts.
            let read = state::revision(state, *digest).await.ok();
            let fleet = read.and_then(|revision| revision.load().fleet);
            let portals = fleet.iter().flat_map(|fleet| &fleet.portals).filter_map(declared);
            meant.insert(*digest, portals.collect());
        }
    }
    let declared = fleet.portals.iter().filter_map(declared);
    let is_changed = |(portal, declared): &(PortalId, Digest)| {
        let before = on.get(portal).and_then(|on| meant.get(on)?.get(portal));
        before != Some(declared)
    };
    declared.filter(is_changed).count()
}

/// Returns a portal that workers may write to, and the digest of what is declared for it.
fn declared(portal: &FleetPortal) -> Option<(PortalId, Digest)> {
    let declaration = portal.declaration.as_ref().filter(|_| portal.mode == PortalMode::Apply)?;
    Some((portal.portal.clone()?, declaration.digest))
}
