//! Tests of the whole client over an in-memory portal: failures of every kind, and their events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tokio::time::Instant;

use super::fake_transport::{FakeTransport, TransportFault};
use super::mutations::NOT_EXECUTED;
use super::{HttpPortal, LimiterLevel, PortalEvent, PortalSettings, PortalWriter, Rate};
use crate::model::{CardKey, Layout, LeadCustomerType, UserId};
use crate::ports::{
    CardRead, CardWrite, Lane, PeopleQuery, PortalError, ReadPortal, Rejection, SingleSet,
    WriteAnswer, WriteError, WriteEvidence, WritePortal,
};

const LIMIT: &str = r#"{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}"#;
const TIME_LIMIT: &str =
    r#"{"error":"OPERATION_TIME_LIMIT","error_description":"Method is blocked"}"#;
const PAGE: &str = "<html>502</html>";

fn card(user: u64) -> CardKey {
    CardKey::personal(UserId::new(user).unwrap(), LeadCustomerType::Simple)
}

fn query(key: CardKey) -> String {
    format!("scope=P&userId={}&extras[leadCustomerType]=1", key.user().unwrap())
}

fn cards(count: u64) -> Vec<CardKey> {
    (1..=count).map(card).collect()
}

/// Returns a portal where every third person has a personal card.
fn company(count: u64, faults: Vec<TransportFault>) -> FakeTransport {
    let portal = FakeTransport::failing(faults);
    portal.with(|state| {
        for user in (3..=count).step_by(3) {
            state.rows.insert(
                query(card(user)),
                json!([{"name": "main", "title": user.to_string(), "elements": []}]),
            );
        }
    });
    portal
}

fn client(portal: &FakeTransport) -> HttpPortal {
    HttpPortal::over(portal.clone(), &PortalSettings::default())
}

/// Returns a client with its events.
fn telling(portal: &FakeTransport) -> (HttpPortal, Arc<Mutex<Vec<PortalEvent>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let settings = PortalSettings {
        events: Arc::new(move |event| log.lock().unwrap().push(event)),
        ..PortalSettings::default()
    };
    (HttpPortal::over(portal.clone(), &settings), events)
}

async fn read(
    client: &HttpPortal,
    keys: &[CardKey],
) -> Result<BTreeMap<CardKey, CardRead>, PortalError> {
    let mut reads = BTreeMap::new();
    let mut sink =
        |key, read| assert!(reads.insert(key, read).is_none(), "{key} was answered twice");
    client.reader().read_cards(keys, &mut sink).await?;
    Ok(reads)
}

fn assert_true_reads(reads: &BTreeMap<CardKey, CardRead>, count: u64, except: &[u64]) {
    assert_eq!(reads.len() as u64, count);
    for (key, read) in reads {
        let user = u64::from(key.user().unwrap().get());
        if except.contains(&user) {
            assert!(matches!(read, CardRead::NoAnswer(_)), "{key}: {read:?}");
            continue;
        }
        let CardRead::Read(layout) = read else { panic!("{key}: {read:?}") };
        let title = layout.as_ref().map(|layout| layout.outline().sections[0].title.clone());
        assert_eq!(title, (user % 3 == 0).then(|| user.to_string()), "{key}");
    }
}

/// Resets cards in one request of the plan.
async fn reset_cards(
    writer: &PortalWriter,
    targets: &[CardKey],
) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
    let writes: Vec<_> = targets.iter().map(|target| (*target, CardWrite::Reset)).collect();
    writer.write_cards(&writes, Lane::Planned).await
}

#[tokio::test(start_paused = true)]
async fn every_card_is_read_once_and_is_its_own() {
    let portal = company(500, Vec::new());
    let client = client(&portal);
    assert_true_reads(&read(&client, &cards(500)).await.unwrap(), 500, &[]);
    let most = portal.with(|state| state.log.iter().map(Vec::len).max().unwrap());
    assert!(most <= 50, "{most}");
    let metrics = client.metrics();
    assert_eq!((metrics.commands, metrics.retried, metrics.throttled), (500, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_single_fault_of_any_kind_is_read_over() {
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
async fn a_command_that_breaks_the_portal_is_found_and_all_others_are_read() {
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
async fn whatever_is_sent_again_is_told_and_counted() {
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
    assert!(start.elapsed() > super::RetryBudget::default().max_elapsed, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_limit_inside_a_batch_is_waited_out() {
    for code in ["OPERATION_TIME_LIMIT", "QUERY_LIMIT_EXCEEDED"] {
        let portal = company(60, Vec::new());
        portal.with(|state| state.failures.push(("configuration.get".to_owned(), code, 20)));
        let client = client(&portal);
        assert_true_reads(&read(&client, &cards(60)).await.unwrap(), 60, &[]);
        assert!(client.metrics().throttled > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_again_once_the_portal_rejects_the_webhook() {
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
async fn a_refusal_of_one_card_is_that_of_this_card() {
    let portal = company(10, Vec::new());
    portal.with(|state| state.failures.push(("userId=4&".to_owned(), "", 1)));
    let reads = read(&client(&portal), &cards(10)).await.unwrap();
    assert!(matches!(reads[&card(4)], CardRead::Refused(_)));
    assert!(matches!(reads[&card(5)], CardRead::Read(None)));
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_is_down_is_given_up_after_the_patience() {
    let portal = company(2000, (0..2000).map(|_| TransportFault::Answer(502, PAGE)).collect());
    let client = client(&portal);
    let start = Instant::now();
    let error = read(&client, &cards(2000)).await.unwrap_err();
    assert!(matches!(error, PortalError::MaybeExecuted(_)), "{error:?}");
    let time = start.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_secs(40)).contains(&time), "{time:?}");

    let portal = company(1, (0..2000).map(|_| TransportFault::NotSent).collect());
    let error = read(&self::client(&portal), &cards(1)).await.unwrap_err();
    assert!(matches!(error, PortalError::NotExecuted(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_serves_nothing_but_pages_is_given_up_soon_and_a_portal_that_does_is_not() {
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
async fn an_outage_of_ten_seconds_is_sat_out() {
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
async fn a_reset_reads_before_and_after_in_neighbouring_commands() {
    let portal = company(9, Vec::new());
    let answers = reset_cards(&client(&portal).writer(), &[card(3), card(4)]).await.unwrap();
    assert!(matches!(&answers[0].1.before, CardRead::Read(Some(_))));
    assert_eq!(
        (&answers[0].1.answer, &answers[0].1.after),
        (&WriteAnswer::Done, &CardRead::Read(None))
    );
    assert_eq!((answers[1].0, &answers[1].1.before), (card(4), &CardRead::Read(None)));
    let commands = portal.with(|state| state.log[0].clone());
    let methods: Vec<&str> =
        commands.iter().map(|text| text.split(['?', '.']).nth(4).unwrap()).collect();
    assert_eq!(methods, ["get", "reset", "get", "get", "reset", "get"]);
    assert!(commands[0].ends_with(&query(card(3))) && commands[5].ends_with(&query(card(4))));
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_repeated_only_if_it_was_surely_not_carried_out() {
    let portal = company(9, vec![TransportFault::NotSent, TransportFault::NotSent]);
    let answers = reset_cards(&client(&portal).writer(), &[card(3)]).await.unwrap();
    assert_eq!(answers[0].1.answer, WriteAnswer::Done);
    let unclear = [
        TransportFault::Answer(503, LIMIT),
        TransportFault::Answer(429, PAGE),
        TransportFault::Answer(302, PAGE),
        TransportFault::Answer(401, PAGE),
        TransportFault::Answer(400, r#"{"error":"","error_description":"no"}"#),
        TransportFault::Answer(401, r#"{"error":"INVALID_CREDENTIALS","error_description":"no"}"#),
        TransportFault::LostAfter,
        TransportFault::Lost,
        TransportFault::Cut,
        TransportFault::Answer(502, PAGE),
        TransportFault::Answer(503, PAGE),
        TransportFault::Answer(500, PAGE),
        TransportFault::Answer(200, PAGE),
        TransportFault::Answer(200, r#"{"result":true}"#),
    ];
    for fault in unclear {
        let portal = company(9, vec![fault.clone()]);
        let client = client(&portal);
        let error = reset_cards(&client.writer(), &[card(3)]).await.unwrap_err();
        assert!(matches!(error, WriteError::Indeterminate { .. }), "{fault:?}: {error:?}");
        assert_eq!(client.metrics().requests, 1, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_carried_out_is_told_even_if_the_webhook_has_died() {
    let portal = company(9, Vec::new());
    portal.with(|state| {
        state.failures.push((format!("reset?{}", query(card(3))), "INTERNAL_SERVER_ERROR", 1));
        state.failures.push((query(card(3)), "INVALID_CREDENTIALS", 2));
    });
    let answers = reset_cards(&client(&portal).writer(), &[card(3)]).await.unwrap();
    assert!(matches!(answers[0].1.answer, WriteAnswer::Unclear(_)), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_carried_out_is_told_even_if_the_rest_was_not() {
    let portal = company(9, Vec::new());
    portal.with(|state| {
        state.failures.push((format!("reset?{}", query(card(6))), "OPERATION_TIME_LIMIT", 1));
        state.failures.push((query(card(9)), "INVALID_CREDENTIALS", 3));
        state.faults.push_back(TransportFault::LeftOut(&["b3"]));
    });
    let answers = reset_cards(&client(&portal).writer(), &[card(3), card(6), card(9), card(7)])
        .await
        .unwrap();
    let resets: Vec<&WriteAnswer> = answers.iter().map(|(_, answer)| &answer.answer).collect();
    assert_eq!(resets[0], &WriteAnswer::Done);
    assert!(matches!(resets[1], WriteAnswer::Limited(_)), "{resets:?}");
    assert!(matches!(resets[2], WriteAnswer::Refused(_)), "{resets:?}");
    assert!(matches!(resets[3], WriteAnswer::Unclear(_)), "{resets:?}");
    assert!(matches!(answers[1].1.after, CardRead::Read(Some(_))), "it still stands");
}

/// Stores a layout whatever the read ahead of it shows.
async fn set(
    client: &HttpPortal,
    key: CardKey,
    layout: &Layout,
) -> Result<WriteAnswer, WriteError> {
    match client.writer().set_card(key, layout, Lane::Planned, &|_| true).await {
        SingleSet::Sent(_, answer) => answer,
        SingleSet::NotSent(read) => panic!("{read:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn single_set_leaves_one_round_trip_after_its_read_at_a_full_bucket() {
    let layout = Layout::from_json(r#"[{"name":"main","title":"a\/b"}]"#).unwrap();
    let portal = company(100, Vec::new());
    portal.with(|state| state.delay = Duration::from_millis(20));
    let level = LimiterLevel { level: 48.0 };
    let settings = PortalSettings {
        rate: Rate::STANDARD,
        level: Some(level),
        connections: 2,
        ..PortalSettings::default()
    };
    let client = HttpPortal::over(portal.clone(), &settings);
    let (writer, own) = (client.writer(), [[card(3)], [card(4)], [card(5)]]);
    // Others wait for the limiter and for a connection, ahead of the single call and behind it.
    let (.., answer, _, _) = tokio::join!(
        reset_cards(&writer, &own[0]),
        reset_cards(&writer, &own[1]),
        set(&client, card(7), &layout),
        reset_cards(&writer, &own[2]),
        reset_cards(&writer, &own[2]),
    );
    assert_eq!(answer, Ok(WriteAnswer::Done));
    let arrivals = portal.with(|state| state.arrivals.clone());
    let set = arrivals
        .iter()
        .position(|(method, _)| *method == "crm.lead.details.configuration.set")
        .unwrap();
    let window = arrivals[set].1 - arrivals[set - 1].1;
    let read = portal.with(|state| state.log[set - 1].clone());
    assert!(read.len() == 1 && read[0].contains("configuration.get"), "{read:?}");
    assert_eq!(window, Duration::from_millis(20));
}

#[tokio::test(start_paused = true)]
async fn single_set_that_was_not_sent_is_sent_again_behind_a_new_read() {
    let layout = Layout::from_json(r#"[{"name":"main"}]"#).unwrap();
    let portal = FakeTransport::failing([TransportFault::None, TransportFault::NotSent]);
    let client = client(&portal);
    assert_eq!(set(&client, card(7), &layout).await, Ok(WriteAnswer::Done));
    let methods: Vec<&str> =
        portal.with(|state| state.arrivals.iter().map(|(method, _)| *method).collect());
    let single = "crm.lead.details.configuration.set";
    assert_eq!(methods, ["batch", single, "batch", single]);
}

#[tokio::test(start_paused = true)]
async fn single_set_is_not_sent_if_the_read_ahead_of_it_is_not_accepted() {
    let layout = Layout::from_json(r#"[{"name":"main"}]"#).unwrap();
    let portal = FakeTransport::default();
    let client = client(&portal);
    let ended = client.writer().set_card(card(7), &layout, Lane::Planned, &|_| false).await;
    assert_eq!(ended, SingleSet::NotSent(CardRead::Read(None)));
    assert_eq!(client.metrics().sets, 0);
}

#[tokio::test(start_paused = true)]
async fn a_layout_is_stored_with_one_call_that_is_not_repeated_blindly() {
    let layout = Layout::from_json(r#"[{"name":"main","title":"a\/b"}]"#).unwrap();
    let portal = FakeTransport::default();
    let client = client(&portal);
    assert_eq!(set(&client, card(7), &layout).await, Ok(WriteAnswer::Done));
    let (method, body) = portal.with(|state| state.singles[0].clone());
    assert_eq!(method, "crm.lead.details.configuration.set");
    assert!(body.contains(r#""userId":7"#) && body.contains(r"a\/b"), "{body}");
    assert_eq!((client.metrics().sets, client.metrics().commands), (1, 2));

    let refusal = r#"{"error":"","error_description":"There are no data to write."}"#;
    let faults = [
        TransportFault::None,
        TransportFault::Answer(400, refusal),
        TransportFault::None,
        TransportFault::LostAfter,
    ];
    portal.with(|state| state.faults.extend(faults));
    for _ in 0..2 {
        let failed = set(&client, card(7), &layout).await;
        assert!(matches!(failed, Err(WriteError::Indeterminate { .. })), "{failed:?}");
    }
    assert_eq!(client.metrics().requests, 6);
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
async fn an_ignored_filter_is_noticed_before_everybody_is_listed() {
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
async fn a_list_with_the_same_person_twice_has_a_hole() {
    let portal = FakeTransport::default();
    portal.with(|state| state.users = vec![json!({"ID": 7}), json!({"ID": 7})]);
    let error = client(&portal).reader().people(&PeopleQuery::AllActive).await.unwrap_err();
    assert!(matches!(error, PortalError::Unexpected(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_names_the_method() {
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

#[tokio::test(start_paused = true)]
async fn a_stop_lets_requests_in_flight_finish_and_sends_no_more() {
    let portal = company(1000, Vec::new());
    portal.with(|state| state.delay = Duration::from_secs(1));
    let level = LimiterLevel { level: 46.0 };
    let settings =
        PortalSettings { rate: Rate::STANDARD, level: Some(level), ..PortalSettings::default() };
    let client = HttpPortal::over(portal, &settings);
    let keys = cards(1000);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.cancel("interrupted");
    };
    let writer = client.writer();
    let own = [card(3)];
    let (reset, error, ()) = tokio::join!(reset_cards(&writer, &own), read(&client, &keys), stop);
    assert_eq!(reset.unwrap()[0].1.answer, WriteAnswer::Done);
    assert_eq!(error.unwrap_err(), PortalError::Stopped("interrupted".to_owned()));
    assert!(client.metrics().requests <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_a_read_in_flight_and_no_write() {
    let portal = company(10, Vec::new());
    portal.with(|state| state.delay = Duration::from_secs(50));
    let client = HttpPortal::over(portal, &PortalSettings::default());
    let start = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.cancel("interrupted");
    };
    let (writer, own, keys) = (client.writer(), [card(3)], cards(10));
    let reset = async { (reset_cards(&writer, &own).await, start.elapsed()) };
    let seen = async { (read(&client, &keys).await, start.elapsed()) };
    let ((reset, written), (seen, dropped), ()) = tokio::join!(reset, seen, stop);
    assert_eq!(reset.unwrap()[0].1.answer, WriteAnswer::Done);
    assert_eq!(seen.unwrap_err(), PortalError::Stopped("interrupted".to_owned()));
    assert!(
        written >= Duration::from_secs(50) && dropped < Duration::from_secs(1),
        "{written:?}, {dropped:?}"
    );
}

fn any_fault() -> impl Strategy<Value = TransportFault> {
    prop_oneof![
        4 => Just(TransportFault::None),
        1 => Just(TransportFault::Answer(503, LIMIT)),
        1 => Just(TransportFault::Answer(429, PAGE)),
        1 => Just(TransportFault::Answer(502, PAGE)),
        1 => Just(TransportFault::Answer(500, PAGE)),
        1 => Just(TransportFault::Answer(200, PAGE)),
        1 => Just(TransportFault::Lost),
        1 => Just(TransportFault::NotSent),
        1 => Just(TransportFault::LostAfter),
        1 => Just(TransportFault::Cut),
        1 => Just(TransportFault::LeftOut(&["c0", "c3", "a1", "b0", "b2", "c1"])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn under_any_script_of_faults_reads_are_true_and_resets_are_told_truly(
        read_faults in prop::collection::vec(any_fault(), 0..12),
        write_faults in prop::collection::vec(any_fault(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let portal = company(120, Vec::new());
            let client = client(&portal);
            // Every run begins with the identification of the caller, whose retry budget is
            // smaller.
            client.reader().identify().await.unwrap();
            portal.with(|state| state.faults = read_faults.into());
            // A bad command is found after three failures: a long script can make another one look
            // like it.
            for (key, read) in read(&client, &cards(120)).await.unwrap() {
                match read {
                    CardRead::Read(layout) => assert_eq!(layout.is_some(), key.user().unwrap().get() % 3 == 0),
                    CardRead::NoAnswer(_) => {}
                    CardRead::Refused(refusal) => panic!("{refusal:?}"),
                }
            }
            portal.with(|state| state.faults = write_faults.into());
            for targets in cards(120).chunks(16) {
                let Ok(answers) = reset_cards(&client.writer(), targets).await else { continue };
                assert_eq!(answers.iter().map(|(key, _)| *key).collect::<Vec<_>>(), targets);
                for (key, answer) in answers {
                    let stands = portal.with(|state| state.rows.contains_key(&query(key)));
                    match answer.answer {
                        WriteAnswer::Done => assert!(!stands, "{key} was not reset"),
                        WriteAnswer::Unclear(text) => assert_eq!(text, NOT_EXECUTED),
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
    }
}
