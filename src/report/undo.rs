//! Undo of a plan: the sentence on it, and the cards that it does not bring back.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{RestoreDecision, RestorePlan, TargetOutcome};
use crate::i18n::Text;
use crate::model::{CardKey, Digest, Layout, Outcome, OutcomeClass, ReadTrust};
use crate::plan::{Plan, RestoreLoss};

/// Returns the sentence on data and undo. A plan of which nothing is backed up has no undo.
pub(super) fn promise(plan: &Plan) -> Text {
    sentence(plan.resets().any(|target| target.decision.layout().is_some()))
}

/// Returns the sentence on data and undo of a run.
pub(super) fn promise_of_run(targets: &[TargetOutcome]) -> Text {
    sentence(targets.iter().any(|target| target.outcome != Outcome::ResetBlind))
}

fn sentence(has_undo: bool) -> Text {
    match has_undo {
        true => tr!(
            "Only card layouts change. No lead, contact or deal data is touched. Undo: `recard restore RUN --all`."
        ),
        false => tr!("Only card layouts change. No lead, contact or deal data is touched."),
    }
}

/// Returns the sentences on the cards that an undo does not bring back, or not whole.
pub(super) fn limits(plan: &Plan) -> Vec<Text> {
    limits_of(plan, |_| true)
}

/// Returns the sentences on the cards that an undo of a run does not bring back, or not whole, as
/// far as its plan tells.
pub(super) fn limits_of_run(targets: &[TargetOutcome], plan: &Plan) -> Vec<Text> {
    let done = targets.iter().filter(|target| target.outcome.class() == OutcomeClass::Done);
    let done: BTreeSet<CardKey> = done.map(|target| target.key).collect();
    limits_of(plan, |key| done.contains(&key))
}

fn limits_of(plan: &Plan, is_meant: impl Fn(CardKey) -> bool) -> Vec<Text> {
    let resets = || plan.resets().filter(|target| is_meant(target.key));
    let unread = resets().filter(|target| target.decision.layout().is_none()).count();
    let layouts = resets().filter_map(|target| target.decision.layout());
    let (refused, in_part) = losses(layouts, plan.trust);
    let unread = (unread > 0).then(|| {
        tr!("{n} card is reset without reading it: no backup, no undo."
            | "{n} cards are reset without reading them: no backup, no undo." % unread)
    });
    let refused = (refused > 0).then(|| {
        tr!(
            "{n} card holds a layout that the portal does not take again: it is backed up, but cannot be put back."
                | "{n} cards hold layouts that the portal does not take again: they are backed up, but cannot be put back." % refused
        )
    });
    [unread, refused, parts(in_part)].into_iter().flatten().collect()
}

/// Returns the sentences on the cards that a restore does not bring back, or not whole.
pub(super) fn limits_of_restore(plan: &RestorePlan) -> Vec<Text> {
    let layouts = plan.targets.iter().filter_map(|target| match &target.decision {
        RestoreDecision::Restore { wanted, .. } => Some(wanted),
        _ => None,
    });
    let (refused, in_part) = losses(layouts, plan.trust);
    let refused = (refused > 0).then(|| {
        tr!("{n} backup holds a layout that the portal does not take: it will be refused."
            | "{n} backups hold layouts that the portal does not take: they will be refused."
                % refused)
    });
    [refused, parts(in_part)].into_iter().flatten().collect()
}

/// Returns what an undo of the reset of one card loses; `None` if it brings all back.
pub(super) fn limit(loss: RestoreLoss) -> Option<Text> {
    match loss {
        RestoreLoss::Nothing => None,
        RestoreLoss::Part => Some(tr!("a restore leaves parts out")),
        RestoreLoss::Everything => Some(tr!("cannot be put back")),
    }
}

/// Returns what the restore of one card loses; `None` if it puts all back.
pub(super) fn limit_of_restore(loss: RestoreLoss) -> Option<Text> {
    match loss {
        RestoreLoss::Nothing | RestoreLoss::Part => limit(loss),
        RestoreLoss::Everything => Some(tr!("the portal will refuse this layout")),
    }
}

fn parts(cards: usize) -> Option<Text> {
    (cards > 0).then(|| {
        tr!(
            "{n} card has parts that the portal does not take again, such as own titles of fields: a restore leaves them out."
                | "{n} cards have parts that the portal does not take again, such as own titles of fields: a restore leaves them out." % cards
        )
    })
}

/// Counts the layouts that the portal refuses, and those that it does not keep whole.
fn losses<'a>(layouts: impl Iterator<Item = &'a Layout>, trust: ReadTrust) -> (usize, usize) {
    let mut known: BTreeMap<Digest, RestoreLoss> = BTreeMap::new();
    let (mut refused, mut in_part) = (0, 0);
    for layout in layouts {
        match known
            .entry(layout.digest())
            .or_insert_with(|| RestoreLoss::from_layout(layout, trust))
        {
            RestoreLoss::Everything => refused += 1,
            RestoreLoss::Part => in_part += 1,
            RestoreLoss::Nothing => {}
        }
    }
    (refused, in_part)
}
