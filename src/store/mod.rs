//! The store in a folder: backups, journals, the ledger, and the lock that guards them.
//!
//! What is written here is the way back from every reset. So a file is written whole or not at all
//! (a temporary file, synced and renamed, then its folder synced), a journal grows by whole lines
//! that are synced before anything is sent, and only [`WriteGuard`], of which there is one for a portal
//! at any time, can write at all. What cannot be read is an error and never a guess. Nothing is
//! ever removed, but for a torn line at the end of a file that grows, and a proof that the portal
//! contradicts.
//!
//! ```text
//! .recard/
//!   .gitignore                    backups are people's work and belong in no repository by accident
//!   portals/PORTAL/
//!     lock                        held by the process that works on the portal, with its name in it
//!     limiter.json                what the portal's limits stood at
//!     read-proof.json             why reads of other people's cards can be trusted
//!     ledger.json                 which targets had their reset in mode once
//!     selection.json              whom the manifests selected in their last runs
//!     used-plans.jsonl            which plan files were used
//!     audit.jsonl                 what happened, each line bound to the one before
//!     runs/RUN/journal.jsonl      what a run intended and what became of it
//!     runs/RUN/backups.jsonl      the layouts that it removes, as the portal sent them, named by their digests
//!     runs/RUN/{plan,report}.json what was planned, and what came of it
//! ```
//!
//! A folder and its files are readable by their owner alone. Several processes may read while one
//! writes: they see whole files and whole lines.

mod append_log;
mod audit_log;
mod backup;
mod bounded_read;
mod consumed_plans;
mod file;
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
    AuditEntry, AuditEvent, FormatError, LimiterState, ReadProof, decode_ledger,
    decode_limiter_state, decode_read_proof, decode_selections, encode_ledger,
    encode_limiter_state, encode_read_proof,
};

/// How much room a probe asks for: the backups and the journal of a few hundred targets.
const PROBE_BYTES: usize = 1024 * 1024;

/// What is kept of one portal. Reading needs no lock: whatever stands there is whole.
#[derive(Clone, Debug)]
pub struct Store {
    paths: StorePaths,
    portal: PortalId,
    /// Where the backups of the run stand that was looked into last.
    backups: Arc<Mutex<Option<Arc<backup::Index>>>>,
}

impl Store {
    /// Names the part of a store that belongs to a portal. Nothing is written; a store that is not
    /// there yet is empty.
    ///
    /// # Errors
    ///
    /// If the path leads to something that is no folder.
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

    /// The portal.
    pub fn portal(&self) -> &PortalId {
        &self.portal
    }

    /// Whether anything was ever kept of this portal here.
    pub fn is_there(&self) -> bool {
        self.paths.portal().is_dir()
    }

    /// Finds out, before the first reset, whether the store can be written to and has room: writes
    /// a file of some size, syncs it and removes it.
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

    /// Which targets had their reset in mode `once`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.read_ledger(&self.paths.ledger()).map(Option::unwrap_or_default)
    }

    /// A ledger that is kept in a file elsewhere, for example beside the manifests.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read, is damaged or belongs to another portal. A ledger
    /// that is not there is not an empty one: everybody would have another turn because of a name
    /// that was mistyped.
    pub fn ledger_file(&self, path: &Path) -> Result<Ledger, StoreError> {
        self.read_ledger(path)?
            .ok_or_else(|| StoreError::Missing(format!("ledger {}", path.display())))
    }

    /// Begins a ledger in a file elsewhere.
    ///
    /// # Errors
    ///
    /// If something stands there already, or it cannot be written.
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

    /// Returns what the manifests of the portal selected in their last runs.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn selections(&self) -> Result<Selections, StoreError> {
        read_document(&self.paths.selection(), decode_selections).map(Option::unwrap_or_default)
    }

    /// What the portal's limits stood at when somebody last looked.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub fn limiter_state(&self) -> Result<Option<LimiterState>, StoreError> {
        read_document(&self.paths.limiter_state(), decode_limiter_state)
    }

    /// Keeps what the portal's limits stand at. Like the proof for reads, it is written without the
    /// lock: a plan fills the portal's counter too, and of two that write at once the later one is
    /// right enough.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save_limiter_state(&self, level: &LimiterState) -> Result<(), StoreError> {
        let path = self.paths.limiter_state();
        let bytes = encode_limiter_state(level).map_err(|problem| misread(&path, problem, None))?;
        self.paths.make()?;
        // What a crash takes of it is only pacing, and not worth the wait for another sync.
        place_private(&path, &bytes)
    }

    /// Reads the proof that reads of other people's cards can be trusted, if one was kept.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or is the proof of another portal. That is never a
    /// reason to trust.
    pub fn read_proof(&self) -> Result<Option<ReadProof>, StoreError> {
        let path = self.paths.read_proof();
        match read_document(&path, decode_read_proof)? {
            Some(proof) if proof.portal != self.portal => {
                Err(damaged(&path, format!("it is the proof of the portal {}", proof.portal)))
            }
            proof => Ok(proof),
        }
    }

    /// Keeps a proof, without the lock: every command that reads may see one, and each is as good
    /// as the other.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save_read_proof(&self, proof: &ReadProof) -> Result<(), StoreError> {
        let path = self.paths.read_proof();
        let bytes = encode_read_proof(proof).map_err(|problem| misread(&path, problem, None))?;
        self.paths.make()?;
        place_private(&path, &bytes)
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

    /// When a plan file was used, if it was.
    ///
    /// # Errors
    ///
    /// If the list or the trail cannot be read or is damaged.
    pub fn consumed_at(&self, plan: Digest) -> Result<Option<jiff::Timestamp>, StoreError> {
        let read = consumed_plans::read(&self.paths.used_plans())?;
        if let Some(used) = read.plans.iter().find(|used| used.plan == plan) {
            return Ok(Some(used.at));
        }
        // The trail has each of them, too: a list that was lost must not make old plans new.
        let mut entries = self.audit_entries()?.into_iter();
        Ok(entries.find(|entry| entry.event == AuditEvent::PlanUsed(plan)).map(|entry| entry.at))
    }

    /// The names of all runs, the oldest first.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn run_ids(&self) -> Result<Vec<RunId>, StoreError> {
        let folder = self.paths.runs();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(tr_later!("cannot read"), &folder, source)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let name = entry
                .map_err(|source| failed(tr_later!("cannot read"), &folder, source))?
                .file_name();
            // What has not the name of a run is not ours, and a run that was cut before it had a
            // journal sent nothing.
            let run = name.to_str().and_then(|name| name.parse::<RunId>().ok());
            runs.extend(run.filter(|run| self.paths.journal(run).exists()));
        }
        runs.sort();
        Ok(runs)
    }

    /// The run that a text means: its name, a beginning of it that fits one run only, or `last`.
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

    /// What a run's journal tells.
    ///
    /// # Errors
    ///
    /// If the journal is missing or damaged.
    pub fn summary(&self, run: &RunId) -> Result<RunSummary, StoreError> {
        RunSummary::from_records(run.clone(), journal::Records::open(&self.paths, run)?)?
            .ok_or_else(|| damaged(&self.paths.journal(run), "it has no head of a run"))
    }

    /// All runs, the oldest first. Whoever wants to show the good ones beside a damaged one asks
    /// for each by itself.
    ///
    /// # Errors
    ///
    /// If a journal is damaged.
    pub fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        self.run_ids()?.iter().map(|run| self.summary(run)).collect()
    }

    /// The oldest run that has not come to its end, if there is one.
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

    /// The plan that was kept with a run, if one was.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn plan(&self, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
        read_optional(&self.paths.plan(run), MAX_DOCUMENT_BYTES)
    }

    /// The report that was kept with a run, if one was. [`RunSummary::into_report`] makes one from
    /// the journal.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn report(&self, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
        read_optional(&self.paths.report(run), MAX_DOCUMENT_BYTES)
    }

    /// The events of the audit trail, the oldest first.
    ///
    /// # Errors
    ///
    /// If its chain does not hold.
    pub fn audit_entries(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let read = audit_log::ReadAuditLog::read(&self.paths.audit(), &self.portal)?;
        Ok(read.lines.into_iter().map(|line| line.entry).collect())
    }

    /// Follows the chain of the audit trail; with the number of its lines.
    ///
    /// # Errors
    ///
    /// If a line was edited, moved or taken out of the middle.
    pub fn verify_audit(&self) -> Result<usize, StoreError> {
        self.audit_entries().map(|entries| entries.len())
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

/// What a problem of a format means for a file.
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
