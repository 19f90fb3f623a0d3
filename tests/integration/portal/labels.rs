//! Tests of the labels that come with the identification of the caller.

use recard::ports::ReadPortal as _;
use serde_json::json;

use super::client::client;
use super::fake_transport::{FakeTransport, TransportFault};

/// Returns a portal that names a field.
fn portal() -> FakeTransport {
    let portal = FakeTransport::default();
    portal.with(|state| state.lead_fields = json!({"TITLE": {"title": "Lead name"}}));
    portal
}

#[tokio::test(start_paused = true)]
async fn labels_come_in_the_request_that_identifies_the_caller() {
    let portal = portal();
    let client = client(&portal);
    assert_eq!(client.field_labels(), None);
    client.reader().identify().await.unwrap();
    assert_eq!(client.field_labels().unwrap().get("TITLE"), Some("Lead name"));
    assert_eq!(client.metrics().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn labels_that_are_refused_cost_no_error_and_no_further_request() {
    for code in [
        "",
        "insufficient_scope",
        "ERROR_METHOD_NOT_FOUND",
        "ACCESS_DENIED",
        "QUERY_LIMIT_EXCEEDED",
        "OPERATION_TIME_LIMIT",
        "INTERNAL_SERVER_ERROR",
    ] {
        let portal = portal();
        portal.with(|state| state.failures.push(("crm.lead.fields".to_owned(), code, usize::MAX)));
        let client = client(&portal);
        client.reader().identify().await.unwrap_or_else(|error| panic!("{code}: {error}"));
        assert_eq!((client.field_labels(), client.metrics().requests), (None, 1), "{code}");
        client.reader().departments().await.unwrap_or_else(|error| panic!("{code}: {error}"));
    }
}

#[tokio::test(start_paused = true)]
async fn labels_that_are_left_out_or_break_the_request_cost_no_error() {
    let left_out = portal();
    left_out.with(|state| state.faults.push_back(TransportFault::LeftOut(&["c2"])));
    let poisoned = portal();
    poisoned.with(|state| state.poison = Some("crm.lead.fields".to_owned()));
    for (portal, requests) in [(left_out, Some(1)), (poisoned, None)] {
        let client = client(&portal);
        client.reader().identify().await.unwrap();
        assert_eq!(client.field_labels(), None);
        assert!(requests.is_none_or(|requests| client.metrics().requests == requests));
    }
}

#[tokio::test(start_paused = true)]
async fn departments_come_in_the_request_that_identifies_the_caller() {
    let portal = portal();
    let client = client(&portal);
    client.reader().identify().await.unwrap();
    let names = client.department_names().unwrap().len();
    assert_eq!(names, client.reader().departments().await.unwrap().len().min(50));
    portal
        .with(|state| state.failures.push(("department.get".to_owned(), "insufficient_scope", 1)));
    let client = self::client(&portal);
    client.reader().identify().await.unwrap();
    assert_eq!((client.department_names(), client.metrics().requests), (None, 1));
}
