//! Content of a portal's lock file: the owner and its process.
//!
//! The file cannot be replaced while it is locked, so it is written in place, and the seal detects
//! a half-written owner. Version 1 has no process.

use serde::{Deserialize, Serialize};

use super::FormatError;
use super::sealed::{RecordFormat, seal, unseal};
use crate::ports::LockOwner;

const FORMAT: RecordFormat = RecordFormat { name: "lock", version: 2 };

/// Identity of a process, which tells it from another one with the same number. A text is empty
/// where the system has no such information.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessIdentity {
    /// The process id, in its namespace.
    pub process: u32,
    /// The boot id of the system: it differs between machines, and after a restart.
    pub boot: String,
    /// Namespace of process ids.
    pub namespace: String,
    /// Start time, in ticks since the boot.
    pub started: String,
}

/// Content of a lock file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRecord {
    /// The owner.
    pub owner: LockOwner,
    /// The owner's process; `None` in files of earlier versions.
    pub process: Option<ProcessIdentity>,
    /// Device and inode of the file that the process has locked; empty where the system has none.
    pub file: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockV2 {
    process: u32,
    host: String,
    actor: String,
    command: String,
    since: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<ProcessIdentity>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    file: String,
}

/// Encodes the content of a lock file as a sealed document.
pub fn encode_lock(record: &LockRecord) -> Result<Vec<u8>, FormatError> {
    let LockRecord { owner, process: identity, file } = record.clone();
    let LockOwner { process, host, actor, command, since } = owner;
    seal(FORMAT, &LockV2 { process, host, actor, command, since, identity, file })
}

/// Decodes the content of a lock file from a sealed document.
///
/// # Errors
///
/// If it is not a sealed document of this kind, of a newer version, or changed since it was
/// written.
pub fn decode_lock(bytes: &[u8]) -> Result<LockRecord, FormatError> {
    let LockV2 { process, host, actor, command, since, identity, file } = unseal(FORMAT, bytes)?;
    Ok(LockRecord {
        owner: LockOwner { process, host, actor, command, since },
        process: identity,
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn lock_file_of_the_first_version_is_read() {
        let text = r#"{"actor":"anna","command":"apply","format":"recard.lock/v1","host":"build","process":4711,"seal":"sha256:4671c2454a245a437192d80732836367beffb032399f304560413ac2a7480a0d","since":"2026-11-01T09:00:00Z"}"#;
        let record = LockRecord { owner: samples::owner(), process: None, file: String::new() };
        assert_eq!(decode_lock(text.as_bytes()).unwrap(), record);
    }

    #[test]
    fn lock_record_comes_back_whole() {
        assert_eq!(decode_lock(&encode_lock(&samples::lock()).unwrap()).unwrap(), samples::lock());
    }
}
