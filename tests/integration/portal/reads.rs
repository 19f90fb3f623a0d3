//! Reads and lists over an in-memory portal: failures of every kind, and their events.

use std::sync::Mutex;
use std::time::Duration;

use recard::model::UserId;
use recard::portal::{PortalEvent, RetryBudget};
use recard::ports::{CardRead, PeopleQuery, PortalError, ReadPortal, Rejection, WriteError};
use serde_json::json;
use tokio::time::Instant;

use super::client::*;
use super::fake_transport::{FakeTransport, TransportFault};

const TIME_LIMIT: &str =
    r#"{"error":"OPERATION_TIME_LIMIT","error_description":"Method is blocked"}"#;

#[tokio::test(start_paused = true)]
async fn reads_answer_every_card_once_with_its_own_layout() {
    let portal = company(500, Vec::new());
    let client = client(&portal);
    assert_true_reads(&read(&client, &cards(500)).await.unwrap(), 500, &[]);
    let most = portal.with(|state| state.log.iter().map(Vec::len).max().unwrap());
    assert!(most <= 50, "{most}");
    let metrics = client.metrics();
    assert_eq!((metrics.commands, metrics.retried, metrics.throttled), (500, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn single_fault_of_any_kind_is_read_over() {
    let faults = [
        TransportFault::Answer(503, LIMIT),
        TransportFault::Answer(200, LIMIT),
        TransportFault::Answer(429, PAGE),
        TransportFault::Answer(429, TIME_LIMIT),
        TransportFault::Answer(502, PAGE),
        TransportFault::Answer(503, PAGE),
        TransportFault::Answer(504, PAGE),
        TransportFault::Answer(500, PAGE),
        TransportFault::Answer(200, PAGE),
        TransportFault::Answer(200, "{}"),
        TransportFault::Answer(200, ""),
        TransportFault::Answer(200, r#"{"result":[]}"#),
        TransportFault::Answer(500, r#"{"error":"INTERNAL_SERVER_ERROR","error_description":""}"#),
        TransportFault::Lost,
        TransportFault::NotSent,
        TransportFault::LostAfter,
        TransportFault::Cut,
        TransportFault::LeftOut(&["c0", "c7"]),
    ];
    for fault in faults {
        let portal = company(400, vec![TransportFault::None, fault.clone(), fault.clone()]);
        let start = Instant::now();
        let reads = read(&client(&portal), &cards(400))
            .await
            .unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_true_reads(&reads, 400, &[]);
        assert!(start.elapsed() < Duration::from_secs(6), "{fault:?} took {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn command_that_breaks_the_portal_is_found_and_all_others_are_read() {
    let portal = company(200, Vec::new());
    portal.with(|state| state.poison = Some("userId=77&".to_owned()));
    let (client, events) = telling(&portal);
    let start = Instant::now();
    assert_true_reads(&read(&client, &cards(200)).await.unwrap(), 200, &[77]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(
        events.lock().unwrap().iter().any(|event| matches!(event, PortalEvent::BatchSplit { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn retries_are_told_and_counted() {
    let retries = |events: &Mutex<Vec<PortalEvent>>| {
        let reason = |event: &PortalEvent| match event {
            PortalEvent::ReadRetried { reason } => Some(reason.clone()),
            _ => None,
        };
        events.lock().unwrap().iter().filter_map(reason).collect::<Vec<_>>()
    };
    let (client, events) = telling(&company(4, vec![TransportFault::LeftOut(&["c0", "c3"])]));
    assert_true_reads(&read(&client, &cards(4)).await.unwrap(), 4, &[]);
    assert_eq!(retries(&events), ["the portal left the command out"]);
    assert_eq!(client.metrics().retried, 1);

    let portal = FakeTransport::default();
    portal.with(|state| state.users = vec![json!({"ID": 7}), json!({"ID": 7})]);
    let (client, events) = telling(&portal);
    client.reader().people(&PeopleQuery::AllActive).await.unwrap_err();
    assert_eq!(retries(&events), ["the list of people does not fit together"; 2]);
    assert_eq!((client.metrics().retried, client.metrics().requests), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_limits_does_not_wear_out_the_patience_with_lost_answers() {
    let limited = std::iter::repeat_n(TransportFault::Answer(503, LIMIT), 18);
    let faults = [TransportFault::None, TransportFault::LostAfter]
        .into_iter()
        .chain(limited)
        .chain([TransportFault::LostAfter])
        .collect();
    let client = client(&company(20, faults));
    client.reader().identify().await.unwrap();
    let start = Instant::now();
    // One request at a time: all faults apply to the same one.
    assert_true_reads(&read(&client, &cards(1)).await.unwrap(), 1, &[]);
    assert!(start.elapsed() > RetryBudget::default().max_elapsed, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn limit_inside_a_batch_is_waited_out() {
    for code in ["OPERATION_TIME_LIMIT", "QUERY_LIMIT_EXCEEDED"] {
        let portal = company(60, Vec::new());
        portal.with(|state| state.failures.push(("configuration.get".to_owned(), code, 20)));
        let client = client(&portal);
        assert_true_reads(&read(&client, &cards(60)).await.unwrap(), 60, &[]);
        assert!(client.metrics().throttled > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_webhook_sends_no_further_request() {
    for (code, rejection) in [
        ("INVALID_CREDENTIALS", Rejection::Credentials),
        ("OVERLOAD_LIMIT", Rejection::Overload),
        ("ACCESS_DENIED", Rejection::PlanWithoutRest),
        ("authorization_error", Rejection::OwnerDismissed),
    ] {
        let portal = company(2000, Vec::new());
        portal
            .with(|state| state.failures.push(("configuration.get".to_owned(), code, usize::MAX)));
        let client = client(&portal);
        let error = read(&client, &cards(2000)).await.unwrap_err();
        assert!(
            matches!(&error, PortalError::Rejected { rejection: found, .. } if *found == rejection),
            "{error:?}"
        );
        let sent = client.metrics().requests;
        assert!(sent <= 8, "{sent} requests");
        let refused = reset_cards(&client.writer(), &cards(1)).await.unwrap_err();
        assert_eq!(refused, WriteError::NotSent(error));
        assert_eq!(client.metrics().requests, sent);
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_of_one_card_is_that_of_this_card() {
    let portal = company(10, Vec::new());
    portal.with(|state| state.failures.push(("userId=4&".to_owned(), "", 1)));
    let reads = read(&client(&portal), &cards(10)).await.unwrap();
    assert!(matches!(reads[&card(4)], CardRead::Refused(_)));
    assert!(matches!(reads[&card(5)], CardRead::Read(None)));
}

#[tokio::test(start_paused = true)]
async fn portal_that_is_down_is_given_up_after_the_patience() {
    let portal = company(2000, (0..2000).map(|_| TransportFault::Answer(502, PAGE)).collect());
    let client = client(&portal);
    let start = Instant::now();
    let error = read(&client, &cards(2000)).await.unwrap_err();
    assert!(matches!(error, PortalError::MaybeExecuted(_)), "{error:?}");
    let time = start.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(40)).contains(&time), "{time:?}");

    let portal = company(1, (0..2000).map(|_| TransportFault::NotSent).collect());
    let error = read(&super::client::client(&portal), &cards(1)).await.unwrap_err();
    assert!(matches!(error, PortalError::NotExecuted(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn address_that_serves_nothing_but_pages_is_given_up_soon_and_a_portal_that_does_is_not() {
    let pages = || (0..2000).map(|_| TransportFault::Answer(200, PAGE));
    let portal = company(1, pages().collect());
    let start = Instant::now();
    let error = client(&portal).reader().identify().await.unwrap_err();
    assert!(matches!(error, PortalError::MaybeExecuted(_)), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let tries = 2000 - portal.with(|state| state.faults.len());
    assert!((3..=6).contains(&tries), "{tries} tries");

    // It has answered before, and so it is a portal.
    let portal = company(1, Vec::new());
    let client = client(&portal);
    client.reader().identify().await.unwrap();
    portal.with(|state| state.faults = pages().collect());
    let start = Instant::now();
    read(&client, &cards(1)).await.unwrap_err();
    assert!(start.elapsed() > Duration::from_secs(12), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn outage_of_ten_seconds_is_retried_to_its_end() {
    for status in [502, 200] {
        let portal = company(1000, Vec::new());
        let client = client(&portal);
        // A failing portal may return its error page with a success status. An earlier answer shows
        // that it is a portal.
        client.reader().identify().await.unwrap();
        portal.with(|state| state.delay = Duration::from_millis(300));
        portal.with(|state| {
            state.faults = (0..30).map(|_| TransportFault::Answer(status, PAGE)).collect()
        });
        assert_true_reads(&read(&client, &cards(1000)).await.unwrap(), 1000, &[]);
    }
}

#[tokio::test(start_paused = true)]
async fn lists_are_read_to_their_end_and_no_further() {
    for count in [0, 1, 49, 50, 51, 100, 125, 3210] {
        let portal = FakeTransport::default();
        portal.with(|state| {
            state.users =
                (1..=count).map(|id| json!({"ID": id.to_string(), "ACTIVE": true})).collect();
            state.departments =
                (1..=count).map(|id| json!({"ID": id.to_string(), "NAME": "x"})).collect();
        });
        let reader = client(&portal).reader();
        let people = reader.people(&PeopleQuery::AllActive).await.unwrap();
        assert_eq!(people.len(), count, "{count} people");
        assert_eq!(reader.departments().await.unwrap().len(), count, "{count} departments");
        assert_eq!(reader.identify().await.unwrap().active_users as usize, count);
    }
}

#[tokio::test(start_paused = true)]
async fn ignored_filter_is_noticed_before_everybody_is_listed() {
    let portal = FakeTransport::default();
    portal.with(|state| {
        state.users = (1..=5000).map(|id| json!({"ID": id, "ACTIVE": true})).collect()
    });
    let ids = PeopleQuery::Ids(vec![UserId::new(7).unwrap()]);
    let client = client(&portal);
    let error = client.reader().people(&ids).await.unwrap_err();
    assert!(matches!(error, PortalError::Unexpected(_)), "{error:?}");
    assert_eq!(client.metrics().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn list_with_the_same_person_twice_has_a_hole() {
    let portal = FakeTransport::default();
    portal.with(|state| state.users = vec![json!({"ID": 7}), json!({"ID": 7})]);
    let error = client(&portal).reader().people(&PeopleQuery::AllActive).await.unwrap_err();
    assert!(matches!(error, PortalError::Unexpected(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn missing_right_names_the_method() {
    let portal = company(3, Vec::new());
    portal.with(|state| {
        state.failures.push(("user.get".to_owned(), "insufficient_scope", usize::MAX))
    });
    let client = client(&portal);
    let error = client.reader().identify().await.unwrap_err();
    assert!(
        matches!(&error, PortalError::Rejected { rejection: Rejection::MissingRight, message, .. } if message == "user.get"),
        "{error:?}"
    );
    assert!(read(&client, &cards(3)).await.is_ok(), "other rights may be there");
}
