//! The journal and the backups of one run.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use super::file::{checked_backup, failed, make_folder, read_if_there, replace, sync_folder};
use super::lock::Locked;
use crate::format;
use crate::model::{CardKey, Generation, Layout, LedgerEntry, RunId};
use crate::port::{JournalRecord, RunLog, StoreError};

/// Writes a run's journal and backups. Borrows the lock, and so cannot outlive it.
#[derive(Debug)]
pub struct FolderLog<'a> {
    locked: &'a mut Locked,
    run: RunId,
    path: PathBuf,
    file: File,
    records: usize,
    /// Set when a write failed: what came of it is not known, so nothing may follow.
    broken: bool,
}

impl<'a> FolderLog<'a> {
    /// Opens a journal at the end of what is whole in it.
    pub(super) fn open(locked: &'a mut Locked, run: RunId, records: usize, length: u64) -> Result<Self, StoreError> {
        let path = locked.store().journal_path(&run);
        let mut options = OpenOptions::new();
        options.write(true).create(records == 0).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&path).map_err(|problem| failed("cannot open", &path, problem))?;
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|problem| failed("cannot write", &path, problem))?;
        Ok(Self { locked, run, path, file, records, broken: false })
    }

    pub(super) fn write(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        if self.broken {
            let problem = std::io::Error::other("an earlier write to it failed");
            return Err(failed("cannot write", &self.path, problem));
        }
        let mut text = String::new();
        for record in records {
            text.push_str(&format::checked_line(&format::encode_record(self.records, record)));
            self.records += 1;
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|problem| {
            self.broken = true;
            failed("cannot write", &self.path, problem)
        })
    }
}

impl RunLog for FolderLog<'_> {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn back_up(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        let mut folders = BTreeSet::new();
        for (_, layout) in cards {
            let path = self.locked.store().backup_path(layout.digest());
            let there = read_if_there(&path)?;
            // The same content may have been backed up before; what does not verify is written anew.
            if there.is_some_and(|bytes| checked_backup(&path, &bytes, layout.digest()).is_ok()) {
                continue;
            }
            let Some(folder) = path.parent() else { continue };
            if !folder.is_dir() {
                make_folder(folder)?;
                folders.extend(folder.parent().map(PathBuf::from));
            }
            replace(&path, layout.as_json().as_bytes())?;
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        self.write(records)
    }

    fn mark(&mut self, entries: &[(Generation, CardKey, LedgerEntry)]) -> Result<(), StoreError> {
        self.locked.mark(entries)
    }
}
