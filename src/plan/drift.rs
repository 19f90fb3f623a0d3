//! Drift: what differs from the manifests although nobody planned it, told apart by kind.
//!
//! Pure, like everything in `plan`. Drift is read off a plan, so that `drift` can never disagree
//! with what `apply` would do. It has a fingerprint: the same drift has the same one, whenever and
//! by whomever it is looked at, so that a scheduler can keep one alert, and close it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{Decision, OnceState, Plan, PlannedTarget};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::model::{CardKey, Digest, Generation, Origin, PortalId};

/// Everything that drifted.
#[derive(Clone, Debug)]
pub struct Drift {
    /// The portal.
    portal: PortalId,
    /// The cards, sorted.
    pub cards: Vec<DriftedCard>,
    /// People and departments that the manifests name and the portal no longer has.
    pub gone: Vec<Diagnostic>,
    /// How many targets are as the manifests want.
    pub settled: u32,
}

/// One card that is not as the manifests want, or that somebody should know about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftedCard {
    /// The card.
    pub key: CardKey,
    /// What happened.
    pub kind: DriftKind,
    /// The generation, in mode `once`.
    pub generation: Option<Generation>,
    /// Where in the manifests it comes from.
    pub origin: Arc<Origin>,
}

/// What happened to a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DriftKind {
    /// Mode `enforce`: somebody has arranged it.
    Customized,
    /// Mode `once`: it has not had its reset, and neither has anybody else's card of that kind.
    NotYetReset,
    /// Mode `once`: others had their reset; this person came into the selection later, or arranged
    /// the card in between.
    NewInGroup,
    /// The person was dismissed, and their card is still there.
    Dismissed,
    /// It cannot be read, or the read cannot be believed.
    OutOfReach,
    /// Mode `once`: it had its reset, and somebody has arranged it since. That is allowed, and no
    /// reason for an alert.
    CustomizedAgain,
}

impl DriftKind {
    /// All kinds, those that need somebody first.
    pub const ALL: [Self; 6] = [
        Self::Customized,
        Self::NotYetReset,
        Self::NewInGroup,
        Self::Dismissed,
        Self::OutOfReach,
        Self::CustomizedAgain,
    ];

    /// The word for machine output; never changes.
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

    /// The kind of a card in mode `once`; nothing if it is as it should be.
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

    /// Whether it is drift, and not only worth knowing.
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
    /// Whether a problem with the manifests means that the portal has changed under them: somebody
    /// or something that they name is no longer there.
    pub fn is_gone(problem: &Diagnostic) -> bool {
        matches!(
            problem.code,
            DiagnosticCode::UnknownPerson
                | DiagnosticCode::UnknownEmail
                | DiagnosticCode::AmbiguousEmail
                | DiagnosticCode::UnknownDepartment
                | DiagnosticCode::DismissedPerson
                | DiagnosticCode::EmptySelection
        )
    }

    /// Reads drift off a plan; `gone` is what [`Drift::is_gone`].
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

    /// The cards that are drift.
    pub fn pending(&self) -> impl Iterator<Item = &DriftedCard> {
        self.cards.iter().filter(|card| card.kind.is_pending())
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.gone.is_empty() && self.pending().next().is_none()
    }

    /// How many cards are of a kind.
    pub fn count(&self, kind: DriftKind) -> u32 {
        u32::try_from(self.cards.iter().filter(|card| card.kind == kind).count())
            .unwrap_or(u32::MAX)
    }

    /// The fingerprint of what is pending; nothing if nothing is.
    ///
    /// It covers the portal, the cards, and how each drifted. It does not cover what a card holds,
    /// lines of manifests, names or time: whoever arranges a drifted card once more, or adds a
    /// comment to a manifest, makes no new drift.
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
