//! Lists of pipelines and types: who sees what, and what is refused.

use serde_json::{Value, json};

use crate::support::portal::Portal;

const ADMIN: &str = "1/adminsecret00001";
const PLAIN: &str = "7/ivansecret000007";
const CRM_ADMIN: &str = "9/crmadminsecret09";

fn ids(answer: &Value, list: &str) -> Vec<i64> {
    let rows = answer["result"][list].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn category_list_leaves_out_what_the_caller_may_not_read() {
    let portal = Portal::start("current").await;
    for (webhook, number, wanted) in [
        (ADMIN, 2, vec![0, 5, 9]),
        (ADMIN, 3, vec![0, 15]),
        (ADMIN, 177, vec![5, 9]),
        (ADMIN, 31, vec![1]),
        (ADMIN, 1040, vec![]),
        (PLAIN, 2, vec![0, 5]),
        (PLAIN, 177, vec![5]),
        (CRM_ADMIN, 2, vec![0]),
        (CRM_ADMIN, 4, vec![]),
    ] {
        let (status, answer) =
            portal.ask_as(webhook, "crm.category.list", json!({"entityTypeId": number}));
        assert_eq!(
            (status, ids(&answer, "categories")),
            (200, wanted.clone()),
            "{webhook} {number}"
        );
        assert_eq!(answer["total"], wanted.len());
        assert_eq!(answer["next"], Value::Null);
    }
    // What the list hides stands in the older list, without the default pipeline.
    let (_, answer) =
        portal.ask_as(CRM_ADMIN, "crm.dealcategory.list", json!({"filter": {"NOPE": 1}}));
    let names: Vec<&str> = answer["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["NAME"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Partners", "Service"]);
    assert_eq!(answer["result"][0]["ID"], "5");
    let (_, answer) = portal.ask("crm.dealcategory.default.get", json!({}));
    assert_eq!(answer["result"], json!({"ID": 0, "NAME": "General"}));
    assert_eq!(portal.result("crm.dealcategory.get", json!({"id": 9}))["NAME"], "Service");
    let (status, answer) = portal.ask("crm.dealcategory.get", json!({"id": 0}));
    assert_eq!((status, &answer["error"]), (400, &json!("")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn category_methods_refuse_what_is_no_number_or_has_no_pipelines() {
    for (release, code) in
        [("current", json!("100")), ("mid", json!(100)), ("legacy-read", json!(100))]
    {
        let portal = Portal::start(release).await;
        let list = |parameters: Value| portal.ask("crm.category.list", parameters);
        for number in [json!("2"), json!(2.5)] {
            assert_eq!(list(json!({"entityTypeId": number})).0, 200);
        }
        for number in [json!("2x"), json!([2]), json!(true), Value::Null] {
            let (status, answer) = list(json!({"entityTypeId": number}));
            assert_eq!((status, &answer["error"]), (400, &code), "{release} {number}");
        }
        assert_eq!(list(json!({"ENTITY_TYPE_ID": 2})).1["error"], code);
        for (number, word) in [
            (1, "ENTITY_TYPE_NOT_SUPPORTED"),
            (7, "ENTITY_TYPE_NOT_SUPPORTED"),
            (5, "NOT_FOUND"),
            (8, "NOT_FOUND"),
            (36, "NOT_FOUND"),
            (128, "NOT_FOUND"),
        ] {
            let (status, answer) = list(json!({"entityTypeId": number}));
            assert_eq!((status, &answer["error"]), (400, &json!(word)), "{number}");
        }
        assert_eq!(list(json!({"entityTypeId": 2, "start": -1})).1["total"], Value::Null);
        assert_eq!(list(json!({"entityTypeId": 2, "start": 50})).1["total"], 3);
        let get = |webhook: &str, number: i64, id: i64| {
            let parameters = json!({"entityTypeId": number, "id": id});
            let (status, answer) = portal.ask_as(webhook, "crm.category.get", parameters);
            if status == 200 {
                answer["result"]["category"]["id"].clone()
            } else {
                answer["error"].clone()
            }
        };
        assert_eq!(get(ADMIN, 2, 0), 0);
        assert_eq!(get(ADMIN, 177, 11), "NOT_FOUND");
        assert_eq!(get(CRM_ADMIN, 2, 9), "ACCESS_DENIED");
    }
    // The text is one without the right, too.
    let portal = Portal::start("current").await;
    let (status, answer) =
        portal.ask_as("1/adminnocrm000001", "crm.category.list", json!({"entityTypeId": 2}));
    assert_eq!((status, &answer["error"]), (401, &json!("insufficient_scope")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn type_list_is_for_administrators_and_by_pages() {
    let portal = Portal::with(
        "current",
        json!({"crm_types_added": "60 more: ids 100..159, entityTypeId 2000, 2002, …, titles M0..M59"}),
        json!({}),
        recard::emulator::Limits::default(),
    )
    .await;
    let list = |parameters: Value| portal.ask("crm.type.list", parameters).1;
    let page = |start: i64| list(json!({"order": {"id": "ASC"}, "start": start}));
    assert_eq!(ids(&page(0), "types")[..5], [2, 3, 4, 5, 100]);
    assert_eq!((&page(0)["total"], &page(0)["next"]), (&json!(64), &json!(50)));
    assert_eq!((ids(&page(50), "types").len(), &page(50)["next"]), (14, &Value::Null));
    assert_eq!((ids(&page(100), "types"), &page(100)["total"]), (vec![], &json!(64)));
    assert_eq!(page(-1)["total"], Value::Null);
    assert_eq!(ids(&list(json!({"START": 50})), "types").len(), 50);
    assert_eq!(ids(&list(json!({"order": {"id": "DESC"}})), "types")[0], 159);
    for (filter, wanted) in [
        (json!({"title": "Requests"}), vec![2]),
        (json!({"%title": "e", "<entityTypeId": 200}), vec![2, 3]),
        (json!({"@entityTypeId": [178, 1040]}), vec![3, 5]),
        (json!({"!isCategoriesEnabled": "N"}), vec![2, 4]),
        (json!({"entityTypeId": 31}), vec![]),
    ] {
        assert_eq!(ids(&list(json!({ "filter": filter })), "types"), wanted, "{filter}");
    }
    let snake = list(json!({"filter": {"entity_type_id": 178}}));
    assert_eq!(snake["result"]["types"][0]["entity_type_id"], 178);
    for (place, name) in [("filter", "nope"), ("filter", "ENTITY_TYPE_ID"), ("order", "nope")] {
        assert_eq!(list(json!({ place: { name: "1" } }))["error"], "INVALID_ARG_VALUE");
    }
    assert_eq!(portal.ask_as(CRM_ADMIN, "crm.type.list", json!({})).0, 200);
    assert_eq!(portal.ask_as(PLAIN, "crm.type.list", json!({})).1["error"], "ACCESS_DENIED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn type_by_number_needs_the_right_to_read_and_a_release_of_2025() {
    const METHOD: &str = "crm.type.getByEntityTypeId";
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        let is_new = release == "current";
        let ask = |webhook: &str, number: i64| {
            portal.ask_as(webhook, METHOD, json!({"entityTypeId": number}))
        };
        assert_eq!(ask(PLAIN, 177).0, if is_new { 200 } else { 404 }, "{release}");
        let existing = portal.result("method.get", json!({"name": METHOD.to_lowercase()}));
        assert_eq!(existing["isExisting"], is_new);
        let (_, answer) =
            portal.ask("batch", json!({"cmd": {"t": format!("{METHOD}?entityTypeId=31")}}));
        assert_eq!(answer["result"]["result"]["t"]["type"]["title"] == "Smart invoice", is_new);
        if is_new {
            assert_eq!(ask(PLAIN, 178).1["error"], "ACCESS_DENIED");
            assert_eq!(ask(ADMIN, 2).1["error"], "0");
        }
        assert_eq!(
            portal.ask("crm.type.get", json!({"id": 2})).1["result"]["type"]["entityTypeId"],
            177
        );
        assert_eq!(
            portal.ask("crm.type.get", json!({"id": 1})).0,
            400,
            "invoices are no smart process"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn item_fields_have_a_title_for_each_code_of_a_card() {
    let portal = Portal::with(
        "current",
        json!({"item_user_fields": {"177": [
            {"FIELD_NAME": "UF_CRM_2_1712345678", "LIST_COLUMN_LABEL": "Hall"},
            {"FIELD_NAME": "UF_CRM_2_1798765432"},
        ]}}),
        json!({}),
        recard::emulator::Limits::default(),
    )
    .await;
    for (number, name, code, title) in [
        (1, "statusId", "STATUS_ID", "Status"),
        (2, "typeId", "TYPE_ID", "Deal type"),
        (3, "lastName", "LAST_NAME", "Last name"),
        (4, "industry", "INDUSTRY", "Industry"),
        (7, "quoteNumber", "QUOTE_NUMBER", "Quote number"),
        (31, "accountNumber", "ACCOUNT_NUMBER", "Invoice number"),
        (177, "stageId", "STAGE_ID", "Stage"),
        (177, "ufCrm2_1712345678", "UF_CRM_2_1712345678", "Hall"),
        (177, "ufCrm2_1798765432", "UF_CRM_2_1798765432", "UF_CRM_2_1798765432"),
    ] {
        let fields = portal.result("crm.item.fields", json!({"entityTypeId": number}));
        let field = &fields["fields"][name];
        assert_eq!((&field["upperName"], &field["title"]), (&json!(code), &json!(title)));
    }
    let original = json!({"entityTypeId": 177, "useOriginalUfNames": "Y"});
    let fields = portal.result("crm.item.fields", original);
    assert_eq!(fields["fields"]["UF_CRM_2_1712345678"]["title"], "Hall");
    let hidden = portal.ask_as(PLAIN, "crm.item.fields", json!({"entityTypeId": 178}));
    assert_eq!((hidden.0, &hidden.1["error"]), (400, &json!("ACCESS_DENIED")));
    assert_eq!(portal.ask("crm.item.fields", json!({"entityTypeId": 999})).1["error"], "NOT_FOUND");
}
