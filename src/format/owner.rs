//! Who holds a lock.

use serde::{Deserialize, Serialize};

use super::FormatError;
use crate::port::LockOwner;

#[derive(Debug, Serialize, Deserialize)]
struct OwnerForm {
    process: u32,
    host: String,
    actor: String,
    command: String,
    since: String,
}

/// An owner as JSON.
pub fn encode_owner(owner: &LockOwner) -> Vec<u8> {
    let LockOwner { process, host, actor, command, since } = owner.clone();
    let form = OwnerForm { process, host, actor, command, since };
    serde_json::to_vec(&form).unwrap_or_default()
}

/// An owner from JSON. Fields that a newer recard may have added are left out: this is for people to read, and nothing
/// depends on it.
///
/// # Errors
///
/// If it is not one.
pub fn decode_owner(bytes: &[u8]) -> Result<LockOwner, FormatError> {
    let OwnerForm { process, host, actor, command, since } =
        serde_json::from_slice(bytes).map_err(FormatError::damaged)?;
    Ok(LockOwner { process, host, actor, command, since })
}
