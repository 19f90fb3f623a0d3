//! Cards that people will see after a plan is applied, as far as known.
//!
//! A person uses one of several views of the card: the personal one, the common one, or a custom
//! one. The portal does not tell which, so both answers are given. Without a personal card the
//! personal view shows the common default, else the portal's built-in card; the common view shows
//! the common card, else the built-in one.

use std::collections::BTreeMap;
use std::fmt;

use crate::i18n::Text;
use crate::model::{CardKey, CardState, LeadCustomerType, Observed, Snapshot};
use crate::plan::{Decision, KeepReason, Plan, PlannedTarget};

/// Card that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleCard {
    /// The personal card.
    OwnCard,
    /// The common default, set for all users.
    SetForAll,
    /// The common card, customized by an administrator.
    CommonCard,
    /// The built-in card of the portal.
    BuiltIn,
    /// Not known.
    Unknown,
}

/// Card of the common view, for each type of lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    common: BTreeMap<LeadCustomerType, VisibleCard>,
}

impl VisibleCard {
    /// Returns the stable word for machine output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnCard => "own-card",
            Self::SetForAll => "set-for-all",
            Self::CommonCard => "common-card",
            Self::BuiltIn => "built-in",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for VisibleCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::OwnCard => tr!("their own card"),
            Self::SetForAll => tr!("the card set for all"),
            Self::CommonCard => tr!("the common card"),
            Self::BuiltIn => tr!("the portal's built-in card"),
            Self::Unknown => tr!("not known"),
        })
    }
}

impl Effective {
    /// Returns the common cards that are not part of a plan, and that must be read to know the card
    /// that people will see.
    pub fn missing(plan: &Plan) -> Vec<CardKey> {
        let common = LeadCustomerType::ALL.map(CardKey::common);
        common
            .into_iter()
            .filter(|key| plan.targets.iter().all(|target| target.key != *key))
            .collect()
    }

    /// Derives the value from a plan and a snapshot of the common cards outside of it.
    pub fn from_plan(plan: &Plan, seen: &Snapshot) -> Self {
        let sight = |lead| {
            let key = CardKey::common(lead);
            match plan.targets.iter().find(|target| target.key == key) {
                Some(target) => after(target, VisibleCard::BuiltIn, VisibleCard::CommonCard),
                None => match seen.card(key) {
                    Some(Observed::Known(CardState::Default | CardState::CommonDefault)) => {
                        VisibleCard::BuiltIn
                    }
                    Some(Observed::Known(CardState::Customized(_))) => VisibleCard::CommonCard,
                    Some(Observed::Unreadable(_)) | None => VisibleCard::Unknown,
                },
            }
        };
        Self { common: LeadCustomerType::ALL.map(|lead| (lead, sight(lead))).into_iter().collect() }
    }

    /// Returns the card of the common view.
    pub fn common_view(&self, lead: LeadCustomerType) -> VisibleCard {
        self.common.get(&lead).copied().unwrap_or(VisibleCard::Unknown)
    }

    /// Returns the card of a person's personal view; `None` for a common card.
    pub fn own_view(plan: &Plan, target: &PlannedTarget) -> Option<VisibleCard> {
        target.key.user()?;
        let fallback = match plan.common_defaults.contains_key(&target.key.lead) {
            true => VisibleCard::SetForAll,
            false => VisibleCard::BuiltIn,
        };
        Some(after(target, fallback, VisibleCard::OwnCard))
    }
}

impl Effective {
    /// Returns what people see afterwards, in words.
    pub(super) fn sight(&self, plan: &Plan, target: &PlannedTarget) -> Text {
        let common = self.common_view(target.key.lead);
        match Self::own_view(plan, target) {
            Some(own) => tr!("own view: {own}; common view: {common}", own, common),
            None => tr!("common view: {common}", common),
        }
    }
}

/// Returns the card of a target after the plan is applied.
fn after(target: &PlannedTarget, fallback: VisibleCard, arranged: VisibleCard) -> VisibleCard {
    match &target.decision {
        Decision::Reset(_) => fallback,
        Decision::Keep(
            KeepReason::AtDefault | KeepReason::CommonDefault | KeepReason::AlreadyReset(_),
        ) => fallback,
        Decision::Keep(KeepReason::CustomizedAgain(_)) => arranged,
        Decision::Hold(_) => VisibleCard::Unknown,
    }
}
