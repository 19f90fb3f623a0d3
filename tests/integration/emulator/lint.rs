//! Careless client: each carelessness raises its complaint, and a careful client raises none.

use recard::emulator::Limits;
use serde_json::{Value, json};

use crate::support::portal::Portal;

const RESET: &str = "crm.lead.details.configuration.reset";
const SET: &str = "crm.lead.details.configuration.set";
const FORCE: &str = "crm.lead.details.configuration.forceCommonScopeForAll";
const CAREFUL: &str =
    "crm.lead.details.configuration.reset?scope=P&userId=7&extras[leadCustomerType]=1";

/// A careful reset with one part changed; a null takes it out.
fn reset(part: &str, value: Value) -> Value {
    let mut parameters = json!({"scope": "P", "userId": 7, "extras": {"leadCustomerType": 1}});
    parameters[part] = value;
    parameters.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    parameters
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_of_each_mistake_has_its_complaint_only() {
    let portal = Portal::start("current").await;
    let json_calls = [
        (RESET, reset("userId", Value::Null), "bad-user-id"),
        (RESET, reset("userId", json!(0)), "bad-user-id"),
        (RESET, reset("userId", json!("U7")), "bad-user-id"),
        (RESET, reset("userId", json!([7])), "bad-user-id"),
        (RESET, reset("userId", json!(7.5)), "bad-user-id"),
        (RESET, reset("userId", json!(true)), "bad-user-id"),
        (RESET, reset("userId", json!(2_147_483_647)), "bad-user-id"),
        (RESET, reset("user_id", json!(8)), "unknown-parameter"),
        (RESET, reset("scope", Value::Null), "bad-scope"),
        (RESET, reset("scope", json!("c")), "bad-scope"),
        (RESET, reset("extras", Value::Null), "missing-extras"),
        (RESET, reset("extras", json!({})), "missing-extras"),
        (RESET, reset("extras", json!({"leadCustomerType": 3})), "bad-lead-type"),
        (
            RESET,
            reset("extras", json!({"leadCustomerType": 1, "CATEGORY_ID": 5})),
            "unknown-extras",
        ),
        (FORCE, json!({"extras": {"leadCustomerType": 1}}), "force"),
        ("crm.lead.list", json!({}), "not-imitated"),
        ("crm.no.such", json!({}), "unknown-method"),
        ("user.get", json!({"sort": "ID"}), "unsorted-list"),
        (
            "user.get",
            json!({"sort": "ID", "order": "ASC", "FILTER": {"DEPARTMENT": 41}}),
            "unknown-filter",
        ),
        ("department.get", json!({"FILTER": {"id": 41}}), "unknown-filter"),
        ("department.get", json!({"START": 50}), "unknown-parameter"),
        ("batch", json!({}), "empty-batch"),
        ("batch", json!({"cmd": {"a": CAREFUL}, "halt": "false"}), "bad-halt"),
        ("batch", json!({"cmd": [CAREFUL]}), "unnamed-commands"),
        ("batch", json!({"cmd": {"a": {"method": "profile"}}}), "bad-command"),
        ("batch", json!({"cmd": {"a": "user.get?sort=ID&order=ASC#x"}}), "unencoded-command"),
        (
            "batch",
            json!({"cmd": {"a": format!("{CAREFUL}&entityTypeId=$result[u][0]")}}),
            "reference",
        ),
        (
            "batch",
            json!({"cmd": {"a": CAREFUL.replace("reset", "set") + "&data[0][name]=m&data[0][title]=T"
                + &(0..900).map(|field| format!("&data[0][elements][{field}][name]=F")).collect::<String>()}}),
            "set-in-batch",
        ),
        ("batch", json!({"cmd": {"a": CAREFUL.replace("userId", "user")}}), "bad-user-id"),
        (
            "batch",
            json!({"cmd": (0..51).map(|number| (format!("c{number}"), json!(CAREFUL))).collect::<serde_json::Map<_, _>>()}),
            "long-batch",
        ),
    ];
    for (method, parameters, kind) in json_calls {
        portal.ask(method, parameters.clone());
        let mut kinds = portal.complaints();
        if kind == "bad-user-id" {
            // A misspelled name is a missing one too.
            kinds.retain(|kind| *kind != "unknown-parameter");
        }
        assert_eq!(kinds, [kind], "{method} {parameters}");
    }
    let body = reset("userId", json!(7)).to_string();
    let json = [("Content-Type", "application/json")];
    let address = format!("/1/adminsecret00001/{RESET}");
    portal.send("PUT", &address, &json, body.as_bytes());
    assert_eq!(
        portal.complaints(),
        ["bad-scope", "bad-user-id", "lost-body", "missing-extras", "not-post"]
    );
    portal.send(
        "POST",
        &address,
        &[("Content-Type", "application/json; charset=utf-8")],
        body.as_bytes(),
    );
    assert_eq!(portal.complaints(), ["bad-content-type"]);
    portal.send("POST", &address, &json, body.replace('}', "").as_bytes());
    assert!(portal.complaints().contains(&"lost-body"));
    let small =
        Portal::with("current", json!({}), json!({"php_max_input_vars": 2}), Limits::default())
            .await;
    small.ask("batch", json!({"cmd": {"a": CAREFUL}}));
    assert_eq!(small.complaints(), ["dropped-values", "missing-extras"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lint_of_a_careful_client_has_no_complaint() {
    let portal = Portal::start("current").await;
    let lead = json!({"leadCustomerType": 2});
    let section = json!({"name": "m", "title": "a text with $result[x] in it"});
    for (method, parameters) in [
        ("profile", json!({})),
        ("scope", json!({})),
        ("method.get", json!({"name": RESET})),
        (
            "user.get",
            json!({"FILTER": {"ACTIVE": true, "!ID": [1]}, "sort": "ID", "order": "ASC", "start": 50}),
        ),
        ("department.get", json!({"sort": "ID", "order": "ASC", "start": 0})),
        (RESET, json!({"scope": "C", "extras": lead})),
        (SET, json!({"scope": "P", "userId": 7, "extras": lead, "data": [section]})),
        (
            "batch",
            json!({"cmd": {"a": CAREFUL, "b": CAREFUL.replace("userId=7", "userId=8")}, "halt": 0}),
        ),
    ] {
        assert_eq!(portal.ask(method, parameters.clone()).0, 200);
        assert_eq!(portal.complaints(), [] as [&str; 0], "{method} {parameters}");
    }
}
