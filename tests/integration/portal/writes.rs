//! Resets and sets over an in-memory portal: failures of every kind, and cancellation.

use std::time::Duration;

use proptest::prelude::*;
use recard::model::Layout;
use recard::portal::{HttpPortal, LimiterLevel, PortalSettings, Rate};
use recard::ports::{
    CardRead, Lane, PortalError, ReadPortal, Refusal, SingleSet, WriteAnswer, WriteError,
    WritePortal,
};
use tokio::time::Instant;

use super::client::*;
use super::fake_transport::{FakeTransport, TransportFault};

/// Returns the number of layouts that were sent.
fn sets(client: &HttpPortal) -> u64 {
    let metrics = client.metrics();
    metrics.by_method.get("crm.lead.details.configuration.set").copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn reset_reads_before_and_after_in_neighbouring_commands() {
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
async fn reset_is_repeated_only_if_it_was_surely_not_carried_out() {
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
async fn reset_that_may_be_executed_is_told_even_if_the_webhook_expires() {
    let portal = company(9, Vec::new());
    portal.with(|state| {
        state.failures.push((format!("reset?{}", query(card(3))), "INTERNAL_SERVER_ERROR", 1));
        state.failures.push((query(card(3)), "INVALID_CREDENTIALS", 2));
    });
    let answers = reset_cards(&client(&portal).writer(), &[card(3)]).await.unwrap();
    assert!(matches!(answers[0].1.answer, WriteAnswer::Unclear(_)), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn batch_of_writes_tells_executed_ones_from_the_rest() {
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
    let client = HttpPortal::over(portal_id(), portal.clone(), &settings);
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
    assert_eq!(sets(&client), 0);
}

#[tokio::test(start_paused = true)]
async fn layout_is_stored_with_one_call_that_is_not_repeated_blindly() {
    let layout = Layout::from_json(r#"[{"name":"main","title":"a\/b"}]"#).unwrap();
    let portal = FakeTransport::default();
    let client = client(&portal);
    assert_eq!(set(&client, card(7), &layout).await, Ok(WriteAnswer::Done));
    let (method, body) = portal.with(|state| state.singles[0].clone());
    assert_eq!(method, "crm.lead.details.configuration.set");
    assert!(body.contains(r#""userId":7"#) && body.contains(r"a\/b"), "{body}");
    assert_eq!((sets(&client), client.metrics().commands), (1, 2));

    let refusal = r#"{"error":"","error_description":"There are no data to write."}"#;
    let faults = [
        TransportFault::None,
        TransportFault::Answer(400, refusal),
        TransportFault::None,
        TransportFault::LostAfter,
    ];
    portal.with(|state| state.faults.extend(faults));
    // The portal's own refusal is of this layout. What it did is told by a read in either case.
    let refused = set(&client, card(7), &layout).await;
    let message = "There are no data to write.".to_owned();
    let answer = WriteAnswer::Refused(Refusal { code: String::new(), message });
    assert_eq!(refused, Ok(answer));
    let lost = set(&client, card(7), &layout).await;
    assert!(matches!(lost, Err(WriteError::Indeterminate { .. })), "{lost:?}");
    assert_eq!(client.metrics().requests, 6);
}

#[tokio::test(start_paused = true)]
async fn stop_lets_requests_in_flight_finish_and_sends_no_more() {
    let portal = company(1000, Vec::new());
    portal.with(|state| state.delay = Duration::from_secs(1));
    let level = LimiterLevel { level: 46.0 };
    let settings =
        PortalSettings { rate: Rate::STANDARD, level: Some(level), ..PortalSettings::default() };
    let client = HttpPortal::over(portal_id(), portal, &settings);
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
async fn stop_drops_a_read_in_flight_and_no_write() {
    let portal = company(10, Vec::new());
    portal.with(|state| state.delay = Duration::from_secs(50));
    let client = HttpPortal::over(portal_id(), portal, &PortalSettings::default());
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
    fn client_under_any_script_of_faults_reads_and_reports_truly(
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
                    other => panic!("{other:?}"),
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
                        WriteAnswer::Unclear(text) => assert_eq!(text, "the portal left the command out"),
                        other => panic!("{other:?}"),
                    }
                }
            }
        });
    }
}
