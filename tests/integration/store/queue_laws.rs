//! Laws of the work queue, for every implementation.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use recard::model::{Digest, PortalId};
use recard::ports::{
    Claim, ClaimState, LaneLimits, ParkReason, QueueLane, QueueOverview, Release, RoundClass,
    RoundEnd, RoundResult, SecretMark, WorkQueue, Worker,
};
use recard::store::QueuePortal;

/// Queue under test, whose portals and clock the laws move.
pub(crate) trait QueueWorld {
    /// The queue. Its workers are told apart by their ids alone.
    type Queue: WorkQueue;

    /// Returns the queue.
    fn queue(&self) -> &Self::Queue;

    /// Replaces the portals of the queue, as a publication does.
    fn set_portals(&self, portals: Vec<QueuePortal>) -> impl Future<Output = ()>;

    /// Lets this time pass by the clock of the queue.
    fn pass(&self, time: Duration) -> impl Future<Output = ()>;
}

pub(crate) const LEASE: Duration = Duration::from_secs(150);
const EVERY: Duration = Duration::from_secs(900);
const ALL: LaneLimits = LaneLimits { healthy: 100, failing: 100, suspect: 100 };

/// Checks all laws. Each begins with portals of its own.
pub(crate) async fn check(world: &impl QueueWorld) {
    claim_is_exclusive_until_its_lease_ends(world).await;
    claim_that_was_lost_changes_nothing(world).await;
    extension_names_the_claims_that_are_still_held(world).await;
    lanes_follow_failures_and_deaths(world).await;
    longest_overdue_comes_first_within_its_lane(world).await;
    paused_and_parked_portals_are_not_claimed(world).await;
    refused_webhook_is_freed_by_its_mark_alone(world).await;
    new_revision_is_due_at_once(world).await;
    overview_counts_each_portal_once(world).await;
}

fn worker(name: &str) -> Worker {
    Worker { id: name.to_owned(), version: "1.0.0".to_owned() }
}

fn revision(text: &str) -> Digest {
    Digest::hash(text.as_bytes())
}

fn portals(law: &str, count: usize) -> Vec<QueuePortal> {
    let portal = |index| QueuePortal {
        portal: PortalId::new(&format!("{law}-{index}.example")).unwrap(),
        revision: revision("one"),
        every: EVERY,
        is_paused: false,
    };
    (0..count).map(portal).collect()
}

fn ended(class: RoundClass) -> Release {
    let result = RoundResult { class: Some(class), people: 1, row: "{}".to_owned() };
    Release { end: RoundEnd::Ended(result), due_in: EVERY }
}

/// End of a round that did not reach the portal.
fn unreached() -> Release {
    let result = RoundResult { class: None, people: 0, row: "{}".to_owned() };
    Release { end: RoundEnd::Ended(result), due_in: EVERY }
}

fn given_back(due_in: Duration) -> Release {
    Release { end: RoundEnd::GivenBack, due_in }
}

async fn claim(world: &impl QueueWorld, by: &str, limits: LaneLimits) -> Vec<Claim> {
    world.queue().claim(&worker(by), limits, LEASE).await.unwrap()
}

async fn release(world: &impl QueueWorld, claim: &Claim, release: &Release) -> ClaimState {
    world.queue().release(claim, release).await.unwrap()
}

async fn claim_is_exclusive_until_its_lease_ends(world: &impl QueueWorld) {
    world.set_portals(portals("exclusive", 3)).await;
    let first = claim(world, "a", ALL).await;
    assert_eq!(first.len(), 3);
    assert_eq!(claim(world, "b", ALL).await, []);
    assert!(first.iter().all(|claim| claim.left <= LEASE && claim.attempts == 1));
    world.pass(LEASE + Duration::from_secs(1)).await;
    let second = claim(world, "b", ALL).await;
    assert_eq!(second.len(), 3);
    for taken in &second {
        let before = first.iter().find(|claim| claim.portal == taken.portal).unwrap();
        assert!(taken.token > before.token && taken.id != before.id, "{before:?} {taken:?}");
        assert_eq!(taken.attempts, 2);
    }
    let ids: BTreeSet<_> = first.iter().chain(&second).map(|claim| claim.id).collect();
    assert_eq!(ids.len(), 6);
}

async fn claim_that_was_lost_changes_nothing(world: &impl QueueWorld) {
    world.set_portals(portals("lost", 1)).await;
    let first = claim(world, "a", ALL).await.remove(0);
    world.pass(LEASE + Duration::from_secs(1)).await;
    let second = claim(world, "b", ALL).await.remove(0);
    let done = ended(RoundClass::Failed);
    assert_eq!(release(world, &first, &done).await, ClaimState::Lost);
    let parked = world.queue().park(&first, &ParkReason::Deaths(3)).await.unwrap();
    assert_eq!(parked, ClaimState::Lost);
    assert_eq!(claim(world, "a", ALL).await, [], "the second claim still holds");
    assert_eq!(release(world, &second, &given_back(Duration::ZERO)).await, ClaimState::Current);
    assert_eq!(release(world, &second, &done).await, ClaimState::Lost, "it ended once");
    let third = claim(world, "a", ALL).await.remove(0);
    assert_eq!((third.failures, third.attempts), (0, 2), "the death of the first still counts");
}

async fn extension_names_the_claims_that_are_still_held(world: &impl QueueWorld) {
    world.set_portals(portals("extension", 3)).await;
    let mine = claim(world, "a", ALL).await;
    let ids: Vec<_> = mine.iter().map(|claim| claim.id).collect();
    world.pass(LEASE / 2).await;
    let extended = world.queue().extend(&worker("a"), &ids, LEASE).await.unwrap();
    assert_eq!(extended.len(), 3);
    assert!(extended.iter().all(|one| one.left <= LEASE && one.left > LEASE / 2));
    world.pass(LEASE * 3 / 4).await;
    assert_eq!(claim(world, "b", ALL).await, [], "the extended leases hold");
    release(world, &mine[0], &given_back(EVERY)).await;
    world.pass(LEASE / 2).await;
    let one = LaneLimits { healthy: 0, failing: 0, suspect: 1 };
    let taken = claim(world, "b", one).await.remove(0);
    let extended = world.queue().extend(&worker("a"), &ids, LEASE).await.unwrap();
    let left: Vec<_> = extended.iter().map(|extension| extension.claim).collect();
    let still: Vec<_> = mine.iter().skip(1).filter(|claim| claim.portal != taken.portal).collect();
    assert_eq!(left, [still[0].id], "ended and not taken by another: it is extended");
    assert_eq!(claim(world, "b", ALL).await, []);
    assert!(world.queue().extend(&worker("a"), &[], LEASE).await.unwrap().is_empty());
}

async fn lanes_follow_failures_and_deaths(world: &impl QueueWorld) {
    world.set_portals(portals("lanes", 3)).await;
    let of = |lane| LaneLimits {
        healthy: usize::from(lane == QueueLane::Healthy) * 9,
        failing: usize::from(lane == QueueLane::Failing) * 9,
        suspect: usize::from(lane == QueueLane::Suspect) * 9,
    };
    assert_eq!(claim(world, "a", of(QueueLane::Failing)).await, []);
    assert_eq!(claim(world, "a", of(QueueLane::Suspect)).await, []);
    let all = claim(world, "a", of(QueueLane::Healthy)).await;
    release(world, &all[0], &ended(RoundClass::Succeeded)).await;
    release(world, &all[1], &ended(RoundClass::Failed)).await;
    // The third claim is never released.
    world.pass(EVERY + LEASE).await;
    for (lane, expected) in [
        (QueueLane::Healthy, &all[0]),
        (QueueLane::Failing, &all[1]),
        (QueueLane::Suspect, &all[2]),
    ] {
        let claims = claim(world, "a", of(lane)).await;
        let named: Vec<_> = claims.iter().map(|claim| (&claim.portal, claim.lane())).collect();
        assert_eq!(named, [(&expected.portal, lane)]);
        let is_healthy = lane == QueueLane::Healthy;
        let end = if is_healthy { unreached() } else { ended(RoundClass::Failed) };
        release(world, &claims[0], &end).await;
    }
    world.pass(EVERY).await;
    let again = claim(world, "a", of(QueueLane::Failing)).await;
    let mut failures: Vec<_> = again.iter().map(|claim| claim.failures).collect();
    failures.sort_unstable();
    assert_eq!(failures, [1, 1, 2], "a release ends suspicion, and failures of either kind add up");
    for claim in &again {
        release(world, claim, &ended(RoundClass::Succeeded)).await;
    }
    world.pass(EVERY).await;
    assert_eq!(claim(world, "a", of(QueueLane::Healthy)).await.len(), 3, "success ends failures");
}

async fn longest_overdue_comes_first_within_its_lane(world: &impl QueueWorld) {
    world.set_portals(portals("overdue", 3)).await;
    let second = Duration::from_secs(1);
    for (claim, due_in) in claim(world, "a", ALL).await.iter().zip([30, 10, 20]) {
        release(world, claim, &given_back(second * due_in)).await;
    }
    world.pass(second * 60).await;
    let one = LaneLimits { healthy: 1, failing: 1, suspect: 1 };
    let mut overdue = Vec::new();
    for _ in 0..3 {
        overdue.push(claim(world, "a", one).await.remove(0).overdue.as_secs());
    }
    for (late, expected) in overdue.iter().zip([50, 40, 30]) {
        assert!(late.abs_diff(expected) <= 5, "{overdue:?}");
    }
}

async fn paused_and_parked_portals_are_not_claimed(world: &impl QueueWorld) {
    let mut all = portals("paused", 3);
    all[0].is_paused = true;
    world.set_portals(all.clone()).await;
    let claims = claim(world, "a", ALL).await;
    assert_eq!(claims.len(), 2);
    let parked = world.queue().park(&claims[0], &ParkReason::Deaths(3)).await.unwrap();
    assert_eq!(parked, ClaimState::Current);
    release(world, &claims[1], &given_back(Duration::ZERO)).await;
    assert_eq!(claim(world, "a", ALL).await.len(), 1);
    world.pass(EVERY).await;
    all[0].is_paused = false;
    world.set_portals(all).await;
    let unpaused = claim(world, "a", LaneLimits { suspect: 0, ..ALL }).await;
    assert_eq!(unpaused.len(), 1);
    assert_ne!(unpaused[0].portal, claims[0].portal, "parked without an end");
}

async fn refused_webhook_is_freed_by_its_mark_alone(world: &impl QueueWorld) {
    world.set_portals(portals("refused", 2)).await;
    let claims = claim(world, "a", ALL).await;
    let mark = |salt: &str| SecretMark { salt: salt.to_owned(), digest: revision("secret") };
    let refused = ParkReason::WebhookRefused(mark("salt"));
    world.queue().park(&claims[0], &refused).await.unwrap();
    world.queue().park(&claims[1], &ParkReason::Deaths(3)).await.unwrap();
    let listed = world.queue().refused_webhooks().await.unwrap();
    assert_eq!(listed, [(claims[0].portal.clone(), mark("salt"))]);
    for claim in &claims {
        world.queue().free(&claim.portal, &mark("other")).await.unwrap();
    }
    world.queue().free(&claims[1].portal, &mark("salt")).await.unwrap();
    assert_eq!(claim(world, "a", ALL).await, []);
    world.queue().free(&claims[0].portal, &mark("salt")).await.unwrap();
    let freed = claim(world, "a", ALL).await;
    assert_eq!((freed.len(), &freed[0].portal), (1, &claims[0].portal));
    assert_eq!(freed[0].attempts, 1);
}

async fn new_revision_is_due_at_once(world: &impl QueueWorld) {
    let mut all = portals("revision", 2);
    world.set_portals(all.clone()).await;
    let claims = claim(world, "a", ALL).await;
    release(world, &claims[0], &ended(RoundClass::Succeeded)).await;
    world.set_portals(all.clone()).await;
    assert_eq!(claim(world, "a", ALL).await, [], "the same revision again changes nothing");
    all.iter_mut().for_each(|portal| portal.revision = revision("two"));
    world.set_portals(all).await;
    let again = claim(world, "a", ALL).await;
    assert_eq!((again.len(), again[0].revision), (1, revision("two")));
    // The other one is still claimed with the revision before.
    release(world, &claims[1], &ended(RoundClass::Succeeded)).await;
    let other = claim(world, "a", ALL).await;
    assert_eq!((&other[0].portal, other[0].revision), (&claims[1].portal, revision("two")));
}

async fn overview_counts_each_portal_once(world: &impl QueueWorld) {
    let mut all = portals("overview", 6);
    all[0].is_paused = true;
    world.set_portals(all).await;
    let limits = LaneLimits { healthy: 4, failing: 0, suspect: 0 };
    let claims = claim(world, "a", limits).await;
    world.queue().park(&claims[0], &ParkReason::Deaths(3)).await.unwrap();
    release(world, &claims[1], &ended(RoundClass::Succeeded)).await;
    release(world, &claims[2], &ended(RoundClass::Failed)).await;
    world.pass(Duration::from_secs(30)).await;
    let overview = world.queue().overview().await.unwrap();
    let late = overview.oldest_overdue.as_secs();
    assert!((30..40).contains(&late), "{late}");
    let expected = QueueOverview {
        parked: 1,
        paused: 1,
        claimed: 1,
        due: 1,
        waiting: 2,
        failing: 1,
        oldest_overdue: overview.oldest_overdue,
    };
    assert_eq!(overview, expected);
}
