//! Journal and backups of one run, while it runs.

use std::collections::BTreeMap;

use super::WriteGuard;
use super::backup::Backups;
use super::medium::Log;
use super::place::Place;
use super::salvage::WholeLines;
use crate::model::{CardKey, Generation, Layout, LedgerEntry, OutcomeClass, RunId, Totals};
use crate::ports::{JournalRecord, RunHeader, RunLog, RunPurpose, StoreError};
use crate::records::{self, AuditEvent};

/// The right to write the records of one run. It borrows the lock, so a run cannot outlive it.
#[derive(Debug)]
pub struct StoreRunLog<'a> {
    locked: &'a mut WriteGuard,
    run: RunId,
    journal: Log,
    /// Opened with the first backup.
    backups: Option<Backups>,
    /// The number of the journal's last record.
    records: u32,
    /// The class of outcome of each finished target.
    settled: BTreeMap<CardKey, OutcomeClass>,
}

impl WriteGuard {
    /// Starts a run: its journal is created atomically with its first record.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or the run has a journal already.
    pub async fn start_run(
        &mut self,
        run: RunId,
        header: RunHeader,
    ) -> Result<StoreRunLog<'_>, StoreError> {
        let place = Place::Journal(run.clone());
        if self.store().run_ids().await?.contains(&run) {
            return Err(StoreError::Io {
                doing: "cannot begin a run anew",
                path: self.store().medium.name(&place),
                source: std::io::ErrorKind::AlreadyExists.into(),
            });
        }
        // The audit log comes first: an event without a run is harmless, a run without an event is
        // a gap.
        self.audit(AuditEvent::RunStarted {
            run: run.clone(),
            restores: match &header.purpose {
                RunPurpose::Apply => None,
                RunPurpose::Restore(restored) => Some(restored.clone()),
            },
            targets: u32::try_from(header.targets.len()).unwrap_or(u32::MAX),
        })
        .await?;
        let record = JournalRecord::Opened(header);
        let json = records::encode_record(1, &record)
            .map_err(|problem| self.store().misread(&place, problem))?;
        let journal = self.held.create_log(&place, records::checked_line(&json)).await?;
        Ok(StoreRunLog::new(self, run, journal, 1, &[]))
    }

    /// Reopens an interrupted run. A torn last line is cut off its journal, and the audit log says
    /// so. Damaged lines stay, and new ones are numbered after them. A lost journal begins anew,
    /// without a header.
    ///
    /// # Errors
    ///
    /// If there is no such run, its journal cannot be read, or a newer recard wrote a line of it.
    pub async fn reopen_run(&mut self, run: &RunId) -> Result<StoreRunLog<'_>, StoreError> {
        let whole = WholeLines::read(self.store(), run).await?;
        let torn = u32::try_from(whole.torn).unwrap_or(u32::MAX);
        self.audit(AuditEvent::RunReopened { run: run.clone(), torn }).await?;
        let journal = self.held.open_log(&Place::Journal(run.clone()), &whole.kept).await?;
        Ok(StoreRunLog::new(self, run.clone(), journal, whole.last_number, &whole.records))
    }
}

impl<'a> StoreRunLog<'a> {
    /// Creates a log behind the existing records of a journal; `last` is the number of the last
    /// one.
    pub(super) fn new(
        locked: &'a mut WriteGuard,
        run: RunId,
        journal: Log,
        last: u32,
        records: &[JournalRecord],
    ) -> Self {
        let mut log =
            Self { locked, run, journal, backups: None, records: 0, settled: BTreeMap::new() };
        log.take(records);
        log.records = last;
        log
    }

    /// Returns the totals of the outcomes so far.
    pub fn totals(&self) -> Totals {
        Totals::from_classes(self.settled.values().copied())
    }

    /// Returns records as the journal's next lines.
    fn lines(&self, records: &[JournalRecord]) -> Result<String, StoreError> {
        let mut lines = String::new();
        for (number, record) in (self.records.saturating_add(1)..).zip(records) {
            let json = records::encode_record(number, record).map_err(|problem| {
                self.locked.store().misread(&Place::Journal(self.run.clone()), problem)
            })?;
            lines.push_str(&records::checked_line(&json));
        }
        Ok(lines)
    }

    async fn append_lines(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        if !records.is_empty() {
            self.journal.append(self.lines(records)?).await?;
            self.take(records);
        }
        Ok(())
    }

    /// Counts records that are in the journal.
    fn take(&mut self, records: &[JournalRecord]) {
        for record in records {
            self.records = self.records.saturating_add(1);
            if let JournalRecord::Completed { target, outcome } = record {
                self.settled.insert(*target, outcome.class());
            }
        }
    }
}

impl RunLog for StoreRunLog<'_> {
    fn run(&self) -> &RunId {
        &self.run
    }

    async fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        if cards.is_empty() {
            return Ok(());
        }
        let mut backups = match self.backups.take() {
            Some(backups) => backups,
            None => {
                Backups::open(&self.locked.store().medium, &self.locked.held, &self.run).await?
            }
        };
        let added = backups.add(cards).await;
        self.backups = Some(backups);
        added
    }

    async fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let closes = |record: &JournalRecord| matches!(record, JournalRecord::Closed { .. });
        let (before, closing) =
            records.split_at(records.iter().position(closes).unwrap_or(records.len()));
        self.append_lines(before).await?;
        // The trail comes first, once everything else is in the journal: a journal that is closed
        // while the trail has no word of it has then one explanation only, that somebody cut the
        // trail. A crash in between leaves a journal with an outcome for every target, which
        // `recover` closes.
        if let Some(JournalRecord::Closed { interrupted }) = closing.first() {
            self.sync().await?;
            let (run, totals) = (self.run.clone(), self.totals());
            let closed = AuditEvent::RunClosed { run, totals, interrupted: *interrupted };
            self.locked.audit(closed).await?;
        }
        self.append_lines(closing).await
    }

    async fn append_unsynced(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        self.journal.append_unsynced(self.lines(records)?).await?;
        self.take(records);
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), StoreError> {
        self.journal.sync().await
    }

    async fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        self.locked.record_reset(entries).await
    }
}
