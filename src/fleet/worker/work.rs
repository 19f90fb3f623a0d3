//! Loops of a worker: claims, rounds, heartbeats, numbers and replaced secrets.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::reconcile::{Reconciler, Running};
use super::{LeasePermit, Moment, Rounds, WorkerSettings, WorkerStatus};
use crate::engine::CancellationToken;
use crate::ports::{Claim, Clock, QueueLane, StoreError, WorkQueue, Worker};

/// Reconciles portals until the token is cancelled, and then until the rounds have ended.
///
/// All of it runs in one task: a round that blocks the thread delays the others, and a heartbeat
/// that comes too late refuses writes and loses leases, but never allows a write.
pub async fn work<Q: WorkQueue, R: Rounds>(
    worker: &Worker,
    (queue, rounds): (&Q, &R),
    settings: &WorkerSettings,
    clock: &Arc<dyn Clock>,
    status: &WorkerStatus,
    stop: &CancellationToken,
) {
    let running = Running::default();
    let reconciler = Reconciler { queue, rounds, settings, status, running: &running, stop };
    let loops = Loops { worker, reconciler, clock, suspect_ended: Notify::new() };
    let (sender, receiver) = unbounded_channel();
    let work = async {
        tokio::join!(loops.claim(sender), loops.reconcile(receiver));
    };
    let stopped = async {
        stop.cancelled().await;
        status.drains();
        running.stop(tr_later!("the worker ends"));
        sleep(settings.drain).await;
        tracing::warn!("rounds did not end in time; their leases run out");
    };
    tokio::select! {
        biased;
        () = work => {}
        () = stopped => {}
        () = loops.extend() => {}
        () = loops.survey() => {}
    }
    let signed_off = timeout(settings.lease.heartbeat(), queue.sign_off(worker)).await;
    if !matches!(signed_off, Ok(Ok(()))) {
        tracing::warn!("the worker could not sign off");
    }
}

struct Loops<'a, Q, R> {
    worker: &'a Worker,
    reconciler: Reconciler<'a, Q, R>,
    clock: &'a Arc<dyn Clock>,
    /// Wakes the claims: all portals of a worker that died are suspects, and wait for each other.
    suspect_ended: Notify,
}

impl<Q: WorkQueue, R: Rounds> Loops<'_, Q, R> {
    /// Claims portals until the worker is told to stop. A call in flight is awaited then: its
    /// claims are given back.
    async fn claim(&self, sender: UnboundedSender<(Claim, Arc<LeasePermit>)>) {
        let Reconciler { queue, settings, status, stop, .. } = &self.reconciler;
        while stop.reason().is_none() {
            let limits = status.free(settings.slots);
            let pause = if limits.is_zero() {
                settings.poll
            } else {
                let asked = Moment::now(&**self.clock);
                let claimed = queue.claim(self.worker, limits, settings.lease.lease);
                match self.answer(claimed, "claim").await {
                    Some(claims) => {
                        status.claim_answered();
                        for claim in claims {
                            status.begun(claim.lane());
                            let permit = self.permit(asked, &claim);
                            // The receiver lives as long as the sender.
                            let _ = sender.send((claim, permit));
                        }
                        settings.poll
                    }
                    None => settings.poll * 4,
                }
            };
            // Workers that were started together drift apart.
            let pause = pause.mul_f64(rand::random_range(0.9..1.1));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.suspect_ended.notified() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn permit(&self, asked: Moment, claim: &Claim) -> Arc<LeasePermit> {
        let reserve = self.reconciler.settings.lease.reserve();
        Arc::new(LeasePermit::new(Arc::clone(self.clock), reserve, asked, claim.left))
    }

    /// Runs the rounds of all claims until there are none any more.
    async fn reconcile(&self, mut claims: UnboundedReceiver<(Claim, Arc<LeasePermit>)>) {
        let mut rounds = FuturesUnordered::new();
        let mut is_open = true;
        while is_open || !rounds.is_empty() {
            tokio::select! {
                claim = claims.recv(), if is_open => match claim {
                    Some((claim, permit)) => rounds.push(self.reconciler.reconcile(claim, permit)),
                    None => is_open = false,
                },
                Some(lane) = rounds.next() => if lane == QueueLane::Suspect {
                    self.suspect_ended.notify_one();
                },
            }
        }
    }

    /// Extends the leases of all claims, for as long as the worker lives.
    async fn extend(&self) {
        let Reconciler { queue, settings, status, running, .. } = &self.reconciler;
        let interval = settings.lease.heartbeat();
        let mut next = Instant::now();
        loop {
            let (claims, asked) = (running.claims(), Moment::now(&**self.clock));
            let extended = queue.extend(self.worker, &claims, settings.lease.lease);
            let pause = match self.answer(extended, "heartbeat").await {
                Some(extensions) => {
                    status.heartbeat_answered();
                    running.extend(asked, &claims, &extensions);
                    interval
                }
                None => {
                    status.heartbeat_failed();
                    interval / 10
                }
            };
            next = (next + pause).max(Instant::now());
            sleep_until(next).await;
        }
    }

    /// Looks at the numbers of the queue and at replaced secrets, for as long as the worker lives.
    async fn survey(&self) {
        let Reconciler { queue, rounds, settings, status, .. } = &self.reconciler;
        loop {
            if let Some(overview) = self.answer(queue.overview(), "overview").await {
                status.take_overview(overview);
            }
            let refused = self.answer(queue.refused_webhooks(), "refused webhooks").await;
            for (portal, mark) in refused.unwrap_or_default() {
                if rounds.has_other_secret(&portal, &mark) {
                    self.answer(queue.free(&portal, &mark), "free").await;
                }
            }
            sleep(settings.survey).await;
        }
    }

    /// Waits for an answer of the queue, for the time between heartbeats at most.
    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
        what: &str,
    ) -> Option<T> {
        let limit: Duration = self.reconciler.settings.lease.heartbeat();
        match timeout(limit, call).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::warn!(what, %error, "the queue fails");
                None
            }
            Err(_) => {
                tracing::warn!(what, "the queue does not answer");
                None
            }
        }
    }
}
