//! Files that are whole or not there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::model::{Digest, Layout};
use crate::port::StoreError;

/// Writes a file that people named: whole or not at all, with the permissions that new files have here.
///
/// # Errors
///
/// If it cannot be written. What stood there before is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The system takes away what its umask says.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temporary = builder.tempfile_in(folder).map_err(|problem| failed("cannot write", path, problem))?;
    persist(temporary, path, bytes)
}

/// Writes a file of the store: whole or not at all, readable by its owner alone.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = NamedTempFile::new_in(folder_of(path)).map_err(|problem| failed("cannot write", path, problem))?;
    persist(temporary, path, bytes)?;
    sync_folder(folder_of(path))
}

fn persist(mut temporary: NamedTempFile, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = temporary.write_all(bytes).and_then(|()| temporary.as_file().sync_all());
    written.map_err(|problem| failed("cannot write", path, problem))?;
    temporary.persist(path).map_err(|problem| failed("cannot write", path, problem.error))?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder durable; a file that was renamed into it survives a crash only after that.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    // Other systems than Unix cannot open folders, and keep names by themselves.
    if cfg!(unix) {
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .map_err(|problem| failed("cannot sync", path, problem))?;
    }
    Ok(())
}

/// Makes a folder and those above it, readable by their owner alone.
pub(super) fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path).map_err(|problem| failed("cannot make the folder", path, problem))
}

/// The content of a file; nothing if it is not there.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(failed("cannot read", path, problem)),
    }
}

/// A backup, if its content is the one that its name promises.
pub(super) fn checked_backup(path: &Path, bytes: &[u8], digest: Digest) -> Result<Layout, StoreError> {
    let damaged = |problem: String| StoreError::Damaged { path: path.display().to_string(), problem };
    let text = std::str::from_utf8(bytes).map_err(|problem| damaged(problem.to_string()))?;
    let layout = Layout::from_json(text).map_err(|problem| damaged(problem.to_string()))?;
    if layout.digest() == digest {
        Ok(layout)
    } else {
        Err(damaged(format!("its content has the digest {}", layout.digest().short())))
    }
}

pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { doing, path: path.display().to_string(), source }
}
