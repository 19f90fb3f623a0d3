//! Tests of how large the requests of the whole client are, over a portal in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::fake::FakePortal;
use super::{HttpPortal, LimiterLevel, PortalSettings, Rate};
use crate::model::{CardKey, LeadCustomerType, Person, UserId};
use crate::port::{CardQueue, CardRead, PeopleQuery, ReadPortal};

/// A portal of so many people whose commands take a time.
fn portal(people: u32, command: Duration) -> (FakePortal, HttpPortal) {
    let portal = FakePortal::default();
    portal.with(|state| {
        let person = |id: u32| json!({"ID": id.to_string(), "ACTIVE": true, "NAME": "Anna", "UF_DEPARTMENT": [1]});
        state.users = (1..=people).map(person).collect();
        (state.delay, state.command_time) = (Duration::from_millis(2), command);
    });
    let client = HttpPortal::over(portal.clone(), &PortalSettings::default());
    (portal, client)
}

/// The numbers of commands of the requests since the last question.
fn sizes(portal: &FakePortal) -> Vec<usize> {
    portal.with(|state| std::mem::take(&mut state.log)).iter().map(Vec::len).collect()
}

async fn read(client: &HttpPortal, count: u64) {
    let keys: Vec<CardKey> =
        (1..=count).map(|user| CardKey::personal(UserId::new(user).unwrap(), LeadCustomerType::Simple)).collect();
    let mut read = 0;
    let mut sink = |_: CardKey, _: CardRead| read += 1;
    client.reader().read_cards(&keys, &mut sink).await.unwrap();
    assert_eq!(read, count);
}

#[tokio::test(start_paused = true)]
async fn the_very_first_answer_tells_how_large_the_next_requests_should_be() {
    // 49 pages in one request take half a second, in which the portal's counter is of more use to the reads behind them; or
    // two and a half, in which seven connections would wait.
    for (milliseconds, requests) in [(10, 1..=1), (50, 3..=7)] {
        let (portal, client) = portal(2500, Duration::from_millis(milliseconds));
        client.reader().identify().await.unwrap();
        assert_eq!(sizes(&portal), [2]);
        assert_eq!(client.reader().people(&PeopleQuery::AllActive).await.unwrap().len(), 2500);
        let sizes = sizes(&portal);
        assert!(requests.contains(&sizes.len()), "{milliseconds} ms: {sizes:?}");
        assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 7, "they are alike: {sizes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_make_as_much_work_as_they_find_people() {
    let (portal, client) = portal(30, Duration::from_millis(50));
    client.reader().identify().await.unwrap();
    sizes(&portal);
    let addresses = (1..=24).map(|number| format!("p{number}@example.com").into()).collect();
    client.reader().people(&PeopleQuery::Emails(addresses)).await.unwrap();
    let sizes = sizes(&portal);
    assert!(sizes.len() >= 5, "nearly all connections: {sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_end_nearly_together() {
    let (portal, client) = portal(1, Duration::from_millis(50));
    client.reader().identify().await.unwrap();
    sizes(&portal);
    let start = tokio::time::Instant::now();
    read(&client, 1700).await;
    // 1700 commands are 212 and a half for each of eight connections; in full requests alone they would take 12.5 seconds.
    let seconds = start.elapsed().as_secs_f64();
    assert!((10.6..11.4).contains(&seconds), "{seconds}");
    let sizes = sizes(&portal);
    assert_eq!(sizes.len(), 36, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn reads_ahead_of_resets_leave_them_the_room_of_the_counter() {
    let (portal, client) = portal(1, Duration::from_millis(10));
    client.reader().identify().await.unwrap();
    sizes(&portal);
    let ahead = client.ahead_of_resets();
    read(&client, 1700).await;
    assert_eq!(sizes(&portal).len(), 34, "full requests");
    drop(ahead);
    // The counter forgets what was sent.
    tokio::time::sleep(Duration::from_secs(60)).await;
    read(&client, 1700).await;
    assert_eq!(sizes(&portal).len(), 36);
}

/// How many requests it takes to list so many people and to read their cards, and how many seconds.
async fn whole(people: u32, command: u64, rate: Rate, ahead: bool) -> (Vec<usize>, f64) {
    let (portal, _) = portal(people, Duration::from_millis(command));
    let client = HttpPortal::over(portal.clone(), &PortalSettings { rate, ..PortalSettings::default() });
    let start = tokio::time::Instant::now();
    let _resets = ahead.then(|| client.ahead_of_resets());
    let (reader, queue) = (client.reader(), CardQueue::default());
    reader.identify().await.unwrap();
    let cards = |person: &Person| LeadCustomerType::ALL.map(|lead| CardKey::personal(person.id, lead));
    // As many cards as tell whether those of other people can be read.
    let probes =
        || (1..=4).map(|user| CardKey::personal(UserId::new(1_000_000 + user).unwrap(), LeadCustomerType::Simple));
    let heard = |people: &[Person], in_all: usize| {
        let first = queue.is_empty().then(probes).into_iter().flatten();
        queue.push(first.chain(people.iter().flat_map(cards)), 2 * in_all + 4);
    };
    let list = async {
        assert_eq!(reader.everybody(&heard).await.unwrap().len(), people as usize);
        queue.complete([]);
    };
    let mut read = BTreeSet::new();
    let mut sink = |key: CardKey, _: CardRead| assert!(read.insert(key), "{key} was read twice");
    let read_all = async { reader.read_queue(&queue, &mut sink).await.unwrap() };
    futures_util::future::join(list, read_all).await;
    assert_eq!(read.len(), 2 * people as usize + 4);
    (sizes(&portal), start.elapsed().as_secs_f64())
}

#[tokio::test(start_paused = true)]
async fn the_whole_takes_hardly_more_requests_than_it_must_and_hardly_longer() {
    // For 500 reads the bound has 16 requests, 32 each in two waves, and for 5000 it has 104, in thirteen waves, both with the
    // pages of the list. If resets follow that need the room of the counter, 100 full ones.
    for (people, command, rate, ahead, requests, seconds) in [
        (60, 50, Rate::STANDARD, false, 10, 0.95),
        (250, 10, Rate::STANDARD, false, 16, 0.64 * 1.13),
        (250, 50, Rate::STANDARD, false, 16, 3.2 * 1.13),
        (250, 50, Rate::ENTERPRISE, true, 16, 3.2 * 1.13),
        (500, 50, Rate::STANDARD, false, 25, 6.37 * 1.13),
        (1000, 50, Rate::STANDARD, false, 45, 13.2),
        (2500, 10, Rate::STANDARD, false, 103, 27.2),
        (2500, 10, Rate::ENTERPRISE, false, 105, 6.6),
        (2500, 10, Rate::ENTERPRISE, true, 105, 6.6),
        (2500, 50, Rate::STANDARD, false, 105, 32.7),
        (2500, 50, Rate::ENTERPRISE, false, 105, 32.7),
        (2500, 50, Rate::ENTERPRISE, true, 105, 32.7),
        (2500, 50, Rate::STANDARD, true, 103, 34.4),
    ] {
        let (sizes, took) = whole(people, command, rate, ahead).await;
        let sent = sizes.len();
        assert!(sent <= requests && took <= seconds, "{people} {command} {rate} {ahead}: {sent} in {took}, {sizes:?}");
    }
}

/// How many seconds it takes to read so many cards on a counter that is full.
async fn on_a_full_counter(count: u64, command: u64, rate: Rate) -> f64 {
    let (portal, _) = portal(1, Duration::from_millis(command));
    let level = Some(LimiterLevel::full(rate));
    let client = HttpPortal::over(portal, &PortalSettings { rate, level, ..PortalSettings::default() });
    client.reader().identify().await.unwrap();
    let start = tokio::time::Instant::now();
    read(&client, count).await;
    start.elapsed().as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn that_requests_leave_together_makes_nothing_end_later() {
    // The seconds are those of requests each of which leaves as soon as it may.
    for (count, command, rate, alone) in [
        (850, 10, Rate::STANDARD, 8.98),
        (850, 50, Rate::STANDARD, 10.10),
        (850, 60, Rate::STANDARD, 10.40),
        (850, 100, Rate::STANDARD, 13.30),
        (1650, 100, Rate::STANDARD, 23.31),
        (3000, 85, Rate::STANDARD, 34.57),
        (10_000, 78, Rate::STANDARD, 102.54),
        (850, 50, Rate::ENTERPRISE, 6.50),
        (3000, 10, Rate::ENTERPRISE, 12.48),
        (3000, 50, Rate::ENTERPRISE, 20.02),
    ] {
        let took = on_a_full_counter(count, command, rate).await;
        assert!(took <= alone + 0.02, "{count} {command} {rate}: {took} instead of {alone}");
    }
}
