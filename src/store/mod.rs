//! Store in a folder: backups, journals, the ledger, and the lock that guards them.
//!
//! The store holds the way back from every reset. Files are therefore written atomically (a
//! temporary file, synced and renamed, then its folder synced), a journal grows by lines that are
//! synced before the request leaves, and only a [`WriteGuard`], of which there is one for a portal
//! at any time, can write. An unreadable file is an error; its content is never guessed. Nothing is
//! ever removed, except a torn line at the end of a log, and a proof that the portal contradicts.
//!
//! ```text
//! .recard/
//!   .gitignore                    keeps backups out of repositories
//!   portals/PORTAL/
//!     lock                        held by the process that works on the portal; names it
//!     limiter.json                state of the rate limiter
//!     read-proof.json             evidence that reads of other people's cards can be trusted
//!     field-labels.json           labels of fields as the portal named them last
//!     ledger.json                 targets that had their reset in mode once
//!     selection.json              people that the manifests selected in their last runs
//!     used-plans.jsonl            used plan files
//!     audit.jsonl                 audit log; each line is bound to the one before
//!     runs/RUN/journal.jsonl      intents and outcomes of a run
//!     runs/RUN/backups.jsonl      removed layouts as the portal sent them, named by digest
//!     runs/RUN/{plan,report}.json the plan and its report
//! ```
//!
//! A folder and its files are readable by their owner alone. Several processes may read while one
//! writes: they see complete files and lines.

mod append_log;
mod audit_log;
mod backup;
mod bounded_read;
mod consumed_plans;
mod file;
mod held_file;
mod journal;
mod lock;
mod log;
mod paths;
mod process;
mod runs;
mod salvage;
mod write_guard;

pub use bounded_read::{read_to_limit, read_whole};
pub use file::{destination, write_whole};
pub use lock::LockState;
pub use log::FolderRunLog;
pub use runs::{RunEnd, RunSummary};
pub use write_guard::{ConsumePlanError, WriteGuard};

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use self::append_log::AppendLog;
use self::file::{MAX_DOCUMENT_BYTES, damaged, failed, place_private, read_optional};
use self::paths::StorePaths;
use crate::model::{CardKey, Digest, Layout, Ledger, PortalId, RunId, Selections};
use crate::ports::{Archive, JournalRecord, StoreError};
use crate::records::{
    AuditEntry, AuditEvent, FormatError, LimiterState, PortalLabels, ReadProof,
    decode_field_labels, decode_ledger, decode_limiter_state, decode_read_proof, decode_selections,
    encode_field_labels, encode_ledger, encode_limiter_state, encode_read_proof,
};

/// Number of bytes that a probe writes: the backups and the journal of a few hundred targets.
const PROBE_BYTES: usize = 1024 * 1024;

/// Records of one portal. Reading needs no lock: files and lines are complete.
#[derive(Clone, Debug)]
pub struct Store {
    paths: StorePaths,
    portal: PortalId,
    /// The index of the backups that were read last.
    backups: Arc<Mutex<Option<Arc<backup::Index>>>>,
}

impl Store {
    /// Opens the part of a store that belongs to a portal. Nothing is written; a missing store is
    /// empty.
    ///
    /// # Errors
    ///
    /// If the path leads to something that is not a folder.
    pub fn open(root: &Path, portal: &PortalId) -> Result<Self, StoreError> {
        let problem = match fs::metadata(root) {
            Ok(there) if there.is_dir() => None,
            Ok(_) => Some(io::ErrorKind::NotADirectory.into()),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => None,
            Err(problem) => Some(problem),
        };
        match problem {
            Some(problem) => Err(failed(tr_later!("cannot use as a store:"), root, problem)),
            None => Ok(Self {
                paths: StorePaths::new(root, portal),
                portal: portal.clone(),
                backups: Arc::default(),
            }),
        }
    }

    /// Returns the portal.
    pub fn portal(&self) -> &PortalId {
        &self.portal
    }

    /// Returns `true` if the store has a folder for the portal.
    pub fn is_there(&self) -> bool {
        self.paths.portal().is_dir()
    }

    /// Checks before the first reset that the store is writable and has room: writes a file of some
    /// size, syncs it and removes it.
    ///
    /// # Errors
    ///
    /// If any of this fails.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.paths.make()?;
        let folder = self.paths.portal();
        let probe = || {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&vec![b'.'; PROBE_BYTES])?;
            file.as_file().sync_all()?;
            file.close()
        };
        probe().map_err(|source| failed(tr_later!("cannot write to the store"), folder, source))
    }

    /// Returns the memory of mode `once`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.read_ledger(&self.paths.ledger()).map(Option::unwrap_or_default)
    }

    /// Returns a ledger that is kept in a file elsewhere, for example beside the manifests.
    ///
    /// # Errors
    ///
    /// If it is missing, cannot be read, is damaged or belongs to another portal. A missing ledger
    /// is not an empty one: a mistyped name would reset all cards again.
    pub fn ledger_file(&self, path: &Path) -> Result<Ledger, StoreError> {
        self.read_ledger(path)?
            .ok_or_else(|| StoreError::Missing(format!("ledger {}", path.display())))
    }

    /// Creates a ledger in a file elsewhere.
    ///
    /// # Errors
    ///
    /// If the file exists already, or it cannot be written.
    pub fn create_ledger_file(&self, path: &Path, ledger: &Ledger) -> Result<(), StoreError> {
        if path.exists() {
            return Err(failed(
                tr_later!("cannot begin a ledger in"),
                path,
                io::ErrorKind::AlreadyExists.into(),
            ));
        }
        write_whole(path, &self.ledger_bytes(path, ledger)?)
    }

    fn read_ledger(&self, path: &Path) -> Result<Option<Ledger>, StoreError> {
        read_document(path, |bytes| decode_ledger(&self.portal, bytes))
    }

    fn ledger_bytes(&self, path: &Path, ledger: &Ledger) -> Result<Vec<u8>, StoreError> {
        encode_ledger(&self.portal, ledger).map_err(|problem| misread(path, problem, None))
    }

    /// Returns the selections of the portal's manifests in their last runs.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn selections(&self) -> Result<Selections, StoreError> {
        read_document(&self.paths.selection(), decode_selections).map(Option::unwrap_or_default)
    }

    /// Returns the last saved state of the rate limiter.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn limiter_state(&self) -> Result<Option<LimiterState>, StoreError> {
        read_document(&self.paths.limiter_state(), decode_limiter_state)
    }

    /// Saves the state of the rate limiter. Like the read proof, it is written without the lock: a
    /// plan fills the portal's leaky bucket too, and of two simultaneous writes the later one is
    /// accurate enough.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save_limiter_state(&self, level: &LimiterState) -> Result<(), StoreError> {
        // A crash loses only pacing, which does not justify another sync.
        self.place(&self.paths.limiter_state(), encode_limiter_state(level))
    }

    /// Reads the proof that reads of other people's cards can be trusted, if there is one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or is the proof of another portal. None of these is
    /// a reason to trust.
    pub fn read_proof(&self) -> Result<Option<ReadProof>, StoreError> {
        let path = self.paths.read_proof();
        match read_document(&path, decode_read_proof)? {
            Some(proof) if proof.portal != self.portal => {
                Err(damaged(&path, format!("it is the proof of the portal {}", proof.portal)))
            }
            proof => Ok(proof),
        }
    }

    /// Saves a proof, without the lock: every command that reads may find one, and all are equally
    /// good.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save_read_proof(&self, proof: &ReadProof) -> Result<(), StoreError> {
        self.place(&self.paths.read_proof(), encode_read_proof(proof))
    }

    /// Removes the proof, because the portal contradicts it.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be removed.
    pub fn delete_read_proof(&self) -> Result<(), StoreError> {
        let path = self.paths.read_proof();
        match fs::remove_file(&path) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => {
                Err(failed(tr_later!("cannot remove"), &path, problem))
            }
            _ => Ok(()),
        }
    }

    /// Returns the labels that the portal told last, if it ever did.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or holds the labels of another portal.
    pub fn field_labels(&self) -> Result<Option<PortalLabels>, StoreError> {
        let path = self.paths.field_labels();
        match read_document(&path, decode_field_labels)? {
            Some(labels) if labels.portal != self.portal => {
                Err(damaged(&path, format!("it has the labels of the portal {}", labels.portal)))
            }
            labels => Ok(labels),
        }
    }

    /// Saves the labels of the portal, without the lock: every command that connects may have them,
    /// and the latest are good.
    ///
    /// # Errors
    ///
    /// If they cannot be written.
    pub fn save_field_labels(&self, labels: &PortalLabels) -> Result<(), StoreError> {
        self.place(&self.paths.field_labels(), encode_field_labels(labels))
    }

    /// Writes a document of the portal without the lock, and without a sync.
    fn place(&self, path: &Path, encoded: Result<Vec<u8>, FormatError>) -> Result<(), StoreError> {
        let bytes = encoded.map_err(|problem| misread(path, problem, None))?;
        self.paths.make()?;
        place_private(path, &bytes)
    }

    /// Returns the time at which a plan file was used, if it was.
    ///
    /// # Errors
    ///
    /// If the list or the audit log cannot be read or is damaged.
    pub fn consumed_at(&self, plan: Digest) -> Result<Option<jiff::Timestamp>, StoreError> {
        let read = consumed_plans::read(&self.paths.used_plans())?;
        if let Some(used) = read.plans.iter().find(|used| used.plan == plan) {
            return Ok(Some(used.at));
        }
        // The audit log has each of them too: a lost list must not make old plans usable again.
        let mut entries = self.audit_entries()?.into_iter();
        Ok(entries.find(|entry| entry.event == AuditEvent::PlanUsed(plan)).map(|entry| entry.at))
    }

    /// Returns the ids of all runs, the oldest first.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn run_ids(&self) -> Result<Vec<RunId>, StoreError> {
        let folder = self.paths.runs();
        let unread = |source| failed(tr_later!("cannot read"), &folder, source);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(unread(source)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let name = entry.map_err(unread)?.file_name();
            // A folder without a run id as its name is foreign, and a run without a journal sent
            // nothing.
            let run = name.to_str().and_then(|name| name.parse::<RunId>().ok());
            runs.extend(run.filter(|run| self.paths.journal(run).exists()));
        }
        runs.sort();
        Ok(runs)
    }

    /// Returns the run that a text selects: its id, a unique prefix of it, or `last`.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub fn find_run(&self, text: &str) -> Result<RunId, StoreError> {
        let runs = self.run_ids()?;
        if text == "last" {
            return runs
                .into_iter()
                .next_back()
                .ok_or_else(|| StoreError::Missing("run in the store".to_owned()));
        }
        let mut fitting =
            runs.into_iter().filter(|run| !text.is_empty() && run.as_str().starts_with(text));
        match (fitting.next(), fitting.next()) {
            (Some(run), None) => Ok(run),
            (Some(_), Some(_)) => {
                Err(StoreError::Missing(format!("single run whose name begins with {text:?}")))
            }
            (None, _) => Err(StoreError::Missing(format!("run {text:?} in the store"))),
        }
    }

    /// Returns the summary of a run's journal.
    ///
    /// # Errors
    ///
    /// If the journal is missing or damaged.
    pub fn summary(&self, run: &RunId) -> Result<RunSummary, StoreError> {
        RunSummary::from_records(run.clone(), journal::Records::open(&self.paths, run)?)?
            .ok_or_else(|| damaged(&self.paths.journal(run), "it has no head of a run"))
    }

    /// Returns all runs, the oldest first. A caller that wants the undamaged ones beside a damaged
    /// one asks for each summary separately.
    ///
    /// # Errors
    ///
    /// If a journal is damaged.
    pub fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        self.run_ids()?.iter().map(|run| self.summary(run)).collect()
    }

    /// Returns the oldest interrupted run, if there is one.
    ///
    /// # Errors
    ///
    /// If a journal cannot be read, or a newer recard wrote it.
    pub fn unfinished(&self) -> Result<Option<RunId>, StoreError> {
        for run in self.run_ids()? {
            if journal::surely_closed(&self.paths.journal(&run))? {
                continue;
            }
            let is_closed = match self.summary(&run) {
                Ok(summary) => summary.end != RunEnd::Unfinished,
                Err(StoreError::Damaged { .. }) => self.was_closed(&run)?,
                Err(problem) => return Err(problem),
            };
            if !is_closed {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// Returns the plan of a run, if there is one.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn plan(&self, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
        read_optional(&self.paths.plan(run), MAX_DOCUMENT_BYTES)
    }

    /// Returns the stored report of a run, if there is one. [`RunSummary::into_report`] derives one
    /// from the journal.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn report(&self, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
        read_optional(&self.paths.report(run), MAX_DOCUMENT_BYTES)
    }

    /// Returns the events of the audit log, the oldest first.
    ///
    /// # Errors
    ///
    /// If its chain does not hold.
    pub fn audit_entries(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let read = audit_log::ReadAuditLog::read(&self.paths.audit(), &self.portal)?;
        Ok(read.lines.into_iter().map(|line| line.entry).collect())
    }
}

impl Archive for Store {
    fn journal(&self, run: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
        journal::read(&self.paths, run)
    }

    fn backup(&self, run: &RunId, target: CardKey, digest: Digest) -> Result<Layout, StoreError> {
        let mut there = self.backups.lock().unwrap_or_else(PoisonError::into_inner);
        let index = backup::Index::load(&self.paths, run, there.as_ref())?;
        let index = there.insert(index);
        index.backup(target, digest)
    }
}

fn read_document<T>(
    path: &Path,
    decode: impl Fn(&[u8]) -> Result<T, FormatError>,
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = read_optional(path, MAX_DOCUMENT_BYTES)? else { return Ok(None) };
    decode(&bytes).map(Some).map_err(|problem| misread(path, problem, None))
}

/// Converts an error of a format to the error of its file.
fn misread(path: &Path, problem: FormatError, line: Option<usize>) -> StoreError {
    if let FormatError::TooNew { found, known } = problem {
        return StoreError::TooNew { path: path.display().to_string(), found, known };
    }
    let mut text = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    text.push_str(&problem.to_string());
    if let FormatError::NotJson(source) = problem {
        text.push_str(&format!(" ({source})"));
    }
    damaged(path, text)
}

#[cfg(test)]
mod tests;
