//! Executor of approved plans: the protocol of [the module above](super), in its order, for apply
//! and restore alike.
//!
//! This file decides the order of reads, writes and syncs; [`verdict`](super::verdict) interprets
//! the answers.
//!
//! Guarantees: no write leaves without its backup and its intent on disk; no write is repeated
//! before a read has shown that it was not executed; a layout that a write has overwritten by
//! accident is stored again ahead of all other requests, and also after a stop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;

use super::late_writes::{LateVerdict, LateWrite, LateWrites};
use super::observe::read_all;
use super::requests::{
    CompletedRequest, NeedsReadBack, SingleWriteResult, intents, is_final, layouts, read_back,
    unusable, write_alone,
};
use super::run_report::{ApplyError, ApplyReport, TargetOutcome};
use super::verdict::{
    CardTask, Goal, MAX_ROUNDS, PreImage, Reason, Verdict, current_layout, judge_evidence,
    judge_read_ahead, judge_read_back,
};
use super::{CancellationToken, Event, Observer};
use crate::i18n::{Text, english};
use crate::model::{CardKey, Layout, LeadCustomerType, Outcome, Totals, UserId};
use crate::ports::{
    CardRead, IndeterminateCause, Interrupted, JournalRecord, Lane, MAX_WRITES_PER_REQUEST,
    PortalError, RunLog, SetPurpose, StoreError, WriteAnswer, WriteError, WriteEvidence,
    WritePortal,
};

/// Number of planned requests in flight.
const MAX_IN_FLIGHT: usize = 8;

/// Number of cards whose backups share one sync, which takes as long as one request.
const CARDS_PER_SYNC: usize = 64;

/// Number of commands that the portal takes in one request (behavior notes, section 9.3).
const CARDS_PER_READ: usize = 50;

/// Age from which a read is repeated ahead of its write.
const MAX_READ_AGE: Duration = Duration::from_secs(5 * 60);

/// Timeout for waiting on a limit: longer than the ten minutes over which the portal adds up its
/// operating time.
const LIMIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Age of the reads that a plan was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotAge {
    /// This process began to read at this moment, and waited only for the portal since.
    ReadAt(Instant),
    /// A question, a lock, an approval or another process lies in between: every card is read again
    /// ahead of its write.
    ReadAgain,
}

impl SnapshotAge {
    /// Returns the age of reads that begin now.
    pub fn now() -> Self {
        Self::ReadAt(Instant::now())
    }

    pub(super) fn read_at(self) -> Option<Instant> {
        match self {
            Self::ReadAt(moment) => Some(moment),
            Self::ReadAgain => None,
        }
    }
}

/// Timing of an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecuteOptions {
    /// The age of the plan's reads.
    pub snapshot_age: SnapshotAge,
    /// The time for which a request without an answer may still be executed by the portal. Its
    /// cards are read back once more after that.
    pub late_writes: Duration,
}

impl ExecuteOptions {
    /// Creates the default timing: a request without an answer gets two seconds.
    pub fn new(snapshot_age: SnapshotAge) -> Self {
        Self { snapshot_age, late_writes: Duration::from_secs(2) }
    }
}

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

/// Executor of one run.
pub(super) struct Executor<'a, P, L> {
    portal: &'a P,
    log: &'a mut L,
    common_defaults: BTreeMap<LeadCustomerType, Layout>,
    options: ExecuteOptions,
    observer: &'a dyn Observer,
    outcomes: BTreeMap<CardKey, Outcome>,
    planned: VecDeque<CardTask>,
    compensations: Vec<CardTask>,
    read_backs: Vec<NeedsReadBack>,
    /// Tasks that met a layout which may be a new common default.
    suspects: Vec<(CardTask, Verdict)>,
    late_writes: LateWrites,
    /// Halved when the portal fails on a request, so that one bad card does not fail others with
    /// it.
    max_per_request: usize,
    in_flight: usize,
    sent: BTreeSet<CardKey>,
    stop_cause: Option<StopCause>,
}

impl<'a, P: WritePortal, L: RunLog> Executor<'a, P, L> {
    pub(super) fn new(
        portal: &'a P,
        log: &'a mut L,
        common_defaults: &'a BTreeMap<LeadCustomerType, Layout>,
        options: ExecuteOptions,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            portal,
            log,
            common_defaults: common_defaults.clone(),
            options,
            observer,
            outcomes: BTreeMap::new(),
            planned: VecDeque::new(),
            compensations: Vec::new(),
            read_backs: Vec::new(),
            suspects: Vec::new(),
            late_writes: LateWrites::default(),
            max_per_request: usize::MAX,
            in_flight: 0,
            sent: BTreeSet::new(),
            stop_cause: None,
        }
    }

    /// Queues writes of the plan.
    pub(super) fn plan(&mut self, tasks: impl IntoIterator<Item = CardTask>) {
        self.planned.extend(tasks);
    }

    /// Queues layouts that must be stored again ahead of all other requests.
    pub(super) fn compensate(&mut self, tasks: impl IntoIterator<Item = CardTask>) {
        self.compensations.extend(tasks);
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

    /// Sends requests until each task has its outcome, or no request may be sent any more.
    pub(super) async fn work(&mut self, stop: &CancellationToken) {
        self.send_all(stop).await;
        self.settle_unsent();
        // A request without an answer may be executed after its card was read back, and may in turn
        // cause a lost update.
        for _ in 0..=MAX_ROUNDS {
            let Some(last) = self.late_writes.last_moment() else { break };
            self.look_at_late_writes(last, stop).await;
            self.send_all(stop).await;
            self.settle_unsent();
        }
        let held_back: Vec<_> = self.late_writes.take();
        let outcome = |late: LateWrite| Some((late.key(), late.into_outcome()?));
        self.settle(held_back.into_iter().filter_map(outcome).collect());
    }

    /// Completes tasks that wait for a retry that will not happen, and whose earlier attempt may
    /// still be executed.
    fn settle_unsent(&mut self) {
        let reason = self.reason();
        let late_writes = &self.late_writes;
        let (open, waiting): (VecDeque<CardTask>, VecDeque<CardTask>) =
            std::mem::take(&mut self.planned)
                .into_iter()
                .partition(|task| late_writes.contains(task.key));
        self.planned = waiting;
        self.settle(open.iter().map(|task| (task.key, task.unattempted(&reason))).collect());
    }

    /// Returns the cause of the end in words.
    fn reason(&self) -> String {
        match &self.stop_cause {
            None => tr_later!("not reached").to_owned(),
            Some(StopCause::Cancelled(reason)) => reason.clone(),
            Some(StopCause::Store(problem)) => format!("the store failed: {}", english(problem)),
            Some(StopCause::Portal(problem)) => english(problem),
        }
    }

    async fn send_all(&mut self, stop: &CancellationToken) {
        let mut in_flight: FuturesUnordered<BoxFuture<'a, CompletedRequest>> =
            FuturesUnordered::new();
        let mut ready = VecDeque::new();
        loop {
            while let Some(request) = self.next_request(stop) {
                in_flight.push(request);
                // The request leaves now, and does not wait for the backups of the next one.
                while let Some(Some(done)) = in_flight.next().now_or_never() {
                    ready.push_back(done);
                }
                tokio::task::yield_now().await;
            }
            let done = match ready.pop_front() {
                Some(done) => done,
                None => match in_flight.next().await {
                    Some(done) => done,
                    None => break,
                },
            };
            self.take(done);
        }
    }

    /// Returns the next request that may leave: compensations, then read-backs, then the plan.
    fn next_request(
        &mut self,
        stop: &CancellationToken,
    ) -> Option<BoxFuture<'a, CompletedRequest>> {
        if !self.compensations.is_empty() {
            let tasks = self.take_compensations();
            return Some(self.write(tasks, Lane::Compensation));
        }
        if !self.suspects.is_empty() {
            return Some(self.read_defaults());
        }
        if !self.read_backs.is_empty() {
            let count = self.read_backs.len().min(CARDS_PER_READ);
            let tasks: Vec<NeedsReadBack> = self.read_backs.drain(..count).collect();
            return Some(self.read_back(tasks));
        }
        if self.stop_cause.is_none()
            && let Some(reason) = stop.reason()
        {
            self.stop_cause = Some(StopCause::Cancelled(reason.to_string()));
        }
        if self.stop_cause.is_some() || self.in_flight >= MAX_IN_FLIGHT || self.planned.is_empty() {
            return None;
        }
        if let Some(tasks) = self.take_stale() {
            return Some(self.read_ahead(tasks));
        }
        match self.take_planned() {
            Ok(tasks) => Some(self.write(tasks, Lane::Planned)),
            Err(problem) => {
                self.stop_cause = Some(StopCause::Store(problem));
                None
            }
        }
    }

    /// Takes the tasks of one request of the plan, with their backups and their intents on disk.
    fn take_planned(&mut self) -> Result<Vec<CardTask>, StoreError> {
        let waiting = self.planned.len();
        let size = self
            .portal
            .targets_per_request(waiting)
            .min(self.max_per_request)
            .clamp(1, waiting.max(1));
        let is_alone = |task: &CardTask| task.alone;
        let size = match self.planned.iter().take(size).position(is_alone) {
            Some(0) => 1,
            Some(position) => position,
            None => size,
        };
        self.back_up_planned(size)?;
        let records = intents(self.planned.iter().take(size));
        self.log.append(&records)?;
        Ok(self.planned.drain(..size).collect())
    }

    /// Writes the backups of this number of tasks at the front; if some are missing, of a whole
    /// sync group.
    fn back_up_planned(&mut self, count: usize) -> Result<(), StoreError> {
        if self.planned.iter().take(count).all(|task| task.backed_up) {
            return Ok(());
        }
        let count = count.max(CARDS_PER_SYNC);
        let missing = self.planned.iter().take(count).filter(|task| !task.backed_up);
        let layouts: Vec<(CardKey, &Layout)> = missing.flat_map(layouts).collect();
        self.log.save_backups(&layouts)?;
        self.planned.iter_mut().take(count).for_each(|task| task.backed_up = true);
        Ok(())
    }

    /// Takes compensations for one request. A failing store does not delay them: without its backup
    /// the layout exists only in this process.
    fn take_compensations(&mut self) -> Vec<CardTask> {
        let size = match self.compensations.iter().position(|task| task.alone) {
            Some(0) => 1,
            Some(position) => position,
            None => self.compensations.len(),
        };
        let size = size.min(MAX_WRITES_PER_REQUEST);
        let tasks: Vec<CardTask> = self.compensations.drain(..size).collect();
        let newer: Vec<(CardKey, &Layout)> = tasks.iter().flat_map(layouts).collect();
        let kept =
            self.log.save_backups(&newer).and_then(|()| self.log.append(&intents(tasks.iter())));
        if let Err(problem) = kept {
            self.stop_cause.get_or_insert(StopCause::Store(problem));
        }
        tasks
    }

    /// Takes cards at the front whose read is too old, if the next one's is.
    fn take_stale(&mut self) -> Option<Vec<CardTask>> {
        let is_stale = |task: &CardTask| {
            !task.blind && task.read_at.is_none_or(|read| read.elapsed() > MAX_READ_AGE)
        };
        if !is_stale(self.planned.front()?) {
            return None;
        }
        let count =
            self.planned.iter().take(CARDS_PER_READ).take_while(|task| is_stale(task)).count();
        Some(self.planned.drain(..count).collect())
    }

    fn write(&mut self, tasks: Vec<CardTask>, lane: Lane) -> BoxFuture<'a, CompletedRequest> {
        let portal = self.portal;
        if lane == Lane::Planned {
            self.in_flight += 1;
        }
        self.sent.extend(tasks.iter().map(|task| task.key));
        if let [task] = tasks.as_slice()
            && task.alone
        {
            let task = Box::new(task.clone());
            let common_default = self.common_default(task.key).cloned();
            return Box::pin(async move {
                let end = write_alone(portal, &task, common_default.as_ref(), lane).await;
                CompletedRequest::WrittenAlone(task, end)
            });
        }
        Box::pin(async move {
            let writes: Vec<_> = tasks.iter().map(|task| (task.key, task.goal.write())).collect();
            let answer = portal.write_cards(&writes, lane).await;
            CompletedRequest::Written(tasks, answer)
        })
    }

    fn read_back(&mut self, tasks: Vec<NeedsReadBack>) -> BoxFuture<'a, CompletedRequest> {
        let portal = self.portal;
        self.in_flight += 1;
        Box::pin(async move {
            let keys: Vec<CardKey> =
                tasks.iter().map(|needs_read_back| needs_read_back.task.key).collect();
            let reads = read_back(portal, &keys).await;
            CompletedRequest::ReadBack(tasks, reads)
        })
    }

    /// Reads the present common defaults, as the card of an impossible user shows them.
    fn read_defaults(&mut self) -> BoxFuture<'a, CompletedRequest> {
        let portal = self.portal;
        let suspects = std::mem::take(&mut self.suspects);
        self.in_flight += 1;
        Box::pin(async move {
            let leads: BTreeSet<LeadCustomerType> =
                suspects.iter().map(|(task, _)| task.key.lead).collect();
            let keys: Vec<CardKey> =
                leads.into_iter().map(|lead| CardKey::personal(UserId::IMPOSSIBLE, lead)).collect();
            let reads = read_back(portal, &keys).await;
            CompletedRequest::DefaultsRead(suspects, reads)
        })
    }

    /// Acts on the verdicts on unexpected layouts, given the common defaults.
    fn take_defaults(
        &mut self,
        suspects: Vec<(CardTask, Verdict)>,
        reads: Result<BTreeMap<CardKey, CardRead>, PortalError>,
    ) {
        // Without an answer each one counts as a layout that its owner saved: it is kept.
        for (key, read) in reads.unwrap_or_default() {
            match read {
                CardRead::Read(Some(layout)) => drop(self.common_defaults.insert(key.lead, layout)),
                CardRead::Read(None) => drop(self.common_defaults.remove(&key.lead)),
                CardRead::Refused(_) | CardRead::NoAnswer(_) => {}
            }
        }
        let judged = suspects.into_iter().map(|(task, verdict)| {
            let is_default = verdict.unexpected().is_some()
                && verdict.unexpected() == self.common_default(task.key);
            let verdict = if is_default { verdict.at_default(&task) } else { verdict };
            (task, verdict)
        });
        let judged = judged.collect();
        self.act_on(judged);
    }

    fn read_ahead(&mut self, tasks: Vec<CardTask>) -> BoxFuture<'a, CompletedRequest> {
        let portal = self.portal;
        self.in_flight += 1;
        Box::pin(async move {
            let keys: Vec<CardKey> = tasks.iter().map(|task| task.key).collect();
            let reads = read_all(portal, &keys, &|_: Event| {}).await;
            CompletedRequest::ReadAhead(tasks, reads)
        })
    }

    /// Brings every target of one request to its outcome, back into a queue, or to a read-back.
    fn take(&mut self, done: CompletedRequest) {
        match done {
            CompletedRequest::Written(tasks, answer) => {
                self.free_slot(&tasks);
                match answer {
                    Ok(answers) => self.take_answers(tasks, answers),
                    Err(error) => self.take_failure(tasks, error, None),
                }
            }
            CompletedRequest::WrittenAlone(task, end) => {
                self.free_slot(std::slice::from_ref(&task));
                self.take_alone(*task, end);
            }
            CompletedRequest::ReadBack(tasks, reads) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.take_read_backs(tasks, reads);
            }
            CompletedRequest::DefaultsRead(suspects, reads) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.take_defaults(suspects, reads);
            }
            CompletedRequest::ReadAhead(tasks, reads) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.take_reads_ahead(tasks, reads);
            }
        }
    }

    fn free_slot(&mut self, tasks: &[CardTask]) {
        if !tasks.iter().any(CardTask::is_compensation) {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    fn take_answers(&mut self, tasks: Vec<CardTask>, answers: Vec<(CardKey, WriteEvidence)>) {
        // Matched by key only: an answer for another card is ignored.
        let mut answers: BTreeMap<CardKey, WriteEvidence> = answers.into_iter().collect();
        let mut judged = Vec::new();
        let mut needs_read_back = Vec::new();
        for task in tasks {
            match answers.remove(&task.key) {
                Some(evidence) => {
                    self.see(task.key, &evidence.after);
                    let verdict = judge_evidence(&task, evidence, self.common_default(task.key));
                    judged.push((task, verdict));
                }
                None => {
                    let reason =
                        tr_later!("the answer left it out, or did not tell what became of it")
                            .to_owned();
                    needs_read_back.push(NeedsReadBack {
                        task,
                        answer: WriteAnswer::Unclear(reason),
                        refusal: None,
                    });
                }
            }
        }
        self.act(judged);
        self.ask(needs_read_back);
    }

    /// Handles the failure of a whole request; `before` is the read ahead of a single call.
    fn take_failure(&mut self, tasks: Vec<CardTask>, error: WriteError, before: Option<PreImage>) {
        match error {
            WriteError::NotSent(problem) => {
                let reason = english(&problem);
                self.settle(
                    tasks.iter().map(|task| (task.key, task.unattempted(&reason))).collect(),
                );
                self.stop_cause.get_or_insert(problem.into());
            }
            WriteError::Indeterminate { reason, cause } => {
                let (answer, refusal) = match cause {
                    IndeterminateCause::Limit => (WriteAnswer::Limited(reason), None),
                    IndeterminateCause::Refusal(problem) => {
                        (WriteAnswer::Unclear(reason), Some(problem))
                    }
                    IndeterminateCause::NoAnswer => {
                        if !tasks.iter().any(CardTask::is_compensation) {
                            self.max_per_request =
                                (tasks.len() / 2).max(1).min(self.max_per_request);
                        }
                        self.late_writes.add(&tasks);
                        (WriteAnswer::Unclear(reason), None)
                    }
                };
                let needs_read_back = tasks.into_iter().map(|task| {
                    let pre_image = before.clone().unwrap_or(PreImage::Unseen);
                    NeedsReadBack {
                        task: CardTask { pre_image, ..task },
                        answer: answer.clone(),
                        refusal: refusal.clone(),
                    }
                });
                self.ask(needs_read_back.collect());
            }
        }
    }

    fn take_alone(&mut self, task: CardTask, end: SingleWriteResult) {
        let common_default = self.common_default(task.key);
        match end {
            SingleWriteResult::NotSent(read) => {
                let verdict = match (
                    current_layout(Some(&read), &task.goal, common_default),
                    task.is_compensation(),
                ) {
                    // The person has saved once more: that layout stays.
                    (Some(Some(_)), true) => Verdict::Final(Outcome::NewerKept),
                    (_, true) => Verdict::Retry(Reason::Failed(unusable(&read))),
                    (_, false) => {
                        let outcome = judge_read_ahead(&task, Some(&read), common_default);
                        Verdict::Final(
                            outcome.unwrap_or_else(|| task.unattempted(&unusable(&read))),
                        )
                    }
                };
                self.act(vec![(task, verdict)]);
            }
            SingleWriteResult::Sent(Ok(evidence)) => {
                self.see(task.key, &evidence.after);
                let verdict = judge_evidence(&task, evidence, self.common_default(task.key));
                self.act(vec![(task, verdict)]);
            }
            SingleWriteResult::Sent(Err((before, error))) => {
                let expected = current_layout(Some(&before), &task.goal, common_default).is_some();
                self.take_failure(vec![task], error, expected.then_some(PreImage::AsExpected));
            }
        }
    }

    fn take_read_backs(
        &mut self,
        tasks: Vec<NeedsReadBack>,
        reads: Result<BTreeMap<CardKey, CardRead>, PortalError>,
    ) {
        let (reads, failure) = match reads {
            Ok(reads) => (reads, None),
            Err(problem) => (BTreeMap::new(), Some(problem)),
        };
        let mut judged = Vec::new();
        for NeedsReadBack { task, answer, refusal } in tasks {
            if let Some(read) = reads.get(&task.key) {
                self.see(task.key, read);
            }
            let verdict = judge_read_back(
                &task,
                reads.get(&task.key),
                &answer,
                self.common_default(task.key),
            );
            // The write was refused twice while the portal answers reads: a further retry is
            // pointless.
            let verdict = match (verdict, refusal) {
                (Verdict::Retry(reason), Some(problem)) if task.tries > 0 || is_final(&problem) => {
                    self.stop_cause.get_or_insert(problem.into());
                    Verdict::Final(task.unattempted(reason.text()))
                }
                (verdict, _) => verdict,
            };
            judged.push((task, verdict));
        }
        self.act(judged);
        if let Some(problem) = failure {
            self.stop_cause.get_or_insert(problem.into());
        }
    }

    fn take_reads_ahead(
        &mut self,
        tasks: Vec<CardTask>,
        reads: Result<BTreeMap<CardKey, CardRead>, PortalError>,
    ) {
        let reads = match reads {
            Ok(reads) => reads,
            Err(problem) => {
                tasks.into_iter().rev().for_each(|task| self.planned.push_front(task));
                self.stop_cause.get_or_insert(problem.into());
                return;
            }
        };
        let mut settled = Vec::new();
        let read_at = Some(Instant::now());
        let mut unchanged = Vec::new();
        for task in tasks {
            match judge_read_ahead(&task, reads.get(&task.key), self.common_default(task.key)) {
                None => unchanged.push(CardTask { read_at, ..task }),
                Some(outcome) => settled.push((task.key, outcome)),
            }
        }
        unchanged.into_iter().rev().for_each(|task| self.planned.push_front(task));
        self.settle(settled);
    }

    /// Acts on verdicts, after unexpected layouts of persons are told apart from new common
    /// defaults.
    fn act(&mut self, judged: Vec<(CardTask, Verdict)>) {
        let is_suspect = |(task, verdict): &(CardTask, Verdict)| {
            task.key.user().is_some() && verdict.unexpected().is_some()
        };
        let (suspects, judged): (Vec<_>, Vec<_>) = judged.into_iter().partition(is_suspect);
        self.suspects.extend(suspects);
        self.act_on(judged);
    }

    fn act_on(&mut self, judged: Vec<(CardTask, Verdict)>) {
        let (mut settled, mut again, mut needs_read_back) = (Vec::new(), Vec::new(), Vec::new());
        for (task, verdict) in judged {
            let key = task.key;
            match verdict {
                Verdict::Final(outcome) => settled.push((key, outcome)),
                Verdict::Retry(reason) => again.push((task, reason)),
                Verdict::RetryAlone(over) => {
                    let reason = match &over {
                        Some(_) => tr_later!("the portal kept a part of it"),
                        None => tr_later!("the card is at its default"),
                    };
                    let reason = Reason::Failed(reason.to_owned());
                    again.push((
                        CardTask { expected: over, alone: true, backed_up: false, ..task },
                        reason,
                    ));
                }
                Verdict::ReadBack(pre_image, answer) => {
                    needs_read_back.push(NeedsReadBack {
                        task: CardTask { pre_image, ..task },
                        answer,
                        refusal: None,
                    });
                }
                Verdict::LostUpdate(newer) if task.round < MAX_ROUNDS => {
                    self.observer.on_event(Event::Notice(tr!(
                        "{key} was saved in the same moment; putting the layout back",
                        key
                    )));
                    let alone = !self.portal.fits_batch(key, &newer);
                    self.compensations.push(CardTask { alone, ..task.compensation(newer) });
                }
                Verdict::LostUpdate(newer) | Verdict::Superseded(newer) => {
                    let outcome = Outcome::NewerInBackup(newer.digest().short());
                    settled.extend(self.keep(key, &newer).then_some((key, outcome)));
                }
                Verdict::Other(there, _) => {
                    settled.extend(self.keep(key, &there).then_some((key, Outcome::NewerKept)));
                }
                Verdict::Changed(newer) => {
                    let outcome =
                        if task.is_compensation() { Outcome::NewerKept } else { Outcome::Changed };
                    settled.extend(self.keep(key, &newer).then_some((key, outcome)));
                }
            }
        }
        self.again(again, &mut settled);
        self.settle(settled);
        self.ask(needs_read_back);
    }

    /// Queues tasks again, each for a reason, unless their attempts are used up.
    fn again(&mut self, tasks: Vec<(CardTask, Reason)>, settled: &mut Vec<(CardKey, Outcome)>) {
        let mut reasons = Vec::new();
        for (task, reason) in tasks {
            let key = task.key;
            match task.again(&reason, LIMIT_TIMEOUT) {
                Ok(task) if task.is_compensation() => self.compensations.push(task),
                Ok(task) => self.planned.push_back(task),
                Err(outcome) => {
                    settled.push((key, outcome));
                    continue;
                }
            }
            reasons.push(reason);
        }
        if let Some(reason) = reasons.first() {
            self.observer.on_event(Event::Notice(tr!(
                "{n} card is written again ({reason})"
                    | "{n} cards are written again ({reason})" % reasons.len(),
                reason = Text::from_msgid(reason.text())
            )));
        }
    }

    /// Queues cards for a read-back. A blind reset, which no read can prove, is repeated: it has no
    /// backup in any case.
    fn ask(&mut self, tasks: Vec<NeedsReadBack>) {
        let Some(first) = tasks.first() else { return };
        let reason = match &first.answer {
            WriteAnswer::Done => String::new(),
            WriteAnswer::Refused(refusal) => refusal.message.clone(),
            WriteAnswer::Limited(reason) | WriteAnswer::Unclear(reason) => reason.clone(),
        };
        let (blind, readable): (Vec<NeedsReadBack>, Vec<NeedsReadBack>) =
            tasks.into_iter().partition(|one| one.task.blind);
        let (mut settled, mut again) = (Vec::new(), Vec::new());
        for NeedsReadBack { task, answer, refusal } in blind {
            let task = CardTask { indeterminate: true, ..task };
            match (answer, refusal) {
                (_, Some(problem)) => {
                    settled.push((task.key, task.unattempted(&reason)));
                    self.stop_cause.get_or_insert(problem.into());
                }
                (WriteAnswer::Limited(reason), None) => again.push((task, Reason::Limited(reason))),
                (_, None) => again.push((task, Reason::Failed(reason.clone()))),
            }
        }
        self.again(again, &mut settled);
        self.settle(settled);
        if !readable.is_empty() {
            self.observer.on_event(Event::Notice(tr!(
                "nobody knows what became of {n} card ({reason}); reading it back"
                    | "nobody knows what became of {n} cards ({reason}); reading them back"
                        % readable.len(),
                reason = Text::from_msgid(&reason)
            )));
            self.read_backs.extend(readable);
        }
    }

    /// Backs up a newer layout and names it in the journal, so that a restore of the run has it.
    /// Returns `true` on success.
    fn keep(&mut self, key: CardKey, newer: &Layout) -> bool {
        let (digest, purpose) = (newer.digest(), SetPurpose::Compensation);
        let record = JournalRecord::SetIntent { target: key, digest, purpose };
        match self.log.save_backups(&[(key, newer)]).and_then(|()| self.log.append(&[record])) {
            Ok(()) => true,
            Err(problem) => {
                self.stop_cause.get_or_insert(StopCause::Store(problem));
                false
            }
        }
    }

    /// Stores the last read of a card whose write may be executed late.
    fn see(&mut self, key: CardKey, read: &CardRead) {
        if let Some(now) = current_layout(Some(read), &Goal::Reset, self.common_default(key)) {
            self.late_writes.see(key, now);
        }
    }

    /// Reads cards of requests without an answer once more, and completes them or stores again what
    /// a late write removed. After a stop the read is immediate.
    async fn look_at_late_writes(&mut self, last: Instant, stop: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(self.options.late_writes.saturating_sub(last.elapsed())) => {}
            () = stop.cancelled() => {}
        }
        let late_writes = self.late_writes.take();
        let keys: Vec<CardKey> = late_writes.iter().map(LateWrite::key).collect();
        let reads = read_back(self.portal, &keys).await.unwrap_or_default();
        let mut settled = Vec::new();
        for late in late_writes {
            let key = late.key();
            match late.judge(current_layout(
                reads.get(&key),
                &Goal::Reset,
                self.common_default(key),
            )) {
                Some(LateVerdict::Final(outcome)) => settled.push((key, outcome)),
                Some(LateVerdict::LostUpdate(task, newer)) => {
                    self.act(vec![(*task, Verdict::LostUpdate(newer))])
                }
                None => {}
            }
        }
        self.settle(settled);
    }

    /// Journals outcomes and reports them. Proved resets are synced with the next intent or at the
    /// end: after a crash of the system, reading the card tells the same, and a sync takes as long
    /// as a request. Other outcomes are synced at once, because a read would not tell them. The
    /// outcome of a write that may be executed late is held back.
    pub(super) fn settle(&mut self, settled: Vec<(CardKey, Outcome)>) {
        let mut records = Vec::new();
        for (target, outcome) in settled {
            let Some(outcome) = self.late_writes.hold_back(target, outcome) else { continue };
            records.push(JournalRecord::Completed { target, outcome: outcome.clone() });
            self.observer.on_event(Event::Completed { target, outcome: outcome.clone() });
            self.outcomes.insert(target, outcome);
        }
        if records.is_empty() {
            return;
        }
        let is_proved = |record: &JournalRecord| {
            matches!(record, JournalRecord::Completed { outcome: Outcome::Reset, .. })
        };
        let kept = if records.iter().all(is_proved) {
            self.log.append_unsynced(&records)
        } else {
            self.log.append(&records)
        };
        if let Err(problem) = kept {
            self.stop_cause.get_or_insert(StopCause::Store(problem));
        }
    }

    /// Returns the common default that the portal shows for a card at its default, if there is one.
    fn common_default(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.common_defaults.get(&key.lead))
    }

    /// Completes the remaining targets, closes the journal, and adds up. `marks` is written ahead
    /// of the end of the journal.
    pub(super) fn finish(
        mut self,
        planned: &[CardKey],
        stop: &CancellationToken,
        marks: impl FnOnce(&BTreeMap<CardKey, Outcome>, &mut L) -> Result<(), StoreError>,
    ) -> Result<ApplyReport, ApplyError> {
        let text = self.reason();
        let reason = self.stop_cause.is_some().then(|| text.clone());
        let waiting: Vec<(CardKey, Outcome)> =
            self.planned.iter().map(|task| (task.key, task.unattempted(&text))).collect();
        let interrupted = if waiting.is_empty() && stop.reason().is_none() {
            Interrupted::No
        } else {
            Interrupted::Yes
        };
        self.settle(waiting);
        // These were in a request whose answer could not be stored, because the store failed.
        let open: Vec<CardKey> =
            planned.iter().copied().filter(|key| !self.outcomes.contains_key(key)).collect();
        let closing = self.log.sync().and_then(|()| {
            marks(&self.outcomes, self.log)?;
            // The journal of a run with an indeterminate target stays open: only the portal can
            // tell.
            if open.is_empty() {
                self.log.append(&[JournalRecord::Closed { interrupted }])
            } else {
                Ok(())
            }
        });
        if let Err(problem) = closing {
            self.stop_cause.get_or_insert(StopCause::Store(problem));
        }
        let in_doubt = format!("sent, and not settled: {text}; `recard recover` asks the portal");
        self.outcomes.extend(open.into_iter().map(|key| (key, Outcome::Unknown(in_doubt.clone()))));
        let totals = Totals::from_outcomes(self.outcomes.values());
        let targets = self
            .outcomes
            .into_iter()
            .map(|(key, outcome)| TargetOutcome { key, outcome })
            .collect();
        let sent = !self.sent.is_empty();
        let report =
            ApplyReport { run: self.log.run().clone(), targets, totals, stopped: reason, sent };
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
