//! What a run's journal tells, in short.

use std::collections::BTreeMap;

use crate::model::{CardKey, Outcome, RunId, Totals};
use crate::ports::{Interrupted, JournalRecord, RunHeader, StoreError};
use crate::records::RunReport;

/// One run of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// What it was about.
    pub header: RunHeader,
    /// How it ended, if it did.
    pub end: RunEnd,
    /// The last outcome of each target that was settled, sorted.
    pub settled: Vec<(CardKey, Outcome)>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It did not: it runs, or it was cut and waits for `recard recover`.
    Unfinished,
    /// Every target is settled.
    Closed(Interrupted),
}

impl RunSummary {
    /// Sums up a journal, record by record; nothing if it has no head.
    pub(super) fn from_records(
        run: RunId,
        records: impl IntoIterator<Item = Result<JournalRecord, StoreError>>,
    ) -> Result<Option<Self>, StoreError> {
        let mut header = None;
        let mut end = RunEnd::Unfinished;
        let mut settled = BTreeMap::new();
        for record in records {
            match record? {
                JournalRecord::Opened(opened) => header = Some(opened),
                JournalRecord::Intent { .. } | JournalRecord::SetIntent { .. } => {}
                JournalRecord::Completed { target, outcome } => {
                    settled.insert(target, outcome);
                }
                JournalRecord::Closed { interrupted } => end = RunEnd::Closed(interrupted),
            }
        }
        Ok(header.map(|header| Self { run, header, end, settled: settled.into_iter().collect() }))
    }

    /// How the settled targets ended. For a closed run they add up to the planned ones.
    pub fn totals(&self) -> Totals {
        Totals::from_outcomes(self.settled.iter().map(|(_, outcome)| outcome))
    }

    /// The report of the run; nothing as long as it is not closed.
    pub fn into_report(self) -> Option<RunReport> {
        let Self { run, header, end, settled: targets } = self;
        match end {
            RunEnd::Unfinished => None,
            RunEnd::Closed(interrupted) => Some(RunReport { run, header, interrupted, targets }),
        }
    }
}
