//! Check of a restore plan file against the present state of the portal.
//!
//! The restore is planned anew for the cards of the file, newer layouts included, and then cut down
//! to the cards that still hold exactly the reviewed layout and whose backup is the reviewed one.
//! All other cards get their outcome at once, with the reason. A card that the file does not write
//! is never written.

use std::collections::BTreeMap;

use super::restore_plan::{RestoreDecision, RestorePlan, RestoreTarget};
use super::run_report::TargetOutcome;
use crate::i18n::english;
use crate::model::{CardKey, Digest, Layout, Outcome};
use crate::plan::HoldReason;
use crate::records::plan_file::{PlannedRestore, RestorePlanContent, RestorePlanTarget};

/// Remaining part of a reviewed restore plan.
#[derive(Clone, Debug)]
pub struct CheckedRestorePlan {
    /// The plan that may be executed.
    pub plan: RestorePlan,
    /// The cards of the file that are left alone, with the reason.
    pub settled: Vec<TargetOutcome>,
}

/// Cuts a plan of the present state down to the reviewed and unchanged writes.
pub fn check_restore_plan(file: &RestorePlanContent, now: RestorePlan) -> CheckedRestorePlan {
    let RestorePlan { restored_run, trust, targets, common_defaults } = now;
    let mut decisions: BTreeMap<CardKey, RestoreDecision> =
        targets.into_iter().map(|target| (target.key, target.decision)).collect();
    let (mut targets, mut settled) = (Vec::new(), Vec::new());
    for RestorePlanTarget { decision: reviewed, name: _, key } in file.actions() {
        let now = decisions.remove(key);
        match (compare(reviewed, now.as_ref()), now) {
            (None, Some(decision)) => targets.push(RestoreTarget { key: *key, decision }),
            (None, None) => {}
            (Some(outcome), _) => settled.push(TargetOutcome { key: *key, outcome }),
        }
    }
    CheckedRestorePlan {
        plan: RestorePlan { restored_run, trust, targets, common_defaults },
        settled,
    }
}

/// Returns the immediate outcome of a card; `None` if it is as it was reviewed.
fn compare(reviewed: &PlannedRestore, now: Option<&RestoreDecision>) -> Option<Outcome> {
    let Some(now) = now else {
        return Some(Outcome::NotAttempted(tr_later!("was not looked at again").to_owned()));
    };
    let is_reviewed = match (reviewed, now) {
        (PlannedRestore::Restore { backup, .. }, RestoreDecision::Restore { wanted, over }) => {
            backup.digest == wanted.digest() && reviewed.replaced() == digest(over.as_ref())
        }
        (PlannedRestore::Reset(_), RestoreDecision::Remove(layout)) => {
            reviewed.replaced() == Some(layout.digest())
        }
        _ => false,
    };
    if is_reviewed {
        return None;
    }
    Some(match now {
        RestoreDecision::AsBefore if matches!(reviewed, PlannedRestore::Reset(_)) => {
            Outcome::AlreadyDefault
        }
        RestoreDecision::Restore { .. }
        | RestoreDecision::Remove(_)
        | RestoreDecision::AsBefore
        | RestoreDecision::NewerKept(_) => Outcome::Changed,
        RestoreDecision::Unreadable(reason) => {
            Outcome::NotAttempted(english(&HoldReason::Unreadable(reason.clone())))
        }
        RestoreDecision::NoBackup => {
            Outcome::NotAttempted(tr_later!("was reset without a backup").to_owned())
        }
        RestoreDecision::BackupUnusable(problem) => Outcome::NotAttempted(problem.clone()),
    })
}

fn digest(layout: Option<&Layout>) -> Option<Digest> {
    layout.map(Layout::digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ReadTrust, UnreadableReason};
    use crate::records::plan_file::LayoutSummary;
    use crate::records::samples;

    /// Returns what is left of a file over one card, and the word of its outcome.
    fn left(reviewed: PlannedRestore, now: Option<RestoreDecision>) -> (usize, Vec<&'static str>) {
        let key = samples::personal(7);
        let target = RestorePlanTarget { decision: reviewed, name: Default::default(), key };
        let file = RestorePlanContent { targets: vec![target], ..samples::restore_plan() };
        // A card that the file does not write.
        let beside = restore("mine", None);
        let beside = RestoreTarget { key: samples::personal(8), decision: beside };
        let targets = now.map(|decision| RestoreTarget { key, decision });
        let targets = targets.into_iter().chain([beside]).collect();
        let plan = RestorePlan {
            restored_run: samples::run(),
            trust: ReadTrust::Unproven,
            targets,
            common_defaults: BTreeMap::new(),
        };
        let CheckedRestorePlan { plan, settled } = check_restore_plan(&file, plan);
        assert!(plan.targets.iter().all(|target| target.key == key));
        (plan.targets.len(), settled.iter().map(|target| target.outcome.as_str()).collect())
    }

    fn restore(wanted: &str, over: Option<&str>) -> RestoreDecision {
        RestoreDecision::Restore {
            wanted: samples::layout(wanted),
            over: over.map(samples::layout),
        }
    }

    fn reviewed(backup: &str, over: Option<&str>) -> PlannedRestore {
        let summary = |title: &str| LayoutSummary::from(&samples::layout(title));
        PlannedRestore::Restore { backup: summary(backup), over: over.map(summary) }
    }

    #[test]
    fn restore_plan_check_leaves_only_what_is_as_it_was_reviewed() {
        let newer = samples::layout("newer");
        let unreadable = RestoreDecision::Unreadable(UnreadableReason::ReadsNotTrusted);
        let put = || reviewed("mine", None);
        assert_eq!(left(put(), Some(restore("mine", None))), (1, vec![]));
        let over = reviewed("mine", Some("old"));
        assert_eq!(left(over.clone(), Some(restore("mine", Some("old")))), (1, vec![]));
        for (reviewed, now, outcome) in [
            (put(), restore("mine", Some("newer")), "changed"),
            (put(), restore("other", None), "changed"),
            (over, restore("mine", None), "changed"),
            (put(), RestoreDecision::AsBefore, "changed"),
            (put(), RestoreDecision::NewerKept(newer.clone()), "changed"),
            (put(), RestoreDecision::Remove(newer), "changed"),
            (put(), unreadable, "not-attempted"),
            (put(), RestoreDecision::NoBackup, "not-attempted"),
            (put(), RestoreDecision::BackupUnusable("gone".to_owned()), "not-attempted"),
        ] {
            assert_eq!(left(reviewed, Some(now.clone())), (0, vec![outcome]), "{now:?}");
        }
        assert_eq!(left(put(), None), (0, vec!["not-attempted"]));
    }

    #[test]
    fn restore_plan_check_never_writes_a_card_that_the_file_holds_or_keeps() {
        let newer = LayoutSummary::from(&samples::layout("newer"));
        for held in [
            PlannedRestore::AsBefore,
            PlannedRestore::NewerKept(newer),
            PlannedRestore::NoBackup,
            PlannedRestore::Unreadable,
            PlannedRestore::BackupUnusable("gone".to_owned()),
        ] {
            assert_eq!(left(held, Some(restore("mine", Some("newer")))), (0, vec![]));
        }
    }

    #[test]
    fn restore_plan_check_compares_the_layout_that_a_reset_removes() {
        let reset = |title: &str| PlannedRestore::Reset((&samples::layout(title)).into());
        let remove = |title: &str| Some(RestoreDecision::Remove(samples::layout(title)));
        assert_eq!(left(reset("mine"), remove("mine")), (1, vec![]));
        assert_eq!(left(reset("mine"), remove("newer")), (0, vec!["changed"]));
        let as_before = Some(RestoreDecision::AsBefore);
        assert_eq!(left(reset("mine"), as_before), (0, vec!["already-default"]));
    }
}
