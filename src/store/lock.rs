//! The lock of a portal, and the right to write that it gives.
//!
//! The lock is one of the operating system, on a file that stays where it is: the system takes it back when a process ends,
//! however it ends. The file's content says who holds it, for people; a process that ended without clearing it has died, and
//! that is worth a note.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Store;
use super::file::{failed, make_folder, replace, sync_folder};
use super::log::FolderLog;
use crate::format;
use crate::model::{CardKey, Generation, LedgerEntry, RunId};
use crate::port::{JournalRecord, LockOwner, RunHeader, StoreError};

/// How often a process that waits for a lock looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The right to write what is kept of a portal. There is one at any time.
#[derive(Debug)]
pub struct Locked {
    store: Store,
    file: File,
}

/// A lock that was taken.
#[derive(Debug)]
pub struct Taken {
    /// The right that it gives.
    pub locked: Locked,
    /// What is worth telling about the one who held it before.
    pub note: Option<String>,
}

impl Store {
    /// Takes the lock of the portal, and waits for it no longer than a time. Makes the store if it is not there yet.
    ///
    /// # Errors
    ///
    /// If another process holds it when the time is over, or the store cannot be written.
    pub async fn lock(&self, owner: &LockOwner, patience: Duration) -> Result<Taken, StoreError> {
        let deadline = Instant::now() + patience;
        loop {
            match self.try_lock(owner) {
                Err(StoreError::Locked(_)) if Instant::now() < deadline => sleep(LOOK_AGAIN).await,
                done => return done,
            }
        }
    }

    /// Who holds the lock, if somebody does.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn lock_owner(&self) -> Result<Option<LockOwner>, StoreError> {
        let path = self.folder.join("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(failed("cannot read", &path, problem)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(owner_in(&file))),
            Err(TryLockError::Error(problem)) => Err(failed("cannot look at the lock", &path, problem)),
        }
    }

    fn try_lock(&self, owner: &LockOwner) -> Result<Taken, StoreError> {
        self.make()?;
        let path = self.folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&path).map_err(|problem| failed("cannot open the lock", &path, problem))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(owner_in(&file))),
            Err(TryLockError::Error(problem)) => return Err(failed("cannot take the lock", &path, problem)),
        }
        let left = content(&file);
        let note = (!left.is_empty()).then(|| match format::decode_owner(&left) {
            Ok(dead) => format!("the last run here did not end by itself (it was {dead}); its lock was taken over"),
            Err(_) => "the last run here did not end by itself; its lock was taken over".to_owned(),
        });
        let mut locked = Locked { store: self.clone(), file };
        locked.write_owner(&format::encode_owner(owner)).map_err(|problem| failed("cannot write", &path, problem))?;
        Ok(Taken { locked, note })
    }

    /// Makes the folders of the store, with a file that keeps them out of repositories.
    fn make(&self) -> Result<(), StoreError> {
        if self.folder.join("runs").is_dir() {
            return Ok(());
        }
        make_folder(&self.folder.join("runs"))?;
        let ignore = self.root.join(".gitignore");
        if !ignore.exists() {
            super::write_whole(&ignore, b"# Backups hold people's work, and a state is no source.\n*\n")?;
        }
        sync_folder(&self.folder)?;
        sync_folder(&self.root)
    }
}

impl Locked {
    /// Finds out whether backups can be written, before anything is reset that needs one.
    ///
    /// # Errors
    ///
    /// If the store does not let us, or its disk is full.
    pub fn probe(&self) -> Result<(), StoreError> {
        let path = self.store.folder.join("probe");
        // As large as a large card: a disk that cannot hold this cannot hold its backup.
        replace(&path, &vec![b' '; 256 * 1024])?;
        fs::remove_file(&path).map_err(|problem| failed("cannot write", &path, problem))
    }

    /// Opens the journal of a new run, with its header on disk.
    ///
    /// # Errors
    ///
    /// If the store cannot be written, or the run is there already.
    pub fn start_run(&mut self, run: &RunId, header: RunHeader) -> Result<FolderLog<'_>, StoreError> {
        let folder = self.store.run_folder(run);
        if folder.exists() {
            return Err(failed("cannot start a run in", &folder, std::io::ErrorKind::AlreadyExists.into()));
        }
        make_folder(&folder)?;
        sync_folder(&self.store.folder.join("runs"))?;
        let mut log = FolderLog::open(self, run.clone(), 0, 0)?;
        log.write(&[JournalRecord::Opened(header)])?;
        sync_folder(&folder)?;
        Ok(log)
    }

    /// Opens the journal of a run that was cut, to settle it. A torn last line is cut off first.
    ///
    /// # Errors
    ///
    /// If the journal is missing or damaged.
    pub fn reopen_run(&mut self, run: &RunId) -> Result<FolderLog<'_>, StoreError> {
        let (records, length) = self.store.whole_journal(run)?;
        FolderLog::open(self, run.clone(), records.len(), length)
    }

    /// Keeps how many people a run selected.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep_selection(&mut self, people: u32) -> Result<(), StoreError> {
        if self.store.selection()? == Some(people) {
            return Ok(());
        }
        replace(&self.store.folder.join("selection.json"), &format::encode_selection(people))
    }

    /// Marks targets of `mode: once` as done.
    pub(super) fn mark(&mut self, entries: &[(Generation, CardKey, LedgerEntry)]) -> Result<(), StoreError> {
        let mut ledger = self.store.ledger()?;
        for (generation, key, entry) in entries {
            ledger.mark(generation.clone(), *key, *entry);
        }
        replace(&self.store.folder.join("ledger.json"), &format::encode_ledger(&ledger))
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn write_owner(&mut self, owner: &[u8]) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(owner)?;
        self.file.sync_data()
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A failure leaves the owner's name behind, which the next run tells and overwrites.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = file;
    let _ = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    bytes
}

/// The owner that a lock's file names; a nameless one if it is just being written.
fn owner_in(file: &File) -> LockOwner {
    let nameless = LockOwner {
        process: 0,
        host: "unknown".into(),
        actor: String::new(),
        command: "?".into(),
        since: "a moment ago".into(),
    };
    format::decode_owner(&content(file)).unwrap_or(nameless)
}

/// The folder of a store's portal, for tests.
#[cfg(test)]
pub(super) fn folder(store: &Store) -> &std::path::Path {
    &store.folder
}
