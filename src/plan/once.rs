//! State of a card in mode `once`.
//!
//! A plan says *reset*, *keep* or *hold*. A reviewer of a `once` run also needs to know if a reset
//! is the announced one, or that of a person who came later. The state is decided together with the
//! decision, from the same ledger; [`Drift`](super::Drift) repeats it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Decision, KeepReason, OnceState, PlannedTarget, Policy};
use crate::model::{CardKey, CardKind, Generation};

impl OnceState {
    /// Counts the targets of each once key by state. The sums of a key add up to its targets;
    /// states without a target are left out.
    pub fn count<'a>(
        targets: impl IntoIterator<Item = &'a PlannedTarget>,
    ) -> BTreeMap<Generation, BTreeMap<Self, u32>> {
        let mut counts: BTreeMap<Generation, BTreeMap<Self, u32>> = BTreeMap::new();
        for target in targets {
            if let (Some(generation), Some(state)) = (&target.generation, target.once) {
                *counts.entry(generation.clone()).or_default().entry(state).or_default() += 1;
            }
        }
        counts
    }
}

/// Groups of cards that each once key has reached. One mark is enough.
pub(super) struct ReachedGenerations<'a>(BTreeSet<(&'a Generation, CardGroup)>);

impl<'a> ReachedGenerations<'a> {
    /// Derives the groups from the ledger.
    pub(super) fn from_policy(policy: &'a Policy) -> Self {
        Self(
            policy
                .ledger
                .iter()
                .map(|(generation, key, _)| (generation, CardGroup::from_key(key)))
                .collect(),
        )
    }

    /// Returns the state of a card, given its decision.
    pub(super) fn state(
        &self,
        generation: &Generation,
        key: CardKey,
        decision: &Decision,
        account_status: AccountStatus,
    ) -> OnceState {
        match (decision, account_status) {
            (Decision::Hold(_), _) => OnceState::OutOfReach,
            (Decision::Keep(KeepReason::CustomizedAgain(_)), _) => OnceState::CustomizedAgain,
            (
                Decision::Keep(
                    KeepReason::AtDefault | KeepReason::CommonDefault | KeepReason::AlreadyReset(_),
                ),
                _,
            ) => OnceState::Done,
            (Decision::Reset(_), AccountStatus::Dismissed) => OnceState::Dismissed,
            (Decision::Reset(_), AccountStatus::Active)
                if self.0.contains(&(generation, CardGroup::from_key(key))) =>
            {
                OnceState::NewInGroup
            }
            (Decision::Reset(_), AccountStatus::Active) => OnceState::NotYetReset,
        }
    }
}

/// Account status of a card's person. A common card counts as active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccountStatus {
    Active,
    Dismissed,
}

/// Group of cards, personal or common, of one kind. A once key reaches each group separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CardGroup(bool, CardKind);

impl CardGroup {
    fn from_key(key: CardKey) -> Self {
        Self(key.user().is_some(), key.kind)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::*;
    use crate::plan::{Drift, DriftKind, Plan, plan};

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn simple(id: u64) -> CardKey {
        CardKey::personal(user(id), LeadCustomerType::Simple)
    }

    fn generation() -> Generation {
        Generation::new("2026-11").unwrap()
    }

    fn layout() -> Layout {
        Layout::from_json(r#"[{"name":"main","title":"t","type":"section","elements":[]}]"#)
            .unwrap()
    }

    fn customized() -> Observed {
        Observed::Known(CardState::Customized(layout()))
    }

    /// Plans cards in a mode, with some of them marked in the ledger and some of their people
    /// dismissed.
    fn planned(
        cards: &[(CardKey, Observed)],
        mode: &Mode,
        marked: &[CardKey],
        dismissed: &[u64],
    ) -> Plan {
        let origin = Arc::new(Origin {
            manifest: "test".into(),
            reason: "to try".into(),
            place: SourceLocation { file: "test.yaml".into(), line: 1, column: 1 },
            selector: Selector::Id,
        });
        let person = |id: UserId| Person {
            id,
            name: PersonName::new("Anna", "Petrova"),
            email: None,
            active: !dismissed.contains(&u64::from(id.get())),
            departments: Vec::new(),
        };
        let target = |(key, _): &(CardKey, Observed)| DesiredTarget {
            key: *key,
            mode: mode.clone(),
            origin: Arc::clone(&origin),
        };
        let desired = DesiredState {
            targets: cards.iter().map(target).collect(),
            people: cards
                .iter()
                .filter_map(|(key, _)| key.user())
                .map(|id| (id, person(id)))
                .collect(),
            ..DesiredState::default()
        };
        let snapshot = Snapshot {
            portal: PortalId::new("company.bitrix24.com").unwrap(),
            caller: Identity {
                user: user(1),
                name: PersonName::default(),
                portal_admin: true,
                active_users: 50,
                release_sign: ReleaseSign::Unknown,
                emulator: false,
            },
            trust: ReadTrust::Trusted(TrustEvidence::WholeSeconds),
            common_defaults: BTreeMap::new(),
            common_cards: BTreeMap::new(),
            cards: cards.to_vec(),
        };
        let mut ledger = Ledger::default();
        for key in marked {
            ledger.record_reset(generation(), *key, LedgerEntry { removed: None });
        }
        plan(&desired, &snapshot, &Policy { ledger, ..Policy::default() })
    }

    fn once(
        cards: &[(CardKey, Observed)],
        marked: &[CardKey],
        dismissed: &[u64],
    ) -> Vec<OnceState> {
        let made = planned(cards, &Mode::Once(generation()), marked, dismissed);
        made.targets.iter().map(|target| target.once.unwrap()).collect()
    }

    /// Returns customized cards, one at its default, and one that cannot be read.
    fn a_group() -> [(CardKey, Observed); 5] {
        [
            (simple(2), customized()),
            (simple(3), customized()),
            (simple(4), customized()),
            (simple(5), Observed::Known(CardState::CommonDefault)),
            (simple(6), Observed::Unreadable(UnreadableReason::ReadsUnproven)),
        ]
    }

    #[test]
    fn card_before_the_first_reset_of_a_once_key_is_not_yet_reset() {
        assert_eq!(once(&[(simple(2), customized())], &[], &[]), [OnceState::NotYetReset]);
    }

    #[test]
    fn once_others_had_their_reset_a_card_is_new_in_the_group() {
        assert_eq!(once(&[(simple(2), customized())], &[simple(3)], &[]), [OnceState::NewInGroup]);
    }

    #[test]
    fn another_kind_of_card_or_another_generation_does_not_begin_a_group() {
        let repeat = CardKey::personal(user(3), LeadCustomerType::Repeat);
        let common = CardKey::common(LeadCustomerType::Simple);
        assert_eq!(
            once(&[(simple(2), customized())], &[repeat, common], &[]),
            [OnceState::NotYetReset]
        );
        let other = Mode::Once(Generation::new("2026-12").unwrap());
        let made = planned(&[(simple(2), customized())], &other, &[simple(2), simple(3)], &[]);
        assert_eq!(made.targets[0].once, Some(OnceState::NotYetReset));
    }

    #[test]
    fn card_that_was_arranged_anew_is_customized_again_and_kept() {
        let made =
            planned(&[(simple(2), customized())], &Mode::Once(generation()), &[simple(2)], &[]);
        assert_eq!(made.targets[0].once, Some(OnceState::CustomizedAgain));
        assert_eq!(made.resets().count(), 0);
    }

    #[test]
    fn once_card_of_a_dismissed_user_is_dismissed() {
        for marked in [vec![], vec![simple(3)]] {
            assert_eq!(once(&[(simple(2), customized())], &marked, &[2]), [OnceState::Dismissed]);
        }
        // A finished card needs no attention, dismissed person or not.
        assert_eq!(
            once(&[(simple(2), Observed::Known(CardState::Default))], &[], &[2]),
            [OnceState::Done]
        );
    }

    #[test]
    fn once_card_that_cannot_be_read_is_out_of_reach_unless_it_was_reset() {
        let unread = Observed::Unreadable(UnreadableReason::ReadsNotTrusted);
        let cards = [(simple(2), unread.clone()), (simple(3), unread)];
        assert_eq!(once(&cards, &[simple(3)], &[]), [OnceState::OutOfReach, OnceState::Done]);
    }

    #[test]
    fn counts_of_a_generation_add_up_to_its_targets() {
        let made = planned(&a_group(), &Mode::Once(generation()), &[simple(3)], &[4]);
        let counts = OnceState::count(&made.targets).remove(&generation()).unwrap();
        let expected = [OnceState::NewInGroup, OnceState::Dismissed, OnceState::OutOfReach];
        let expected = expected.into_iter().chain([OnceState::CustomizedAgain, OnceState::Done]);
        assert_eq!(counts, expected.map(|state| (state, 1)).collect());
        let sum: u32 = counts.values().sum();
        assert_eq!(sum as usize, made.targets.len());
    }

    #[test]
    fn once_state_of_a_card_of_mode_enforce_is_none() {
        let made =
            planned(&[(simple(2), customized())], &Mode::Enforce, &[simple(2), simple(3)], &[]);
        assert_eq!(made.targets[0].once, None);
        assert!(OnceState::count(&made.targets).is_empty());
    }

    #[test]
    fn drift_says_the_same_in_the_same_words() {
        for marked in [vec![], vec![simple(3)]] {
            let made = planned(&a_group(), &Mode::Once(generation()), &marked, &[4]);
            let drift = Drift::from_plan(&made, Vec::new());
            for target in &made.targets {
                let kind =
                    drift.cards.iter().find(|card| card.key == target.key).map(|card| card.kind);
                let state = target.once.filter(|state| *state != OnceState::Done);
                assert_eq!(kind.map(DriftKind::as_str), state.map(OnceState::as_str));
            }
        }
    }
}
