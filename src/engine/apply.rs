//! Carries out an approved plan: the protocol of [the module above](super), in its order.
//!
//! This file says what is sent, written and asked, and when. What an answer means for its target is judged in
//! [`judge`](super::judge).

use std::collections::{BTreeMap, VecDeque};

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::judge::{Job, Judgement, Unproved, judge_answer, judge_read_again, judge_read_back};
use super::observe::read_all;
use super::put_back::put_back;
use super::run_report::{ApplyError, ApplyReport, Settled};
use super::{Event, Listener, StopSignal};
use crate::language::{Text, english};
use crate::model::{CardKey, Generation, Layout, LeadCustomerType, LedgerEntry, Outcome, Totals};
use crate::plan::{ApprovedPlan, Decision, KeepReason, Plan, PlannedTarget, Removal};
use crate::port::{Interrupted, JournalRecord, PortalError, ResetAnswer, RunLog, StoreError, WritePortal};

/// How many requests that write may be under way at once.
const REQUESTS_AT_ONCE: usize = 8;

/// So many backups go to the disk with one sync, for requests that follow too: it costs as much as sending a request.
const BACKUPS_AT_ONCE: usize = 64;

/// Whether the cards were read just now, by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// They were: the plan is a moment old.
    JustRead,
    /// The plan is older: every card is read again before its reset.
    ReadAgain,
}

/// Resets what the plan says, by the protocol of [the module](super).
///
/// The journal must be open: the log was made with the run's header. Every target of the plan gets exactly one outcome, and
/// so do those that were settled beforehand: targets of the header that the plan does not touch any more.
///
/// # Errors
///
/// If the store fails or the portal turns the caller away. Failures of single targets are outcomes, not errors.
pub async fn apply<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    plan: ApprovedPlan<'_>,
    beforehand: &[Settled],
    freshness: Freshness,
    stop: &StopSignal,
    listener: &dyn Listener,
) -> Result<ApplyReport, ApplyError> {
    let plan = plan.plan();
    let mut run = Run {
        portal,
        log,
        stand_ins: &plan.stand_ins,
        outcomes: BTreeMap::new(),
        waiting: VecDeque::new(),
        most_per_request: usize::MAX,
        listener,
    };
    for target in plan.resets() {
        let layout = match &target.decision {
            Decision::Reset(Removal::Layout(layout)) => Some(layout.clone()),
            Decision::Reset(Removal::Unread) | Decision::Keep(_) | Decision::Hold(_) => None,
        };
        run.waiting.push_back(Job::new(target.key, layout));
    }
    listener.hear(Event::Applying { total: run.waiting.len() + beforehand.len() });
    let end = match run.settle(beforehand.iter().map(|one| (one.key, one.outcome.clone())).collect()) {
        Ok(()) => match run.read_again(freshness).await {
            Ok(()) => run.work(stop).await,
            Err(end) => Err(end),
        },
        Err(end) => Err(end),
    };
    let planned: Vec<&PlannedTarget> = plan.resets().collect();
    run.finish(plan, &planned, stop, end)
}

/// Why no further request is started.
enum End {
    Store(StoreError),
    Portal(PortalError),
    Wish(String),
}

struct Run<'a, P, L> {
    portal: &'a P,
    log: &'a mut L,
    stand_ins: &'a BTreeMap<LeadCustomerType, Layout>,
    outcomes: BTreeMap<CardKey, Outcome>,
    waiting: VecDeque<Job>,
    /// Halved when the portal breaks down on a request, so that one bad card does not take others with it.
    most_per_request: usize,
    listener: &'a dyn Listener,
}

impl<P: WritePortal, L: RunLog> Run<'_, P, L> {
    /// Compares every card with the plan, for plans that are not fresh.
    async fn read_again(&mut self, freshness: Freshness) -> Result<(), End> {
        match freshness {
            Freshness::JustRead => return Ok(()),
            Freshness::ReadAgain => {}
        }
        let keys: Vec<CardKey> = self.waiting.iter().filter(|job| job.layout.is_some()).map(|job| job.key).collect();
        let reads = read_all(self.portal, &keys, self.listener).await.map_err(End::Portal)?;
        let mut settled = Vec::new();
        let mut unchanged = VecDeque::new();
        for job in std::mem::take(&mut self.waiting) {
            let Some(planned) = &job.layout else {
                unchanged.push_back(job);
                continue;
            };
            match judge_read_again(planned, reads.get(&job.key), self.stand_in(job.key)) {
                None => unchanged.push_back(job),
                Some(outcome) => settled.push((job.key, outcome)),
            }
        }
        self.waiting = unchanged;
        self.settle(settled)
    }

    /// Sends requests until nothing waits, several at once.
    async fn work(&mut self, stop: &StopSignal) -> Result<(), End> {
        let mut end = None;
        let mut under_way = FuturesUnordered::new();
        let mut answered = VecDeque::new();
        loop {
            // An answer that nobody has looked into yet counts too: they would pile up where a portal is quicker than a disk.
            while end.is_none() && under_way.len() + answered.len() < REQUESTS_AT_ONCE && !self.waiting.is_empty() {
                if let Some(reason) = stop.reason() {
                    end = Some(End::Wish(reason.to_string()));
                    break;
                }
                match self.next_request() {
                    Ok(jobs) => {
                        under_way.push(send(self.portal, jobs));
                        // It leaves now, and not when the backups of the next one are on disk: whoever carries it may be a task
                        // of this thread.
                        while let Some(Some(next)) = under_way.next().now_or_never() {
                            answered.push_back(next);
                        }
                        tokio::task::yield_now().await;
                    }
                    Err(problem) => end = Some(End::Store(problem)),
                }
            }
            let next = match answered.pop_front() {
                Some(next) => Some(next),
                None => under_way.next().await,
            };
            let Some((jobs, answer)) = next else { break };
            // What is under way is always brought to its end, whatever made us stop. And it goes on while an answer is
            // looked into: a request that waits for its turn in front of the portal would hold up the reads of this one.
            let mut taking = std::pin::pin!(self.take_answer(jobs, answer));
            let taken = loop {
                tokio::select! {
                    biased;
                    taken = &mut taking => break taken,
                    Some(next) = under_way.next() => answered.push_back(next),
                }
            };
            if let Err(problem) = taken {
                end.get_or_insert(problem);
            }
        }
        end.map_or(Ok(()), Err)
    }

    /// Takes jobs for one request, with their backups and their intent on disk.
    fn next_request(&mut self) -> Result<Vec<Job>, StoreError> {
        let waiting = self.waiting.len();
        let size = self.portal.targets_per_request(waiting).min(self.most_per_request).max(1).min(waiting);
        self.back_up_for(size)?;
        let jobs: Vec<Job> = self.waiting.drain(..size).collect();
        let targets = jobs.iter().map(|job| (job.key, job.layout.as_ref().map(Layout::digest))).collect();
        if let Err(problem) = self.log.append(&[JournalRecord::Intent { targets }]) {
            self.waiting.extend(jobs);
            return Err(problem);
        }
        Ok(jobs)
    }

    /// Sees to it that so many jobs at the front have their backups on disk, and if some have not, more than those.
    fn back_up_for(&mut self, jobs: usize) -> Result<(), StoreError> {
        if self.waiting.iter().take(jobs).all(|job| job.backed_up) {
            return Ok(());
        }
        let many = jobs.max(BACKUPS_AT_ONCE);
        let missing = self.waiting.iter().take(many).filter(|job| !job.backed_up);
        let layouts: Vec<_> = missing.filter_map(|job| Some((job.key, job.layout.as_ref()?))).collect();
        self.log.back_up(&layouts)?;
        self.waiting.iter_mut().take(many).for_each(|job| job.backed_up = true);
        Ok(())
    }

    /// Brings every target of one request to its outcome, back into the queue, or into the next question.
    async fn take_answer(
        &mut self,
        jobs: Vec<Job>,
        answer: Result<Vec<(CardKey, ResetAnswer)>, PortalError>,
    ) -> Result<(), End> {
        match answer {
            Ok(answers) => {
                // Matched by key only: an answer for somebody else is nobody's.
                let mut answers: BTreeMap<CardKey, ResetAnswer> = answers.into_iter().collect();
                let mut judged = Vec::new();
                let mut unproved = Vec::new();
                for job in jobs {
                    match answers.remove(&job.key).map(|answer| judge_answer(&job, answer, self.stand_in(job.key))) {
                        Some(Ok(judgement)) => judged.push((job, judgement)),
                        Some(Err(Unproved { removed })) => unproved.push(Job { removed, ..job }),
                        None => unproved.push(job),
                    }
                }
                self.act(judged, Vec::new()).await?;
                self.ask(unproved, tr_later!("the answer left it out, or did not tell what became of it")).await
            }
            Err(PortalError::MaybeExecuted(reason) | PortalError::Unexpected(reason)) => {
                self.most_per_request = (jobs.len() / 2).max(1).min(self.most_per_request);
                self.ask(jobs, &reason).await
            }
            Err(problem @ (PortalError::Rejected { .. } | PortalError::NotExecuted(_) | PortalError::Stopped(_))) => {
                let reason = english(&problem);
                self.settle(jobs.iter().map(|job| (job.key, job.left(&reason))).collect())?;
                Err(match problem {
                    PortalError::Stopped(reason) => End::Wish(reason),
                    other => End::Portal(other),
                })
            }
        }
    }

    /// Does what the judgements say, and settles what they and the caller have settled.
    async fn act(&mut self, judged: Vec<(Job, Judgement)>, mut settled: Vec<(CardKey, Outcome)>) -> Result<(), End> {
        let (mut raced, mut again) = (Vec::new(), Vec::new());
        let mut problem = None;
        for (job, judgement) in judged {
            match judgement {
                Judgement::Settled(outcome) => settled.push((job.key, outcome)),
                Judgement::Again(reason) => again.push((job, reason)),
                Judgement::Raced(newer) => raced.push((job.key, newer)),
                Judgement::Overtaken(newer) => match self.keep(job.key, &newer) {
                    Ok(outcome) => settled.push((job.key, outcome)),
                    Err(failed) => problem = Some(End::Store(failed)),
                },
            }
        }
        self.again(again, &mut settled);
        // What a person has just lost comes first, and what is known of the others is kept whatever becomes of it.
        for (key, newer) in raced {
            match self.put_back(key, &newer).await {
                Ok(outcome) => settled.push((key, outcome)),
                Err(failed) => problem = Some(failed),
            }
        }
        self.settle(settled)?;
        problem.map_or(Ok(()), Err)
    }

    /// Puts jobs back into the queue, each for a reason, unless they were tried too often.
    fn again(&mut self, jobs: Vec<(Job, String)>, settled: &mut Vec<(CardKey, Outcome)>) {
        let mut reasons = Vec::new();
        for (job, reason) in jobs {
            let key = job.key;
            match job.again(&reason) {
                Ok(job) => {
                    self.waiting.push_back(job);
                    reasons.push(reason);
                }
                Err(outcome) => settled.push((key, outcome)),
            }
        }
        if let Some(reason) = reasons.first() {
            self.listener.hear(Event::Note(tr!(
                "{n} card is to be reset again ({reason})"
                    | "{n} cards are to be reset again ({reason})" % reasons.len(),
                reason = Text::known(reason)
            )));
        }
    }

    /// Reads back cards of which nobody knows whether they were reset.
    async fn ask(&mut self, jobs: Vec<Job>, reason: &str) -> Result<(), End> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut settled = Vec::new();
        let (readable, blind): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.layout.is_some());
        // Nothing can be learned by reading; a blind reset may be repeated, because it had no backup to begin with.
        let blind = blind.into_iter().map(|job| (Job { in_doubt: true, ..job }, reason.to_owned()));
        self.again(blind.collect(), &mut settled);
        let keys: Vec<CardKey> = readable.iter().map(|job| job.key).collect();
        if !keys.is_empty() {
            self.listener.hear(Event::Note(tr!(
                "nobody knows what became of {n} card ({reason}); reading it back"
                    | "nobody knows what became of {n} cards ({reason}); reading them back" % keys.len(),
                reason = Text::known(reason)
            )));
        }
        let silent = |_: Event| {};
        let reads = if keys.is_empty() { Ok(BTreeMap::new()) } else { read_all(self.portal, &keys, &silent).await };
        let (reads, failure) = match reads {
            Ok(reads) => (reads, None),
            Err(problem) => (BTreeMap::new(), Some(problem)),
        };
        let judge = |job: Job| {
            let judgement = judge_read_back(&job, reads.get(&job.key), self.stand_in(job.key), reason);
            (job, judgement)
        };
        let judged = readable.into_iter().map(judge).collect();
        self.act(judged, settled).await?;
        failure.map_or(Ok(()), |problem| Err(End::Portal(problem)))
    }

    /// Keeps what a person saved in the last moment where somebody has put yet another layout in its place: that one stays, and
    /// a restore of the run has the choice.
    fn keep(&mut self, key: CardKey, newer: &Layout) -> Result<Outcome, StoreError> {
        self.log.back_up(&[(key, newer)])?;
        self.log.append(&[JournalRecord::SetIntent { target: key, digest: newer.digest() }])?;
        let backup = newer.digest().short();
        Ok(Outcome::Unknown(format!(
            "it was saved just before the reset and changed again just after it, which was left alone; the backup {backup} \
             holds what it was in between"
        )))
    }

    /// Puts back what a person saved in the last moment.
    async fn put_back(&mut self, key: CardKey, newer: &Layout) -> Result<Outcome, End> {
        self.listener.hear(Event::Note(tr!("{key} was saved in the same moment; putting the layout back", key)));
        put_back(self.portal, self.log, key, newer).await.map_err(End::Store)
    }

    /// Journals outcomes, and tells them. Resets that were proved are synced with the next intent, or in the end: if a system that
    /// goes down takes them, reading the card tells the same, and a sync costs as much as sending a request. Whatever else
    /// became of a target, reading would not tell.
    fn settle(&mut self, settled: Vec<(CardKey, Outcome)>) -> Result<(), End> {
        if settled.is_empty() {
            return Ok(());
        }
        let record = |(target, outcome): &(CardKey, Outcome)| JournalRecord::Settled {
            target: *target,
            outcome: outcome.clone(),
        };
        let records: Vec<JournalRecord> = settled.iter().map(record).collect();
        for (target, outcome) in settled {
            self.listener.hear(Event::Settled { target, outcome: outcome.clone() });
            self.outcomes.insert(target, outcome);
        }
        let proved =
            records.iter().all(|record| matches!(record, JournalRecord::Settled { outcome: Outcome::Reset, .. }));
        if proved { self.log.note(&records) } else { self.log.append(&records) }.map_err(End::Store)
    }

    /// The layout that stands in for a card that the person never changed, if there is one.
    fn stand_in(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.stand_ins.get(&key.lead))
    }

    /// Settles what was not reached, closes the journal, and adds up.
    fn finish(
        mut self,
        plan: &Plan,
        planned: &[&PlannedTarget],
        stop: &StopSignal,
        end: Result<(), End>,
    ) -> Result<ApplyReport, ApplyError> {
        let mut end = end.err();
        let reason = match &end {
            None => None,
            Some(End::Wish(reason)) => Some(reason.clone()),
            Some(End::Store(problem)) => Some(format!("the store failed: {}", english(problem))),
            Some(End::Portal(problem)) => Some(english(problem)),
        };
        let text = reason.clone().unwrap_or_else(|| tr_later!("not reached").into());
        let waiting: BTreeMap<CardKey, Outcome> = self.waiting.iter().map(|job| (job.key, job.left(&text))).collect();
        let missing = planned.iter().map(|target| target.key).filter(|key| !self.outcomes.contains_key(key));
        // Whoever does not wait any more was in a request whose answer could not be looked into, because the store failed.
        let (left, sent): (Vec<CardKey>, Vec<CardKey>) = missing.partition(|key| waiting.contains_key(key));
        let left: Vec<(CardKey, Outcome)> =
            left.into_iter().filter_map(|key| Some((key, waiting.get(&key)?.clone()))).collect();
        let interrupted = if left.is_empty() && stop.reason().is_none() { Interrupted::No } else { Interrupted::Yes };
        let closing = self.settle(left).and_then(|()| {
            self.log.sync().map_err(End::Store)?;
            let marks = marks(plan, &self.outcomes);
            if !marks.is_empty() {
                self.log.mark(&marks).map_err(End::Store)?;
            }
            // The journal of a run with a target in doubt stays open: to settle it, the portal has to be asked.
            if sent.is_empty() {
                self.log.append(&[JournalRecord::Closed { interrupted }]).map_err(End::Store)
            } else {
                Ok(())
            }
        });
        let in_doubt = format!("sent, and not settled: {text}; `recard resume` asks the portal");
        self.outcomes.extend(sent.into_iter().map(|key| (key, Outcome::Unknown(in_doubt.clone()))));
        if let Err(problem) = closing {
            end.get_or_insert(problem);
        }
        let totals = Totals::of(self.outcomes.values());
        let targets = self.outcomes.into_iter().map(|(key, outcome)| Settled { key, outcome }).collect();
        let report = ApplyReport { run: self.log.run().clone(), targets, totals, stopped: reason };
        match end {
            None | Some(End::Wish(_)) => Ok(report),
            Some(End::Store(source)) => Err(ApplyError::Store { source, report: Box::new(report) }),
            Some(End::Portal(source)) => Err(ApplyError::Portal { source, report: Box::new(report) }),
        }
    }
}

/// What is to be remembered of targets in mode `once`: those that were verified in this run, and no others.
fn marks(plan: &Plan, outcomes: &BTreeMap<CardKey, Outcome>) -> Vec<(Generation, CardKey, LedgerEntry)> {
    let mark = |target: &PlannedTarget| {
        let generation = target.generation.clone()?;
        let removed = match &target.decision {
            Decision::Keep(KeepReason::AtDefault | KeepReason::StandIn) => None,
            Decision::Reset(Removal::Layout(layout)) => match outcomes.get(&target.key)? {
                Outcome::Reset | Outcome::ResetUnseen => Some(layout.digest()),
                Outcome::AlreadyDefault => None,
                _ => return None,
            },
            _ => return None,
        };
        Some((generation, target.key, LedgerEntry { removed }))
    };
    plan.targets.iter().filter_map(mark).collect()
}

/// Sends one request, and hands its jobs back with the answer.
async fn send<P: WritePortal>(
    portal: &P,
    jobs: Vec<Job>,
) -> (Vec<Job>, Result<Vec<(CardKey, ResetAnswer)>, PortalError>) {
    let keys: Vec<CardKey> = jobs.iter().map(|job| job.key).collect();
    let answer = portal.reset_cards(&keys).await;
    (jobs, answer)
}
