//! Tests of the pacing of the whole client, over an in-memory portal: seconds, sizes and refusals.

use std::time::Duration;

use recard::model::{CardKey, LeadCustomerType, UserId};
use recard::portal::{
    Estimate, HttpPortal, LimiterLevel, PlannedWork, PortalSettings, PortalWriter, Rate,
};
use recard::ports::{
    CardRead, CardWrite, IndeterminateCause, Lane, PeopleQuery, PortalError, ReadPortal,
    WriteError, WritePortal,
};
use serde_json::json;
use tokio::time::Instant;

use super::client::portal_id;
use super::fake_transport::{FakeTransport, TransportFault};

const LIMIT: TransportFault = TransportFault::Answer(
    503,
    r#"{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}"#,
);

/// Returns a portal with this number of people and this duration of commands.
fn portal(people: u64, command: u64) -> FakeTransport {
    let portal = FakeTransport::default();
    portal.with(|state| {
        let person = |id: u64| json!({"ID": id.to_string(), "ACTIVE": true, "NAME": "Anna", "UF_DEPARTMENT": [1]});
        state.users = (1..=people).map(person).collect();
        (state.delay, state.command_time) = (Duration::from_millis(2), Duration::from_millis(command));
    });
    portal
}

fn client(portal: &FakeTransport, rate: Rate) -> HttpPortal {
    HttpPortal::over(
        portal_id(),
        portal.clone(),
        &PortalSettings { rate, ..PortalSettings::default() },
    )
}

fn cards(people: u64) -> Vec<CardKey> {
    let both = |user| {
        LeadCustomerType::ALL.map(|lead| CardKey::personal(UserId::new(user).unwrap(), lead))
    };
    (1..=people).flat_map(both).collect()
}

/// Returns the numbers of commands of the requests since the last call.
fn sizes(portal: &FakeTransport) -> Vec<usize> {
    portal.with(|state| std::mem::take(&mut state.log)).iter().map(Vec::len).collect()
}

async fn read(client: &HttpPortal, keys: &[CardKey]) -> Result<(), PortalError> {
    let mut read = 0;
    let mut sink =
        |_: CardKey, answer: CardRead| read += usize::from(matches!(answer, CardRead::Read(_)));
    client.reader().read_cards(keys, &mut sink).await?;
    assert_eq!(read, keys.len());
    Ok(())
}

/// Identifies the caller, lists all people and reads their cards. Returns the seconds.
async fn plan(client: &HttpPortal) -> f64 {
    let start = Instant::now();
    let reader = client.reader();
    let caller = reader.identify().await.unwrap();
    let people = reader.people(&PeopleQuery::AllActive).await.unwrap();
    assert_eq!(people.len(), caller.active_users as usize);
    read(client, &cards(people.len() as u64)).await.unwrap();
    start.elapsed().as_secs_f64()
}

/// Resets cards as an engine does: a request that a limit refused is read back before it is
/// repeated.
async fn reset(writer: &PortalWriter, chunk: &[CardKey]) {
    let writes: Vec<_> = chunk.iter().map(|card| (*card, CardWrite::Reset)).collect();
    while let Err(error) = writer.write_cards(&writes, Lane::Planned).await {
        assert!(
            matches!(error, WriteError::Indeterminate { cause: IndeterminateCause::Limit, .. }),
            "{error:?}"
        );
        writer.read_back(chunk, &mut |_: CardKey, _: CardRead| {}).await.unwrap();
    }
}

/// Resets both cards of these people, as an engine does that asks for the size of its requests.
/// Returns the seconds.
async fn apply(client: &HttpPortal, people: u64) -> f64 {
    let start = Instant::now();
    let (writer, keys) = (client.writer(), cards(people));
    let size = writer.targets_per_request(keys.len());
    let (mut rest, mut requests) = (keys.as_slice(), futures_util::stream::FuturesUnordered::new());
    loop {
        while requests.len() < 8 && !rest.is_empty() {
            let (chunk, more) = rest.split_at(size.min(rest.len()));
            requests.push(reset(&writer, chunk));
            rest = more;
        }
        match futures_util::StreamExt::next(&mut requests).await {
            Some(()) => {}
            None => return start.elapsed().as_secs_f64(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_in_a_row_costs_seconds_wherever_the_row_begins() {
    for (people, command, rate) in [
        (38, 1, Rate::STANDARD),
        (38, 1, Rate::ENTERPRISE),
        (38, 1, Rate::Unlimited),
        (250, 10, Rate::STANDARD),
        (250, 10, Rate::ENTERPRISE),
        (250, 50, Rate::Unlimited),
        (600, 10, Rate::STANDARD),
    ] {
        let quiet = plan(&client(&portal(people, command), rate)).await;
        for (refusals, most) in [(1, 3.0), (5, 7.0), (12, 15.0)] {
            for quiet_requests in [0, 1, 5] {
                let portal = portal(people, command);
                portal.with(|state| {
                    state.faults.extend(std::iter::repeat_n(TransportFault::None, quiet_requests));
                    state.faults.extend(std::iter::repeat_n(LIMIT, refusals));
                });
                let client = client(&portal, rate);
                let more = plan(&client).await - quiet;
                let what = format!(
                    "{people} people, {command} ms, {rate}, {refusals} from {quiet_requests} on"
                );
                assert!(more <= most, "{what}: {more} s");
                assert_eq!(client.metrics().throttled as usize, refusals, "{what}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_in_a_row_costs_seconds_in_resets_too() {
    for rate in [Rate::STANDARD, Rate::ENTERPRISE] {
        let quiet = apply(&client(&portal(90, 10), rate), 90).await;
        for (refusals, most) in [(1, 3.0), (5, 7.0), (12, 15.0)] {
            for quiet_requests in [0, 8] {
                let portal = portal(90, 10);
                portal.with(|state| {
                    state.faults.extend(std::iter::repeat_n(TransportFault::None, quiet_requests));
                    state.faults.extend(std::iter::repeat_n(LIMIT, refusals));
                });
                let more = apply(&client(&portal, rate), 90).await - quiet;
                assert!(more <= most, "{rate}, {refusals} from {quiet_requests} on: {more} s");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn throttled_commands_of_a_batch_cost_seconds() {
    for (times, most) in [(1, 3.0), (5, 7.0), (12, 15.0)] {
        let portal = portal(38, 1);
        let quiet = plan(&client(&portal, Rate::STANDARD)).await;
        portal.with(|state| {
            state.failures.push(("configuration.get".to_owned(), "QUERY_LIMIT_EXCEEDED", times))
        });
        let more = plan(&client(&portal, Rate::STANDARD)).await - quiet;
        assert!(more <= most, "{times}: {more} s");
    }
}

#[tokio::test(start_paused = true)]
async fn list_is_sent_in_equal_chunks_of_whole_waves_or_in_full_ones() {
    // 250 people: 5 pages behind the first one, and 500 cards in two waves of eight requests.
    let quick = portal(250, 10);
    plan(&client(&quick, Rate::STANDARD)).await;
    assert_eq!(sizes(&quick), [[5, 1, 4].as_slice(), &[32; 15], &[20]].concat());
    // 2,500 people: the bucket is the bottleneck from the start.
    let large = portal(2500, 10);
    plan(&client(&large, Rate::STANDARD)).await;
    assert_eq!(sizes(&large), [[5, 1, 49].as_slice(), &[50; 100]].concat());
    // 180 resets.
    let resets = portal(90, 10);
    apply(&client(&resets, Rate::STANDARD), 90).await;
    assert_eq!(sizes(&resets), [[36; 15].as_slice()].concat());
    let level = Some(LimiterLevel::full(Rate::STANDARD));
    let full = HttpPortal::over(
        portal_id(),
        resets.clone(),
        &PortalSettings { level, ..PortalSettings::default() },
    );
    apply(&full, 90).await;
    assert_eq!(sizes(&resets), [[48; 11].as_slice(), &[12]].concat());
}

#[tokio::test(start_paused = true)]
async fn cards_of_mixed_kinds_share_full_requests_behind_one_for_their_pipelines() {
    let portal = portal(1, 10);
    let level = Some(LimiterLevel::full(Rate::STANDARD));
    let settings = PortalSettings { level, ..PortalSettings::default() };
    let client = HttpPortal::over(portal_id(), portal.clone(), &settings);
    let kinds =
        "lead/simple deal/0 deal/5 contact company/9 quote smart-invoice/1 smart-process/177/7";
    let of = |user: u32| kinds.split(' ').map(move |kind| format!("personal/{user}/{kind}"));
    let keys: Vec<CardKey> = (1..=40).flat_map(of).map(|key| key.parse().unwrap()).collect();
    read(&client, &keys).await.unwrap();
    // Deals, companies, invoices and the smart process.
    assert_eq!(sizes(&portal), [[4].as_slice(), &[50; 6], &[20]].concat());
    // What was listed is known.
    read(&client, &keys[..100]).await.unwrap();
    assert_eq!(sizes(&portal), [50, 50]);
    // No request is about a pipeline that is not in the list.
    let unlisted = "personal/7/deal/10".parse().unwrap();
    let mut seen = Vec::new();
    let mut sink = |key: CardKey, read: CardRead| seen.push((key, read));
    client.reader().read_cards(&[unlisted], &mut sink).await.unwrap();
    assert_eq!((seen, sizes(&portal)), (vec![(unlisted, CardRead::NoPipeline)], Vec::new()));
    let reset = client.writer().write_cards(&[(unlisted, CardWrite::Reset)], Lane::Planned).await;
    assert!(matches!(reset, Err(WriteError::NotSent(_))), "{reset:?}");
    assert!(sizes(&portal).is_empty());
}

#[tokio::test(start_paused = true)]
async fn list_of_addresses_uses_all_connections() {
    let portal = portal(30, 50);
    let addresses = (1..=24).map(|number| format!("p{number}@example.com").into()).collect();
    let client = client(&portal, Rate::STANDARD);
    // Each address finds everybody, which is for the engine to notice.
    client.reader().people(&PeopleQuery::Emails(addresses)).await.unwrap();
    assert_eq!(sizes(&portal), [4; 6]);
}

#[tokio::test(start_paused = true)]
async fn whole_run_takes_hardly_longer_than_it_must() {
    // Seconds: of the pages, then waves of full requests, or requests that the bucket lets through,
    // whichever is longer.
    for (people, command, rate, bound) in [
        (250, 10, Rate::STANDARD, 0.64),
        (250, 50, Rate::STANDARD, 3.2),
        (1000, 10, Rate::STANDARD, 2.56),
        (1000, 50, Rate::STANDARD, 12.6),
        (2500, 10, Rate::STANDARD, 26.5),
        (2500, 50, Rate::STANDARD, 31.85),
        (2500, 10, Rate::ENTERPRISE, 6.37),
        (2500, 50, Rate::ENTERPRISE, 31.85),
    ] {
        let took = plan(&client(&portal(people, command), rate)).await;
        let most = f64::max(bound + 4.0, bound * 1.1);
        assert!(took <= most, "{people} people, {command} ms, {rate}: {took} s, bound {bound} s");
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_and_stop_end_the_wait_after_a_refusal() {
    let portal = portal(38, 1);
    portal.with(|state| state.faults.push_back(LIMIT));
    let deadline = Some(Duration::from_millis(500));
    let client = HttpPortal::over(
        portal_id(),
        portal.clone(),
        &PortalSettings { deadline, ..PortalSettings::default() },
    );
    let start = Instant::now();
    assert!(matches!(read(&client, &cards(1)).await, Err(PortalError::Stopped(_))));
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());

    portal.with(|state| state.faults.push_back(LIMIT));
    let client = self::client(&portal, Rate::STANDARD);
    let keys = cards(1);
    let stop = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        client.cancel("interrupted");
    };
    let start = Instant::now();
    let (stopped, ()) = tokio::join!(read(&client, &keys), stop);
    assert_eq!(stopped, Err(PortalError::Stopped("interrupted".to_owned())));
    assert!(start.elapsed() < Duration::from_millis(301), "{:?}", start.elapsed());
}

/// Reads a card twice from a portal whose answers have this text as `time`. Returns the seconds.
async fn with_time(time: &'static str) -> f64 {
    let portal = FakeTransport::default();
    portal.with(|state| {
        let answer = format!(
            r#"{{"result":{{"result":{{"c0":null}},"result_error":[],"result_time":{{"c0":{time}}}}},"time":{time}}}"#
        );
        let answer: &'static str = Box::leak(answer.into_boxed_str());
        state.faults.extend([TransportFault::Answer(200, answer), TransportFault::Answer(200, answer)]);
    });
    let client = client(&portal, Rate::STANDARD);
    let start = Instant::now();
    for _ in 0..2 {
        read(&client, &[CardKey::common(LeadCustomerType::Simple)]).await.unwrap();
    }
    let Estimate { time, operating_share, .. } =
        client.estimate(PlannedWork::ReadsThenResets(10_000, 3000));
    assert!(
        time < Duration::from_secs(3600) && (0.0..10.0).contains(&operating_share),
        "{time:?} {operating_share}"
    );
    start.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn numbers_of_the_portal_that_cannot_be_are_ignored() {
    for time in [
        r#"{"operating":1e300,"operating_reset_at":1e300,"start":1e300,"finish":1e300,"duration":-1e300}"#,
        r#"{"operating":-1e300,"operating_reset_at":-1e300,"start":-1,"finish":-1e300}"#,
        r#"{"operating":"1e300","operating_reset_at":"9999999999999999999999"}"#,
        r#"{"operating":1e999,"operating_reset_at":1e999,"finish":1e999}"#,
        r#"{"operating":"NaN","operating_reset_at":"NaN","finish":"inf"}"#,
        r#"{"operating":[1],"operating_reset_at":{},"finish":null}"#,
        r#"{"operating":18446744073709551616,"operating_reset_at":18446744073709551616}"#,
    ] {
        assert_eq!(with_time(time).await, 0.0, "{time}");
    }
}

#[tokio::test(start_paused = true)]
async fn method_over_its_share_waits_until_the_portal_forgets() {
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 0.01, "{found} instead of {expected}")
    };
    close(
        with_time(r#"{"operating":336.5,"operating_reset_at":1795437660,"finish":1795437623.5}"#)
            .await,
        36.5,
    );
    close(
        with_time(r#"{"operating":336,"operating_reset_at":1795437660,"finish":1795437623.5}"#)
            .await,
        0.0,
    );
    // A moment that cannot be: the length of one bucket.
    close(
        with_time(r#"{"operating":400,"operating_reset_at":1e300,"finish":1795437623.5}"#).await,
        60.0,
    );
    close(
        with_time(r#"{"operating":400,"operating_reset_at":1,"finish":1795437623.5}"#).await,
        60.0,
    );
}

#[tokio::test(start_paused = true)]
async fn forecast_is_that_of_full_requests() {
    let portal = portal(1, 10);
    let client = client(&portal, Rate::STANDARD);
    let estimate = client.estimate(PlannedWork::Reads(5000));
    assert_eq!((estimate.requests, estimate.operating_share), (100, 0.0));
    let start = Instant::now();
    read(&client, &cards(2500)).await.unwrap();
    let took = start.elapsed();
    assert!(took.abs_diff(estimate.time) < Duration::from_secs(1), "{took:?} and not {estimate:?}");
    let both = client.estimate(PlannedWork::ReadsThenResets(500, 160));
    assert_eq!(both.requests, 20);
    assert!(both.time.abs_diff(Duration::from_secs(10)) < Duration::from_secs(1), "{both:?}");
    assert_eq!(client.estimate(PlannedWork::Resets(0)).requests, 0);
    assert!(client.estimate(PlannedWork::Reads(usize::MAX)).time > Duration::from_secs(3600));
}
