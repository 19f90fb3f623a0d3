//! Work queue in SQL: the laws of every queue, and what many workers need of it.

use std::collections::BTreeSet;
use std::time::Duration;

use recard::model::{Digest, PortalId};
use recard::ports::*;
use recard::store::QueuePortal;
use recard::store::postgres::PostgresQueue;
use tokio_postgres::Client;

use crate::store::queue_laws::{self, LEASE, QueueWorld};
use crate::support::postgres::TestDatabase;

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

impl QueueWorld for Queue {
    type Queue = PostgresQueue;

    fn queue(&self) -> &PostgresQueue {
        &self.queue
    }

    async fn set_portals(&self, portals: Vec<QueuePortal>) {
        let names: Vec<&str> = portals.iter().map(|one| one.portal.as_str()).collect();
        let others = "update recard.portal set revision = null where portal <> all($1)";
        self.client.execute(others, &[&names]).await.unwrap();
        for QueuePortal { portal, revision, is_paused, .. } in &portals {
            let revision = revision.to_string();
            let row = "insert into recard.revision values ($1, 'f', '') on conflict do nothing";
            self.client.execute(row, &[&revision]).await.unwrap();
            let row = "insert into recard.portal (portal, fleet, revision, due, pause) \
                values ($1, 'f', $2, now(), case when $3 then 'infinity'::timestamptz end) \
                on conflict (portal) do update set revision = $2, pause = excluded.pause, \
                due = case when portal.revision = $2 then portal.due else now() end";
            self.client.execute(row, &[&portal.as_str(), &revision, is_paused]).await.unwrap();
        }
    }

    async fn pass(&self, time: Duration) {
        Queue::pass(self, time.as_secs_f64()).await;
    }
}

#[tokio::test]
async fn queue_in_a_database_keeps_the_laws() {
    let Some(queue) = Queue::of(&[]).await else { return };
    queue_laws::check(&queue).await;
}

fn worker(id: &str) -> Worker {
    Worker { id: id.to_owned(), version: "1.0.0".to_owned() }
}

fn release(class: impl Into<Option<RoundClass>>, people: u32, due_in: u64) -> Release {
    Release {
        end: RoundEnd::Ended(RoundResult { class: class.into(), people, row: "{}".to_owned() }),
        due_in: Duration::from_secs(due_in),
    }
}

fn names(claims: &[Claim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.portal.as_str()).collect()
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
    assert_eq!(people.unwrap().get::<_, i32>(0), 4, "the most of one round");
    // A round that did not reach the portal says nothing about the revision.
    let rounds = "select round_failed, round_people, round_revision, round_at::text, failures \
                  from recard.portal";
    let all = |row: tokio_postgres::Row| {
        let round: (bool, i32, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
        (round, row.get::<_, i32>(4))
    };
    let before = all(queue.client.query_one(rounds, &[]).await.unwrap());
    for failures in 1..3 {
        let claim = queue.claim(&worker("a"), ALL).await.remove(0);
        queue.queue.release(&claim, &release(None, 0, 60)).await.unwrap();
        queue.pass(61.0).await;
        let after = all(queue.client.query_one(rounds, &[]).await.unwrap());
        assert_eq!(after, (before.0.clone(), failures));
    }
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
    let expected = QueueOverview { parked: 2, paused: 2, claimed: 1, due: 0, ..seen };
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
