//! Person who saves between any two commands, with lost and refused answers on top: no save is lost
//! outside of the documented windows, and no outcome is untrue.

use std::sync::Arc;

use futures_util::StreamExt as _;
use recard::emulator::StateEvent;
use recard::model::{CardKey, Digest, Outcome};
use serde_json::{Value, json};

use super::life::{Ended, Life};
use super::log::Log;
use super::model::{Step, digest, is_hidden, key_of, row_of, steps_of};
use super::script::{GET, Numbers, RESET, Row, SET};

/// The number of interleavings in a usual test run.
const INTERLEAVINGS: u64 = 1_000;

/// The number of interleavings at night.
const INTERLEAVINGS_AT_NIGHT: u64 = 100_000;

/// Faults after which the evidence of a request is gone.
const SILENCING: [&str; 7] = [
    "html-after",
    "cut-after",
    "truncate",
    "answer",
    "answer-command",
    "limit-command",
    "skip-command",
];

/// Faults that may refuse a write and its read-back.
const REJECTING: [&str; 1] = ["answer"];

/// Requests that may leave between the two calls of a layout that goes alone: two for each
/// connection, since an answer waits for its turn on a busy machine.
const IN_FLIGHT: u64 = 16;

/// One to four saves anywhere among the commands for cards, and in two of five scripts one or two
/// faults.
fn script(numbers: &mut Numbers, commands: u64) -> Value {
    let saves = numbers.below(4) + 1;
    let row = numbers.below(4);
    let mut rules: Vec<Value> = (0..saves)
        .map(|save| {
            // Mostly the same card, so that saves meet each other.
            let row = if numbers.below(4) == 0 { numbers.below(4) } else { row };
            let (user, name) =
                [(8, "lead_details"), (12, "lead_details"), (18, "returning_lead_details"), (14, "lead_details")]
                    [usize::try_from(row).unwrap()];
            // One of a batch, or one that has to be sent alone.
            let title = if numbers.below(5) == 0 { "Sum $total[x]" } else { "Saved" };
            let title = format!("{title} {save} {}", numbers.below(1_000_000));
            json!({"method": "crm.lead.details.configuration.*", "nth": numbers.below(commands) + 1, "do": "save",
                "row": {"user_id": user, "name": name,
                    "value": [{"name": "main", "title": title, "type": "section", "elements": [{"name": "TITLE"}]}]}})
        })
        .collect();
    let faults = [0, 0, 0, 1, 2][usize::try_from(numbers.below(5)).unwrap()];
    for _ in 0..faults {
        let inside = [RESET, SET, GET][usize::try_from(numbers.below(3)).unwrap()];
        let executed = numbers.below(2) == 0;
        let mut rule = match numbers.below(6) {
            0 => json!({"inside": inside, "do": "cut-after"}),
            1 => json!({"inside": inside, "do": "cut-before"}),
            2 => json!({"inside": inside, "do": "answer", "status": 503, "executed": executed,
                "body": "{\"error\":\"QUERY_LIMIT_EXCEEDED\",\"error_description\":\"no\"}"}),
            3 => json!({"inside": inside, "do": "answer", "status": 403, "executed": executed}),
            4 => {
                json!({"method": inside, "do": "answer-command", "code": "QUERY_LIMIT_EXCEEDED", "executed": executed})
            }
            _ => json!({"method": SET, "do": "cut-after"}),
        };
        rule["nth"] = json!(numbers.below(3) + 1);
        rules.push(rule);
    }
    Value::Array(rules)
}

/// History of one card: its layouts and their authors.
struct Story<'a> {
    key: CardKey,
    log: &'a Log,
    said: &'a str,
}

impl Story<'_> {
    /// Walks through all that happened to the card in a run; every layout that recard removed or
    /// overwrote must be in a backup, unless it was saved in a documented window.
    fn nothing_is_lost(&self, history: &[StateEvent], planned: Option<Digest>) -> Option<Digest> {
        let row: Row = row_of(self.key);
        let mut now = planned;
        // The number of the request in which the current layout was saved, if a person did.
        let mut saved: Option<usize> = None;
        for (index, event) in history.iter().enumerate() {
            let Some(of) = event.row.as_ref().filter(|of| of.user_id == row.0 && of.name == row.1)
            else {
                continue;
            };
            let held = digest(&of.value);
            match event.kind {
                "save" => (now, saved) = (held, Some(index)),
                "reset" | "set" => {
                    let next = if event.kind == "set" { held } else { None };
                    if let Some(gone) = now
                        && next != Some(gone)
                    {
                        let kept = self.log.disk().backups.contains_key(&(self.key, gone));
                        assert!(
                            kept || self.is_in_a_window(history, index, saved),
                            "{}: {} at {index} removed a layout of {saved:?} that is not in a backup; {:?}: {}",
                            self.key,
                            event.kind,
                            steps_of(history, &row),
                            self.said
                        );
                    }
                    (now, saved) = (next, None);
                }
                _ => {}
            }
        }
        now
    }

    /// Returns whether a save fell between the read and the write of one request, or between a read
    /// of its own and a single `set`, or whether the answer that would have shown it was lost.
    fn is_in_a_window(&self, history: &[StateEvent], write: usize, saved: Option<usize>) -> bool {
        let Some(saved) = saved else { return false };
        let request = history[write].request;
        let row: Row = row_of(self.key);
        let of_card = |event: &StateEvent| {
            event.row.as_ref().is_some_and(|of| of.user_id == row.0 && of.name == row.1)
        };
        let last_look =
            history[..write].iter().rposition(|event| event.kind == "get" && of_card(event));
        let silenced =
            history.iter().any(|one| one.request == request && SILENCING.contains(&one.kind));
        // A single call has its read in a request of its own, one round trip earlier; others are in
        // flight beside it.
        let is_batch = history.iter().any(|one| one.request == request && one.kind == "get");
        let is_beside = |look: usize| {
            let earlier = history[look].request;
            earlier == request || (!is_batch && request - earlier <= IN_FLIGHT)
        };
        silenced || last_look.is_some_and(|look| look < saved && is_beside(look))
    }

    /// Compares an outcome with all that happened to the card in a run.
    fn is_true(
        &self,
        outcome: &Outcome,
        history: &[StateEvent],
        before: Option<Digest>,
        now: Option<Digest>,
    ) {
        let steps = steps_of(history, &row_of(self.key));
        let is_save = |step: &Step| step.kind == "save";
        let last = |what: &str| steps.iter().rposition(|step| step.kind == what);
        let saved_since =
            |step: Option<usize>| steps[step.map_or(0, |step| step + 1)..].iter().any(is_save);
        let is_save_of =
            |held: Option<Digest>| steps.iter().any(|step| is_save(step) && step.held == held);
        let was_read = |from: usize, held: Option<Digest>| {
            let until =
                steps[from..].iter().position(is_save).map_or(steps.len(), |save| from + save);
            steps[from..until].iter().any(|step| step.kind == "get" && step.held == held)
        };
        let removal = steps.iter().rposition(|step| step.kind == "reset" && step.held.is_some());
        let (reset, set) = (last("reset"), last("set"));
        let holds = match outcome {
            // A read behind the reset showed the default, and what is there now was saved later.
            Outcome::Reset | Outcome::ResetUnseen => {
                reset.is_some_and(|reset| was_read(reset, None))
                    && set <= reset
                    && (now.is_none() || saved_since(reset))
            }
            Outcome::AlreadyDefault => {
                steps.iter().any(|step| step.kind == "get" && step.held.is_none())
                    && removal.is_none()
                    && (now.is_none() || is_save_of(now))
            }
            // A read behind the set showed the layout, or a read without any set.
            Outcome::Restored | Outcome::RestoredUnseen => {
                let wanted = self.wanted();
                set.is_some_and(|set| was_read(set, wanted)) && (now == wanted || saved_since(set))
            }
            // Nothing of this run stands behind the save of the person.
            Outcome::Changed => removal.is_none() && now != before && is_save_of(now),
            Outcome::NewerKept => {
                now.is_some() && now != self.wanted() && (now == before || is_save_of(now))
            }
            // The layout that the last set stored was there before a write of this run, and a read
            // behind the set showed it.
            Outcome::Compensated => set.is_some_and(|set| {
                let stored = steps[set].held;
                let write =
                    steps[..set].iter().position(|step| matches!(step.kind, "reset" | "set"));
                let was_there = before == stored || is_save_of(stored);
                write.is_some()
                    && was_there
                    && was_read(set, stored)
                    && (now == stored || saved_since(Some(set)))
            }),
            Outcome::NewerInBackup(named) => {
                let disk = self.log.disk();
                let of_card = disk
                    .backups
                    .keys()
                    .filter(|(of, _)| *of == self.key)
                    .map(|(_, digest)| *digest);
                let kept: Vec<Digest> = of_card.filter(|digest| digest.short() == *named).collect();
                kept.iter().any(|kept| now != Some(*kept) && is_save_of(Some(*kept)))
            }
            Outcome::NotAttempted(_) | Outcome::Refused { .. } | Outcome::StillCustomized => {
                now == before || (saved_since(removal.max(set)) && is_save_of(now))
            }
            Outcome::Unknown(_) => {
                let raced = now != before && is_save_of(now);
                raced || is_hidden(history, &steps, &REJECTING, false)
            }
            // The portal refused to store the layout again, and the report names its backup.
            Outcome::Lost(text) => {
                let backup = removal.and_then(|removal| steps[removal].held);
                let is_named = |held: Digest| text.contains(&held.short().to_string());
                let is_kept =
                    |held: Digest| self.log.disk().backups.contains_key(&(self.key, held));
                let since = removal.map_or(0, |removal| steps[removal].index);
                let refused = history[since..].iter().any(|event| REJECTING.contains(&event.kind));
                refused
                    && backup.is_some_and(|held| is_named(held) && is_kept(held))
                    && (now.is_none() || (saved_since(removal) && is_save_of(now)))
            }
            Outcome::RestoredInPart(_) | Outcome::ResetBlind => false,
        };
        assert!(
            holds,
            "{} is said to be {outcome:?}, was {before:?}, is {now:?}; {steps:?}: {}",
            self.key, self.said
        );
    }

    /// The layout that the plan of a restore wanted.
    fn wanted(&self) -> Option<Digest> {
        use recard::ports::{JournalRecord, SetPurpose};
        self.log.disk().records.iter().find_map(|record| match record {
            JournalRecord::SetIntent { target, digest, purpose: SetPurpose::Planned }
                if *target == self.key =>
            {
                Some(*digest)
            }
            _ => None,
        })
    }
}

/// Applies and restores under two scripts, and looks at every card of both runs.
async fn try_out(life: &Life, seed: u64) {
    let mut numbers = Numbers::of(seed);
    life.reset();
    let applying = script(&mut numbers, 45);
    let restoring = script(&mut numbers, 45);
    let before = life.layouts();
    let applied = life.apply(&json!([]), &applying).await.unwrap();
    let said = format!("seed {seed}, apply: {applying}");
    judge(life, &applied, &before, &said);
    life.emulator.keep_history();
    let before = life.layouts();
    if let Some(restored) = life.restore(&applied.log, &restoring).await {
        judge(life, &restored, &before, &format!("{said}, restore: {restoring}"));
    }
    assert_eq!(life.emulator.complaints(), [], "{said}");
}

fn judge(life: &Life, ended: &Ended, before: &super::life::Layouts, said: &str) {
    let (history, now) = (life.emulator.history(), life.layouts());
    for (key, outcome) in &ended.outcomes {
        let story = Story { key: *key, log: &ended.log, said };
        let end = story.nothing_is_lost(&history, before.get(key).copied());
        assert_eq!(end, now.get(key).copied(), "the history is whole: {said}");
        story.is_true(outcome, &history, before.get(key).copied(), now.get(key).copied());
    }
    let written = history.iter().filter(|event| matches!(event.kind, "set" | "reset" | "force"));
    for of in written.filter_map(|event| event.row.as_ref()) {
        let key = key_of(&(of.user_id, of.name.clone()));
        assert!(ended.outcomes.contains_key(&key), "{key} is not of the run: {said}");
    }
}

/// Tries interleavings on so many emulators at once: each waits most of the time.
async fn try_out_all(count: u64, workers: u64) {
    let tries = futures_util::stream::iter(0..workers).map(|worker| {
        tokio::spawn(async move {
            let life = Arc::new(Life::start().await);
            let mut failed = 0_u64;
            for seed in (worker..count).step_by(usize::try_from(workers).unwrap()) {
                let life = Arc::clone(&life);
                let ended = tokio::spawn(async move { try_out(&life, seed).await }).await;
                failed += u64::from(ended.is_err());
            }
            failed
        })
    });
    let failed: Vec<u64> = tries
        .buffer_unordered(usize::try_from(workers).unwrap())
        .map(Result::unwrap)
        .collect()
        .await;
    let failed: u64 = failed.iter().sum();
    assert_eq!(failed, 0, "of {count} interleavings; what they said stands above");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn save_between_any_two_commands_is_kept_and_told_truly() {
    try_out_all(INTERLEAVINGS, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a hundred thousand interleavings take over an hour; CONTRIBUTING names the command"]
async fn save_between_any_two_commands_is_kept_and_told_truly_at_night() {
    try_out_all(INTERLEAVINGS_AT_NIGHT, 40).await;
}
