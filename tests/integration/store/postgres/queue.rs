//! Laws of the work queue, in SQL.

use std::collections::BTreeSet;
use std::time::Duration;

use recard::model::{Digest, PortalId};
use recard::ports::*;
use recard::store::postgres::PostgresQueue;
use tokio_postgres::Client;

use crate::support::postgres::TestDatabase;

const LEASE: Duration = Duration::from_secs(150);

/// Limits that no test reaches.
const ALL: LaneLimits = LaneLimits { healthy: 1000, failing: 1000, suspect: 1000 };

/// Queue with portals that have been due for so many minutes.
struct Queue {
    queue: PostgresQueue,
    client: Client,
    _database: TestDatabase,
}

impl Queue {
    async fn of(overdue_minutes: &[i32]) -> Option<Self> {
        let database = TestDatabase::create().await?;
        let client = database.client().await;
        let revision = Digest::hash(b"one").to_string();
        let row = "insert into recard.revision (digest, fleet, document) values ($1, 'f', '')";
        client.execute(row, &[&revision]).await.unwrap();
        for (number, minutes) in overdue_minutes.iter().enumerate() {
            let row = "insert into recard.portal (portal, fleet, revision, due) \
                       values ($1, 'f', $2, now() - $3 * interval '1 minute')";
            let portal = format!("p{number}.example.com");
            client.execute(row, &[&portal, &revision, &f64::from(*minutes)]).await.unwrap();
        }
        let queue = PostgresQueue::new(database.open().await);
        Some(Self { queue, client, _database: database })
    }

    /// Lets time pass for all leases and due times.
    async fn pass(&self, seconds: f64) {
        let text = "update recard.portal set due = due - $1 * interval '1 second', \
                    lease = lease - $1 * interval '1 second'";
        self.client.execute(text, &[&seconds]).await.unwrap();
    }

    async fn claim(&self, worker: &Worker, limits: LaneLimits) -> Vec<Claim> {
        self.queue.claim(worker, limits, LEASE).await.unwrap()
    }
}

fn worker(id: &str) -> Worker {
    Worker { id: id.to_owned(), version: "1.0.0".to_owned() }
}

fn release(class: RoundClass, people: u32, due_in: u64) -> Release {
    Release {
        end: RoundEnd::Ended(RoundResult { class, people, row: "{}".to_owned() }),
        due_in: Duration::from_secs(due_in),
    }
}

fn names(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.portal.as_str()).collect()
}

#[tokio::test]
async fn longest_overdue_portals_are_claimed_first_and_once() {
    let Some(queue) = Queue::of(&[1, 30, 2, -5, 10]).await else { return };
    let two = LaneLimits { healthy: 2, ..ALL };
    let first = queue.claim(&worker("a"), two).await;
    assert_eq!(names(&first), ["p1.example.com", "p4.example.com"]);
    assert!(first.iter().all(|claim| claim.token == 1 && claim.attempts == 1));
    assert!(first[0].overdue >= Duration::from_secs(1800) && first[0].left == LEASE);
    let second = queue.claim(&worker("b"), ALL).await;
    assert_eq!(names(&second), ["p2.example.com", "p0.example.com"]);
    assert!(queue.claim(&worker("c"), ALL).await.is_empty());
}

#[tokio::test]
async fn workers_that_claim_at_once_share_no_portal() {
    let Some(queue) = Queue::of(&[1; 200]).await else { return };
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let queue = queue.queue.clone();
        workers.spawn(async move {
            let worker = worker(&format!("w{number}"));
            let mut claimed = Vec::new();
            loop {
                let three = LaneLimits { healthy: 3, ..ALL };
                let claims = queue.claim(&worker, three, LEASE).await.unwrap();
                if claims.is_empty() {
                    return claimed;
                }
                claimed.extend(claims);
            }
        });
    }
    let claims: Vec<Claim> = workers.join_all().await.into_iter().flatten().collect();
    // A call that met rows locked by others may have ended early; nothing was claimed twice.
    let portals: BTreeSet<&PortalId> = claims.iter().map(|claim| &claim.portal).collect();
    let ids: BTreeSet<ClaimId> = claims.iter().map(|claim| claim.id).collect();
    assert_eq!((portals.len(), ids.len()), (claims.len(), claims.len()));
    let rest = queue.claim(&worker("last"), ALL).await.len();
    assert_eq!(claims.len() + rest, 200);
}

#[tokio::test]
async fn claim_after_a_dead_worker_has_a_greater_token_and_the_old_one_is_lost() {
    let Some(queue) = Queue::of(&[1]).await else { return };
    let old = queue.claim(&worker("a"), ALL).await.remove(0);
    queue.pass(151.0).await;
    let new = queue.claim(&worker("b"), ALL).await.remove(0);
    assert!(new.token > old.token && new.id != old.id);
    assert_eq!((new.attempts, new.lane()), (2, QueueLane::Suspect));
    let late = queue.queue.extend(&worker("a"), &[old.id], LEASE).await.unwrap();
    assert!(late.is_empty());
    let ended = queue.queue.release(&old, &release(RoundClass::Succeeded, 1, 60)).await.unwrap();
    assert_eq!(ended, ClaimState::Lost);
    let parked = queue.queue.park(&old, &ParkReason::Deaths(3)).await.unwrap();
    assert_eq!(parked, ClaimState::Lost);
    let kept = queue.queue.extend(&worker("b"), &[new.id], LEASE).await.unwrap();
    assert_eq!(kept, [Extension { claim: new.id, left: LEASE }]);
}

#[tokio::test]
async fn lease_that_ended_unnoticed_is_extended_and_one_of_another_worker_is_not() {
    let Some(queue) = Queue::of(&[1, 1]).await else { return };
    let claims = queue.claim(&worker("a"), ALL).await;
    let ids: Vec<ClaimId> = claims.iter().map(|claim| claim.id).collect();
    queue.pass(1000.0).await;
    assert!(queue.queue.extend(&worker("b"), &ids, LEASE).await.unwrap().is_empty());
    assert_eq!(queue.queue.extend(&worker("a"), &ids, LEASE).await.unwrap().len(), 2);
    assert!(queue.claim(&worker("b"), ALL).await.is_empty());
    let seen = queue.client.query("select worker, version from recard.worker", &[]).await.unwrap();
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn release_sets_due_time_failures_and_people_of_the_revision() {
    let Some(queue) = Queue::of(&[1]).await else { return };
    for (class, people, failures) in
        [(RoundClass::Failed, 2, 1), (RoundClass::Failed, 3, 2), (RoundClass::Succeeded, 4, 0)]
    {
        let claim = queue.claim(&worker("a"), ALL).await.remove(0);
        assert_eq!(claim.attempts, 1);
        let ended = queue.queue.release(&claim, &release(class, people, 60)).await.unwrap();
        assert_eq!(ended, ClaimState::Current);
        assert!(queue.claim(&worker("a"), ALL).await.is_empty(), "it is not due yet");
        queue.pass(61.0).await;
        let row = "select failures, round_failed, round_people, round_revision, claim \
                   from recard.portal";
        let row = queue.client.query_one(row, &[]).await.unwrap();
        assert_eq!(row.get::<_, i32>("failures"), failures);
        assert_eq!(row.get::<_, bool>("round_failed"), class == RoundClass::Failed);
        assert_eq!(row.get::<_, String>("round_revision"), claim.revision.to_string());
        assert_eq!(row.get::<_, Option<String>>("claim"), None);
    }
    let people = queue.client.query_one("select round_people from recard.portal", &[]).await;
    assert_eq!(people.unwrap().get::<_, i32>(0), 9);
}

#[tokio::test]
async fn portal_given_back_keeps_what_was_known_of_it() {
    let Some(queue) = Queue::of(&[1]).await else { return };
    drop(queue.claim(&worker("dies"), ALL).await);
    queue.pass(151.0).await;
    let claim = queue.claim(&worker("a"), ALL).await.remove(0);
    let back = Release { end: RoundEnd::GivenBack, due_in: Duration::ZERO };
    assert_eq!(queue.queue.release(&claim, &back).await.unwrap(), ClaimState::Current);
    let again = queue.claim(&worker("b"), ALL).await.remove(0);
    assert_eq!((again.attempts, again.lane()), (2, QueueLane::Suspect));
}

#[tokio::test]
async fn lanes_have_limits_of_their_own() {
    let Some(queue) = Queue::of(&[9, 8, 7, 6, 5, 4]).await else { return };
    let text = "update recard.portal set failures = 1 where portal < 'p2'; \
                update recard.portal set attempts = 1 where portal > 'p4'";
    queue.client.batch_execute(text).await.unwrap();
    let limits = LaneLimits { healthy: 0, failing: 1, suspect: 1 };
    let claims = queue.claim(&worker("a"), limits).await;
    assert_eq!(names(&claims), ["p0.example.com", "p4.example.com"]);
    let lanes: Vec<QueueLane> = claims.iter().map(Claim::lane).collect();
    assert_eq!(lanes, [QueueLane::Failing, QueueLane::Suspect]);
}

#[tokio::test]
async fn parked_paused_moved_and_unpublished_portals_are_not_claimed() {
    let Some(queue) = Queue::of(&[1; 7]).await else { return };
    let text = "update recard.portal set pause = 'infinity' where portal like 'p0%'; \
        update recard.portal set declared_pause = now() + interval '1 hour' where portal like 'p1%'; \
        update recard.portal set pause = now() - interval '1 hour' where portal like 'p2%'; \
        update recard.portal set revision = null where portal like 'p3%'; \
        update recard.portal set moved_to = 'elsewhere' where portal like 'p4%'";
    queue.client.batch_execute(text).await.unwrap();
    let claims = queue.claim(&worker("a"), ALL).await;
    assert_eq!(names(&claims), ["p2.example.com", "p5.example.com", "p6.example.com"]);
    let mark = SecretMark { salt: "s".to_owned(), digest: Digest::hash(b"secret") };
    let refused = ParkReason::WebhookRefused(mark.clone());
    queue.queue.park(&claims[0], &refused).await.unwrap();
    let person = ParkReason::RecoveryNeedsPerson("another owner".to_owned());
    queue.queue.park(&claims[1], &person).await.unwrap();
    queue.pass(1000.0).await;
    assert_eq!(names(&queue.claim(&worker("a"), ALL).await), ["p6.example.com"]);
    let seen = queue.queue.overview().await.unwrap();
    let expected = QueueOverview { parked: 2, paused: 2, claimed: 1, due: 1, ..seen };
    assert_eq!((seen, seen.waiting, seen.failing), (expected, 0, 0));

    let parked = queue.queue.refused_webhooks().await.unwrap();
    assert_eq!(parked, [(claims[0].portal.clone(), mark.clone())]);
    let other = SecretMark { salt: "t".to_owned(), ..mark.clone() };
    queue.queue.free(&claims[0].portal, &other).await.unwrap();
    queue.queue.free(&claims[1].portal, &mark).await.unwrap();
    assert!(queue.claim(&worker("a"), ALL).await.is_empty());
    queue.queue.free(&claims[0].portal, &mark).await.unwrap();
    let freed = queue.claim(&worker("a"), ALL).await;
    assert_eq!((names(&freed), freed[0].attempts), (vec!["p2.example.com"], 1));
}

#[tokio::test]
async fn overview_tells_the_longest_overdue() {
    let Some(queue) = Queue::of(&[1, 20, -3]).await else { return };
    let seen = queue.queue.overview().await.unwrap();
    assert_eq!((seen.due, seen.waiting), (2, 1));
    assert!(seen.oldest_overdue >= Duration::from_secs(1200), "{seen:?}");
    queue.queue.extend(&worker("a"), &[], LEASE).await.unwrap();
    queue.queue.sign_off(&worker("a")).await.unwrap();
    let ended = "select ended is not null from recard.worker";
    assert!(queue.client.query_one(ended, &[]).await.unwrap().get::<_, bool>(0));
}
