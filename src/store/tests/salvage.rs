//! Damaged journals: undamaged lines are used, losses are reported, and a run without a known
//! portal is not attributed to this one.

use super::*;
use crate::model::{Outcome, TrustEvidence, UserId};
use crate::ports::{Interrupted, JournalLoss, RunLog, RunPurpose, SalvagedJournal};
use crate::records::{RunReport, checked_line, encode_record};

fn records() -> Vec<JournalRecord> {
    let (one, two) = (samples::personal(7), samples::personal(8));
    let digest = Some(samples::layout("mine").digest());
    let settled = |target| JournalRecord::Completed { target, outcome: Outcome::Reset };
    vec![
        JournalRecord::Opened(samples::header(&[one, two])),
        JournalRecord::Intent { targets: vec![(one, digest)] },
        JournalRecord::Intent { targets: vec![(two, digest)] },
        settled(one),
        settled(two),
        JournalRecord::Closed { interrupted: Interrupted::No },
    ]
}

/// Returns a closed run with a backup.
fn closed_run(world: &World) -> Vec<String> {
    let mut locked = world.locked();
    let [JournalRecord::Opened(header), rest @ ..] = &records()[..] else { panic!("no head") };
    let mut log = locked.start_run(samples::run(), header.clone()).wait().unwrap();
    log.save_backups(&[(samples::personal(7), &samples::layout("mine"))]).wait().unwrap();
    log.append(rest).wait().unwrap();
    (1..)
        .zip(&records())
        .map(|(number, record)| checked_line(&encode_record(number, record).unwrap()))
        .collect()
}

fn salvage(world: &World, journal: &[u8]) -> SalvagedJournal {
    put(&world.paths().path(&Place::Journal(samples::run())), journal);
    world.store.salvage(&samples::run(), UserId::new(1).unwrap()).wait().unwrap()
}

#[test]
fn salvage_of_a_whole_journal_is_the_journal() {
    let world = World::new();
    let lines = closed_run(&world);
    let found = salvage(&world, lines.concat().as_bytes());
    assert_eq!(found.header, Some(samples::header(&[samples::personal(7), samples::personal(8)])));
    assert_eq!(found.records, records()[1..]);
    assert!(found.damage.is_none() && found.lost == JournalLoss::Nothing, "{found:?}");
}

#[test]
fn salvage_tells_a_loss_for_every_line_that_is_not_whole_and_none_for_lines_that_stand_elsewhere() {
    let world = World::new();
    let lines = closed_run(&world);
    let line = |index: usize| lines[index].as_str();
    let all = |order: &[usize]| order.iter().map(|index| line(*index)).collect::<String>();
    let cases = [
        ("twice", all(&[0, 1, 1, 2, 3, 4, 5]), JournalLoss::Nothing),
        ("elsewhere", all(&[0, 2, 1, 3, 4, 5]), JournalLoss::Nothing),
        (
            "foreign in the middle",
            format!("{}{}{}", all(&[0, 1]), "foreign\n", all(&[2, 3, 4, 5])),
            JournalLoss::Nothing,
        ),
        ("foreign behind the end", all(&[0, 1, 2, 3, 4, 5]) + "foreign\n", JournalLoss::Nothing),
        ("gap", all(&[0, 1, 3, 4, 5]), JournalLoss::Lines),
        ("no head", all(&[1, 2, 3, 4, 5]), JournalLoss::Lines),
        ("no end", all(&[0, 1, 2, 3]) + "foreign\n", JournalLoss::Lines),
        ("torn, and the trail tells the end", all(&[0, 1]) + &line(2)[..30], JournalLoss::Lines),
        ("nothing", String::new(), JournalLoss::Lines),
    ];
    for (what, journal, lost) in cases {
        let found = salvage(&world, journal.as_bytes());
        assert_eq!(found.lost, lost, "{what}: {found:?}");
        // A torn line, and one that was cut off with its end, are not visible damage.
        assert!(found.damage.is_some() || what.starts_with("torn"), "{what}");
        let kept = found.records.iter().all(|record| records().contains(record));
        assert!(kept, "{what}: {found:?}");
        if lost == JournalLoss::Nothing {
            assert_eq!(found.records, records()[1..], "{what}");
        }
        assert_eq!(
            world.store.unfinished().wait().unwrap().is_some(),
            what.starts_with("torn"),
            "{what}"
        );
    }
    // Without an end in the audit log the run was killed, and its torn line was never synced.
    put(&world.paths().path(&Place::Audit), b"");
    assert_eq!(
        salvage(&world, (all(&[0, 1]) + &line(2)[..30]).as_bytes()).lost,
        JournalLoss::TornLine
    );
    assert_eq!(salvage(&world, all(&[0, 1]).as_bytes()).lost, JournalLoss::Nothing);
}

#[test]
fn salvage_of_any_flipped_bit_gives_whole_records_alone_and_tells_the_damage() {
    let world = World::new();
    let lines = closed_run(&world);
    let path = world.paths().path(&Place::Journal(samples::run()));
    let all = records();
    samples::flip_every_bit(lines.concat().as_bytes(), |damaged| {
        super::corruption::put_quickly(&path, damaged);
        let found = world.store.salvage(&samples::run(), UserId::new(1).unwrap()).wait().unwrap();
        assert!(found.damage.is_some());
        assert!(found.records.iter().all(|record| all.contains(record)), "{found:?}");
        assert!(
            found.records.len() + 2 >= all.len() - 1,
            "one byte takes two lines at most: {found:?}"
        );
    });
}

#[test]
fn journal_without_its_head_takes_it_from_report_plan_or_audit_log() {
    let world = World::new();
    let lines = closed_run(&world);
    let headless = lines[1..].concat();
    let run = samples::run();
    let whole = samples::header(&[samples::personal(7), samples::personal(8)]);
    let report = RunReport {
        run: run.clone(),
        header: whole.clone(),
        interrupted: Interrupted::No,
        targets: vec![(samples::personal(7), Outcome::Reset)],
    };
    world.locked().write_run_report(&report).wait().unwrap();
    assert_eq!(salvage(&world, headless.as_bytes()).header, Some(whole));
    fs::remove_file(world.paths().path(&Place::Report(run.clone()))).unwrap();

    let plan = crate::records::plan_file::PlanFile::new(samples::plan()).unwrap();
    world.locked().write_plan(&run, plan.encode().unwrap()).wait().unwrap();
    let header = salvage(&world, headless.as_bytes()).header.unwrap();
    let planned: Vec<CardKey> = header.targets.iter().map(|target| target.key).collect();
    assert_eq!(header.portal, plan.content.portal);
    assert_eq!(planned, plan.content.targets.iter().map(|target| target.key).collect::<Vec<_>>());
    fs::remove_file(world.paths().path(&Place::Plan(run.clone()))).unwrap();

    let header = salvage(&world, headless.as_bytes()).header.unwrap();
    assert_eq!((header.portal, header.purpose), (samples::portal(), RunPurpose::Apply));
    assert_eq!(
        (header.targets.len(), header.caller, header.trust),
        (2, UserId::new(1).unwrap(), None)
    );
    put(&world.paths().path(&Place::Audit), b"");
    assert_eq!(salvage(&world, headless.as_bytes()).header, None);
}

#[test]
fn run_with_damaged_lines_is_reopened_behind_them_and_closed() {
    let world = World::new();
    let lines = closed_run(&world);
    let path = world.paths().path(&Place::Journal(samples::run()));
    let mut odd_end = lines[..3].concat().into_bytes();
    *odd_end.last_mut().unwrap() = b'?';
    let mut middle = lines[..3].concat().into_bytes();
    middle[lines[0].len() + 20] ^= 1;
    for journal in [odd_end, middle] {
        put(&world.paths().path(&Place::Audit), b"");
        put(&path, &journal);
        assert_eq!(world.store.unfinished().wait().unwrap(), Some(samples::run()));
        let closing = JournalRecord::Closed { interrupted: Interrupted::Yes };
        world
            .locked()
            .reopen_run(&samples::run())
            .wait()
            .unwrap()
            .append(std::slice::from_ref(&closing))
            .wait()
            .unwrap();
        assert!(fs::read(&path).unwrap().starts_with(&journal), "what was there stays");
        assert_eq!(world.store.unfinished().wait().unwrap(), None);
        let found = world.store.salvage(&samples::run(), UserId::new(1).unwrap()).wait().unwrap();
        assert_eq!(
            (found.records.last(), found.lost),
            (Some(&closing), JournalLoss::Lines),
            "{found:?}"
        );
        assert!(matches!(
            world.store.journal(&samples::run()).wait(),
            Err(StoreError::Damaged { .. })
        ));
    }
}

#[test]
fn audit_log_with_a_flipped_bit_takes_new_lines_and_stays_damaged() {
    let world = World::new();
    closed_run(&world);
    let path = world.paths().path(&Place::Audit);
    let whole = fs::read(&path).unwrap();
    let mut tried = 0;
    samples::flip_every_bit(&whole, |damaged| {
        // Flipping every bit would sync too often; each byte is flipped once.
        tried += 1;
        if tried % 13 != 0 {
            return;
        }
        put(&path, damaged);
        let mut locked = world.locked();
        assert!(
            locked
                .audit(crate::records::AuditEvent::PlanUsed(Digest::hash(b"plan")))
                .wait()
                .is_err()
        );
        assert!(locked.accept_damaged_audit_log().wait().unwrap().is_some());
        locked.audit(crate::records::AuditEvent::PlanUsed(Digest::hash(b"plan"))).wait().unwrap();
        let after = fs::read(&path).unwrap();
        assert!(after.starts_with(damaged) && after.len() > damaged.len());
        assert!(world.store.audit_entries().wait().is_err());
        drop(locked);
        // The next record follows it.
        let mut locked = world.locked();
        assert!(locked.accept_damaged_audit_log().wait().unwrap().is_some());
        locked.audit(crate::records::AuditEvent::PlanUsed(Digest::hash(b"next"))).wait().unwrap();
        assert!(world.store.audit_entries().wait().is_err());
    });
    assert!(tried > 1000);
}

#[test]
fn labels_of_another_portal_or_damaged_ones_are_an_error() {
    let world = World::new();
    assert_eq!(world.store.field_labels().wait().unwrap(), None);
    let labels = samples::portal_labels();
    world.store.save_field_labels(&labels).wait().unwrap();
    assert_eq!(world.store.field_labels().wait().unwrap(), Some(labels));
    let other =
        Store::open(&world.root().into(), &PortalId::new("other.bitrix24.com").unwrap()).unwrap();
    world.paths_of(&other).make().unwrap();
    fs::copy(
        world.paths().path(&Place::FieldLabels),
        world.paths_of(&other).path(&Place::FieldLabels),
    )
    .unwrap();
    assert!(matches!(other.field_labels().wait(), Err(StoreError::Damaged { .. })));
    put(&world.paths().path(&Place::FieldLabels), b"{");
    assert!(matches!(world.store.field_labels().wait(), Err(StoreError::Damaged { .. })));
}

#[test]
fn read_proof_of_another_portal_or_a_damaged_one_is_an_error_and_a_forgotten_one_is_gone() {
    let world = World::new();
    assert_eq!(world.store.read_proof().wait().unwrap(), None);
    world.store.delete_read_proof().wait().unwrap();
    let proof = samples::read_proof();
    world.store.save_read_proof(&proof).wait().unwrap();
    assert_eq!(world.store.read_proof().wait().unwrap(), Some(proof.clone()));
    let other =
        Store::open(&world.root().into(), &PortalId::new("other.bitrix24.com").unwrap()).unwrap();
    world.paths_of(&other).make().unwrap();
    fs::copy(world.paths().path(&Place::ReadProof), world.paths_of(&other).path(&Place::ReadProof))
        .unwrap();
    assert!(matches!(other.read_proof().wait(), Err(StoreError::Damaged { .. })));
    let newer = crate::records::ReadProof { evidence: TrustEvidence::DifferingRead, ..proof };
    world.store.save_read_proof(&newer).wait().unwrap();
    assert_eq!(world.store.read_proof().wait().unwrap(), Some(newer));
    put(&world.paths().path(&Place::ReadProof), b"{");
    assert!(matches!(world.store.read_proof().wait(), Err(StoreError::Damaged { .. })));
    world.store.delete_read_proof().wait().unwrap();
    assert_eq!(world.store.read_proof().wait().unwrap(), None);
}
