//! Summary of a run's journal, and the search for an interrupted run.

use std::collections::{BTreeMap, BTreeSet};

use super::salvage::WholeLines;
use super::{Store, journal};
use crate::model::{CardKey, Outcome, OutcomeClass, RunId, Totals, UserId};
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

impl Store {
    /// Returns the oldest interrupted run, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Store::find_unfinished`].
    pub async fn unfinished(&self) -> Result<Option<RunId>, StoreError> {
        self.find_unfinished(&mut Vec::new()).await
    }

    /// Returns the oldest interrupted run, if there is one. A run whose journal cannot be read is
    /// put into `unread` with the reason, if it surely ended.
    ///
    /// A run begins only when all earlier ones have ended. So an unreadable journal may be that of
    /// an interrupted run only if it is the newest, and no other record tells its end.
    ///
    /// # Errors
    ///
    /// If the newest journal cannot be read and nothing shows that its run ended, or a newer recard
    /// wrote a journal: the portal is left to it.
    pub async fn find_unfinished(
        &self,
        unread: &mut Vec<StoreError>,
    ) -> Result<Option<RunId>, StoreError> {
        let runs = self.run_ids().await?;
        for run in &runs {
            match self.is_closed(run).await {
                Ok(true) => {}
                Ok(false) => return Ok(Some(run.clone())),
                Err(problem @ StoreError::Unreadable { .. }) => {
                    if runs.last() == Some(run) && !self.has_recorded_end(run).await {
                        return Err(problem);
                    }
                    unread.push(problem);
                }
                Err(problem) => return Err(problem),
            }
        }
        Ok(None)
    }

    /// Returns the people whose cards the last run has reset, if it is one of this actor. A run
    /// that was cut counts with the one that continues it. A journal that cannot be read ends the
    /// count.
    ///
    /// # Errors
    ///
    /// If the runs cannot be listed.
    pub async fn people_reset_by(&self, actor: &str) -> Result<BTreeSet<UserId>, StoreError> {
        let mut people = BTreeSet::new();
        for (index, run) in self.run_ids().await?.iter().rev().enumerate() {
            let Ok(summary) = self.summary(run).await else { break };
            let is_whole = summary.end == RunEnd::Closed(Interrupted::No);
            if summary.header.actor != actor || (index > 0 && is_whole) {
                break;
            }
            let done = summary.settled.iter();
            let done = done.filter(|(_, outcome)| outcome.class() == OutcomeClass::Done);
            people.extend(done.filter_map(|(card, _)| card.user()));
        }
        Ok(people)
    }

    /// Returns the summary of a run from its stored report, for a journal that cannot tell it;
    /// `None` if there is none, or it is damaged.
    pub async fn reported_summary(&self, run: &RunId) -> Option<RunSummary> {
        let report = self.stored_report(run).await?;
        let RunReport { run, header, interrupted, targets: settled } = report;
        Some(RunSummary { run, header, end: RunEnd::Closed(interrupted), settled })
    }

    async fn is_closed(&self, run: &RunId) -> Result<bool, StoreError> {
        if journal::surely_closed(&self.medium, run).await? {
            return Ok(true);
        }
        match self.summary(run).await {
            Ok(summary) => Ok(summary.end != RunEnd::Unfinished),
            Err(StoreError::Damaged { .. }) => {
                let is_closed = WholeLines::read(self, run).await?.is_closed();
                Ok(is_closed || self.has_audited_end(run).await)
            }
            Err(problem) => Err(problem),
        }
    }
}
