//! The guards: limits on how much a run may remove, whatever the manifest selects.
//!
//! A guard never blocks a plan. It says what it found and which lines in a manifest would allow exactly that; a plan with a
//! breach cannot become an [`super::ApprovedPlan`]. There is no general way around them, on purpose: a switch that turns
//! all guards off is switched on once and stays on.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::{GuardLimits, LeadCustomerType, UserId};

/// Below this many people the share of the portal does not count: in a company of thirty, four are a normal change.
const FEW_PEOPLE: u32 = 10;

/// A selection may shrink by this share from one run to the next, in percent.
const MAX_SHRINK_PERCENT: u32 = 20;

/// How many people and cards a plan hits. What the guards look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The people who would lose at least one card, by id.
    pub people: Vec<UserId>,
    /// The common cards that would be lost.
    pub common: BTreeSet<LeadCustomerType>,
    /// How many people the manifests select, whether anything is to be done for them or not.
    pub selected: u32,
    /// How many they selected in the last run on this portal, if known.
    pub previous_selection: Option<u32>,
    /// How many active people the portal has.
    pub active_users: u32,
    /// Whose webhook it is.
    pub caller: UserId,
}

/// What the guards say about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardReport {
    /// What was measured.
    pub measure: Measure,
    /// What stands against the plan; empty if it may be applied.
    pub breaches: Vec<Breach>,
    /// What would stand against it, had a manifest not acknowledged it.
    pub acknowledged: Vec<Breach>,
}

/// One limit that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// More people than `maxUsers` allows.
    TooManyPeople {
        /// The people hit.
        people: u32,
        /// The limit.
        limit: u32,
    },
    /// A larger share of the portal than `maxPercentOfUsers` allows.
    TooLargeShare {
        /// The people hit.
        people: u32,
        /// The active people of the portal.
        active: u32,
        /// The limit in percent.
        limit: u8,
    },
    /// A common card.
    CommonCard(LeadCustomerType),
    /// A card of somebody who is not to be hit by mistake.
    SpecialPerson(UserId, SpecialPerson),
    /// A card of a protected person. Nothing lifts this.
    Protected(UserId),
    /// The manifests select far fewer people than in the last run: a department or a filter may have gone wrong.
    Shrunk {
        /// The people selected now.
        now: u32,
        /// The people selected then.
        before: u32,
    },
}

/// Why a person is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialPerson {
    /// User 1: whom the portal takes when an id goes wrong.
    FirstUser,
    /// The owner of the webhook: whom the portal takes when an id is lost.
    Caller,
}

/// Measures a plan against the limits.
pub(super) fn report(measure: Measure, limits: &GuardLimits) -> GuardReport {
    let GuardLimits {
        max_users,
        max_percent_of_users,
        acknowledged_users,
        acknowledged_selection,
        acknowledged_common,
        acknowledged_people,
        protected,
    } = limits;
    let people = u32::try_from(measure.people.len()).unwrap_or(u32::MAX);
    let people_acknowledged = acknowledged_users.is_some_and(|number| people <= number);
    let mut found: Vec<(Breach, bool)> = Vec::new();
    if people > *max_users {
        found.push((Breach::TooManyPeople { people, limit: *max_users }, people_acknowledged));
    }
    let share_broken = u64::from(people) * 100 > u64::from(measure.active_users) * u64::from(*max_percent_of_users);
    if people > FEW_PEOPLE && share_broken {
        let breach = Breach::TooLargeShare { people, active: measure.active_users, limit: *max_percent_of_users };
        found.push((breach, people_acknowledged));
    }
    for lead in &measure.common {
        found.push((Breach::CommonCard(*lead), acknowledged_common.contains(lead)));
    }
    for user in &measure.people {
        let special = match *user {
            user if user == measure.caller => Some(SpecialPerson::Caller),
            UserId::FIRST => Some(SpecialPerson::FirstUser),
            _ => None,
        };
        if let Some(special) = special {
            found.push((Breach::SpecialPerson(*user, special), acknowledged_people.contains(user)));
        }
        if protected.contains(user) {
            found.push((Breach::Protected(*user), false));
        }
    }
    if let Some(before) = measure.previous_selection {
        let now = measure.selected;
        if u64::from(now) * 100 < u64::from(before) * u64::from(100 - MAX_SHRINK_PERCENT) {
            let acknowledged = acknowledged_selection.is_some_and(|number| number <= now);
            found.push((Breach::Shrunk { now, before }, acknowledged));
        }
    }
    let (acknowledged, breaches): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, acknowledged)| *acknowledged);
    let bare = |found: Vec<(Breach, bool)>| found.into_iter().map(|(breach, _)| breach).collect();
    GuardReport { measure, breaches: bare(breaches), acknowledged: bare(acknowledged) }
}

impl GuardReport {
    /// Whether nothing stands against the plan.
    pub fn holds(&self) -> bool {
        self.breaches.is_empty()
    }

    /// The lines that would allow what the plan does, to be put under `spec` of a manifest; nothing if no line can.
    pub fn acknowledgement(&self) -> Option<String> {
        let mut users = None;
        let mut selection = None;
        let mut common = Vec::new();
        let mut people = Vec::new();
        for breach in &self.breaches {
            match breach {
                Breach::TooManyPeople { people, .. } | Breach::TooLargeShare { people, .. } => users = Some(*people),
                Breach::CommonCard(lead) => common.push(lead.word().to_owned()),
                Breach::SpecialPerson(user, _) => people.push(user.to_string()),
                Breach::Shrunk { now, .. } => selection = Some(*now),
                Breach::Protected(_) => return None,
            }
        }
        let mut entries = Vec::new();
        entries.extend(users.map(|number| format!("users: {number}")));
        entries.extend(selection.map(|number| format!("selection: {number}")));
        for (key, list) in [("common", common), ("people", people)] {
            if !list.is_empty() {
                entries.push(format!("{key}: [{}]", list.join(", ")));
            }
        }
        (!entries.is_empty()).then(|| format!("guards:\n  acknowledge: {{ {} }}", entries.join(", ")))
    }
}

impl Breach {
    /// The word for machine output; never changes.
    pub fn word(&self) -> &'static str {
        match self {
            Self::TooManyPeople { .. } => "too-many-people",
            Self::TooLargeShare { .. } => "too-large-share",
            Self::CommonCard(_) => "common-card",
            Self::SpecialPerson(_, SpecialPerson::FirstUser) => "first-user",
            Self::SpecialPerson(_, SpecialPerson::Caller) => "caller",
            Self::Protected(_) => "protected",
            Self::Shrunk { .. } => "selection-shrank",
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::TooManyPeople { people, limit } => tr!(
                "{n} person would lose a card; the limit maxUsers is {limit}"
                    | "{n} people would lose a card; the limit maxUsers is {limit}" % *people,
                limit
            ),
            Self::TooLargeShare { people, active, limit } => tr!(
                "{n} of {active} active people would lose a card; the limit maxPercentOfUsers is {limit} %"
                    | "{n} of {active} active people would lose a card; the limit maxPercentOfUsers is {limit} %"
                        % *people,
                active,
                limit
            ),
            Self::CommonCard(LeadCustomerType::Simple) => {
                tr!("the common card for simple leads would be lost, for everybody who looks at it")
            }
            Self::CommonCard(LeadCustomerType::Repeat) => {
                tr!("the common card for repeat leads would be lost, for everybody who looks at it")
            }
            Self::SpecialPerson(user, SpecialPerson::FirstUser) => {
                tr!("user {user} would lose a card: usually the portal's first administrator", user)
            }
            Self::SpecialPerson(user, SpecialPerson::Caller) => {
                tr!("user {user} would lose a card: the owner of the webhook", user)
            }
            Self::Protected(user) => tr!("user {user} would lose a card, and is protected", user),
            Self::Shrunk { now, before } => tr!(
                "the manifests select {n} person, and selected {before} in the last run"
                    | "the manifests select {n} people, and selected {before} in the last run" % *now,
                before
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn measure(people: u64, active_users: u32) -> Measure {
        Measure {
            people: (2..people + 2).map(user).collect(),
            common: BTreeSet::new(),
            selected: 100,
            previous_selection: None,
            active_users,
            caller: user(1000),
        }
    }

    fn words(report: &GuardReport) -> Vec<&'static str> {
        report.breaches.iter().map(Breach::word).collect()
    }

    #[test]
    fn twenty_five_people_pass_and_one_more_does_not() {
        let limits = GuardLimits::default();
        assert!(report(measure(25, 1000), &limits).holds());
        assert_eq!(words(&report(measure(26, 1000), &limits)), ["too-many-people"]);
    }

    #[test]
    fn an_acknowledgement_covers_its_number_and_not_one_more() {
        let limits = GuardLimits { acknowledged_users: Some(37), ..GuardLimits::default() };
        assert!(report(measure(37, 100), &limits).holds());
        let refused = report(measure(38, 100), &limits);
        assert_eq!(words(&refused), ["too-many-people", "too-large-share"]);
        assert_eq!(refused.acknowledgement().unwrap(), "guards:\n  acknowledge: { users: 38 }");
    }

    #[test]
    fn the_share_counts_only_for_more_than_ten_people() {
        let limits = GuardLimits::default();
        assert!(report(measure(10, 20), &limits).holds());
        assert_eq!(words(&report(measure(11, 20), &limits)), ["too-large-share"]);
        assert!(report(measure(11, 110), &limits).holds());
        assert_eq!(words(&report(measure(11, 109), &limits)), ["too-large-share"]);
    }

    #[test]
    fn user_1_the_caller_and_common_cards_need_their_names() {
        let mut hit = measure(0, 1000);
        hit.people = vec![user(1), user(1000)];
        hit.common.insert(LeadCustomerType::Repeat);
        let refused = report(hit.clone(), &GuardLimits::default());
        assert_eq!(words(&refused), ["common-card", "first-user", "caller"]);
        let lines = refused.acknowledgement().unwrap();
        assert_eq!(lines, "guards:\n  acknowledge: { common: [repeat], people: [1, 1000] }");
        let limits = GuardLimits {
            acknowledged_common: [LeadCustomerType::Repeat].into(),
            acknowledged_people: [user(1), user(1000)].into(),
            ..GuardLimits::default()
        };
        let allowed = report(hit, &limits);
        assert!(allowed.holds());
        assert_eq!(allowed.acknowledged.len(), 3);
    }

    #[test]
    fn nothing_lifts_a_protection() {
        let limits = GuardLimits {
            protected: [user(2)].into(),
            acknowledged_people: [user(2)].into(),
            acknowledged_users: Some(100),
            ..GuardLimits::default()
        };
        let refused = report(measure(1, 1000), &limits);
        assert_eq!(words(&refused), ["protected"]);
        assert_eq!(refused.acknowledgement(), None);
    }

    #[test]
    fn a_selection_may_shrink_by_a_fifth() {
        let shrunk = |now, before, acknowledged| {
            let limits = GuardLimits { acknowledged_selection: acknowledged, ..GuardLimits::default() };
            words(&report(Measure { selected: now, previous_selection: Some(before), ..measure(0, 1000) }, &limits))
        };
        assert!(shrunk(80, 100, None).is_empty());
        assert_eq!(shrunk(79, 100, None), ["selection-shrank"]);
        assert!(shrunk(79, 100, Some(79)).is_empty());
        assert_eq!(shrunk(78, 100, Some(79)), ["selection-shrank"]);
    }
}
