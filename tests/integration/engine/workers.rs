//! Workers over a queue in memory, in paused time: rounds that hang, panic and fail, workers that
//! die, queues that do not answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use recard::engine::{CancellationHandle, CancellationToken, cancellation};
use recard::fleet::worker::{
    RoundControl, RoundEnding, RoundFailure, RoundOutcome, Rounds, WorkerSettings, WorkerStatus,
    work,
};
use recard::model::{Digest, PortalId};
use recard::ports::{
    Claim, Clock, LaneLimits, NoPermit, ParkReason, Permit as _, RoundClass, RoundResult,
    SecretMark, WorkQueue as _, Worker,
};
use tokio::time::{Instant, sleep, timeout};

use crate::support::memory_queue::{MemoryQueue, Outage, TokioClock, portal};

const SECOND: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_secs(60);

/// Behavior of the rounds of a portal.
#[derive(Clone, Copy)]
enum Behavior {
    Takes(Duration),
    Fails,
    Panics,
    /// Ends only when it is cancelled.
    Hangs,
    /// Does not end even then.
    HangsForGood,
    Parks,
}

/// Begin and end of a round.
struct Seen {
    portal: PortalId,
    overdue: Duration,
    begun: Instant,
    ended: Option<Instant>,
    /// What the permit said in each second of a round that hangs.
    permits: Vec<Result<(), NoPermit>>,
    reason: Option<Arc<str>>,
}

/// Notes the end of a round, also of one that is dropped.
struct Ended<'a>(&'a TestRounds, usize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.seen.borrow_mut()[self.1].ended = Some(Instant::now());
    }
}

struct TestRounds {
    behavior: Box<dyn Fn(usize) -> Behavior>,
    seen: RefCell<Vec<Seen>>,
    other_secret: RefCell<BTreeSet<PortalId>>,
}

impl TestRounds {
    fn new(behavior: impl Fn(usize) -> Behavior + 'static) -> Self {
        let (seen, other_secret) = (RefCell::default(), RefCell::default());
        Self { behavior: Box::new(behavior), seen, other_secret }
    }

    /// Returns the largest number of rounds at the same time among some portals.
    fn most_at_once(&self, is_meant: impl Fn(&PortalId) -> bool) -> usize {
        let seen = self.seen.borrow();
        let of: Vec<&Seen> = seen.iter().filter(|seen| is_meant(&seen.portal)).collect();
        let is_during = |other: &&&Seen, at: Instant| {
            other.begun <= at && other.ended.is_none_or(|ended| ended > at)
        };
        of.iter()
            .map(|one| of.iter().filter(|other| is_during(other, one.begun)).count())
            .max()
            .unwrap_or_default()
    }

    fn rounds_of(&self, index: usize) -> usize {
        self.seen.borrow().iter().filter(|seen| seen.portal == portal(index)).count()
    }
}

fn result(class: RoundClass) -> RoundResult {
    RoundResult { class: Some(class), people: 0, row: "{}".to_owned() }
}

impl Rounds for TestRounds {
    async fn round(&self, claim: &Claim, control: &RoundControl) -> RoundOutcome {
        let at = self.seen.borrow().len();
        self.seen.borrow_mut().push(Seen {
            portal: claim.portal.clone(),
            overdue: claim.overdue,
            begun: Instant::now(),
            ended: None,
            permits: Vec::new(),
            reason: None,
        });
        let _ended = Ended(self, at);
        let index = claim.portal.as_str()[1..5].parse().unwrap();
        let outcome = match (self.behavior)(index) {
            Behavior::Takes(time) => tokio::select! {
                () = sleep(time) => RoundOutcome::Ended(result(RoundClass::Succeeded)),
                () = control.cancellation.cancelled() => RoundOutcome::Stopped,
            },
            Behavior::Fails => RoundOutcome::Ended(result(RoundClass::Failed)),
            Behavior::Panics => panic!("a round of {}", claim.portal),
            Behavior::Hangs | Behavior::HangsForGood => {
                let forever = async {
                    loop {
                        let permit = control.permit.check();
                        self.seen.borrow_mut()[at].permits.push(permit);
                        sleep(SECOND).await;
                    }
                };
                let is_for_good = matches!((self.behavior)(index), Behavior::HangsForGood);
                tokio::select! {
                    () = forever => {}
                    () = control.cancellation.cancelled(), if !is_for_good => {}
                }
                RoundOutcome::Stopped
            }
            Behavior::Parks => RoundOutcome::Parked(ParkReason::WebhookRefused(mark())),
        };
        self.seen.borrow_mut()[at].reason = control.cancellation.reason();
        outcome
    }

    fn failed(&self, _: &Claim, _: RoundFailure) -> RoundResult {
        result(RoundClass::Failed)
    }

    fn every(&self, _: &Claim) -> Duration {
        EVERY
    }

    fn has_other_secret(&self, portal: &PortalId, refused: &SecretMark) -> bool {
        assert_eq!(*refused, mark());
        self.other_secret.borrow().contains(portal)
    }
}

fn mark() -> SecretMark {
    SecretMark { salt: "salt".to_owned(), digest: Digest::hash(b"secret") }
}

/// A worker with its queue and rounds.
struct World {
    queue: MemoryQueue,
    rounds: TestRounds,
    settings: WorkerSettings,
    status: WorkerStatus,
    stop: (CancellationHandle, CancellationToken),
}

impl World {
    fn new(portals: usize, behavior: impl Fn(usize) -> Behavior + 'static) -> Self {
        Self {
            queue: MemoryQueue::new(portals),
            rounds: TestRounds::new(behavior),
            settings: WorkerSettings { slots: 20, ..WorkerSettings::default() },
            status: WorkerStatus::default(),
            stop: cancellation(),
        }
    }

    async fn work(&self) {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::new());
        let over = (&self.queue, &self.rounds);
        work(&worker(), over, &self.settings, &clock, &self.status, &self.stop.1).await;
    }

    /// Runs the worker for a time, and lets it die then.
    async fn work_for(&self, time: Duration) {
        assert!(timeout(time, self.work()).await.is_err(), "it works until it is told to stop");
    }

    fn endings(&self) -> BTreeMap<RoundEnding, u64> {
        self.status.report().endings
    }
}

fn worker() -> Worker {
    Worker { id: "worker".to_owned(), version: "1".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn worker_reconciles_each_portal_in_its_interval() {
    let world = World::new(100, |_| Behavior::Takes(Duration::from_millis(100)));
    world.work_for(EVERY * 10).await;
    for index in 0..100 {
        let rounds = world.rounds.rounds_of(index);
        assert!((9..=12).contains(&rounds), "{index}: {rounds}");
    }
    assert!(world.rounds.most_at_once(|_| true) <= 16, "a fifth is for portals that failed");
    assert_eq!(world.endings().keys().collect::<Vec<_>>(), [&RoundEnding::Succeeded]);
    let overview = world.status.report().overview.unwrap();
    assert_eq!((overview.parked, overview.failing), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn worker_lets_portals_that_hang_delay_no_other_once_they_failed() {
    let mut world = World::new(100, |index| match index % 5 {
        0 => Behavior::Hangs,
        _ => Behavior::Takes(Duration::from_millis(100)),
    });
    world.settings.round = EVERY;
    world.work_for(EVERY * 20).await;
    let is_hanging = |seen: &Seen| seen.portal.as_str()[1..5].parse::<usize>().unwrap() % 5 == 0;
    let mut late: Vec<Duration> = {
        let seen = world.rounds.seen.borrow();
        let is_calm = |one: &&Seen| one.begun - seen[0].begun > EVERY * 3 && !is_hanging(one);
        seen.iter().filter(is_calm).map(|seen| seen.overdue).collect()
    };
    late.sort_unstable();
    assert!(late.len() > 80 * 15, "{}", late.len());
    let worst = late[late.len() * 99 / 100];
    assert!(worst <= Duration::from_millis(500), "{worst:?}");
    assert_eq!(world.rounds.most_at_once(|name| name == &portal(5)), 1);
    let endings = world.endings();
    assert!(endings[&RoundEnding::Failed] >= 20, "{endings:?}");
    assert_eq!(world.queue.overview().await.unwrap().failing, 20);
}

#[tokio::test(start_paused = true)]
async fn worker_waits_longer_after_each_failure_and_panics_alone() {
    let world = World::new(4, |index| match index {
        0 => Behavior::Fails,
        1 => Behavior::Panics,
        _ => Behavior::Takes(SECOND),
    });
    world.work_for(EVERY * 32).await;
    for failing in [0, 1] {
        let seen = world.rounds.seen.borrow();
        let begins: Vec<Instant> = seen
            .iter()
            .filter(|seen| seen.portal == portal(failing))
            .map(|seen| seen.begun)
            .collect();
        let waits: Vec<u64> = begins.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
        assert!((4..=6).contains(&begins.len()), "{waits:?}");
        for (wait, expected) in waits.iter().zip([60, 120, 240, 480, 960]) {
            assert!((expected * 3 / 4..=expected * 5 / 4 + 1).contains(wait), "{waits:?}");
        }
    }
    assert!(world.rounds.rounds_of(2) >= 28);
    assert_eq!(world.endings()[&RoundEnding::Failed], {
        (world.rounds.rounds_of(0) + world.rounds.rounds_of(1)) as u64
    });
}

#[tokio::test(start_paused = true)]
async fn worker_parks_the_portal_that_kills_workers_and_no_other() {
    let mut world = World::new(13, |index| match index {
        7 => Behavior::HangsForGood,
        _ => Behavior::Takes(SECOND),
    });
    for life in 1..=3 {
        let dies = async {
            while world.rounds.rounds_of(7) < life {
                sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = world.work() => panic!("it works until it dies"),
            () = dies => {}
        }
        world.status = WorkerStatus::default();
        sleep(world.settings.lease.lease).await;
    }
    world.work_for(EVERY * 4).await;
    assert_eq!(world.queue.rows().parked(), [portal(7)]);
    let parked = world.queue.rows().get(&portal(7)).unwrap().state.parked.clone().unwrap();
    assert_eq!(parked.reason, ParkReason::Deaths(3));
    for index in (0..13).filter(|index| *index != 7) {
        assert!(world.rounds.rounds_of(index) >= 3, "{index}");
    }
}

#[tokio::test(start_paused = true)]
async fn worker_runs_suspects_one_at_a_time() {
    let mut world = World::new(12, |_| Behavior::Takes(SECOND * 2));
    world.work_for(SECOND).await;
    world.status = WorkerStatus::default();
    assert_eq!(world.rounds.most_at_once(|_| true), 12);
    sleep(world.settings.lease.lease).await;
    world.rounds.seen.borrow_mut().clear();
    world.work_for(SECOND * 40).await;
    assert_eq!(world.rounds.most_at_once(|_| true), 1);
    assert!((0..12).all(|index| world.rounds.rounds_of(index) == 1));
    assert_eq!(world.endings()[&RoundEnding::Succeeded], 12);
}

#[tokio::test(start_paused = true)]
async fn worker_runs_suspects_without_a_pause_between_them() {
    let mut world = World::new(16, |_| Behavior::Takes(SECOND / 100));
    world.work_for(SECOND / 200).await;
    world.status = WorkerStatus::default();
    assert_eq!(world.rounds.most_at_once(|_| true), 16);
    sleep(world.settings.lease.lease).await;
    world.rounds.seen.borrow_mut().clear();
    world.work_for(SECOND / 4).await;
    assert_eq!(world.rounds.most_at_once(|_| true), 1);
    assert_eq!(world.endings()[&RoundEnding::Succeeded], 16);
}

#[tokio::test(start_paused = true)]
async fn worker_withdraws_the_permit_of_a_claim_that_the_heartbeat_does_not_return() {
    let world = World::new(1, |_| Behavior::Hangs);
    let thief = async {
        // The queue takes the lease for ended, and gives the portal to another worker.
        sleep(SECOND * 20).await;
        let now = world.queue.now();
        world.queue.rows().end_leases(now);
        let all = LaneLimits { healthy: 9, failing: 9, suspect: 9 };
        let other = Worker { id: "other".to_owned(), ..worker() };
        let taken = world.queue.claim(&other, all, SECOND * 1_000).await.unwrap();
        assert_eq!((taken.len(), taken[0].attempts), (1, 2));
    };
    tokio::join!(world.work_for(SECOND * 200), thief);
    assert_eq!(world.endings(), BTreeMap::from([(RoundEnding::Lost, 1)]));
    let seen = world.rounds.seen.borrow();
    assert_eq!(seen.len(), 1, "the portal is the other's");
    assert_eq!(seen[0].reason.as_deref(), Some("the lease of the portal was lost"));
    let took = seen[0].ended.unwrap() - seen[0].begun;
    assert!(took <= SECOND * 31, "the next heartbeat tells it: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn worker_extends_nothing_without_an_answer() {
    for outage in [Outage::Fails, Outage::Hangs, Outage::LosesAnswers] {
        let world = World::new(1, |_| Behavior::Hangs);
        let outages = async {
            sleep(SECOND * 5).await;
            world.queue.set_outage(outage);
            sleep(SECOND * 200).await;
            world.queue.set_outage(Outage::None);
        };
        tokio::join!(world.work_for(SECOND * 300), outages);
        let seen = world.rounds.seen.borrow();
        let permits = &seen[0].permits;
        // The last heartbeat that was answered came with the claim, or just after it.
        assert!(permits[..70].iter().all(Result::is_ok), "{outage:?}");
        assert!(permits[72..200].iter().all(|permit| *permit == Err(NoPermit::EndsTooSoon)));
        assert_eq!(permits.last(), Some(&Ok(())), "{outage:?}: still its own, and extended again");
        assert_eq!(seen.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn worker_never_runs_a_portal_twice_at_once() {
    let mut world = World::new(1, |_| Behavior::HangsForGood);
    world.settings.round = SECOND * 10_000;
    let ends_leases = async {
        for _ in 0..3 {
            sleep(SECOND * 200).await;
            // The next claim comes before the next heartbeat.
            let now = world.queue.now();
            world.queue.rows().end_leases(now);
        }
    };
    tokio::join!(world.work_for(SECOND * 900), ends_leases);
    assert_eq!(world.endings()[&RoundEnding::Lost], 1);
    assert!(world.endings()[&RoundEnding::GivenBack] >= 1, "claimed while it still ran");
    assert!(world.rounds.rounds_of(0) >= 2);
    assert_eq!(world.rounds.most_at_once(|_| true), 1);
}

#[tokio::test(start_paused = true)]
async fn worker_that_claims_a_portal_again_has_its_next_round_within_a_lease() {
    let mut world = World::new(1, |_| Behavior::Hangs);
    world.settings.lease.lease = SECOND * 6;
    let ends_the_lease = async {
        // As after a crash of the server, or a stop of the process, for longer than the lease.
        sleep(SECOND * 20).await;
        let now = world.queue.now();
        world.queue.rows().end_leases(now);
    };
    tokio::join!(world.work_for(SECOND * 40), ends_the_lease);
    assert!(world.endings()[&RoundEnding::GivenBack] >= 1, "claimed while it still ran");
    let seen = world.rounds.seen.borrow();
    let pause = seen[1].begun - seen[0].ended.unwrap();
    assert!(pause <= SECOND * 3, "{pause:?}");
}

#[tokio::test(start_paused = true)]
async fn worker_that_is_told_to_stop_gives_everything_back() {
    let world = World::new(30, |index| match index % 2 {
        0 => Behavior::Hangs,
        _ => Behavior::Takes(SECOND * 5),
    });
    let stop = async {
        sleep(SECOND).await;
        world.stop.0.cancel("told to stop");
        Instant::now()
    };
    let (ended, told) = tokio::join!(
        async {
            world.work().await;
            Instant::now()
        },
        stop
    );
    assert!(ended - told <= SECOND, "{:?}", ended - told);
    assert_eq!(world.endings(), BTreeMap::from([(RoundEnding::GivenBack, 16)]));
    let overview = world.queue.overview().await.unwrap();
    assert_eq!((overview.due, overview.claimed), (30, 0));
    let all = LaneLimits { healthy: 99, failing: 0, suspect: 0 };
    let next = world.queue.claim(&worker(), all, SECOND).await.unwrap();
    assert_eq!(next.len(), 30, "no portal is suspect or failing for the end of a worker");
}

#[tokio::test(start_paused = true)]
async fn worker_that_is_told_to_stop_waits_for_its_rounds_for_a_minute() {
    let world = World::new(2, |index| match index {
        0 => Behavior::HangsForGood,
        _ => Behavior::Takes(Duration::ZERO),
    });
    let stop = async {
        sleep(SECOND * 5).await;
        world.stop.0.cancel("told to stop");
        Instant::now()
    };
    let (ended, told) = tokio::join!(
        async {
            world.work().await;
            Instant::now()
        },
        stop
    );
    assert_eq!(ended - told, SECOND * 60);
    assert_eq!(world.endings(), BTreeMap::from([(RoundEnding::Succeeded, 1)]));
    let row = world.queue.rows().get(&portal(0)).unwrap().clone();
    assert_eq!(row.state.attempts, 1, "its lease runs out");
}

#[tokio::test(start_paused = true)]
async fn worker_releases_a_claim_once_the_queue_answers_again() {
    for outage in [Outage::Fails, Outage::Hangs, Outage::LosesAnswers] {
        let world = World::new(1, |_| Behavior::Takes(SECOND * 10));
        let outages = async {
            sleep(SECOND * 5).await;
            world.queue.set_outage(outage);
            sleep(SECOND * 60).await;
            world.queue.set_outage(Outage::None);
        };
        tokio::join!(world.work_for(SECOND * 100), outages);
        let endings: Vec<_> = world.endings().into_keys().collect();
        assert_eq!(endings, [RoundEnding::Succeeded], "{outage:?}");
        assert!(world.rounds.rounds_of(0) <= 2, "{outage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn worker_frees_a_portal_whose_secret_was_replaced() {
    let world = World::new(2, |_| Behavior::Parks);
    let replaced = async {
        sleep(SECOND * 60).await;
        assert_eq!(world.rounds.rounds_of(0) + world.rounds.rounds_of(1), 2);
        world.rounds.other_secret.borrow_mut().insert(portal(1));
        sleep(SECOND * 20).await;
        world.rounds.other_secret.borrow_mut().clear();
    };
    tokio::join!(world.work_for(SECOND * 200), replaced);
    assert_eq!(world.rounds.rounds_of(0), 1);
    assert!(world.rounds.rounds_of(1) >= 2);
    assert_eq!(world.queue.overview().await.unwrap().parked, 2);
}

#[tokio::test(start_paused = true)]
async fn worker_is_healthy_while_the_queue_answers_and_ready_until_it_is_told_to_stop() {
    let world = World::new(1, |_| Behavior::HangsForGood);
    let health = || {
        let report = world.status.report();
        (report.is_healthy(&world.settings), report.is_ready(&world.settings))
    };
    assert_eq!(health(), (false, false), "before it works");
    let look = async {
        sleep(SECOND).await;
        assert_eq!(health(), (true, true));
        world.queue.set_outage(Outage::Hangs);
        sleep(SECOND * 100).await;
        assert_eq!(health(), (false, false));
        world.queue.set_outage(Outage::None);
        sleep(SECOND * 40).await;
        assert_eq!(health(), (true, true));
        world.stop.0.cancel("told to stop");
        sleep(SECOND).await;
        assert_eq!(health(), (true, false));
    };
    tokio::join!(world.work(), look);
}
