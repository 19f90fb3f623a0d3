//! Methods of the cards, by right and by release.

use serde_json::{Value, json};

use super::{FORCE, GET, RESET, SET, resets};
use crate::support::portal::Portal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_depend_on_the_release() {
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        let over_others = if release == "current" { 200 } else { 400 };
        let data = json!([{"name": "main", "title": "new"}]);
        let status = |webhook: &str, method: &str, parameters: Value| {
            portal.ask_as(webhook, method, parameters).0
        };
        let crm = "9/crmadminsecret09";
        assert_eq!(status(crm, GET, json!({"scope": "P", "userId": 7})), over_others, "{release}");
        assert_eq!(
            status(crm, RESET, json!({"scope": "P", "userId": 7})),
            over_others,
            "{release}"
        );
        assert_eq!(
            status(crm, SET, json!({"scope": "P", "userId": 7, "data": data})),
            over_others,
            "{release}"
        );
        assert_eq!(status(crm, FORCE, json!({})), over_others, "{release}");
        assert_eq!(status(crm, SET, json!({"scope": "C", "data": data})), 200);
        assert_eq!(status(crm, RESET, json!({"scope": "C"})), 200);
        let plain = "7/ivansecret000007";
        for (method, parameters, expected) in [
            (GET, json!({"scope": "P"}), 200),
            (SET, json!({"scope": "P", "data": data}), 200),
            (RESET, json!({"scope": "P"}), 200),
            (GET, json!({"scope": "C"}), 200),
            (SET, json!({"scope": "C", "data": data}), 400),
            (RESET, json!({"scope": "C"}), 400),
            (GET, json!({"scope": "P", "userId": 8}), 400),
            (RESET, json!({"scope": "P", "userId": 8}), 400),
            (RESET, json!({"scope": "P", "user_id": 8}), 200),
            (FORCE, json!({}), 400),
        ] {
            assert_eq!(
                status(plain, method, parameters.clone()),
                expected,
                "{release} {method} {parameters}"
            );
        }
        // Whoever may not write does not learn what is wrong with the data.
        let (_, refused) = portal.ask_as(plain, SET, json!({"scope": "C", "data": 5}));
        assert_eq!(refused, json!({"error": "", "error_description": "Access denied."}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_release_reads_and_writes_the_card_of_the_caller_and_resets_that_of_the_user() {
    let portal = Portal::start("legacy-read").await;
    let title = |row: &Value| row["value"][0]["elements"][0]["title"].clone();
    assert_eq!(portal.result(GET, json!({"scope": "P", "userId": 7}))[0]["title"], "one");
    assert_eq!(portal.result(GET, json!({"scope": "C", "userId": 7}))[0]["title"], "all");
    let item = "crm.item.details.configuration.set";
    portal.result(
        item,
        json!({"entityTypeId": 1, "userId": 8, "data": [{"name": "main", "title": "new"}]}),
    );
    let state = portal.emulator.state();
    let row = |user: i64| {
        state["options"].as_array().unwrap().iter().find(|row| row["user_id"] == user).unwrap()
    };
    assert_eq!((title(row(1)), title(row(8))), (json!("new"), json!("eight")));
    assert_eq!(resets(&portal, json!({"scope": "P", "userId": 8})), ["8 lead_details"]);
    let force = portal.removed(|portal| assert_eq!(portal.ask(FORCE, json!({})).0, 200));
    assert_eq!(force, ["1 lead_details", "7 lead_details", "8 lead_details", "9 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_errors_have_the_order_and_text_of_the_portal() {
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        let old = release != "current";
        let text = |data: Value| {
            let (status, answer) =
                portal.ask(SET, json!({"scope": "P", "userId": 7, "data": data}));
            match status {
                200 => String::new(),
                400 => answer["error_description"].as_str().unwrap().to_owned(),
                other => other.to_string(),
            }
        };
        for (data, wanted) in [
            (json!({}), "There are no data to write."),
            (json!([{"type": "column"}]), "There are no data to write."),
            (json!({"1": {"name": "a", "title": "A"}}), "The data must be indexed array."),
            (json!([{"type": "column", "name": ""}, {"name": ""}]), "There are no data to write."),
            (
                json!([{"name": "", "type": "box"}]),
                "Section at index 0 have type 'box'. The expected type is 'section'.",
            ),
            (
                json!([{"name": "a", "title": "A"}, {"type": 7}]),
                "Section at index 1 have type '7'. The expected type is 'section'.",
            ),
            (json!([{"name": " \t", "title": "A"}]), "Section at index 0 does not have name."),
            (json!([{"name": "a", "title": null}]), "Section at index 0 does not have title."),
            (
                json!([{"name": "a", "title": "A", "elements": [{"name": "X"}, {"title": "Y"}]}]),
                "Element at index 1 in section at index 0 does not have name.",
            ),
            (
                json!([{"name": "a", "title": "A", "elements": {"0": {"name": "X"}, "2": {"name": "Y"}}}]),
                "Element at index 1 in section at index 0 does not have name.",
            ),
            (json!([{"name": "a", "title": "A", "elements": "X"}]), ""),
            (json!([{"name": ["a"], "title": "A"}]), "500"),
            (json!(["a"]), "500"),
            (
                json!([{"name": "a", "title": ""}]),
                if old { "Section at index 0 does not have title." } else { "" },
            ),
            (
                json!([{"name": "a", "title": 5}]),
                if old { "" } else { "Section at index 0 does not have title." },
            ),
        ] {
            assert_eq!(text(data.clone()), wanted, "{release} {data}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_stores_known_keys_and_drops_others() {
    let portal = Portal::start("current").await;
    let kept = |data: Value| {
        portal.result(SET, json!({"scope": "P", "userId": 7, "data": data}));
        portal.result(GET, json!({"scope": "P", "userId": 7}))
    };
    let elements = json!([
        {"name": "A", "optionFlags": 1, "options": {}, "title": "x"},
        {"name": "B", "optionFlags": "0", "options": {"a": {"b": [1.5, null]}}},
        {"name": "C", "optionFlags": "yes", "options": "x"},
    ]);
    let section = json!({"name": "m", "title": "T", "elements": elements, "data": {"a": 1}});
    let wanted = json!([{"type": "section", "name": "m", "title": "T", "elements": [
        {"name": "A", "optionFlags": 1, "options": []},
        {"name": "B", "optionFlags": "0", "options": {"a": {"b": [1.5, null]}}},
        {"name": "C"},
    ]}]);
    assert_eq!(kept(json!([section])), wanted);
    let column = |title: &str| json!({"type": "column", "name": "c", "elements": [{"name": "m", "title": title}]});
    assert_eq!(kept(json!([column("left"), column("right")]))[0]["title"], "left");
    // In a form everything is text.
    let form = "scope=P&userId=7&data[0][name]=m&data[0][title]=&data[0][elements][0][name]=A\
        &data[0][elements][0][optionFlags]=1&data[0][elements][0][options][x]=";
    assert_eq!(portal.form(SET, form).1["result"], true);
    let shown = portal.result(GET, json!({"scope": "P", "userId": 7}));
    assert_eq!(
        shown[0]["elements"],
        json!([{"name": "A", "optionFlags": "1", "options": {"x": ""}}])
    );
    // A write for an id that no column can hold goes to the largest that one can.
    portal.result(
        SET,
        json!({"userId": "99999999999999999999", "data": [{"name": "m", "title": "T"}]}),
    );
    assert!(portal.rows().contains(&"2147483647 lead_details".to_owned()));
    assert_eq!(portal.result(GET, json!({"userId": 99_999_999_999_u64})), Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_ignores_letter_case_and_falls_back_to_the_common_default() {
    let portal = Portal::start("current").await;
    let mut state = portal.emulator.state();
    let row = |user: i64, name: &str, common: &str, value: Value| json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": common, "value": value});
    state["options"] = json!([
        row(0, "LEAD_DETAILS", "Y", json!([{"type": "column", "elements": {"1": "odd"}}])),
        row(0, "returning_lead_details", "N", json!("not for all")),
        row(7, "Lead_Details_Scope", "N", json!("P")),
        row(7, "lead_details_scope_on_add", "N", json!("P")),
        row(7, "lead_details_opts", "N", json!({})),
        row(
            8,
            "lead_details",
            "N",
            json!([{"type": "column"}, {"type": "column", "elements": [1]}])
        ),
        row(8, "RETURNING_LEAD_DETAILS", "N", json!(false)),
    ]);
    portal.emulator.set_state(&state).unwrap();
    let get = |parameters: Value| portal.result(GET, parameters);
    let repeat = json!({"leadCustomerType": 2});
    assert_eq!(get(json!({"userId": 7})), json!({"1": "odd"}));
    assert_eq!(get(json!({"userId": 7, "extras": repeat})), Value::Null);
    assert_eq!(get(json!({"userId": 8})), json!([]));
    assert_eq!(get(json!({"userId": 8, "extras": repeat})), json!(false));
    assert_eq!(get(json!({"scope": "C"})), Value::Null);
    assert_eq!(resets(&portal, json!({"userId": 7})), [] as [&str; 0]);
    let force = portal
        .removed(|portal| assert_eq!(portal.ask(FORCE, json!({"userId": 7, "scope": "C"})).0, 200));
    assert_eq!(force, ["0 LEAD_DETAILS", "7 Lead_Details_Scope", "8 lead_details"]);
    let force =
        portal.removed(|portal| assert_eq!(portal.ask(FORCE, json!({"extras": repeat})).0, 200));
    assert_eq!(force, ["0 returning_lead_details", "8 RETURNING_LEAD_DETAILS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crm_item_without_an_entity_type_is_refused() {
    let portal = Portal::start("current").await;
    let item = "crm.item.details.configuration.get";
    let text = |parameters: Value| {
        portal.ask(item, parameters).1["error_description"].as_str().map(str::to_owned)
    };
    let undefined = Some("Parameter 'entityTypeID' is not defined".to_owned());
    for id in [json!(0), json!("lead"), json!(null), json!([]), json!(999), json!(-1)] {
        assert_eq!(text(json!({"entityTypeId": id, "userId": 7})), undefined, "{id}");
    }
    assert_eq!(text(json!({"userId": 7})), undefined);
    let unsupported =
        |name: &str| Some(format!("The entity type '{name}' is not supported in current context."));
    assert_eq!(text(json!({"entityTypeId": 5})), unsupported("INVOICE"));
    assert_eq!(text(json!({"entityTypeId": "8"})), unsupported("REQUISITE"));
    assert_eq!(text(json!({"entityTypeId": 1.9, "userId": 7})), None);
    assert_eq!(portal.result(item, json!({"entityTypeId": 2, "userId": 7})), Value::Null);
    assert_eq!(
        portal.result(item, json!({"entityTypeId": null, "ENTITY_TYPE_ID": true, "userId": 7}))[0]
            ["title"],
        "seven"
    );
}
