//! Plan of a restore, with what was found on the way to it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::{RestoreDecision, RestorePlan, RestoreTarget, SnapshotAge};
use crate::model::{Identity, PersonName, PortalId, UserId};
use crate::records::plan_file::{PlannedRestore, RestorePlanContent, RestorePlanTarget};

/// Plan of a restore, with what was found on the way to it.
#[derive(Debug)]
pub struct PlannedRestoreRun {
    /// The portal.
    pub portal: PortalId,
    /// The plan.
    pub plan: RestorePlan,
    /// Names of the people.
    pub names: BTreeMap<UserId, PersonName>,
    /// Lines of the journal are lost, so that cards may be missing in the plan.
    pub is_incomplete: bool,
    pub(super) age: SnapshotAge,
}

impl PlannedRestoreRun {
    /// Returns the plan as the content of a plan file: with the digests of layouts in their place.
    pub fn content(
        &self,
        caller: &Identity,
        created: Timestamp,
        expires: Timestamp,
    ) -> RestorePlanContent {
        let target = |RestoreTarget { key, decision }: &RestoreTarget| RestorePlanTarget {
            decision: planned(decision),
            name: key.user().and_then(|user| self.names.get(&user)).cloned().unwrap_or_default(),
            key: *key,
        };
        RestorePlanContent {
            caller: caller.user,
            caller_name: caller.name.to_string(),
            created,
            expires,
            incomplete: self.is_incomplete,
            portal: self.portal.clone(),
            run: self.plan.restored_run.clone(),
            targets: self.plan.targets.iter().map(target).collect(),
        }
    }
}

/// Returns a decision with digests in place of its layouts.
fn planned(decision: &RestoreDecision) -> PlannedRestore {
    match decision {
        RestoreDecision::Restore { wanted, over } => {
            PlannedRestore::Restore { backup: wanted.into(), over: over.as_ref().map(Into::into) }
        }
        RestoreDecision::Remove(layout) => PlannedRestore::Reset(layout.into()),
        RestoreDecision::AsBefore => PlannedRestore::AsBefore,
        RestoreDecision::NewerKept(layout) => PlannedRestore::NewerKept(layout.into()),
        RestoreDecision::Unreadable(_) => PlannedRestore::Unreadable,
        RestoreDecision::NoBackup => PlannedRestore::NoBackup,
        RestoreDecision::BackupUnusable(problem) => PlannedRestore::BackupUnusable(problem.clone()),
    }
}
