//! Labels of fields of a session: those that the portal told, else those of an earlier command.

use jiff::Timestamp;

use crate::model::CardLabels;
use crate::ports::StoreError;
use crate::records::PortalLabels;
use crate::store::Store;

/// Returns the labels of an earlier command; empty if there are none.
///
/// # Errors
///
/// If they cannot be read. That is no reason to stop: fields are then shown by their codes.
pub async fn known_labels(store: &Store) -> Result<CardLabels, StoreError> {
    Ok(store.field_labels().await?.map(|known| known.labels).unwrap_or_default())
}

/// Adds labels that the portal told to those that are known, and stores them all, unless the store
/// has them already.
pub async fn save_labels(
    store: &Store,
    labels: &mut CardLabels,
    told: CardLabels,
    at: Timestamp,
) -> Result<(), StoreError> {
    labels.update(told);
    match known_labels(store).await {
        Ok(known) if known == *labels => Ok(()),
        _ => {
            let portal = store.portal().clone();
            store.save_field_labels(&PortalLabels { at, portal, labels: labels.clone() }).await
        }
    }
}
