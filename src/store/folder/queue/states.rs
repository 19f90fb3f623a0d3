//! Rows of the work queue of a folder, as commands see them: from the file of one portal.

use std::path::Path;

use jiff::Timestamp;

use super::{read_queue_row, write_queue_row};
use crate::model::PortalId;
use crate::ports::{ParkReason, Parked, QueueState, StoreError};

/// Returns what the queue keeps of a portal. A worker whose lease has ended holds nothing. A row
/// that cannot be read is that of a failing portal, and stops no other one. One that is damaged
/// or of a newer version waits for a person, as a parked portal does.
pub(in crate::store::folder) fn state_of_row(
    root: &Path,
    portal: &PortalId,
    now: Timestamp,
) -> Option<QueueState> {
    let row = match read_queue_row(root, portal) {
        Ok(row) => row?,
        Err(problem) => {
            let is_for_good =
                matches!(problem, StoreError::Damaged { .. } | StoreError::TooNew { .. });
            let reason = ParkReason::UnreadableRow(problem.to_string());
            let parked = is_for_good.then_some(Parked { at: now, reason });
            return Some(QueueState { failures: 1, parked, ..QueueState::default() });
        }
    };
    let worker = row.state.worker.filter(|_| row.claim.is_some_and(|(_, until)| now < until));
    Some(QueueState { worker, ..row.state })
}

/// Returns `true` if the last round of a portal failed, or it is parked, or its row cannot be read.
pub(in crate::store::folder) fn is_failing(root: &Path, portal: &PortalId) -> bool {
    read_queue_row(root, portal).map_or(true, |row| {
        row.is_some_and(|row| row.state.failures > 0 || row.state.parked.is_some())
    })
}

/// Frees a portal; `None` if it is not parked. A row that is not parked is the worker's alone.
pub(in crate::store::folder) fn retry(
    root: &Path,
    portal: &PortalId,
    now: Timestamp,
) -> Result<Option<()>, StoreError> {
    let row = read_queue_row(root, portal)?;
    let Some(mut row) = row.filter(|row| row.state.parked.is_some()) else { return Ok(None) };
    row.state = QueueState { parked: None, attempts: 0, due: Some(now), ..row.state };
    row.changed = now;
    write_queue_row(root, portal, &row).map(Some)
}
