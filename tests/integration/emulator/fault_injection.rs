//! Fault injection of the emulator: every failure of a portal, at the requested places, and the
//! portal's limits.

use std::time::Duration;

use recard::emulator::{Emulator, EmulatorOptions, Limits};
use serde_json::{Value, json};

use crate::support::portal::Portal;
use crate::support::raw::{self, host_of};

const RESET: &str = "crm.lead.details.configuration.reset";

/// Sends a script of faults to the control address.
fn faults(portal: &Portal, script: &Value) {
    let control = portal.emulator.control_url();
    let answer =
        raw::send(host_of(&control), "PUT", "/faults", &[], script.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.json());
}

/// Resets the simple card of user 7: status, body and whether the row is gone; no status if the
/// connection ends.
fn reset(portal: &Portal) -> (Option<u16>, String, bool) {
    let path = format!("/1/adminsecret00001/{RESET}");
    let headers = [("Content-Type", "application/json")];
    let answer = portal.send("POST", &path, &headers, br#"{"scope":"P","userId":7}"#);
    if let Some(answer) = &answer {
        assert_eq!(answer.header("x-recard-emulator"), Some("1"));
    }
    let body = answer
        .as_ref()
        .map(|answer| String::from_utf8_lossy(&answer.body).into_owned())
        .unwrap_or_default();
    (
        answer.map(|answer| answer.status),
        body,
        !portal.rows().contains(&"7 lead_details".to_owned()),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_cuts_a_request_before_or_after_its_execution() {
    let portal = Portal::start("current").await;
    let whole = portal.emulator.state();
    for (effect, status, in_body, done) in [
        ("rate-limit", Some(503), "QUERY_LIMIT_EXCEEDED", false),
        ("operating-time", Some(429), "OPERATION_TIME_LIMIT", false),
        ("overload", Some(401), "OVERLOAD_LIMIT", false),
        ("access-denied", Some(401), "ACCESS_DENIED", false),
        ("expire-webhook", Some(401), "INVALID_CREDENTIALS", false),
        ("html-before", Some(502), "<html>", false),
        ("html-after", Some(502), "<html>", true),
        ("html-ok", Some(200), "<html>", false),
        ("redirect", Some(302), "", false),
        ("cut-before", None, "", false),
        ("cut-after", None, "", true),
        ("truncate", Some(200), "{\"result\":true", true),
        ("fail-command", Some(500), "ERROR_CORE", false),
        ("limit-command", Some(429), "OPERATION_TIME_LIMIT", false),
        ("rate-limit-command", Some(503), "QUERY_LIMIT_EXCEEDED", false),
        ("fatal", Some(500), "", false),
    ] {
        portal.emulator.set_state(&whole).unwrap();
        faults(&portal, &json!([{"method": RESET, "nth": 1, "do": effect}]));
        let (got, body, gone) = reset(&portal);
        assert_eq!((got, gone), (status, done), "{effect}: {body}");
        assert!(body.contains(in_body), "{effect}: {body}");
        if effect == "truncate" {
            assert!(!body.contains("date_finish"), "{body}");
        }
        let (again, body, _) = reset(&portal);
        let expected = if effect == "expire-webhook" { 401 } else { 200 };
        assert_eq!(
            again,
            Some(expected),
            "only once, but a webhook stays invalid: {effect} {body}"
        );
    }
    assert_eq!(portal.emulator.counters().faults, 16);
    portal.emulator.set_state(&whole).unwrap();
    faults(&portal, &json!([{"do": "slow", "ms": 1}]));
    assert_eq!(reset(&portal).0, Some(200));
    assert_eq!(portal.emulator.counters().faults, 17);
    let control = portal.emulator.control_url();
    raw::send(host_of(&control), "DELETE", "/faults", &[], b"").unwrap();
    assert_eq!(reset(&portal).0, Some(200));
    assert_eq!(portal.emulator.counters().faults, 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_burst_has_its_length_and_seeded_chance_repeats() {
    let portal = Portal::start("current").await;
    let statuses = |script: &Value, calls: usize| -> Vec<u16> {
        faults(&portal, script);
        let path = "/1/adminsecret00001/profile";
        (0..calls).map(|_| portal.send("GET", path, &[], b"").unwrap().status).collect()
    };
    assert_eq!(
        statuses(&json!([{"from": 2, "times": 3, "do": "rate-limit"}]), 6),
        [200, 503, 503, 503, 200, 200]
    );
    let by_chance = |seed: u64| json!([{"probability": 0.5, "seed": seed, "do": "html-before"}]);
    let first = statuses(&by_chance(7), 20);
    assert_eq!(first, statuses(&by_chance(7), 20));
    assert_ne!(first, statuses(&by_chance(8), 20));
    assert!(first.contains(&200) && first.contains(&502));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_fails_single_commands_of_a_batch() {
    let portal = Portal::start("current").await;
    let whole = portal.emulator.state();
    let command = |user: u32| format!("{RESET}?scope=P&userId={user}");
    let cmd = json!({"a": command(1), "b": command(7), "c": command(8)});
    for (effect, code) in [
        ("fail-command", "ERROR_CORE"),
        ("limit-command", "OPERATION_TIME_LIMIT"),
        ("rate-limit-command", "QUERY_LIMIT_EXCEEDED"),
    ] {
        portal.emulator.set_state(&whole).unwrap();
        faults(&portal, &json!([{"method": RESET, "nth": 2, "do": effect}]));
        let (status, answer) = portal.ask("batch", json!({"cmd": cmd}));
        assert_eq!((status, &answer["result"]["result_error"]["b"]["error"]), (200, &json!(code)));
        assert_eq!(answer["result"]["result"], json!({"a": true, "c": true}));
        assert!(portal.rows().contains(&"7 lead_details".to_owned()));
    }
    portal.emulator.set_state(&whole).unwrap();
    faults(&portal, &json!([{"method": RESET, "nth": 2, "do": "skip-command"}]));
    let (status, answer) = portal.ask("batch", json!({"cmd": cmd}));
    assert_eq!((status, &answer["result"]["result"]), (200, &json!({"a": true, "c": true})));
    assert_eq!(answer["result"]["result_error"], json!([]), "neither done nor refused");
    assert!(portal.rows().contains(&"7 lead_details".to_owned()));
    assert!(reset(&portal).2, "alone, a command cannot be left out");
    portal.emulator.set_state(&whole).unwrap();
    faults(&portal, &json!([{"method": RESET, "nth": 2, "do": "fatal"}]));
    assert_eq!(portal.ask("batch", json!({"cmd": cmd})), (500, Value::Null));
    let left = portal.rows();
    let is_left = |row: &str| left.contains(&row.to_owned());
    assert!(
        !is_left("1 lead_details") && is_left("7 lead_details") && is_left("8 lead_details"),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_saves_a_layout_between_two_requests_or_commands() {
    let portal = Portal::start("current").await;
    let get = "crm.lead.details.configuration.get";
    let saved =
        json!([{"name": "m", "title": "saved meanwhile", "type": "section", "elements": []}]);
    let save = json!([{"method": get, "nth": 2, "do": "save",
        "row": {"user_id": 7, "name": "lead_details", "value": saved}}]);
    let whole = portal.emulator.state();
    faults(&portal, &save);
    let parameters = json!({"scope": "P", "userId": 7});
    assert_eq!(portal.result(get, parameters.clone())[0]["title"], "seven");
    assert_eq!(portal.result(get, parameters)[0]["title"], "saved meanwhile");
    portal.emulator.set_state(&whole).unwrap();
    faults(&portal, &save);
    let command = format!("{get}?scope=P&userId=7");
    let answer = portal.result("batch", json!({"cmd": {"a": command, "b": command}}));
    assert_eq!(answer["result"]["a"][0]["title"], "seven");
    assert_eq!(answer["result"]["b"][0]["title"], "saved meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_limit_refuses_requests_without_executing_them() {
    let limits = Limits { rate: Some((3.0, 0.0)), ..Limits::default() };
    let portal = Portal::with("current", json!({}), json!({}), limits).await;
    for _ in 0..3 {
        assert_eq!(
            portal.ask("batch", json!({"cmd": {"a": "profile", "b": "profile"}})).0,
            200,
            "a batch is one"
        );
    }
    let (status, body, gone) = reset(&portal);
    assert_eq!((status, gone), (Some(503), false));
    assert!(body.contains("QUERY_LIMIT_EXCEEDED"));
    let counters = portal.emulator.counters();
    assert_eq!((counters.requests, counters.commands, counters.refused_by_rate), (4, 6, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operating_limit_refuses_the_method_for_its_webhook_only() {
    let limits = Limits { operating_seconds: Some(0.15), ..Limits::default() };
    let options = EmulatorOptions {
        limits,
        command_time: Duration::from_millis(100),
        ..EmulatorOptions::default()
    };
    let portal = Portal { emulator: Emulator::start_with(options).await.unwrap() };
    let profile = |webhook: &str| portal.ask_as(webhook, "profile", json!({}));
    let (one, nine) = ("1/emulator00000001", "9/emulator00000009");
    assert_eq!(profile(one).1["time"]["operating"], 0.1);
    let (_, second) = profile(one);
    assert_eq!(second["time"]["operating"], 0.2);
    let left = second["time"]["operating_reset_at"].as_f64().unwrap()
        - second["time"]["finish"].as_f64().unwrap();
    assert!((0.0..=601.0).contains(&left), "{second}");
    let (status, refused) = profile(one);
    assert_eq!((status, &refused["error"]), (429, &json!("OPERATION_TIME_LIMIT")));
    let (status, answer) =
        portal.ask_as(one, "batch", json!({"cmd": {"a": "profile", "b": "user.admin"}}));
    assert_eq!((status, &answer["result"]["result"]), (200, &json!({"b": true})));
    assert_eq!(answer["result"]["result_error"]["a"]["error"], "OPERATION_TIME_LIMIT");
    assert_eq!(answer["time"]["operating"], 0);
    assert_eq!(profile(nine).0, 200);
    assert_eq!(portal.emulator.counters().refused_by_operating_time, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_matches_batches_that_contain_a_method() {
    let portal = Portal::start("current").await;
    portal.emulator.keep_history();
    let get = "crm.lead.details.configuration.get";
    faults(&portal, &json!([{"method": "batch", "inside": RESET, "nth": 2, "do": "cut-after"}]));
    let send = |method: &str, user: u32| {
        let body = json!({"cmd": {"a": format!("{get}?scope=P&userId={user}"), "b": format!("{method}?scope=P&userId={user}")}});
        let headers = [("Content-Type", "application/json")];
        portal
            .send("POST", "/1/adminsecret00001/batch", &headers, body.to_string().as_bytes())
            .map(|answer| answer.status)
    };
    assert_eq!(send(RESET, 7), Some(200));
    assert_eq!(send(get, 8), Some(200), "holds no reset, and is not counted");
    assert_eq!(reset(&portal).0, Some(200), "is a reset, and no batch");
    assert_eq!(send(&RESET.to_uppercase(), 8), None, "the connection ended");
    assert!(!portal.rows().contains(&"8 lead_details".to_owned()), "and it was carried out");
    assert_eq!(send(RESET, 9), Some(200));

    // The portal tells what happened, the answer that was lost included.
    let told: Vec<String> = portal
        .emulator
        .history()
        .iter()
        .map(|event| {
            let row = event.row.as_ref();
            let title = row
                .map(|row| row.value.pointer("/0/elements/0/title").cloned().unwrap_or_default());
            let user = row.map_or(0, |row| row.user_id);
            format!("{} {} {user} {}", event.request, event.kind, title.unwrap_or_default())
        })
        .collect();
    let expected = [
        "1 get 7 \"seven\"",
        "1 reset 7 \"seven\"",
        "2 get 8 \"eight\"",
        "2 get 8 \"eight\"",
        "3 reset 7 null",
        "4 cut-after 0 null",
        "4 get 8 \"eight\"",
        "4 reset 8 \"eight\"",
        "5 get 9 \"nine\"",
        "5 reset 9 \"nine\"",
    ];
    assert_eq!(told, expected);
    let control = portal.emulator.control_url();
    let answer = raw::send(host_of(&control), "GET", "/history", &[], b"").unwrap().json();
    assert_eq!(answer[5], json!({"request": 4, "what": "cut-after"}));
    assert_eq!(answer[4]["row"], json!({"user_id": 7, "name": "lead_details", "value": null}));
    raw::send(host_of(&control), "PUT", "/history", &[], b"").unwrap();
    assert_eq!(portal.emulator.history(), []);
    raw::send(host_of(&control), "DELETE", "/history", &[], b"").unwrap();
    send(get, 1);
    assert_eq!(portal.emulator.history(), []);
}
