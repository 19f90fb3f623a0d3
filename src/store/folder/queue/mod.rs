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
    Release, RoundEnd, SecretMark, StoreError, WorkQueue, Worker,
};
use crate::records::FormatError;
use crate::records::fleet::{QueueRow, decode_queue_row, encode_queue_row};
use crate::store::place::misread;

/// Time until a portal whose row cannot be written is claimed again.
const UNWRITTEN: Duration = Duration::from_secs(60);

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
    /// whose row cannot be read is left out. The problems of such rows are returned, and those of
    /// rows that cannot be written.
    ///
    /// # Errors
    ///
    /// If the work could not be done.
    pub async fn set_portals(
        &self,
        portals: Vec<QueuePortal>,
    ) -> Result<Vec<StoreError>, StoreError> {
        let now = self.clock.now();
        let step = self.step(move |rows, root| {
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
            problems
        });
        let (mut problems, unwritten) = step.await?;
        problems.extend(unwritten.into_iter().map(|(_, problem)| problem));
        Ok(problems)
    }

    /// Reads the rows of parked portals again: other commands may have freed them. A portal whose
    /// row cannot be read stays parked.
    ///
    /// # Errors
    ///
    /// If the work could not be done.
    pub async fn read_parked(&self) -> Result<(), StoreError> {
        let step = self.step(|rows, root| {
            for portal in rows.parked() {
                match read_queue_row(root, &portal) {
                    Ok(Some(row)) => rows.put(portal, row),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, "row of a parked portal not read"),
                }
            }
        });
        step.await.map(drop)
    }

    /// Takes a step, and writes the rows that it changed. A row that cannot be written stops no
    /// other one: it is returned with the problem, and the next step writes it.
    async fn step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut QueueRows, &Path) -> T + Send + 'static,
    ) -> Result<(T, Vec<(PortalId, StoreError)>), StoreError> {
        let rows = Arc::clone(&self.rows);
        let step = move |root: &Path| {
            // A panic between two changes leaves rows that a later step reads as they are.
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            let (done, mut unwritten) = (step(&mut rows, root), Vec::new());
            for portal in rows.take_changed() {
                let Some(row) = rows.get(&portal) else { continue };
                if let Err(problem) = write_queue_row(root, &portal, row) {
                    rows.mark_changed(portal.clone());
                    unwritten.push((portal, problem));
                }
            }
            Ok((done, unwritten))
        };
        blocking(&self.root, step).await
    }

    /// Takes a step of one portal, whose row must be written.
    async fn step_of<T: Send + 'static>(
        &self,
        portal: &PortalId,
        step: impl FnOnce(&mut QueueRows, &Path) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, unwritten) = self.step(step).await?;
        match unwritten.into_iter().find(|(unwritten, _)| unwritten == portal) {
            Some((_, problem)) => Err(problem),
            None => Ok(done),
        }
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
        let step = self.step(move |rows, _| rows.claim(&worker, limits, lease, now, new_id));
        let (claims, unwritten) = step.await?;
        // The death of a worker with a claim that no file has would not be counted.
        let is_written =
            |claim: &Claim| unwritten.iter().all(|(portal, _)| *portal != claim.portal);
        let (claims, lost): (Vec<Claim>, Vec<Claim>) = claims.into_iter().partition(is_written);
        if !lost.is_empty() {
            let release = Release { end: RoundEnd::GivenBack, due_in: UNWRITTEN };
            let give_back = move |rows: &mut QueueRows, _: &Path| {
                for claim in &lost {
                    rows.release(claim, &release, now);
                }
            };
            self.step(give_back).await?;
        }
        Ok(claims)
    }

    async fn extend(
        &self,
        _: &Worker,
        claims: &[ClaimId],
        lease: Duration,
    ) -> Result<Vec<Extension>, StoreError> {
        let (claims, now) = (claims.to_vec(), self.clock.now());
        Ok(self.step(move |rows, _| rows.extend(&claims, lease, now)).await?.0)
    }

    async fn release(&self, claim: &Claim, release: &Release) -> Result<ClaimState, StoreError> {
        let (of, release, now) = (claim.clone(), release.clone(), self.clock.now());
        self.step_of(&claim.portal, move |rows, _| rows.release(&of, &release, now)).await
    }

    async fn park(&self, claim: &Claim, reason: &ParkReason) -> Result<ClaimState, StoreError> {
        let (of, reason, now) = (claim.clone(), reason.clone(), self.clock.now());
        self.step_of(&claim.portal, move |rows, _| rows.park(&of, &reason, now)).await
    }

    async fn refused_webhooks(&self) -> Result<Vec<(PortalId, SecretMark)>, StoreError> {
        self.read_parked().await?;
        Ok(self.step(|rows, _| rows.refused_webhooks()).await?.0)
    }

    async fn free(&self, portal: &PortalId, refused: &SecretMark) -> Result<(), StoreError> {
        let (of, refused, now) = (portal.clone(), refused.clone(), self.clock.now());
        let is_meant = move |reason: &ParkReason| matches!(reason, ParkReason::WebhookRefused(mark) if *mark == refused);
        self.step_of(portal, move |rows, _| rows.free(&of, now, is_meant)).await.map(drop)
    }

    async fn overview(&self) -> Result<QueueOverview, StoreError> {
        let now = self.clock.now();
        Ok(self.step(move |rows, _| rows.overview(now)).await?.0)
    }

    async fn sign_off(&self, _: &Worker) -> Result<(), StoreError> {
        Ok(())
    }
}
