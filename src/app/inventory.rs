//! Inventory of the cards of all people. Reads only, by type.

use super::observer::{Observer, Warning};
use super::{Error, Phase, Session};
use crate::engine::{self, CardInventory, KindSelection, ListedKinds};

/// Reads the cards of all active people, of some kinds.
///
/// # Errors
///
/// If the portal cannot be read, or does not list one of the kinds.
pub async fn inventory(
    session: &Session,
    selection: &KindSelection,
    observer: &impl Observer,
) -> Result<CardInventory, Error> {
    let progress = observer.progress();
    let kinds = listed_kinds(session, selection, observer).await?;
    let reader = session.portal.reader();
    let taken = engine::take_inventory(&reader, &session.caller, kinds, &progress).await;
    let inventory = taken.map_err(|error| Error::Portal(Phase::Inventory, error))?;
    session.save_proof(observer, inventory.snapshot.trust).await;
    Ok(inventory)
}

/// Looks up kinds of cards. One that the portal does not list must not be read: an old portal would
/// create it, and another kind's card would be read as its own. Of all kinds, some may be hidden
/// from the caller.
pub(super) async fn listed_kinds(
    session: &Session,
    selection: &KindSelection,
    observer: &impl Observer,
) -> Result<ListedKinds, Error> {
    let listed = engine::listed_kinds(&session.portal.reader(), selection).await;
    let listed = listed.map_err(|error| Error::Portal(Phase::Lookup, error))?;
    if *selection == KindSelection::All {
        let is_complete = session.caller.portal_admin;
        observer.warn(Warning::HiddenKinds { listed: Box::new(listed.clone()), is_complete });
    }
    match listed.unlisted.first() {
        None => Ok(listed),
        Some(kind) => Err(Error::UnlistedKind { kind: *kind, listed: listed.names }),
    }
}
