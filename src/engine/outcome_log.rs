//! Backups, journal and outcomes of one run, and the cause of its end.

use std::collections::BTreeMap;

use super::late_writes::LateWrites;
use super::run_report::{ApplyError, ApplyReport, TargetOutcome};
use super::{CancellationToken, Event, EventSink};
use crate::i18n::{Text, english};
use crate::model::{CardKey, Generation, Layout, LedgerEntry, Outcome, Totals};
use crate::ports::{Interrupted, JournalRecord, PortalError, RunLog, SetPurpose, StoreError};

/// Cause of the end of a run before all of its targets were sent.
pub(super) enum StopCause {
    Store(StoreError),
    Portal(PortalError),
    Cancelled(String),
}

impl From<PortalError> for StopCause {
    fn from(problem: PortalError) -> Self {
        match problem {
            PortalError::Stopped(reason) => Self::Cancelled(reason),
            other => Self::Portal(other),
        }
    }
}

impl From<StoreError> for StopCause {
    fn from(problem: StoreError) -> Self {
        Self::Store(problem)
    }
}

/// Record of one run, in memory and on disk.
pub(super) struct OutcomeLog<'a, L> {
    log: &'a mut L,
    events: &'a dyn EventSink,
    outcomes: BTreeMap<CardKey, Outcome>,
    pub(super) late_writes: LateWrites,
    stop_cause: Option<StopCause>,
}

impl<'a, L: RunLog> OutcomeLog<'a, L> {
    pub(super) fn new(log: &'a mut L, events: &'a dyn EventSink) -> Self {
        Self {
            log,
            events,
            outcomes: BTreeMap::new(),
            late_writes: LateWrites::default(),
            stop_cause: None,
        }
    }

    /// Passes a notice on.
    pub(super) fn notice(&self, text: Text) {
        self.events.on_event(Event::Notice(text));
    }

    /// Ends the run for this cause, unless it ends for an earlier one.
    pub(super) fn stop(&mut self, cause: impl Into<StopCause>) {
        self.stop_cause.get_or_insert(cause.into());
    }

    /// Returns `true` if no request of the plan may be sent any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop_cause.is_some()
    }

    /// Returns the cause of the end in words.
    pub(super) fn reason(&self) -> String {
        match &self.stop_cause {
            None => tr_later!("not reached").to_owned(),
            Some(StopCause::Cancelled(reason)) => reason.clone(),
            Some(StopCause::Store(problem)) => format!("the store failed: {}", english(problem)),
            Some(StopCause::Portal(problem)) => english(problem),
        }
    }

    /// Writes backups, then records, both synced. Returns `true` on success; a failure ends the
    /// run.
    pub(super) async fn save(
        &mut self,
        layouts: &[(CardKey, &Layout)],
        records: &[JournalRecord],
    ) -> bool {
        let log = &mut *self.log;
        let saved = async {
            if !layouts.is_empty() {
                log.save_backups(layouts).await?;
            }
            log.append(records).await
        };
        let saved = saved.await;
        self.is_kept(saved)
    }

    /// Backs up a newer layout and names it in the journal, so that a restore of the run has it.
    /// Returns `true` on success.
    pub(super) async fn keep(&mut self, key: CardKey, newer: &Layout) -> bool {
        let (digest, purpose) = (newer.digest(), SetPurpose::Compensation);
        let intent = JournalRecord::SetIntent { target: key, digest, purpose };
        self.save(&[(key, newer)], &[intent]).await
    }

    fn is_kept(&mut self, written: Result<(), StoreError>) -> bool {
        written.map_err(|problem| self.stop(problem)).is_ok()
    }

    /// Journals outcomes and reports them. Proved resets are synced with the next intent or at the
    /// end: after a crash of the system, reading the card tells the same, and a sync takes as long
    /// as a request. Other outcomes are synced at once, because a read would not tell them. The
    /// outcome of a write that may be executed late is held back.
    pub(super) async fn settle(&mut self, settled: Vec<(CardKey, Outcome)>) {
        let mut records = Vec::new();
        for (target, outcome) in settled {
            let Some(outcome) = self.late_writes.hold_back(target, outcome) else { continue };
            records.push(JournalRecord::Completed { target, outcome: outcome.clone() });
            self.events.on_event(Event::Completed { target, outcome: outcome.clone() });
            self.outcomes.insert(target, outcome);
        }
        if records.is_empty() {
            return;
        }
        let is_proved = |record: &JournalRecord| {
            matches!(record, JournalRecord::Completed { outcome: Outcome::Reset, .. })
        };
        let written = if records.iter().all(is_proved) {
            self.log.append_unsynced(&records).await
        } else {
            self.log.append(&records).await
        };
        self.is_kept(written);
    }

    /// Returns the outcomes of a run that the caller closes.
    ///
    /// # Errors
    ///
    /// If the store or the portal failed.
    pub(super) fn into_outcomes(self) -> Result<BTreeMap<CardKey, Outcome>, StopCause> {
        match self.stop_cause {
            None | Some(StopCause::Cancelled(_)) => Ok(self.outcomes),
            Some(end) => Err(end),
        }
    }

    /// Completes the targets that were `waiting`, closes the journal, and adds up. `marks` is
    /// written ahead of the end of the journal.
    pub(super) async fn finish(
        mut self,
        planned: &[CardKey],
        waiting: Vec<(CardKey, Outcome)>,
        sent: bool,
        stop: &CancellationToken,
        marks: impl FnOnce(&BTreeMap<CardKey, Outcome>) -> Vec<(Generation, CardKey, LedgerEntry)>,
    ) -> Result<ApplyReport, ApplyError> {
        let text = self.reason();
        let stopped = self.is_stopped().then(|| text.clone());
        let interrupted = if waiting.is_empty() && stop.reason().is_none() {
            Interrupted::No
        } else {
            Interrupted::Yes
        };
        self.settle(waiting).await;
        // These were in a request whose answer could not be stored, because the store failed.
        let open: Vec<CardKey> =
            planned.iter().copied().filter(|key| !self.outcomes.contains_key(key)).collect();
        let (log, marks) = (&mut *self.log, marks(&self.outcomes));
        let closing = async {
            log.sync().await?;
            if !marks.is_empty() {
                log.record_reset(&marks).await?;
            }
            // The journal of a run with an indeterminate target stays open: only the portal can
            // tell.
            if open.is_empty() {
                log.append(&[JournalRecord::Closed { interrupted }]).await?;
            }
            Ok(())
        };
        let closing = closing.await;
        self.is_kept(closing);
        let in_doubt = format!("sent, and not settled: {text}; `recard recover` asks the portal");
        self.outcomes.extend(open.into_iter().map(|key| (key, Outcome::Unknown(in_doubt.clone()))));
        let totals = Totals::from_outcomes(self.outcomes.values());
        let targets = self
            .outcomes
            .into_iter()
            .map(|(key, outcome)| TargetOutcome { key, outcome })
            .collect();
        let report = ApplyReport { run: self.log.run().clone(), targets, totals, stopped, sent };
        match self.stop_cause {
            None | Some(StopCause::Cancelled(_)) => Ok(report),
            Some(StopCause::Store(source)) => {
                Err(ApplyError::Store { source, report: Box::new(report) })
            }
            Some(StopCause::Portal(source)) => {
                Err(ApplyError::Portal { source, report: Box::new(report) })
            }
        }
    }
}
