//! Permit in front of each request that writes: batches and single sets, in both lanes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use recard::model::Layout;
use recard::portal::{HttpPortal, LimiterLevel, PortalSettings, Rate};
use recard::ports::{
    CardWrite, Lane, PortalError, ReadPortal, SingleSet, WriteAnswer, WriteError, WritePortal,
};
use tokio::time::Instant;

use super::client::*;
use super::fake_transport::{FakeTransport, TransportFault};

/// Times at which the permit was asked, and the number of times that it is given.
#[derive(Clone)]
struct Asked {
    at: Arc<Mutex<Vec<Instant>>>,
    given: usize,
}

impl Asked {
    fn client(portal: &FakeTransport, given: usize, level: f64) -> (HttpPortal, Self) {
        let asked = Self { at: Arc::default(), given };
        let answers = asked.clone();
        let settings = PortalSettings {
            rate: Rate::STANDARD,
            level: Some(LimiterLevel { level }),
            write_permit: Arc::new(move || {
                let mut at = answers.at.lock().unwrap();
                at.push(Instant::now());
                if at.len() <= answers.given { Ok(()) } else { Err("no lease".to_owned()) }
            }),
            ..PortalSettings::default()
        };
        (HttpPortal::over(portal_id(), portal.clone(), &settings), asked)
    }

    fn count(&self) -> usize {
        self.at.lock().unwrap().len()
    }
}

fn refused() -> PortalError {
    PortalError::Stopped("no lease".to_owned())
}

#[tokio::test(start_paused = true)]
async fn permit_that_is_refused_sends_no_write_in_either_lane() {
    let layout = Layout::from_json(r#"[{"name":"main"}]"#).unwrap();
    for lane in [Lane::Planned, Lane::Compensation] {
        let portal = company(9, Vec::new());
        let (client, asked) = Asked::client(&portal, 0, 0.0);
        let writes = [(card(3), CardWrite::Reset), (card(6), CardWrite::Set(&layout))];
        let batch = client.writer().write_cards(&writes, lane).await;
        assert_eq!(batch.unwrap_err(), WriteError::NotSent(refused()), "{lane:?}");
        assert_eq!(portal.with(|state| state.arrivals.len()), 0, "{lane:?}");
        let single = client.writer().set_card(card(3), &layout, lane, &|_| true).await;
        let SingleSet::Sent(_, Err(error)) = single else { panic!("{lane:?}: {single:?}") };
        assert_eq!(error, WriteError::NotSent(refused()), "{lane:?}");
        // The read ahead of the single set alone.
        let sent: Vec<&str> = portal.with(|state| state.arrivals.iter().map(|one| one.0).collect());
        assert_eq!((sent.as_slice(), asked.count()), (["batch"].as_slice(), 2), "{lane:?}");
        assert!(portal.with(|state| state.log[0].iter().all(|text| !text.contains("set?"))));
    }
}

#[tokio::test(start_paused = true)]
async fn permit_is_asked_after_the_wait_for_the_limits() {
    let portal = company(9, Vec::new());
    let (client, asked) = Asked::client(&portal, 9, 50.0);
    let begun = Instant::now();
    reset_cards(&client.writer(), &[card(3)]).await.unwrap();
    let at = asked.at.lock().unwrap().clone();
    assert_eq!(at, portal.with(|state| vec![state.arrivals[0].1]));
    assert!(at[0] - begun >= Duration::from_millis(500), "{:?}", at[0] - begun);
}

#[tokio::test(start_paused = true)]
async fn permit_is_asked_anew_for_each_attempt_and_for_no_read() {
    let portal = company(9, vec![TransportFault::NotSent, TransportFault::NotSent]);
    let (client, asked) = Asked::client(&portal, 2, 0.0);
    let error = reset_cards(&client.writer(), &[card(3)]).await.unwrap_err();
    assert_eq!((error, asked.count()), (WriteError::NotSent(refused()), 3));
    assert_eq!(portal.with(|state| state.arrivals.len()), 2, "the third was not sent");
    // Reads go on: what an earlier write did is still found out.
    read(&client, &cards(9)).await.unwrap();
    client.reader().departments().await.unwrap();
    assert_eq!(asked.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn permit_that_is_refused_gives_the_admission_back() {
    let portal = company(9, Vec::new());
    let (client, _) = Asked::client(&portal, 0, 40.0);
    for _ in 0..30 {
        reset_cards(&client.writer(), &[card(3)]).await.unwrap_err();
    }
    assert!(client.level().level < 41.0, "{:?}", client.level());
    assert_eq!(portal.with(|state| state.arrivals.len()), 0);
    let (permitted, _) = Asked::client(&portal, 1, 40.0);
    let answers = reset_cards(&permitted.writer(), &[card(3)]).await.unwrap();
    assert_eq!(answers[0].1.answer, WriteAnswer::Done);
}
