//! Executor of approved plans: the protocol of [the module above](super), in its order, for apply
//! and restore alike.
//!
//! This file decides the order of reads, writes and syncs; [`progress`](super::progress) takes the
//! answers, and [`verdict`](super::verdict) interprets them.
//!
//! Guarantees: no write leaves without its backup and its intent on disk; no write is repeated
//! before a read has shown that it was not executed; a layout that a write has overwritten by
//! accident is stored again ahead of all other requests, and also after a stop.

use std::collections::{BTreeMap, VecDeque};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use super::late_writes::{LateVerdict, LateWrite};
use super::options::ExecuteOptions;
use super::outcome_log::{OutcomeLog, StopCause};
use super::progress::RunProgress;
use super::requests::{CompletedRequest, Request, intents, layouts, read_back};
use super::run_report::{ApplyError, ApplyReport};
use super::task::{CardTask, Goal};
use super::verdict::{MAX_ROUNDS, Verdict, current_layout};
use super::{CancellationToken, EventSink};
use crate::model::{CardKey, CardKind, Generation, Layout, LedgerEntry, Outcome};
use crate::ports::{Lane, RunLog, WritePortal};

/// Number of planned requests in flight.
const MAX_IN_FLIGHT: usize = 8;

/// Number of cards whose backups share one sync, which takes as long as one request.
const CARDS_PER_SYNC: usize = 64;

/// Executor of one run.
pub(super) struct Executor<'a, P, L> {
    progress: RunProgress<'a, P, L>,
    options: ExecuteOptions,
    /// The number of requests in flight, without compensations.
    in_flight: usize,
    /// A write request was sent.
    sent: bool,
}

impl<'a, P: WritePortal, L: RunLog> Executor<'a, P, L> {
    pub(super) fn new(
        portal: &'a P,
        log: &'a mut L,
        common_defaults: &BTreeMap<CardKind, Layout>,
        options: ExecuteOptions,
        events: &'a dyn EventSink,
    ) -> Self {
        Self {
            progress: RunProgress::new(portal, OutcomeLog::new(log, events), common_defaults),
            options,
            in_flight: 0,
            sent: false,
        }
    }

    /// Queues writes of the plan, and layouts that must be stored again ahead of all other
    /// requests.
    pub(super) fn add(&mut self, tasks: impl IntoIterator<Item = CardTask>) {
        self.progress.queue.add(tasks);
    }

    /// Journals outcomes and reports them.
    pub(super) async fn settle(&mut self, settled: Vec<(CardKey, Outcome)>) {
        self.progress.record.settle(settled).await;
    }

    /// Returns the outcomes of a run that the caller closes.
    ///
    /// # Errors
    ///
    /// If the store or the portal failed.
    pub(super) fn into_outcomes(self) -> Result<BTreeMap<CardKey, Outcome>, StopCause> {
        self.progress.record.into_outcomes()
    }

    /// Completes the remaining targets, closes the journal, and adds up. `marks` is written ahead
    /// of the end of the journal.
    pub(super) async fn finish(
        self,
        planned: &[CardKey],
        stop: &CancellationToken,
        marks: impl FnOnce(&BTreeMap<CardKey, Outcome>) -> Vec<(Generation, CardKey, LedgerEntry)>,
    ) -> Result<ApplyReport, ApplyError> {
        let reason = self.progress.record.reason();
        let unattempted = |task: &CardTask| (task.key, task.unattempted(&reason));
        let waiting = self.progress.queue.planned().iter().map(unattempted).collect();
        self.progress.record.finish(planned, waiting, self.sent, stop, marks).await
    }

    /// Sends requests until each task has its outcome, or no request may be sent any more.
    pub(super) async fn work(&mut self, stop: &CancellationToken) {
        self.send_all(stop).await;
        self.settle_unsent().await;
        // A request without an answer may be executed after its card was read back, and may in turn
        // cause a lost update.
        for _ in 0..=MAX_ROUNDS {
            let Some(last) = self.progress.record.late_writes.last_moment() else { break };
            self.look_at_late_writes(last, stop).await;
            self.send_all(stop).await;
            self.settle_unsent().await;
        }
        let held_back: Vec<_> = self.progress.record.late_writes.take();
        let outcome = |late: LateWrite| Some((late.key(), late.into_outcome()?));
        self.settle(held_back.into_iter().filter_map(outcome).collect()).await;
    }

    /// Completes tasks that wait for a retry that will not happen, and whose earlier attempt may
    /// still be executed.
    async fn settle_unsent(&mut self) {
        let (reason, late_writes) =
            (self.progress.record.reason(), &self.progress.record.late_writes);
        let open = self.progress.queue.take_planned_if(|task| late_writes.contains(task.key));
        self.settle(open.iter().map(|task| (task.key, task.unattempted(&reason))).collect()).await;
    }

    async fn send_all(&mut self, stop: &CancellationToken) {
        let mut in_flight: FuturesUnordered<BoxFuture<'a, (usize, CompletedRequest)>> =
            FuturesUnordered::new();
        let mut ready = VecDeque::new();
        let portal = self.progress.portal;
        let targets = self.progress.queue.planned().len();
        self.progress.queue.per_request = portal.targets_per_request(targets);
        loop {
            while let Some(request) = self.next_request(stop).await {
                self.sent |= request.is_write();
                let slots = usize::from(!request.is_compensation());
                self.in_flight += slots;
                in_flight.push(Box::pin(async move { (slots, request.send(portal).await) }));
                // The request leaves now, and does not wait for the backups of the next one.
                while let Some(Some(done)) = in_flight.next().now_or_never() {
                    ready.push_back(done);
                }
                tokio::task::yield_now().await;
            }
            let (slots, done) = match ready.pop_front() {
                Some(done) => done,
                None => match in_flight.next().await {
                    Some(done) => done,
                    None => break,
                },
            };
            self.in_flight = self.in_flight.saturating_sub(slots);
            self.progress.take(done).await;
        }
    }

    /// Returns the next request that may leave: compensations, then read-backs, then the plan.
    async fn next_request(&mut self, stop: &CancellationToken) -> Option<Request> {
        let compensations = self.progress.queue.take_compensations();
        if !compensations.is_empty() {
            // A failing store does not delay them: without its backup the layout exists only in
            // this process.
            let newer: Vec<(CardKey, &Layout)> = compensations.iter().flat_map(layouts).collect();
            self.progress.record.save(&newer, &intents(compensations.iter())).await;
            return Some(self.write(compensations, Lane::Compensation));
        }
        let suspects = self.progress.queue.take_suspects();
        if !suspects.is_empty() {
            return Some(Request::ReadDefaults(suspects));
        }
        let read_backs = self.progress.queue.take_read_backs();
        if !read_backs.is_empty() {
            return Some(Request::ReadBack(read_backs));
        }
        if let Some(reason) = stop.reason() {
            self.progress.record.stop(StopCause::Cancelled(reason.to_string()));
        }
        if self.progress.record.is_stopped()
            || self.in_flight >= MAX_IN_FLIGHT
            || self.progress.queue.planned().is_empty()
        {
            return None;
        }
        let stale = self.progress.queue.take_stale();
        if !stale.is_empty() {
            return Some(Request::ReadAhead(stale));
        }
        self.next_planned().await
    }

    /// Takes the tasks of one request of the plan, with their backups and their intents on disk. If
    /// backups are missing, those of a whole sync group are written.
    async fn next_planned(&mut self) -> Option<Request> {
        let planned = self.progress.queue.planned();
        let size = self.progress.queue.next_size();
        let is_backed_up = planned.iter().take(size).all(|task| task.backed_up);
        let group = if is_backed_up { size } else { size.max(CARDS_PER_SYNC) };
        let missing = planned.iter().take(group).filter(|task| !task.backed_up);
        let missing: Vec<(CardKey, &Layout)> = missing.flat_map(layouts).collect();
        if !self.progress.record.save(&missing, &intents(planned.iter().take(size))).await {
            return None;
        }
        self.progress.queue.front(group).for_each(|task| task.backed_up = true);
        let tasks = self.progress.queue.take_planned(size);
        Some(self.write(tasks, Lane::Planned))
    }

    fn write(&self, tasks: Vec<CardTask>, lane: Lane) -> Request {
        match tasks.as_slice() {
            [task] if task.alone => {
                let common_default = self.progress.common_default(task.key).cloned();
                Request::WriteAlone(Box::new(task.clone()), common_default, lane)
            }
            _ => Request::Write(tasks, lane),
        }
    }

    /// Reads cards of requests without an answer once more, and completes them or stores again what
    /// a late write removed. After a stop the read is immediate.
    async fn look_at_late_writes(&mut self, last: Instant, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(self.options.late_writes.saturating_sub(last.elapsed())) => {}
            () = stop.cancelled() => {}
        }
        let late_writes = self.progress.record.late_writes.take();
        let keys: Vec<CardKey> = late_writes.iter().map(LateWrite::key).collect();
        let reads = read_back(self.progress.portal, &keys).await.unwrap_or_default();
        let mut settled = Vec::new();
        for late in late_writes {
            let key = late.key();
            match late.judge(current_layout(
                reads.get(&key),
                &Goal::Reset,
                self.progress.common_default(key),
            )) {
                Some(LateVerdict::Final(outcome)) => settled.push((key, outcome)),
                Some(LateVerdict::LostUpdate(task, newer)) => {
                    self.progress.act(vec![(*task, Verdict::LostUpdate(newer))]).await
                }
                None => {}
            }
        }
        self.settle(settled).await;
    }
}
