//! Drift: differences from the manifests that no plan made, by kind.
//!
//! Pure, like all of `plan`. Drift is derived from a plan, so `drift` and `apply` always agree. It
//! has a fingerprint that does not depend on time or caller, so that a scheduler can keep one alert
//! and close it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Decision, OnceState, Plan, PlannedTarget};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::model::{CardKey, Digest, Generation, Origin, PortalId};

/// All drift of a portal.
#[derive(Clone, Debug)]
pub struct Drift {
    /// The portal.
    portal: PortalId,
    /// The cards, sorted.
    pub cards: Vec<DriftedCard>,
    /// People and departments in the manifests that the portal no longer has.
    pub gone: Vec<Diagnostic>,
    /// The number of targets that match the manifests.
    pub settled: u32,
}

/// One card that differs from the manifests or needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftedCard {
    /// The card.
    pub key: CardKey,
    /// The kind of drift.
    pub kind: DriftKind,
    /// The once key, in mode `once`.
    pub generation: Option<Generation>,
    /// The origin in the manifests.
    pub origin: Arc<Origin>,
}

/// Kind of drift of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftKind {
    /// Mode `enforce`: the card is customized.
    Customized,
    /// Mode `once`: the card has not had its reset, and neither has any other card of that kind.
    NotYetReset,
    /// Mode `once`: other cards had their reset; this person came into the selection later, or
    /// customized the card in between.
    NewInGroup,
    /// The person was dismissed, and their card still exists.
    Dismissed,
    /// The card cannot be read, or the read cannot be trusted.
    OutOfReach,
    /// Mode `once`: the card had its reset and was customized since. That is allowed and raises no
    /// alert.
    CustomizedAgain,
}

impl DriftKind {
    /// All kinds, those that need attention first.
    pub const ALL: [Self; 6] = [
        Self::Customized,
        Self::NotYetReset,
        Self::NewInGroup,
        Self::Dismissed,
        Self::OutOfReach,
        Self::CustomizedAgain,
    ];

    /// Returns the stable word for machine output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customized => "customized",
            Self::NotYetReset => "not-yet-reset",
            Self::NewInGroup => "new-in-group",
            Self::Dismissed => "dismissed",
            Self::OutOfReach => "out-of-reach",
            Self::CustomizedAgain => "customized-again",
        }
    }

    /// Returns the kind of a card in mode `once`; `None` if the card is as it should be.
    fn from_once_state(state: OnceState) -> Option<Self> {
        match state {
            OnceState::NotYetReset => Some(Self::NotYetReset),
            OnceState::NewInGroup => Some(Self::NewInGroup),
            OnceState::Dismissed => Some(Self::Dismissed),
            OnceState::OutOfReach => Some(Self::OutOfReach),
            OnceState::CustomizedAgain => Some(Self::CustomizedAgain),
            OnceState::Done => None,
        }
    }

    /// Returns `true` if the kind is drift and not only a notice.
    pub fn is_pending(self) -> bool {
        match self {
            Self::Customized
            | Self::NotYetReset
            | Self::NewInGroup
            | Self::Dismissed
            | Self::OutOfReach => true,
            Self::CustomizedAgain => false,
        }
    }
}

impl fmt::Display for DriftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Customized => tr!("customized"),
            Self::NotYetReset => tr!("not yet reset"),
            Self::NewInGroup => tr!("new in group"),
            Self::Dismissed => tr!("dismissed"),
            Self::OutOfReach => tr!("out of reach"),
            Self::CustomizedAgain => tr!("customized again"),
        })
    }
}

impl Drift {
    /// Returns `true` if a problem with the manifests means that the portal has changed: a named
    /// person, department or pipeline no longer exists.
    pub fn is_dismissed(problem: &Diagnostic) -> bool {
        matches!(
            problem.code,
            DiagnosticCode::UnknownPerson
                | DiagnosticCode::UnknownEmail
                | DiagnosticCode::AmbiguousEmail
                | DiagnosticCode::UnknownDepartment
                | DiagnosticCode::AmbiguousDepartment
                | DiagnosticCode::UnknownPipeline
                | DiagnosticCode::AmbiguousPipeline
                | DiagnosticCode::DismissedPerson
                | DiagnosticCode::EmptySelection
        )
    }

    /// Derives drift from a plan; `gone` holds the problems for which [`Drift::is_dismissed`] is
    /// true.
    pub fn from_plan(plan: &Plan, gone: Vec<Diagnostic>) -> Self {
        let kind = |target: &PlannedTarget| match (&target.decision, target.once) {
            (_, Some(state)) => DriftKind::from_once_state(state),
            (Decision::Hold(_), None) => Some(DriftKind::OutOfReach),
            (Decision::Keep(_), None) => None,
            (Decision::Reset(_), None) if is_dismissed(plan, target.key) => {
                Some(DriftKind::Dismissed)
            }
            (Decision::Reset(_), None) => Some(DriftKind::Customized),
        };
        let card = |target: &PlannedTarget| {
            let (generation, origin) = (target.generation.clone(), Arc::clone(&target.origin));
            kind(target).map(|kind| DriftedCard { key: target.key, kind, generation, origin })
        };
        let cards: Vec<DriftedCard> = plan.targets.iter().filter_map(card).collect();
        let drifted = cards.iter().filter(|card| card.kind.is_pending()).count();
        let settled = u32::try_from(plan.targets.len() - drifted).unwrap_or(u32::MAX);
        Self { portal: plan.portal.clone(), cards, gone, settled }
    }

    /// Iterates over the cards that count as drift.
    pub fn pending(&self) -> impl Iterator<Item = &DriftedCard> {
        self.cards.iter().filter(|card| card.kind.is_pending())
    }

    /// Returns `true` if there is no drift.
    pub fn is_none(&self) -> bool {
        self.gone.is_empty() && self.pending().next().is_none()
    }

    /// Counts the cards of a kind.
    pub fn count(&self, kind: DriftKind) -> u32 {
        u32::try_from(self.cards.iter().filter(|card| card.kind == kind).count())
            .unwrap_or(u32::MAX)
    }

    /// Returns the fingerprint of the pending drift; `None` without drift.
    ///
    /// It covers the portal, the cards, and the kind of drift of each. It does not cover the
    /// content of a card, lines of manifests, names or time: another save of a drifted card, or a
    /// new comment in a manifest, is the same drift.
    pub fn fingerprint(&self) -> Option<Digest> {
        if self.is_none() {
            return None;
        }
        let card = |card: &DriftedCard| {
            let generation = card.generation.as_ref().map_or("", Generation::as_str);
            format!("{} {} {generation}", card.key, card.kind.as_str())
        };
        let gone = |problem: &Diagnostic| format!("{} {}", problem.code, problem.message.english());
        let lines: BTreeSet<String> =
            self.pending().map(card).chain(self.gone.iter().map(gone)).collect();
        let mut text = format!("recard drift of {}\n", self.portal);
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        Some(Digest::hash(text.as_bytes()))
    }
}

fn is_dismissed(plan: &Plan, key: CardKey) -> bool {
    key.user().and_then(|user| plan.people.get(&user)).is_some_and(|person| !person.active)
}
