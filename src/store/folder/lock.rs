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
//! process is visible here. Then a person has to check ([`unlock`]).

use std::path::Path;

use super::file::read_optional;
use super::held_file::{HeldFile, MAX_LOCK_BYTES, StaleOwner, stale_owner, unknown_owner};
use super::paths::StorePaths;
use super::process::{self, Liveness};
use crate::i18n::Text;
use crate::ports::{LockOwner, StoreError};
use crate::records::{LockRecord, encode_lock};
use crate::store::place::{LockState, misread};

/// Takes the lock. Returns a notice with it if the last owner left the lock behind.
///
/// # Errors
///
/// [`StoreError::Locked`] if another process holds it, or may hold it without being visible
/// here.
pub(super) fn take(
    paths: &StorePaths,
    owner: LockOwner,
) -> Result<(HeldFile, Option<Text>), StoreError> {
    paths.make()?;
    take_file(&paths.lock(), owner)
}

/// Takes the lock of a file in a folder that is there.
pub(super) fn take_file(
    path: &Path,
    owner: LockOwner,
) -> Result<(HeldFile, Option<Text>), StoreError> {
    let held = HeldFile::take(path)?;
    let here = process::this_process();
    let note = match held.inside(path)? {
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
    let record = LockRecord { owner, process: Some(here), file: process::file_id(held.file()) };
    let bytes = encode_lock(&record)
        .map_err(|problem| misread(&path.display().to_string(), problem, None))?;
    held.write(path, &bytes)?;
    Ok((held, note))
}

/// Returns the owner in the lock file, who holds the lock or left it behind. Only an attempt to
/// take the lock tells which.
pub(super) fn owner(path: &Path) -> Result<Option<LockOwner>, StoreError> {
    let bytes = read_optional(path, MAX_LOCK_BYTES)?.unwrap_or_default();
    match stale_owner(path, &bytes)? {
        StaleOwner::Nobody => Ok(None),
        StaleOwner::Owner(last) => Ok(Some(last.owner)),
        StaleOwner::Unreadable => Ok(Some(unknown_owner())),
    }
}

/// Returns the owner of the lock and its liveness, as far as it is visible here. The caller
/// compares the host names.
pub(super) fn state(path: &Path) -> Result<LockState, StoreError> {
    // An empty lock file needs no attempt to lock it, which could disturb another process.
    if read_optional(path, MAX_LOCK_BYTES)?.is_none_or(|bytes| bytes.is_empty()) {
        return Ok(LockState::Free);
    }
    let held = match HeldFile::take(path) {
        Ok(held) => held,
        Err(StoreError::Locked(owner)) => return Ok(LockState::Held(owner)),
        Err(problem) => return Err(problem),
    };
    Ok(match held.inside(path)? {
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
pub(super) fn unlock(path: &Path, shown: &LockOwner) -> Result<(), StoreError> {
    if read_optional(path, MAX_LOCK_BYTES)?.is_none() {
        return Ok(());
    }
    let held = HeldFile::take(path)?;
    let here = process::this_process();
    match held.inside(path)? {
        StaleOwner::Owner(last) if last.owner != *shown => Err(StoreError::Locked(last.owner)),
        StaleOwner::Owner(last)
            if held.liveness(&last, &here, &last.owner.host) == Liveness::Alive =>
        {
            Err(StoreError::Locked(last.owner))
        }
        StaleOwner::Nobody | StaleOwner::Owner(_) | StaleOwner::Unreadable => held.write(path, b""),
    }
}
