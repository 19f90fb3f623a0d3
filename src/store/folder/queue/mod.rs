//! Work queue of a folder: for one worker, with a file beside the records of each portal.
//!
//! The worker holds the rows in memory and writes each change to the file of its portal. A row
//! that is parked belongs to other commands: `fleet retry` frees it in its file, and the worker
//! reads the files of parked portals again.

mod rows;

pub use rows::{QueuePortal, QueueRows};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::file::{MAX_DOCUMENT_BYTES, make_folder, place_private, read_optional};
use super::held_file::{HeldFile, StaleOwner};
use super::paths::StorePaths;
use super::process;
use crate::model::PortalId;
use crate::ports::{
    Claim, ClaimId, ClaimState, Clock, Extension, LaneLimits, LockOwner, ParkReason, QueueOverview,
    Release, SecretMark, StoreError, WorkQueue, Worker,
};
use crate::records::fleet::{QueueRow, decode_queue_row, encode_queue_row};
use crate::records::{LockRecord, encode_lock};
use crate::store::place;

/// Returns the row of a portal in the work queue of a folder.
///
/// # Errors
///
/// If the file cannot be read or is damaged.
pub fn read_queue_row(root: &Path, portal: &PortalId) -> Result<Option<QueueRow>, StoreError> {
    let path = row_path(&StorePaths::new(root, portal));
    let bytes = read_optional(&path, MAX_DOCUMENT_BYTES)?;
    let decode = |bytes: Vec<u8>| decode_queue_row(portal, &bytes);
    bytes
        .map(decode)
        .transpose()
        .map_err(|problem| place::misread(&path.display().to_string(), problem, None))
}

/// Writes the row of a portal in the work queue of a folder. A row that is not parked is the
/// worker's alone.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_queue_row(root: &Path, portal: &PortalId, row: &QueueRow) -> Result<(), StoreError> {
    let paths = StorePaths::new(root, portal);
    let path = row_path(&paths);
    let bytes = encode_queue_row(portal, row)
        .map_err(|problem| place::misread(&path.display().to_string(), problem, None))?;
    paths.make()?;
    place_private(&path, &bytes)
}

fn row_path(paths: &StorePaths) -> PathBuf {
    paths.portal().join("queue.json")
}

/// Work queue of a folder. It exists once: a second worker is refused.
#[derive(Debug)]
pub struct FolderQueue {
    root: PathBuf,
    clock: Clocked,
    held: HeldFile,
    rows: Mutex<QueueRows>,
}

/// Clock of the queue.
#[derive(Clone)]
struct Clocked(Arc<dyn Clock>);

impl std::fmt::Debug for Clocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl Drop for FolderQueue {
    fn drop(&mut self) {
        self.held.clear();
    }
}

impl FolderQueue {
    /// Opens the queue of a folder, for the only worker on it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another worker has it.
    pub fn open(root: &Path, owner: LockOwner, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        make_folder(&root.join("worker"))?;
        let path = root.join("worker").join("lock");
        let held = HeldFile::take(&path)?;
        let here = process::this_process();
        if let StaleOwner::Owner(last) = held.inside(&path)?
            && held.liveness(&last, &here, &owner.host) != process::Liveness::Dead
        {
            return Err(StoreError::Locked(last.owner));
        }
        let file = process::file_id(&held.file);
        let bytes = encode_lock(&LockRecord { owner, process: Some(here), file })
            .map_err(|problem| place::misread(&path.display().to_string(), problem, None))?;
        held.write(&path, &bytes)?;
        let rows = Mutex::default();
        Ok(Self { root: root.to_owned(), clock: Clocked(clock), held, rows })
    }

    /// Replaces the portals of the queue. Rows of portals that were not known are read.
    ///
    /// # Errors
    ///
    /// If the file of a row cannot be read or written.
    pub fn set_portals(&self, portals: Vec<QueuePortal>) -> Result<(), StoreError> {
        let now = self.clock.0.now();
        let mut rows = self.rows();
        for QueuePortal { portal, .. } in &portals {
            if rows.get(portal).is_none()
                && let Some(mut row) = read_queue_row(&self.root, portal)?
            {
                // Whoever wrote it was the only worker, and has ended.
                row.claim = row.claim.map(|(id, until)| (id, until.min(now)));
                rows.put(portal.clone(), row);
            }
        }
        rows.set_portals(portals, now);
        self.save(&mut rows)
    }

    /// Reads the rows of parked portals again: other commands may have freed them.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn read_parked(&self) -> Result<(), StoreError> {
        let mut rows = self.rows();
        for portal in rows.parked() {
            if let Some(row) = read_queue_row(&self.root, &portal)? {
                rows.put(portal, row);
            }
        }
        Ok(())
    }

    fn rows(&self) -> MutexGuard<'_, QueueRows> {
        // A panic between two changes leaves rows that a later step reads as they are.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, rows: &mut QueueRows) -> Result<(), StoreError> {
        for portal in rows.take_changed() {
            if let Some(row) = rows.get(&portal) {
                write_queue_row(&self.root, &portal, row)?;
            }
        }
        Ok(())
    }

    fn step<T>(
        &self,
        step: impl FnOnce(&mut QueueRows, jiff::Timestamp) -> T,
    ) -> Result<T, StoreError> {
        let mut rows = self.rows();
        let done = step(&mut rows, self.clock.0.now());
        self.save(&mut rows)?;
        Ok(done)
    }
}

impl WorkQueue for FolderQueue {
    async fn claim(
        &self,
        worker: &Worker,
        limits: LaneLimits,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let new_id = || ClaimId::new(rand::random());
        self.step(|rows, now| rows.claim(worker, limits, lease, now, new_id))
    }

    async fn extend(
        &self,
        _: &Worker,
        claims: &[ClaimId],
        lease: Duration,
    ) -> Result<Vec<Extension>, StoreError> {
        self.step(|rows, now| rows.extend(claims, lease, now))
    }

    async fn release(&self, claim: &Claim, release: &Release) -> Result<ClaimState, StoreError> {
        self.step(|rows, now| rows.release(claim, release, now))
    }

    async fn park(&self, claim: &Claim, reason: &ParkReason) -> Result<ClaimState, StoreError> {
        self.step(|rows, now| rows.park(claim, reason, now))
    }

    async fn refused_webhooks(&self) -> Result<Vec<(PortalId, SecretMark)>, StoreError> {
        self.read_parked()?;
        Ok(self.rows().refused_webhooks())
    }

    async fn free(&self, portal: &PortalId, refused: &SecretMark) -> Result<(), StoreError> {
        let is_meant = |reason: &ParkReason| matches!(reason, ParkReason::WebhookRefused(mark) if mark == refused);
        self.step(|rows, now| rows.free(portal, now, is_meant)).map(|_| ())
    }

    async fn overview(&self) -> Result<QueueOverview, StoreError> {
        self.step(|rows, now| rows.overview(now))
    }

    async fn sign_off(&self, _: &Worker) -> Result<(), StoreError> {
        Ok(())
    }
}
