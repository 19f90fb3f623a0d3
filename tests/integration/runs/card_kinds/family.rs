//! Methods for the cards of leads: their own, or those of all kinds where the portal has no others
//! any more.

use recard::app::{Error, Phase};
use recard::plan::BlindReset;
use recard::portal::MethodFamily;
use serde_json::json;

use super::{World, decisions, difference};

/// Both cards of leads of one person, and a common one.
const LEADS: &str = "  personal:
    - users: { ids: [7] }
      cards:
        - lead: { types: [simple, repeat] }
  common:
    cards:
      - lead: { types: [repeat] }
  guards: { maxPercentOfUsers: 100, acknowledge: { common: [lead/repeat] } }
";

/// Returns the methods for cards that were called, each once.
fn card_methods(world: &World) -> Vec<String> {
    let sent = world.log.commands().into_iter().map(|sent| sent.method);
    let mut methods: Vec<String> = sent.filter(|name| name.contains(".details.")).collect();
    methods.sort();
    methods.dedup();
    methods
}

fn methods_of(family: &str) -> [String; 3] {
    ["get", "reset", "set"].map(|name| format!("crm.{family}.details.configuration.{name}"))
}

/// Plans, applies and restores the cards of leads. Returns the codes of the plan's warnings.
async fn live(world: &World) -> Vec<&'static str> {
    let before = world.rows();
    let declaration = world.declaration(LEADS);
    let planned = world.plan(&declaration).await.unwrap();
    assert!(decisions(&planned).iter().all(|(_, decision)| decision == "reset"), "{planned:?}");
    let applied = world.apply(&declaration, BlindReset::Never).await.unwrap().run.unwrap();
    assert_eq!(applied.report.totals.done, 3);
    let gone = world.rows();
    let gone = difference(&before, &gone);
    let name = |user: i64, name: &str| (user, name.to_owned());
    assert_eq!(
        gone,
        [
            &name(0, "returning_lead_details_common"),
            &name(7, "lead_details"),
            &name(7, "returning_lead_details")
        ]
    );
    let restored = world.restore().await.unwrap().run.unwrap();
    assert_eq!(restored.report.totals.done, 3);
    assert!(world.rows() == before);
    assert_eq!(world.check_requests(), Ok(()));
    planned.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_of_leads_go_through_the_methods_of_all_kinds_where_their_own_are_gone() {
    let missing = json!({"missing_methods": ["crm.lead.details."]});
    let world = World::with("current", missing, 1).await;
    assert_eq!(live(&world).await, ["RC0412"]);
    assert_eq!(card_methods(&world), methods_of("item"));
    let types = world.log.commands().into_iter().filter(|sent| sent.method.contains("crm.item.d"));
    assert!({ types }.all(|sent| sent.parameters["entityTypeId"] == "1"));

    let world = World::start("current").await;
    assert_eq!(live(&world).await, [] as [&str; 0]);
    assert_eq!(card_methods(&world), methods_of("lead"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_of_leads_are_restored_by_the_methods_of_all_kinds_after_an_apply_by_their_own() {
    let mut world = World::start("mid").await;
    let before = world.rows();
    let declaration = world.declaration(LEADS);
    let applied = world.apply(&declaration, BlindReset::Never).await.unwrap().run.unwrap();
    assert_eq!(
        (applied.report.totals.done, card_methods(&world)[0].as_str()),
        (3, "crm.lead.details.configuration.get")
    );
    world.change(|state| state["portal"]["missing_methods"] = json!(["crm.lead."]));
    world.log.clear();
    world.reopen().await;
    let restored = world.restore().await.unwrap().run.unwrap();
    assert_eq!(restored.report.totals.done, 3);
    assert!(world.rows() == before);
    let sent = card_methods(&world);
    assert!(sent.iter().all(|method| method.starts_with("crm.item.")), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_for_leads_that_are_forced_are_used_and_the_portal_is_not_asked() {
    for (family, name, release) in
        [(MethodFamily::Item, "item", "mid"), (MethodFamily::Lead, "lead", "current")]
    {
        let mut world = World::start(release).await;
        world.forced = Some(family);
        world.reopen().await;
        world.log.clear();
        let warnings = live(&world).await;
        assert_eq!(warnings.contains(&"RC0412"), family == MethodFamily::Item);
        assert_eq!(card_methods(&world), methods_of(name));
        assert!(world.log.commands().iter().all(|sent| sent.method != "method.get"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_that_are_forced_and_missing_are_an_error() {
    let missing = json!({"missing_methods": ["crm.lead.details."]});
    let mut world = World::with("current", missing, 1).await;
    world.forced = Some(MethodFamily::Lead);
    world.reopen().await;
    let planned = world.plan(&world.declaration(LEADS)).await;
    assert!(matches!(planned, Err(Error::Portal(Phase::ReadCards, _))), "{planned:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_of_leads_alone_asks_no_more_than_who_it_is_about_and_their_cards() {
    let mut world = World::start("current").await;
    world.log.clear();
    world.reopen().await;
    let planned = world.plan(&world.declaration(LEADS)).await.unwrap();
    assert_eq!(planned.plan.counts().reset, 3);
    let requests = world.log.requests();
    let methods = |request: &Vec<super::requests::Sent>| -> Vec<String> {
        request.iter().map(|sent| sent.method.clone()).collect()
    };
    let first = methods(&requests[0]);
    assert_eq!(
        first,
        ["profile", "user.get", "crm.lead.fields", "department.get", "method.get"],
        "the methods are looked up in the request that is sent anyway"
    );
    let rest: Vec<Vec<String>> = requests[1..].iter().map(methods).collect();
    let cards = vec!["crm.lead.details.configuration.get".to_owned(); 4];
    assert_eq!(rest, [vec!["user.get".to_owned()], cards.clone(), cards]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catalog_of_all_kinds_is_one_request_ahead_of_the_cards() {
    let mut world = World::start("current").await;
    world.log.clear();
    world.reopen().await;
    let cards: String =
        super::CARDS.iter().map(|card| format!("        - {}\n", card.entry)).collect();
    let spec = format!("  personal:\n    - users: {{ ids: [7] }}\n      cards:\n{cards}");
    let planned = world.plan(&world.declaration(&spec)).await.unwrap();
    assert_eq!(planned.plan.counts().reset as usize, super::CARDS.len());
    let requests = world.log.requests();
    let asks = |prefix: &str| {
        let of = |request: &&Vec<super::requests::Sent>| {
            request.iter().any(|sent| sent.method.starts_with(prefix))
        };
        requests.iter().filter(of).count()
    };
    // Titles of smart processes become numbers by the first answer, and cost a second one; here
    // the number stands in the manifest, too.
    assert_eq!((asks("crm.category."), asks("crm.type."), asks("crm.item.fields")), (1, 1, 1));
    // Two probes, the card and the common one of each kind, in a request for each connection.
    let reads = world.log.commands().into_iter().filter(|sent| sent.method.contains(".details."));
    assert_eq!(reads.count(), 4 * super::CARDS.len());
    assert!(asks("crm.item.details.") <= 8);
    let mixed = |request: &Vec<super::requests::Sent>| {
        let of = |sent: &super::requests::Sent| sent.parameters.get("entityTypeId").cloned();
        let types: std::collections::BTreeSet<_> = request.iter().map(of).collect();
        request.iter().all(|sent| sent.method.contains(".details.")) && types.len() > 1
    };
    assert!(requests.iter().any(mixed), "a request holds cards of several kinds");
    assert_eq!(requests.len(), 3 + asks("crm.item.details."), "{requests:?}");
}
