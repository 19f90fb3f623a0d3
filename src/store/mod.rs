//! The store in a folder: backups, journals, the ledger, and the lock that guards them.
//!
//! What is written here is the way back from every reset. So a file is written whole or not at all (a temporary file, synced
//! and renamed, then its folder synced), a journal grows by whole lines that are synced before anything is sent, and only
//! [`Locked`], of which there is one for a portal at any time, can write at all. What cannot be read is an error and never
//! a guess.
//!
//! ```text
//! .recard/
//!   .gitignore                 backups are people's work and belong in no repository
//!   portals/PORTAL/
//!     lock                     held by the process that works on the portal, with its name in it
//!     level.json               what the portal's limits stood at
//!     ledger.json              which targets had their reset in mode once
//!     selection.json           how many people the last run selected
//!     backups/ab/DIGEST.json   a layout as the portal sent it, named by its digest
//!     runs/RUN/journal.jsonl   what a run intended and what became of it
//! ```
//!
//! Only here, and in `cli` for what people name on the command line, are files touched.

mod file;
mod lock;
mod log;

pub use file::write_whole;
pub use lock::{Locked, Taken};
pub use log::FolderLog;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::format::{self, FormatError, StoredLevel};
use crate::model::{CardKey, Digest, Layout, Ledger, PortalId, RunId};
use crate::port::{Archive, JournalRecord, RunHeader, StoreError};
use file::{failed, read_if_there};

/// What is kept of one portal. Reading needs no lock: whatever stands there is whole.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    folder: PathBuf,
}

/// A run, as its journal tells it.
#[derive(Clone, Debug)]
pub struct RunStory {
    /// The run.
    pub run: RunId,
    /// What it was about.
    pub header: RunHeader,
    /// Its records, the header included.
    pub records: Vec<JournalRecord>,
}

impl RunStory {
    /// Whether the run came to its end, or was settled later.
    pub fn is_closed(&self) -> bool {
        self.records.iter().any(|record| matches!(record, JournalRecord::Closed { .. }))
    }
}

impl Store {
    /// Names the part of a store that belongs to a portal. Nothing is written; a store that is not there yet is empty.
    ///
    /// # Errors
    ///
    /// If the path is there and no folder.
    pub fn open(root: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        match fs::metadata(root) {
            Ok(found) if !found.is_dir() => {
                return Err(failed("cannot use as a store", root, io::ErrorKind::NotADirectory.into()));
            }
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
                return Err(failed("cannot use as a store", root, problem));
            }
            Ok(_) | Err(_) => {}
        }
        Ok(Self { root: root.to_owned(), folder: root.join("portals").join(portal.folder_name()) })
    }

    /// Which targets had their reset in mode `once`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.read("ledger.json", format::decode_ledger).map(Option::unwrap_or_default)
    }

    /// How many people the last run selected, if there was one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn selection(&self) -> Result<Option<u32>, StoreError> {
        self.read("selection.json", format::decode_selection)
    }

    /// What the portal's limits stood at when somebody last looked.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn level(&self) -> Result<Option<StoredLevel>, StoreError> {
        self.read("level.json", format::decode_level)
    }

    /// Keeps what the portal's limits stand at. Needs no lock, because it is only a hint: the last one to write is right.
    ///
    /// A store that is not there yet is not made for it: looking at a portal leaves no trace.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn keep_level(&self, level: &StoredLevel) -> Result<(), StoreError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        file::replace(&self.folder.join("level.json"), &format::encode_level(level))
    }

    /// All runs, the oldest first.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, StoreError> {
        let folder = self.folder.join("runs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(problem) => return Err(failed("cannot read", &folder, problem)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let name = entry.map_err(|problem| failed("cannot read", &folder, problem))?.file_name();
            // What does not have the name of a run is not ours.
            runs.extend(name.to_str().and_then(|name| name.parse::<RunId>().ok()));
        }
        runs.sort();
        Ok(runs)
    }

    /// The run that a text means: its name, the beginning of it that fits one run only, or `last`.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub fn find_run(&self, text: &str) -> Result<RunId, StoreError> {
        let runs = self.runs()?;
        if text == "last" {
            return runs.into_iter().next_back().ok_or_else(|| StoreError::Missing("run in the store".into()));
        }
        let mut fitting = runs.into_iter().filter(|run| run.as_str().starts_with(text));
        match (fitting.next(), fitting.next()) {
            (Some(run), None) => Ok(run),
            (Some(_), Some(_)) => Err(StoreError::Missing(format!("single run whose name begins with {text:?}"))),
            (None, _) => Err(StoreError::Missing(format!("run {text:?} in the store"))),
        }
    }

    /// What a run's journal tells.
    ///
    /// # Errors
    ///
    /// If the journal is missing or damaged.
    pub fn story(&self, run: &RunId) -> Result<RunStory, StoreError> {
        let records = self.journal(run)?;
        match records.first() {
            Some(JournalRecord::Opened(header)) => Ok(RunStory { run: run.clone(), header: header.clone(), records }),
            _ => Err(StoreError::Damaged {
                path: self.journal_path(run).display().to_string(),
                problem: "it does not begin with a run's header".into(),
            }),
        }
    }

    /// The newest run that has not come to its end, if there is one. A run that was cut before its header was whole has
    /// sent nothing, and does not count.
    ///
    /// # Errors
    ///
    /// If a journal is damaged.
    pub fn unfinished(&self) -> Result<Option<RunId>, StoreError> {
        for run in self.runs()?.into_iter().rev() {
            let records = self.journal(&run)?;
            let closed = records.iter().any(|record| matches!(record, JournalRecord::Closed { .. }));
            if !records.is_empty() && !closed {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    fn read<T>(&self, name: &str, decode: impl Fn(&[u8]) -> Result<T, FormatError>) -> Result<Option<T>, StoreError> {
        let path = self.folder.join(name);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        decode(&bytes).map(Some).map_err(|problem| wrong(&path, problem, None))
    }

    fn run_folder(&self, run: &RunId) -> PathBuf {
        self.folder.join("runs").join(run.as_str())
    }

    fn journal_path(&self, run: &RunId) -> PathBuf {
        self.run_folder(run).join("journal.jsonl")
    }

    fn backup_path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let first: String = hex.chars().take(2).collect();
        self.folder.join("backups").join(first).join(format!("{hex}.json"))
    }

    /// The records of a journal, and the length of what is whole in it.
    fn whole_journal(&self, run: &RunId) -> Result<(Vec<JournalRecord>, u64), StoreError> {
        let path = self.journal_path(run);
        let bytes = read_if_there(&path)?.ok_or_else(|| StoreError::Missing(format!("journal of the run {run}")))?;
        let damaged = |problem: String| StoreError::Damaged { path: path.display().to_string(), problem };
        let lines = format::read_lines(&bytes).map_err(|problem| damaged(problem.to_string()))?;
        let mut records = Vec::with_capacity(lines.len());
        for (number, line) in lines.iter().enumerate() {
            let record =
                format::decode_record(number, line.json).map_err(|problem| wrong(&path, problem, Some(line.number)))?;
            records.push(record);
        }
        Ok((records, lines.last().map_or(0, |line| line.end as u64)))
    }
}

impl Archive for Store {
    fn journal(&self, run: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
        self.whole_journal(run).map(|(records, _)| records)
    }

    fn backup(&self, _run: &RunId, target: CardKey, digest: Digest) -> Result<Layout, StoreError> {
        let path = self.backup_path(digest);
        let bytes = read_if_there(&path)?
            .ok_or_else(|| StoreError::Missing(format!("backup {} of {target}", digest.short())))?;
        file::checked_backup(&path, &bytes, digest)
    }
}

fn wrong(path: &Path, problem: FormatError, line: Option<usize>) -> StoreError {
    let path = path.display().to_string();
    match problem {
        FormatError::TooNew { found, known } => StoreError::TooNew { path, found, known },
        FormatError::Damaged(problem) => {
            let problem = line.map_or(problem.clone(), |line| format!("line {line}: {problem}"));
            StoreError::Damaged { path, problem }
        }
    }
}

/// The age of a level: no time at all if the clock has gone backwards.
pub fn age(level: &StoredLevel, now: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(now.duration_since(level.at)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
