//! The right to write: there is one [`WriteGuard`] for a portal at any time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::audit_log::AuditLog;
use super::folder::{blocking, write_whole};
use super::medium::MediumLock;
use super::place::Place;
use super::{Store, consumed_plans};
use crate::model::{CardKey, CurrentSelection, Digest, Generation, Ledger, LedgerEntry, RunId};
use crate::ports::{Clock, LockOwner, StoreError};
use crate::records::{
    self, AuditEntry, AuditEvent, ConsumedPlan, FormatError, RunReport, encode_run_report,
    encode_selections,
};

/// Lock of a portal, released on drop.
pub struct WriteGuard {
    store: Store,
    pub(super) held: MediumLock,
    owner: LockOwner,
    pub(super) clock: Arc<dyn Clock>,
    /// Opened with the first event.
    audit_log: Option<AuditLog>,
    /// A ledger elsewhere that is updated together with that of the store.
    ledger_file: Option<PathBuf>,
}

/// Reason why a plan file cannot be used.
#[derive(Debug, Error)]
pub enum ConsumePlanError {
    /// The plan file was used before.
    #[error("{}", tr!("the plan file was used at {time}, and can be used only once", time = .0.strftime("%Y-%m-%dT%H:%M:%SZ")))]
    AlreadyUsed(jiff::Timestamp),
    /// The store cannot tell.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WriteGuard {
    pub(super) fn new(
        store: Store,
        held: MediumLock,
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
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
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
    pub async fn accept_damaged_audit_log(&mut self) -> Result<Option<StoreError>, StoreError> {
        let Self { store, held, .. } = self;
        let opened = AuditLog::open_damaged(&store.medium, held, &store.portal).await?;
        let (audit_log, damage) = opened;
        self.audit_log = Some(audit_log);
        Ok(damage)
    }

    /// Appends an event of the lock itself, whatever the damage of the audit log. Later events
    /// still need an undamaged one.
    pub async fn audit_lock(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        let damage = self.accept_damaged_audit_log().await?;
        self.audit(event).await?;
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
    pub async fn consume_plan(&mut self, plan: Digest) -> Result<(), ConsumePlanError> {
        let read = consumed_plans::read(&self.store.medium).await?;
        if let Some(at) = self.store.consumed_at(plan).await? {
            return Err(ConsumePlanError::AlreadyUsed(at));
        }
        let used = ConsumedPlan { plan, at: self.clock.now() };
        let json = records::encode_consumed_plan(used)
            .map_err(|problem| self.store.misread(&Place::UsedPlans, problem))?;
        let mut log = self.held.open_log(&Place::UsedPlans, &read.whole).await?;
        log.append(records::checked_line(&json)).await?;
        Ok(self.audit(AuditEvent::PlanUsed(plan)).await?)
    }

    /// Appends an event to the audit log and syncs it.
    ///
    /// # Errors
    ///
    /// If the audit log is damaged or cannot be written.
    pub async fn audit(&mut self, event: AuditEvent) -> Result<(), StoreError> {
        let mut audit_log = match self.audit_log.take() {
            Some(audit_log) => audit_log,
            None => AuditLog::open(&self.store.medium, &self.held, &self.store.portal).await?,
        };
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: self.owner.actor.clone(),
            host: self.owner.host.clone(),
            process: self.owner.process,
            event,
        };
        let added = audit_log.add(&entry).await;
        self.audit_log = Some(audit_log);
        added
    }

    /// Marks targets of `mode: once` as reset.
    ///
    /// # Errors
    ///
    /// If the ledger is damaged or cannot be written.
    pub async fn record_reset(
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
        let ledger = with_entries(self.store.ledger().await?);
        let bytes = self.store.ledger_bytes(&self.store.medium.name(&Place::Ledger), &ledger)?;
        self.held.replace(&Place::Ledger, bytes).await?;
        if let Some(path) = &self.ledger_file {
            let ledger = with_entries(self.store.ledger_file(path).await?);
            let bytes = self.store.ledger_bytes(&path.display().to_string(), &ledger)?;
            blocking(path, move |path| write_whole(path, &bytes)).await?;
        }
        Ok(())
    }

    /// Saves the selections of a run's manifests. Writes nothing if they are unchanged.
    ///
    /// # Errors
    ///
    /// If they cannot be written, or the file is damaged.
    pub async fn save_selections(
        &mut self,
        run: &[CurrentSelection<'_>],
    ) -> Result<(), StoreError> {
        let mut selections = self.store.selections().await?;
        if !selections.keep(run) {
            return Ok(());
        }
        self.replace(&Place::Selection, encode_selections(&selections)).await
    }

    pub(super) async fn replace(
        &self,
        place: &Place,
        encoded: Result<Vec<u8>, FormatError>,
    ) -> Result<(), StoreError> {
        let bytes = encoded.map_err(|problem| self.store.misread(place, problem))?;
        self.held.replace(place, bytes).await
    }

    /// Saves the report of a run.
    pub async fn write_run_report(&mut self, report: &RunReport) -> Result<(), StoreError> {
        self.replace(&Place::Report(report.run.clone()), encode_run_report(report)).await
    }

    /// Saves the plan of a run, before the run begins.
    pub async fn write_plan(&mut self, run: &RunId, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.held.replace(&Place::Plan(run.clone()), bytes).await
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
