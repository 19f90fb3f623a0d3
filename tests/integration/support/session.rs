//! Session of the use cases as a library, over an emulated portal.

use std::path::Path;
use std::sync::Arc;

use recard::app::{Approval, Approver, Declined, Observer, Proposal, RunOrigin, Session, Warning};
use recard::emulator::Emulator;
use recard::engine::{self, Event};
use recard::portal::{HttpPortal, PortalSettings, Rate, WebhookUrl};
use recard::ports::{Clock, ReadPortal as _};
use recard::store::Store;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-01T09:02:00Z".parse().unwrap()
    }
}

/// Approves everything, and listens to nothing.
#[derive(Debug)]
pub struct Silent;

impl Observer for Silent {
    type Progress = fn(Event);

    fn progress(&self) -> fn(Event) {
        |_| {}
    }

    fn warn(&self, warning: Warning) {
        panic!("{warning:?}");
    }

    fn begin_writing(&self) -> Result<(), Declined> {
        Ok(())
    }
}

impl Approver for Silent {
    async fn show(&self, _: Proposal<'_>) -> Result<(), Declined> {
        Ok(())
    }

    async fn approve(&self, _: Proposal<'_>) -> Result<Approval, Declined> {
        Ok(Approval::Given)
    }
}

/// Opens a session of this user, whose store is in `folder`.
pub async fn session(emulator: &Emulator, folder: &Path, user: i64) -> Session {
    let webhook = WebhookUrl::parse(&emulator.webhook_url(user).unwrap()).unwrap();
    session_over(HttpPortal::connect(webhook, settings()).unwrap(), folder).await
}

/// Settings of a client without a rate limit.
pub fn settings() -> PortalSettings {
    PortalSettings { rate: Rate::Unlimited, ..PortalSettings::default() }
}

/// Opens a session over a connected portal, whose store is in `folder`.
pub async fn session_over(portal: HttpPortal, folder: &Path) -> Session {
    let (_handle, cancellation) = engine::cancellation();
    let reader = portal.reader();
    Session {
        caller: reader.identify().await.unwrap(),
        labels: portal.field_labels().cloned().unwrap_or_default().into(),
        store: Store::open(&folder.to_owned().into(), reader.portal()).unwrap(),
        portal,
        origin: RunOrigin::default(),
        clock: Arc::new(FixedClock),
        cancellation,
        claim: None,
    }
}
