//! Pipelines that the portal does not list: no request is about them, and no card is called done.

use recard::app::Error;
use recard::plan::BlindReset;
use serde_json::{Value, json};

use super::{World, decisions, difference};

const RELEASES: [&str; 3] = ["current", "mid", "legacy-read"];

/// Cards of types without a listed pipeline, personal and common.
const WITHOUT_PIPELINE: &str = "  personal:
    - users: { ids: [1, 7] }
      cards:
        - smartInvoice: {}
        - smartProcess: { type: 1040, pipelines: all }
        - smartProcess: { type: Requests, pipelines: [default, 5, Urgent] }
  common:
    cards:
      - smartInvoice: {}
      - smartProcess: { type: 1040, pipelines: [40] }
  guards: { maxPercentOfUsers: 100, acknowledge: { people: [1] } }
";

/// Cards of numbered pipelines of the caller, whose cards every release reads truly.
const NUMBERED: &str = "  personal:
    - users: { ids: [1] }
      cards:
        - deal: { pipelines: [5] }
        - contact: { categories: [15] }
        - smartProcess: { type: 177, pipelines: [9] }
  common:
    cards:
      - smartInvoice: {}
  guards: { acknowledge: { people: [1], common: [smart-invoice/1] } }
";

fn remove(state: &mut Value, list: &str, is_gone: impl Fn(&Value) -> bool) {
    state["portal"][list].as_array_mut().unwrap().retain(|row| !is_gone(row));
}

/// Returns the types that requests about cards name.
fn types(world: &World) -> Vec<String> {
    let sent = world.log.commands().into_iter();
    let cards = sent.filter(|sent| sent.method.contains(".details.configuration."));
    cards.filter_map(|sent| sent.parameters.get("entityTypeId").cloned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn type_without_a_listed_pipeline_is_held_and_no_request_is_about_its_cards() {
    // Either the portal has no pipeline, or the caller may not read it.
    for (release, caller) in RELEASES.into_iter().map(|one| (one, 1)).chain([("current", 9)]) {
        let rights = json!({"CRM admin": ["CONFIG write", "LEAD read"]});
        let world = World::with(release, json!({"crm_role_rights": rights}), caller).await;
        if caller == 1 {
            world.change(|state| {
                remove(state, "crm_item_categories", |row| {
                    row["entityTypeId"] == 31 || row["entityTypeId"] == 177
                });
            });
        }
        let (before, categories) =
            (world.rows(), world.emulator.state()["portal"]["crm_item_categories"].clone());
        let declaration = world.declaration(WITHOUT_PIPELINE);
        let planned = world.plan(&declaration).await.unwrap();
        let held = |key: &str| (key.to_owned(), "no-pipeline".to_owned());
        assert_eq!(
            decisions(&planned),
            [
                "common/smart-invoice/?",
                "common/smart-process/1040/?",
                "personal/1/smart-invoice/?",
                "personal/1/smart-process/177/?",
                "personal/1/smart-process/1040/?",
                "personal/7/smart-invoice/?",
                "personal/7/smart-process/177/?",
                "personal/7/smart-process/1040/?",
            ]
            .map(held),
            "{release} {caller}"
        );
        for blind in [BlindReset::Never, BlindReset::Allowed] {
            let applied = world.apply(&declaration, blind).await.unwrap();
            assert!(applied.run.is_none(), "{release}: {:?}", applied.run);
        }
        assert_eq!(types(&world), [] as [&str; 0], "{release}");
        assert_eq!(
            world.emulator.state()["portal"]["crm_item_categories"],
            categories,
            "{release}"
        );
        assert!(world.rows() == before && world.check_requests().is_ok(), "{release}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_of_a_card_whose_pipeline_is_gone_is_held_until_it_is_back() {
    for release in RELEASES {
        let mut world = World::start(release).await;
        let before = world.rows();
        let declaration = world.declaration(NUMBERED);
        let applied = world.apply(&declaration, BlindReset::Never).await.unwrap().run.unwrap();
        assert_eq!(applied.report.totals.done, 4, "{release}");
        let reset = world.rows();
        assert_eq!(difference(&before, &reset).len(), 4, "{release}");

        let whole = world.emulator.state()["portal"].clone();
        world.change(|state| {
            remove(state, "crm_deal_categories", |row| row["id"] == 5);
            remove(state, "crm_item_categories", |row| {
                [1, 9, 15].into_iter().any(|id| row["id"] == id)
            });
            remove(state, "crm_types", |row| row["entityTypeId"] == 177);
        });
        world.reopen().await;
        world.log.clear();
        let held = world.restore().await.unwrap();
        assert!(held.run.is_none(), "{release}: {:?}", held.run);
        assert_eq!(held.planned.plan.targets.len(), 4, "{release}");
        assert_eq!(types(&world), [] as [&str; 0], "{release}");
        assert_eq!(difference(&reset, &world.rows()), [] as [&(i64, String); 0], "{release}");

        world.change(|state| state["portal"] = whole);
        world.reopen().await;
        let restored = world.restore().await.unwrap().run.unwrap();
        assert_eq!(restored.report.totals.done, 4, "{release}");
        assert_eq!(difference(&before, &world.rows()), [] as [&(i64, String); 0], "{release}");
        assert_eq!(world.check_requests(), Ok(()), "{release}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_with_hidden_pipelines_is_said_to_be_partial() {
    let rights = json!({"CRM admin": ["CONFIG write", "DEAL read", "DEAL_C9 read", "CONTACT read", "DYNAMIC_177_C5 read"]});
    let spec = "  personal:
    - users: { ids: [7] }
      cards:
        - deal: { pipelines: all }
        - contact: { categories: all }
        - smartProcess: { type: 177, pipelines: all }
";
    let portal = json!({"crm_role_rights": rights});
    for (caller, cards, told) in [
        (9, 4, &["deals that the webhook's owner may not read: 5", "contacts", "process 177"][..]),
        (1, 7, &[]),
    ] {
        let world = World::with("current", portal.clone(), caller).await;
        let planned = world.plan(&world.declaration(spec)).await.unwrap();
        assert_eq!(decisions(&planned).len(), cards, "{:?}", decisions(&planned));
        let warnings: Vec<String> = planned
            .warnings
            .iter()
            .filter(|warning| warning.code.as_str() == "RC0411")
            .map(|warning| warning.message.to_string())
            .collect();
        assert_eq!(warnings.len(), told.len(), "{warnings:?}");
        assert!(warnings.iter().zip(told).all(|(text, told)| text.contains(told)), "{warnings:?}");
        assert_eq!(world.check_requests(), Ok(()));
    }
    // By its number a pipeline that is hidden is not found either.
    let world = World::with("current", portal, 9).await;
    let hidden = world.declaration(&spec.replace("pipelines: all", "pipelines: [5]"));
    let planned = world.plan(&hidden).await;
    assert!(matches!(planned, Err(Error::Manifests(_))), "{planned:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn title_of_a_smart_process_is_found_behind_two_hundred_others() {
    let processes = json!({
        "crm_types_added": "260 more: ids 100..359, entityTypeId 2000, 2002, …, titles M0..M259",
        "crm_item_categories_added": [
            {"id": 31, "entityTypeId": 2518, "name": "General", "sort": 1, "isDefault": "Y"},
        ],
    });
    let world = World::with("current", processes, 1).await;
    let spec = "  personal:\n    - users: { ids: [7] }\n      cards:\n        - smartProcess: { type: M259, pipelines: all }\n";
    let planned = world.plan(&world.declaration(spec)).await.unwrap();
    assert_eq!(decisions(&planned), [("personal/7/smart-process/2518/31".into(), "keep".into())]);
    assert_eq!(world.check_requests(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn list_of_pipelines_that_does_not_come_is_an_error_and_no_empty_list() {
    for fault in ["fail-command", "skip-command"] {
        let mut world = World::start("current").await;
        let declaration = world.declaration(NUMBERED);
        let applied = world.apply(&declaration, BlindReset::Never).await.unwrap().run.unwrap();
        assert_eq!(applied.report.totals.done, 4);
        let reset = world.rows();
        world.emulator.set_faults(&json!([{"method": "crm.category.list", "do": fault}])).unwrap();
        for is_plan in [true, false] {
            world.log.clear();
            world.reopen().await;
            let failed = match is_plan {
                true => world.plan(&declaration).await.map(|planned| format!("{planned:?}")),
                false => world.restore().await.map(|restored| format!("{restored:?}")),
            };
            let failed = failed.map_err(|error| format!("{error:?}"));
            assert!(
                failed.as_ref().is_err_and(|error| error.starts_with("Portal(")),
                "{fault} {is_plan}: {failed:?}"
            );
            assert_eq!(types(&world), [] as [&str; 0], "{fault}");
        }
        assert_eq!(difference(&reset, &world.rows()), [] as [&(i64, String); 0], "{fault}");
    }
}
