//! Carries out the plan of a restore.
//!
//! A restore is a run of its own: planned, shown, journaled, resumable, and undone by restoring it in turn. It uses single
//! `set` calls, because the portal cuts large cards in a batch (behaviour notes, section 9.6), and believes nothing but a read
//! afterwards, because the portal changes what it stores (sections 5.3 and 5.6).

use std::collections::BTreeMap;

use super::judge::seen;
use super::observe::read_all;
use super::put_back::put_back;
use super::restore_plan::{RestoreDecision, RestorePlan, RestoreTarget};
use super::run_report::{ApplyError, ApplyReport};
use super::{Event, Listener, Settled, StopSignal};
use crate::language::{Text, english};
use crate::model::{CardKey, CardState, Layout, Outcome, Totals};
use crate::plan::diff::{Change, diff};
use crate::port::{
    CardRead, CommandAnswer, Interrupted, JournalRecord, PortalError, Refusal, ResetAnswer, RunLog, StoreError,
    WritePortal,
};

/// How many cards are looked at together, written one by one, and read back together.
const CARDS_AT_ONCE: usize = 10;

/// How many lost lines a report names; the backup holds all.
const LINES_NAMED: usize = 12;

/// Carries out a restore. Every card that the plan writes to gets exactly one outcome.
///
/// Each card is read once more shortly before: a card that changed since the plan is not touched. What remains is the time that
/// the few requests of one chunk take, because the portal has no "store if unchanged".
///
/// # Errors
///
/// If the store fails or the portal turns the caller away. What was done until then is in the report.
pub async fn restore<P: WritePortal, L: RunLog>(
    portal: &P,
    log: &mut L,
    plan: &RestorePlan,
    stop: &StopSignal,
    listener: &dyn Listener,
) -> Result<ApplyReport, ApplyError> {
    let mut run = Restore { portal, log, outcomes: BTreeMap::new(), listener };
    listener.hear(Event::Applying { total: plan.actions().count() });
    let end = run.work(plan, stop).await.err();
    run.finish(plan, stop, end)
}

/// Why no further request is started.
enum End {
    Store(StoreError),
    Portal(PortalError),
    Wish(String),
}

impl From<StoreError> for End {
    fn from(problem: StoreError) -> Self {
        Self::Store(problem)
    }
}

impl From<PortalError> for End {
    fn from(problem: PortalError) -> Self {
        match problem {
            PortalError::Stopped(reason) => Self::Wish(reason),
            other => Self::Portal(other),
        }
    }
}

/// What a read must show for a card that was written to.
enum Aim<'a> {
    /// This layout.
    Layout {
        wanted: &'a Layout,
        /// What stood there before, which proves that nothing has arrived.
        over: Option<&'a Layout>,
    },
    /// The default; with what it means if it does, and if it does not.
    Default { proved: Outcome, otherwise: Outcome },
}

/// What is known of a card after its request.
enum Sent<'a> {
    /// The request was about to leave, and only a read can tell.
    Look(Aim<'a>),
    /// This became of it.
    Settled(Outcome),
    /// This became of it, and no further request is started.
    Last(Outcome, End),
}

struct Restore<'a, P, L> {
    portal: &'a P,
    log: &'a mut L,
    outcomes: BTreeMap<CardKey, Outcome>,
    listener: &'a dyn Listener,
}

impl<P: WritePortal, L: RunLog> Restore<'_, P, L> {
    /// Looks, writes and proves, some cards at a time.
    async fn work(&mut self, plan: &RestorePlan, stop: &StopSignal) -> Result<(), End> {
        let actions: Vec<&RestoreTarget> = plan.actions().collect();
        for chunk in actions.chunks(CARDS_AT_ONCE) {
            if let Some(reason) = stop.reason() {
                return Err(End::Wish(reason.to_string()));
            }
            let unchanged = self.look(plan, chunk).await?;
            self.chunk(plan, &unchanged, stop).await?;
        }
        Ok(())
    }

    /// Reads some cards, and settles those that are not as planned. The others come back.
    async fn look<'b>(
        &mut self,
        plan: &RestorePlan,
        chunk: &[&'b RestoreTarget],
    ) -> Result<Vec<&'b RestoreTarget>, End> {
        let keys: Vec<CardKey> = chunk.iter().map(|target| target.key).collect();
        let now = read_all(self.portal, &keys, &|_: Event| {}).await?;
        let mut unchanged = Vec::new();
        let mut settled = Vec::new();
        for target in chunk {
            match seen(now.get(&target.key)) {
                Ok(now) if is_as_planned(plan, target, now) => unchanged.push(*target),
                Ok(_) => settled.push((target.key, Outcome::Changed)),
                Err(outcome) => settled.push((target.key, outcome)),
            }
        }
        self.settle(settled)?;
        Ok(unchanged)
    }

    /// Writes some cards one by one, and reads them back together, whatever made it stop.
    async fn chunk(&mut self, plan: &RestorePlan, chunk: &[&RestoreTarget], stop: &StopSignal) -> Result<(), End> {
        let mut written: Vec<(CardKey, Aim<'_>)> = Vec::new();
        let mut end = None;
        for target in chunk {
            if let Some(reason) = stop.reason() {
                end = Some(End::Wish(reason.to_string()));
                break;
            }
            let sent = match &target.decision {
                RestoreDecision::PutBack { wanted, over } => self.write(target.key, wanted, over.as_ref()).await,
                RestoreDecision::Remove(layout) => self.remove(target.key, layout, plan.stand_in(target.key)).await,
                _ => continue,
            };
            let (outcome, last) = match sent {
                Ok(Sent::Look(aim)) => {
                    written.push((target.key, aim));
                    continue;
                }
                Ok(Sent::Settled(outcome)) => (outcome, None),
                Ok(Sent::Last(outcome, last)) => (outcome, Some(last)),
                // The store failed before the request could leave.
                Err(problem) => {
                    end = Some(End::Store(problem));
                    break;
                }
            };
            let kept = self.settle(vec![(target.key, outcome)]);
            end = last.or(kept.err().map(End::Store));
            if end.is_some() {
                break;
            }
        }
        let proof = self.prove(plan, written).await;
        end.map_or(proof, Err)
    }

    /// Sends a layout, with the backups and the intent on disk first.
    ///
    /// # Errors
    ///
    /// If the store fails, and so nothing was sent.
    async fn write<'b>(
        &mut self,
        key: CardKey,
        wanted: &'b Layout,
        over: Option<&'b Layout>,
    ) -> Result<Sent<'b>, StoreError> {
        let backups: Vec<(CardKey, &Layout)> =
            [Some(wanted), over].into_iter().flatten().map(|one| (key, one)).collect();
        self.log.back_up(&backups)?;
        self.log.append(&[JournalRecord::SetIntent { target: key, digest: wanted.digest() }])?;
        let look = Sent::Look(Aim::Layout { wanted, over });
        Ok(match self.portal.set_card(key, wanted).await {
            Ok(answer) => {
                if let CommandAnswer::Unclear(reason) = &answer {
                    self.doubt(key, reason);
                }
                not_done(answer).map_or(look, Sent::Settled)
            }
            Err(problem) => self.failed(key, problem, look),
        })
    }

    /// Sends a reset, with the backup and the intent on disk first.
    ///
    /// # Errors
    ///
    /// If the store fails, and so nothing was sent.
    async fn remove(
        &mut self,
        key: CardKey,
        layout: &Layout,
        stand_in: Option<&Layout>,
    ) -> Result<Sent<'static>, StoreError> {
        self.log.back_up(&[(key, layout)])?;
        self.log.append(&[JournalRecord::Intent { targets: vec![(key, Some(layout.digest()))] }])?;
        // Without an answer the reset may still be on its way, and a card that is there proves nothing.
        let lost = Outcome::Unknown(
            tr_later!("a reset was sent, nothing tells what became of it, and the card is still there").into(),
        );
        let look = Sent::Look(Aim::Default { proved: Outcome::ResetUnseen, otherwise: lost.clone() });
        let answers = match self.portal.reset_cards(&[key]).await {
            Ok(answers) => answers,
            Err(problem) => return Ok(self.failed(key, problem, look)),
        };
        let answer = answers.into_iter().find(|(answered, _)| *answered == key);
        let Some((_, ResetAnswer { before, reset, .. })) = answer else {
            self.doubt(key, tr_later!("the answer left it out, or did not tell what became of it"));
            return Ok(look);
        };
        if let CommandAnswer::Unclear(reason) = &reset {
            self.doubt(key, reason);
        }
        let otherwise = if reset == CommandAnswer::Done { Outcome::StillCustomised } else { lost };
        if let Some(outcome) = not_done(reset) {
            return Ok(Sent::Settled(outcome));
        }
        let proved = match before {
            CardRead::Read(Some(before)) if before == *layout => Outcome::Reset,
            CardRead::Read(before) => match CardState::of_read(before, stand_in) {
                CardState::Default | CardState::Inherited => Outcome::AlreadyDefault,
                CardState::Customised(newer) => return Ok(self.put_back(key, &newer).await),
            },
            CardRead::Refused(_) | CardRead::NoAnswer(_) => Outcome::ResetUnseen,
        };
        Ok(Sent::Look(Aim::Default { proved, otherwise }))
    }

    /// Puts back what a person saved in the moment of a reset.
    async fn put_back(&mut self, key: CardKey, newer: &Layout) -> Sent<'static> {
        self.listener.hear(Event::Note(tr!("{key} was saved in the same moment; putting the layout back", key)));
        match put_back(self.portal, self.log, key, newer).await {
            Ok(outcome) => Sent::Settled(outcome),
            Err(problem) => {
                let text = format!(
                    "saved in the moment of the reset and sent back, and the store failed before it was proved: {problem}"
                );
                Sent::Last(Outcome::Unknown(text), End::Store(problem))
            }
        }
    }

    /// Tells that nobody knows what became of a card, which is read back.
    fn doubt(&self, key: CardKey, reason: &str) {
        self.listener.hear(Event::Note(tr!(
            "nobody knows what became of {key} ({reason}); reading it back",
            key,
            reason = Text::known(reason)
        )));
    }

    /// What a failed request means for its card: those that may have been carried out are looked at.
    fn failed<'b>(&self, key: CardKey, problem: PortalError, look: Sent<'b>) -> Sent<'b> {
        match problem {
            PortalError::MaybeExecuted(reason) | PortalError::Unexpected(reason) => {
                self.doubt(key, &reason);
                look
            }
            problem @ (PortalError::Rejected { .. } | PortalError::NotExecuted(_) | PortalError::Stopped(_)) => {
                Sent::Last(Outcome::NotAttempted(english(&problem)), problem.into())
            }
        }
    }

    /// Reads back what was written, and compares.
    async fn prove(&mut self, plan: &RestorePlan, written: Vec<(CardKey, Aim<'_>)>) -> Result<(), End> {
        if written.is_empty() {
            return Ok(());
        }
        let keys: Vec<CardKey> = written.iter().map(|(key, _)| *key).collect();
        let read = read_all(self.portal, &keys, &|_: Event| {}).await;
        let (now, failure) = match read {
            Ok(now) => (now, None),
            Err(problem) => (BTreeMap::new(), Some(problem)),
        };
        let judge = |(key, aim): (CardKey, Aim<'_>)| (key, outcome(aim, now.get(&key), plan.stand_in(key)));
        self.settle(written.into_iter().map(judge).collect())?;
        failure.map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// Journals outcomes, and tells them.
    fn settle(&mut self, settled: Vec<(CardKey, Outcome)>) -> Result<(), StoreError> {
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
        self.log.append(&records)
    }

    /// Settles what was not reached, closes the journal, and adds up.
    fn finish(mut self, plan: &RestorePlan, stop: &StopSignal, end: Option<End>) -> Result<ApplyReport, ApplyError> {
        let mut end = end;
        let reason = match &end {
            None => None,
            Some(End::Wish(reason)) => Some(reason.clone()),
            Some(End::Store(problem)) => Some(format!("the store failed: {}", english(problem))),
            Some(End::Portal(problem)) => Some(english(problem)),
        };
        let left: Vec<(CardKey, Outcome)> = plan
            .actions()
            .filter(|target| !self.outcomes.contains_key(&target.key))
            .map(|target| {
                (target.key, Outcome::NotAttempted(reason.clone().unwrap_or_else(|| tr_later!("not reached").into())))
            })
            .collect();
        let interrupted = if left.is_empty() && stop.reason().is_none() { Interrupted::No } else { Interrupted::Yes };
        let closing = self.settle(left).and_then(|()| self.log.append(&[JournalRecord::Closed { interrupted }]));
        if let Err(problem) = closing {
            end.get_or_insert(End::Store(problem));
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

/// The outcome of a command that was surely not carried out; nothing if it was, or may have been.
fn not_done(answer: CommandAnswer) -> Option<Outcome> {
    match answer {
        CommandAnswer::Done | CommandAnswer::Unclear(_) => None,
        CommandAnswer::Refused(Refusal { code, message }) => Some(Outcome::Refused { code, message }),
        CommandAnswer::NotExecuted(reason) => Some(Outcome::NotAttempted(reason)),
    }
}

/// Whether the card still holds what the plan saw.
fn is_as_planned(plan: &RestorePlan, target: &RestoreTarget, now: Option<&Layout>) -> bool {
    match &target.decision {
        RestoreDecision::PutBack { over: Some(over), .. } | RestoreDecision::Remove(over) => now == Some(over),
        RestoreDecision::PutBack { over: None, .. } => {
            CardState::of_read(now.cloned(), plan.stand_in(target.key)).is_default()
        }
        RestoreDecision::AsBefore
        | RestoreDecision::NewerKept(_)
        | RestoreDecision::Unreadable(_)
        | RestoreDecision::NoBackup
        | RestoreDecision::BackupUnusable(_) => false,
    }
}

/// What became of a card that was written to, by a read afterwards.
fn outcome(aim: Aim<'_>, now: Option<&CardRead>, stand_in: Option<&Layout>) -> Outcome {
    let now = match now {
        Some(CardRead::Read(now)) => now,
        Some(CardRead::Refused(refusal)) => {
            return Outcome::Unknown(format!("sent, but cannot be read back: {}", refusal.message));
        }
        Some(CardRead::NoAnswer(what)) => {
            return Outcome::Unknown(format!("sent, but cannot be read back: {what}"));
        }
        None => return Outcome::Unknown(tr_later!("sent, but could not be read back").into()),
    };
    let is_default = CardState::of_read(now.clone(), stand_in).is_default();
    match (aim, now) {
        (Aim::Layout { wanted, .. }, Some(there)) if there == wanted => Outcome::Restored,
        (Aim::Default { proved, .. }, _) if is_default => proved,
        (Aim::Default { otherwise, .. }, _) => otherwise,
        (Aim::Layout { over: Some(over), .. }, Some(there)) if there == over => Outcome::Unknown(
            tr_later!("sent, and the card still holds the layout that was to be overwritten; the backup is kept")
                .into(),
        ),
        (Aim::Layout { .. }, _) if is_default => {
            Outcome::Unknown(tr_later!("sent, and the card is still at its default; the backup is kept").into())
        }
        (Aim::Layout { wanted, .. }, Some(there)) => Outcome::RestoredInPart(missing(wanted, there)),
        (Aim::Layout { .. }, None) => {
            Outcome::Unknown(tr_later!("sent, and the card is still empty; the backup is kept").into())
        }
    }
}

/// The lines of a layout that the portal did not keep, for people to read.
fn missing(wanted: &Layout, there: &Layout) -> String {
    let lost: Vec<String> = diff(Some(wanted), Some(there))
        .into_iter()
        .filter(|line| line.change == Change::Removed)
        .map(|line| line.text.trim().to_owned())
        .collect();
    let more = lost.len().saturating_sub(LINES_NAMED);
    let mut text = lost.into_iter().take(LINES_NAMED).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}
