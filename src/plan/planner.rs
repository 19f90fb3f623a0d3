//! Planner: one decision a target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decided::{Plan, PlanExtent, PlannedTarget};
use super::once::{AccountStatus, ReachedGenerations};
use super::policy::{BlindReset, Policy};
use super::{Decision, HoldReason, Impact, KeepReason, ManifestImpact, Removal, guard};
use crate::model::{
    CardKey, CardKind, CardState, DesiredState, DesiredTarget, GuardLimits, Mode, Observed,
    Snapshot, UnreadableReason, UserId,
};

impl Plan {
    /// Returns the plan of a narrowed run. The blast radius is that of its own targets; the
    /// selection is that of the manifests as a whole.
    #[must_use]
    pub fn narrowed(
        self,
        selected: &BTreeMap<Arc<str>, Vec<UserId>>,
        limits: &GuardLimits,
    ) -> Self {
        let all = self.targets.iter().map(|target| target.key).collect();
        Self { extent: PlanExtent::Partial, ..self.restricted_to(&all, selected, limits) }
    }

    /// Returns the plan narrowed to these targets. The blast radius is measured anew; the selection
    /// is passed in, because the remaining targets are not the selection.
    #[must_use]
    pub fn restricted_to(
        self,
        left: &BTreeSet<CardKey>,
        selected: &BTreeMap<Arc<str>, Vec<UserId>>,
        limits: &GuardLimits,
    ) -> Self {
        let targets: Vec<PlannedTarget> =
            self.targets.into_iter().filter(|target| left.contains(&target.key)).collect();
        let mut affected = Affected::from_targets(&targets, &self.shared);
        for own in affected.manifests.values_mut() {
            own.selected.clear();
        }
        for (name, people) in selected {
            affected.manifests.entry(Arc::clone(name)).or_default().selected.clone_from(people);
        }
        let Affected { people, common, manifests } = affected;
        let impact = Impact { people, common, manifests, ..self.guards.impact };
        Self { guards: guard::report(impact, limits), targets, ..self }
    }
}

/// Decides about every target.
///
/// Total and deterministic: the same input gives the same plan, byte for byte. Targets and cards
/// are both sorted by key, so one walk over both is enough.
pub fn plan(desired: &DesiredState, snapshot: &Snapshot, policy: &Policy) -> Plan {
    let mut cards = snapshot.cards.iter().peekable();
    let reached = ReachedGenerations::from_policy(policy);
    let targets: Vec<PlannedTarget> = desired
        .targets
        .iter()
        .map(|target| {
            while cards.next_if(|(key, _)| *key < target.key).is_some() {}
            let seen =
                cards.peek().filter(|(key, _)| *key == target.key).map(|(_, observed)| observed);
            let decision = match desired.gaps.get(&target.key) {
                Some(gap) => Decision::Hold(HoldReason::TreeGap(*gap)),
                None => decide(target, seen, policy),
            };
            let generation = match &target.mode {
                Mode::Enforce => None,
                Mode::Once(generation) => Some(generation.clone()),
            };
            let is_dismissed = target
                .key
                .user()
                .and_then(|user| desired.people.get(&user))
                .is_some_and(|person| !person.active);
            let account_status =
                if is_dismissed { AccountStatus::Dismissed } else { AccountStatus::Active };
            let once = generation
                .as_ref()
                .map(|generation| reached.state(generation, target.key, &decision, account_status));
            PlannedTarget {
                key: target.key,
                decision,
                generation,
                once,
                origin: Arc::clone(&target.origin),
            }
        })
        .collect();
    let Affected { people, common, manifests } = Affected::from_targets(&targets, &desired.shared);
    let impact = Impact {
        people,
        common,
        manifests,
        previous_selections: policy.previous_selections.clone(),
        active_users: snapshot.caller.active_users,
        employees: None,
        caller: snapshot.caller.user,
    };
    Plan {
        portal: snapshot.portal.clone(),
        caller: snapshot.caller.user,
        extent: PlanExtent::Whole,
        trust: snapshot.trust,
        common_defaults: snapshot.common_defaults.clone(),
        common_cards: snapshot.common_cards.clone(),
        people: desired.people.clone(),
        departments: desired.departments.clone(),
        kinds: desired.kinds.clone(),
        shared: desired.shared.clone(),
        guards: guard::report(impact, &desired.guards),
        targets,
    }
}

fn decide(target: &DesiredTarget, seen: Option<&Observed>, policy: &Policy) -> Decision {
    let already_reset = match &target.mode {
        Mode::Enforce => None,
        Mode::Once(generation) => {
            policy.ledger.get(generation, target.key).map(|_| generation.clone())
        }
    };
    let state = match (seen, already_reset) {
        (Some(Observed::Known(CardState::Customized(_))), Some(generation)) => {
            return Decision::Keep(KeepReason::CustomizedAgain(generation));
        }
        (_, Some(generation)) => return Decision::Keep(KeepReason::AlreadyReset(generation)),
        (Some(Observed::Known(state)), None) => state,
        (Some(Observed::Unreadable(reason)), None) => return unreadable(reason, policy.blind),
        (None, None) => return Decision::Hold(HoldReason::NotSeen),
    };
    match state {
        CardState::Default => Decision::Keep(KeepReason::AtDefault),
        CardState::CommonDefault => Decision::Keep(KeepReason::CommonDefault),
        CardState::Customized(layout) => Decision::Reset(Removal::Layout(layout.clone())),
    }
}

/// Decides about an unreadable card. A card that the portal refuses to show is never reset blindly:
/// the refusal says that the caller may not touch it.
fn unreadable(reason: &UnreadableReason, blind: BlindReset) -> Decision {
    match (reason, blind) {
        (
            UnreadableReason::ReadsNotTrusted | UnreadableReason::ReadsUnproven,
            BlindReset::Allowed,
        ) => Decision::Reset(Removal::Unread),
        (reason, _) => Decision::Hold(HoldReason::Unreadable(reason.clone())),
    }
}

/// People and cards that targets affect, in all and by manifest.
struct Affected {
    people: Vec<UserId>,
    common: BTreeSet<CardKind>,
    manifests: BTreeMap<Arc<str>, ManifestImpact>,
}

impl Affected {
    fn from_targets(
        targets: &[PlannedTarget],
        shared: &BTreeMap<CardKey, BTreeSet<Arc<str>>>,
    ) -> Self {
        // The targets are sorted, so a person's cards are neighbors.
        let add = |people: &mut Vec<UserId>, user: UserId| {
            if people.last() != Some(&user) {
                people.push(user);
            }
        };
        let mut affected =
            Self { people: Vec::new(), common: BTreeSet::new(), manifests: BTreeMap::new() };
        for target in targets {
            let is_reset = matches!(target.decision, Decision::Reset(_));
            match target.key.user() {
                Some(user) if is_reset => add(&mut affected.people, user),
                None if is_reset => drop(affected.common.insert(target.key.kind)),
                Some(_) | None => {}
            }
            let others = shared.get(&target.key).into_iter().flatten();
            for manifest in std::iter::once(&target.origin.manifest).chain(others) {
                let own = affected.manifests.entry(Arc::clone(manifest)).or_default();
                match target.key.user() {
                    Some(user) => {
                        add(&mut own.selected, user);
                        if is_reset {
                            add(&mut own.people, user);
                        }
                    }
                    None if is_reset => drop(own.common.insert(target.key.kind)),
                    None => {}
                }
            }
        }
        affected
    }
}
