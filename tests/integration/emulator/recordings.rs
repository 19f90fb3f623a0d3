//! Recorded exchanges: the emulator gives the answers of the vendor's own code, and leaves the same
//! rows behind.

use std::collections::BTreeMap;

use recard::emulator::Emulator;
use serde_json::Value;

use crate::support::raw::{host_of, send};
use crate::support::wire::{Case, Exchange, card_cases, lead_cases};

/// Cases that cannot be reproduced, with the reason.
const NOT_REPRODUCED: &[(&str, &str)] = &[];

/// Takes out what differs from run to run; of `time.start` the kind of number is kept, which tells
/// the release.
fn steady(value: &Value, path: &str) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "result_time")
            .map(|(key, value)| {
                let value = match (key.as_str(), value.get("start")) {
                    ("time", Some(start)) => {
                        Value::String(if start.is_f64() { "fraction" } else { "whole" }.into())
                    }
                    ("result", _) if path.ends_with("server.time") => Value::String("*".into()),
                    _ => steady(value, path),
                };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(list) => list.iter().map(|value| steady(value, path)).collect(),
        // The moments of `server.time` in a batch.
        Value::String(text)
            if text.len() == 25 && text.starts_with("20") && text.ends_with("+00:00") =>
        {
            let recorded_day = text.starts_with("2026-11-")
                || !text.contains("T09:00:00") && !text.contains("T00:00:00");
            if recorded_day { Value::String("*".into()) } else { value.clone() }
        }
        other => other.clone(),
    }
}

fn rows(rows: &[Value]) -> BTreeMap<(i64, String), Value> {
    let row = |row: &Value| {
        let key = (row["user_id"].as_i64().unwrap(), row["name"].as_str().unwrap().to_owned());
        let common = row["common"].as_str().unwrap_or("N").to_owned();
        (key, serde_json::json!([common, row["value"]]))
    };
    rows.iter().map(row).collect()
}

/// Replays a case; the text says what differs.
fn replay(portal: &Emulator, case: &Case) -> Result<(), String> {
    let (url, control) = (portal.rest_url(), portal.control_url());
    let state = case.state.to_string();
    let put = send(host_of(&control), "PUT", "/state", &[], state.as_bytes()).ok_or("no answer")?;
    if put.status != 200 {
        return Err(format!("PUT /state: {}", put.json()));
    }
    for (number, exchange) in case.exchanges.iter().enumerate() {
        let Exchange { verb, path, headers, body, status, content_type, answer, text } = exchange;
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let got = send(host_of(&url), verb, path, &headers, body).ok_or("no answer")?;
        let shown = String::from_utf8_lossy(&got.body).into_owned();
        if got.status != *status || got.header("content-type") != Some(content_type.as_str()) {
            let kind = got.header("content-type");
            return Err(format!(
                "exchange {number}: {} {kind:?} instead of {status} {content_type}: {shown}",
                got.status
            ));
        }
        match answer {
            Some(answer) => {
                let (got, wanted) = (steady(&got.json(), path), steady(answer, path));
                if got != wanted {
                    return Err(format!("exchange {number}: {got}\n   instead of {wanted}"));
                }
            }
            None => {
                let cut = |text: &str| {
                    text.split("<time>")
                        .next()
                        .unwrap_or_default()
                        .replace("<time/></response>", "")
                };
                if cut(&shown) != cut(text) {
                    return Err(format!("exchange {number}: {shown}\n   instead of {text}"));
                }
            }
        }
    }
    let state = send(host_of(&control), "GET", "/state", &[], b"").ok_or("no answer")?.json();
    let (got, wanted) = (rows(state["options"].as_array().unwrap()), rows(&case.after));
    if got == wanted {
        return Ok(());
    }
    let differing = |one: &BTreeMap<(i64, String), Value>,
                     other: &BTreeMap<(i64, String), Value>| {
        one.iter()
            .filter(|(key, value)| other.get(*key) != Some(*value))
            .map(|(key, value)| format!("{key:?} {value}"))
            .collect::<Vec<_>>()
    };
    Err(format!(
        "rows: {:?}\n   instead of {:?}",
        differing(&got, &wanted),
        differing(&wanted, &got)
    ))
}

async fn answers_as_recorded(cases: &[Case]) {
    let portal = Emulator::start().await.unwrap();
    let mut failures = Vec::new();
    for case in cases {
        let known = NOT_REPRODUCED.iter().any(|(name, _)| *name == case.name);
        match replay(&portal, case) {
            Ok(()) => {
                assert!(!known, "{} is reproduced after all: take it off the list", case.name)
            }
            Err(_) if known => {}
            Err(problem) => failures.push(format!("{} ({}): {problem}", case.name, case.variant)),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases differ:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emulator_answers_every_recording_of_lead_cards_as_the_portal_did() {
    let cases = lead_cases();
    assert!(cases.len() >= 224, "only {} cases", cases.len());
    answers_as_recorded(&cases).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emulator_answers_every_recording_of_other_cards_as_the_portal_did() {
    let cases = card_cases();
    assert!(cases.len() >= 116, "only {} cases", cases.len());
    answers_as_recorded(&cases).await;
}
