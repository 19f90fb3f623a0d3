//! `recover` itself cut before or after any single step, after an apply or a restore that was cut
//! before or after any single step.
//!
//! After any number of crashes, the next recovery ends in the same state as an undisturbed one.

use super::*;

/// A run that is made, cut and recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cutting {
    /// An apply in mode `once`, which marks its targets.
    Apply,
    /// A restore that stores a layout, overwrites a newer one, and removes a card.
    Restore,
}

/// World with a run that died in it.
struct Dead {
    world: Arc<Mutex<World>>,
    portal: InMemoryPortal,
    log: InMemoryLog,
    /// `true` if the fuse has burnt.
    burnt: bool,
}

fn once() -> Mode {
    Mode::Once(Generation::new("2026-11").unwrap())
}

async fn die(cutting: Cutting, steps: usize, cut: Cut, faults: &[(usize, PortalFault)]) -> Dead {
    let world = world(&[(simple(2), "two"), (simple(3), "three"), (simple(4), "four")]);
    let portal = InMemoryPortal::new(&world);
    let fuse = Fuse::after(steps);
    let mortal = portal.clone().cut(&fuse, cut);
    let (_, stop) = cancellation();
    let log = match cutting {
        Cutting::Apply => {
            let made = make_plan(&portal, &[2, 3, 4].map(simple), &once(), Ledger::default()).await;
            world.lock().unwrap().faults = faults.iter().cloned().collect();
            let log =
                InMemoryLog::open(&Arc::default(), 1, RunPurpose::Apply, planned_cards(&made));
            let mut dying = log.clone().cut(&fuse, cut);
            let _ =
                apply(&mortal, &mut dying, approve(&made), &[], read_again(), &stop, &quiet).await;
            log
        }
        Cutting::Restore => {
            world.lock().unwrap().rows.remove(&simple(2));
            world.lock().unwrap().faults = faults.iter().cloned().collect();
            let over =
                RestoreDecision::Restore { wanted: layout("old"), over: Some(layout("three")) };
            let remove = RestoreDecision::Remove(layout("four"));
            let plan = restore_plan(vec![gone(simple(2)), (simple(3), over), (simple(4), remove)]);
            let log = restore_log(&plan);
            let mut dying = log.clone().cut(&fuse, cut);
            let _ = restore(&mortal, &mut dying, &plan, just_read(), &stop, &quiet).await;
            log
        }
    };
    Dead { world, portal, log, burnt: fuse.is_burnt() }
}

/// What there is after a recovery: the cards, what became of each target, and what mode `once`
/// remembers.
type FinalState = (BTreeMap<CardKey, Layout>, Vec<TargetOutcome>, Ledger);

async fn recover_to_the_end(dead: &Dead) -> FinalState {
    let report = recover(&dead.portal, &mut dead.log.clone(), &dead.log).await.unwrap();
    assert_eq!(report.totals.planned(), 3);
    assert!(incomplete_targets(&dead.log.records()).is_empty());
    assert!(matches!(dead.log.records().last(), Some(JournalRecord::Closed { .. })));
    (dead.world.lock().unwrap().rows.clone(), report.targets, dead.log.disk().ledger.clone())
}

#[tokio::test]
async fn recovery_killed_at_any_step_comes_to_the_end_that_it_would_have_come_to() {
    let newer = || PortalFault::SavedBefore(simple(2), layout("newer"));
    let scripts: [(Cutting, &[(usize, PortalFault)]); 5] = [
        (Cutting::Apply, &[]),
        (Cutting::Apply, &[(0, PortalFault::LostAfter)]),
        (Cutting::Apply, &[(0, newer())]),
        (Cutting::Restore, &[]),
        (Cutting::Restore, &[(2, PortalFault::SavedBefore(simple(4), layout("newer")))]),
    ];
    let (mut recoveries_cut, mut put_back) = (0, 0);
    for (cutting, faults) in scripts {
        for cut in [Cut::Before, Cut::After] {
            for steps in 0.. {
                let undisturbed = die(cutting, steps, cut, faults).await;
                let wanted = recover_to_the_end(&undisturbed).await;
                put_back += wanted
                    .1
                    .iter()
                    .filter(|settled| settled.outcome == Outcome::Compensated)
                    .count();
                for recovery_cut in [Cut::Before, Cut::After] {
                    for recovery_steps in 0.. {
                        let dead = die(cutting, steps, cut, faults).await;
                        let fuse = Fuse::after(recovery_steps);
                        let portal = dead.portal.clone().cut(&fuse, recovery_cut);
                        let mut log = dead.log.clone().cut(&fuse, recovery_cut);
                        let cut_short = recover(&portal, &mut log, &dead.log).await;
                        let told = format!(
                            "{cutting:?} {cut:?} step {steps}, recovery {recovery_cut:?} step {recovery_steps}, {faults:?}"
                        );
                        assert_eq!(fuse.is_burnt(), cut_short.is_err(), "{told}");
                        if !fuse.is_burnt() {
                            break;
                        }
                        recoveries_cut += 1;
                        let (rows, targets, ledger) = recover_to_the_end(&dead).await;
                        let (wanted_rows, wanted_targets, wanted_ledger) = &wanted;
                        assert_eq!(rows, *wanted_rows, "{told}");
                        assert_eq!(targets, *wanted_targets, "{told}");
                        assert_eq!(ledger, *wanted_ledger, "{told}");
                    }
                }
                if !undisturbed.burnt {
                    break;
                }
            }
        }
    }
    assert!(recoveries_cut > 500, "only {recoveries_cut} recoveries were cut");
    assert!(put_back > 5, "only {put_back} layouts were put back by a recovery");
}
