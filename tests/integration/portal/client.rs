//! Client over an in-memory portal, shared by the tests of reads and writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use recard::model::{CardKey, Layout, LeadCustomerType, PortalId, UserId};
use recard::portal::{HttpPortal, PortalEvent, PortalSettings, PortalWriter};
use recard::ports::{
    CardRead, CardWrite, Lane, PortalError, ReadPortal, SingleSet, WriteAnswer, WriteError,
    WriteEvidence, WritePortal,
};
use serde_json::json;

use super::fake_transport::{FakeTransport, TransportFault};

pub(super) const LIMIT: &str =
    r#"{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}"#;
pub(super) const PAGE: &str = "<html>502</html>";

/// Returns the id of the in-memory portal.
pub(super) fn portal_id() -> PortalId {
    PortalId::new("portal.example").unwrap()
}

pub(super) fn card(user: u64) -> CardKey {
    CardKey::personal(UserId::new(user).unwrap(), LeadCustomerType::Simple)
}

pub(super) fn query(key: CardKey) -> String {
    format!("scope=P&userId={}&extras[leadCustomerType]=1", key.user().unwrap())
}

pub(super) fn cards(count: u64) -> Vec<CardKey> {
    (1..=count).map(card).collect()
}

/// Returns a portal where every third person has a personal card.
pub(super) fn company(count: u64, faults: Vec<TransportFault>) -> FakeTransport {
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

pub(super) fn client(portal: &FakeTransport) -> HttpPortal {
    HttpPortal::over(portal_id(), portal.clone(), &PortalSettings::default())
}

/// Returns a client with its events.
pub(super) fn telling(portal: &FakeTransport) -> (HttpPortal, Arc<Mutex<Vec<PortalEvent>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let settings = PortalSettings {
        events: Arc::new(move |event| log.lock().unwrap().push(event)),
        ..PortalSettings::default()
    };
    (HttpPortal::over(portal_id(), portal.clone(), &settings), events)
}

pub(super) async fn read(
    client: &HttpPortal,
    keys: &[CardKey],
) -> Result<BTreeMap<CardKey, CardRead>, PortalError> {
    let mut reads = BTreeMap::new();
    let mut sink =
        |key, read| assert!(reads.insert(key, read).is_none(), "{key} was answered twice");
    client.reader().read_cards(keys, &mut sink).await?;
    Ok(reads)
}

pub(super) fn assert_true_reads(reads: &BTreeMap<CardKey, CardRead>, count: u64, except: &[u64]) {
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
pub(super) async fn reset_cards(
    writer: &PortalWriter,
    targets: &[CardKey],
) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
    let writes: Vec<_> = targets.iter().map(|target| (*target, CardWrite::Reset)).collect();
    writer.write_cards(&writes, Lane::Planned).await
}

/// Stores a layout whatever the read ahead of it shows.
pub(super) async fn set(
    client: &HttpPortal,
    key: CardKey,
    layout: &Layout,
) -> Result<WriteAnswer, WriteError> {
    match client.writer().set_card(key, layout, Lane::Planned, &|_| true).await {
        SingleSet::Sent(_, answer) => answer,
        SingleSet::NotSent(read) => panic!("{read:?}"),
    }
}
