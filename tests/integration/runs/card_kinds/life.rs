//! Plan, apply, plan and restore of one card at a time, on every release, with every row of the
//! portal compared.

use recard::plan::BlindReset;

use super::{CARDS, Card, World, decisions, difference, row, spelled};

/// Owner of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Common,
    Person(i64),
}

impl Owner {
    fn key(self, card: &Card) -> String {
        match self {
            Self::Common => format!("common/{}", card.kind),
            Self::Person(user) => format!("personal/{user}/{}", card.kind),
        }
    }

    fn spec(self, card: &Card) -> String {
        let Card { entry, kind, .. } = card;
        match self {
            Self::Common => format!(
                "  common:\n    cards:\n      - {entry}\n  guards: {{ acknowledge: {{ common: \
                 [\"{kind}\"] }} }}\n"
            ),
            Self::Person(user) => format!(
                "  personal:\n    - users: {{ ids: [{user}] }}\n      cards:\n        - {entry}\n  \
                 guards: {{ maxPercentOfUsers: 100, acknowledge: {{ people: [1] }} }}\n"
            ),
        }
    }

    fn row(self, release: &str, card: &Card) -> (i64, String) {
        let name = spelled(release, card.row);
        match self {
            Self::Common => (0, format!("{name}_common")),
            Self::Person(user) => (user, name),
        }
    }
}

/// Plans, applies, plans and restores one card.
async fn live(world: &World, release: &str, owner: Owner, card: &Card) {
    let case = format!("{release} {}", owner.key(card));
    let before = world.rows();
    let row = owner.row(release, card);
    let declaration = world.declaration(&owner.spec(card));
    let decided = |word: &str| [(owner.key(card), word.to_owned())];

    let planned = world.plan(&declaration).await.unwrap();
    assert_eq!(decisions(&planned), decided("reset"), "{case}");
    assert_eq!(world.rows(), before, "{case}");

    let applied = world.apply(&declaration, BlindReset::Never).await.unwrap().run.unwrap();
    assert!(applied.failure.is_none(), "{case}: {:?}", applied.failure);
    assert_eq!(applied.report.totals.done, 1, "{case}");
    let after = world.rows();
    assert_eq!((difference(&before, &after), after.get(&row)), (vec![&row], None), "{case}");

    let again = world.plan(&declaration).await.unwrap();
    assert_eq!(decisions(&again), decided("keep"), "{case}");

    let restored = world.restore().await.unwrap().run.unwrap();
    assert_eq!(restored.report.totals.done, 1, "{case}");
    let after = world.rows();
    assert!(after == before, "{case}: {:?}", difference(&before, &after));
    assert_eq!(world.check_requests(), Ok(()), "{case}");
    world.log.clear();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_of_each_kind_and_pipeline_is_reset_and_restored_and_no_other_row_changes() {
    for release in ["current", "mid"] {
        let world = World::start(release).await;
        for card in CARDS {
            for owner in [Owner::Person(7), Owner::Common] {
                live(&world, release, owner, card).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn release_up_to_24_200_holds_the_cards_of_others_of_each_kind() {
    let release = "legacy-read";
    let world = World::start(release).await;
    for card in CARDS {
        // The caller's own and the common ones are read truly.
        for owner in [Owner::Person(1), Owner::Common] {
            live(&world, release, owner, card).await;
        }
        let other = Owner::Person(7);
        let case = other.key(card);
        let before = world.rows();
        let declaration = world.declaration(&other.spec(card));
        let planned = world.plan(&declaration).await.unwrap();
        let decided = decisions(&planned);
        assert_eq!(decided, [(case.clone(), "reads-not-trusted".to_owned())]);
        let applied = world.apply(&declaration, BlindReset::Never).await.unwrap();
        assert!(applied.run.is_none(), "{case}");
        assert_eq!(world.rows(), before, "{case}");

        let blind = world.apply(&declaration, BlindReset::Allowed).await.unwrap().run.unwrap();
        assert_eq!((blind.report.totals.done, blind.failure.is_none()), (1, true), "{case}");
        let (row, after) = (other.row(release, card), world.rows());
        assert_eq!((difference(&before, &after), after.get(&row)), (vec![&row], None), "{case}");
        assert_eq!(world.check_requests(), Ok(()), "{case}");
        // It has no backup; the portal gets its row back by other means.
        world.change(|state| {
            state["options"] = serde_json::Value::Array(super::all_rows(release));
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn card_set_for_all_users_stands_in_for_its_own_kind_and_pipeline_alone() {
    for release in ["current", "mid"] {
        for (kind, other) in [
            ("deal/5", "deal/0"),
            ("deal/0", "deal/5"),
            ("contact/15", "contact"),
            ("smart-process/177/9", "smart-process/177/5"),
            ("smart-process/177/5", "smart-process/1038/13"),
        ] {
            let card = |kind: &str| CARDS.iter().find(|card| card.kind == kind).unwrap();
            let cards = [card(kind), card(other)];
            let world = World::start(release).await;
            let case = format!("{release} {kind}");
            // For one of them a card is set for all users; user 8 has neither.
            world.change(|state| {
                let rows = state["options"].as_array_mut().unwrap();
                let names = cards.map(|card| spelled(release, card.row));
                rows.retain(|row| {
                    row["user_id"] != 8 || !names.iter().any(|name| row["name"] == *name)
                });
                let mut set = row(0, &names[0], "set for all");
                set["common"] = serde_json::json!("Y");
                rows.push(set);
            });
            let before = world.rows();
            let entries = cards.map(|card| format!("        - {}\n", card.entry)).concat();
            let spec = format!(
                "  personal:\n    - users: {{ ids: [7, 8] }}\n      cards:\n{entries}  guards: {{ \
                 maxPercentOfUsers: 100 }}\n"
            );
            let declaration = world.declaration(&spec);
            let planned = world.plan(&declaration).await.unwrap();
            let mut decided = decisions(&planned);
            decided.sort_by_key(|(key, _)| (key.contains("/8/"), !key.ends_with(kind)));
            let words: Vec<&str> = decided.iter().map(|(_, word)| word.as_str()).collect();
            assert_eq!(words, ["reset", "reset", "keep", "keep"], "{case}");
            let set: Vec<String> =
                planned.plan.common_defaults.keys().map(ToString::to_string).collect();
            assert_eq!(set, [kind], "{case}");
            let run = world.apply(&declaration, BlindReset::Never).await.unwrap().run.unwrap();
            assert_eq!(run.report.totals.done, 2, "{case}");
            let restored = world.restore().await.unwrap().run.unwrap();
            assert_eq!(restored.report.totals.done, 2, "{case}");
            let after = world.rows();
            assert!(after == before, "{case}: {:?}", difference(&before, &after));
            assert_eq!(world.check_requests(), Ok(()), "{case}");
        }
    }
}
