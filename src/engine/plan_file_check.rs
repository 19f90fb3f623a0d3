//! Check of a plan file against the present state of the portal.
//!
//! A reviewed plan may be executed in part, but never more of it, nor anything else. The executed
//! plan is therefore made anew from the plan file and the present state, and then cut down to the
//! targets that still hold exactly the reviewed layout. All other targets get their outcome at
//! once, with the reason. This includes the cards of people who were dismissed since: a manifest
//! does not select them, unless it names them by id, and neither does a plan made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TargetOutcome;
use super::compare::unselected;
use crate::i18n::english;
use crate::model::{
    CardKey, CardKind, DesiredState, DesiredTarget, Mode, Outcome, Person, Selector, UserId,
};
use crate::plan::{Decision, KeepReason, Plan, PlanExtent, Removal};
use crate::records::plan_file::{PlanFileContent, PlanFileMark, PlanFileTarget, PlannedRemoval};

/// Remaining part of a reviewed plan.
#[derive(Clone, Debug)]
pub struct CheckedPlanFile {
    /// The plan that may be applied. Its guards were measured anew.
    pub plan: Plan,
    /// The targets of the file that are left alone, with the reason.
    pub settled: Vec<TargetOutcome>,
}

/// Returns the people whose cards a plan file resets, to be looked up again.
pub fn reviewed_people(file: &PlanFileContent) -> Vec<UserId> {
    let people: BTreeSet<UserId> =
        file.targets.iter().filter_map(|target| target.key.user()).collect();
    people.into_iter().collect()
}

/// Returns the targets of a plan file as if manifests had named them, to be read and planned again;
/// `people` are those of [`reviewed_people`] that the portal still knows, and `manifests` is the
/// present resolution of the manifests, if they are given.
pub fn reviewed_targets(
    file: &PlanFileContent,
    people: &BTreeMap<UserId, Person>,
    manifests: Option<&DesiredState>,
) -> DesiredState {
    let resets = file.targets.iter().map(|target| {
        let PlanFileTarget { key, removal: _, generation, origin, name: _, also: _ } = target;
        let mode = generation.clone().map_or(Mode::Enforce, Mode::Once);
        DesiredTarget { key: *key, mode, origin: Arc::new(origin.clone()) }
    });
    let marks = file.marks.iter().map(|mark| {
        let PlanFileMark { key, generation, origin } = mark;
        DesiredTarget {
            key: *key,
            mode: Mode::Once(generation.clone()),
            origin: Arc::new(origin.clone()),
        }
    });
    let mut targets: Vec<DesiredTarget> = resets.chain(marks).collect();
    targets.sort_by_key(|target| target.key);
    let person = |target: &PlanFileTarget| {
        let id = target.key.user()?;
        let present = people.get(&id).map(|person| &person.name);
        let name = present.filter(|name| !name.as_str().is_empty()).unwrap_or(&target.name).clone();
        let active = people.get(&id).is_some_and(|person| person.active);
        Some((id, Person { id, name, email: None, active, departments: Vec::new() }))
    };
    let named = file.targets.iter().filter_map(person).collect();
    let (guards, shared) = match manifests {
        Some(manifests) => (manifests.guards.clone(), manifests.shared.clone()),
        None => {
            let also = file.targets.iter().filter(|target| !target.also.is_empty());
            (file.limits.clone(), also.map(|target| (target.key, target.also.clone())).collect())
        }
    };
    let kinds = file.kinds.clone();
    DesiredState { targets, people: named, guards, shared, kinds, ..DesiredState::default() }
}

/// Cuts a plan that was made from [`reviewed_targets`] down to the reviewed and unchanged targets.
/// If manifests are given, only targets that they select now remain, and their limits count. If
/// not, a target of a `renamed` kind is left alone: the kind that was meant is not known.
pub fn check_plan_file(
    file: &PlanFileContent,
    people: &BTreeMap<UserId, Person>,
    renamed: &BTreeSet<CardKind>,
    manifests: Option<&DesiredState>,
    now: Plan,
) -> CheckedPlanFile {
    let decisions: BTreeMap<CardKey, &Decision> =
        now.targets.iter().map(|target| (target.key, &target.decision)).collect();
    let mut settled = Vec::new();
    let mut left: BTreeSet<CardKey> = BTreeSet::new();
    for target in &file.targets {
        let out = no_longer_selected(target, people).or_else(|| match manifests {
            Some(manifests) => unselected(target, manifests),
            None => renamed.contains(&target.key.kind).then(renamed_outcome),
        });
        match out.or_else(|| compare(target.removal, decisions.get(&target.key).copied())) {
            None => {
                left.insert(target.key);
            }
            Some(outcome) => settled.push(TargetOutcome { key: target.key, outcome }),
        }
    }
    // A card at its default is remembered in mode `once`, whether its reset stood in the file or
    // not.
    let at_default = |decision: &Decision| {
        matches!(decision, Decision::Keep(KeepReason::AtDefault | KeepReason::CommonDefault))
    };
    left.extend(decisions.iter().filter(|(_, decision)| at_default(decision)).map(|(key, _)| *key));
    let plan = match manifests {
        Some(manifests) => now.restricted_to(&left, &manifests.selected(), &manifests.guards),
        None => now.restricted_to(&left, &file.selected, &file.limits),
    };
    let extent = if file.narrowed { PlanExtent::Partial } else { PlanExtent::Whole };
    CheckedPlanFile { plan: Plan { extent, ..plan }, settled }
}

fn renamed_outcome() -> Outcome {
    let reason = tr_later!("its pipeline or type has another name than in the plan");
    Outcome::NotAttempted(reason.to_owned())
}

/// Returns the people whose cards are left alone because the manifest would not select them now.
fn no_longer_selected(
    target: &PlanFileTarget,
    people: &BTreeMap<UserId, Person>,
) -> Option<Outcome> {
    let person = people.get(&target.key.user()?);
    let reason = match (person, &target.origin.selector) {
        (None, _) => tr_later!("the portal does not know the person any more"),
        (Some(Person { email: Some(present), .. }), Selector::Email(planned))
            if present.to_lowercase() != **planned =>
        {
            tr_later!("the person has another e-mail than the one that selected them")
        }
        (Some(Person { active: true, .. }), _) | (Some(_), Selector::Id) => return None,
        (
            Some(_),
            Selector::Email(_) | Selector::Department { .. } | Selector::All | Selector::Common,
        ) => {
            tr_later!("the person was dismissed after the plan was made, and is not selected by id")
        }
    };
    Some(Outcome::NotAttempted(reason.to_owned()))
}

/// Returns the immediate outcome of a target; `None` if it is as it was reviewed.
fn compare(reviewed: PlannedRemoval, now: Option<&Decision>) -> Option<Outcome> {
    match (reviewed, now) {
        (PlannedRemoval::Layout(digest), Some(Decision::Reset(Removal::Layout(layout))))
            if layout.digest() == digest =>
        {
            None
        }
        (PlannedRemoval::Unread, Some(Decision::Reset(Removal::Unread))) => None,
        // Another layout; or one that could not be read when the plan was reviewed, and can now.
        (_, Some(Decision::Reset(_))) => Some(Outcome::Changed),
        (_, Some(Decision::Keep(KeepReason::CustomizedAgain(_)))) => Some(Outcome::Changed),
        (_, Some(Decision::Keep(_))) => Some(Outcome::AlreadyDefault),
        (_, Some(Decision::Hold(reason))) => Some(Outcome::NotAttempted(english(reason))),
        (_, None) => Some(Outcome::NotAttempted(tr_later!("was not looked at again").to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        CardState, Identity, ManifestLimits, Observed, PersonName, ReadTrust, ReleaseSign,
        Snapshot, TreeGap, TreeHole, TrustEvidence,
    };
    use crate::model::{PortalId, UnreadableReason};
    use crate::plan::{BlindReset, Policy, ViolationKind, plan};
    use crate::records::samples;

    fn snapshot(cards: Vec<(CardKey, Observed)>) -> Snapshot {
        let caller = Identity {
            user: UserId::new(99).unwrap(),
            name: PersonName::default(),
            portal_admin: true,
            active_users: 1000,
            release_sign: ReleaseSign::Trusted(TrustEvidence::WholeSeconds),
            emulator: false,
        };
        Snapshot {
            portal: PortalId::new("company.bitrix24.com").unwrap(),
            caller,
            trust: ReadTrust::Trusted(TrustEvidence::WholeSeconds),
            common_defaults: BTreeMap::new(),
            common_cards: BTreeMap::new(),
            cards,
        }
    }

    /// Returns a file that resets the cards of these people, each with the layout `mine`.
    fn file(people: &[u64]) -> PlanFileContent {
        let sample = samples::plan();
        let target = |id: &u64| PlanFileTarget {
            key: samples::personal(*id),
            removal: PlannedRemoval::Layout(samples::layout("mine").digest()),
            generation: None,
            also: BTreeSet::new(),
            ..sample.targets[1].clone()
        };
        PlanFileContent {
            kinds: Default::default(),
            narrowed: false,
            targets: people.iter().map(target).collect(),
            marks: Vec::new(),
            limits: Default::default(),
            selected: [("sales".into(), (2..102).map(|id| UserId::new(id).unwrap()).collect())]
                .into(),
            ..sample.clone()
        }
    }

    /// Returns all people of a file, still active.
    fn everybody(file: &PlanFileContent) -> BTreeMap<UserId, Person> {
        let person = |id: UserId| {
            let name = PersonName::default();
            (id, Person { id, name, email: None, active: true, departments: Vec::new() })
        };
        reviewed_people(file).into_iter().map(person).collect()
    }

    fn seen(layout: &str) -> Observed {
        Observed::Known(CardState::Customized(samples::layout(layout)))
    }

    fn reviewed(
        file: &PlanFileContent,
        cards: Vec<(CardKey, Observed)>,
        policy: &Policy,
    ) -> CheckedPlanFile {
        let people = everybody(file);
        check_plan_file(
            file,
            &people,
            &BTreeSet::new(),
            None,
            plan(&reviewed_targets(file, &people, None), &snapshot(cards), policy),
        )
    }

    fn kinds(plan: &Plan) -> Vec<ViolationKind> {
        plan.guards.violations.iter().map(|violation| violation.kind.clone()).collect()
    }

    #[test]
    fn plan_file_check_leaves_targets_that_are_as_reviewed() {
        let file = file(&[2, 3, 4, 5]);
        let unreadable = Observed::Unreadable(UnreadableReason::NoAnswer("nothing".into()));
        let cards = vec![
            (samples::personal(2), seen("mine")),
            (samples::personal(3), seen("newer")),
            (samples::personal(4), Observed::Known(CardState::Default)),
            (samples::personal(5), unreadable),
            // A target outside of the file.
            (samples::personal(6), seen("mine")),
        ];
        let CheckedPlanFile { plan, settled } = reviewed(&file, cards, &Policy::default());
        let resets: Vec<CardKey> = plan.resets().map(|target| target.key).collect();
        assert_eq!(resets, [samples::personal(2)]);
        let words: Vec<&str> = settled.iter().map(|target| target.outcome.as_str()).collect();
        assert_eq!(words, ["changed", "already-default", "not-attempted"]);
        assert_eq!(plan.guards.impact.people, [UserId::new(2).unwrap()]);
    }

    #[test]
    fn guards_are_measured_again_over_what_is_left() {
        let mut file = file(&[2, 3]);
        let limits = ManifestLimits { max_users: Some(1), ..ManifestLimits::default() };
        file.limits.manifests.insert("sales".into(), limits);
        let both = vec![(samples::personal(2), seen("mine")), (samples::personal(3), seen("mine"))];
        let refused = reviewed(&file, both, &Policy::default()).plan;
        assert_eq!(kinds(&refused), [ViolationKind::TooManyPeople { people: 2, limit: 1 }]);
        let one = vec![(samples::personal(2), seen("mine")), (samples::personal(3), seen("newer"))];
        assert!(reviewed(&file, one.clone(), &Policy::default()).plan.guards.holds());
        // The selection is that of the manifests, not that of the file.
        let policy =
            Policy { previous_selections: [("sales".into(), 126)].into(), ..Policy::default() };
        let shrunk = reviewed(&file, one, &policy).plan;
        assert_eq!(kinds(&shrunk), [ViolationKind::Shrunk { now: 100, before: 126 }]);
    }

    #[test]
    fn dismissed_user_is_out_of_the_plan_unless_named_by_id() {
        let mut file = file(&[2, 3, 4, 5]);
        file.targets[1].origin.selector = Selector::Id;
        let mut people = everybody(&file);
        for id in [2, 3] {
            people.get_mut(&UserId::new(id).unwrap()).unwrap().active = false;
        }
        people.remove(&UserId::new(4).unwrap());
        let cards = (2..6).map(|id| (samples::personal(id), seen("mine"))).collect();
        let now =
            plan(&reviewed_targets(&file, &people, None), &snapshot(cards), &Policy::default());
        let CheckedPlanFile { plan, settled } =
            check_plan_file(&file, &people, &BTreeSet::new(), None, now);
        let resets: Vec<CardKey> = plan.resets().map(|target| target.key).collect();
        assert_eq!(resets, [samples::personal(3), samples::personal(5)]);
        let told: Vec<String> =
            settled.iter().map(|target| format!("{} {}", target.key, target.outcome)).collect();
        let dismissed =
            "the person was dismissed after the plan was made, and is not selected by id";
        assert_eq!(
            told,
            [
                format!("personal/2/lead/simple not attempted: {dismissed}"),
                "personal/4/lead/simple not attempted: the portal does not know the person any more"
                    .to_owned(),
            ]
        );
        assert_eq!(plan.guards.impact.people.len(), 2);
    }

    #[test]
    fn card_that_is_no_longer_selected_is_left_alone_and_limits_count() {
        let file = file(&[2, 3, 4, 5]);
        let people = everybody(&file);
        let all = reviewed_targets(&file, &people, None);
        let limits = ManifestLimits { max_users: Some(0), ..ManifestLimits::default() };
        let mut manifests = DesiredState { people: BTreeMap::new(), ..all };
        manifests.guards.manifests = [("sales".into(), limits)].into();
        // User 3 left the department, user 4 may be excepted, and user 5 has another mode now.
        manifests.targets.remove(1);
        let department = crate::model::DepartmentId::new(41).unwrap();
        let gap =
            TreeGap { excepted: department, department, hole: TreeHole::NotListed(department) };
        manifests.gaps.insert(samples::personal(4), gap);
        manifests.targets[2].mode = Mode::Once(crate::model::Generation::new("2026-11").unwrap());
        let cards = (2..6).map(|id| (samples::personal(id), seen("mine"))).collect();
        let desired = reviewed_targets(&file, &people, Some(&manifests));
        let now = plan(&desired, &snapshot(cards), &Policy::default());
        let CheckedPlanFile { plan, settled } =
            check_plan_file(&file, &people, &BTreeSet::new(), Some(&manifests), now);
        assert_eq!(
            plan.resets().map(|target| target.key).collect::<Vec<_>>(),
            [samples::personal(2)]
        );
        let left: Vec<CardKey> = settled.iter().map(|target| target.key).collect();
        assert_eq!(left, [samples::personal(3), samples::personal(4), samples::personal(5)]);
        assert_eq!(kinds(&plan), [ViolationKind::TooManyPeople { people: 1, limit: 0 }]);
    }

    #[test]
    fn blind_reset_needs_a_review_of_its_own() {
        let mut blind = file(&[2, 3]);
        blind.targets[0].removal = PlannedRemoval::Unread;
        let unreadable = || Observed::Unreadable(UnreadableReason::ReadsNotTrusted);
        let policy = Policy { blind: BlindReset::Allowed, ..Policy::default() };
        let cards =
            vec![(samples::personal(2), unreadable()), (samples::personal(3), unreadable())];
        let CheckedPlanFile { plan, settled } = reviewed(&blind, cards, &policy);
        assert_eq!(
            plan.resets().map(|target| target.key).collect::<Vec<_>>(),
            [samples::personal(2)]
        );
        assert_eq!(
            settled,
            [TargetOutcome { key: samples::personal(3), outcome: Outcome::Changed }]
        );
        let readable =
            vec![(samples::personal(2), seen("mine")), (samples::personal(3), seen("mine"))];
        let CheckedPlanFile { plan, settled } = reviewed(&blind, readable, &policy);
        assert_eq!(
            plan.resets().map(|target| target.key).collect::<Vec<_>>(),
            [samples::personal(3)]
        );
        assert_eq!(
            settled,
            [TargetOutcome { key: samples::personal(2), outcome: Outcome::Changed }]
        );
    }

    #[test]
    fn card_that_is_only_remembered_is_never_reset() {
        let mut file = samples::plan();
        file.targets = Vec::new();
        let key = file.marks[0].key;
        let kept =
            reviewed(&file, vec![(key, Observed::Known(CardState::Default))], &Policy::default());
        assert_eq!(kept.plan.new_marks(), 1);
        let arranged = reviewed(&file, vec![(key, seen("mine"))], &Policy::default());
        assert_eq!((arranged.plan.targets.len(), arranged.settled.len()), (0, 0));
    }
}
