//! Lists of people and departments, and the small methods.

use recard::emulator::Limits;
use serde_json::{Value, json};

use super::RESET;
use crate::support::portal::Portal;

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_get_filters_and_sorts_as_the_portal() {
    let portal = Portal::start("current").await;
    let everybody = ["1", "7", "8", "9", "10"];
    for (parameters, found) in [
        (json!({"DEPARTMENT": 41}), everybody.to_vec()),
        (json!({"filters": {"ID": 7}}), everybody.to_vec()),
        (json!({"FILTER": {"LOGIN": "ivan"}}), everybody.to_vec()),
        (json!({"FILTER": {}, "ID": 7}), everybody.to_vec()),
        (json!({"FILTER": "x", "ID": 7}), vec!["7"]),
        (json!({"filter": {"id": ["7", 9]}}), vec!["7", "9"]),
        (json!({"Filter": {"@ID": [7, 8]}}), vec!["7", "8"]),
        (json!({"ID": "abc"}), vec![]),
        (json!({"ID": 0}), vec![]),
        (json!({"ID": []}), vec![]),
        (json!({"!ID": [1, 7, 8]}), vec!["9", "10"]),
        (json!({">=ID": 9}), vec!["9", "10"]),
        (json!({"<ID": "8"}), vec!["1", "7"]),
        (json!({"NAME": "iv%"}), vec!["7"]),
        (json!({"%LAST_NAME": "OV"}), vec!["7", "8", "9"]),
        (json!({"=NAME": "iv%"}), vec![]),
        (json!({"PERSONAL_CITY": "Riga"}), vec![]),
        (json!({"UF_DEPARTMENT": 41}), vec!["7", "10"]),
        (json!({"UF_DEPARTMENT": ["42", 1]}), vec!["1", "8"]),
        (json!({"ACTIVE": "N"}), vec!["10"]),
        (json!({"ACTIVE": null}), vec!["10"]),
        (json!({"ACTIVE": "0.0"}), vec!["1", "7", "8", "9"]),
        (json!({"ACTIVE": "no", "UF_DEPARTMENT": 41}), vec!["7"]),
        (json!({"HAS_DEPARTAMENT": "Y", "ID": 7}), vec!["7"]),
    ] {
        let mut sorted = parameters.clone();
        sorted["sort"] = json!("ID");
        sorted["ORDER"] = json!("asc");
        assert_eq!(ids(&portal.result("user.get", sorted)), found, "{parameters}");
    }
    let (_, nobody) = portal.ask("user.get", json!({"ID": 4711}));
    assert_eq!((&nobody["result"], nobody.get("total")), (&json!([]), None));
    let order = |sort: Value, order: Value| {
        portal.ask("user.get", json!({"sort": sort, "order": order, "ID": [7, 8]}))
    };
    assert_eq!(ids(&order(json!("last_name"), json!("DESC")).1["result"]), ["8", "7"]);
    assert_eq!(ids(&order(json!({"ID": "DESC"}), json!("DESC")).1["result"]), ["7", "8"]);
    assert_eq!(ids(&order(json!(""), json!("DESC")).1["result"]), ["7", "8"]);
    let (status, refused) = order(json!("nope"), json!("ASC"));
    assert_eq!((status, &refused["error"]), (400, &json!("100")));
    assert!(
        refused["error_description"]
            .as_str()
            .unwrap()
            .starts_with("Unknown field definition `nope` (nope)")
    );
    assert_eq!(order(json!("ID"), json!("up")).0, 400);
    let only = json!({"ID": 7, "SELECT": ["NAME", "nope"]});
    assert_eq!(portal.result("user.get", only.clone()), json!([{"NAME": "Ivan"}]));
    assert_eq!(portal.result("user.get", json!({"ID": 7, "select": ["nope"]})), json!([[]]));
    assert!(portal.result("user.get", json!({"ID": 7, "select": "NAME"}))[0]["EMAIL"].is_string());
    assert!(Portal::start("legacy-read").await.result("user.get", only)[0]["EMAIL"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn department_get_accepts_upper_case_keys_and_whole_pages() {
    let department = |id: i64| json!({"ID": id, "NAME": format!("D{id}"), "PARENT": (id > 1).then_some(1), "LEFT_MARGIN": -id});
    let departments: Vec<Value> = (1..=60).map(department).collect();
    let parts = json!({"departments": departments});
    let portal = Portal::with("current", parts, json!({}), Limits::default()).await;
    let page = |parameters: Value| {
        let (_, answer) = portal.ask("department.get", parameters);
        let shown = ids(&answer["result"]);
        (
            shown.first().map(|id| (*id).to_owned()),
            shown.len(),
            answer["total"].clone(),
            answer["next"].clone(),
        )
    };
    let first = || Some("60".to_owned());
    assert_eq!(page(json!({})), (first(), 50, json!(60), json!(50)));
    assert_eq!(page(json!({"id": 3, "filter": {"ID": 3}})), (first(), 50, json!(60), json!(50)));
    assert_eq!(page(json!({"start": 20})), (first(), 50, json!(60), json!(50)));
    assert_eq!(page(json!({"start": "50"})), (Some("10".into()), 10, json!(60), Value::Null));
    assert_eq!(page(json!({"start": 100})), (first(), 50, json!(60), json!(50)));
    assert_eq!(page(json!({"START": 50})), (first(), 50, json!(60), json!(50)));
    assert_eq!(page(json!({"start": -1})), (first(), 50, json!(0), Value::Null));
    assert_eq!(page(json!({"ID": 4711})), (None, 0, json!(0), Value::Null));
    assert_eq!(page(json!({"FILTER": {"NAME": "d5%"}})).2, json!(11));
    assert_eq!(page(json!({"NAME": "D5"})).2, json!(1));
    assert_eq!(page(json!({"PARENT": [1], "Sort": "id", "ORDER": "asc"})).0, Some("2".into()));
    assert_eq!(page(json!({"sort": "ID", "order": "desc"})).0, first());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_methods_depend_on_permission_and_release() {
    let portal = Portal::start("mid").await;
    assert_eq!(portal.result("profile", json!({}))["TIME_ZONE_OFFSET"], 0);
    assert!(portal.ask("profile", json!({})).1["time"]["start"].is_f64());
    assert_eq!(portal.ask("user.get", json!({"sort": "x", "order": "asc"})).1["error"], 100);
    let current = portal.result("user.current", json!({}));
    assert_eq!((&current["ID"], current.get("USER_TYPE")), (&json!("1"), None));
    assert!(current["TIMESTAMP_X"].is_string());
    assert_eq!(portal.ask_as("9/crmadminsecret09", "user.admin", json!({})).1["result"], false);
    let known = |name: &str| {
        let (_, answer) = portal.ask_as("1/adminnocrm000001", "method.get", json!({"name": name}));
        (answer["result"]["isExisting"].clone(), answer["result"]["isAvailable"].clone())
    };
    assert_eq!(known(RESET), (json!(true), json!(false)));
    assert_eq!(known("USER.get"), (json!(false), json!(false)));
    assert_eq!(known("user.get"), (json!(true), json!(true)));
    assert_eq!(portal.result("method.get", json!({"NAME": "user.get"}))["isExisting"], false);
    assert_eq!(
        portal.ask_as("1/adminnocrm000001", "scope", json!({})).1["result"],
        json!(["user"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lead_fields_have_titles_and_user_fields_their_labels() {
    let portal = Portal::start("current").await;
    // The portal of the recordings has no user fields.
    let fields = portal.result("crm.lead.fields", json!({}));
    assert_eq!(fields["TITLE"]["title"], "Lead Name");
    assert_eq!(fields["STATUS_ID"]["statusType"], "STATUS");
    assert_eq!(fields["PHONE"]["isMultiple"], true);
    assert!(fields.as_object().unwrap().keys().all(|code| !code.starts_with("UF_")));
    for composite in ["CLIENT", "OBSERVER", "OPPORTUNITY_WITH_CURRENCY", "UTM"] {
        assert_eq!(fields.get(composite), None, "{composite}");
    }
    let (_, refused) = portal.ask_as("1/adminnocrm000001", "crm.lead.fields", json!({}));
    assert_eq!(refused["error"], "insufficient_scope");
}
