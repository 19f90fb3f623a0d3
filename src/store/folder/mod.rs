//! Folder as a medium: a file for each record, and the lock that guards them.
//!
//! Files are written atomically (a temporary file, synced and renamed, then its folder synced), and
//! a log grows by lines that are synced. Nothing is ever removed, except a torn line at the end of
//! a log, and a proof that the portal contradicts.
//!
//! Every access runs on a thread for blocking work, because a sync takes milliseconds, in which
//! other portals would wait.

mod append_log;
mod bounded_read;
mod file;
pub(super) mod fleets;
mod held_file;
mod lock;
mod paths;
mod process;
pub(super) mod queue;

#[cfg(test)]
pub(super) use self::{
    file::{make_folder, open_private, write_private},
    paths::StorePaths,
    process::{file_id, this_process},
};
pub use bounded_read::{read_to_limit, read_whole};
pub(super) use file::{MAX_DOCUMENT_BYTES, failed, read_optional};
pub use file::{destination, write_whole};

use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use self::append_log::AppendLog;
use self::held_file::HeldFile;
#[cfg(not(test))]
use self::paths::StorePaths;
use super::place::{LockState, Place};
use crate::i18n::Text;
use crate::model::{PortalId, RunId};
use crate::ports::{LockOwner, StoreError};

/// Number of bytes that a probe writes: the backups and the journal of a few hundred targets.
const PROBE_BYTES: usize = 1024 * 1024;

/// Number of bytes at the end of a log that show its last line, if that is a short one: a `closed`
/// line of a journal has some 120 bytes.
const END_BYTES: u64 = 1024;

/// Runs work that blocks on a thread for it.
///
/// # Errors
///
/// Those of the work, or if the runtime is ending.
pub(super) async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let owned = path.to_owned();
    match tokio::task::spawn_blocking(move || work(&owned)).await {
        Ok(ended) => ended,
        Err(end) => match end.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(end) => Err(failed(tr_later!("cannot read"), path, io::Error::other(end))),
        },
    }
}

/// Folder of one portal.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    paths: Arc<StorePaths>,
}

impl Folder {
    /// Returns the folder of a portal below a root. Nothing is written.
    ///
    /// # Errors
    ///
    /// If the root leads to something that is not a folder.
    pub(super) fn open(root: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        let problem = match fs::metadata(root) {
            Ok(there) if there.is_dir() => None,
            Ok(_) => Some(io::ErrorKind::NotADirectory.into()),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => None,
            Err(problem) => Some(problem),
        };
        match problem {
            Some(problem) => Err(failed(tr_later!("cannot use as a store:"), root, problem)),
            None => Ok(Self { paths: Arc::new(StorePaths::new(root, portal)) }),
        }
    }

    /// Returns the file of a record.
    pub(super) fn path(&self, place: &Place) -> PathBuf {
        self.paths.path(place)
    }

    async fn run<T: Send + 'static>(
        &self,
        path: PathBuf,
        work: impl FnOnce(&Path, &StorePaths) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let paths = Arc::clone(&self.paths);
        blocking(&path, move |path| work(path, &paths)).await
    }

    async fn at<T: Send + 'static>(
        &self,
        place: &Place,
        work: impl FnOnce(&Path, &StorePaths) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(self.path(place), work).await
    }

    pub(super) async fn is_there(&self) -> bool {
        let portal = self.paths.portal().to_owned();
        self.run(portal, |path, _| Ok(path.is_dir())).await.unwrap_or_default()
    }

    /// Writes a file of some size, syncs it and removes it.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        let probe = |folder: &Path, paths: &StorePaths| {
            paths.make()?;
            let probe = || {
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                file.write_all(&vec![b'.'; PROBE_BYTES])?;
                file.as_file().sync_all()?;
                file.close()
            };
            probe().map_err(|source| failed(tr_later!("cannot write to the store"), folder, source))
        };
        self.run(self.paths.portal().to_owned(), probe).await
    }

    pub(super) async fn read(&self, place: &Place) -> Result<Option<Vec<u8>>, StoreError> {
        let limit = if place.is_log() { file::MAX_LOG_BYTES } else { MAX_DOCUMENT_BYTES };
        self.at(place, move |path, _| read_optional(path, limit)).await
    }

    pub(super) async fn read_part(
        &self,
        place: &Place,
        part: Range<u64>,
    ) -> Result<Vec<u8>, StoreError> {
        self.at(place, move |path, _| file::read_part(path, part)).await
    }

    pub(super) async fn read_end(&self, place: &Place) -> Result<Vec<u8>, StoreError> {
        let read = |path: &Path, _: &StorePaths| {
            let length = match fs::metadata(path) {
                Ok(there) => there.len(),
                Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(_) => 0,
            };
            file::read_part(path, length.saturating_sub(END_BYTES)..length)
        };
        self.at(place, read).await
    }

    pub(super) async fn length(&self, place: &Place) -> u64 {
        let length =
            |path: &Path, _: &StorePaths| Ok(fs::metadata(path).map_or(0, |there| there.len()));
        self.at(place, length).await.unwrap_or_default()
    }

    pub(super) async fn run_ids(&self) -> Result<Vec<RunId>, StoreError> {
        let list = |folder: &Path, paths: &StorePaths| {
            let unread = |source| failed(tr_later!("cannot read"), folder, source);
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(source) => return Err(unread(source)),
            };
            let mut runs = Vec::new();
            for entry in entries {
                let name = entry.map_err(unread)?.file_name();
                // A folder without a run id as its name is foreign. A run that has a plan alone
                // sent nothing: backups and a report are written after the journal.
                let run = name.to_str().and_then(|name| name.parse::<RunId>().ok());
                let began = |run: &RunId| {
                    let places = [Place::Journal, Place::Backups, Place::Report];
                    places.into_iter().any(|of| is_there(&paths.path(&of(run.clone()))))
                };
                runs.extend(run.filter(began));
            }
            Ok(runs)
        };
        self.run(self.paths.runs(), list).await
    }

    pub(super) async fn place(&self, place: &Place, bytes: Vec<u8>) -> Result<(), StoreError> {
        let write = move |path: &Path, paths: &StorePaths| {
            paths.make()?;
            file::place_private(path, &bytes)
        };
        self.at(place, write).await
    }

    pub(super) async fn remove(&self, place: &Place) -> Result<(), StoreError> {
        let remove = |path: &Path, _: &StorePaths| match fs::remove_file(path) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
                Err(failed(tr_later!("cannot remove"), path, problem))
            }
            _ => Ok(()),
        };
        self.at(place, remove).await
    }

    pub(super) async fn lock(
        &self,
        owner: LockOwner,
    ) -> Result<(FolderLock, Option<Text>), StoreError> {
        let take = move |_: &Path, paths: &StorePaths| lock::take(paths, owner);
        let (held, note) = self.run(self.paths.lock(), take).await?;
        Ok((FolderLock { held: Arc::new(Held(held)), folder: self.clone() }, note))
    }

    pub(super) async fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        self.run(self.paths.lock(), |path, _| lock::owner(path)).await
    }

    pub(super) async fn lock_state(&self) -> Result<LockState, StoreError> {
        self.run(self.paths.lock(), |path, _| lock::state(path)).await
    }

    pub(super) async fn unlock(&self, shown: LockOwner) -> Result<(), StoreError> {
        self.run(self.paths.lock(), move |path, _| lock::unlock(path, &shown)).await
    }
}

/// Returns `true` for a name that is there, or that cannot be looked at.
fn is_there(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(problem) if problem.kind() == io::ErrorKind::NotFound)
}

/// Held lock of a folder. It is released once no write under it is under way, also one whose caller
/// was dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    held: Arc<Held>,
    folder: Folder,
}

/// Held file of a lock, whose name is removed on drop.
#[derive(Debug)]
struct Held(HeldFile);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl FolderLock {
    pub(super) async fn replace(&self, place: &Place, bytes: Vec<u8>) -> Result<(), StoreError> {
        let held = Arc::clone(&self.held);
        let write = move |path: &Path, _: &StorePaths| {
            let _held = held;
            file::make_folder(file::folder_of(path))?;
            file::write_private(path, &bytes)
        };
        self.folder.at(place, write).await
    }

    pub(super) async fn create_log(
        &self,
        place: &Place,
        line: String,
    ) -> Result<FolderLog, StoreError> {
        let held = Arc::clone(&self.held);
        let create = move |path: &Path, _: &StorePaths| {
            if path.exists() {
                let source = io::ErrorKind::AlreadyExists.into();
                return Err(failed("cannot begin a run anew", path, source));
            }
            file::make_folder(file::folder_of(path))?;
            file::write_private(path, line.as_bytes())?;
            FolderLog::open(path, line.len(), held)
        };
        self.folder.at(place, create).await
    }

    pub(super) async fn open_log(
        &self,
        place: &Place,
        kept: &[u8],
    ) -> Result<FolderLog, StoreError> {
        let held = Arc::clone(&self.held);
        let (length, is_whole) = (kept.len(), kept.is_empty() || kept.ends_with(b"\n"));
        let open = move |path: &Path, _: &StorePaths| {
            let log = FolderLog::open(path, length, held)?;
            if !is_whole {
                log.appending(|log| log.append("\n"))?;
            }
            // The file may be new.
            file::sync_folder(file::folder_of(path))?;
            Ok(log)
        };
        self.folder.at(place, open).await
    }
}

/// The right to append to a log in a folder.
#[derive(Clone, Debug)]
pub(super) struct FolderLog {
    path: Arc<Path>,
    log: Arc<Mutex<AppendLog>>,
    _held: Arc<Held>,
}

impl FolderLog {
    fn open(path: &Path, whole: usize, held: Arc<Held>) -> Result<Self, StoreError> {
        let log = Arc::new(Mutex::new(AppendLog::open(path, whole)?));
        Ok(Self { path: path.into(), log, _held: held })
    }

    fn appending<T>(&self, work: impl FnOnce(&mut AppendLog) -> T) -> T {
        work(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(
        &self,
        work: impl FnOnce(&mut AppendLog) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        let log = self.clone();
        blocking(&self.path, move |_| log.appending(work)).await
    }

    pub(super) async fn append(&self, lines: String) -> Result<(), StoreError> {
        self.run(move |log| log.append(&lines)).await
    }

    pub(super) async fn append_unsynced(&self, lines: String) -> Result<(), StoreError> {
        self.run(move |log| log.append_unsynced(&lines)).await
    }

    pub(super) async fn sync(&self) -> Result<(), StoreError> {
        self.run(AppendLog::sync).await
    }
}
