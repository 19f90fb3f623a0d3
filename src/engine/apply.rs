//! Carries out an approved plan.

use std::collections::{BTreeMap, VecDeque};

use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt};
use thiserror::Error;

use super::observe::read_all;
use super::{Event, Listener, StopSignal};
use crate::language::english;
use crate::model::{
    CardKey, CardState, Digest, Generation, Layout, LeadCustomerType, LedgerEntry, Outcome, RunId, Totals,
};
use crate::plan::{ApprovedPlan, Decision, KeepReason, Plan, Removal};
use crate::port::{
    CardRead, CommandAnswer, Interrupted, JournalRecord, PortalError, ReadPortal, Refusal, ResetAnswer, RunLog,
    StoreError, WritePortal,
};

/// How many requests that write may be under way at once.
const REQUESTS_AT_ONCE: usize = 8;

/// How often one target is tried before its failure counts as its own.
const TRIES: u32 = 4;

/// Whether the cards were read just now, by this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// They were: the plan is a moment old.
    JustRead,
    /// The plan is older: every card is read again before its reset.
    ReadAgain,
}

/// What became of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The target.
    pub key: CardKey,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a run. True whatever happened: the sums come from the single outcomes and add up to what was planned.
#[derive(Clone, Debug)]
pub struct ApplyReport {
    /// The run.
    pub run: RunId,
    /// Every target that was to be reset, sorted.
    pub targets: Vec<Settled>,
    /// The sums.
    pub totals: Totals,
    /// Why the run ended before it had tried everything, if it did.
    pub stopped: Option<String>,
}

/// Why a run could not be brought to its end. What was done until then is in the report.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The store failed. Nothing was sent after that.
    #[error("{}", tr!("the store failed; the run stopped"))]
    Store {
        /// What failed.
        #[source]
        source: StoreError,
        /// What became of every target.
        report: Box<ApplyReport>,
    },
    /// The portal accepts nothing from this webhook. Nothing was sent after that.
    #[error("{}", tr!("the portal refuses to work with us; the run stopped"))]
    Portal {
        /// What failed.
        #[source]
        source: PortalError,
        /// What became of every target.
        report: Box<ApplyReport>,
    },
}

impl ApplyError {
    /// What became of every target.
    pub fn report(&self) -> &ApplyReport {
        match self {
            Self::Store { report, .. } | Self::Portal { report, .. } => report,
        }
    }
}

/// One target on its way.
#[derive(Clone, Debug)]
struct Job {
    key: CardKey,
    /// What is removed, and what the backup holds; nothing for a blind reset.
    layout: Option<Layout>,
    tries: u32,
    /// An earlier try may have been carried out, and no read can tell.
    in_doubt: bool,
    /// What is known of what the last try removed, if it was carried out.
    removed: Removed,
}

/// What a reset removed, if it was carried out: the read just before it tells.
#[derive(Clone, Debug)]
enum Removed {
    /// That read has no answer.
    Unseen,
    /// What the plan saw.
    AsPlanned,
    /// What the person has saved since the plan.
    Newer(Layout),
    /// Nothing: the card was at its default.
    Nothing,
}

impl Job {
    /// What it comes to if nothing more is sent for it.
    fn left(&self, reason: &str) -> Outcome {
        if self.in_doubt { Outcome::Unknown(reason.to_owned()) } else { Outcome::NotAttempted(reason.to_owned()) }
    }
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
    plan: &ApprovedPlan,
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
        run.waiting.push_back(Job { key: target.key, layout, tries: 0, in_doubt: false, removed: Removed::Unseen });
    }
    listener.hear(Event::Applying { total: run.waiting.len() + beforehand.len() });
    let end = match run.settle(beforehand.iter().map(|one| (one.key, one.outcome.clone())).collect()) {
        Ok(()) => match run.read_again(freshness).await {
            Ok(()) => run.work(stop).await,
            Err(end) => Err(end),
        },
        Err(end) => Err(end),
    };
    let planned: Vec<&crate::plan::PlannedTarget> = plan.resets().collect();
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
            match reads.get(&job.key) {
                Some(CardRead::Read(read)) => match CardState::of_read(read.clone(), self.stand_in(job.key)) {
                    CardState::Customised(layout) if layout == *planned => {
                        unchanged.push_back(Job { layout: Some(layout), ..job });
                    }
                    CardState::Customised(_) => settled.push((job.key, Outcome::Changed)),
                    CardState::Default | CardState::Inherited => settled.push((job.key, Outcome::AlreadyDefault)),
                },
                Some(CardRead::Refused(refusal)) => {
                    let (code, message) = (refusal.code.clone(), refusal.message.clone());
                    settled.push((job.key, Outcome::Refused { code, message }));
                }
                Some(CardRead::NoAnswer(what)) => {
                    settled.push((job.key, Outcome::NotAttempted(format!("could not be read again: {what}"))));
                }
                None => settled.push((job.key, Outcome::NotAttempted(tr_later!("could not be read again").into()))),
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
            while end.is_none() && under_way.len() < REQUESTS_AT_ONCE && !self.waiting.is_empty() {
                if let Some(reason) = stop.reason() {
                    end = Some(End::Wish(reason.to_string()));
                    break;
                }
                match self.next_request() {
                    Ok(jobs) => {
                        under_way.push(send(self.portal, jobs));
                        // It leaves now, and not when the backups of the next one are on disk.
                        answered.extend(under_way.next().now_or_never().flatten());
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
        let size = self.portal.targets_per_request(self.waiting.len()).min(self.most_per_request).max(1);
        let jobs: Vec<Job> = self.waiting.drain(..size.min(self.waiting.len())).collect();
        let prepared = self.prepare(&jobs);
        if prepared.is_err() {
            self.waiting.extend(jobs.iter().cloned());
        }
        prepared.map(|()| jobs)
    }

    fn prepare(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        let backups: Vec<(CardKey, &Layout)> =
            jobs.iter().filter_map(|job| Some((job.key, job.layout.as_ref()?))).collect();
        self.log.back_up(&backups)?;
        let targets: Vec<(CardKey, Option<Digest>)> =
            jobs.iter().map(|job| (job.key, job.layout.as_ref().map(Layout::digest))).collect();
        self.log.append(&[JournalRecord::Intent { targets }])
    }

    async fn take_answer(
        &mut self,
        jobs: Vec<Job>,
        answer: Result<Vec<(CardKey, ResetAnswer)>, PortalError>,
    ) -> Result<(), End> {
        match answer {
            Ok(answers) => {
                // Matched by key only: an answer for somebody else is nobody's.
                let mut answers: BTreeMap<CardKey, ResetAnswer> = answers.into_iter().collect();
                let mut settled = Vec::new();
                let mut unclear = Vec::new();
                let mut raced = Vec::new();
                for job in jobs {
                    match answers.remove(&job.key) {
                        None => unclear.push(job),
                        Some(answer) => match self.judge(&job, answer) {
                            Judgement::Settled(outcome) => settled.push((job.key, outcome)),
                            Judgement::Again(reason) => self.again(job, &reason, &mut settled),
                            Judgement::Unclear(removed) => unclear.push(Job { removed, ..job }),
                            Judgement::Raced(newer) => raced.push((job.key, newer)),
                        },
                    }
                }
                // What a person has just lost comes first, and what is known of the others is kept whatever becomes of it.
                let mut problem = None;
                for (key, newer) in raced {
                    match self.put_back(key, &newer).await {
                        Ok(outcome) => settled.push((key, outcome)),
                        Err(failed) => problem = Some(failed),
                    }
                }
                self.settle(settled)?;
                problem.map_or(Ok(()), Err)?;
                self.ask(unclear, "the answer left the target out, or did not tell what became of it").await
            }
            Err(PortalError::MaybeExecuted(reason) | PortalError::Unexpected(reason)) => {
                self.most_per_request = (jobs.len() / 2).max(1).min(self.most_per_request);
                self.listener.hear(Event::Note(tr!(
                    "a request with {n} card had no usable answer ({reason}); reading it back"
                        | "a request with {n} cards had no usable answer ({reason}); reading them back" % jobs.len(),
                    reason
                )));
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

    /// What an answer to `get, reset, get` says. The last read counts more than what the portal says of the reset.
    fn judge(&self, job: &Job, answer: ResetAnswer) -> Judgement {
        let ResetAnswer { before, reset, after } = answer;
        let Some(backup) = &job.layout else {
            return match reset {
                CommandAnswer::Done => Judgement::Settled(Outcome::ResetBlind),
                CommandAnswer::Refused(Refusal { code, message }) => {
                    Judgement::Settled(Outcome::Refused { code, message })
                }
                CommandAnswer::NotExecuted(reason) => Judgement::Again(reason),
                CommandAnswer::Unclear(_) => Judgement::Unclear(Removed::Unseen),
            };
        };
        let stand_in = self.stand_in(job.key);
        let after = match after {
            CardRead::Read(layout) => Some(CardState::of_read(layout, stand_in)),
            CardRead::Refused(_) | CardRead::NoAnswer(_) => None,
        };
        let is_as_before = matches!(&after, Some(CardState::Customised(layout)) if layout == backup);
        match reset {
            CommandAnswer::NotExecuted(reason) => {
                // What the reads have shown of a card that surely still stands counts: nobody resets what they know to be newer.
                return match self.removed(job, backup, before) {
                    Removed::Newer(_) => Judgement::Settled(Outcome::Changed),
                    Removed::Nothing => Judgement::Settled(Outcome::AlreadyDefault),
                    Removed::Unseen | Removed::AsPlanned => Judgement::Again(reason),
                };
            }
            CommandAnswer::Refused(Refusal { code, message }) if is_as_before || after.is_none() => {
                return Judgement::Settled(Outcome::Refused { code, message });
            }
            CommandAnswer::Unclear(reason) if is_as_before => return Judgement::Again(reason),
            CommandAnswer::Done | CommandAnswer::Refused(_) | CommandAnswer::Unclear(_) => {}
        }
        match (before, after) {
            (before, None) => Judgement::Unclear(self.removed(job, backup, before)),
            (_, Some(CardState::Customised(_))) if is_as_before => Judgement::Settled(Outcome::StillCustomised),
            // What the backup holds is gone, and another layout is there.
            (_, Some(CardState::Customised(_))) => Judgement::Settled(Outcome::Unknown(
                tr_later!("the card now shows another layout than before: it was saved since, or set for everybody")
                    .into(),
            )),
            (CardRead::Read(Some(layout)), _) if layout == *backup => Judgement::Settled(Outcome::Reset),
            (CardRead::Read(before), _) => match CardState::of_read(before, stand_in) {
                // A try before this one did it, and its answer was lost; or the person did it themselves.
                CardState::Default | CardState::Inherited if job.tries > 0 => Judgement::Settled(Outcome::ResetUnseen),
                CardState::Default | CardState::Inherited => Judgement::Settled(Outcome::AlreadyDefault),
                CardState::Customised(newer) => Judgement::Raced(newer),
            },
            (CardRead::Refused(_) | CardRead::NoAnswer(_), _) => Judgement::Settled(Outcome::ResetUnseen),
        }
    }

    /// What a reset removed, by the read just before it.
    fn removed(&self, job: &Job, backup: &Layout, before: CardRead) -> Removed {
        let CardRead::Read(before) = before else { return Removed::Unseen };
        match CardState::of_read(before, self.stand_in(job.key)) {
            CardState::Customised(layout) if layout == *backup => Removed::AsPlanned,
            CardState::Customised(newer) => Removed::Newer(newer),
            CardState::Default | CardState::Inherited if job.tries > 0 => Removed::Unseen,
            CardState::Default | CardState::Inherited => Removed::Nothing,
        }
    }

    /// Puts a job back into the queue, unless it was tried too often.
    fn again(&mut self, job: Job, reason: &str, settled: &mut Vec<(CardKey, Outcome)>) {
        let tries = job.tries + 1;
        if tries < TRIES {
            self.waiting.push_back(Job { tries, removed: Removed::Unseen, ..job });
        } else {
            let text = format!("tried {tries} times, and the card is as before: {reason}");
            settled.push((job.key, Outcome::NotAttempted(text)));
        }
    }

    /// Reads back cards of which nobody knows whether they were reset.
    async fn ask(&mut self, jobs: Vec<Job>, reason: &str) -> Result<(), End> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut settled = Vec::new();
        let (readable, blind): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.layout.is_some());
        for job in blind {
            // Nothing can be learned by reading; a blind reset may be repeated, because it had no backup to begin with.
            if job.tries + 1 < TRIES {
                self.waiting.push_back(Job { tries: job.tries + 1, in_doubt: true, ..job });
            } else {
                settled.push((job.key, Outcome::Unknown(reason.to_owned())));
            }
        }
        let keys: Vec<CardKey> = readable.iter().map(|job| job.key).collect();
        let silent = |_: Event| {};
        let reads = if keys.is_empty() { Ok(BTreeMap::new()) } else { read_all(self.portal, &keys, &silent).await };
        let (reads, failure) = match reads {
            Ok(reads) => (reads, None),
            Err(problem) => (BTreeMap::new(), Some(problem)),
        };
        let mut raced = Vec::new();
        for job in readable {
            match reads.get(&job.key) {
                Some(CardRead::Read(read)) => match CardState::of_read(read.clone(), self.stand_in(job.key)) {
                    CardState::Default | CardState::Inherited => match job.removed {
                        Removed::AsPlanned => settled.push((job.key, Outcome::Reset)),
                        Removed::Unseen => settled.push((job.key, Outcome::ResetUnseen)),
                        Removed::Nothing => settled.push((job.key, Outcome::AlreadyDefault)),
                        Removed::Newer(newer) => raced.push((job.key, newer)),
                    },
                    CardState::Customised(layout) if matches!(&job.removed, Removed::Newer(newer) if *newer == layout) =>
                    {
                        settled.push((job.key, Outcome::Changed));
                    }
                    CardState::Customised(layout) if job.layout.as_ref() == Some(&layout) => {
                        self.again(job, reason, &mut settled);
                    }
                    CardState::Customised(_) => {
                        let text = tr_later!(
                            "the answer was lost, and the card now holds another layout, which was left alone"
                        );
                        settled.push((job.key, Outcome::Unknown(text.into())));
                    }
                },
                Some(CardRead::Refused(_) | CardRead::NoAnswer(_)) | None => match job.removed {
                    // At worst it is written over itself.
                    Removed::Newer(newer) => raced.push((job.key, newer)),
                    Removed::Unseen | Removed::AsPlanned | Removed::Nothing => {
                        settled.push((job.key, Outcome::Unknown(format!("{reason}; and could not be read back"))));
                    }
                },
            }
        }
        // What a person has just lost comes first, and what is known of the others is kept whatever becomes of it.
        let mut problem = None;
        for (key, newer) in raced {
            match self.put_back(key, &newer).await {
                Ok(outcome) => settled.push((key, outcome)),
                Err(failed) => problem = Some(failed),
            }
        }
        self.settle(settled)?;
        problem.map_or(Ok(()), Err)?;
        failure.map_or(Ok(()), |problem| Err(End::Portal(problem)))
    }

    /// Puts back what a person saved in the last moment.
    async fn put_back(&mut self, key: CardKey, newer: &Layout) -> Result<Outcome, End> {
        self.listener.hear(Event::Note(tr!("{key} was saved in the same moment; putting the layout back", key)));
        put_back(self.portal, self.log, key, newer).await.map_err(End::Store)
    }

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
        self.log.append(&records).map_err(End::Store)
    }

    fn stand_in(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.stand_ins.get(&key.lead))
    }

    /// Settles what was not reached, closes the journal, and adds up.
    fn finish(
        mut self,
        plan: &Plan,
        planned: &[&crate::plan::PlannedTarget],
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
    let mark = |target: &crate::plan::PlannedTarget| {
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

/// What an answer means for its target.
enum Judgement {
    Settled(Outcome),
    /// Surely not carried out; a repeat is safe.
    Again(String),
    /// Maybe carried out, and not proved; with what it removed, if it was.
    Unclear(Removed),
    /// Carried out on a layout newer than the backup. This is it.
    Raced(Layout),
}

async fn send<P: WritePortal>(
    portal: &P,
    jobs: Vec<Job>,
) -> (Vec<Job>, Result<Vec<(CardKey, ResetAnswer)>, PortalError>) {
    let keys: Vec<CardKey> = jobs.iter().map(|job| job.key).collect();
    let answer = portal.reset_cards(&keys).await;
    (jobs, answer)
}

/// Stores a layout that a reset removed by mistake, with a backup and an intent first, and reads it back.
///
/// # Errors
///
/// Only if the store fails; what the portal does is an outcome.
pub(super) async fn put_back<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    key: CardKey,
    layout: &Layout,
) -> Result<Outcome, StoreError> {
    let kept = log
        .back_up(&[(key, layout)])
        .and_then(|()| log.append(&[JournalRecord::SetIntent { target: key, digest: layout.digest() }]));
    // Without a backup the layout is nowhere but in this process: all the more it is put back.
    let answer = portal.set_card(key, layout).await;
    kept?;
    // Whatever the answer says, what counts is what stands there now.
    let now = read_one(portal, key).await;
    let backup = layout.digest().short();
    let not_sent = match &answer {
        Ok(CommandAnswer::Refused(refusal)) => Some(refusal.message.clone()),
        Ok(CommandAnswer::NotExecuted(reason)) => Some(reason.clone()),
        Err(problem @ (PortalError::Rejected { .. } | PortalError::NotExecuted(_) | PortalError::Stopped(_))) => {
            Some(english(&problem))
        }
        Ok(CommandAnswer::Done | CommandAnswer::Unclear(_))
        | Err(PortalError::MaybeExecuted(_) | PortalError::Unexpected(_)) => None,
    };
    Ok(match (now, not_sent) {
        (Ok(Some(there)), _) if there == *layout => Outcome::PutBack,
        (_, Some(reason)) => {
            Outcome::Lost(format!("it could not be put back ({reason}); restore it from the backup {backup}"))
        }
        (Ok(Some(_)), None) => {
            Outcome::Lost(format!("put back, but the portal did not keep all of it; the backup {backup} holds it"))
        }
        (Ok(None), None) => Outcome::Lost(format!("restore it from the backup {backup}")),
        (Err(reason), None) => {
            Outcome::Unknown(format!("put back, but could not be read back ({reason}); the backup {backup} holds it"))
        }
    })
}

/// Reads one card, without judging whose it is.
pub(super) async fn read_one<P: ReadPortal>(portal: &P, key: CardKey) -> Result<Option<Layout>, String> {
    let mut found = Err("no answer".to_owned());
    let mut sink = |_: CardKey, read: CardRead| {
        found = match read {
            CardRead::Read(layout) => Ok(layout),
            CardRead::Refused(refusal) => Err(refusal.message),
            CardRead::NoAnswer(what) => Err(what),
        };
    };
    match portal.read_cards(&[key], &mut sink).await {
        Ok(()) => found,
        Err(problem) => Err(english(&problem)),
    }
}
