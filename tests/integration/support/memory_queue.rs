//! Work queue in memory, by the clock of tokio, with outages on demand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use recard::model::{Digest, PortalId};
use recard::ports::{
    Claim, ClaimId, ClaimState, Clock, Extension, LaneLimits, ParkReason, QueueOverview, Release,
    SecretMark, StoreError, WorkQueue, Worker,
};
use recard::store::{QueuePortal, QueueRows};
use tokio::time::Instant;

/// Time of day that goes with the clock of tokio.
pub struct TokioClock {
    start: Instant,
}

impl TokioClock {
    /// Starts at a fixed time.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + self.start.elapsed()
    }
}

/// State of the connection to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Calls are answered.
    None,
    /// Calls fail, and are not executed.
    Fails,
    /// Calls are not executed and never answered.
    Hangs,
    /// Calls are executed and never answered.
    LosesAnswers,
}

/// Work queue in memory.
pub struct MemoryQueue {
    clock: TokioClock,
    rows: Mutex<QueueRows>,
    ids: AtomicU64,
    outage: Mutex<Outage>,
}

impl MemoryQueue {
    /// Creates a queue of portals that are due.
    pub fn new(count: usize) -> Self {
        let queue = Self {
            clock: TokioClock::new(),
            rows: Mutex::default(),
            ids: AtomicU64::new(1),
            outage: Mutex::new(Outage::None),
        };
        let portal = |index| QueuePortal {
            portal: portal(index),
            revision: Digest::hash(b"one"),
            every: Duration::from_secs(900),
            is_paused: false,
        };
        queue.rows().set_portals((0..count).map(portal), queue.clock.now());
        queue
    }

    /// Returns the rows.
    pub fn rows(&self) -> MutexGuard<'_, QueueRows> {
        self.rows.lock().unwrap()
    }

    /// Returns the time by the clock of the queue.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins or ends an outage.
    pub fn set_outage(&self, outage: Outage) {
        *self.outage.lock().unwrap() = outage;
    }

    async fn step<T>(
        &self,
        step: impl FnOnce(&mut QueueRows, Timestamp) -> T,
    ) -> Result<T, StoreError> {
        let outage = *self.outage.lock().unwrap();
        match outage {
            Outage::None => Ok(step(&mut self.rows(), self.clock.now())),
            Outage::Fails => Err(StoreError::Missing("server".to_owned())),
            Outage::Hangs => std::future::pending().await,
            Outage::LosesAnswers => {
                step(&mut self.rows(), self.clock.now());
                std::future::pending().await
            }
        }
    }
}

/// Returns the name of a portal of a queue.
pub fn portal(index: usize) -> PortalId {
    PortalId::new(&format!("p{index:04}.example")).unwrap()
}

impl WorkQueue for MemoryQueue {
    async fn claim(
        &self,
        worker: &Worker,
        limits: LaneLimits,
        lease: Duration,
    ) -> Result<Vec<Claim>, StoreError> {
        let id = || ClaimId::new(self.ids.fetch_add(1, Ordering::Relaxed).into());
        self.step(|rows, now| rows.claim(worker, limits, lease, now, id)).await
    }

    async fn extend(
        &self,
        _: &Worker,
        claims: &[ClaimId],
        lease: Duration,
    ) -> Result<Vec<Extension>, StoreError> {
        self.step(|rows, now| rows.extend(claims, lease, now)).await
    }

    async fn release(&self, claim: &Claim, release: &Release) -> Result<ClaimState, StoreError> {
        self.step(|rows, now| rows.release(claim, release, now)).await
    }

    async fn park(&self, claim: &Claim, reason: &ParkReason) -> Result<ClaimState, StoreError> {
        self.step(|rows, now| rows.park(claim, reason, now)).await
    }

    async fn refused_webhooks(&self) -> Result<Vec<(PortalId, SecretMark)>, StoreError> {
        self.step(|rows, _| rows.refused_webhooks()).await
    }

    async fn free(&self, portal: &PortalId, refused: &SecretMark) -> Result<(), StoreError> {
        let is_meant = |reason: &ParkReason| matches!(reason, ParkReason::WebhookRefused(mark) if mark == refused);
        self.step(|rows, now| rows.free(portal, now, is_meant)).await.map(|_| ())
    }

    async fn overview(&self) -> Result<QueueOverview, StoreError> {
        self.step(|rows, now| rows.overview(now)).await
    }

    async fn sign_off(&self, _: &Worker) -> Result<(), StoreError> {
        self.step(|_, _| ()).await
    }
}
