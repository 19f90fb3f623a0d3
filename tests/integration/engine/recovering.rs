//! Recover: settles what a cut run left open, and believes no read that is not proven.

use super::*;
use crate::support::wait::Wait as _;

/// Returns a run of user 1 that was cut in the reset of some cards that read "two".
fn cut_in_reset(keys: &[CardKey]) -> InMemoryLog {
    let digest = Some(layout("two").digest());
    let planned =
        keys.iter().map(|key| PlannedCard { key: *key, digest, generation: None }).collect();
    let mut log = InMemoryLog::open(&Arc::default(), 1, RunPurpose::Apply, planned);
    log.append(&[JournalRecord::Intent {
        targets: keys.iter().map(|key| (*key, digest)).collect(),
    }])
    .wait()
    .unwrap();
    log
}

#[tokio::test]
async fn recovery_does_not_believe_a_portal_that_answers_with_the_callers_card() {
    let world = world(&[(simple(1), "two"), (simple(2), "two")]);
    let portal = InMemoryPortal::new(&world);
    world.lock().unwrap().legacy = true;
    let log = cut_in_reset(&[simple(1), simple(2)]);
    let recovered = recover(&portal, &mut log.clone(), &log).await.unwrap();
    let [own, other] = &recovered.targets[..] else { panic!("{recovered:?}") };
    assert_eq!(own.outcome.as_str(), "not-attempted");
    assert!(
        matches!(&other.outcome, Outcome::Unknown(text) if text.contains("the caller's own")),
        "{other:?}"
    );
    // If the caller's card is gone, there is no evidence about the others.
    world.lock().unwrap().rows.remove(&simple(1));
    let log = cut_in_reset(&[simple(1), simple(2)]);
    let recovered = recover(&portal, &mut log.clone(), &log).await.unwrap();
    let [own, other] = &recovered.targets[..] else { panic!("{recovered:?}") };
    assert_eq!(own.outcome, Outcome::ResetUnseen);
    assert!(
        matches!(&other.outcome, Outcome::Unknown(text) if text.contains("nothing proves")),
        "{other:?}"
    );
}

#[tokio::test]
async fn layout_that_is_there_again_is_not_put_back_by_a_recovery_whoever_stored_it() {
    // The run died before its `set` left, and the person has saved the same layout once more; or it
    // died after the `set`.
    let world = world(&[(simple(1), "own"), (simple(3), "newer")]);
    let portal = InMemoryPortal::new(&world);
    let mut log = cut_in_reset(&[simple(3)]);
    log.append(&[JournalRecord::SetIntent {
        target: simple(3),
        digest: layout("newer").digest(),
        purpose: SetPurpose::Compensation,
    }])
    .await
    .unwrap();
    let recovered = recover(&portal, &mut log.clone(), &log).await.unwrap();
    assert_eq!(
        recovered.targets,
        [TargetOutcome { key: simple(3), outcome: Outcome::Compensated }]
    );
    assert_eq!(world.lock().unwrap().writes, 0);
}

#[tokio::test]
async fn recovery_as_somebody_else_is_refused_where_it_needs_the_one_who_made_the_run() {
    let world = world(&[(simple(2), "two")]);
    let mut portal = InMemoryPortal::new(&world);
    portal.caller = user(9);
    let own = cut_in_reset(&[simple(1)]);
    let mut put_back = cut_in_reset(&[simple(3)]);
    put_back
        .append(&[JournalRecord::SetIntent {
            target: simple(3),
            digest: layout("newer").digest(),
            purpose: SetPurpose::Compensation,
        }])
        .await
        .unwrap();
    for log in [own, put_back] {
        let before = log.records();
        let refused = recover(&portal, &mut log.clone(), &log).await;
        assert!(
            matches!(&refused, Err(RecoveryError::OtherCaller { run, now }) if (*run, *now) == (user(1), user(9))),
            "{refused:?}"
        );
        assert_eq!(log.records(), before);
        assert_eq!(world.lock().unwrap().writes, 0);
    }
    // A card that every administrator reads alike needs no particular caller.
    let log = cut_in_reset(&[simple(2), simple(3)]);
    let recovered = recover(&portal, &mut log.clone(), &log).await.unwrap();
    let words: Vec<_> = recovered.targets.iter().map(|settled| settled.outcome.as_str()).collect();
    assert_eq!(words, ["not-attempted", "reset-unseen"]);
}
