//! Who holds a portal's lock, as it stands inside the lock's file.
//!
//! The file cannot be replaced while it is locked, so it is written in place, and the seal tells a half-written owner from a
//! whole one.

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::document::{Format, seal, unseal};
use crate::port::LockOwner;

const FORMAT: Format = Format { name: "lock", version: 1 };

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnerForm {
    process: u32,
    host: String,
    actor: String,
    command: String,
    since: String,
}

/// An owner as a sealed document.
///
/// # Errors
///
/// If JSON cannot hold it; nothing that recard keeps is such a value.
pub fn encode_lock_owner(owner: &LockOwner) -> Result<Vec<u8>, FormatError> {
    let LockOwner { process, host, actor, command, since } = owner.clone();
    seal(FORMAT, &OwnerForm { process, host, actor, command, since })
}

/// An owner from a sealed document.
///
/// # Errors
///
/// If it is no sealed document of this kind, of a newer version, or changed since it was written.
pub fn decode_lock_owner(bytes: &[u8]) -> Result<LockOwner, FormatError> {
    let OwnerForm { process, host, actor, command, since } = unseal(FORMAT, bytes)?;
    Ok(LockOwner { process, host, actor, command, since })
}
