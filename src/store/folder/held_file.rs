//! File of a lock, held by this process.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::file::{failed, folder_of, open_private, read_optional};
use super::process::{self, Liveness};
use crate::ports::{LockOwner, StoreError};
use crate::records::{FormatError, LockRecord, ProcessIdentity, decode_lock};
use crate::store::place::misread;

/// Maximum size of a lock file that is read. A valid one has less than a KiB.
pub(super) const MAX_LOCK_BYTES: u64 = 64 << 10;

/// Open file whose lock this process holds, with that of its folder.
#[derive(Debug)]
pub(super) struct HeldFile {
    file: LockedFile,
    /// Held only for its lock; `None` where the system cannot lock folders.
    _folder: Option<LockedFile>,
}

/// File whose lock this process holds. Drop releases the lock by name: to close the file is not
/// enough, since a child process that another thread just starts has a copy of it, and with it
/// the lock, until its program runs.
#[derive(Debug)]
struct LockedFile(File);

impl Drop for LockedFile {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Content of a lock file.
pub(super) enum StaleOwner {
    /// The file is empty: the last owner released the lock.
    Nobody,
    /// An owner.
    Owner(Box<LockRecord>),
    /// The content is truncated or damaged.
    Unreadable,
}

impl HeldFile {
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let folder = lock_folder(folder_of(path)).map_err(|Taken| taken(path))?;
        let file = open_private(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file: LockedFile(file), _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(taken(path)),
            Err(TryLockError::Error(source)) => Err(failed(tr_later!("cannot lock"), path, source)),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file.0
    }

    pub(super) fn inside(&self, path: &Path) -> Result<StaleOwner, StoreError> {
        let mut bytes = Vec::new();
        let mut file = self.file();
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.take(MAX_LOCK_BYTES).read_to_end(&mut bytes));
        read.map_err(|source| failed(tr_later!("cannot read"), path, source))?;
        stale_owner(path, &bytes)
    }

    /// Returns the liveness of the owner in the file, as seen from the process `here` on the host
    /// of this name. The operating system's lock is held by this process.
    pub(super) fn liveness(
        &self,
        last: &LockRecord,
        here: &ProcessIdentity,
        host: &str,
    ) -> Liveness {
        let boot = last.process.as_ref().map(|process| process.boot.as_str()).unwrap_or_default();
        let same_kernel = !boot.is_empty() && boot == here.boot;
        // A container may have another name than its host.
        if !same_kernel && last.owner.host != host {
            return Liveness::Unknown;
        }
        let Some(process) = &last.process else {
            return process::liveness_of_number(last.owner.process, here);
        };
        match process::liveness(process, here) {
            // One kernel knows all locks on a file, across all namespaces of process ids.
            Liveness::Unknown if same_kernel && last.file == process::file_id(self.file()) => {
                Liveness::Dead
            }
            life => life,
        }
    }

    /// Removes the name: its owner ended in order. If that fails, the next owner gets a notice of
    /// an unclean end, which does no harm. The lock itself ends with the drop.
    pub(super) fn clear(&self) {
        let _ = self.file().set_len(0);
    }

    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.file();
        let begun = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        let written = begun.and_then(|_| file.write_all(bytes)).and_then(|()| file.sync_all());
        written.map_err(|source| failed(tr_later!("cannot write"), path, source))
    }
}

/// Error: another process holds the lock.
struct Taken;

/// Locks a folder; returns `None` where the system cannot do that.
fn lock_folder(path: &Path) -> Result<Option<LockedFile>, Taken> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(LockedFile(folder))),
        Err(TryLockError::WouldBlock) => Err(Taken),
        // Some file systems, such as NFS, cannot lock a folder that is open for reading.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Returns the error that names the owner of a lock that another process holds.
pub(super) fn taken(path: &Path) -> StoreError {
    let bytes = read_optional(path, MAX_LOCK_BYTES).ok().flatten().unwrap_or_default();
    match stale_owner(path, &bytes) {
        Ok(StaleOwner::Owner(last)) => StoreError::Locked(last.owner),
        // The owner is just writing its name, the file was replaced, or a system denies the read.
        Ok(StaleOwner::Nobody | StaleOwner::Unreadable) | Err(_) => {
            StoreError::Locked(unknown_owner())
        }
    }
}

pub(super) fn stale_owner(path: &Path, bytes: &[u8]) -> Result<StaleOwner, StoreError> {
    if bytes.is_empty() {
        return Ok(StaleOwner::Nobody);
    }
    match decode_lock(bytes) {
        Ok(record) => Ok(StaleOwner::Owner(Box::new(record))),
        Err(problem @ FormatError::TooNew { .. }) => {
            Err(misread(&path.display().to_string(), problem, None))
        }
        Err(_) => Ok(StaleOwner::Unreadable),
    }
}

/// Returns the placeholder for an owner who has not written a name.
pub(super) fn unknown_owner() -> LockOwner {
    LockOwner {
        process: 0,
        host: "an unknown host".to_owned(),
        actor: String::new(),
        command: "?".to_owned(),
        since: "an unknown time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_is_free_at_its_drop_whoever_has_a_copy_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = HeldFile::take(&path).unwrap();
        // As a child process has them between its fork and its program.
        let copies = (
            held.file().try_clone().unwrap(),
            held._folder.as_ref().map(|folder| folder.0.try_clone().unwrap()),
        );
        drop(held);
        // An attempt that fails at the file gives the folder back, too.
        let stranger = open_private(&path).unwrap();
        stranger.try_lock().unwrap();
        assert!(HeldFile::take(&path).is_err());
        stranger.unlock().unwrap();
        assert!(HeldFile::take(&path).is_ok());
        drop(copies);
    }
}
