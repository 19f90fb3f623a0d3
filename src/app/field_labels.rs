//! Labels of fields of a session: those that the portal told, else those of an earlier command.

use jiff::Timestamp;

use crate::model::FieldLabels;
use crate::ports::StoreError;
use crate::records::PortalLabels;
use crate::store::Store;

/// Returns the labels of an earlier command; empty if there are none.
///
/// # Errors
///
/// If they cannot be read. That is no reason to stop: fields are then shown by their codes.
pub fn known_labels(store: &Store) -> Result<FieldLabels, StoreError> {
    Ok(store.field_labels()?.map(|known| known.lead).unwrap_or_default())
}

/// Stores labels that the portal told, unless the store has them already.
///
/// # Errors
///
/// If they cannot be written.
pub fn save_labels(store: &Store, told: &FieldLabels, at: Timestamp) -> Result<(), StoreError> {
    match known_labels(store) {
        Ok(known) if known == *told => Ok(()),
        _ => store.save_field_labels(&PortalLabels {
            at,
            portal: store.portal().clone(),
            lead: told.clone(),
        }),
    }
}
