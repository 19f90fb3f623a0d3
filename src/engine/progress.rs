//! Progress of a run: answers of the portal become outcomes, retries, read-backs and
//! compensations.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::outcome_log::OutcomeLog;
use super::queue::TaskQueue;
use super::requests::{
    CompletedRequest, NeedsReadBack, Reads, SingleWriteResult, is_final, unusable,
};
use super::task::{CardTask, Goal, PreImage, Reason};
use super::verdict::{
    MAX_ROUNDS, Verdict, current_layout, judge_evidence, judge_read_ahead, judge_read_back,
};
use crate::i18n::{Text, english};
use crate::model::{CardKey, CardKind, Layout, Outcome};
use crate::ports::{
    CardRead, IndeterminateCause, RunLog, WriteAnswer, WriteError, WriteEvidence, WritePortal,
};

/// Timeout for waiting on a limit: longer than the ten minutes over which the portal adds up its
/// operating time.
const LIMIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Tasks of a run: those that wait, and the outcomes of the others.
pub(super) struct RunProgress<'a, P, L> {
    pub(super) portal: &'a P,
    pub(super) record: OutcomeLog<'a, L>,
    pub(super) queue: TaskQueue,
    common_defaults: BTreeMap<CardKind, Layout>,
}

impl<'a, P: WritePortal, L: RunLog> RunProgress<'a, P, L> {
    pub(super) fn new(
        portal: &'a P,
        record: OutcomeLog<'a, L>,
        common_defaults: &BTreeMap<CardKind, Layout>,
    ) -> Self {
        let common_defaults = common_defaults.clone();
        Self { portal, record, queue: TaskQueue::new(), common_defaults }
    }

    /// Brings every target of one request to its outcome, back into a queue, or to a read-back.
    pub(super) async fn take(&mut self, done: CompletedRequest) {
        match done {
            CompletedRequest::Written(tasks, answer) => match answer {
                Ok(answers) => self.take_answers(tasks, answers).await,
                Err(error) => self.take_failure(tasks, error, None).await,
            },
            CompletedRequest::WrittenAlone(task, end) => self.take_alone(*task, end).await,
            CompletedRequest::ReadBack(tasks, reads) => self.take_read_backs(tasks, reads).await,
            CompletedRequest::DefaultsRead(suspects, reads) => {
                self.take_defaults(suspects, reads).await
            }
            CompletedRequest::ReadAhead(tasks, reads) => self.take_reads_ahead(tasks, reads).await,
        }
    }

    async fn take_answers(&mut self, tasks: Vec<CardTask>, answers: Vec<(CardKey, WriteEvidence)>) {
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
        self.act(judged).await;
        self.ask(needs_read_back).await;
    }

    /// Handles the failure of a whole request; `before` is the read ahead of a single call.
    async fn take_failure(
        &mut self,
        tasks: Vec<CardTask>,
        error: WriteError,
        before: Option<PreImage>,
    ) {
        match error {
            WriteError::NotSent(problem) => {
                let reason = english(&problem);
                self.record
                    .settle(
                        tasks.iter().map(|task| (task.key, task.unattempted(&reason))).collect(),
                    )
                    .await;
                self.record.stop(problem);
            }
            WriteError::Indeterminate { reason, cause } => {
                let (answer, refusal) = match cause {
                    IndeterminateCause::Limit => (WriteAnswer::Limited(reason), None),
                    IndeterminateCause::Refusal(problem) => {
                        (WriteAnswer::Unclear(reason), Some(problem))
                    }
                    IndeterminateCause::NoAnswer => {
                        if !tasks.iter().any(CardTask::is_compensation) {
                            self.queue.halve(tasks.len());
                        }
                        self.record.late_writes.add(&tasks);
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
                self.ask(needs_read_back.collect()).await;
            }
        }
    }

    async fn take_alone(&mut self, task: CardTask, end: SingleWriteResult) {
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
                self.act(vec![(task, verdict)]).await;
            }
            SingleWriteResult::Sent(Ok(evidence)) => {
                self.see(task.key, &evidence.after);
                let verdict = judge_evidence(&task, evidence, self.common_default(task.key));
                self.act(vec![(task, verdict)]).await;
            }
            SingleWriteResult::Sent(Err((before, error))) => {
                let expected = current_layout(Some(&before), &task.goal, common_default).is_some();
                self.take_failure(vec![task], error, expected.then_some(PreImage::AsExpected))
                    .await;
            }
        }
    }

    async fn take_read_backs(&mut self, tasks: Vec<NeedsReadBack>, reads: Reads) {
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
                    self.record.stop(problem);
                    Verdict::Final(task.unattempted(reason.text()))
                }
                (verdict, _) => verdict,
            };
            judged.push((task, verdict));
        }
        self.act(judged).await;
        if let Some(problem) = failure {
            self.record.stop(problem);
        }
    }

    async fn take_reads_ahead(&mut self, tasks: Vec<CardTask>, reads: Reads) {
        let reads = match reads {
            Ok(reads) => reads,
            Err(problem) => {
                self.queue.put_back(tasks);
                self.record.stop(problem);
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
        self.queue.put_back(unchanged);
        self.record.settle(settled).await;
    }

    /// Acts on the verdicts on unexpected layouts, given the common defaults.
    async fn take_defaults(&mut self, suspects: Vec<(CardTask, Verdict)>, reads: Reads) {
        // Without an answer each one counts as a layout that its owner saved: it is kept.
        for (key, read) in reads.unwrap_or_default() {
            match read {
                CardRead::Read(Some(layout)) => drop(self.common_defaults.insert(key.kind, layout)),
                CardRead::Read(None) => drop(self.common_defaults.remove(&key.kind)),
                CardRead::Refused(_) | CardRead::NoAnswer(_) | CardRead::NoPipeline => {}
            }
        }
        let judged = suspects.into_iter().map(|(task, verdict)| {
            let is_default = verdict.unexpected().is_some()
                && verdict.unexpected() == self.common_default(task.key);
            let verdict = if is_default { verdict.at_default(&task) } else { verdict };
            (task, verdict)
        });
        let judged = judged.collect();
        self.act_on(judged).await;
    }

    /// Acts on verdicts, after unexpected layouts of persons are told apart from new common
    /// defaults.
    pub(super) async fn act(&mut self, judged: Vec<(CardTask, Verdict)>) {
        let is_suspect = |(task, verdict): &(CardTask, Verdict)| {
            task.key.user().is_some() && verdict.unexpected().is_some()
        };
        let (suspects, judged): (Vec<_>, Vec<_>) = judged.into_iter().partition(is_suspect);
        self.queue.add_suspects(suspects);
        self.act_on(judged).await;
    }

    async fn act_on(&mut self, judged: Vec<(CardTask, Verdict)>) {
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
                    let in_part = over.is_some();
                    again.push((
                        CardTask { expected: over, in_part, alone: true, backed_up: false, ..task },
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
                    self.record.notice(tr!(
                        "{key} was saved in the same moment; putting the layout back",
                        key
                    ));
                    let alone = !self.portal.fits_batch(&newer);
                    self.queue.add([CardTask { alone, ..task.compensation(newer) }]);
                }
                Verdict::LostUpdate(newer) | Verdict::Superseded(newer) => {
                    let outcome = Outcome::NewerInBackup(newer.digest().short());
                    settled.extend(self.record.keep(key, &newer).await.then_some((key, outcome)));
                }
                Verdict::Other(there, _) => {
                    settled.extend(
                        self.record.keep(key, &there).await.then_some((key, Outcome::NewerKept)),
                    );
                }
                Verdict::Changed(newer) => {
                    let outcome =
                        if task.is_compensation() { Outcome::NewerKept } else { Outcome::Changed };
                    settled.extend(self.record.keep(key, &newer).await.then_some((key, outcome)));
                }
            }
        }
        self.again(again, &mut settled);
        self.record.settle(settled).await;
        self.ask(needs_read_back).await;
    }

    /// Queues tasks again, each for a reason, unless their attempts are used up.
    fn again(&mut self, tasks: Vec<(CardTask, Reason)>, settled: &mut Vec<(CardKey, Outcome)>) {
        let mut reasons = Vec::new();
        for (task, reason) in tasks {
            let key = task.key;
            match task.again(&reason, LIMIT_TIMEOUT) {
                Ok(task) => self.queue.add([task]),
                Err(outcome) => {
                    settled.push((key, outcome));
                    continue;
                }
            }
            reasons.push(reason);
        }
        if let Some(reason) = reasons.first() {
            self.record.notice(tr!(
                "{n} card is written again ({reason})"
                    | "{n} cards are written again ({reason})" % reasons.len(),
                reason = Text::from_msgid(reason.text())
            ));
        }
    }

    /// Queues cards for a read-back. A blind reset, which no read can prove, is repeated: it has no
    /// backup in any case.
    async fn ask(&mut self, tasks: Vec<NeedsReadBack>) {
        let Some(first) = tasks.first() else { return };
        let reason = match &first.answer {
            WriteAnswer::Done => String::new(),
            WriteAnswer::Refused(refusal) => refusal.message.clone(),
            WriteAnswer::Limited(reason) | WriteAnswer::Unclear(reason) => reason.clone(),
        };
        let (blind, readable): (Vec<NeedsReadBack>, Vec<NeedsReadBack>) =
            tasks.into_iter().partition(|pending| pending.task.blind);
        let (mut settled, mut again) = (Vec::new(), Vec::new());
        for NeedsReadBack { task, answer, refusal } in blind {
            let task = CardTask { indeterminate: true, ..task };
            match (answer, refusal) {
                (_, Some(problem)) => {
                    settled.push((task.key, task.unattempted(&reason)));
                    self.record.stop(problem);
                }
                (WriteAnswer::Limited(reason), None) => again.push((task, Reason::Limited(reason))),
                (_, None) => again.push((task, Reason::Failed(reason.clone()))),
            }
        }
        self.again(again, &mut settled);
        self.record.settle(settled).await;
        if !readable.is_empty() {
            self.record.notice(tr!(
                "unknown outcome of {n} card ({reason}); reading it back"
                    | "unknown outcome of {n} cards ({reason}); reading them back" % readable.len(),
                reason = Text::from_msgid(&reason)
            ));
            self.queue.add_read_backs(readable);
        }
    }

    /// Stores the last read of a card whose write may be executed late.
    fn see(&mut self, key: CardKey, read: &CardRead) {
        if let Some(now) = current_layout(Some(read), &Goal::Reset, self.common_default(key)) {
            self.record.late_writes.see(key, now);
        }
    }

    /// Returns the common default that the portal shows for a card at its default, if there is one.
    pub(super) fn common_default(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.common_defaults.get(&key.kind))
    }
}
