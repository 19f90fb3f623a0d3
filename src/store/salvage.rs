//! Salvage of damaged journals: the undamaged lines, and the additions of the files beside them.
//!
//! A run can be restored in spite of one damaged line of its journal: the other lines and the
//! backups are intact. The content of the damaged line is never guessed; the caller learns that
//! something is lost.

use std::collections::BTreeSet;

use super::place::{Place, misread};
use super::{Store, backup, journal};
use crate::model::{CardKey, PortalId, RunId, UserId};
use crate::ports::{
    JournalLoss, JournalRecord, PlannedCard, RunHeader, RunPurpose, SalvagedJournal, StoreError,
};
use crate::records::plan_file::{PlanFile, PlanFileTarget};
use crate::records::{
    AuditEvent, FormatError, FoundLine, RunReport, decode_run_report, find_audit, find_lines,
    numbered_record,
};

/// Undamaged lines of a journal.
#[derive(Debug)]
pub(super) struct WholeLines {
    pub(super) header: Option<RunHeader>,
    /// The records behind the header, in the order of their numbers, each once.
    pub(super) records: Vec<JournalRecord>,
    /// The bytes of the file that are kept when it grows: all but a torn last line.
    pub(super) kept: Vec<u8>,
    /// The number of bytes of a torn last line.
    pub(super) torn: usize,
    /// The largest number that a line has or may have had. The next record is numbered after it.
    pub(super) last_number: u32,
    /// The first problem.
    pub(super) problem: Option<String>,
    /// `true` if a line is damaged or missing and no other line replaces it.
    pub(super) is_lossy: bool,
}

impl WholeLines {
    /// Reads the undamaged lines of a run's journal. A lost journal has none.
    ///
    /// # Errors
    ///
    /// If there is no such run, its journal cannot be read, or a newer recard wrote one of its
    /// lines.
    pub(super) async fn read(store: &Store, run: &RunId) -> Result<Self, StoreError> {
        let name = store.medium.name(&Place::Journal(run.clone()));
        match journal::read_bytes(&store.medium, run).await {
            Ok(bytes) => Self::find(&name, bytes, None),
            Err(StoreError::Damaged { problem, .. }) => {
                Self::find(&name, Vec::new(), Some(problem))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Finds the undamaged lines in the bytes of a journal; `problem` is the one that the file
    /// itself has.
    fn find(
        name: &str,
        mut bytes: Vec<u8>,
        mut problem: Option<String>,
    ) -> Result<Self, StoreError> {
        let (lines, kept) = find_lines(&bytes);
        let torn = bytes.len() - kept;
        let (mut numbered, mut tail) = (Vec::new(), None);
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        for line in lines {
            let (number, found) = match line {
                FoundLine::Damaged(damage) => (damage.number, Err(damage.to_string())),
                FoundLine::Whole { at: _, line } => match numbered_record(line.json) {
                    Ok((number, record))
                        if matches!(record, JournalRecord::Opened(_)) == (number == 1) =>
                    {
                        (line.number, Ok((number, record)))
                    }
                    Ok(_) => (
                        line.number,
                        Err("the head of the run does not stand in the first line alone".to_owned()),
                    ),
                    Err(newer @ FormatError::TooNew { .. }) => {
                        return Err(misread(name, newer, Some(line.number)));
                    }
                    Err(other) => (line.number, Err(format!("line {}: {other}", line.number))),
                },
            };
            match found {
                Ok(record) => numbered.push((number, record)),
                Err(text) => {
                    problem.get_or_insert(text);
                    tail = Some(number);
                }
            }
        }
        let last_place = numbered.iter().map(|(place, _)| *place).max();
        let is_damaged_behind = tail > last_place;
        let mut records: Vec<(u32, JournalRecord)> =
            numbered.into_iter().map(|(_, record)| record).collect();
        for (expected, (number, _)) in (1..).zip(&records) {
            if *number != expected {
                problem.get_or_insert_with(|| {
                    format!("line {expected}: record {expected} is missing; record {number} stands in its place")
                });
            }
        }
        records.sort_by_key(|(number, _)| *number);
        records.dedup();
        let numbers: BTreeSet<u32> = records.iter().map(|(number, _)| *number).collect();
        let last_number = numbers.last().copied().unwrap_or_default();
        let is_closed = matches!(records.last(), Some((_, JournalRecord::Closed { .. })));
        let has_gap = u32::try_from(numbers.len()).is_ok_and(|count| count != last_number);
        if numbers.is_empty() {
            problem.get_or_insert_with(|| "it has no whole line".to_owned());
        }
        let (mut header, mut rest) = (None, Vec::with_capacity(records.len()));
        for (_, record) in records {
            match record {
                JournalRecord::Opened(opened) => drop(header.get_or_insert(opened)),
                record => rest.push(record),
            }
        }
        bytes.truncate(kept);
        Ok(Self {
            is_lossy: numbers.is_empty() || has_gap || (is_damaged_behind && !is_closed),
            header,
            records: rest,
            kept: bytes,
            torn,
            // Number 1 is that of the header, which no later record replaces.
            last_number: last_number.max(count).max(1),
            problem,
        })
    }

    /// Returns `true` if the run is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.records.iter().any(|record| matches!(record, JournalRecord::Closed { .. }))
    }
}

impl Store {
    /// Reads the undamaged part of a run's journal. Losses are reported and never guessed. A
    /// journal that is lost or cannot be read has no undamaged part.
    ///
    /// `caller` counts as the caller of the run if every file that names the caller is lost.
    ///
    /// # Errors
    ///
    /// If there is no such run, or a newer recard wrote a line of its journal.
    pub async fn salvage(
        &self,
        run: &RunId,
        caller: UserId,
    ) -> Result<SalvagedJournal, StoreError> {
        let journal = Place::Journal(run.clone());
        let whole = match WholeLines::read(self, run).await {
            Err(StoreError::Unreadable { source, .. }) => {
                let cause = std::error::Error::source(&*source).map(ToString::to_string);
                let problem = format!("it cannot be read: {}", cause.unwrap_or_default());
                WholeLines::find(&self.medium.name(&journal), Vec::new(), Some(problem))?
            }
            read => read?,
        };
        let audited = self.audited_run(run).await;
        let is_closed = whole.is_closed();
        let knows_ledger = whole.header.is_some() || self.stored_report(run).await.is_some();
        let header = match whole.header {
            Some(header) => Some(header),
            None => self.header_elsewhere(run, &audited, caller, &whole.records).await,
        };
        let settled: BTreeSet<CardKey> = whole.records.iter().filter_map(settled_target).collect();
        let is_settled = |target: &PlannedCard| settled.contains(&target.key);
        // A run writes its end to the audit log when every target has its outcome in the journal,
        // and saves its report after that.
        let has_report = matches!(self.report(run).await, Ok(Some(_)) | Err(_));
        let lost_its_end = !is_closed
            && (audited.is_closed || has_report)
            && header.as_ref().is_some_and(|header| !header.targets.iter().all(is_settled));
        let lost = match () {
            () if whole.is_lossy || lost_its_end => JournalLoss::Lines,
            () if whole.torn > 0 && !is_closed => JournalLoss::TornLine,
            () => JournalLoss::Nothing,
        };
        let backups = match (lost, is_closed) {
            (JournalLoss::Nothing, true) => Vec::new(),
            _ => backup::names(&self.medium, run).await?,
        };
        let damage = whole.problem.map(|problem| self.damaged(&journal, problem));
        let records = whole.records;
        Ok(SalvagedJournal { header, records, damage, knows_ledger, lost, backups })
    }

    /// Returns `true` if the audit log records the end of a run, which is written when every target
    /// has its outcome.
    pub(super) async fn has_audited_end(&self, run: &RunId) -> bool {
        self.audited_run(run).await.is_closed
    }

    /// Returns `true` if the audit log or the report tells the end of a run.
    pub(super) async fn has_recorded_end(&self, run: &RunId) -> bool {
        self.has_audited_end(run).await || self.stored_report(run).await.is_some()
    }

    /// Returns the stored report of a run; `None` if there is none, or it is damaged.
    pub(super) async fn stored_report(&self, run: &RunId) -> Option<RunReport> {
        let bytes = self.report(run).await.ok().flatten()?;
        decode_run_report(&bytes).ok().filter(|report| report.run == *run)
    }

    /// Returns the events of a run in the undamaged lines of the audit log. An unreadable audit log
    /// has none.
    async fn audited_run(&self, run: &RunId) -> AuditedRun {
        let bytes = self.medium.read(&Place::Audit).await.ok().flatten().unwrap_or_default();
        let mut audited = AuditedRun::default();
        for line in find_audit(&bytes).map(|found| found.lines).unwrap_or_default() {
            match line.entry.event {
                AuditEvent::RunStarted { run: started, restores, .. } if started == *run => {
                    audited.started = Some(restores);
                }
                AuditEvent::RunClosed { run: closed, .. } if closed == *run => {
                    audited.is_closed = true
                }
                _ => {}
            }
        }
        audited
    }

    /// Returns the header of a run from the files beside its journal: its report, its plan, or this
    /// portal's audit log.
    async fn header_elsewhere(
        &self,
        run: &RunId,
        audited: &AuditedRun,
        caller: UserId,
        records: &[JournalRecord],
    ) -> Option<RunHeader> {
        if let Some(report) = self.stored_report(run).await {
            return Some(report.header);
        }
        let plan = self.plan(run).await.ok().flatten();
        let plan = plan.and_then(|bytes| PlanFile::parse(&bytes).ok());
        if let Some(plan) = plan {
            return Some(header_of_plan(&plan));
        }
        let restores = audited.started.as_ref()?;
        let purpose = restores.clone().map_or(RunPurpose::Apply, RunPurpose::Restore);
        Some(header_of_records(self.portal(), purpose, caller, records))
    }
}

/// Events of a run in the audit log.
#[derive(Debug, Default)]
struct AuditedRun {
    /// The beginning, with the run that it restores.
    started: Option<Option<RunId>>,
    is_closed: bool,
}

fn settled_target(record: &JournalRecord) -> Option<CardKey> {
    match record {
        JournalRecord::Completed { target, .. } => Some(*target),
        _ => None,
    }
}

fn header_of_plan(plan: &PlanFile) -> RunHeader {
    let content = &plan.content;
    let planned = |target: &PlanFileTarget| PlannedCard {
        key: target.key,
        digest: content.digest_of(target.key),
        generation: target.generation.clone(),
    };
    RunHeader {
        purpose: RunPurpose::Apply,
        portal: content.portal.clone(),
        caller: content.caller,
        actor: String::new(),
        manifest: Some(content.manifest),
        commit: content.commit.clone(),
        ledger: None,
        reasons: content
            .manifests
            .iter()
            .map(|manifest| (manifest.name.clone(), manifest.reason.clone()))
            .collect(),
        trust: None,
        targets: content.targets.iter().map(planned).collect(),
    }
}

/// Builds the header of a run that only the audit log knows: its targets are those of the undamaged
/// lines.
fn header_of_records(
    portal: &PortalId,
    purpose: RunPurpose,
    caller: UserId,
    records: &[JournalRecord],
) -> RunHeader {
    let mut targets: Vec<PlannedCard> = Vec::new();
    for record in records {
        if let JournalRecord::Intent { targets: intended } = record {
            targets.extend(intended.iter().map(|(key, digest)| PlannedCard {
                key: *key,
                digest: *digest,
                generation: None,
            }));
        }
    }
    targets.sort_by_key(|target| target.key);
    targets.dedup_by_key(|target| target.key);
    RunHeader {
        purpose,
        portal: portal.clone(),
        caller,
        actor: String::new(),
        manifest: None,
        commit: None,
        ledger: None,
        reasons: Vec::new(),
        trust: None,
        targets,
    }
}
