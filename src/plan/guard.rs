//! Guards: limits on the blast radius of a run, whatever the manifests select.
//!
//! A guard reports its findings and the lines in a manifest that would allow exactly this plan; a
//! plan with a violation cannot become an [`super::ApprovedPlan`]. There is no switch that turns
//! all guards off: once set in a pipeline, it would stay set.
//!
//! Limits and acknowledgements belong to the manifest that states them. Each manifest's own count
//! is measured against its own limits and acknowledgements; the count of the run is measured
//! against the smallest limit, unless every manifest that contributes to it acknowledges its part.
//! A target of two manifests needs both.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::i18n::Text;
use crate::model::{CardKind, GuardLimits, KindNames, ManifestLimits, UserId};

/// Number of people below which the share of the portal does not count: in a company of thirty,
/// four are a normal change.
const FEW_PEOPLE: u32 = 10;

/// Share by which a selection may shrink from one run to the next, in percent.
const MAX_SHRINK_PERCENT: u32 = 20;

/// Blast radius of a plan: the people and cards that the guards measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Impact {
    /// The people who would lose at least one card, by id.
    pub people: Vec<UserId>,
    /// The common cards that would be lost.
    pub common: BTreeSet<CardKind>,
    /// The contribution of each manifest, by its name.
    pub manifests: BTreeMap<Arc<str>, ManifestImpact>,
    /// The number of people that each manifest selected in its last run on this portal, where it is
    /// known.
    pub previous_selections: BTreeMap<Arc<str>, u32>,
    /// Active users of the portal, guests included.
    pub active_users: u32,
    /// Employees of the portal: active users with a department. `None` if they were not counted;
    /// any share that counts is then too large.
    pub employees: Option<u32>,
    /// The user behind the webhook URL.
    pub caller: UserId,
}

/// Blast radius of one manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManifestImpact {
    /// The people who would lose at least one card that the manifest selects, by id.
    pub people: Vec<UserId>,
    /// The common cards that would be lost.
    pub common: BTreeSet<CardKind>,
    /// The people whom the manifest selects, by id, unchanged ones included.
    pub selected: Vec<UserId>,
}

/// Findings of the guards about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardReport {
    /// The measured blast radius.
    pub impact: Impact,
    /// The limits of the measurement.
    pub limits: GuardLimits,
    /// The violations that block the plan; empty if it may be applied.
    pub violations: Vec<Violation>,
    /// The violations that a manifest acknowledges.
    pub acknowledged: Vec<Violation>,
}

/// One limit that a plan violates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The source of the limit.
    pub source: LimitSource,
    /// The kind of violation.
    pub kind: ViolationKind,
}

/// Source of a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitSource {
    /// The only manifest of the run.
    OnlyManifest,
    /// One of several manifests, by its name.
    Manifest(Arc<str>),
    /// All manifests together: the smallest of their limits.
    AllManifests,
    /// The command line: `--max-users`.
    CommandLine,
}

/// Kind of violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViolationKind {
    /// More people than `maxUsers` allows.
    TooManyPeople {
        /// The number of people affected.
        people: u32,
        /// The limit.
        limit: u32,
    },
    /// A larger share of the employees than `maxPercentOfUsers` allows.
    TooLargeShare {
        /// The number of people affected.
        people: u32,
        /// The employees of the portal.
        employees: u32,
        /// The limit in percent.
        limit: u8,
    },
    /// A common card.
    CommonCard(CardKind),
    /// A card of a person who is easily reset by mistake.
    SpecialPerson(UserId, SpecialPerson),
    /// A card of a protected person. No acknowledgement lifts this.
    Protected(UserId),
    /// A manifest selects far fewer people than in its last run: a department or a filter may be
    /// wrong.
    Shrunk {
        /// The people selected now.
        now: u32,
        /// The people selected then.
        before: u32,
    },
}

/// Reason why a person is special.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialPerson {
    /// User 1: the user that the portal takes for an invalid id.
    FirstUser,
    /// The caller: the user that the portal takes for a missing id.
    Caller,
}

/// Violations, each with `true` if it is acknowledged.
type MeasuredViolations = Vec<(Violation, bool)>;

/// Measures a plan against the limits.
pub(super) fn report(impact: Impact, limits: &GuardLimits) -> GuardReport {
    let mut found = MeasuredViolations::new();
    let names: BTreeSet<&Arc<str>> =
        limits.manifests.keys().chain(impact.manifests.keys()).collect();
    let several = names.len() > 1;
    let (stated, nothing) = (ManifestLimits::default(), ManifestImpact::default());
    let parties: Vec<Party<'_>> = names
        .into_iter()
        .map(|name| Party {
            source: if several {
                LimitSource::Manifest(Arc::clone(name))
            } else {
                LimitSource::OnlyManifest
            },
            limits: limits.manifests.get(name).unwrap_or(&stated),
            impact: impact.manifests.get(name).unwrap_or(&nothing),
            before: impact.previous_selections.get(name).copied(),
        })
        .collect();
    for party in &parties {
        party.find(&impact, &mut found);
    }
    if several {
        together(&parties, &impact, &mut found);
    }
    let people = count(&impact.people);
    if let Some(limit) = limits.max_users.filter(|limit| people > *limit) {
        let kind = ViolationKind::TooManyPeople { people, limit };
        found.push((Violation { source: LimitSource::CommandLine, kind }, false));
    }
    let protected = limits.protected();
    for user in impact.people.iter().filter(|user| protected.contains(user)) {
        let by = parties.iter().find(|party| party.limits.protected.contains(user));
        let source = by.map_or(LimitSource::AllManifests, |party| party.source.clone());
        found.push((Violation { source, kind: ViolationKind::Protected(*user) }, false));
    }
    let (acknowledged, violations): (MeasuredViolations, MeasuredViolations) =
        found.into_iter().partition(|(_, acknowledged)| *acknowledged);
    let bare =
        |found: MeasuredViolations| found.into_iter().map(|(violation, _)| violation).collect();
    GuardReport {
        impact,
        limits: limits.clone(),
        violations: bare(violations),
        acknowledged: bare(acknowledged),
    }
}

/// Manifest of the run with its limits and its blast radius.
struct Party<'a> {
    source: LimitSource,
    limits: &'a ManifestLimits,
    impact: &'a ManifestImpact,
    before: Option<u32>,
}

impl Party<'_> {
    fn people(&self) -> u32 {
        count(&self.impact.people)
    }

    fn acknowledges_people(&self) -> bool {
        self.limits.acknowledged_users.is_some_and(|number| self.people() <= number)
    }

    /// Returns `true` if the limit counts for the run: it is stated, or the manifest affects
    /// people.
    fn counts(&self, stated: bool) -> bool {
        stated || self.people() > 0
    }

    /// Measures the targets of the manifest against its own limits.
    fn find(&self, run: &Impact, found: &mut MeasuredViolations) {
        let mut add = |kind, acknowledged| {
            found.push((Violation { source: self.source.clone(), kind }, acknowledged));
        };
        let people = self.people();
        if let Some(kind) = too_many(people, self.limits.people()) {
            add(kind, self.acknowledges_people());
        }
        if let Some(kind) = too_large_a_share(people, run.employees, self.limits.percent()) {
            add(kind, self.acknowledges_people());
        }
        for lead in &self.impact.common {
            add(ViolationKind::CommonCard(*lead), self.limits.acknowledged_common.contains(lead));
        }
        for user in &self.impact.people {
            let special = match *user {
                user if user == run.caller => SpecialPerson::Caller,
                UserId::FIRST => SpecialPerson::FirstUser,
                _ => continue,
            };
            add(
                ViolationKind::SpecialPerson(*user, special),
                self.limits.acknowledged_people.contains(user),
            );
        }
        if let Some(before) = self.before {
            let now = count(&self.impact.selected);
            if u64::from(now) * 100 < u64::from(before) * u64::from(100 - MAX_SHRINK_PERCENT) {
                let acknowledged =
                    self.limits.acknowledged_selection.is_some_and(|number| number <= now);
                add(ViolationKind::Shrunk { now, before }, acknowledged);
            }
        }
    }
}

/// Measures the targets of several manifests together against the smallest of their limits.
fn together(parties: &[Party<'_>], run: &Impact, found: &mut MeasuredViolations) {
    let contributing: Vec<&Party<'_>> = parties.iter().filter(|party| party.people() > 0).collect();
    let acknowledged = contributing.iter().all(|party| party.acknowledges_people());
    let people = count(&run.people);
    let counting = |party: &&Party<'_>| party.counts(party.limits.max_users.is_some());
    let least = parties.iter().filter(counting).map(|party| party.limits.people()).min();
    let counting = |party: &&Party<'_>| party.counts(party.limits.max_percent_of_users.is_some());
    let least_percent = parties.iter().filter(counting).map(|party| party.limits.percent()).min();
    // The targets of a single manifest were measured against its own limits already.
    let alone = match contributing.as_slice() {
        [one] => Some(one.limits),
        _ => None,
    };
    let mut add =
        |kind| found.push((Violation { source: LimitSource::AllManifests, kind }, acknowledged));
    if let Some(limit) = least.filter(|limit| alone.is_none_or(|alone| alone.people() > *limit)) {
        too_many(people, limit).into_iter().for_each(&mut add);
    }
    if let Some(limit) =
        least_percent.filter(|limit| alone.is_none_or(|alone| alone.percent() > *limit))
    {
        too_large_a_share(people, run.employees, limit).into_iter().for_each(&mut add);
    }
}

fn too_many(people: u32, limit: u32) -> Option<ViolationKind> {
    (people > limit).then_some(ViolationKind::TooManyPeople { people, limit })
}

fn too_large_a_share(people: u32, employees: Option<u32>, limit: u8) -> Option<ViolationKind> {
    let employees = employees.unwrap_or_default();
    let broken = u64::from(people) * 100 > u64::from(employees) * u64::from(limit);
    (people > FEW_PEOPLE && broken).then_some(ViolationKind::TooLargeShare {
        people,
        employees,
        limit,
    })
}

pub(super) fn count(people: &[UserId]) -> u32 {
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}

impl GuardReport {
    /// Returns `true` if the share of the portal counts, and its employees were not counted yet.
    pub fn lacks_employees(&self) -> bool {
        self.impact.employees.is_none() && count(&self.impact.people) > FEW_PEOPLE
    }

    /// Measures again, with the number of employees.
    #[must_use]
    pub fn with_employees(self, employees: u32) -> Self {
        report(Impact { employees: Some(employees), ..self.impact }, &self.limits)
    }

    /// Returns `true` if no guard blocks the plan.
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }
}

impl Violation {
    /// Returns the stable word for machine output.
    pub fn as_str(&self) -> &'static str {
        match self.kind {
            ViolationKind::TooManyPeople { .. } => "too-many-people",
            ViolationKind::TooLargeShare { .. } => "too-large-share",
            ViolationKind::CommonCard(_) => "common-card",
            ViolationKind::SpecialPerson(_, SpecialPerson::FirstUser) => "first-user",
            ViolationKind::SpecialPerson(_, SpecialPerson::Caller) => "caller",
            ViolationKind::Protected(_) => "protected",
            ViolationKind::Shrunk { .. } => "selection-shrank",
        }
    }

    /// Returns the name of the manifest whose limit it is, where the run has several.
    pub fn manifest(&self) -> Option<&str> {
        match &self.source {
            LimitSource::Manifest(name) => Some(name),
            LimitSource::OnlyManifest | LimitSource::AllManifests | LimitSource::CommandLine => {
                None
            }
        }
    }
}

impl fmt::Display for Violation {
    /// Writes the violation with ids in place of names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(&KindNames::default()))
    }
}

impl Violation {
    /// Returns the violation in words, with the names of kinds of cards that are known. They are
    /// foreign text: every format escapes the words.
    pub fn words(&self, names: &KindNames) -> Text {
        match (&self.source, &self.kind) {
            (LimitSource::Manifest(name), kind) => {
                tr!("manifest {name}: {kind}", name, kind = kind.words(names))
            }
            (LimitSource::AllManifests, ViolationKind::TooManyPeople { people, limit }) => tr!(
                "{n} person of all manifests would lose a card; the smallest limit maxUsers is {limit}"
                    | "{n} people of all manifests would lose a card; the smallest limit maxUsers is {limit}"
                        % *people,
                limit
            ),
            (
                LimitSource::AllManifests,
                ViolationKind::TooLargeShare { people, employees, limit },
            ) => tr!(
                "{n} of {employees} employees would lose a card by all manifests; the smallest limit \
                     maxPercentOfUsers is {limit} %"
                    | "{n} of {employees} employees would lose a card by all manifests; the smallest limit \
                           maxPercentOfUsers is {limit} %"
                        % *people,
                employees,
                limit
            ),
            (LimitSource::CommandLine, ViolationKind::TooManyPeople { people, limit }) => tr!(
                "{n} person would lose a card; the limit maxUsers is {limit}, by --max-users"
                    | "{n} people would lose a card; the limit maxUsers is {limit}, by --max-users"
                        % *people,
                limit
            ),
            (
                LimitSource::OnlyManifest | LimitSource::AllManifests | LimitSource::CommandLine,
                kind,
            ) => kind.words(names),
        }
    }
}

impl ViolationKind {
    fn words(&self, names: &KindNames) -> Text {
        match self {
            Self::TooManyPeople { people, limit } => tr!(
                "{n} person would lose a card; the limit maxUsers is {limit}"
                    | "{n} people would lose a card; the limit maxUsers is {limit}" % *people,
                limit
            ),
            Self::TooLargeShare { people, employees, limit } => tr!(
                "{n} of {employees} employees would lose a card; the limit maxPercentOfUsers is {limit} %"
                    | "{n} of {employees} employees would lose a card; the limit maxPercentOfUsers is {limit} %"
                        % *people,
                employees,
                limit
            ),
            Self::CommonCard(kind) => tr!(
                "the common card for {kind} would be lost, for everybody who looks at it",
                kind = names.words(*kind, str::to_owned)
            ),
            Self::SpecialPerson(user, SpecialPerson::FirstUser) => {
                tr!("user {user} would lose a card: usually the portal's first administrator", user)
            }
            Self::SpecialPerson(user, SpecialPerson::Caller) => {
                tr!("user {user} would lose a card: the owner of the webhook", user)
            }
            Self::Protected(user) => tr!("user {user} would lose a card, and is protected", user),
            Self::Shrunk { now, before } => tr!(
                "the manifests select {n} person, and selected {before} in the last run"
                    | "the manifests select {n} people, and selected {before} in the last run"
                        % *now,
                before
            ),
        }
    }
}

#[cfg(test)]
mod tests;
