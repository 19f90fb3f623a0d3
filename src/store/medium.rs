//! Medium of a store: the place where the records of one portal lie, as documents and logs.
//!
//! What the records mean is the business of [`Store`](super::Store) and
//! [`WriteGuard`](super::WriteGuard), which are the same code for each medium. A document is
//! replaced whole; a log grows by lines, of which the last may be torn by a crash.

use std::sync::Arc;

use super::folder::{Folder, FolderLock, FolderLog};
use super::place::{LinePart, LockState, Place, damaged};
#[cfg(feature = "postgres")]
use super::postgres::{Lease, LeaseLog, Records};
use crate::i18n::Text;
use crate::model::RunId;
use crate::ports::{Clock, LockOwner, StoreError};

/// Medium of the records of one portal.
#[derive(Clone, Debug)]
pub(super) enum Medium {
    Folder(Folder),
    #[cfg(feature = "postgres")]
    Postgres(Records),
}

impl Medium {
    /// Returns the name of a record in messages.
    pub(super) fn name(&self, place: &Place) -> String {
        match self {
            Self::Folder(folder) => folder.path(place).display().to_string(),
            #[cfg(feature = "postgres")]
            Self::Postgres(records) => records.name(place),
        }
    }

    /// Keeps documents in memory once they were read, where reading each costs a statement.
    pub(super) fn keep_documents(&mut self) {
        match self {
            Self::Folder(_) => {}
            #[cfg(feature = "postgres")]
            Self::Postgres(records) => records.keep_documents(),
        }
    }

    /// Returns `true` if there is a record of the portal.
    pub(super) async fn is_there(&self) -> Result<bool, StoreError> {
        match self {
            Self::Folder(folder) => Ok(folder.is_there().await),
            #[cfg(feature = "postgres")]
            Self::Postgres(records) => records.is_there().await,
        }
    }

    /// Checks that the medium is writable and has room.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        either!(self, medium => medium.probe().await)
    }

    /// Returns the content of a record; `None` if there is none.
    pub(super) async fn read(&self, place: &Place) -> Result<Option<Vec<u8>>, StoreError> {
        either!(self, medium => medium.read(place).await)
    }

    /// Returns a part of a log.
    pub(super) async fn read_part(
        &self,
        place: &Place,
        part: &LinePart,
    ) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Folder(folder) => folder.read_part(place, part.bytes.clone()).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(records) => records.read_part(place, part).await,
        }
    }

    /// Returns the last bytes of a log, with at least its last line if that is a short one.
    pub(super) async fn read_end(&self, place: &Place) -> Result<Vec<u8>, StoreError> {
        either!(self, medium => medium.read_end(place).await)
    }

    /// Returns the length of a log, which tells if it has grown; 0 if there is none.
    pub(super) async fn length(&self, place: &Place) -> u64 {
        either!(self, medium => medium.length(place).await)
    }

    /// Returns the ids of the runs that began, in no particular order. A journal may be lost.
    pub(super) async fn run_ids(&self) -> Result<Vec<RunId>, StoreError> {
        either!(self, medium => medium.run_ids().await)
    }

    /// Replaces a document that several commands may write at the same time, without the lock and
    /// without waiting for the disk.
    pub(super) async fn place(&self, place: &Place, bytes: Vec<u8>) -> Result<(), StoreError> {
        either!(self, medium => medium.place(place, bytes).await)
    }

    /// Removes a document, if there is one. Needs no lock.
    pub(super) async fn remove(&self, place: &Place) -> Result<(), StoreError> {
        either!(self, medium => medium.remove(place).await)
    }

    /// Takes the lock. Returns a notice with it if the last owner left the lock behind.
    pub(super) async fn lock(
        &self,
        owner: LockOwner,
        clock: &Arc<dyn Clock>,
    ) -> Result<(MediumLock, Option<Text>), StoreError> {
        match self {
            Self::Folder(folder) => {
                let _ = clock;
                let (held, note) = folder.lock(owner).await?;
                Ok((MediumLock::Folder(held), note))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(records) => {
                let (held, note) = records.lock(owner, clock).await?;
                Ok((MediumLock::Postgres(held), note))
            }
        }
    }

    /// Returns the owner of the lock, who holds it or left it behind.
    pub(super) async fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        either!(self, medium => medium.lock_owner().await)
    }

    /// Returns the owner of the lock and its liveness, as far as it is visible here.
    pub(super) async fn lock_state(&self) -> Result<LockState, StoreError> {
        either!(self, medium => medium.lock_state().await)
    }

    /// Removes a dead owner's name from the lock.
    pub(super) async fn unlock(&self, shown: LockOwner) -> Result<(), StoreError> {
        either!(self, medium => medium.unlock(shown).await)
    }
}

/// Held lock of a portal: the right to write to its medium. It is released on drop.
#[derive(Debug)]
pub(super) enum MediumLock {
    Folder(FolderLock),
    #[cfg(feature = "postgres")]
    Postgres(Lease),
}

impl MediumLock {
    /// Replaces a document. When this returns, it survives a crash.
    pub(super) async fn replace(&self, place: &Place, bytes: Vec<u8>) -> Result<(), StoreError> {
        either!(self, medium => medium.replace(place, bytes).await)
    }

    /// Deletes lines of a run's backups and marks the run, both or nothing. A folder keeps all of
    /// them.
    pub(super) async fn delete_lines(
        &self,
        run: &RunId,
        lines: &[String],
        mark: &[u8],
    ) -> Result<(), StoreError> {
        match self {
            Self::Folder(_) => {
                let _ = mark;
                Err(damaged(run.as_str(), format!("{} lines are to go", lines.len())))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(held) => held.delete_lines(run, lines, mark).await,
        }
    }

    /// Creates a log with its first line, which cannot be torn. When this returns, it survives a
    /// crash.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or is there already.
    pub(super) async fn create_log(&self, place: &Place, line: String) -> Result<Log, StoreError> {
        match self {
            Self::Folder(held) => held.create_log(place, line).await.map(Log::Folder),
            #[cfg(feature = "postgres")]
            Self::Postgres(held) => held.create_log(place, line).await.map(Log::Postgres),
        }
    }

    /// Opens a log, or creates it empty. Only its first `kept` bytes are kept: the rest is a torn
    /// line. The last kept line is ended if its end is damaged, so that the next line is separate.
    pub(super) async fn open_log(&self, place: &Place, kept: &[u8]) -> Result<Log, StoreError> {
        match self {
            Self::Folder(held) => held.open_log(place, kept).await.map(Log::Folder),
            #[cfg(feature = "postgres")]
            Self::Postgres(held) => held.open_log(place).await.map(Log::Postgres),
        }
    }
}

/// The right to append to a log. After an error no further append is possible.
#[derive(Debug)]
pub(super) enum Log {
    Folder(FolderLog),
    #[cfg(feature = "postgres")]
    Postgres(LeaseLog),
}

impl Log {
    /// Appends lines, each with its end. When this returns, they and all earlier ones survive a
    /// crash.
    pub(super) async fn append(&mut self, lines: String) -> Result<(), StoreError> {
        either!(self, medium => medium.append(lines).await)
    }

    /// Appends lines. They survive the end of the process; they survive a crash of the system after
    /// the next sync, which follows before many bytes wait.
    pub(super) async fn append_unsynced(&mut self, lines: String) -> Result<(), StoreError> {
        either!(self, medium => medium.append_unsynced(lines).await)
    }

    /// Syncs the appended lines.
    pub(super) async fn sync(&mut self) -> Result<(), StoreError> {
        either!(self, medium => medium.sync().await)
    }
}
