//! What people will see after a plan is applied, as far as it can be known.
//!
//! Everybody looks at one of several views of the card: their own, the common one, or one made for
//! some. Which one is a switch that the portal shows to nobody, so both answers are told. In their
//! own view people without a card see what was set for all, else the card that is built into the
//! portal; in the common view the common card, else the built-in one.

use std::collections::BTreeMap;
use std::fmt;

use crate::i18n::Text;
use crate::model::{CardKey, CardState, LeadCustomerType, Observed, Snapshot};
use crate::plan::{Decision, KeepReason, Plan, PlannedTarget};

/// A card that somebody sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleCard {
    /// The one that they arranged for themselves.
    OwnCard,
    /// The one that an administrator set for all.
    SetForAll,
    /// The common card, arranged by an administrator.
    CommonCard,
    /// The one that is built into the portal.
    BuiltIn,
    /// It cannot be known.
    Unknown,
}

/// What the common view will show, for each kind of lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    common: BTreeMap<LeadCustomerType, VisibleCard>,
}

impl VisibleCard {
    /// The word for machine output; never changes.
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
    /// The common cards that a plan says nothing of, and that must be read to know what people will
    /// see.
    pub fn missing(plan: &Plan) -> Vec<CardKey> {
        let common = LeadCustomerType::ALL.map(CardKey::common);
        common
            .into_iter()
            .filter(|key| plan.targets.iter().all(|target| target.key != *key))
            .collect()
    }

    /// From a plan, and a look at the common cards that it says nothing of.
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

    /// What the common view will show.
    pub fn common_view(&self, lead: LeadCustomerType) -> VisibleCard {
        self.common.get(&lead).copied().unwrap_or(VisibleCard::Unknown)
    }

    /// What a person's own view will show; nothing for a common card, which nobody's own view
    /// shows.
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

/// What stands where a target is, once the plan is applied.
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
