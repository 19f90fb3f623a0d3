//! Journal and backups of one run, while it runs.

use std::collections::BTreeMap;

use super::append_log::AppendLog;
use super::backup::Backups;
use super::file::{failed, make_folder, write_private};
use super::salvage::WholeLines;
use super::{WriteGuard, misread};
use crate::model::{CardKey, Generation, Layout, LedgerEntry, OutcomeClass, RunId, Totals};
use crate::ports::{JournalRecord, RunHeader, RunLog, RunPurpose, StoreError};
use crate::records::{self, AuditEvent};

/// The right to write the records of one run. It borrows the lock, so a run cannot outlive it.
#[derive(Debug)]
pub struct FolderRunLog<'a> {
    locked: &'a mut WriteGuard,
    run: RunId,
    journal: AppendLog,
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
    pub fn start_run(
        &mut self,
        run: RunId,
        header: RunHeader,
    ) -> Result<FolderRunLog<'_>, StoreError> {
        let path = self.store().paths.journal(&run);
        if path.exists() {
            return Err(failed(
                "cannot begin a run anew",
                &path,
                std::io::ErrorKind::AlreadyExists.into(),
            ));
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
        })?;
        let record = JournalRecord::Opened(header);
        let json =
            records::encode_record(1, &record).map_err(|problem| misread(&path, problem, None))?;
        let line = records::checked_line(&json);
        make_folder(&self.store().paths.run(&run))?;
        write_private(&path, line.as_bytes())?;
        let journal = AppendLog::open(&path, line.len())?;
        Ok(FolderRunLog::new(self, run, journal, 1, &[]))
    }

    /// Reopens an interrupted run. A torn last line is cut off its journal, and the audit log says
    /// so. Damaged lines stay, and new ones are numbered after them.
    ///
    /// # Errors
    ///
    /// If there is no such run, or a newer recard wrote a line of its journal.
    pub fn reopen_run(&mut self, run: &RunId) -> Result<FolderRunLog<'_>, StoreError> {
        let whole = WholeLines::read(self.store(), run)?;
        let torn = u32::try_from(whole.torn).unwrap_or(u32::MAX);
        self.audit(AuditEvent::RunReopened { run: run.clone(), torn })?;
        let mut journal = AppendLog::open(&self.store().paths.journal(run), whole.kept.len())?;
        journal.end_line(&whole.kept)?;
        Ok(FolderRunLog::new(self, run.clone(), journal, whole.last_number, &whole.records))
    }
}

impl<'a> FolderRunLog<'a> {
    /// Creates a log behind the existing records of a journal; `last` is the number of the last
    /// one.
    pub(super) fn new(
        locked: &'a mut WriteGuard,
        run: RunId,
        journal: AppendLog,
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
                misread(&self.locked.store().paths.journal(&self.run), problem, None)
            })?;
            lines.push_str(&records::checked_line(&json));
        }
        Ok(lines)
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

impl RunLog for FolderRunLog<'_> {
    fn run(&self) -> &RunId {
        &self.run
    }

    fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        if cards.is_empty() {
            return Ok(());
        }
        let mut backups = match self.backups.take() {
            Some(backups) => backups,
            None => Backups::open(&self.locked.store().paths, &self.run)?,
        };
        let added = backups.add(cards);
        self.backups = Some(backups);
        added
    }

    fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let closes = |record: &JournalRecord| matches!(record, JournalRecord::Closed { .. });
        match records.iter().position(closes) {
            _ if records.is_empty() => return Ok(()),
            None => {}
            // The trail comes first, once everything else is in the journal: a journal that is
            // closed while the trail has no word of it has then one explanation only, that somebody
            // cut the trail. A crash in between leaves a journal with an outcome for every target,
            // which `recover` closes.
            Some(0) => {
                if let Some(JournalRecord::Closed { interrupted }) = records.first() {
                    self.sync()?;
                    let (run, totals) = (self.run.clone(), self.totals());
                    self.locked.audit(AuditEvent::RunClosed {
                        run,
                        totals,
                        interrupted: *interrupted,
                    })?;
                }
            }
            Some(index) => {
                let (before, closing) = records.split_at(index);
                self.append(before)?;
                return self.append(closing);
            }
        }
        let lines = self.lines(records)?;
        self.journal.append(&lines)?;
        self.take(records);
        Ok(())
    }

    fn append_unsynced(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let lines = self.lines(records)?;
        self.journal.append_unsynced(&lines)?;
        self.take(records);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.journal.sync()
    }

    fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        self.locked.record_reset(entries)
    }
}
