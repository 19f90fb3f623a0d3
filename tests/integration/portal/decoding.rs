//! Decoding of every recorded answer by recard's client, compared with an independent reading of
//! the recorded values.

#![allow(clippy::print_stdout, reason = "a failure names its recording by the last line")]

use std::collections::BTreeMap;

use recard::portal::Limit;
use recard::portal::wire::people::{self, TimeZoneOffset};
use recard::portal::wire::{
    BatchResponse, CommandError, FailureClass, RawCommandResult, Rejection, ResponseError, Success,
    WholeSeconds, card, decode,
};
use serde_json::Value;

use crate::support::wire::{Case, Exchange, lead_cases};

/// Returns the meaning of an error, as a word.
fn of_error(error: &Value) -> &'static str {
    match error["error"].as_str() {
        Some("INVALID_CREDENTIALS" | "NO_AUTH_FOUND") => "wrong webhook",
        Some("authorization_error") => "owner dismissed",
        Some("insufficient_scope") => "right missing",
        Some("INVALID_REQUEST") => "https wanted",
        Some("PORTAL_DELETED") => "portal closed",
        Some("ERROR_METHOD_NOT_FOUND") => "no such method",
        Some("OPERATION_TIME_LIMIT") => "time used up",
        // The code is empty for every refusal of the cards, and a number, or its text, for those of
        // the kernel.
        Some(
            ""
            | "100"
            | "22102051"
            | "ERROR_BATCH_LENGTH_EXCEEDED"
            | "ERROR_BATCH_METHOD_NOT_ALLOWED",
        ) => "refused",
        None if error["error"].is_u64() => "refused",
        other => panic!("nobody has said what {other:?} means"),
    }
}

fn of_rejection(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Credentials => "wrong webhook",
        Rejection::OwnerDismissed => "owner dismissed",
        Rejection::MissingRight => "right missing",
        Rejection::HttpsRequired => "https wanted",
        Rejection::PortalClosed => "portal closed",
        Rejection::NotAPortal => "no such method",
        other => panic!("{other:?} is in no recording"),
    }
}

fn of_limit(limit: Limit) -> &'static str {
    match limit {
        Limit::OperatingTime => "time used up",
        other => panic!("{other:?} is in no recording"),
    }
}

fn of_trouble(trouble: &ResponseError) -> &'static str {
    match trouble {
        ResponseError::Rejected(rejection, _) => of_rejection(*rejection),
        ResponseError::Limited(limit, _) => of_limit(*limit),
        ResponseError::Refused(_) => "refused",
        ResponseError::Broken(FailureClass::Persistent, _) => "broken down",
        ResponseError::Broken(FailureClass::NotAPortal | FailureClass::Transient, _) => "no answer",
    }
}

fn of_command_trouble(trouble: &CommandError) -> &'static str {
    match trouble {
        CommandError::Rejected(rejection, _) => of_rejection(*rejection),
        CommandError::Limited(limit, _) => of_limit(*limit),
        CommandError::Refused(_) => "refused",
        CommandError::Broken(_) => "broken down",
    }
}

/// The entries of one of a batch's maps, in whichever form it came.
fn entries(map: &Value) -> BTreeMap<String, Value> {
    match map {
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value.clone()))
            .collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        other => panic!("{other} is no map"),
    }
}

fn check_batch(success: &Success<'_>, recorded: &Value) {
    let answer = BatchResponse::from_success(success).unwrap();
    let (results, errors) = (entries(&recorded["result"]), entries(&recorded["result_error"]));
    let keys: Vec<&String> = answer.results.keys().collect();
    let mut wanted: Vec<&String> = results.keys().chain(errors.keys()).collect();
    wanted.sort();
    assert_eq!(keys, wanted);
    let (totals, nexts) = (entries(&recorded["result_total"]), entries(&recorded["result_next"]));
    for (key, result) in &answer.results {
        match &result.outcome {
            RawCommandResult::Answered(text) => {
                assert_eq!(&serde_json::from_str::<Value>(text.get()).unwrap(), &results[key]);
            }
            RawCommandResult::Failed(trouble) => {
                assert_eq!(of_command_trouble(trouble), of_error(&errors[key]))
            }
        }
        assert_eq!(result.total, totals.get(key).and_then(Value::as_u64));
        assert_eq!(result.next, nexts.get(key).and_then(Value::as_u64));
    }
}

fn ids(list: &Value) -> Vec<u64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["ID"].as_str().unwrap().parse().unwrap())
        .collect()
}

fn check_success(case: &Case, method: &str, success: &Success<'_>, answer: &Value) {
    let recorded = &answer["result"];
    assert_eq!(success.total, answer["total"].as_u64());
    assert_eq!(success.next, answer["next"].as_u64());
    let whole = if case.variant == "current" { WholeSeconds::Yes } else { WholeSeconds::No };
    assert_eq!(success.times.start, Some(whole));
    match method {
        "batch" => check_batch(success, recorded),
        "user.get" => match people::people(success.result) {
            Some(found) => {
                let found: Vec<u64> = found.iter().map(|person| person.id.get().into()).collect();
                assert_eq!(found, ids(recorded));
            }
            None => {
                assert!(recorded.as_array().unwrap().iter().any(|entry| entry["ACTIVE"].is_null()))
            }
        },
        "department.get" => {
            let found = people::departments(success.result).unwrap();
            let found: Vec<u64> =
                found.iter().map(|department| department.id.get().into()).collect();
            assert_eq!(found, ids(recorded));
        }
        "profile" => {
            let profile = people::profile(success.result).unwrap();
            assert_eq!(profile.user.get().to_string(), recorded["ID"].as_str().unwrap());
            assert_eq!(profile.portal_admin, recorded["ADMIN"].as_bool().unwrap());
            let has = profile.time_zone_offset == TimeZoneOffset::Present;
            assert_eq!(has, case.variant != "current");
        }
        get if get.ends_with("configuration.get") => match card::layout(success.result).unwrap() {
            Some(layout) => {
                assert_eq!(&serde_json::from_str::<Value>(layout.as_json()).unwrap(), recorded)
            }
            None => assert!(recorded.is_null()),
        },
        change if change.contains("configuration.") => {
            assert!(card::is_done(success.result));
            assert_eq!(recorded, &Value::Bool(true));
        }
        _ => assert_eq!(&serde_json::from_str::<Value>(success.result.get()).unwrap(), recorded),
    }
}

/// The method of an address, in lower case and without a suffix.
fn method(path: &str) -> String {
    let path = path.split('?').next().unwrap().trim_end_matches('/').to_ascii_lowercase();
    path.rsplit('/').next().unwrap().trim_end_matches(".json").to_owned()
}

#[test]
fn recorded_answers_are_decoded_to_results_and_errors() {
    let (mut results, mut errors) = (0, 0);
    for case in lead_cases() {
        for (number, exchange) in case.exchanges.iter().enumerate() {
            let Exchange { path, status, content_type, answer, text, .. } = exchange;
            let body = answer.as_ref().map_or_else(|| text.clone(), Value::to_string);
            let decoded = decode(*status, Some(content_type), body.as_bytes());
            let place = format!("{} ({}), exchange {number}", case.name, case.variant);
            match (decoded, answer) {
                (Ok(success), Some(answer)) => {
                    assert!(answer.get("error").is_none(), "{place}: an error passes for a result");
                    // Said before the checks, so that a failure names its recording.
                    println!("{place}: {}", success.result.get());
                    check_success(&case, &method(path), &success, answer);
                    results += 1;
                }
                (Ok(_), None) => panic!("{place}: a page passes for a result"),
                (Err(trouble), Some(answer)) => {
                    assert_eq!(of_trouble(&trouble), of_error(answer), "{place}");
                    errors += 1;
                }
                (Err(trouble), None) => {
                    let meaning = if *status == 500 { "broken down" } else { "no answer" };
                    assert_eq!(of_trouble(&trouble), meaning, "{place}");
                    errors += 1;
                }
            }
        }
    }
    assert!(results > 300 && errors > 30, "only {results} results and {errors} errors");
}
