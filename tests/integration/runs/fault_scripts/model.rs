//! Comparison of a report with the events that the portal logged.

use std::collections::{BTreeMap, BTreeSet};

use recard::emulator::StateEvent;
use recard::engine::TargetOutcome;
use recard::model::{CardKey, Digest, Layout, LeadCustomerType, Outcome, Totals, UserId};
use recard::ports::JournalRecord;
use serde_json::Value;

use super::log::Log;
use super::script::{REJECTING, Row, SILENCING};

/// Reason why the outcome of a target cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unknowable {
    /// An answer was lost or a refusal, and then the portal took nothing more from this process.
    Rejected,
    /// A person saved this very card while the answer was in flight or lost: the portal keeps no
    /// record of the earlier layout.
    SavedMeanwhile,
}

/// Findings about the targets of a run.
#[derive(Debug, Default)]
pub struct Findings {
    pub ends: BTreeMap<&'static str, u64>,
    pub unknown: BTreeMap<Unknowable, u64>,
    /// Saved layouts that were removed unseen, in one of the ways that the threat model does not
    /// promise against.
    pub unseen: u64,
}

impl Findings {
    pub fn add(&mut self, other: Self) {
        for (word, count) in other.ends {
            *self.ends.entry(word).or_default() += count;
        }
        for (why, count) in other.unknown {
            *self.unknown.entry(why).or_default() += count;
        }
        self.unseen += other.unseen;
    }
}

/// One run: what was planned, what happened on the portal, and what the disk holds.
pub struct Run<'a> {
    pub planned: &'a BTreeMap<CardKey, Digest>,
    /// The events before the first step, while the cards were read for the plan.
    pub before: &'a [StateEvent],
    pub history: &'a [StateEvent],
    pub log: &'a Log,
    /// `true` if the process ended before the run did: then the last answers did not reach it.
    pub was_cut: bool,
    /// The present content of the portal.
    pub now: &'a BTreeMap<Row, Value>,
    pub said: &'a str,
}

pub fn row_of(key: CardKey) -> Row {
    let name = match key.kind.lead().unwrap() {
        LeadCustomerType::Simple => "lead_details",
        LeadCustomerType::Repeat => "returning_lead_details",
    };
    (i64::from(key.user().unwrap().get()), name.to_owned())
}

pub fn key_of(row: &Row) -> CardKey {
    let lead =
        if row.1 == "lead_details" { LeadCustomerType::Simple } else { LeadCustomerType::Repeat };
    CardKey::personal(UserId::new(u64::try_from(row.0).unwrap()).unwrap(), lead)
}

/// The digest of a row as `get` shows it: without the column around the sections.
pub fn digest(value: &Value) -> Option<Digest> {
    let column = value.get(0).filter(|first| first["type"] == "column");
    let shown = column.map_or(value, |column| &column["elements"]);
    (!shown.is_null()).then(|| Layout::from_json(&shown.to_string()).unwrap().digest())
}

/// One call or fault that concerned one card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The index in the history.
    pub index: usize,
    pub request: u64,
    pub kind: &'static str,
    pub held: Option<Digest>,
}

/// Returns the steps of one card, in their order.
pub fn steps_of(history: &[StateEvent], row: &Row) -> Vec<Step> {
    let of_row =
        history.iter().enumerate().filter_map(|(index, one)| Some((index, one, one.row.as_ref()?)));
    of_row
        .filter(|(_, _, of)| of.user_id == row.0 && of.name == row.1)
        .map(|(index, one, of)| Step {
            index,
            request: one.request,
            kind: one.kind,
            held: digest(&of.value),
        })
        .collect()
}

/// Returns whether the portal hid from the process what its last write to a card did: a fault of
/// `rejecting` struck the request of that write or a later one, and no undisturbed request has read
/// the card since.
///
/// A write that was refused and not executed leaves no step; the last fault of `rejecting` stands
/// for it.
pub fn is_hidden(
    history: &[StateEvent],
    steps: &[Step],
    rejecting: &[&str],
    was_cut: bool,
) -> bool {
    let write = steps.iter().rev().find(|step| matches!(step.kind, "reset" | "set"));
    let rejections = || history.iter().enumerate().filter(|(_, one)| rejecting.contains(&one.kind));
    let rejected =
        rejections().any(|(_, one)| write.is_none_or(|write| one.request >= write.request));
    let since = match write {
        Some(write) => Some(write.index),
        None => rejections().map(|(index, _)| index).next_back(),
    };
    let disturbed = |request: u64| {
        let is_fault = |one: &StateEvent| one.request == request && one.row.is_none();
        history.iter().any(is_fault)
            || (was_cut && write.is_some_and(|write| write.request == request))
    };
    let is_read = |step: &Step| step.kind == "get" && since.is_some_and(|since| step.index > since);
    rejected && !steps.iter().any(|step| is_read(step) && !disturbed(step.request))
}

/// Returns whether a person saved again the very layout that the step at `removal` removed.
fn saved_again(steps: &[Step], removal: usize) -> bool {
    let removed = steps[removal].held;
    steps[removal..].iter().any(|step| step.kind == "save" && step.held == removed)
}

impl Run<'_> {
    /// Compares a report with the truth, target by target.
    pub fn judge(&self, targets: &[TargetOutcome], totals: Totals) -> Findings {
        let Self { planned, said, log, .. } = self;
        let keys: Vec<CardKey> = targets.iter().map(|settled| settled.key).collect();
        assert_eq!(
            keys,
            planned.keys().copied().collect::<Vec<_>>(),
            "each target once, and sorted; {said}"
        );
        assert_eq!(
            totals,
            Totals::from_outcomes(targets.iter().map(|settled| &settled.outcome)),
            "{said}"
        );
        assert_eq!(totals.planned() as usize, planned.len(), "{said}");
        self.touches_nobody_else();
        self.journal_agrees(targets);

        let mut findings = Findings::default();
        for TargetOutcome { key, outcome } in targets {
            *findings.ends.entry(outcome.as_str()).or_default() += 1;
            let steps = self.steps(&row_of(*key));
            findings.unseen += self.removed_without_backup(*key, &steps);
            match self.is_true(*key, outcome, &steps) {
                Ok(None) => {}
                Ok(Some(why)) => *findings.unknown.entry(why).or_default() += 1,
                Err(why) => panic!("{key} is said to be {outcome:?}, but {why}; {steps:?}; {said}"),
            }
        }
        assert!(!log.disk().records.is_empty());
        findings
    }

    /// Every reset and every `set` of this run was for a target of its plan.
    fn touches_nobody_else(&self) {
        let written =
            self.history.iter().filter(|event| matches!(event.kind, "set" | "reset" | "force"));
        for event in written {
            let row = event.row.as_ref().unwrap();
            let row = (row.user_id, row.name.clone());
            assert!(row.0 > 0 && !row.1.ends_with("_common"), "{event:?}; {}", self.said);
            assert!(
                self.planned.contains_key(&key_of(&row)),
                "{event:?} is not in the plan; {}",
                self.said
            );
        }
    }

    /// The journal tells each target once, and the same as the report.
    fn journal_agrees(&self, targets: &[TargetOutcome]) {
        let records = self.log.disk().records.clone();
        let mut told: BTreeMap<CardKey, Outcome> = BTreeMap::new();
        for record in &records {
            if let JournalRecord::Completed { target, outcome } = record {
                assert!(
                    told.insert(*target, outcome.clone()).is_none(),
                    "{target} is settled twice; {}",
                    self.said
                );
            }
        }
        let reported: BTreeMap<CardKey, Outcome> =
            targets.iter().map(|settled| (settled.key, settled.outcome.clone())).collect();
        assert_eq!(told, reported, "{}", self.said);
        assert!(matches!(records.last(), Some(JournalRecord::Closed { .. })), "{}", self.said);
    }

    fn steps(&self, row: &Row) -> Vec<Step> {
        steps_of(self.history, row)
    }

    /// Returns whether any fault of these kinds struck in a request.
    fn struck(&self, kinds: &[&str], request: u64) -> bool {
        self.history.iter().any(|event| kinds.contains(&event.kind) && event.request == request)
    }

    /// Counts the layouts that were removed, are not on the disk, and could not be seen. Any other
    /// that is not on the disk is lost by recard's fault.
    fn removed_without_backup(&self, key: CardKey, steps: &[Step]) -> u64 {
        let mut unseen = 0;
        for (index, step) in steps.iter().enumerate() {
            let Some(removed) = step.held.filter(|_| step.kind == "reset") else { continue };
            if self.log.disk().backups.contains_key(&(key, removed)) {
                continue;
            }
            let before = &steps[..index];
            let saves = |step: &Step| step.kind == "save" && step.held == Some(removed);
            let saved = before.iter().rposition(saves);
            // Behind the read for the plan, or it would be on the disk.
            let planned = self.planned.get(&key) == Some(&removed);
            let saved_early = || !planned && steps_of(self.before, &row_of(key)).iter().any(saves);
            assert!(
                saved.is_some() || saved_early(),
                "{key}: what recard saw is not on the disk; {steps:?}; {}",
                self.said
            );
            let seen = before
                .iter()
                .rposition(|other| other.kind == "get" && other.request == step.request);
            let in_the_window = seen.is_none_or(|seen| saved.is_some_and(|saved| seen < saved));
            assert!(
                in_the_window || self.was_cut || self.struck(&SILENCING, step.request),
                "{key}: the answer showed what a person saved, and it is not on the disk; {steps:?}; {}",
                self.said
            );
            unseen += 1;
        }
        unseen
    }

    /// Compares an outcome with the events; returns a reason, if it cannot be known.
    fn is_true(
        &self,
        key: CardKey,
        outcome: &Outcome,
        steps: &[Step],
    ) -> Result<Option<Unknowable>, String> {
        let now = self.now.get(&row_of(key)).and_then(digest);
        let planned = self.planned.get(&key).copied();
        let removals: Vec<usize> = (0..steps.len())
            .filter(|index| steps[*index].kind == "reset" && steps[*index].held.is_some())
            .collect();
        let early = steps_of(self.before, &row_of(key));
        let saved: BTreeSet<Digest> = early
            .iter()
            .chain(steps)
            .filter(|step| step.kind == "save")
            .filter_map(|step| step.held)
            .collect();
        let was_saved = |held: Option<Digest>| held.is_some_and(|held| saved.contains(&held));
        // Whoever saves the very same again leaves it as before, for everybody who can look.
        let untouched = || {
            let as_before = removals.iter().all(|removal| saved_again(steps, *removal));
            if as_before { Ok(()) } else { Err("it was removed") }
        };
        let check = |holds: bool, why: &str| if holds { Ok(()) } else { Err(why.to_owned()) };
        match outcome {
            Outcome::Reset | Outcome::ResetUnseen => {
                let last = *removals.last().ok_or("it was never removed")?;
                let behind = &steps[last + 1..];
                let save =
                    behind.iter().position(|step| step.kind == "save").unwrap_or(behind.len());
                let seen =
                    behind[..save].iter().any(|step| step.kind == "get" && step.held.is_none());
                check(seen, "no read showed it at its default")?;
                check(now.is_none() || save < behind.len(), "it is there")?;
                check(!behind.iter().any(|step| step.kind == "set"), "it was put back")?;
            }
            Outcome::Changed => {
                untouched()?;
                check(now.is_some() && now != planned && was_saved(now), "nobody changed it")?;
            }
            Outcome::Compensated => {
                // Whoever saves the very same again has put it back, for everybody who can look.
                let set = steps.iter().rposition(|step| step.kind == "set");
                let back = set.or_else(|| {
                    let last = *removals.last()?;
                    steps
                        .iter()
                        .rposition(|step| step.kind == "save" && step.held == steps[last].held)
                });
                let back = back.ok_or("nothing was put back")?;
                let removed = removals
                    .iter()
                    .rev()
                    .find(|index| **index < back)
                    .ok_or("nothing was removed")?;
                check(steps[back].held == steps[*removed].held, "another layout was put back")?;
                check(
                    now.is_some() && (now == steps[back].held || was_saved(now)),
                    "it is not there",
                )?;
            }
            Outcome::Lost(_) => {
                let last = *removals.last().ok_or("nothing was removed")?;
                let held = steps[last].held.ok_or("nothing was removed")?;
                check(self.log.disk().backups.contains_key(&(key, held)), "there is no backup")?;
                check(now.is_none() || was_saved(now), "it is there")?;
                check(
                    outcome.to_string().contains(&held.short().to_string()),
                    "the backup is not named",
                )?;
            }
            Outcome::NotAttempted(_) | Outcome::Refused { .. } => {
                untouched()?;
                check(now.is_some(), "it is gone")?;
            }
            Outcome::StillCustomized => {
                check(now.is_some() && now == planned, "it is not as planned")?;
                check(removals.is_empty() || was_saved(now), "it was removed")?;
            }
            Outcome::Unknown(_) => {
                return self.is_unknowable(now, planned, &was_saved, steps).map(Some);
            }
            Outcome::NewerInBackup(named) => {
                let backups: Vec<Digest> = self
                    .log
                    .disk()
                    .backups
                    .keys()
                    .filter(|(of, _)| *of == key)
                    .map(|(_, digest)| *digest)
                    .collect();
                let kept = backups
                    .iter()
                    .find(|digest| digest.short() == *named)
                    .ok_or("there is no such backup")?;
                check(saved.contains(kept) && now != Some(*kept), "it was not saved, or is there")?;
            }
            Outcome::NewerKept => {
                check(now.is_some() && now != planned && was_saved(now), "nobody changed it")?
            }
            Outcome::ResetBlind
            | Outcome::AlreadyDefault
            | Outcome::Restored
            | Outcome::RestoredUnseen
            | Outcome::RestoredInPart(_) => {
                return Err("nothing of the kind can have happened".to_owned());
            }
        }
        Ok(None)
    }

    fn is_unknowable(
        &self,
        now: Option<Digest>,
        planned: Option<Digest>,
        was_saved: &dyn Fn(Option<Digest>) -> bool,
        steps: &[Step],
    ) -> Result<Unknowable, String> {
        if now.is_some() && now != planned && was_saved(now) {
            return Ok(Unknowable::SavedMeanwhile);
        }
        // A refusal of the reset proves nothing, and the portal refused the read-back, too.
        if is_hidden(self.history, steps, &REJECTING, self.was_cut) {
            return Ok(Unknowable::Rejected);
        }
        Err(format!("the portal could be asked: it holds {now:?}, planned was {planned:?}"))
    }
}
