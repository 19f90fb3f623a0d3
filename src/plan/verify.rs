//! Verifier: an independent check of a plan.
//!
//! Written from the requirements and not from the planner: it shares none of the planner's code,
//! derives everything anew, and is slower for it. A finding means a bug in recard, and stops the
//! run before any write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{BlindReset, Decision, KeepReason, Plan, PlannedTarget, Policy, Removal};
use crate::model::{
    CardKey, CardState, DesiredState, Mode, Observed, ReadTrust, Snapshot, UnreadableReason,
};

/// Defect in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanDefect {
    /// The target.
    pub key: CardKey,
    /// The defect, in words.
    pub problem: &'static str,
}

impl fmt::Display for PlanDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// Checks a plan for defects; returns an empty list if there are none.
pub fn verify_plan(
    desired: &DesiredState,
    snapshot: &Snapshot,
    policy: &Policy,
    plan: &Plan,
) -> Vec<PlanDefect> {
    let mut findings = Vec::new();
    let mut report = |key, problem| findings.push(PlanDefect { key, problem });
    let wanted: BTreeMap<CardKey, &Mode> =
        desired.targets.iter().map(|target| (target.key, &target.mode)).collect();
    let mut planned = BTreeSet::new();
    for target in &plan.targets {
        if !planned.insert(target.key) {
            report(target.key, "is planned twice");
        }
        match wanted.get(&target.key) {
            Some(_) if desired.gaps.contains_key(&target.key) => {
                if !matches!(target.decision, Decision::Hold(_)) {
                    report(target.key, "is decided, though the manifest may except it");
                }
            }
            Some(mode) => decision(target, mode, snapshot, policy, &mut report),
            None => report(target.key, "is planned, but nobody asked for it"),
        }
    }
    for key in wanted.keys().filter(|key| !planned.contains(*key)) {
        report(*key, "is wanted, but has no decision");
    }
    findings
}

/// Reports a decision that does not follow from the snapshot.
fn decision(
    target: &PlannedTarget,
    mode: &Mode,
    snapshot: &Snapshot,
    policy: &Policy,
    report: &mut impl FnMut(CardKey, &'static str),
) {
    let key = target.key;
    let seen = snapshot.card(key);
    let already_reset = match mode {
        Mode::Enforce => false,
        Mode::Once(generation) => policy.ledger.get(generation, key).is_some(),
    };
    match &target.decision {
        Decision::Reset(_) if already_reset => {
            report(key, "had its reset for this generation, and would lose its card again")
        }
        Decision::Reset(Removal::Layout(layout)) => {
            match seen {
                Some(Observed::Known(CardState::Customized(there))) if there == layout => {}
                _ => report(key, "would be reset, but was not seen with this layout"),
            }
            if snapshot.common_defaults.get(&key.kind) == Some(layout) && key.user().is_some() {
                report(key, "would be reset, but shows only the card set for all");
            }
            let own = key.user().is_none_or(|user| user == snapshot.caller.user);
            if !own && matches!(snapshot.trust, ReadTrust::NotTrusted) {
                report(key, "would be reset on the word of a read that cannot be trusted");
            }
        }
        Decision::Reset(Removal::Unread) => {
            let unreadable = matches!(
                seen,
                Some(Observed::Unreadable(
                    UnreadableReason::ReadsNotTrusted | UnreadableReason::ReadsUnproven
                ))
            );
            if !unreadable {
                report(key, "would be reset unread, but could be read");
            }
            if policy.blind == BlindReset::Never {
                report(key, "would be reset unread, which nobody allowed");
            }
        }
        Decision::Keep(KeepReason::AtDefault | KeepReason::CommonDefault) => match seen {
            Some(Observed::Known(state)) if state.is_default() => {}
            _ => report(key, "counts as being at its default, but was not seen so"),
        },
        Decision::Keep(KeepReason::AlreadyReset(_) | KeepReason::CustomizedAgain(_)) => {
            if !already_reset {
                report(key, "counts as done for its generation, but the ledger has no word of it");
            }
        }
        Decision::Hold(_) => {
            if matches!(seen, Some(Observed::Known(_))) {
                report(key, "is held, though its state is known");
            }
        }
    }
}
