//! Many clients of one database, directly and behind a pooler in transaction mode.

use std::sync::Arc;
use std::time::Duration;

use recard::model::Digest;
use recard::ports::{
    ClaimState, FleetState as _, LaneLimits, ParkReason, Release, RolloutChange, RoundEnd,
    WorkQueue as _, Worker,
};
use recard::records::AuditEvent;
use recard::store::postgres::{PostgresFleets, PostgresQueue, Rights};
use recard::store::{ConsumePlanError, StoreLocation};

use crate::store::store_laws::{self, FixedClock, owner, store};
use crate::support::pooler::Pooler;
use crate::support::postgres::{Server, TestDatabase};

/// Plans, each of which every client wants to use.
const PLANS: u16 = 300;

const CLIENTS: usize = 8;

/// Lets clients use the same plans at the same time; returns how often each was used.
async fn use_plans(database: &TestDatabase, plans: u16) -> Vec<usize> {
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let location = StoreLocation::Database(database.open().await);
        clients.spawn(async move {
            let store = store(&location, "plans");
            let mut used = Vec::new();
            for plan in 0..plans {
                let taken = store.lock_waiting(
                    owner("apply"),
                    Arc::new(FixedClock),
                    Duration::from_secs(120),
                );
                let (mut guard, _) = taken.await.unwrap();
                match guard.consume_plan(Digest::hash(&plan.to_be_bytes())).await {
                    Ok(()) => used.push(usize::from(plan)),
                    Err(ConsumePlanError::AlreadyUsed(_)) => {}
                    Err(problem) => panic!("{problem}"),
                }
            }
            used
        });
    }
    let mut times = vec![0; usize::from(plans)];
    for plan in clients.join_all().await.into_iter().flatten() {
        times[plan] += 1;
    }
    times
}

async fn check_chain(database: &TestDatabase, plans: u16) {
    let location = StoreLocation::Database(database.open().await);
    let entries = store(&location, "plans").audit_entries().await.unwrap();
    let used = entries.iter().filter(|entry| matches!(entry.event, AuditEvent::PlanUsed(_)));
    assert_eq!(used.count(), usize::from(plans));
    let text = "select count(*), max(number) from recard.audit where portal = 'plans.example.com'";
    let row = database.client().await.query_one(text, &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), i64::from(row.get::<_, i32>(1)), "no gap and no fork");
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_is_used_once_by_many_clients_and_their_audit_log_is_one_chain() {
    let Some(database) = TestDatabase::create().await else { return };
    let times = use_plans(&database, 12).await;
    assert!(times.iter().all(|times| *times == 1), "{times:?}");
    check_chain(&database, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: the nightly form of the test above"]
async fn plan_is_used_once_by_many_clients_three_hundred_times() {
    let Some(database) = TestDatabase::create().await else { return };
    let times = use_plans(&database, PLANS).await;
    assert!(times.iter().all(|times| *times == 1), "{times:?}");
    check_chain(&database, PLANS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_behind_a_pooler_in_transaction_mode_keeps_the_laws() {
    let settings = ["fsync=off", "full_page_writes=off"];
    let Some(server) = tokio::task::block_in_place(|| Server::start(&settings)) else { return };
    let Some(pooler) = tokio::task::block_in_place(|| Pooler::start(&server)) else { return };
    let direct = TestDatabase::on(&server).await;
    let database = direct.behind(pooler.url("fleet"));
    // Boxed: the stack of a test is small.
    Box::pin(store_laws::check(&StoreLocation::Database(database.open().await))).await;
    let times = Box::pin(use_plans(&database, 5)).await;
    assert!(times.iter().all(|times| *times == 1), "{times:?}");
    Box::pin(check_chain(&direct, 5)).await;
    Box::pin(use_queue(&database)).await;
}

/// Publishes a fleet, and claims, extends, parks and releases its portals.
async fn use_queue(database: &TestDatabase) {
    let fleets = PostgresFleets::new(database.open().await);
    let publication = crate::store::fleet_laws::publication("queue", "queue 1", &[0, 0, 1], None);
    Box::pin(fleets.publish(&publication)).await.unwrap();
    let view = Box::pin(fleets.view(&publication.fleet)).await.unwrap().unwrap();
    assert_eq!(view.portals.len(), 3);
    let opened =
        fleets.change_rollout(&publication.fleet, view.head.step(), &RolloutChange::Open(1));
    assert!(Box::pin(opened).await.unwrap());
    let queue = PostgresQueue::new(database.open().await);
    let worker = Worker { id: "a".to_owned(), version: "1".to_owned() };
    let limits = LaneLimits { healthy: 9, failing: 9, suspect: 9 };
    let lease = Duration::from_secs(150);
    let claims = queue.claim(&worker, limits, lease).await.unwrap();
    let ids: Vec<_> = claims.iter().map(|claim| claim.id).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(queue.extend(&worker, &ids, lease).await.unwrap().len(), 3);
    let back = Release { end: RoundEnd::GivenBack, due_in: Duration::ZERO };
    assert_eq!(queue.release(&claims[0], &back).await.unwrap(), ClaimState::Current);
    let parked = queue.park(&claims[1], &ParkReason::Deaths(3)).await.unwrap();
    assert_eq!(parked, ClaimState::Current);
    let freed = fleets.retry(std::slice::from_ref(&claims[1].portal)).await.unwrap();
    assert!(matches!(&freed[..], [(portal, Ok(()))] if *portal == claims[1].portal), "{freed:?}");
    queue.sign_off(&worker).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_of_a_worker_suffice_for_everything_but_the_tables() {
    let Some(owned) = TestDatabase::create().await else { return };
    let role = format!("worker_{}", std::process::id());
    let owner = owned.client().await;
    owner.batch_execute(&format!("create role {role} login")).await.unwrap();
    owned.open().await.grant(&role, Rights::Worker).await.unwrap();
    let (_, rest) = owned.url.split_once('@').unwrap();
    let database = owned.behind(format!("postgres://{role}@{rest}"));
    Box::pin(store_laws::check(&StoreLocation::Database(database.open().await))).await;
    Box::pin(use_queue(&database)).await;
    database.open().await.health().await.unwrap();
    assert!(database.open().await.migrate().await.is_ok(), "nothing is left to do");
    let drop = format!("drop owned by {role}; drop role {role}");
    owner.batch_execute(&drop).await.unwrap();
}
