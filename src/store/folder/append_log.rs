//! Append-only file of lines, each synced before it is relied on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::file::{failed, open_private, open_to_append};
use crate::ports::StoreError;

/// Number of unsynced bytes that are allowed, about a page of the system: a crash of the system may
/// lose a page in the middle and keep the next. The fewer bytes wait, the less likely is a gap in
/// front of undamaged lines.
const MAX_UNSYNCED_BYTES: usize = 4096;

/// The right to append to a file.
#[derive(Debug)]
pub(super) struct AppendLog {
    path: PathBuf,
    file: File,
    write_state: WriteState,
    /// The number of written bytes that are not synced; older bytes may not be synced either.
    unsynced: usize,
}

/// State of the file after the last write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteState {
    /// All writes succeeded.
    Ok,
    /// A write failed. The end of the file is unknown, and after a failed sync all earlier bytes
    /// are too: the system reports such a failure once and then forgets it. No further append is
    /// allowed.
    Poisoned,
}

impl AppendLog {
    /// Opens or creates a file, and truncates it to its first `whole` bytes: the rest is a torn
    /// line.
    pub(super) fn open(path: &Path, whole: usize) -> Result<Self, StoreError> {
        let file = open_to_append(path)?;
        let there =
            file.metadata().map_err(|source| failed(tr_later!("cannot read"), path, source))?.len();
        let whole = whole as u64;
        if there > whole {
            // Some systems cannot truncate a file that is open for appending.
            let file = open_private(path)?;
            let cut = file.set_len(whole).and_then(|()| file.sync_all());
            cut.map_err(|source| failed(tr_later!("cannot cut a torn line off"), path, source))?;
        }
        Ok(Self { path: path.to_owned(), file, write_state: WriteState::Ok, unsynced: 1 })
    }

    /// Appends lines in one write and syncs them together with all earlier ones. After an error no
    /// further append is possible.
    pub(super) fn append(&mut self, lines: &str) -> Result<(), StoreError> {
        self.append_unsynced(lines)?;
        self.sync()
    }

    /// Appends lines in one write. They survive the end of the process; they survive a crash of the
    /// system after the next sync, which follows before many bytes wait.
    pub(super) fn append_unsynced(&mut self, lines: &str) -> Result<(), StoreError> {
        self.unsynced = self.unsynced.saturating_add(lines.len());
        self.change(|file| file.write_all(lines.as_bytes()))?;
        if self.unsynced > MAX_UNSYNCED_BYTES { self.sync() } else { Ok(()) }
    }

    /// Syncs the appended lines.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        if self.unsynced > 0 {
            self.change(|file| file.sync_data())?;
            self.unsynced = 0;
        }
        Ok(())
    }

    fn change(
        &mut self,
        change: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        if self.write_state == WriteState::Poisoned {
            let source = io::Error::other("an earlier write to it failed");
            return Err(failed(tr_later!("cannot append to"), &self.path, source));
        }
        change(&mut self.file).map_err(|source| {
            self.write_state = WriteState::Poisoned;
            failed(tr_later!("cannot append to"), &self.path, source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torn_line_is_cut_off_before_the_next_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        AppendLog::open(&path, 0).unwrap().append("one\ntw").unwrap();
        AppendLog::open(&path, 4).unwrap().append("three\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nthree\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn append_log_refuses_appends_after_a_write_that_failed() {
        let path = PathBuf::from("/dev/full");
        let file = File::options().append(true).open(&path).unwrap();
        let mut lines = AppendLog { path, file, write_state: WriteState::Ok, unsynced: 1 };
        let full = lines.append("one\n").unwrap_err();
        assert!(
            matches!(full, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
        );
        // The disk has room again, but the log stays poisoned.
        lines.file = File::options().append(true).open("/dev/null").unwrap();
        assert!(lines.append("two\n").is_err());
    }
}
