//! Two clocks in front of each request that writes: what either alone holds back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recard::emulator::{Emulator, EmulatorOptions};
use recard::portal::{HttpPortal, PortalSettings, WebhookUrl};
use recard::ports::{
    CardWrite, Clock, Lane, LeasePermit, Moment, NoPermit, Permit, PortalError, WriteError,
    WritePortal as _,
};

use super::client::card;
use crate::support::session::settings;

/// Time of day that is set by hand.
struct SetClock(Mutex<Timestamp>);

impl SetClock {
    fn set(&self, forward: SignedDuration) {
        *self.0.lock().unwrap() += forward;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Permit without a check.
struct Always;

impl Permit for Always {
    fn check(&self) -> Result<(), NoPermit> {
        Ok(())
    }
}

const RESERVE: Duration = Duration::from_millis(200);

/// A lease that lasts by the clock of a test.
const LONG: Duration = Duration::from_secs(3_600);

/// A lease that ends while a test waits.
const SHORT: Duration = Duration::from_millis(300);

/// Sends a reset of a card to an emulated portal under a permit. Returns the number of rows that
/// it removed, and the reason if nothing was sent.
async fn send(permit: Arc<dyn Permit>) -> (u64, Option<String>) {
    let emulator = Emulator::start_with(EmulatorOptions::default()).await.unwrap();
    let webhook = WebhookUrl::parse(&emulator.webhook_url(1).unwrap()).unwrap();
    let settings = PortalSettings {
        write_permit: Arc::new(move || {
            permit.check().map_err(|refusal| refusal.reason().to_owned())
        }),
        ..settings()
    };
    let portal = HttpPortal::connect(webhook, settings).unwrap();
    let sent = portal.writer().write_cards(&[(card(8), CardWrite::Reset)], Lane::Planned).await;
    let refusal = match sent {
        Ok(_) => None,
        Err(WriteError::NotSent(PortalError::Stopped(reason))) => Some(reason),
        Err(problem) => panic!("{problem}"),
    };
    (emulator.counters().rows_removed, refusal)
}

/// Takes a lease, lets time pass by each clock, and sends a reset.
async fn send_after(
    lease: Duration,
    monotonic: Duration,
    time: SignedDuration,
) -> (u64, Option<String>) {
    let clock = Arc::new(SetClock(Mutex::new("2026-11-01T09:02:00Z".parse().unwrap())));
    let asked = Moment::now(&*clock);
    let permit = LeasePermit::new(Arc::clone(&clock) as _, RESERVE, asked, lease);
    tokio::time::sleep(monotonic).await;
    clock.set(time);
    send(Arc::new(permit)).await
}

#[tokio::test]
async fn write_is_held_back_by_either_clock_alone_and_by_nothing_else() {
    let refused = |permit: NoPermit| (0, Some(permit.reason().to_owned()));
    let (hour, stands) = (SignedDuration::from_hours(1), SignedDuration::ZERO);
    // The lease lasts by both.
    assert_eq!(send_after(LONG, Duration::ZERO, stands).await, (1, None));
    assert_eq!(send_after(LONG, Duration::ZERO, -hour).await, (1, None));
    // A clock that was set forward, or a machine that was suspended: the time of day alone.
    let by_time = refused(NoPermit::EndsTooSoonByTimeOfDay);
    assert_eq!(send_after(LONG, Duration::ZERO, hour).await, by_time);
    // A clock that stands, or was set back: the monotonic clock alone.
    for time in [stands, -hour] {
        let sent = send_after(SHORT, SHORT, time).await;
        assert_eq!(sent, refused(NoPermit::EndsTooSoon), "{time}");
    }
    // Without a check the write is sent.
    assert_eq!(send(Arc::new(Always)).await, (1, None));
}
