//! Reading of a request by the portal: user ids, scopes, types of leads, bodies, addresses.

use recard::emulator::Limits;
use serde_json::{Value, json};

use super::{GET, RESET, resets, resets_by, resets_by_nine};
use crate::support::portal::Portal;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn user_id_is_converted_by_the_rules_of_php() {
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
    for nobody in
        [json!("1e30"), json!("99999999999999999999"), json!(2_147_483_648_u64), json!(4096)]
    {
        assert!(resets(&portal, json!({"scope": "P", "userId": nobody})).is_empty(), "{nobody}");
    }
    // The first name that is not null counts, in the portal's own order.
    assert_eq!(resets(&portal, json!({"UserId": 7, "userId": 8})), ["8 lead_details"]);
    assert_eq!(resets(&portal, json!({"userId": 7, "USERID": 8})), ["8 lead_details"]);
    assert_eq!(resets(&portal, json!({"userid": null, "USERID": 8})), ["8 lead_details"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scope_other_than_the_letter_c_is_personal() {
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
    assert_eq!(
        resets(&portal, json!({"scope": "P", "Scope": "C", "userId": 7})),
        ["7 lead_details"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lead_type_parameter_depends_on_spelling_and_release() {
    let again = "7 returning_lead_details";
    let simple = "7 lead_details";
    for (release, three) in
        [("current", None), ("mid", Some(simple)), ("legacy-read", Some(simple))]
    {
        let portal = Portal::start(release).await;
        let by =
            |extras: Value| resets(&portal, json!({"scope": "P", "userId": 7, "extras": extras}));
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
        let bad =
            portal.ask(RESET, json!({"scope": "P", "userId": 7, "extras": {"CATEGORY_ID": "5a"}}));
        assert_eq!(bad.0, if release == "current" { 500 } else { 200 });
        assert_eq!(
            resets(&portal, json!({"userId": 7, "arExtras": {"leadCustomerType": 2}})),
            [again]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn body_that_cannot_be_parsed_counts_as_empty() {
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
        assert_eq!(
            resets_by(&portal, "POST", &path, "application/json", b"{\"userId\":8}"),
            ["8 lead_details"]
        );
        assert_eq!(resets_by(&portal, "POST", &path, "application/json", b"{"), seven);
        assert_eq!(
            resets_by(&portal, "GET", &format!("{RESET}?user%49d=7&scope[]=C"), "x", b""),
            seven
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn method_path_is_accepted_in_each_spelling() {
    let portal = Portal::start("current").await;
    let status = |path: &str| {
        portal.send("POST", path, &[("Content-Type", "application/json")], b"{}").unwrap()
    };
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
    assert_eq!(
        refused("/1/adminsecret00001/profile.json.json"),
        error(404, "ERROR_METHOD_NOT_FOUND")
    );
    let off = json!({"webhooks": [{"user_id": 1, "secret": "off", "active": false, "scope": ["crm"]},
        {"user_id": 10, "secret": "gone", "scope": []}, {"user_id": 99, "secret": "nobody", "scope": ["crm"]}]});
    let portal =
        Portal::with("current", off, json!({"https_required": true}), Limits::default()).await;
    let (status, answer) = portal.ask_as("1/off", "no.such", json!({}));
    assert_eq!(
        (status, &answer["error"]),
        (404, &json!("ERROR_METHOD_NOT_FOUND")),
        "known before anything else"
    );
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
