//! Planner: one decision a target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::once::{AccountStatus, ReachedGenerations};
use super::{
    Decision, GuardReport, HoldReason, Impact, KeepReason, ManifestImpact, OnceState, Removal,
    guard,
};
use crate::model::{
    CardKey, CardState, DesiredState, DesiredTarget, Generation, GuardLimits, Layout,
    LeadCustomerType, Ledger, Mode, Observed, Origin, Person, PortalId, ReadTrust, Snapshot,
    UnreadableReason, UserId,
};

/// Permission to reset cards that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlindReset {
    /// Unreadable cards are held.
    #[default]
    Never,
    /// Unreadable cards are reset where the portal's release is one whose reads cannot be trusted.
    /// There will be no backup of them.
    Allowed,
}

/// Rules of a run that do not stand in a manifest.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The permission to reset unreadable cards.
    pub blind: BlindReset,
    /// The memory of mode `once`.
    pub ledger: Ledger,
    /// The number of people that each manifest selected in its last run on this portal, where it is
    /// known; for the guard on shrinking selections.
    pub previous_selections: BTreeMap<Arc<str>, u32>,
}

/// Decisions about all targets. Immutable.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The portal.
    pub portal: PortalId,
    /// The caller of the reads.
    pub caller: UserId,
    /// The trust in the reads behind it.
    pub trust: ReadTrust,
    /// The decisions, sorted by target, each target once.
    pub targets: Vec<PlannedTarget>,
    /// The common defaults.
    pub common_defaults: BTreeMap<LeadCustomerType, Layout>,
    /// The people among the targets, as the portal describes them.
    pub people: BTreeMap<UserId, Person>,
    /// Targets of several manifests, with the names of all manifests but the one in the target's
    /// origin.
    pub shared: BTreeMap<CardKey, BTreeSet<Arc<str>>>,
    /// The blast radius, and the guards that it violates.
    pub guards: GuardReport,
}

/// Decision about one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTarget {
    /// The card.
    pub key: CardKey,
    /// The decision.
    pub decision: Decision,
    /// The once key, for targets in mode `once`.
    pub generation: Option<Generation>,
    /// The state of the card in mode `once`.
    pub once: Option<OnceState>,
    /// The origin in the manifests.
    pub origin: Arc<Origin>,
}

/// Number of targets by decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanCounts {
    /// To be kept.
    pub keep: u32,
    /// To be reset.
    pub reset: u32,
    /// Held.
    pub hold: u32,
}

impl Plan {
    /// Counts the decisions.
    pub fn counts(&self) -> PlanCounts {
        let mut counts = PlanCounts::default();
        for target in &self.targets {
            match target.decision {
                Decision::Keep(_) => counts.keep += 1,
                Decision::Reset(_) => counts.reset += 1,
                Decision::Hold(_) => counts.hold += 1,
            }
        }
        counts
    }

    /// Iterates over the targets to be reset.
    pub fn resets(&self) -> impl Iterator<Item = &PlannedTarget> {
        self.targets.iter().filter(|target| matches!(target.decision, Decision::Reset(_)))
    }

    /// Returns the common default that the portal shows in place of a card, if there is one.
    pub fn common_default(&self, key: CardKey) -> Option<&Layout> {
        key.user().and(self.common_defaults.get(&key.lead))
    }

    /// Counts the targets in mode `once` that are at their default and not marked in the ledger.
    pub fn new_marks(&self) -> usize {
        let is_new = |target: &&PlannedTarget| {
            let at_default = matches!(
                target.decision,
                Decision::Keep(KeepReason::AtDefault | KeepReason::CommonDefault)
            );
            target.generation.is_some() && at_default
        };
        self.targets.iter().filter(is_new).count()
    }

    /// Returns `true` if the plan resets and holds no target.
    pub fn is_noop(&self) -> bool {
        self.targets.iter().all(|target| matches!(target.decision, Decision::Keep(_)))
    }

    /// Returns the name of the card's person; empty for common cards and nameless people.
    pub fn person_name(&self, key: CardKey) -> &str {
        key.user().and_then(|user| self.people.get(&user)).map_or("", |person| person.name.as_str())
    }
}

impl Plan {
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
            self.targets.into_iter().filter(|one| left.contains(&one.key)).collect();
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
                .is_some_and(|one| !one.active);
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
        trust: snapshot.trust,
        common_defaults: snapshot.common_defaults.clone(),
        people: desired.people.clone(),
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
    common: BTreeSet<LeadCustomerType>,
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
                None if is_reset => drop(affected.common.insert(target.key.lead)),
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
                    None if is_reset => drop(own.common.insert(target.key.lead)),
                    None => {}
                }
            }
        }
        affected
    }
}
