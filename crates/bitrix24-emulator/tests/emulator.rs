//! The emulator as a test of another program uses it: over HTTP, and by its own methods.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use bitrix24_emulator::{CardRow, Emulator, EmulatorOptions, Seed};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const RESET: &str = "crm.lead.details.configuration.reset";

/// Sends one POST request and returns the status and the JSON of the response.
async fn post(portal: &Emulator, method: &str, body: &Value) -> (u16, Value) {
    let webhook = portal.webhook_url(1).unwrap();
    let (host, path) = webhook.trim_start_matches("http://").split_once('/').unwrap();
    let body = body.to_string();
    let request = format!(
        "POST /{path}{method} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn emulator_careful_request_has_no_complaint() {
    let options = EmulatorOptions { seed: Seed::Users(9), ..EmulatorOptions::default() };
    let portal = Emulator::start_with(options).await.unwrap();
    let body = json!({ "scope": "P", "userId": 2, "extras": { "leadCustomerType": 1 } });
    let (status, response) = post(&portal, RESET, &body).await;
    assert_eq!((status, response.get("result")), (200, Some(&json!(true))));
    assert_eq!(portal.counters().by_method.get(&RESET.to_lowercase()), Some(&1));
    assert_eq!(portal.complaints(), []);
    portal.stop().await;
}

#[tokio::test]
async fn emulator_careless_request_has_a_complaint() {
    let portal = Emulator::start().await.unwrap();
    // The portal takes the missing user id for the caller, and answers `true`.
    let body = json!({ "scope": "P", "extras": { "leadCustomerType": 1 } });
    let (status, response) = post(&portal, RESET, &body).await;
    assert_eq!((status, response.get("result")), (200, Some(&json!(true))));
    let kinds: Vec<&str> = portal.complaints().iter().map(|complaint| complaint.kind).collect();
    assert_eq!(kinds, ["bad-user-id"]);
}

#[tokio::test]
async fn emulator_fault_script_refuses_chosen_request() {
    let portal = Emulator::start().await.unwrap();
    portal.set_faults(&json!([{ "nth": 2, "do": "rate-limit" }])).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(post(&portal, "profile", &json!({})).await.0);
    }
    assert_eq!(statuses, [200, 503, 200]);
    assert_eq!(portal.counters().faults, 1);
}

#[tokio::test]
async fn emulator_rows_of_any_kind_are_put_and_read() {
    let options = EmulatorOptions { seed: Seed::Users(1), ..EmulatorOptions::default() };
    let portal = Emulator::start_with(options).await.unwrap();
    let sections = json!([{ "name": "main", "type": "section", "title": "Mine", "elements": [] }]);
    let kept = [
        CardRow::personal(2, "deal_details", &sections),
        CardRow::common("deal_details_c_3", &sections),
    ];
    let leads = portal.rows();
    kept.iter().for_each(|row| portal.put_row(row.clone()));
    portal.put_row(CardRow::personal(2, "deal_details_c_3", &sections));
    let reset = "crm.item.details.configuration.reset";
    let body =
        json!({ "entityTypeId": 2, "scope": "P", "userId": 2, "extras": { "dealCategoryId": 3 } });
    assert_eq!(post(&portal, reset, &body).await.0, 200);
    let rows = portal.rows();
    assert_eq!(rows.len(), leads.len() + kept.len());
    assert!(leads.iter().chain(&kept).all(|row| rows.contains(row)));
    assert_eq!(portal.complaints(), []);
    // A row of the same name is replaced, whatever the spelling of either.
    portal.put_row(CardRow::personal(2, "DEAL_details", &json!([])));
    assert_eq!(portal.rows().len(), rows.len());
}
