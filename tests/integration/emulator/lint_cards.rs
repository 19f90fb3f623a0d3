//! Careless clients of the cards of all kinds: each way to delete the wrong card raises its
//! complaint, and a careful client raises none.

use serde_json::{Value, json};

use crate::support::portal::Portal;

const RESET: &str = "crm.item.details.configuration.reset";
const SET: &str = "crm.item.details.configuration.set";
const FORCE: &str = "crm.item.details.configuration.forceCommonScopeForAll";

fn personal(number: impl Into<Value>, extras: Value) -> Value {
    json!({"entityTypeId": number.into(), "scope": "P", "userId": 7, "extras": extras})
}

fn with(mut parameters: Value, part: &str, value: Value) -> Value {
    parameters[part] = value;
    parameters
}

fn kinds(portal: &Portal, method: &str, parameters: &Value) -> Vec<&'static str> {
    portal.ask(method, parameters.clone());
    portal.complaints()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_of_each_way_to_the_wrong_card_has_its_complaint() {
    let portal = Portal::start("current").await;
    let missing: &[&str] = &["missing-pipeline"];
    let (wrong, bad) = (&["wrong-pipeline-key"][..], &["bad-pipeline"][..]);
    let bare = json!({"entityTypeId": 2, "scope": "P", "userId": 7});
    // Calls with the same number reach the wrong card in the same way.
    for (way, parameters, wanted) in [
        (1, bare.clone(), missing),
        (1, personal(2, json!({})), missing),
        (1, personal(2, Value::Null), missing),
        (1, personal(2, json!("{\"dealCategoryId\":5}")), missing),
        (1, personal(2, json!([5])), &["missing-pipeline", "unknown-extras"]),
        (
            1,
            with(bare.clone(), "dealCategoryId", json!(5)),
            &["missing-pipeline", "unknown-parameter"],
        ),
        (
            1,
            with(bare, "EXTRAS", json!({"dealCategoryId": 5})),
            &["missing-pipeline", "unknown-parameter"],
        ),
        (1, personal(2, json!({"dealCategoryId": null})), bad),
        (1, personal(2, json!({"dealCategoryId": false})), bad),
        (1, personal(2, json!({"dealCategoryId": -5})), bad),
        (2, personal(2, json!({"categoryId": 5})), wrong),
        (2, personal(2, json!({"deal_category_id": 5})), wrong),
        (2, personal(2, json!({"dealCategoryID": 5})), wrong),
        (2, personal(2, json!({"pipelineId": 5})), wrong),
        (3, personal(3, json!({"categoryId": 15})), wrong),
        (3, personal(4, json!({"categoryId": 16})), wrong),
        (3, personal(3, json!("{\"CATEGORY_ID\":15}")), &["unknown-extras"]),
        (4, json!({"entityTypeId": 2, "scope": "C", "extras": {"categoryId": 5}}), wrong),
        (5, personal(177, json!({})), missing),
        (5, personal(177, json!({"dealCategoryId": 9})), wrong),
        (5, personal(177, json!({"categoryId": 0})), bad),
        (6, personal(31, json!({})), missing),
        (6, personal(31, json!({"CATEGORY_ID": 0})), bad),
        (6, personal(7, json!({"CATEGORY_ID": 5})), wrong),
        (7, personal(2, json!({"dealCategoryId": true})), bad),
        (7, personal(2, json!({"dealCategoryId": 5.7})), bad),
        (7, personal(2, json!({"dealCategoryId": "5"})), bad),
        (7, personal(2, json!({"dealCategoryId": " 5"})), bad),
        (8, personal(true, json!({"dealCategoryId": 5})), &["bad-entity-type"]),
        (8, personal(json!([2]), json!({"dealCategoryId": 5})), &["bad-entity-type"]),
        (8, personal(json!({"id": 2}), json!({"dealCategoryId": 5})), &["bad-entity-type"]),
        (8, personal("2", json!({"dealCategoryId": 5})), &["bad-entity-type"]),
        (12, personal(2, json!({"dealCategoryId": 5, "CATEGORY_ID": 9})), &["two-pipeline-keys"]),
        (12, personal(177, json!({"categoryId": 5, "CATEGORY_ID": 9})), &["two-pipeline-keys"]),
        (13, personal(2, json!({"dealCategoryId": 999})), &["unlisted-pipeline"]),
        (13, personal(177, json!({"categoryId": 11})), &["unlisted-pipeline"]),
    ] {
        assert_eq!(kinds(&portal, RESET, &parameters), wanted, "way {way}: {parameters}");
    }
    let everybody = json!({"entityTypeId": 2, "extras": {"categoryId": 9}});
    assert_eq!(kinds(&portal, FORCE, &everybody), ["force", "wrong-pipeline-key"], "way 4");
    // Way 10: the families of one kind, without their body.
    let lost = "{\"scope\": \"P\", \"userId\": 7";
    let headers = [("Content-Type", "application/json")];
    for (family, complaints) in [
        ("deal", &["bad-scope", "bad-user-id", "lost-body", "missing-pipeline", "old-family"][..]),
        ("contact", &["bad-scope", "bad-user-id", "lost-body", "old-family"]),
    ] {
        let address = format!("/1/adminsecret00001/crm.{family}.details.configuration.reset");
        portal.send("POST", &address, &headers, lost.as_bytes()).unwrap();
        assert_eq!(portal.complaints(), complaints, "way 10");
    }
    // Way 13: a pipeline that the list of this caller leaves out.
    let hidden = personal(2, json!({"dealCategoryId": 9}));
    assert_eq!(kinds(&portal, RESET, &hidden), [] as [&str; 0]);
    portal.ask_as("9/crmadminsecret09", RESET, hidden);
    assert_eq!(portal.complaints(), ["unlisted-pipeline"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_of_batches_that_reach_the_wrong_card_has_its_complaint() {
    let portal = Portal::start("current").await;
    let batch = |commands: Value| kinds(&portal, "batch", &json!({ "cmd": commands }));
    let types = "crm.type.list";
    let reset = format!("{RESET}?scope=P&userId=7&entityTypeId");
    // Way 9: references that do not resolve.
    let of_type = format!("{reset}=$result[t][types][77][entityTypeId]");
    assert_eq!(batch(json!({"t": types, "r": of_type})), ["bad-entity-type", "reference"]);
    let of_pipeline = format!("{reset}=2&extras[dealCategoryId]=$RESULT[t][types][0][id]");
    assert_eq!(batch(json!({"t": types, "r": of_pipeline})), ["bad-pipeline", "reference"]);
    let empty = format!("{reset}=2&extras[dealCategoryId]=");
    assert_eq!(batch(json!({ "r": empty })), ["bad-pipeline"]);
    let text = format!("{reset}=2&extras=%7B%22dealCategoryId%22%3A5%7D");
    assert_eq!(batch(json!({ "r": text })), ["missing-pipeline"]);
    // Way 11: a form whose commands are not encoded is cut.
    portal.form("batch", &format!("cmd[a]={RESET}?entityTypeId=2&scope=P&userId=7"));
    assert_eq!(
        portal.complaints(),
        ["bad-content-type", "bad-scope", "bad-user-id", "missing-pipeline", "unknown-parameter"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_of_old_releases_has_its_complaint() {
    let data = json!([{"name": "main", "title": "T"}]);
    let extras = json!({"categoryId": 5});
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        // Way 14: `set` on the caller.
        let set = with(personal(177, extras.clone()), "data", data.clone());
        let wanted: &[&str] = if release == "legacy-read" { &["set-for-others"] } else { &[] };
        assert_eq!(kinds(&portal, SET, &set), wanted, "{release}");
        let own = with(set, "userId", json!(1));
        assert_eq!(kinds(&portal, SET, &own), [] as [&str; 0], "{release}");
        // Way 15: a row that `get` does not find and `reset` removes.
        for (name, is_seen) in
            [("DYNAMIC_177_details_C5", true), ("dynamic_177_details_c5", release == "current")]
        {
            let rows = json!([{"user_id": 7, "name": name, "value": []}]);
            portal.emulator.set_state(&json!({"variant": release, "options": rows})).unwrap();
            let wanted: &[&str] = if is_seen { &[] } else { &["unseen-row"] };
            assert_eq!(kinds(&portal, RESET, &personal(177, extras.clone())), wanted, "{name}");
            assert_eq!(portal.rows(), [] as [&str; 0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_of_a_careful_client_of_all_kinds_has_no_complaint() {
    let cards = [
        (1, json!({"leadCustomerType": 2})),
        (2, json!({"dealCategoryId": 0})),
        (2, json!({"dealCategoryId": 5})),
        (3, json!({})),
        (3, Value::Null),
        (3, json!({"CATEGORY_ID": 15})),
        (4, json!({"CATEGORY_ID": 16})),
        (7, Value::Null),
        (31, json!({"CATEGORY_ID": 1})),
        (177, json!({"categoryId": 9})),
        (178, json!({"categoryId": 11})),
    ];
    for release in ["current", "mid"] {
        let portal = Portal::start(release).await;
        for (number, extras) in &cards {
            let mut parameters = personal(*number, extras.clone());
            parameters.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            assert_eq!(kinds(&portal, RESET, &parameters), [] as [&str; 0], "{parameters}");
            let (status, _) = portal.ask(RESET, with(parameters, "scope", json!("C")));
            assert_eq!((status, portal.complaints().len()), (200, 0));
        }
        for (method, parameters) in [
            ("crm.category.list", json!({"entityTypeId": 2})),
            ("crm.category.list", json!({"entityTypeId": 3, "filter": {"code": "X"}})),
            ("crm.category.get", json!({"entityTypeId": 2, "id": 5})),
            ("crm.type.list", json!({"order": {"id": "ASC"}, "start": 50})),
            ("crm.dealcategory.list", json!({})),
            ("crm.dealcategory.default.get", json!({})),
            ("crm.item.fields", json!({"entityTypeId": 177})),
            (
                "profile",
                json!({"bx24_request_id": "1", "bx24_sdk_ver": "2", "bx24_sdk_type": "b24-js-sdk"}),
            ),
            ("crm.category.list", json!({"entityTypeId": 2, "__order": 0})),
            (
                "batch",
                json!({"cmd": {
                    "a": format!("{RESET}?scope=P&userId=7&entityTypeId=2&extras[dealCategoryId]=0"),
                    "b": format!("{RESET}?scope=P&userId=7&entityTypeId=177&extras%5BcategoryId%5D=5"),
                    "c": "crm.lead.details.configuration.reset?scope=P&userId=7&extras[leadCustomerType]=1",
                    "d": "crm.category.list?entityTypeId=31",
                }}),
            ),
        ] {
            let (status, answer) = portal.ask(method, parameters.clone());
            assert_eq!(status, 200, "{method} {answer}");
            assert_eq!(portal.complaints(), [] as [&str; 0], "{method} {parameters}");
        }
        // The read that tells releases apart; a type without a pipeline must not be asked.
        let probe = RESET.replace("reset", "get");
        let common = |number: i64| json!({"entityTypeId": number, "scope": "C"});
        assert_eq!(kinds(&portal, &probe, &common(177)), [] as [&str; 0]);
        assert_eq!(kinds(&portal, &probe, &common(1040)), ["missing-pipeline"]);
        portal.ask("crm.category.list", json!({"entityTypeId": 2, "filter": {"id": 5}}));
        assert_eq!(portal.complaints(), ["unknown-filter"]);
    }
}
