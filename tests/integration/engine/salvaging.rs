//! Journals that lost lines: a target without an intent in an undamaged line may have been written
//! to, and only the portal tells.

use super::*;
use crate::support::wait::Wait as _;

fn salvaged(records: &[JournalRecord], lost: JournalLoss, backups: &[&str]) -> SalvagedJournal {
    let backups = backups.iter().map(|name| (None, layout(name).digest())).collect();
    SalvagedJournal {
        header: None,
        records: records.to_vec(),
        damage: None,
        knows_ledger: true,
        lost,
        backups,
    }
}

fn planned(id: u64, name: &str) -> PlannedCard {
    PlannedCard { key: simple(id), digest: Some(layout(name).digest()), generation: None }
}

fn intent(id: u64, name: &str) -> JournalRecord {
    JournalRecord::Intent { targets: vec![(simple(id), Some(layout(name).digest()))] }
}

fn settled(id: u64, outcome: Outcome) -> JournalRecord {
    JournalRecord::Completed { target: simple(id), outcome }
}

/// Returns the header of a run, and a log that holds only the header.
fn head(purpose: RunPurpose, targets: Vec<PlannedCard>) -> (RunHeader, InMemoryLog) {
    let log = InMemoryLog::open(&Arc::default(), 1, purpose, targets);
    let [JournalRecord::Opened(header)] = &log.records()[..] else { panic!("no head") };
    (header.clone(), log)
}

#[test]
fn mended_journals_have_an_intent_for_all_that_may_be_sent_and_for_nothing_else() {
    let (header, log) =
        head(RunPurpose::Apply, vec![planned(2, "two"), planned(3, "three"), planned(4, "four")]);
    let records = [intent(2, "two"), settled(2, Outcome::Reset)];
    let kept = ["two", "three"];
    for (lost, added, doubtful) in [
        (JournalLoss::Lines, vec![3, 4], vec![3, 4]),
        // A request with this backup was prepared, and never one with a missing backup.
        (JournalLoss::TornLine, vec![3], vec![]),
        (JournalLoss::Nothing, vec![3], vec![]),
    ] {
        let mended = mend(header.clone(), &salvaged(&records, lost, &kept), &log).wait();
        assert_eq!(
            mended.added.keys().copied().collect::<Vec<_>>(),
            added.iter().copied().map(simple).collect::<Vec<_>>()
        );
        assert_eq!(mended.doubtful, doubtful.into_iter().map(simple).collect(), "{lost:?}");
        assert_eq!(mended.added[&simple(3)], intent(3, "three"));
        assert_eq!((mended.unnamed_backups, mended.records.len()), (0, 3 + added.len()));
    }
    // A layout that many people have is prepared once for all of them; without a loss that proves
    // nothing.
    let same = [planned(2, "two"), planned(3, "two")].to_vec();
    let (header, log) = head(RunPurpose::Apply, same);
    let mended =
        mend(header.clone(), &salvaged(&records, JournalLoss::Nothing, &["two"]), &log).wait();
    assert!(mended.added.is_empty(), "{mended:?}");
    let mut closed = records.to_vec();
    closed.push(JournalRecord::Closed { interrupted: Interrupted::Yes });
    assert!(
        mend(header.clone(), &salvaged(&closed, JournalLoss::TornLine, &["two"]), &log)
            .wait()
            .added
            .is_empty()
    );
    // Backups that no record names are counted.
    let mended =
        mend(header, &salvaged(&records, JournalLoss::Lines, &["two", "newer"]), &log).wait();
    assert_eq!(mended.unnamed_backups, 1);
}

#[test]
fn restore_that_lost_lines_may_have_sent_what_the_run_that_it_restores_removed() {
    let (_, mut applied) = head(RunPurpose::Apply, vec![planned(2, "two")]);
    applied.append(&[intent(2, "two"), settled(2, Outcome::Reset)]).wait().unwrap();
    let targets = [2, 3].map(|id| PlannedCard { key: simple(id), digest: None, generation: None });
    let (header, _) = head(RunPurpose::Restore(applied.run().clone()), targets.to_vec());
    let mended = mend(header.clone(), &salvaged(&[], JournalLoss::Lines, &[]), &applied).wait();
    let sent = JournalRecord::SetIntent {
        target: simple(2),
        digest: layout("two").digest(),
        purpose: SetPurpose::Planned,
    };
    assert_eq!(mended.added[&simple(2)], sent);
    assert_eq!(
        mended.added[&simple(3)],
        JournalRecord::Intent { targets: vec![(simple(3), None)] }
    );
    assert!(mended.unplanned.is_empty());
    let mended = mend(
        RunHeader { targets: Vec::new(), ..header },
        &salvaged(&[sent], JournalLoss::Lines, &[]),
        &applied,
    )
    .wait();
    assert_eq!(mended.unplanned, [simple(2)].into());
}

#[tokio::test]
async fn recovery_reads_what_may_stand_in_a_lost_line_and_never_calls_it_not_attempted() {
    let (header, log) =
        head(RunPurpose::Apply, vec![planned(2, "two"), planned(3, "three"), planned(4, "four")]);
    // One card is gone, one is unchanged, one was customized again.
    let world = world(&[(simple(3), "three"), (simple(4), "newer")]);
    let portal = InMemoryPortal::new(&world);
    let mended =
        mend(header, &salvaged(&[], JournalLoss::Lines, &["two", "three", "four"]), &log).await;
    let identity = portal.identity();
    let report = recard::engine::recover(
        &portal,
        &mut log.clone(),
        &log,
        &mended,
        &identity,
        Duration::ZERO,
        &quiet,
    )
    .await
    .unwrap();
    let words: Vec<_> = report.targets.iter().map(|settled| settled.outcome.as_str()).collect();
    assert_eq!(words, ["reset-unseen", "unknown", "unknown"]);
    // From now on the journal alone tells it.
    assert_eq!(restorable(&log.records()).unwrap(), [2, 3, 4].map(simple));
    assert_eq!(world.lock().unwrap().writes, 0);
}

#[tokio::test]
async fn run_record_is_believed_where_nothing_else_tells_and_not_against_an_old_release() {
    let keys = [simple(2), simple(3)];
    let world = world(&[]);
    let portal = InMemoryPortal::new(&world);
    let with = |release_sign| Identity { release_sign, ..portal.identity() };
    let unknown = observe(&portal, &with(ReleaseSign::Unknown), &keys, &quiet).await.unwrap();
    assert_eq!(unknown.trust, ReadTrust::Unproven);
    for evidence in [TrustEvidence::RunRecord, TrustEvidence::KeptProof] {
        let earlier = with(ReleaseSign::Unknown.or_earlier(Some(evidence)));
        let seen = observe(&portal, &earlier, &keys, &quiet).await.unwrap();
        assert_eq!(seen.trust, ReadTrust::Trusted(evidence));
        let old = with(ReleaseSign::Old.or_earlier(Some(evidence)));
        assert_eq!(observe(&portal, &old, &keys, &quiet).await.unwrap().trust, ReadTrust::Unproven);
        // The answers are the caller's own card: a read contradicts the record.
        world.lock().unwrap().rows.insert(simple(1), layout("own"));
        world.lock().unwrap().legacy = true;
        assert_eq!(
            observe(&portal, &earlier, &keys, &quiet).await.unwrap().trust,
            ReadTrust::NotTrusted
        );
        world.lock().unwrap().legacy = false;
        // On a release that tells people apart the same reads are evidence.
        let differing = observe(&portal, &old, &keys, &quiet).await.unwrap().trust;
        assert_eq!(differing, ReadTrust::Trusted(TrustEvidence::DifferingRead));
        world.lock().unwrap().rows.clear();
    }
    let signed = with(
        ReleaseSign::Trusted(TrustEvidence::SelectObeyed)
            .or_earlier(Some(TrustEvidence::KeptProof)),
    );
    let seen = observe(&portal, &signed, &keys, &quiet).await.unwrap();
    assert_eq!(seen.trust, ReadTrust::Trusted(TrustEvidence::SelectObeyed));
}
