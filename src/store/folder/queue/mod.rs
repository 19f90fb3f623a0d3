//! Work queue of a folder: for one worker, with a file beside the records of each portal.
//!
//! The worker holds the rows in memory and writes each change to the file of its portal. A row
//! that is parked belongs to other commands: `fleet retry` frees it in its file, and the worker
//! reads the files of parked portals again.

mod rows;
mod states;

pub use rows::{QueuePortal, QueueRows};
pub(super) use states::{is_failing, retry, state_of_row};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::file::{MAX_DOCUMENT_BYTES, folder_of, make_folder, place_private, read_optional};
use super::held_file::HeldFile;
use super::paths::StorePaths;
use super::{blocking, lock};
use crate::model::PortalId;
use crate::ports::{
    Claim, ClaimId, ClaimState, Clock, Extension, LaneLimits, LockOwner, ParkReason, QueueOverview,
    Release, SecretMark, StoreError, WorkQueue, Worker,
};
use crate::records::FormatError;
use crate::records::fleet::{QueueRow, decode_queue_row, encode_queue_row};
use crate::store::place::misread;

/// Returns the row of a portal in the work queue of a folder.
///
/// # Errors
///
/// If the file cannot be read or is damaged.
pub fn read_queue_row(root: &Path, portal: &PortalId) -> Result<Option<QueueRow>, StoreError> {
    let path = row_path(&StorePaths::new(root, portal));
    let bytes = read_optional(&path, MAX_DOCUMENT_BYTES)?;
    let decode = |bytes: Vec<u8>| decode_queue_row(portal, &bytes);
    bytes.map(decode).transpose().map_err(|problem| unread(&path, problem))
}

/// Writes the row of a portal in the work queue of a folder. A row that is not parked is the
/// worker's alone.
pub fn write_queue_row(root: &Path, portal: &PortalId, row: &QueueRow) -> Result<(), StoreError> {
    let paths = StorePaths::new(root, portal);
    let path = row_path(&paths);
    let bytes = encode_queue_row(portal, row).map_err(|problem| unread(&path, problem))?;
    paths.make()?;
    place_private(&path, &bytes)
}

fn row_path(paths: &StorePaths) -> PathBuf {
    paths.portal().join("queue.json")
}

fn unread(path: &Path, problem: FormatError) -> StoreError {
    misread(&path.display().to_string(), problem, None)
}

/// Work queue of a folder. It exists once: a second worker is refused.
pub struct FolderQueue {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    held: HeldFile,
    rows: Arc<Mutex<QueueRows>>,
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
    pub async fn open(
        root: &Path,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let path = root.join("worker").join("lock");
        let take = |path: &Path| {
            make_folder(folder_of(path))?;
            lock::take_file(path, owner)
        };
        let (held, note) = blocking(&path, take).await?;
        if let Some(note) = note {
            tracing::warn!(note = note.english(), "the queue was taken over");
        }
        Ok(Self { root: root.to_owned(), clock, held, rows: Arc::default() })
    }

    /// Replaces the portals of the queue. Rows of portals that were not known are read. A portal
    /// whose row cannot be read is left out; the problems of such rows are returned.
    ///
    /// # Errors
    ///
    /// If the file of a row cannot be written.
    pub async fn set_portals(
        &self,
        portals: Vec<QueuePortal>,
    ) -> Result<Vec<StoreError>, StoreError> {
        let now = self.clock.now();
        self.step(move |rows, root| {
            let (mut readable, mut problems) = (Vec::with_capacity(portals.len()), Vec::new());
            for one in portals {
                if rows.get(&one.portal).is_none() {
                    match read_queue_row(root, &one.portal) {
                        Ok(None) => {}
                        Ok(Some(mut row)) => {
                            // Whoever wrote it was the only worker, and has ended.
                            row.claim = row.claim.map(|(id, until)| (id, until.min(now)));
                            rows.put(one.portal.clone(), row);
                        }
                        Err(problem) => {
                            problems.push(problem);
                            continue;
                        }
                    }
                }
                readable.push(one);
            }
            rows.set_portals(readable, now);
            Ok(problems)
        })
        .await
    }

    /// Reads the rows of parked portals again: other commands may have freed them. A portal whose
    /// row cannot be read stays parked.
    ///
    /// # Errors
    ///
    /// If the file of a row cannot be written.
    pub async fn read_parked(&self) -> Result<(), StoreError> {
        self.step(|rows, root| {
            for portal in rows.parked() {
                match read_queue_row(root, &portal) {
                    Ok(Some(row)) => rows.put(portal, row),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, "row of a parked portal not read"),
                }
            }
            Ok(())
        })
        .await
    }

    /// Takes a step, and writes the rows that it changed.
    async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut QueueRows, &Path) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let rows = Arc::clone(&self.rows);
        let step = move |root: &Path| {
            // A panic between two changes leaves rows that a later step reads as they are.
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            let done = step(&mut rows, root)?;
            for portal in rows.take_changed() {
                if let Some(row) = rows.get(&portal) {
                    write_queue_row(root, &portal, row)?;
                }
            }
            Ok(done)
        };
        blocking(&self.root, step).await
    }
}

impl WorkQueue for FolderQueue {
    async fn claim(
        &self,
        worker: &Worker,
        limits: LaneLimits,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let (worker, now) = (worker.clone(), self.clock.now());
        let new_id = || ClaimId::new(rand::random());
        self.step(move |rows, _| Ok(rows.claim(&worker, limits, lease, now, new_id))).await
    }

    async fn extend(
        &self,
        _: &Worker,
        claims: &[ClaimId],
        lease: Duration,
    ) -> Result<Vec<Extension>, StoreError> {
        let (claims, now) = (claims.to_vec(), self.clock.now());
        self.step(move |rows, _| Ok(rows.extend(&claims, lease, now))).await
    }

    async fn release(&self, claim: &Claim, release: &Release) -> Result<ClaimState, StoreError> {
        let (claim, release, now) = (claim.clone(), release.clone(), self.clock.now());
        self.step(move |rows, _| Ok(rows.release(&claim, &release, now))).await
    }

    async fn park(&self, claim: &Claim, reason: &ParkReason) -> Result<ClaimState, StoreError> {
        let (claim, reason, now) = (claim.clone(), reason.clone(), self.clock.now());
        self.step(move |rows, _| Ok(rows.park(&claim, &reason, now))).await
    }

    async fn refused_webhooks(&self) -> Result<Vec<(PortalId, SecretMark)>, StoreError> {
        self.read_parked().await?;
        self.step(|rows, _| Ok(rows.refused_webhooks())).await
    }

    async fn free(&self, portal: &PortalId, refused: &SecretMark) -> Result<(), StoreError> {
        let (portal, refused, now) = (portal.clone(), refused.clone(), self.clock.now());
        let is_meant = move |reason: &ParkReason| matches!(reason, ParkReason::WebhookRefused(mark) if *mark == refused);
        self.step(move |rows, _| Ok(rows.free(&portal, now, is_meant))).await.map(|_| ())
    }

    async fn overview(&self) -> Result<QueueOverview, StoreError> {
        let now = self.clock.now();
        self.step(move |rows, _| Ok(rows.overview(now))).await
    }

    async fn sign_off(&self, _: &Worker) -> Result<(), StoreError> {
        Ok(())
    }
}
