//! Atomic file writes, and folders with access for their owner only.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::bounded_read::{open_file, read_file};
use crate::ports::StoreError;

/// Writes a file that people named (a plan file, an output) atomically, with the default
/// permissions of new files.
///
/// # Errors
///
/// If it cannot be written. The earlier content is then still there.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let path =
        &destination(path).map_err(|source| failed(tr_later!("cannot write"), path, source))?;
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A terminal, a pipe or `/dev/null` cannot be replaced.
        let mut file = File::options()
            .write(true)
            .open(path)
            .map_err(|source| failed(tr_later!("cannot write"), path, source))?;
        return file
            .write_all(bytes)
            .map_err(|source| failed(tr_later!("cannot write"), path, source));
    }
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has a mode to set"))]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The mode that a program requests for a new file; the system applies the umask.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let temporary = builder
        .tempfile_in(folder_of(path))
        .map_err(|source| failed(tr_later!("cannot write"), path, source))?;
    put_in_place(temporary, path, bytes)?;
    sync_folder(folder_of(path))
}

/// Maximum number of symbolic links in a chain.
const MAX_SYMLINKS: usize = 40;

/// Returns the target of a path after symbolic links, existing or not: a link stays a link to the
/// same place.
///
/// # Errors
///
/// If its links form a ring.
pub fn destination(path: &Path) -> io::Result<PathBuf> {
    if let Ok(there) = fs::canonicalize(path) {
        return Ok(there);
    }
    let mut path = path.to_owned();
    for _ in 0..MAX_SYMLINKS {
        match fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead round in a ring"))
}

/// Writes a file of the store atomically, readable by its owner alone, and durable once this
/// returns.
pub(in crate::store) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    place_private(path, bytes)?;
    sync_folder(folder_of(path))
}

/// Writes a file like [`write_private`], but its name is durable only once [`sync_folder`] was
/// called on the folder: for several files of one folder.
pub(super) fn place_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    // The crate creates temporary files with mode 0600.
    let temporary = NamedTempFile::new_in(folder_of(path))
        .map_err(|source| failed(tr_later!("cannot write"), path, source))?;
    put_in_place(temporary, path, bytes)
}

/// Makes the names in a folder durable; a file that was renamed into it survives a crash only after
/// that.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    // Systems other than Unix do not let programs open folders, and make names durable themselves.
    if cfg!(unix) {
        let synced = File::open(path).and_then(|folder| folder.sync_all());
        synced.map_err(|source| failed(tr_later!("cannot sync"), path, source))?;
    }
    Ok(())
}

/// Creates a folder and the missing ones above it, for their owner alone, each durable.
pub(in crate::store) fn make_folder(path: &Path) -> Result<(), StoreError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(above)?;
    }
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has a mode to set"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Ok(()) => sync_folder(folder_of(path)),
        // Another process was quicker.
        Err(_) if path.is_dir() => Ok(()),
        Err(source) => Err(failed(tr_later!("cannot make the folder"), path, source)),
    }
}

/// Maximum size of a log that is read: a journal, backups, the audit log. The journal of a run over
/// 100,000 people has a tenth of it.
pub(in crate::store) const MAX_LOG_BYTES: u64 = 1 << 30;

/// Maximum size of a document that is read, such as a ledger. One of 100,000 people with two cards
/// each has a tenth of it.
pub(in crate::store) const MAX_DOCUMENT_BYTES: u64 = 256 << 20;

/// Returns the content of a regular file; `None` if it does not exist.
pub(in crate::store) fn read_optional(
    path: &Path,
    limit: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    match read_file(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(tr_later!("cannot read"), path, source)),
    }
}

/// Reads a part of a file that exists.
pub(super) fn read_part(path: &Path, part: std::ops::Range<u64>) -> Result<Vec<u8>, StoreError> {
    let read = || {
        let mut file = open_file(path, File::options().read(true))?;
        file.seek(io::SeekFrom::Start(part.start))?;
        let mut bytes = Vec::new();
        file.take(part.end.saturating_sub(part.start)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| failed(tr_later!("cannot read"), path, source))
}

/// Opens a file of the store for reading and writing in place, and creates it if it is missing, for
/// its owner alone.
pub(in crate::store) fn open_private(path: &Path) -> Result<File, StoreError> {
    open(path, File::options().read(true).write(true).truncate(false))
}

/// Opens a file of the store for appending, and creates it if it is missing, for its owner alone.
pub(super) fn open_to_append(path: &Path) -> Result<File, StoreError> {
    open(path, File::options().read(true).append(true))
}

/// Returns the folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the error of the system, with the attempted action.
pub(in crate::store) fn failed(doing: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { doing, path: shown(path), source }
}

fn open(path: &Path, options: &mut fs::OpenOptions) -> Result<File, StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    open_file(path, options.create(true))
        .map_err(|source| failed(tr_later!("cannot open"), path, source))
}

fn put_in_place(mut temporary: NamedTempFile, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let written = temporary.write_all(bytes).and_then(|()| temporary.as_file().sync_all());
    written.map_err(|source| failed(tr_later!("cannot write"), path, source))?;
    temporary
        .persist(path)
        .map_err(|problem| failed(tr_later!("cannot write"), path, problem.error))?;
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        for bytes in [b"one".as_slice(), b"another"] {
            write_whole(&path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(names(folder.path()), ["plan.json"]);
    }

    #[test]
    fn file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("taken")).unwrap();
        let missing = folder.path().join("missing").join("plan.json");
        assert!(write_whole(&missing, b"x").is_err());
        assert!(write_private(&folder.path().join("taken"), b"x").is_err());
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[cfg(unix)]
    #[test]
    fn store_files_are_their_owners_alone_and_outputs_are_like_other_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a").join("b");
        make_folder(&deep).unwrap();
        assert_eq!((mode(&deep), mode(deep.parent().unwrap())), (0o700, 0o700));
        write_private(&deep.join("private"), b"").unwrap();
        drop(open_private(&deep.join("opened")).unwrap());
        assert_eq!((mode(&deep.join("private")), mode(&deep.join("opened"))), (0o600, 0o600));
        write_whole(&deep.join("output"), b"").unwrap();
        File::create(deep.join("usual")).unwrap();
        assert_eq!(mode(&deep.join("output")), mode(&deep.join("usual")));
    }

    #[cfg(unix)]
    #[test]
    fn output_follows_the_name_that_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write_whole(&real, b"old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write_whole(Path::new("/dev/null"), b"x").unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn output_follows_a_link_to_a_file_that_is_not_there_yet() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("below")).unwrap();
        symlink("middle", at("link")).unwrap();
        symlink("below/real", at("middle")).unwrap();
        write_whole(&at("link"), b"new").unwrap();
        assert_eq!(fs::read(at("below/real")).unwrap(), b"new");
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        // A link into a missing folder, or back to itself, is refused and stays.
        symlink("none/real", at("nowhere")).unwrap();
        symlink("ring", at("ring")).unwrap();
        for name in ["nowhere", "ring"] {
            assert!(write_whole(&at(name), b"x").is_err(), "{name}");
            assert!(fs::symlink_metadata(at(name)).unwrap().is_symlink(), "{name}");
        }
    }
}
