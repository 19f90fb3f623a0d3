//! The right to write: there is one [`WriteGuard`] for a portal at any time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::append_log::AppendLog;
use super::audit_log::AuditLog;
use super::file::{make_folder, sync_folder, write_private, write_whole};
use super::held_file::HeldFile;
use super::{Store, consumed_plans, misread};
use crate::model::{CardKey, CurrentSelection, Digest, Generation, Ledger, LedgerEntry, RunId};
use crate::ports::{Clock, LockOwner, StoreError};
use crate::records::{
    self, AuditEntry, AuditEvent, ConsumedPlan, RunReport, encode_run_report, encode_selections,
};

/// Lock of a portal, released on drop.
pub struct WriteGuard {
    store: Store,
    held: HeldFile,
    owner: LockOwner,
    clock: Arc<dyn Clock>,
    /// Opened with the first event.
    audit_log: Option<AuditLog>,
    /// A ledger elsewhere that is updated together with that of the store.
    ledger_file: Option<PathBuf>,
}

/// Reason why a plan file cannot be used.
#[derive(Debug, Error)]
pub enum ConsumePlanError {
    /// The plan file was used before.
    #[error("{}", tr!("the plan file was used at {time}, and a plan is carried out once", time = .0.strftime("%Y-%m-%dT%H:%M:%SZ")))]
    AlreadyUsed(jiff::Timestamp),
    /// The store cannot tell.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WriteGuard {
    pub(super) fn new(
        store: Store,
        held: HeldFile,
        owner: LockOwner,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, held, owner, clock, audit_log: None, ledger_file: None }
    }

    /// Returns the locked store, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Checks that the store takes backups; see [`Store::probe`].
    ///
    /// # Errors
    ///
    /// If it does not.
    pub fn probe(&self) -> Result<(), StoreError> {
        self.store.probe()
    }

    /// Updates an existing ledger elsewhere too, from now on.
    pub fn keep_ledger_in(&mut self, path: &Path) {
        self.ledger_file = Some(path.to_owned());
    }

    /// Accepts a damaged audit log, as a restore must: new lines follow its last undamaged one.
    /// Returns the damage, which `recard audit verify` still finds.
    ///
    /// # Errors
    ///
    /// If the audit log cannot be read or written, or a newer recard wrote it.
    pub fn accept_damaged_audit_log(&mut self) -> Result<Option<StoreError>, StoreError> {
        let (audit_log, damage) =
            AuditLog::open_damaged(&self.store.paths.audit(), &self.store.portal)?;
        self.audit_log = Some(audit_log);
        // The file may be new.
        sync_folder(self.store.paths.portal())?;
        Ok(damage)
    }

    /// Appends an event of the lock itself, whatever the damage of the audit log. Later events
    /// still need an undamaged one.
    ///
    /// # Errors
    ///
    /// As [`WriteGuard::accept_damaged_audit_log`].
    pub fn audit_lock(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        let damage = self.accept_damaged_audit_log()?;
        self.audit(event)?;
        if damage.is_some() {
            self.audit_log = None;
        }
        Ok(())
    }

    /// Marks a plan file as used. When this returns, no other process will use it, even after a
    /// crash of this one.
    ///
    /// # Errors
    ///
    /// [`ConsumePlanError::AlreadyUsed`] if it was used before.
    pub fn consume_plan(&mut self, plan: Digest) -> Result<(), ConsumePlanError> {
        let path = self.store.paths.used_plans();
        let read = consumed_plans::read(&path)?;
        if let Some(at) = self.store.consumed_at(plan)? {
            return Err(ConsumePlanError::AlreadyUsed(at));
        }
        let json = records::encode_consumed_plan(ConsumedPlan { plan, at: self.clock.now() })
            .map_err(|problem| misread(&path, problem, None))?;
        let mut file = AppendLog::open(&path, read.whole)?;
        file.append(&records::checked_line(&json))?;
        // The file may be new.
        sync_folder(self.store.paths.portal())?;
        Ok(self.audit(AuditEvent::PlanUsed(plan))?)
    }

    /// Appends an event to the audit log and syncs it.
    ///
    /// # Errors
    ///
    /// If the audit log is damaged or cannot be written.
    pub fn audit(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        let path = self.store.paths.audit();
        let mut audit_log = match self.audit_log.take() {
            Some(audit_log) => audit_log,
            None => {
                let audit_log = AuditLog::open(&path, &self.store.portal)?;
                sync_folder(self.store.paths.portal())?;
                audit_log
            }
        };
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: self.owner.actor.clone(),
            host: self.owner.host.clone(),
            process: self.owner.process,
            event,
        };
        let added = audit_log.add(&path, &entry);
        self.audit_log = Some(audit_log);
        added
    }

    /// Marks targets of `mode: once` as reset.
    ///
    /// # Errors
    ///
    /// If the ledger is damaged or cannot be written.
    pub fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let with_entries = |mut ledger: Ledger| {
            for (generation, key, entry) in entries {
                ledger.record_reset(generation.clone(), *key, *entry);
            }
            ledger
        };
        let path = self.store.paths.ledger();
        let ledger = with_entries(self.store.ledger()?);
        write_private(&path, &self.store.ledger_bytes(&path, &ledger)?)?;
        if let Some(path) = &self.ledger_file {
            let ledger = with_entries(self.store.ledger_file(path)?);
            write_whole(path, &self.store.ledger_bytes(path, &ledger)?)?;
        }
        Ok(())
    }

    /// Saves the selections of a run's manifests. Writes nothing if they are unchanged.
    ///
    /// # Errors
    ///
    /// If they cannot be written, or the file is damaged.
    pub fn save_selections(&mut self, run: &[CurrentSelection<'_>]) -> Result<(), StoreError> {
        let path = self.store.paths.selection();
        let mut selections = self.store.selections()?;
        if !selections.keep(run) {
            return Ok(());
        }
        let bytes =
            encode_selections(&selections).map_err(|problem| misread(&path, problem, None))?;
        write_private(&path, &bytes)
    }

    /// Saves the report of a run.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_run_report(&mut self, report: &RunReport) -> Result<(), StoreError> {
        let path = self.store.paths.report(&report.run);
        let bytes = encode_run_report(report).map_err(|problem| misread(&path, problem, None))?;
        write_private(&path, &bytes)
    }

    /// Saves the plan of a run, before the run begins.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write_plan(&mut self, run: &RunId, bytes: &[u8]) -> Result<(), StoreError> {
        make_folder(&self.store.paths.run(run))?;
        write_private(&self.store.paths.plan(run), bytes)
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        self.held.clear();
    }
}

impl std::fmt::Debug for WriteGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteGuard")
            .field("portal", &self.store.portal)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}
