//! Undo of a plan: the sentence on it, and the cards that it does not bring back.

use std::collections::BTreeMap;

use crate::engine::TargetOutcome;
use crate::i18n::Text;
use crate::model::{Digest, Outcome};
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
    let mut losses: BTreeMap<Digest, RestoreLoss> = BTreeMap::new();
    let (mut unread, mut refused, mut in_part) = (0, 0, 0);
    for target in plan.resets() {
        let Some(layout) = target.decision.layout() else {
            unread += 1;
            continue;
        };
        match losses.entry(layout.digest()).or_insert_with(|| RestoreLoss::of(layout)) {
            RestoreLoss::Everything => refused += 1,
            RestoreLoss::Part => in_part += 1,
            RestoreLoss::Nothing => {}
        }
    }
    let unread = (unread > 0).then(|| {
        tr!("{n} card is reset without reading it: no backup, no way back."
            | "{n} cards are reset without reading them: no backup, no way back." % unread)
    });
    let refused = (refused > 0).then(|| {
        tr!(
            "{n} card holds a layout that the portal does not take again: it is backed up, but cannot be put back."
                | "{n} cards hold layouts that the portal does not take again: they are backed up, but cannot be put back." % refused
        )
    });
    let in_part = (in_part > 0).then(|| {
        tr!(
            "{n} card has parts that the portal does not take again, such as own titles of fields: a restore leaves them out."
                | "{n} cards have parts that the portal does not take again, such as own titles of fields: a restore leaves them out." % in_part
        )
    });
    [unread, refused, in_part].into_iter().flatten().collect()
}
