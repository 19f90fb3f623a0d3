//! The rules of the portal that its recordings show, where no recording looks: other values, other ways to send them, other
//! releases.

#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use recard::emulator::Limits;
use serde_json::{Value, json};

use support::portal::Portal;

const RESET: &str = "crm.lead.details.configuration.reset";
const GET: &str = "crm.lead.details.configuration.get";
const SET: &str = "crm.lead.details.configuration.set";
const FORCE: &str = "crm.lead.details.configuration.forceCommonScopeForAll";

/// Who loses a card by a reset with these parameters.
fn resets(portal: &Portal, parameters: Value) -> Vec<String> {
    portal.removed(|portal| assert_eq!(portal.ask(RESET, parameters.clone()).0, 200, "{parameters}"))
}

/// The same with the webhook of user 9, so that the caller and user 1 are two.
fn resets_by_nine(portal: &Portal, parameters: &Value) -> Vec<String> {
    portal.removed(|portal| {
        let (status, answer) = portal.ask_as("9/crmadminsecret09", RESET, parameters.clone());
        assert_eq!(status, 200, "{parameters} {answer}");
    })
}

/// Who loses a card by a reset with a body that is no JSON of its own.
fn resets_by(portal: &Portal, verb: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<String> {
    portal.removed(|portal| {
        let path = format!("/1/adminsecret00001/{path}");
        let answer = portal.send(verb, &path, &[("Content-Type", content_type)], body).unwrap();
        assert_eq!(answer.status, 200);
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_id_is_read_by_the_rules_of_php() {
    let portal = Portal::start("current").await;
    for (id, who) in [
        (json!(7), "7 lead_details"),
        (json!("7"), "7 lead_details"),
        (json!(" 7 "), "7 lead_details"),
        (json!("7e0"), "7 lead_details"),
        (json!("0.7e1"), "7 lead_details"),
        (json!(7.999), "7 lead_details"),
        (json!("-7"), "9 lead_details"),
        (json!(-7), "9 lead_details"),
        (json!("0x7"), "9 lead_details"),
        (json!("1e400"), "9 lead_details"),
        (json!(true), "1 lead_details"),
        (json!({"id": 7}), "1 lead_details"),
        (json!([]), "9 lead_details"),
        (json!(18_446_744_073_709_551_616.0), "9 lead_details"),
    ] {
        assert_eq!(resets_by_nine(&portal, &json!({"scope": "P", "userId": id})), [who], "{id}");
    }
    for nobody in [json!("1e30"), json!("99999999999999999999"), json!(2_147_483_648_u64), json!(4096)] {
        assert!(resets(&portal, json!({"scope": "P", "userId": nobody})).is_empty(), "{nobody}");
    }
    // The first name that is not null counts, in the portal's own order.
    assert_eq!(resets(&portal, json!({"UserId": 7, "userId": 8})), ["8 lead_details"]);
    assert_eq!(resets(&portal, json!({"userId": 7, "USERID": 8})), ["8 lead_details"]);
    assert_eq!(resets(&portal, json!({"userid": null, "USERID": 8})), ["8 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_is_common_only_as_the_one_letter() {
    let portal = Portal::start("current").await;
    for (scope, who) in [
        (json!("C"), "0 lead_details_common"),
        (json!("c"), "7 lead_details"),
        (json!("С"), "7 lead_details"),
        (json!(" C"), "7 lead_details"),
        (json!("common"), "7 lead_details"),
        (json!({"0": "C"}), "7 lead_details"),
        (json!(0), "7 lead_details"),
    ] {
        assert_eq!(resets(&portal, json!({"scope": scope, "userId": 7})), [who], "{scope}");
    }
    assert_eq!(resets(&portal, json!({"scope": null, "SCOPE": "C"})), ["0 lead_details_common"]);
    assert_eq!(resets(&portal, json!({"scope": "P", "Scope": "C", "userId": 7})), ["7 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kind_of_lead_depends_on_spelling_and_release() {
    let again = "7 returning_lead_details";
    let simple = "7 lead_details";
    for (release, three) in [("current", None), ("mid", Some(simple)), ("legacy-read", Some(simple))] {
        let portal = Portal::start(release).await;
        let by = |extras: Value| resets(&portal, json!({"scope": "P", "userId": 7, "extras": extras}));
        for (extras, who) in [
            (json!({"leadCustomerType": 2}), again),
            (json!({"leadCustomerType": "2x"}), again),
            (json!({"LEAD_CUSTOMER_TYPE": 2}), again),
            (json!({"leadcustomertype": 1, "LeadCustomerType": 2}), simple),
            (json!({"leadcustomertype": null, "LeadCustomerType": 2}), again),
            (json!({"leadCustomerType": 1, "LEAD_CUSTOMER_TYPE": 2}), simple),
            (json!({"leadCustomerType": [2]}), simple),
            (json!({"leadCustomerType": true}), simple),
            (json!({"lead-customer-type": 2}), simple),
            (json!({"lead.customer.type": 2}), simple),
            (json!([2]), simple),
            (json!({"categoryId": 5}), simple),
            (json!({"CATEGORY_ID": 0}), simple),
            (json!({"CATEGORY_ID": -1}), simple),
        ] {
            assert_eq!(by(extras.clone()), [who], "{release} {extras}");
        }
        assert_eq!(by(json!({"leadCustomerType": 3})), Vec::from_iter(three), "{release}");
        for extras in [json!({"CATEGORY_ID": 5}), json!({"DEAL_CATEGORY_ID": "5"})] {
            assert!(by(extras.clone()).is_empty(), "{release} {extras}");
        }
        let bad = portal.ask(RESET, json!({"scope": "P", "userId": 7, "extras": {"CATEGORY_ID": "5a"}}));
        assert_eq!(bad.0, if release == "current" { 500 } else { 200 });
        assert_eq!(resets(&portal, json!({"userId": 7, "arExtras": {"leadCustomerType": 2}})), [again]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_read_is_an_empty_one() {
    let body = br#"{"scope":"P","userId":7}"#;
    let (seven, caller) = (["7 lead_details"], ["1 lead_details"]);
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        let post = |kind: &str, body: &[u8]| resets_by(&portal, "POST", RESET, kind, body);
        let loose = if release == "current" { seven } else { caller };
        assert_eq!(post("application/json", body), seven);
        assert_eq!(post("application/json;charset=UTF-8", body), seven);
        assert_eq!(post("application/json ; charset=utf-8", body), seven);
        assert_eq!(post("Application/JSON", body), loose, "{release}");
        assert_eq!(post("application/json-patch+json", body), loose, "{release}");
        assert_eq!(post("text/json", body), caller);
        assert_eq!(post("application/json", b" \n{\"userId\":7}\n\0"), seven);
        assert_eq!(post("application/json", b"[{\"userId\":7}]"), caller);
        assert_eq!(post("application/json", b"\"userId\""), caller);
        assert_eq!(post("application/json", b"{\"userId\":7,}"), caller);
        assert_eq!(post("application/json", b"\x1f\x8b\x08\x00"), caller);
        assert_eq!(post("application/x-www-form-urlencoded", b"scope=P&userId=7"), seven);
        assert_eq!(post("text/plain", b"scope=P&userId=7"), seven);
        let form = b"--B\r\nContent-Disposition: form-data; name=\"userId\"\r\n\r\n7\r\n--B--\r\n";
        assert_eq!(post("multipart/form-data; boundary=B", form), seven);
        // The address counts for every verb, and the body goes over it for POST alone.
        let path = format!("{RESET}?userId=7");
        assert_eq!(resets_by(&portal, "PUT", &path, "application/json", b"{\"userId\":8}"), seven);
        assert_eq!(resets_by(&portal, "POST", &path, "application/json", b"{\"userId\":8}"), ["8 lead_details"]);
        assert_eq!(resets_by(&portal, "POST", &path, "application/json", b"{"), seven);
        assert_eq!(resets_by(&portal, "GET", &format!("{RESET}?user%49d=7&scope[]=C"), "x", b""), seven);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_read_whatever_its_spelling() {
    let portal = Portal::start("current").await;
    let status = |path: &str| portal.send("POST", path, &[("Content-Type", "application/json")], b"{}").unwrap();
    for path in [
        "/1/adminsecret00001/PROFILE",
        "/1/ADMINSECRET00001/profile.JSON/",
        "/admin/adminsecret00001/profile",
        "/ADMIN/adminsecret00001/profile.json",
    ] {
        assert_eq!(status(path).json()["result"]["ID"], "1", "{path}");
    }
    let xml = status("/1/adminsecret00001/user.admin.xml");
    assert_eq!(xml.header("content-type"), Some("text/xml; charset=utf-8"));
    assert!(xml.body.starts_with(b"<response><result>1</result><time>"));
    let refused = |path: &str| {
        let answer = status(path);
        (answer.status, answer.json()["error"].as_str().unwrap().to_owned())
    };
    let error = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("/1/wrong/no.such"), error(404, "ERROR_METHOD_NOT_FOUND"));
    assert_eq!(refused("/no.such"), error(404, "ERROR_METHOD_NOT_FOUND"));
    assert_eq!(refused("/profile"), error(401, "NO_AUTH_FOUND"));
    assert_eq!(refused("/7/adminsecret00001/profile"), error(401, "INVALID_CREDENTIALS"));
    assert_eq!(refused("/01/adminsecret00001/profile"), error(401, "INVALID_CREDENTIALS"));
    assert_eq!(refused("/1/adminsecret00001/profile.json.json"), error(404, "ERROR_METHOD_NOT_FOUND"));
    let off = json!({"webhooks": [{"user_id": 1, "secret": "off", "active": false, "scope": ["crm"]},
        {"user_id": 10, "secret": "gone", "scope": []}, {"user_id": 99, "secret": "nobody", "scope": ["crm"]}]});
    let portal = Portal::with("current", off, json!({"https_required": true}), Limits::default()).await;
    let (status, answer) = portal.ask_as("1/off", "no.such", json!({}));
    assert_eq!((status, &answer["error"]), (404, &json!("ERROR_METHOD_NOT_FOUND")), "known before anything else");
    let mut state = portal.emulator.state();
    assert_eq!(portal.ask_as("1/off", "profile", json!({})).1["error"], "INVALID_REQUEST");
    state["environment"] = json!({"server_settings": {"rest.hold_entity": "{\"W\":[\"gone\"]}"}});
    portal.emulator.set_state(&state).unwrap();
    assert_eq!(portal.ask_as("10/gone", "profile", json!({})).1["error"], "OVERLOAD_LIMIT");
    assert_eq!(portal.ask_as("1/off", "profile", json!({})).1["error"], "INVALID_CREDENTIALS");
    state["environment"] = json!({});
    portal.emulator.set_state(&state).unwrap();
    assert_eq!(portal.ask_as("1/off", "profile", json!({})).1["error"], "INVALID_CREDENTIALS");
    assert_eq!(portal.ask_as("10/gone", "profile", json!({})).1["error"], "authorization_error");
    assert_eq!(portal.ask_as("10/gone", GET, json!({})).1["error"], "insufficient_scope");
    assert_eq!(portal.ask_as("99/nobody", GET, json!({})).1["error"], "authorization_error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_do_what_depends_on_the_release() {
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        let over_others = if release == "current" { 200 } else { 400 };
        let data = json!([{"name": "main", "title": "new"}]);
        let status = |webhook: &str, method: &str, parameters: Value| portal.ask_as(webhook, method, parameters).0;
        let crm = "9/crmadminsecret09";
        assert_eq!(status(crm, GET, json!({"scope": "P", "userId": 7})), over_others, "{release}");
        assert_eq!(status(crm, RESET, json!({"scope": "P", "userId": 7})), over_others, "{release}");
        assert_eq!(status(crm, SET, json!({"scope": "P", "userId": 7, "data": data})), over_others, "{release}");
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
            assert_eq!(status(plain, method, parameters.clone()), expected, "{release} {method} {parameters}");
        }
        // Whoever may not write does not learn what is wrong with the data.
        let (_, refused) = portal.ask_as(plain, SET, json!({"scope": "C", "data": 5}));
        assert_eq!(refused, json!({"error": "", "error_description": "Access denied."}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_portal_reads_and_writes_the_caller_and_resets_the_named() {
    let portal = Portal::start("legacy-read").await;
    let title = |row: &Value| row["value"][0]["elements"][0]["title"].clone();
    assert_eq!(portal.result(GET, json!({"scope": "P", "userId": 7}))[0]["title"], "one");
    assert_eq!(portal.result(GET, json!({"scope": "C", "userId": 7}))[0]["title"], "all");
    let item = "crm.item.details.configuration.set";
    portal.result(item, json!({"entityTypeId": 1, "userId": 8, "data": [{"name": "main", "title": "new"}]}));
    let state = portal.emulator.state();
    let row = |user: i64| state["options"].as_array().unwrap().iter().find(|row| row["user_id"] == user).unwrap();
    assert_eq!((title(row(1)), title(row(8))), (json!("new"), json!("eight")));
    assert_eq!(resets(&portal, json!({"scope": "P", "userId": 8})), ["8 lead_details"]);
    let force = portal.removed(|portal| assert_eq!(portal.ask(FORCE, json!({})).0, 200));
    assert_eq!(force, ["1 lead_details", "7 lead_details", "8 lead_details", "9 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_refuses_in_the_portals_order_and_words() {
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::start(release).await;
        let old = release != "current";
        let text = |data: Value| {
            let (status, answer) = portal.ask(SET, json!({"scope": "P", "userId": 7, "data": data}));
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
            (json!([{"name": "a", "title": ""}]), if old { "Section at index 0 does not have title." } else { "" }),
            (json!([{"name": "a", "title": 5}]), if old { "" } else { "Section at index 0 does not have title." }),
        ] {
            assert_eq!(text(data.clone()), wanted, "{release} {data}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_keeps_what_the_portal_knows_and_drops_the_rest() {
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
    assert_eq!(shown[0]["elements"], json!([{"name": "A", "optionFlags": "1", "options": {"x": ""}}]));
    // A write for an id that no column can hold goes to the largest that one can.
    portal.result(SET, json!({"userId": "99999999999999999999", "data": [{"name": "m", "title": "T"}]}));
    assert!(portal.rows().contains(&"2147483647 lead_details".to_owned()));
    assert_eq!(portal.result(GET, json!({"userId": 99_999_999_999_u64})), Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_found_whatever_its_letter_case_and_the_common_default_stands_in() {
    let portal = Portal::start("current").await;
    let mut state = portal.emulator.state();
    let row = |user: i64, name: &str, common: &str, value: Value| json!({"user_id": user, "category": "crm.entity.editor", "name": name, "common": common, "value": value});
    state["options"] = json!([
        row(0, "LEAD_DETAILS", "Y", json!([{"type": "column", "elements": {"1": "odd"}}])),
        row(0, "returning_lead_details", "N", json!("not for all")),
        row(7, "Lead_Details_Scope", "N", json!("P")),
        row(7, "lead_details_scope_on_add", "N", json!("P")),
        row(7, "lead_details_opts", "N", json!({})),
        row(8, "lead_details", "N", json!([{"type": "column"}, {"type": "column", "elements": [1]}])),
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
    let force = portal.removed(|portal| assert_eq!(portal.ask(FORCE, json!({"userId": 7, "scope": "C"})).0, 200));
    assert_eq!(force, ["0 LEAD_DETAILS", "7 Lead_Details_Scope", "8 lead_details"]);
    let force = portal.removed(|portal| assert_eq!(portal.ask(FORCE, json!({"extras": repeat})).0, 200));
    assert_eq!(force, ["0 returning_lead_details", "8 RETURNING_LEAD_DETAILS"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crm_item_wants_to_know_of_what() {
    let portal = Portal::start("current").await;
    let item = "crm.item.details.configuration.get";
    let text = |parameters: Value| portal.ask(item, parameters).1["error_description"].as_str().map(str::to_owned);
    let undefined = Some("Parameter 'entityTypeID' is not defined".to_owned());
    for id in [json!(0), json!("lead"), json!(null), json!([]), json!(999), json!(-1)] {
        assert_eq!(text(json!({"entityTypeId": id, "userId": 7})), undefined, "{id}");
    }
    assert_eq!(text(json!({"userId": 7})), undefined);
    let unsupported = |name: &str| Some(format!("The entity type '{name}' is not supported in current context."));
    assert_eq!(text(json!({"entityTypeId": 5})), unsupported("INVOICE"));
    assert_eq!(text(json!({"entityTypeId": "8"})), unsupported("REQUISITE"));
    assert_eq!(text(json!({"entityTypeId": 1.9, "userId": 7})), None);
    assert_eq!(portal.result(item, json!({"entityTypeId": 2, "userId": 7})), Value::Null);
    assert_eq!(
        portal.result(item, json!({"entityTypeId": null, "ENTITY_TYPE_ID": true, "userId": 7}))[0]["title"],
        "seven"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_answers_in_the_forms_of_php_and_stops_where_it_is_told() {
    let portal = Portal::start("current").await;
    let batch = |parameters: Value| portal.result("batch", parameters);
    let empty = json!({"result": [], "result_error": [], "result_total": [], "result_next": [], "result_time": []});
    for nothing in [json!({}), json!({"cmd": "profile"}), json!({"cmd": {}}), json!({"cmd": [{"a": 1}, null, 5]})] {
        assert_eq!(batch(nothing), empty);
    }
    let shape = |cmd: Value| {
        let answer = batch(json!({"CMD": cmd}));
        (answer["result"].clone(), answer["result_error"].clone())
    };
    let error = json!({"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"});
    let (yes, no) = ("user.admin", "no.such");
    assert_eq!(shape(json!([yes, no, yes])), (json!({"0": true, "2": true}), json!({"1": error})));
    assert_eq!(shape(json!([no, yes])), (json!({"1": true}), json!([error])));
    assert_eq!(shape(json!({"1": yes, "0": yes})), (json!({"1": true, "0": true}), json!([])));
    assert_eq!(shape(json!({"0": yes, "1": yes})), (json!([true, true]), json!([])));
    for (halt, stops) in [
        (json!(0), false),
        (json!(""), false),
        (json!("0"), false),
        (json!([]), false),
        (json!(0.0), false),
        (json!("0.0"), true),
        (json!("false"), true),
        (json!([0]), true),
        (json!(-1), true),
    ] {
        let answer =
            batch(json!({"cmd": {"a": RESET.to_owned() + "?userId=8&data", "b": SET, "c": yes}, "Halt": halt}));
        assert_eq!(answer["result"].get("c").is_none(), stops, "{halt}");
        assert_eq!(answer["result_error"]["b"]["error"], "");
    }
    let many: Vec<Value> = (0..51).map(|number| if number == 3 { json!({}) } else { json!(yes) }).collect();
    let answer = batch(json!({"cmd": many}));
    assert_eq!(answer["result"].as_object().unwrap().len(), 49, "what is no text counts");
    assert_eq!(answer["result_error"]["50"]["error"], "ERROR_BATCH_LENGTH_EXCEEDED");
    let answer =
        batch(json!({"cmd": {"a": "batch?cmd[x]=user.admin", "b": "Batch?cmd[x]=BATCH%3Fcmd[y]%3Duser.admin"}}));
    assert_eq!(answer["result_error"]["a"]["error"], "ERROR_BATCH_METHOD_NOT_ALLOWED");
    assert_eq!(answer["result"]["b"]["result"]["x"]["result"]["y"], true);
    for name in ["user.admin.json", "user.admin/", "no", "user.get.xml", "user.admin?token=x"] {
        assert_eq!(batch(json!({"cmd": {"a": name}}))["result_error"]["a"], error, "{name}");
    }
    let (status, answer) = portal.ask_as("1/adminnocrm000001", "batch", json!({"cmd": {"a": GET, "b": yes}}));
    assert_eq!((status, &answer["result"]["result"]["b"]), (200, &json!(true)));
    let missing = json!({"error": "insufficient_scope", "error_description": ""});
    assert_eq!(answer["result"]["result_error"]["a"], missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_text_of_a_command_is_decoded_once() {
    let portal = Portal::start("current").await;
    let title = |text: &str| {
        let set = format!("{SET}?scope=P&userId=7&data[0][name]=m&data[0][title]={text}&data[0][elements][0][name]=A");
        let get = format!("{GET}?scope=P&userId=7");
        let answer = portal.result("batch", json!({"cmd": {"s": set, "g": get}}));
        let section = &answer["result"]["g"][0];
        (section["title"].as_str().unwrap().to_owned(), section["elements"].as_array().unwrap().len())
    };
    for (raw, kept, elements) in [
        ("a%26b", "a&b", 1),
        ("a%2526", "a%26", 1),
        ("a+b", "a b", 1),
        ("a%", "a%", 1),
        ("a%4", "a%4", 1),
        ("a=b:80/?c", "a=b:80/?c", 1),
        ("a#b", "a", 0),
        ("a%23b", "a#b", 1),
        ("a%0Ab%00c", "a\nb\0c", 1),
        ("a\nb\tc", "a_b_c", 1),
        ("Ё😀", "Ё😀", 1),
        ("$result[x] $RESULT[x] $", "$result[x] $RESULT[x] $", 1),
    ] {
        assert_eq!(title(raw), (kept.to_owned(), elements), "{raw}");
    }
    // In a form the text is decoded once more before that.
    let form = "cmd[s]=crm.lead.details.configuration.reset?scope=P%26userId=7&cmd[t]=user.admin&userId=8";
    assert_eq!(portal.removed(|portal| assert_eq!(portal.form("batch", form).0, 200)), ["7 lead_details"]);
    let cut = "cmd[s]=crm.lead.details.configuration.reset?scope=P&userId=7";
    assert_eq!(portal.removed(|portal| assert_eq!(portal.form("batch", cut).0, 200)), ["1 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_that_leads_nowhere_is_the_last_thing_on_its_way() {
    let portal = Portal::start("current").await;
    for (reference, who) in [
        ("$result[u][0][ID]", Some("7 lead_details")),
        ("$result[u][0]", Some("1 lead_details")),
        ("$result[u][9][ID]", Some("1 lead_details")),
        ("$result[nobody]", Some("1 lead_details")),
        ("$result[e]", Some("9 lead_details")),
        ("$result[a]", Some("1 lead_details")),
        ("$result[a][0][ID]", Some("1 lead_details")),
        ("$total[u]", Some("1 lead_details")),
        ("$error[b][error]", Some("9 lead_details")),
        ("$next[u]", Some("9 lead_details")),
        ("$RESULT[u][0][ID]", Some("9 lead_details")),
        ("$result", Some("9 lead_details")),
        ("$result[o][0][ID]", Some("8 lead_details")),
        ("$time[u][start]", None),
    ] {
        let cmd = json!({"u": "user.get?ID=7", "o": "USER.GET?FILTER[ID]=8", "e": "user.get?ID=4711", "a": format!("{RESET}?userId=4711"),
            "b": "no.such", "r": format!("{RESET}?scope=P&userId={reference}")});
        let removed = portal.removed(|portal| {
            let (_, answer) = portal.ask_as("9/crmadminsecret09", "batch", json!({"cmd": cmd}));
            assert_eq!(answer["result"]["result"]["r"], true, "{reference} {answer}");
        });
        assert_eq!(removed, Vec::from_iter(who), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_beyond_the_limit_are_dropped_without_a_word() {
    let small = json!({"php_max_input_vars": 4});
    let portal = Portal::with("current", json!({}), small, Limits::default()).await;
    let late = format!("{RESET}?a=1&b=2&c=3&d=4&userId=7");
    let batch = |command: &str| {
        let command = command.to_owned();
        portal.removed(|portal| assert_eq!(portal.ask("batch", json!({"cmd": {"a": command}})).0, 200))
    };
    assert_eq!(batch(&late), ["1 lead_details"]);
    assert_eq!(batch(&late.replace("a=1&", "")), ["7 lead_details"]);
    let json = json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "userId": 7});
    assert_eq!(resets(&portal, json), ["7 lead_details"]);
    assert_eq!(resets_by(&portal, "GET", &late, "x", b""), ["1 lead_details"]);
    // A form has room for one more.
    let form = |body: &[u8]| resets_by(&portal, "POST", RESET, "application/x-www-form-urlencoded", body);
    assert_eq!(form(b"a=1&b=2&c=3&d=4&userId=7"), ["7 lead_details"]);
    assert_eq!(form(b"a=1&b=2&c=3&d=4&e=5&userId=7"), ["1 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_filter_changes_texts_by_way_and_release() {
    for release in ["current", "mid", "legacy-read"] {
        let portal = Portal::with(release, json!({"security_filter": true}), json!({}), Limits::default()).await;
        let title = |portal: &Portal| portal.result(GET, json!({"scope": "P"}))[0]["title"].clone();
        let (sent, changed) = ("<script>../../x", "<sc ript>../. ./x");
        portal.result(SET, json!({"scope": "P", "data": [{"name": "m", "title": sent}]}));
        assert_eq!(title(&portal), if release == "current" { changed } else { sent }, "{release}");
        let query = format!("{SET}?data[0][name]=m&data[0][title]=%3Cscript%3E../../x");
        portal.result("batch", json!({"cmd": {"a": query}}));
        assert_eq!(title(&portal), changed, "{release}");
        let path = format!("/1/adminsecret00001/{query}");
        portal.result(RESET, json!({"scope": "P"}));
        assert_eq!(portal.send("GET", &path, &[], b"").unwrap().status, 200);
        assert_eq!(title(&portal), changed, "{release}");
    }
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["ID"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_get_filters_and_sorts_with_all_its_traps() {
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
    let order = |sort: Value, order: Value| portal.ask("user.get", json!({"sort": sort, "order": order, "ID": [7, 8]}));
    assert_eq!(ids(&order(json!("last_name"), json!("DESC")).1["result"]), ["8", "7"]);
    assert_eq!(ids(&order(json!({"ID": "DESC"}), json!("DESC")).1["result"]), ["7", "8"]);
    assert_eq!(ids(&order(json!(""), json!("DESC")).1["result"]), ["7", "8"]);
    let (status, refused) = order(json!("nope"), json!("ASC"));
    assert_eq!((status, &refused["error"]), (400, &json!("100")));
    assert!(refused["error_description"].as_str().unwrap().starts_with("Unknown field definition `nope` (nope)"));
    assert_eq!(order(json!("ID"), json!("up")).0, 400);
    let only = json!({"ID": 7, "SELECT": ["NAME", "nope"]});
    assert_eq!(portal.result("user.get", only.clone()), json!([{"NAME": "Ivan"}]));
    assert_eq!(portal.result("user.get", json!({"ID": 7, "select": ["nope"]})), json!([[]]));
    assert!(portal.result("user.get", json!({"ID": 7, "select": "NAME"}))[0]["EMAIL"].is_string());
    assert!(Portal::start("legacy-read").await.result("user.get", only)[0]["EMAIL"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn department_get_knows_capitals_only_and_reads_whole_pages() {
    let department =
        |id: i64| json!({"ID": id, "NAME": format!("D{id}"), "PARENT": (id > 1).then_some(1), "LEFT_MARGIN": -id});
    let departments: Vec<Value> = (1..=60).map(department).collect();
    let parts = json!({"departments": departments});
    let portal = Portal::with("current", parts, json!({}), Limits::default()).await;
    let page = |parameters: Value| {
        let (_, answer) = portal.ask("department.get", parameters);
        let shown = ids(&answer["result"]);
        (shown.first().map(|id| (*id).to_owned()), shown.len(), answer["total"].clone(), answer["next"].clone())
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
async fn the_small_methods_answer_by_right_and_release() {
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
    assert_eq!(portal.ask_as("1/adminnocrm000001", "scope", json!({})).1["result"], json!(["user"]));
}
