//! Lock of a portal: the right to write.
//!
//! The lock is one of the operating system, so it ends with its process in every case. It is held
//! on an open file, and on the portal's folder where the system can lock folders: a file that was
//! removed or replaced is still locked there.
//!
//! The file names its owner. A name in an unlocked file was left behind. The next process takes the
//! lock over only if the owner is proved dead: its process no longer exists, or the same kernel
//! says that the very file that the owner had locked is free. An owner on another machine, before a
//! restart, or in another namespace of process ids may be alive although neither its lock nor its
//! process is visible here. Then a person has to check ([`Store::unlock`]).

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::file::{failed, folder_of, open_private, read_optional};
use super::process::{self, Liveness};
use super::{Store, WriteGuard, misread};
use crate::i18n::Text;
use crate::ports::{Clock, LockOwner, StoreError};
use crate::records::{
    AuditEvent, FormatError, LockRecord, ProcessIdentity, decode_lock, encode_lock,
};

/// Interval at which a waiting process checks the lock. A quarter of a second is not noticeable,
/// and four checks a second are cheap.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Maximum size of a lock file that is read. A valid one has less than a KiB.
const MAX_LOCK_BYTES: u64 = 64 << 10;

impl Store {
    /// Takes the lock. Returns a notice with it if the last owner left the lock behind.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process holds it, or may hold it without being visible
    /// here.
    pub fn lock(
        &self,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
    ) -> Result<(WriteGuard, Option<Text>), StoreError> {
        self.paths.make()?;
        let path = self.paths.lock();
        let held = HeldFile::take(&path)?;
        let here = process::this_process();
        let note = match held.inside(&path)? {
            StaleOwner::Nobody => None,
            StaleOwner::Owner(last) => match held.liveness(&last, &here, &owner.host) {
                Liveness::Dead => Some(tr!(
                    "unclean end of process {} on {}, which ran `recard {}` since {}; its lock was taken over",
                    last.owner.process,
                    last.owner.host,
                    last.owner.command,
                    last.owner.since
                )),
                Liveness::Alive | Liveness::Unknown => return Err(StoreError::Locked(last.owner)),
            },
            StaleOwner::Unreadable => Some(tr!(
                "unclean end of a process that was cut while it took the lock; it was taken over"
            )),
        };
        let record = LockRecord {
            owner: owner.clone(),
            process: Some(here),
            file: process::file_id(&held.file),
        };
        let bytes = encode_lock(&record).map_err(|problem| misread(&path, problem, None))?;
        held.write(&path, &bytes)?;
        let mut locked = WriteGuard::new(self.clone(), held, owner, clock);
        if let Some(note) = &note {
            locked.audit_lock(AuditEvent::LockTakenOver(note.english().to_owned()))?;
        }
        Ok((locked, note))
    }

    /// Takes the lock, and waits a limited time for it if another process holds it.
    ///
    /// # Errors
    ///
    /// As [`Store::lock`]; with the owner at the last check.
    pub async fn lock_waiting(
        &self,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<(WriteGuard, Option<Text>), StoreError> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            match self.lock(owner.clone(), Arc::clone(&clock)) {
                Err(StoreError::Locked(_)) if tokio::time::Instant::now() < deadline => {
                    let next = tokio::time::Instant::now() + POLL_INTERVAL;
                    tokio::time::sleep_until(next.min(deadline)).await;
                }
                settled => return settled,
            }
        }
    }

    /// Returns the owner in the lock file, who holds the lock or left it behind. Only an attempt to
    /// take the lock tells which.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        let path = self.paths.lock();
        let bytes = read_optional(&path, MAX_LOCK_BYTES)?.unwrap_or_default();
        match stale_owner(&path, &bytes)? {
            StaleOwner::Nobody => Ok(None),
            StaleOwner::Owner(last) => Ok(Some(last.owner)),
            StaleOwner::Unreadable => Ok(Some(unknown_owner())),
        }
    }

    /// Returns the owner of the lock and its liveness, as far as it is visible here. The caller
    /// compares the host names.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn lock_state(&self) -> Result<LockState, StoreError> {
        let path = self.paths.lock();
        // An empty lock file needs no attempt to lock it, which could disturb another process.
        if read_optional(&path, MAX_LOCK_BYTES)?.is_none_or(|bytes| bytes.is_empty()) {
            return Ok(LockState::Free);
        }
        let held = match HeldFile::take(&path) {
            Ok(held) => held,
            Err(StoreError::Locked(owner)) => return Ok(LockState::Held(owner)),
            Err(problem) => return Err(problem),
        };
        Ok(match held.inside(&path)? {
            StaleOwner::Nobody => LockState::Free,
            StaleOwner::Owner(last) => {
                match held.liveness(&last, &process::this_process(), &last.owner.host) {
                    Liveness::Alive => LockState::Held(last.owner),
                    Liveness::Dead => LockState::Left(last.owner),
                    Liveness::Unknown => LockState::Unknown(last.owner),
                }
            }
            StaleOwner::Unreadable => LockState::Left(unknown_owner()),
        })
    }

    /// Removes a dead owner's name from the lock, for a person who has made sure that the owner is
    /// dead. The owner must be the one that this person was shown.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if the owner is alive on this host, or another process holds the lock
    /// now.
    pub fn unlock(&self, shown: &LockOwner) -> Result<(), StoreError> {
        let path = self.paths.lock();
        if read_optional(&path, MAX_LOCK_BYTES)?.is_none() {
            return Ok(());
        }
        let held = HeldFile::take(&path)?;
        let here = process::this_process();
        match held.inside(&path)? {
            StaleOwner::Owner(last) if last.owner != *shown => Err(StoreError::Locked(last.owner)),
            StaleOwner::Owner(last)
                if held.liveness(&last, &here, &last.owner.host) == Liveness::Alive =>
            {
                Err(StoreError::Locked(last.owner))
            }
            StaleOwner::Nobody | StaleOwner::Owner(_) | StaleOwner::Unreadable => {
                held.write(&path, b"")
            }
        }
    }
}

/// State of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// The lock is free.
    Free,
    /// A live process holds it.
    Held(LockOwner),
    /// Its owner is dead and left it behind. The next process takes it over.
    Left(LockOwner),
    /// Its owner left it behind, and its liveness is not visible here: another machine, or this one
    /// before a restart, or another namespace of process ids.
    Unknown(LockOwner),
}

/// Open file whose lock this process holds, with that of its folder.
#[derive(Debug)]
pub(super) struct HeldFile {
    file: File,
    /// Held only for its lock; `None` where the system cannot lock folders.
    _folder: Option<File>,
}

/// Content of a lock file.
enum StaleOwner {
    /// The file is empty: the last owner released the lock.
    Nobody,
    /// An owner.
    Owner(Box<LockRecord>),
    /// The content is truncated or damaged.
    Unreadable,
}

impl HeldFile {
    fn take(path: &Path) -> Result<Self, StoreError> {
        let folder = lock_folder(folder_of(path)).map_err(|Taken| taken(path))?;
        let file = open_private(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, _folder: folder }),
            Err(TryLockError::WouldBlock) => Err(taken(path)),
            Err(TryLockError::Error(source)) => Err(failed(tr_later!("cannot lock"), path, source)),
        }
    }

    fn inside(&self, path: &Path) -> Result<StaleOwner, StoreError> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.take(MAX_LOCK_BYTES).read_to_end(&mut bytes));
        read.map_err(|source| failed(tr_later!("cannot read"), path, source))?;
        stale_owner(path, &bytes)
    }

    /// Returns the liveness of the owner in the file, as seen from the process `here` on the host
    /// of this name. The operating system's lock is held by this process.
    fn liveness(&self, last: &LockRecord, here: &ProcessIdentity, host: &str) -> Liveness {
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
            Liveness::Unknown if same_kernel && last.file == process::file_id(&self.file) => {
                Liveness::Dead
            }
            life => life,
        }
    }

    /// Removes the name: its owner ended in order. If that fails, the next owner gets a notice of
    /// an unclean end, which does no harm. The lock itself ends with the file.
    pub(super) fn clear(&self) {
        let _ = self.file.set_len(0);
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = &self.file;
        let begun = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        let written = begun.and_then(|_| file.write_all(bytes)).and_then(|()| file.sync_all());
        written.map_err(|source| failed(tr_later!("cannot write"), path, source))
    }
}

/// Error: another process holds the lock.
struct Taken;

/// Locks a folder; returns `None` where the system cannot do that.
fn lock_folder(path: &Path) -> Result<Option<File>, Taken> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(Taken),
        // Some file systems, such as NFS, cannot lock a folder that is open for reading.
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Returns the error that names the owner of a lock that another process holds.
fn taken(path: &Path) -> StoreError {
    let bytes = read_optional(path, MAX_LOCK_BYTES).ok().flatten().unwrap_or_default();
    match stale_owner(path, &bytes) {
        Ok(StaleOwner::Owner(last)) => StoreError::Locked(last.owner),
        // The owner is just writing its name, the file was replaced, or a system denies the read.
        Ok(StaleOwner::Nobody | StaleOwner::Unreadable) | Err(_) => {
            StoreError::Locked(unknown_owner())
        }
    }
}

fn stale_owner(path: &Path, bytes: &[u8]) -> Result<StaleOwner, StoreError> {
    if bytes.is_empty() {
        return Ok(StaleOwner::Nobody);
    }
    match decode_lock(bytes) {
        Ok(record) => Ok(StaleOwner::Owner(Box::new(record))),
        Err(problem @ FormatError::TooNew { .. }) => Err(misread(path, problem, None)),
        Err(_) => Ok(StaleOwner::Unreadable),
    }
}

/// Returns the placeholder for an owner who has not written a name.
fn unknown_owner() -> LockOwner {
    LockOwner {
        process: 0,
        host: "an unknown host".to_owned(),
        actor: String::new(),
        command: "?".to_owned(),
        since: "an unknown time".to_owned(),
    }
}
