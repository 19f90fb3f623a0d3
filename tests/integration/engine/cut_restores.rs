//! Restores that crash before or after any single step of portal or store.
//!
//! Two restores are tried at every step number: one that puts back what an apply removed, over an
//! empty card and over a newer layout, and the undoing of that restore, which removes a card as
//! well. After the cut two ways lead on: `recover` first, as the command line demands it, or a
//! second restore at once. Both must come to the same cards, with reports that are true and add up,
//! and undoing everything must lead back to what was there before.

use super::*;

/// The four cards of the scenario.
const KEYS: [u64; 4] = [2, 3, 4, 5];

/// Restore that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// The restore of an apply.
    PutsBack,
    /// The restore of a restore: it removes a card, and stores a newer layout again.
    Undoes,
}

/// Step after the crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    RecoverFirst,
    RestoreAgainFirst,
}

type Rows = BTreeMap<CardKey, Layout>;

fn rows(of: &[(u64, &str)]) -> Rows {
    of.iter().map(|(id, name)| (simple(*id), layout(name))).collect()
}

/// World, a disk that remembers its runs, and the number of runs.
struct Scene {
    world: Arc<Mutex<World>>,
    portal: InMemoryPortal,
    disk: Arc<Mutex<Disk>>,
    runs: u32,
}

impl Scene {
    fn rows(&self) -> Rows {
        self.world.lock().unwrap().rows.clone()
    }

    fn next_run(&mut self) -> u32 {
        self.runs += 1;
        self.runs
    }

    /// Returns the restore plan of a run, as the command line plans it.
    async fn plan_restore(&self, of: &InMemoryLog) -> RestorePlan {
        let records = of.records();
        let keys = restorable(&records).unwrap();
        let snapshot = observe(&self.portal, &self.portal.identity(), &keys, &quiet).await.unwrap();
        plan_restore(of.run(), &records, of, &snapshot, NewerLayouts::Overwrite).await.unwrap()
    }

    fn open(&mut self, plan: &RestorePlan) -> InMemoryLog {
        let number = self.next_run();
        InMemoryLog::open(
            &self.disk,
            number,
            RunPurpose::Restore(plan.restored_run.clone()),
            plan.planned_cards(),
        )
    }

    /// Restores a run to its end. Returns `None` if there is nothing to restore.
    async fn restore(&mut self, of: &InMemoryLog) -> Option<(InMemoryLog, ApplyReport)> {
        let plan = self.plan_restore(of).await;
        plan.actions().next()?;
        let log = self.open(&plan);
        let (_, stop) = cancellation();
        let report = restore(&self.portal, &mut log.clone(), &plan, just_read(), &stop, &quiet)
            .await
            .unwrap();
        Some((log, report))
    }

    async fn recover(&self, log: &InMemoryLog) -> RecoveryReport {
        recover(&self.portal, &mut log.clone(), log).await.unwrap()
    }
}

/// Returns the world just before the restore that is cut, and the run that it restores.
async fn scene(story: Story) -> (Scene, InMemoryLog) {
    let world = world(&[
        (simple(2), "two"),
        (simple(3), "three"),
        (simple(4), "four"),
        (simple(5), "five"),
    ]);
    let portal = InMemoryPortal::new(&world);
    let made = make_plan(&portal, &KEYS.map(simple), &Mode::Enforce, Ledger::default()).await;
    let applied = carry_out(&portal, &made, just_read()).await;
    assert!(applied.outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Reset));
    world.lock().unwrap().rows.insert(simple(3), layout("newer"));
    let disk = applied.log.shared_disk();
    let mut scene = Scene { world, portal, disk, runs: 1 };
    match story {
        Story::PutsBack => (scene, applied.log),
        Story::Undoes => {
            let (log, report) = scene.restore(&applied.log).await.unwrap();
            assert_eq!(report.totals.done, 4);
            (scene, log)
        }
    }
}

/// Cuts one restore at one step and leads it to its end. Returns `true` if the step was reached.
async fn survive(
    story: Story,
    way: Way,
    steps: usize,
    cut: Cut,
    faults: &[(usize, PortalFault)],
) -> bool {
    let told = format!("{story:?}, {way:?}, {cut:?} step {steps}, {faults:?}");
    let (mut scene, of) = scene(story).await;
    let before = scene.rows();
    let wanted = match story {
        Story::PutsBack => rows(&[(2, "two"), (3, "three"), (4, "four"), (5, "five")]),
        Story::Undoes => rows(&[(3, "newer")]),
    };
    {
        let mut world = scene.world.lock().unwrap();
        world.writes = 0;
        world.faults = faults.iter().cloned().collect();
    }
    let plan = scene.plan_restore(&of).await;
    let planned = plan.actions().count();
    assert_eq!(planned, 4, "{told}");
    let survivor = scene.open(&plan);
    let fuse = Fuse::after(steps);
    let (_, stop) = cancellation();
    let mut mortal = survivor.clone().cut(&fuse, cut);
    let _ = restore(
        &scene.portal.clone().cut(&fuse, cut),
        &mut mortal,
        &plan,
        just_read(),
        &stop,
        &quiet,
    )
    .await;

    // The connection works again.
    scene.world.lock().unwrap().faults.clear();
    let lost = faults.iter().any(|(_, fault)| matches!(fault, PortalFault::LostBefore));

    // Every layout from before and after is on the portal or in a backup, at any moment of the
    // crash.
    let there = scene.rows();
    for (key, layout) in before.iter().chain(&wanted) {
        let kept = there.get(key) == Some(layout)
            || survivor.disk().backups.contains_key(&layout.digest());
        assert!(kept, "{key} is lost: {told}");
    }

    let recovered = match way {
        Way::RecoverFirst => {
            let recovered = scene.recover(&survivor).await;
            for settled in &recovered.targets {
                let now = there.get(&settled.key);
                match &settled.outcome {
                    Outcome::Restored
                    | Outcome::RestoredUnseen
                    | Outcome::Reset
                    | Outcome::ResetUnseen => {
                        assert_eq!(now, wanted.get(&settled.key), "{settled:?}: {told}")
                    }
                    Outcome::NotAttempted(_) => {
                        assert_eq!(now, before.get(&settled.key), "{settled:?}: {told}")
                    }
                    // Sent, and not seen to arrive: the request may still be in flight.
                    Outcome::Unknown(_) if lost => {
                        assert_eq!(now, before.get(&settled.key), "{settled:?}: {told}")
                    }
                    other => panic!("{other:?}: {told}"),
                }
            }
            assert_eq!(scene.rows(), there, "recovery wrote: {told}");
            let again = scene.restore(&of).await;
            assert!(again.is_none_or(|(_, report)| is_clean(report.totals)), "{told}");
            recovered
        }
        Way::RestoreAgainFirst => {
            let again = scene.restore(&of).await;
            assert!(again.is_none_or(|(_, report)| is_clean(report.totals)), "{told}");
            scene.recover(&survivor).await
        }
    };
    assert_eq!(scene.rows(), wanted, "{told}");
    assert_eq!(recovered.totals.planned() as usize, planned, "{told}");
    assert_eq!(
        recovered.targets.iter().map(|one| one.key).collect::<Vec<_>>(),
        KEYS.map(simple),
        "{told}"
    );
    assert!(incomplete_targets(&survivor.records()).is_empty(), "{told}");
    assert!(matches!(survivor.records().last(), Some(JournalRecord::Closed { .. })), "{told}");
    assert!(
        scene.plan_restore(&of).await.actions().next().is_none(),
        "a further restore has nothing to do: {told}"
    );

    // Undone, the newest first, the cards are as they were before.
    let mut runs: Vec<RunId> =
        survivor.disk().journals.keys().filter(|run| *run >= survivor.run()).cloned().collect();
    runs.reverse();
    for run in runs {
        let log = InMemoryLog::again(&scene.disk, &run);
        let undone = scene.restore(&log).await;
        assert!(undone.is_none_or(|(_, report)| is_clean(report.totals)), "{told}");
    }
    assert_eq!(scene.rows(), before, "undone: {told}");
    fuse.is_burnt()
}

#[tokio::test]
async fn restore_killed_at_any_step_can_be_recovered_repeated_and_undone() {
    let scripts: [&[(usize, PortalFault)]; 4] = [
        &[],
        &[(0, PortalFault::LostAfter)],
        &[(1, PortalFault::LostBefore)],
        &[(2, PortalFault::LostAfter), (3, PortalFault::LostBefore)],
    ];
    for story in [Story::PutsBack, Story::Undoes] {
        for way in [Way::RecoverFirst, Way::RestoreAgainFirst] {
            for faults in scripts {
                for cut in [Cut::Before, Cut::After] {
                    let mut steps = 0;
                    while survive(story, way, steps, cut, faults).await {
                        steps += 1;
                    }
                    assert!(steps > 8, "only {steps} steps were cut");
                }
            }
        }
    }
}
