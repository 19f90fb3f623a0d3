//! Inventory of the cards of all people. Reads only, by type.

use super::observer::Observer;
use super::{Error, Phase, Session};
use crate::engine::{self, CardInventory};

/// Reads the cards of all active people.
///
/// # Errors
///
/// If the portal cannot be read.
pub async fn inventory(
    session: &Session,
    observer: &impl Observer,
) -> Result<CardInventory, Error> {
    let progress = observer.progress();
    let taken = engine::take_inventory(&session.portal.reader(), &session.caller, &progress).await;
    let inventory = taken.map_err(|error| Error::Portal(Phase::Inventory, error))?;
    session.save_proof(observer, inventory.snapshot.trust);
    Ok(inventory)
}
