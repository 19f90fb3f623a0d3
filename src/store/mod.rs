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
//!   fleets/                       revisions and heads of fleets
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

/// Evaluates a call with the medium that a value holds, be it a folder or a database.
macro_rules! either {
    ($value:expr, $medium:ident => $call:expr) => {
        match $value {
            Self::Folder($medium) => $call,
            #[cfg(feature = "postgres")]
            Self::Postgres($medium) => $call,
        }
    };
}

mod audit_log;
mod backup;
mod collect;
mod consumed_plans;
mod copy;
mod fleets;
mod folder;
mod journal;
mod location;
mod lock;
mod log;
mod medium;
mod place;
#[cfg(feature = "postgres")]
pub mod postgres;
mod runs;
mod salvage;
mod write_guard;

pub use collect::DeletableBackups;
pub use copy::{CopyError, CopySummary};
pub use fleets::Fleets;
pub use folder::fleets::{FleetsLock, FolderFleets, fleet_file_name};
pub use folder::queue::{FolderQueue, QueuePortal, QueueRows, read_queue_row, write_queue_row};
pub use folder::{destination, read_to_limit, read_whole, write_whole};
pub use location::StoreLocation;
pub use log::StoreRunLog;
pub use place::LockState;
pub use runs::{RunEnd, RunSummary};
pub use write_guard::{ConsumePlanError, WriteGuard};

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use self::folder::{Folder, MAX_DOCUMENT_BYTES, blocking, failed, read_optional};
use self::medium::Medium;
use self::place::{Place, damaged, misread};
use crate::model::{CardKey, Digest, Layout, Ledger, PortalId, RunId, Selections};
use crate::ports::{Archive, JournalRecord, StoreError};
use crate::records::{
    AuditEntry, AuditEvent, FormatError, LimiterState, PortalLabels, ReadProof,
    decode_field_labels, decode_ledger, decode_limiter_state, decode_read_proof, decode_selections,
    encode_field_labels, encode_ledger, encode_limiter_state, encode_read_proof,
};

/// Records of one portal. Reading needs no lock: files and lines are complete.
#[derive(Clone, Debug)]
pub struct Store {
    medium: Medium,
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
    pub fn open(location: &StoreLocation, portal: &PortalId) -> Result<Self, StoreError> {
        let medium = match location {
            StoreLocation::Folder(root) => Medium::Folder(Folder::open(root, portal)?),
            #[cfg(feature = "postgres")]
            StoreLocation::Database(database) => {
                Medium::Postgres(postgres::Records::new(database.clone(), portal.clone()))
            }
        };
        Ok(Self { medium, portal: portal.clone(), backups: Arc::default() })
    }

    /// Returns the portal.
    pub fn portal(&self) -> &PortalId {
        &self.portal
    }

    /// Reads what a round needs at once where that is less work. For the round of a worker, which
    /// has the portal to itself.
    pub fn keep_documents(&mut self) {
        self.medium.keep_documents();
    }

    /// Returns `true` if the store holds anything of the portal.
    ///
    /// # Errors
    ///
    /// If a database does not tell.
    pub async fn is_there(&self) -> Result<bool, StoreError> {
        self.medium.is_there().await
    }

    /// Checks before the first reset that the store is writable and has room: writes a file of some
    /// size, syncs it and removes it.
    ///
    /// # Errors
    ///
    /// If any of this fails.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.medium.probe().await
    }

    /// Returns the memory of mode `once`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub async fn ledger(&self) -> Result<Ledger, StoreError> {
        let ledger = self.document(&Place::Ledger, |bytes| decode_ledger(&self.portal, bytes));
        ledger.await.map(Option::unwrap_or_default)
    }

    /// Returns a ledger that is kept in a file elsewhere, for example beside the manifests.
    ///
    /// # Errors
    ///
    /// If it is missing, cannot be read, is damaged or belongs to another portal. A missing ledger
    /// is not an empty one: a mistyped name would reset all cards again.
    pub async fn ledger_file(&self, path: &Path) -> Result<Ledger, StoreError> {
        let name = path.display().to_string();
        let bytes = blocking(path, |path| read_optional(path, MAX_DOCUMENT_BYTES)).await?;
        let Some(bytes) = bytes else { return Err(StoreError::Missing(format!("ledger {name}"))) };
        decode_ledger(&self.portal, &bytes).map_err(|problem| misread(&name, problem, None))
    }

    /// Creates a ledger in a file elsewhere.
    ///
    /// # Errors
    ///
    /// If the file exists already, or it cannot be written.
    pub async fn create_ledger_file(&self, path: &Path, ledger: &Ledger) -> Result<(), StoreError> {
        let bytes = self.ledger_bytes(&path.display().to_string(), ledger)?;
        let create = move |path: &Path| {
            if path.exists() {
                let source = std::io::ErrorKind::AlreadyExists.into();
                return Err(failed(tr_later!("cannot begin a ledger in"), path, source));
            }
            write_whole(path, &bytes)
        };
        blocking(path, create).await
    }

    fn ledger_bytes(&self, name: &str, ledger: &Ledger) -> Result<Vec<u8>, StoreError> {
        encode_ledger(&self.portal, ledger).map_err(|problem| misread(name, problem, None))
    }

    /// Returns the selections of the portal's manifests in their last runs.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub async fn selections(&self) -> Result<Selections, StoreError> {
        let selections = self.document(&Place::Selection, decode_selections).await?;
        Ok(selections.unwrap_or_default())
    }

    /// Returns the last saved state of the rate limiter.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is damaged.
    pub async fn limiter_state(&self) -> Result<Option<LimiterState>, StoreError> {
        self.document(&Place::LimiterState, decode_limiter_state).await
    }

    /// Saves the state of the rate limiter. Like the read proof, it is written without the lock: a
    /// plan fills the portal's leaky bucket too, and of two simultaneous writes the later one is
    /// accurate enough.
    pub async fn save_limiter_state(&self, level: &LimiterState) -> Result<(), StoreError> {
        // A crash loses only pacing, which does not justify another sync.
        self.place(&Place::LimiterState, encode_limiter_state(level)).await
    }

    /// Reads the proof that reads of other people's cards can be trusted, if there is one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or is the proof of another portal. None of these is
    /// a reason to trust.
    pub async fn read_proof(&self) -> Result<Option<ReadProof>, StoreError> {
        let place = Place::ReadProof;
        match self.document(&place, decode_read_proof).await? {
            Some(proof) if proof.portal != self.portal => {
                Err(self.damaged(&place, format!("it is the proof of the portal {}", proof.portal)))
            }
            proof => Ok(proof),
        }
    }

    /// Saves a proof, without the lock: every command that reads may find one, and all are equally
    /// good.
    pub async fn save_read_proof(&self, proof: &ReadProof) -> Result<(), StoreError> {
        self.place(&Place::ReadProof, encode_read_proof(proof)).await
    }

    /// Removes the proof, because the portal contradicts it.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be removed.
    pub async fn delete_read_proof(&self) -> Result<(), StoreError> {
        self.medium.remove(&Place::ReadProof).await
    }

    /// Returns the labels that the portal told last, if it ever did.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or holds the labels of another portal.
    pub async fn field_labels(&self) -> Result<Option<PortalLabels>, StoreError> {
        let place = Place::FieldLabels;
        match self.document(&place, decode_field_labels).await? {
            Some(labels) if labels.portal != self.portal => {
                Err(self
                    .damaged(&place, format!("it has the labels of the portal {}", labels.portal)))
            }
            labels => Ok(labels),
        }
    }

    /// Saves the labels of the portal, without the lock: every command that connects may have them,
    /// and the latest are good.
    pub async fn save_field_labels(&self, labels: &PortalLabels) -> Result<(), StoreError> {
        self.place(&Place::FieldLabels, encode_field_labels(labels)).await
    }

    /// Returns the decoded content of a document, if there is one.
    async fn document<T>(
        &self,
        place: &Place,
        decode: impl Fn(&[u8]) -> Result<T, FormatError>,
    ) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.medium.read(place).await? else { return Ok(None) };
        decode(&bytes).map(Some).map_err(|problem| self.misread(place, problem))
    }

    /// Writes a document of the portal without the lock, and without a sync.
    async fn place(
        &self,
        place: &Place,
        encoded: Result<Vec<u8>, FormatError>,
    ) -> Result<(), StoreError> {
        let bytes = encoded.map_err(|problem| self.misread(place, problem))?;
        self.medium.place(place, bytes).await
    }

    fn misread(&self, place: &Place, problem: FormatError) -> StoreError {
        misread(&self.medium.name(place), problem, None)
    }

    fn damaged(&self, place: &Place, problem: impl Into<String>) -> StoreError {
        damaged(&self.medium.name(place), problem)
    }

    /// Returns the time at which a plan file was used, if it was.
    ///
    /// # Errors
    ///
    /// If the list or the audit log cannot be read or is damaged.
    pub async fn consumed_at(&self, plan: Digest) -> Result<Option<jiff::Timestamp>, StoreError> {
        let read = consumed_plans::read(&self.medium).await?;
        if let Some(used) = read.plans.iter().find(|used| used.plan == plan) {
            return Ok(Some(used.at));
        }
        // The audit log has each of them too: a lost list must not make old plans usable again.
        let mut entries = self.audit_entries().await?.into_iter();
        Ok(entries.find(|entry| entry.event == AuditEvent::PlanUsed(plan)).map(|entry| entry.at))
    }

    /// Returns the ids of all runs, the oldest first.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub async fn run_ids(&self) -> Result<Vec<RunId>, StoreError> {
        let mut runs = self.medium.run_ids().await?;
        runs.sort();
        Ok(runs)
    }

    /// Returns the run that a text selects: its id, a unique prefix of it, or `last`.
    ///
    /// # Errors
    ///
    /// If there is none, or more than one.
    pub async fn find_run(&self, text: &str) -> Result<RunId, StoreError> {
        let runs = self.run_ids().await?;
        if text == "last" {
            let none = || StoreError::Missing("run in the store".to_owned());
            return runs.into_iter().next_back().ok_or_else(none);
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
    /// If the journal is missing, damaged, or cannot be read.
    pub async fn summary(&self, run: &RunId) -> Result<RunSummary, StoreError> {
        let journal = journal::Journal::read(&self.medium, run).await?;
        RunSummary::from_records(run.clone(), journal.records())?
            .ok_or_else(|| self.damaged(&Place::Journal(run.clone()), "it has no head of a run"))
    }

    /// Returns all runs, the oldest first. A caller that wants the undamaged ones beside a damaged
    /// one asks for each summary separately.
    ///
    /// # Errors
    ///
    /// If a journal is damaged.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        let mut summaries = Vec::new();
        for run in self.run_ids().await? {
            summaries.push(self.summary(&run).await?);
        }
        Ok(summaries)
    }

    /// Returns the plan of a run, if there is one.
    pub async fn plan(&self, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
        self.medium.read(&Place::Plan(run.clone())).await
    }

    /// Returns the stored report of a run, if there is one. [`RunSummary::into_report`] derives one
    /// from the journal.
    pub async fn report(&self, run: &RunId) -> Result<Option<Vec<u8>>, StoreError> {
        self.medium.read(&Place::Report(run.clone())).await
    }

    /// Returns the events of the audit log, the oldest first.
    ///
    /// # Errors
    ///
    /// If its chain does not hold.
    pub async fn audit_entries(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let read = audit_log::ReadAuditLog::read(&self.medium, &self.portal).await?;
        Ok(read.lines.into_iter().map(|line| line.entry).collect())
    }
}

impl Archive for Store {
    async fn journal(&self, run: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
        journal::Journal::read(&self.medium, run).await?.records().collect()
    }

    async fn backup(
        &self,
        run: &RunId,
        target: CardKey,
        digest: Digest,
    ) -> Result<Layout, StoreError> {
        let known = self.backups.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let index = backup::Index::load(&self.medium, run, known).await?;
        *self.backups.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&index));
        match index.backup(&self.medium, target, digest).await {
            Err(StoreError::Missing(what)) => Err(self.missing_backup(run, what).await),
            read => read,
        }
    }
}

#[cfg(test)]
mod tests;
