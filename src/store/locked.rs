//! The right to write: there is one [`Locked`] for a portal at any time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::file::{failed, make_folder, sync_folder, write_private, write_whole};
use super::line_file::LineFile;
use super::lock::HeldFile;
use super::log::FolderRunLog;
use super::salvage::WholeLines;
use super::trail::Trail;
use super::{Store, misread, used_plans};
use crate::format::{
    self, AuditEntry, AuditEvent, RunReport, UsedPlan, encode_run_report, encode_selections,
};
use crate::model::{CardKey, Digest, Generation, Ledger, LedgerEntry, RunId, Selecting};
use crate::port::{Clock, JournalRecord, LockOwner, RunHeader, RunPurpose, StoreError};

/// The lock of a portal. It is given back when this is dropped.
pub struct Locked {
    store: Store,
    held: HeldFile,
    owner: LockOwner,
    clock: Arc<dyn Clock>,
    /// Opened with the first event.
    trail: Option<Trail>,
    /// A ledger elsewhere that is kept beside that of the store.
    ledger_file: Option<PathBuf>,
}

/// Why a plan file cannot be used.
#[derive(Debug, Error)]
pub enum UsePlanError {
    /// It was used before.
    #[error("{}", tr!("the plan file was used at {time}, and a plan is carried out once", time = .0.strftime("%Y-%m-%dT%H:%M:%SZ")))]
    AlreadyUsed(jiff::Timestamp),
    /// Nobody can tell.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Locked {
    pub(super) fn new(
        store: Store,
        held: HeldFile,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, held, owner, clock, trail: None, ledger_file: None }
    }

    /// The store that is locked, to read from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who holds the lock.
    pub fn owner(&self) -> &LockOwner {
        &self.owner
    }

    /// Finds out whether the store takes backups; see [`Store::probe`].
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.store.probe()
    }

    /// Keeps a ledger elsewhere, too, from now on. It must be there.
    pub fn keep_ledger_in(&mut self, path: &Path) {
        self.ledger_file = Some(path.to_owned());
    }

    /// Begins a run: its journal is there, with its first record, or nothing is.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or the run has a journal already.
    pub fn start_run(
        &mut self,
        run: RunId,
        header: RunHeader,
    ) -> Result<FolderRunLog<'_>, StoreError> {
        let path = self.store.folders.journal(&run);
        if path.exists() {
            return Err(failed(
                "cannot begin a run anew",
                &path,
                std::io::ErrorKind::AlreadyExists.into(),
            ));
        }
        // The trail comes first: an event without a run is harmless, a run without an event is a
        // hole.
        self.audit(AuditEvent::RunStarted {
            run: run.clone(),
            restores: match &header.purpose {
                RunPurpose::Apply => None,
                RunPurpose::Restore(restored) => Some(restored.clone()),
            },
            targets: u32::try_from(header.targets.len()).unwrap_or(u32::MAX),
        })?;
        let record = JournalRecord::Opened(header);
        let json =
            format::encode_record(1, &record).map_err(|problem| misread(&path, problem, None))?;
        let line = format::checked_line(&json);
        make_folder(&self.store.folders.run(&run))?;
        write_private(&path, line.as_bytes())?;
        let journal = LineFile::open(&path, line.len())?;
        Ok(FolderRunLog::new(self, run, journal, 1, &[]))
    }

    /// Takes up a run that was cut. A torn last line is cut off its journal, and the trail says so.
    /// Damaged lines stay as they are, and new ones are numbered behind them.
    ///
    /// # Errors
    ///
    /// If there is no such run, or a newer recard wrote a line of its journal.
    pub fn reopen_run(&mut self, run: &RunId) -> Result<FolderRunLog<'_>, StoreError> {
        let whole = WholeLines::read(&self.store, run)?;
        let torn = u32::try_from(whole.torn).unwrap_or(u32::MAX);
        self.audit(AuditEvent::RunReopened { run: run.clone(), torn })?;
        let mut journal = LineFile::open(&self.store.folders.journal(run), whole.kept.len())?;
        journal.end_line(&whole.kept)?;
        Ok(FolderRunLog::new(self, run.clone(), journal, whole.last_number, &whole.records))
    }

    /// Goes on over a damaged audit trail, as a way back must: new lines follow its last whole one.
    /// Returns the damage, which `recard audit verify` still finds.
    ///
    /// # Errors
    ///
    /// If the trail cannot be read or written, or a newer recard wrote it.
    pub fn go_on_over_damage(&mut self) -> Result<Option<StoreError>, StoreError> {
        let (trail, damage) = Trail::open_damaged(&self.store.folders.audit(), &self.store.portal)?;
        self.trail = Some(trail);
        // The file may be new.
        sync_folder(self.store.folders.portal())?;
        Ok(damage)
    }

    /// Adds an event of the lock itself, whatever is damaged in the trail. Later events need a
    /// whole trail all the same.
    ///
    /// # Errors
    ///
    /// As [`Locked::go_on_over_damage`].
    pub fn audit_lock(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        let damage = self.go_on_over_damage()?;
        self.audit(event)?;
        if damage.is_some() {
            self.trail = None;
        }
        Ok(())
    }

    /// Marks a plan file as used. When this returns, no other process will use it, whatever becomes
    /// of this one.
    ///
    /// # Errors
    ///
    /// [`UsePlanError::AlreadyUsed`] if it was used before.
    pub fn use_plan(&mut self, plan: Digest) -> Result<(), UsePlanError> {
        let path = self.store.folders.used_plans();
        let read = used_plans::read(&path)?;
        if let Some(at) = self.store.used(plan)? {
            return Err(UsePlanError::AlreadyUsed(at));
        }
        let json = format::encode_used_plan(UsedPlan { plan, at: self.clock.now() })
            .map_err(|problem| misread(&path, problem, None))?;
        let mut file = LineFile::open(&path, read.whole)?;
        file.append(&format::checked_line(&json))?;
        // The file may be new.
        sync_folder(self.store.folders.portal())?;
        Ok(self.audit(AuditEvent::PlanUsed(plan))?)
    }

    /// Adds an event to the audit trail and syncs it.
    ///
    /// # Errors
    ///
    /// If the trail is damaged or cannot be written.
    pub fn audit(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        let path = self.store.folders.audit();
        let mut trail = match self.trail.take() {
            Some(trail) => trail,
            None => {
                let trail = Trail::open(&path, &self.store.portal)?;
                sync_folder(self.store.folders.portal())?;
                trail
            }
        };
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: self.owner.actor.clone(),
            host: self.owner.host.clone(),
            process: self.owner.process,
            event,
        };
        let added = trail.add(&path, &entry);
        self.trail = Some(trail);
        added
    }

    /// Marks targets of `mode: once` as done.
    ///
    /// # Errors
    ///
    /// If the ledger is damaged or cannot be written.
    pub fn mark(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let with_entries = |mut ledger: Ledger| {
            for (generation, key, entry) in entries {
                ledger.mark(generation.clone(), *key, *entry);
            }
            ledger
        };
        let path = self.store.folders.ledger();
        let ledger = with_entries(self.store.ledger()?);
        write_private(&path, &self.store.ledger_bytes(&path, &ledger)?)?;
        if let Some(path) = &self.ledger_file {
            let ledger = with_entries(self.store.ledger_file(path)?);
            write_whole(path, &self.store.ledger_bytes(path, &ledger)?)?;
        }
        Ok(())
    }

    /// Which targets had their reset in mode `once`.
    ///
    /// # Errors
    ///
    /// If the ledger is damaged.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        self.store.ledger()
    }

    /// Keeps what the manifests of a run selected. Writes nothing if that is known already.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or what stands there is damaged.
    pub fn keep_selections(&mut self, run: &[Selecting<'_>]) -> Result<(), StoreError> {
        let path = self.store.folders.selection();
        let mut selections = self.store.selections()?;
        if !selections.keep(run) {
            return Ok(());
        }
        let bytes =
            encode_selections(&selections).map_err(|problem| misread(&path, problem, None))?;
        write_private(&path, &bytes)
    }

    /// Keeps the report of a run.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_run_report(&mut self, report: &RunReport) -> Result<(), StoreError> {
        let path = self.store.folders.report(&report.run);
        let bytes = encode_run_report(report).map_err(|problem| misread(&path, problem, None))?;
        write_private(&path, &bytes)
    }

    /// Keeps the plan of a run, before the run begins.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_plan(&mut self, run: &RunId, bytes: &[u8]) -> Result<(), StoreError> {
        make_folder(&self.store.folders.run(run))?;
        write_private(&self.store.folders.plan(run), bytes)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.held.clear();
    }
}

impl std::fmt::Debug for Locked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Locked")
            .field("portal", &self.store.portal)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
