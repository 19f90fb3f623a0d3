//! Plan: the decisions about all targets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Decision, GuardReport, KeepReason, OnceState};
use crate::model::{
    CardKey, CardKind, CardState, DepartmentId, Generation, KindNames, Layout, Observed, Origin,
    Person, PortalId, ReadTrust, UserId,
};

/// Extent of a plan, compared with what its manifests select.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanExtent {
    /// All targets.
    #[default]
    Whole,
    /// The targets that a command line has narrowed the run to.
    Partial,
}

/// Decisions about all targets. Immutable.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The portal.
    pub portal: PortalId,
    /// The caller of the reads.
    pub caller: UserId,
    /// The extent.
    pub extent: PlanExtent,
    /// The trust in the reads behind it.
    pub trust: ReadTrust,
    /// The decisions, sorted by target, each target once.
    pub targets: Vec<PlannedTarget>,
    /// The common defaults.
    pub common_defaults: BTreeMap<CardKind, Layout>,
    /// The common cards behind the personal targets, as the portal shows them now.
    pub common_cards: BTreeMap<CardKind, Observed>,
    /// The people among the targets, as the portal describes them.
    pub people: BTreeMap<UserId, Person>,
    /// The names of the departments, as far as they were looked up.
    pub departments: BTreeMap<DepartmentId, Box<str>>,
    /// The names of pipelines and smart processes.
    pub kinds: KindNames,
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
        key.user().and(self.common_defaults.get(&key.kind))
    }

    /// Returns the common card of a kind, if it was read and an administrator customized it.
    pub fn common_card(&self, kind: CardKind) -> Option<&Layout> {
        match self.common_cards.get(&kind)? {
            Observed::Known(CardState::Customized(layout)) => Some(layout),
            Observed::Known(_) | Observed::Unreadable(_) => None,
        }
    }

    /// Returns the kinds of cards among the targets, leads aside.
    pub fn kinds_besides_leads(&self) -> BTreeSet<CardKind> {
        let kinds = self.targets.iter().map(|target| target.key.kind);
        kinds.filter(|kind| kind.lead().is_none()).collect()
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
