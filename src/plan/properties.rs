//! Laws that every plan obeys, tested on random worlds.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::*;

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn layout(number: u8) -> Layout {
    let json = format!(
        r#"[{{"name":"s{number}","title":"t","type":"section","elements":[{{"name":"TITLE"}}]}}]"#
    );
    Layout::from_json(&json).unwrap()
}

fn keys() -> impl Strategy<Value = CardKey> {
    let kinds = ["lead/simple", "lead/repeat", "deal/0", "deal/5", "contact"];
    (0_u64..8, prop::sample::select(kinds.to_vec())).prop_map(|(id, kind)| {
        let kind: CardKind = kind.parse().unwrap();
        if id == 0 { CardKey::common(kind) } else { CardKey::personal(user(id), kind) }
    })
}

fn observations() -> impl Strategy<Value = Observed> {
    prop_oneof![
        Just(Observed::Known(CardState::Default)),
        Just(Observed::Known(CardState::CommonDefault)),
        (0_u8..4).prop_map(|number| Observed::Known(CardState::Customized(layout(number)))),
        Just(Observed::Unreadable(UnreadableReason::ReadsNotTrusted)),
        Just(Observed::Unreadable(UnreadableReason::ReadsUnproven)),
        Just(Observed::Unreadable(UnreadableReason::NoAnswer("nothing".into()))),
        Just(Observed::Unreadable(UnreadableReason::Refused {
            code: String::new(),
            message: "Access denied.".into()
        })),
    ]
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![
        3 => Just(Mode::Enforce),
        1 => prop_oneof![Just("one"), Just("two")].prop_map(|name| Mode::Once(Generation::new(name).unwrap())),
    ]
}

fn origin() -> Arc<Origin> {
    Arc::new(Origin {
        manifest: "test".into(),
        reason: "to try".into(),
        place: SourceLocation { file: "test.yaml".into(), line: 1, column: 1 },
        selector: Selector::Id,
    })
}

prop_compose! {
    fn worlds()(
        wanted in prop::collection::btree_map(keys(), modes(), 0..12),
        seen in prop::collection::btree_map(keys(), observations(), 0..16),
        turns in prop::collection::btree_set((keys(), prop::bool::ANY), 0..6),
        protected in prop::collection::btree_set(1_u64..8, 0..3),
        caller in 1_u64..8,
        common_default in prop::option::of(10_u8..12),
        blind in prop::bool::ANY,
        untrusted in prop::bool::ANY,
        previous_selection in prop::option::of(0_u32..20),
        gaps in prop::collection::btree_set(keys(), 0..3),
    ) -> (DesiredState, Snapshot, Policy) {
        let origin = origin();
        let targets = wanted.into_iter().map(|(key, mode)| DesiredTarget { key, mode, origin: Arc::clone(&origin) });
        let protected = protected.into_iter().map(user).collect();
        let limits = ManifestLimits { protected, ..ManifestLimits::default() };
        let manifest = Arc::clone(&origin.manifest);
        let guards = GuardLimits { manifests: [(Arc::clone(&manifest), limits)].into(), max_users: None };
        let targets: Vec<DesiredTarget> = targets.collect();
        let department = DepartmentId::new(41).unwrap();
        let gap = TreeGap { excepted: department, department, hole: crate::model::TreeHole::NotListed(department) };
        let gaps = targets.iter().filter(|target| gaps.contains(&target.key)).map(|target| (target.key, gap)).collect();
        let desired = DesiredState { targets, guards, gaps, ..DesiredState::default() };
        let previous_selections = previous_selection.map(|people| (manifest, people)).into_iter().collect();
        // A portal whose reads are not trusted never shows another person's card as customized: the
        // engine drops such reads.
        let believable = |(key, observed): (CardKey, Observed)| match (&observed, key.user()) {
            (Observed::Known(CardState::Customized(_)), Some(id)) if untrusted && id != user(caller) => {
                (key, Observed::Unreadable(UnreadableReason::ReadsNotTrusted))
            }
            _ => (key, observed),
        };
        let snapshot = Snapshot {
            portal: PortalId::new("company.bitrix24.com").unwrap(),
            caller: Identity {
                user: user(caller), name: PersonName::default(), portal_admin: true, active_users: 50,
                release_sign: ReleaseSign::Unknown, emulator: false,
            },
            trust: if untrusted { ReadTrust::NotTrusted } else { ReadTrust::Trusted(TrustEvidence::WholeSeconds) },
            common_cards: std::collections::BTreeMap::new(),
            common_defaults: common_default.map(|number| (LeadCustomerType::Simple.into(), layout(number))).into_iter().collect(),
            cards: seen.into_iter().map(believable).collect(),
        };
        let mut ledger = Ledger::default();
        for (key, first) in turns {
            let generation = Generation::new(if first { "one" } else { "two" }).unwrap();
            ledger.record_reset(generation, key, LedgerEntry { removed: None });
        }
        let blind = if blind { BlindReset::Allowed } else { BlindReset::Never };
        (desired, snapshot, Policy { blind, ledger, previous_selections })
    }
}

proptest! {
    #[test]
    fn planning_twice_gives_the_same((desired, snapshot, policy) in worlds()) {
        let (one, other) = (plan(&desired, &snapshot, &policy), plan(&desired, &snapshot, &policy));
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn plan_has_one_decision_for_every_target_and_no_other((desired, snapshot, policy) in worlds()) {
        let made = plan(&desired, &snapshot, &policy);
        let planned: Vec<_> = made.targets.iter().map(|target| target.key).collect();
        let wanted: Vec<_> = desired.targets.iter().map(|target| target.key).collect();
        prop_assert_eq!(planned, wanted);
    }

    #[test]
    fn plan_after_an_apply_has_no_changes((desired, mut snapshot, mut policy) in worlds()) {
        let made = plan(&desired, &snapshot, &policy);
        let reset: BTreeSet<_> = made.resets().map(|target| target.key).collect();
        for (key, observed) in &mut snapshot.cards {
            if reset.contains(key) {
                *observed = Observed::Known(CardState::Default);
            }
        }
        for target in made.resets() {
            if let Some(generation) = target.generation.clone() {
                policy.ledger.record_reset(generation, target.key, LedgerEntry { removed: None });
            }
        }
        let again = plan(&desired, &snapshot, &policy);
        prop_assert_eq!(again.resets().count(), 0);
        prop_assert_eq!(again.counts().hold, made.counts().hold);
    }

    #[test]
    fn verifier_accepts_every_plan_of_the_planner((desired, snapshot, policy) in worlds()) {
        let made = plan(&desired, &snapshot, &policy);
        prop_assert_eq!(verify_plan(&desired, &snapshot, &policy, &made), vec![]);
    }

    #[test]
    fn verifier_reports_an_inverted_decision(
        (desired, snapshot, policy) in worlds(),
        which in any::<prop::sample::Index>(),
    ) {
        let mut made = plan(&desired, &snapshot, &policy);
        prop_assume!(!made.targets.is_empty());
        let index = which.index(made.targets.len());
        let target = &mut made.targets[index];
        target.decision = match &target.decision {
            Decision::Keep(_) | Decision::Hold(_) => Decision::Reset(Removal::Layout(layout(200))),
            Decision::Reset(_) => Decision::Keep(KeepReason::AtDefault),
        };
        prop_assert!(!verify_plan(&desired, &snapshot, &policy, &made).is_empty());
    }

    #[test]
    fn verifier_reports_a_missing_duplicate_or_added_target(
        (desired, snapshot, policy) in worlds(),
        which in any::<prop::sample::Index>(),
    ) {
        let made = plan(&desired, &snapshot, &policy);
        prop_assume!(!made.targets.is_empty());
        let one = made.targets[which.index(made.targets.len())].clone();
        let stranger = PlannedTarget { key: CardKey::personal(user(99), LeadCustomerType::Simple), ..one.clone() };
        let found = |targets: Vec<PlannedTarget>| {
            let findings = verify_plan(&desired, &snapshot, &policy, &Plan { targets, ..made.clone() });
            findings.into_iter().map(|finding| finding.key).collect::<Vec<_>>()
        };
        let others = made.targets.iter().filter(|target| target.key != one.key).cloned();
        prop_assert_eq!(found(others.collect()), [one.key]);
        let with = |more: &PlannedTarget| [made.targets.as_slice(), std::slice::from_ref(more)].concat();
        prop_assert_eq!(found(with(&one)), [one.key]);
        prop_assert_eq!(found(with(&stranger)), [stranger.key]);
    }

    #[test]
    fn protected_person_is_in_no_approved_plan((desired, snapshot, policy) in worlds()) {
        let made = plan(&desired, &snapshot, &policy);
        let affected: BTreeSet<_> = made.resets().filter_map(|target| target.key.user()).collect();
        if affected.intersection(&desired.guards.protected()).next().is_some() {
            prop_assert!(ApprovedPlan::new(&made, vec![]).is_err());
        }
    }

    #[test]
    fn target_that_may_be_excepted_is_held((desired, snapshot, policy) in worlds()) {
        for target in plan(&desired, &snapshot, &policy).targets {
            let is_held = matches!(target.decision, Decision::Hold(HoldReason::TreeGap(_)));
            prop_assert_eq!(is_held, desired.gaps.contains_key(&target.key));
        }
    }

    #[test]
    fn unknown_state_is_reset_only_blindly_and_only_if_allowed((desired, snapshot, policy) in worlds()) {
        for target in plan(&desired, &snapshot, &policy).resets() {
            match &target.decision {
                Decision::Reset(Removal::Unread) => prop_assert_eq!(policy.blind, BlindReset::Allowed),
                _ => prop_assert!(matches!(snapshot.card(target.key), Some(Observed::Known(CardState::Customized(_))))),
            }
        }
    }
}
