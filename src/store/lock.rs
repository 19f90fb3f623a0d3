//! The lock of a portal: who may write.
//!
//! The lock is one of the operating system on an open file, so it ends with its process, however that ends. Inside the file
//! stands who holds it. A file that names somebody although its lock is free was left behind by a process that was killed:
//! on the same host that is certain, and the next process takes over and says so. If it names another host, the folder is
//! shared between machines, and their locks may not see each other: then a person has to look ([`Store::unlock`]).

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::file::{failed, open_private, read_if_there};
use super::{Locked, Store, misread};
use crate::format::{AuditEvent, FormatError, decode_lock_owner, encode_lock_owner};
use crate::language::Text;
use crate::port::{Clock, LockOwner, StoreError};

/// How often a waiting process looks whether the lock is free. Nobody notices a quarter of a second, and no system minds
/// four looks a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Store {
    /// Takes the lock. With it comes a note if the last owner did not give it back.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process holds it, or if another host may.
    pub fn lock(&self, owner: LockOwner, clock: Arc<dyn Clock>) -> Result<(Locked, Option<Text>), StoreError> {
        self.folders.make()?;
        let path = self.folders.lock();
        let held = HeldFile::take(&path)?;
        let note = match held.owner(&path)? {
            LeftInside::Nobody => None,
            LeftInside::Owner(last) if last.host == owner.host => Some(tr!(
                "unclean end of process {} on {}, which ran `recard {}` since {}; its lock was taken over",
                last.process,
                last.host,
                last.command,
                last.since
            )),
            LeftInside::Owner(last) => return Err(StoreError::Locked(last)),
            LeftInside::Unreadable => {
                Some(tr!("unclean end of a process that was cut while it took the lock; it was taken over"))
            }
        };
        let bytes = encode_lock_owner(&owner).map_err(|problem| misread(&path, problem, None))?;
        held.write(&path, &bytes)?;
        let mut locked = Locked::new(self.clone(), held, owner, clock);
        if let Some(note) = &note {
            locked.audit_lock(AuditEvent::LockTakenOver(note.english().to_owned()))?;
        }
        Ok((locked, note))
    }

    /// Takes the lock, and waits for it if another process holds it, at most for a time.
    ///
    /// # Errors
    ///
    /// As [`Store::lock`]; with the owner of the last look.
    pub async fn lock_waiting(
        &self,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<(Locked, Option<Text>), StoreError> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            match self.lock(owner.clone(), Arc::clone(&clock)) {
                Err(StoreError::Locked(_)) if tokio::time::Instant::now() < deadline => {
                    let next = tokio::time::Instant::now() + LOOK_EVERY;
                    tokio::time::sleep_until(next.min(deadline)).await;
                }
                settled => return settled,
            }
        }
    }

    /// Who holds the lock, or did not give it back. Whether they live is told by trying to take it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        let path = self.folders.lock();
        let bytes = read_if_there(&path)?.unwrap_or_default();
        match left_inside(&path, &bytes)? {
            LeftInside::Nobody => Ok(None),
            LeftInside::Owner(owner) => Ok(Some(owner)),
            LeftInside::Unreadable => Ok(Some(unknown_owner())),
        }
    }

    /// Who holds the lock, and whether they live as far as this host can tell.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn lock_state(&self) -> Result<LockState, StoreError> {
        let path = self.folders.lock();
        // Without a name in it there is no need to reach for it, which would be in the way of whoever does.
        if read_if_there(&path)?.is_none_or(|bytes| bytes.is_empty()) {
            return Ok(LockState::Free);
        }
        let held = match HeldFile::take(&path) {
            Ok(held) => held,
            Err(StoreError::Locked(owner)) => return Ok(LockState::Held(owner)),
            Err(problem) => return Err(problem),
        };
        Ok(match held.owner(&path)? {
            LeftInside::Nobody => LockState::Free,
            LeftInside::Owner(owner) => LockState::Left(owner),
            LeftInside::Unreadable => LockState::Left(unknown_owner()),
        })
    }

    /// Takes a dead owner's name out of the lock, for a person who has made sure that the owner is dead. The owner must be
    /// the one whom that person was shown.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if the owner is alive on this host, or somebody else holds the lock by now.
    pub fn unlock(&self, shown: &LockOwner) -> Result<(), StoreError> {
        let path = self.folders.lock();
        if read_if_there(&path)?.is_none() {
            return Ok(());
        }
        let held = HeldFile::take(&path)?;
        match held.owner(&path)? {
            LeftInside::Owner(owner) if owner != *shown => Err(StoreError::Locked(owner)),
            LeftInside::Nobody | LeftInside::Owner(_) | LeftInside::Unreadable => held.write(&path, b""),
        }
    }
}

/// What a look at a lock tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockState {
    /// Nobody holds it.
    Free,
    /// A process that lives holds it.
    Held(LockOwner),
    /// Its owner did not give it back: dead, or on another host whose locks this one does not see.
    Left(LockOwner),
}

/// An open file whose lock this process holds.
#[derive(Debug)]
pub(super) struct HeldFile(File);

/// What stands in the file of a lock.
enum LeftInside {
    /// Nothing: the last owner gave it back.
    Nobody,
    /// An owner.
    Owner(LockOwner),
    /// Something cut or damaged.
    Unreadable,
}

impl HeldFile {
    fn take(path: &Path) -> Result<Self, StoreError> {
        let file = open_private(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let bytes = read_if_there(path).ok().flatten().unwrap_or_default();
                match left_inside(path, &bytes) {
                    Ok(LeftInside::Owner(owner)) => Err(StoreError::Locked(owner)),
                    // The owner is just writing its name, or a system does not let others read it.
                    Ok(LeftInside::Nobody | LeftInside::Unreadable) | Err(_) => {
                        Err(StoreError::Locked(unknown_owner()))
                    }
                }
            }
            Err(TryLockError::Error(source)) => Err(failed(tr_later!("cannot lock"), path, source)),
        }
    }

    fn owner(&self, path: &Path) -> Result<LeftInside, StoreError> {
        let mut bytes = Vec::new();
        let mut file = &self.0;
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
        read.map_err(|source| failed(tr_later!("cannot read"), path, source))?;
        left_inside(path, &bytes)
    }

    /// Takes the name out: its owner came to its end in order. If that fails, the next owner is told of an unclean end,
    /// which does no harm. The lock itself ends with the file.
    pub(super) fn clear(&self) {
        let _ = self.0.set_len(0);
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = &self.0;
        let begun = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        let written = begun.and_then(|_| file.write_all(bytes)).and_then(|()| file.sync_all());
        written.map_err(|source| failed(tr_later!("cannot write"), path, source))
    }
}

fn left_inside(path: &Path, bytes: &[u8]) -> Result<LeftInside, StoreError> {
    if bytes.is_empty() {
        return Ok(LeftInside::Nobody);
    }
    match decode_lock_owner(bytes) {
        Ok(owner) => Ok(LeftInside::Owner(owner)),
        Err(problem @ FormatError::TooNew { .. }) => Err(misread(path, problem, None)),
        Err(_) => Ok(LeftInside::Unreadable),
    }
}

/// Stands in for an owner who has not written a name.
fn unknown_owner() -> LockOwner {
    LockOwner {
        process: 0,
        host: "an unknown host".to_owned(),
        actor: String::new(),
        command: "?".to_owned(),
        since: "an unknown time".to_owned(),
    }
}
