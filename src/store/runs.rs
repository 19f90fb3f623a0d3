//! Summary of a run's journal.

use std::collections::BTreeMap;

use crate::model::{CardKey, Outcome, RunId, Totals};
use crate::ports::{Interrupted, JournalRecord, RunHeader, StoreError};
use crate::records::RunReport;

/// Run of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The header.
    pub header: RunHeader,
    /// The end of the run.
    pub end: RunEnd,
    /// The last outcome of each finished target, sorted.
    pub settled: Vec<(CardKey, Outcome)>,
}

/// End of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// It did not: it runs, or it was cut and waits for `recard recover`.
    Unfinished,
    /// Every target has an outcome.
    Closed(Interrupted),
}

impl RunSummary {
    /// Sums up a journal, record by record; returns `None` if it has no header.
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

    /// Returns the totals of the outcomes. For a closed run they add up to the planned targets.
    pub fn totals(&self) -> Totals {
        Totals::from_outcomes(self.settled.iter().map(|(_, outcome)| outcome))
    }

    /// Returns the report of the run; `None` until it is closed.
    pub fn into_report(self) -> Option<RunReport> {
        let Self { run, header, end, settled: targets } = self;
        match end {
            RunEnd::Unfinished => None,
            RunEnd::Closed(interrupted) => Some(RunReport { run, header, interrupted, targets }),
        }
    }
}
