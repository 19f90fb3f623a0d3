//! Work queue of a folder: the laws of every queue, and what its files keep.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use recard::model::{Digest, PortalId};
use recard::ports::{
    Claim, ClaimState, Clock, LaneLimits, LockOwner, ParkReason, Release, RoundClass, RoundEnd,
    RoundResult, StoreError, WorkQueue, Worker,
};
use recard::store::{FolderFleets, FolderQueue, QueuePortal, read_queue_row, write_queue_row};

use super::queue_laws::{self, LEASE, QueueWorld};

const ALL: LaneLimits = LaneLimits { healthy: 9, failing: 9, suspect: 9 };

/// Time of day that is set by hand.
pub(super) struct SetClock(Mutex<Timestamp>);

impl SetClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(400_000))))
    }

    pub(super) fn pass(&self, time: SignedDuration) {
        *self.0.lock().unwrap() += time;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

struct FolderWorld {
    queue: FolderQueue,
    clock: Arc<SetClock>,
}

impl QueueWorld for FolderWorld {
    type Queue = FolderQueue;

    fn queue(&self) -> &FolderQueue {
        &self.queue
    }

    async fn set_portals(&self, portals: Vec<QueuePortal>) {
        self.queue.set_portals(portals).await.unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time.try_into().unwrap());
    }
}

pub(super) fn owner() -> LockOwner {
    LockOwner {
        process: std::process::id(),
        host: "host".to_owned(),
        actor: "actor".to_owned(),
        command: "worker".to_owned(),
        since: "2026-01-01T00:00:00Z".to_owned(),
    }
}

async fn open(root: &Path, clock: &Arc<SetClock>) -> Result<FolderQueue, StoreError> {
    FolderQueue::open(root, owner(), Arc::clone(clock) as _).await
}

fn portals(count: usize) -> Vec<QueuePortal> {
    let portal = |index| QueuePortal {
        portal: PortalId::new(&format!("p{index}.example")).unwrap(),
        revision: Digest::hash(b"one"),
        every: Duration::from_secs(900),
        is_paused: false,
    };
    (0..count).map(portal).collect()
}

fn worker() -> Worker {
    Worker { id: "a".to_owned(), version: "1".to_owned() }
}

#[tokio::test]
async fn folder_queue_keeps_the_laws_of_every_queue() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue_laws::check(&FolderWorld { queue, clock }).await;
}

#[tokio::test]
async fn folder_queue_has_one_worker_and_is_taken_over_after_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let first = open(folder.path(), &clock).await.unwrap();
    let refused = open(folder.path(), &clock).await.err();
    assert!(
        matches!(&refused, Some(StoreError::Locked(by)) if by.command == "worker"),
        "{refused:?}"
    );
    drop(first);
    open(folder.path(), &clock).await.unwrap();
}

#[tokio::test]
async fn folder_queue_remembers_deaths_and_due_times_of_an_earlier_worker() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(3)).await.unwrap();
    let claims = queue.claim(&worker(), ALL, LEASE).await.unwrap();
    let result = RoundResult { class: Some(RoundClass::Failed), people: 0, row: "{}".to_owned() };
    let end = RoundEnd::Ended(result);
    let release = Release { end, due_in: Duration::from_secs(900) };
    queue.release(&claims[0], &release).await.unwrap();
    // The worker dies with two claims. Their leases end with it.
    drop(queue);
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(3)).await.unwrap();
    let again = queue.claim(&worker(), ALL, LEASE).await.unwrap();
    let known: Vec<_> = again.iter().map(|claim| (&claim.portal, claim.attempts)).collect();
    assert_eq!(known, [(&claims[1].portal, 2), (&claims[2].portal, 2)]);
    assert!(again[0].token > claims[1].token);
    clock.pass(SignedDuration::from_secs(900));
    let failed = LaneLimits { healthy: 0, failing: 9, suspect: 0 };
    let failed = queue.claim(&worker(), failed, LEASE).await.unwrap();
    assert_eq!((&failed[0].portal, failed[0].failures), (&claims[0].portal, 1));
}

#[tokio::test]
async fn folder_queue_sees_a_portal_that_another_command_freed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(1)).await.unwrap();
    let claim = queue.claim(&worker(), ALL, LEASE).await.unwrap().remove(0);
    queue.park(&claim, &ParkReason::Deaths(3)).await.unwrap();
    let mut row = read_queue_row(folder.path(), &claim.portal).unwrap().unwrap();
    assert!(row.state.parked.is_some());
    row.state.parked = None;
    row.state.due = Some(clock.now());
    write_queue_row(folder.path(), &claim.portal, &row).unwrap();
    assert_eq!(queue.claim(&worker(), ALL, LEASE).await.unwrap(), []);
    queue.read_parked().await.unwrap();
    assert_eq!(queue.claim(&worker(), ALL, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn folder_queue_waits_for_no_time_that_a_clock_set_back_has_still_to_reach() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(1)).await.unwrap();
    let claim = queue.claim(&worker(), ALL, LEASE).await.unwrap().remove(0);
    let release = Release { end: RoundEnd::GivenBack, due_in: Duration::from_secs(900) };
    queue.release(&claim, &release).await.unwrap();
    clock.pass(SignedDuration::from_hours(-24));
    assert_eq!(queue.claim(&worker(), ALL, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn folder_queue_leaves_out_a_portal_whose_row_is_damaged_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(2)).await.unwrap();
    drop(queue);
    let path = folder.path().join("portals/p0.example/queue.json");
    assert!(path.exists());
    recard::store::write_whole(&path, b"nonsense").unwrap();
    let queue = open(folder.path(), &clock).await.unwrap();
    let problems = queue.set_portals(portals(2)).await.unwrap();
    assert!(matches!(problems.as_slice(), [StoreError::Damaged { .. }]), "{problems:?}");
    let claims = queue.claim(&worker(), ALL, LEASE).await.unwrap();
    assert_eq!(claims.iter().map(|one| one.portal.as_str()).collect::<Vec<_>>(), ["p1.example"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"nonsense");
}

#[tokio::test]
async fn folder_queue_takes_a_shorter_interval_at_once_but_for_a_portal_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(2)).await.unwrap();
    let hour = Duration::from_secs(3600);
    for claim in queue.claim(&worker(), ALL, LEASE).await.unwrap() {
        let is_first = claim.portal.as_str() == "p0.example";
        let class = Some(if is_first { RoundClass::Succeeded } else { RoundClass::Failed });
        let end = RoundEnd::Ended(RoundResult { class, people: 0, row: "{}".to_owned() });
        queue.release(&claim, &Release { end, due_in: hour }).await.unwrap();
    }
    let soon =
        portals(2).into_iter().map(|one| QueuePortal { every: Duration::from_secs(9), ..one });
    queue.set_portals(soon.collect()).await.unwrap();
    clock.pass(SignedDuration::from_secs(9));
    let claims = queue.claim(&worker(), ALL, LEASE).await.unwrap();
    assert_eq!(claims.iter().map(|one| one.portal.as_str()).collect::<Vec<_>>(), ["p0.example"]);
}

#[tokio::test]
async fn folder_queue_gives_out_no_portal_whose_row_cannot_be_written_and_every_other() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::new();
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(3)).await.unwrap();
    let path = folder.path().join("portals/p1.example/queue.json");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let names = |claims: &[Claim]| {
        claims.iter().map(|one| (one.portal.to_string(), one.attempts)).collect::<Vec<_>>()
    };
    let others = [("p0.example".to_owned(), 1), ("p2.example".to_owned(), 1)];
    for _ in 0..5 {
        let claims = queue.claim(&worker(), ALL, LEASE).await.unwrap();
        assert_eq!(names(&claims), others);
        let ids: Vec<_> = claims.iter().map(|one| one.id).collect();
        assert_eq!(queue.extend(&worker(), &ids, LEASE).await.unwrap().len(), 2);
        let release = Release { end: RoundEnd::GivenBack, due_in: Duration::ZERO };
        for claim in &claims {
            assert_eq!(queue.release(claim, &release).await.unwrap(), ClaimState::Current);
        }
        clock.pass(SignedDuration::from_secs(61));
    }
    let problems = queue.set_portals(portals(3)).await.unwrap();
    assert!(matches!(problems.as_slice(), [StoreError::Io { .. }]), "{problems:?}");
    std::fs::remove_dir(&path).unwrap();
    clock.pass(SignedDuration::from_secs(61));
    let claims = queue.claim(&worker(), ALL, LEASE).await.unwrap();
    assert_eq!(claims.len(), 3);
    assert!(claims.iter().all(|one| one.attempts == 1), "nobody died: {claims:?}");
    assert!(read_queue_row(folder.path(), &claims[1].portal).unwrap().unwrap().claim.is_some());
}

#[tokio::test]
async fn round_that_outlasts_its_first_lease_is_still_seen_by_other_commands() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
    let queue = open(folder.path(), &clock).await.unwrap();
    queue.set_portals(portals(1)).await.unwrap();
    let claims = queue.claim(&worker(), ALL, LEASE).await.unwrap();
    let state = FolderFleets::new(folder.path(), Arc::clone(&clock) as _);
    let holder = async || {
        let states = state.queue_states(&[claims[0].portal.clone()]).await.unwrap();
        states[&claims[0].portal].worker.clone()
    };
    for _ in 0..3 {
        clock.pass(SignedDuration::try_from(LEASE / 2).unwrap());
        assert_eq!(queue.extend(&worker(), &[claims[0].id], LEASE).await.unwrap().len(), 1);
        assert_eq!(holder().await.as_deref(), Some("a"));
    }
    clock.pass(SignedDuration::try_from(LEASE).unwrap());
    assert_eq!(holder().await, None, "a worker that extends no lease holds nothing");
}
