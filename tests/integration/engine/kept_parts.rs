//! Layouts of which the portal keeps a part, such as own titles of fields: what is on the card is
//! neither a stranger's nor unwritten.

use super::*;

/// A layout with an own title of a field, and the part of it that the portal keeps.
fn whole_and_part() -> (Layout, Layout) {
    let card = |title: &str| {
        let text = format!(
            r#"[{{"name":"m","type":"section","title":"T","elements":[{{"name":"A"{title}}}]}}]"#
        );
        Layout::from_json(&text).unwrap()
    };
    (card(r#","title":"own""#), card(""))
}

/// A portal that keeps a part of a layout, and the plan to restore that layout.
fn partly(
    faults: impl IntoIterator<Item = (usize, PortalFault)>,
) -> (Arc<Mutex<World>>, RestorePlan) {
    let (whole, part) = whole_and_part();
    let world = world(&[]);
    world.lock().unwrap().keeps = Some((whole.clone(), part));
    world.lock().unwrap().faults.extend(faults);
    let back = RestoreDecision::Restore { wanted: whole, over: None };
    (world, restore_plan(vec![(simple(2), back)]))
}

async fn run_restore(world: &Arc<Mutex<World>>, plan: &RestorePlan) -> (Outcome, InMemoryLog) {
    let mut log = restore_log(plan);
    let (_, stop) = cancellation();
    let portal = InMemoryPortal::new(world);
    let report = restore(&portal, &mut log, plan, just_read(), &stop, &quiet).await.unwrap();
    (report.targets[0].outcome.clone(), log)
}

async fn undo(world: &Arc<Mutex<World>>, log: &InMemoryLog) -> RestoreDecision {
    let portal = InMemoryPortal::new(world);
    let snapshot = observe(&portal, &portal.identity(), &[simple(2)], &quiet).await.unwrap();
    let records = log.records();
    let undo = plan_restore(log.run(), &records, log, &snapshot, NewerLayouts::Keep).await.unwrap();
    undo.targets[0].decision.clone()
}

#[tokio::test]
async fn restore_in_part_over_a_save_stores_the_saved_layout_again() {
    let (world, plan) = partly([(0, PortalFault::SavedBefore(simple(2), layout("newer")))]);
    let (outcome, _) = run_restore(&world, &plan).await;
    assert_eq!(outcome, Outcome::Compensated);
    assert_eq!(world.lock().unwrap().rows, [(simple(2), layout("newer"))].into());
}

#[tokio::test]
async fn restore_in_part_that_goes_no_further_is_not_called_unwritten() {
    let (world, plan) = partly([(1, PortalFault::Refuses(simple(2)))]);
    let (outcome, log) = run_restore(&world, &plan).await;
    assert!(
        matches!(&outcome, Outcome::RestoredInPart(text) if text.contains("own")),
        "{outcome:?}"
    );
    assert_eq!(undo(&world, &log).await, RestoreDecision::Remove(whole_and_part().1));
}

#[tokio::test]
async fn restore_in_part_whose_first_request_seemed_lost_is_the_runs_own_write() {
    let (world, plan) = partly([(0, PortalFault::LostAfter), (1, PortalFault::LostAfter)]);
    let (outcome, log) = run_restore(&world, &plan).await;
    assert!(matches!(outcome, Outcome::RestoredInPart(_)), "{outcome:?}");
    assert_eq!(undo(&world, &log).await, RestoreDecision::Remove(whole_and_part().1));
}

#[tokio::test]
async fn undo_of_an_exact_restore_keeps_a_layout_that_differs_by_a_blank() {
    let card = |title: &str| {
        let text = format!(r#"[{{"name":"m","type":"section","title":"{title}","elements":[]}}]"#);
        Layout::from_json(&text).unwrap()
    };
    let world = world(&[]);
    let back = RestoreDecision::Restore { wanted: card("E mail"), over: None };
    let (outcome, log) = run_restore(&world, &restore_plan(vec![(simple(2), back)])).await;
    assert_eq!(outcome, Outcome::Restored);
    world.lock().unwrap().rows.insert(simple(2), card("Email"));
    assert_eq!(undo(&world, &log).await, RestoreDecision::NewerKept(card("Email")));
}

/// The journal of a restore that was cut behind an intent to store the layout, and then perhaps
/// behind one to store a newer layout again.
async fn cut_behind(plan: &RestorePlan, newer: Option<&Layout>) -> InMemoryLog {
    let mut log = restore_log(plan);
    let whole = whole_and_part().0;
    let planned = (&whole, SetPurpose::Planned);
    for (sent, purpose) in
        [planned].into_iter().chain(newer.map(|one| (one, SetPurpose::Compensation)))
    {
        log.save_backups(&[(simple(2), sent)]).await.unwrap();
        let intent = JournalRecord::SetIntent { target: simple(2), digest: sent.digest(), purpose };
        log.append(&[intent]).await.unwrap();
    }
    log
}

#[tokio::test]
async fn recovery_knows_the_part_that_the_portal_kept() {
    let (whole, part) = whole_and_part();
    // Cut behind the `set` of the plan.
    let (world, plan) = partly([]);
    world.lock().unwrap().rows.insert(simple(2), part.clone());
    let log = cut_behind(&plan, None).await;
    let recovered = recover(&InMemoryPortal::new(&world), &mut log.clone(), &log).await.unwrap();
    let outcome = &recovered.targets[0].outcome;
    assert!(
        matches!(outcome, Outcome::RestoredInPart(text) if text.contains("own")),
        "{outcome:?}"
    );
    // Cut before a newer layout was stored again over that part.
    let log = cut_behind(&plan, Some(&layout("newer"))).await;
    let recovered = recover(&InMemoryPortal::new(&world), &mut log.clone(), &log).await.unwrap();
    assert_eq!(recovered.targets[0].outcome, Outcome::Compensated);
    assert_eq!(world.lock().unwrap().rows[&simple(2)], layout("newer"));
    // Cut behind that, where it is the newer layout of which the portal kept a part.
    let (world, plan) = partly([]);
    world.lock().unwrap().rows.insert(simple(2), part);
    let log = cut_behind(&plan, Some(&whole)).await;
    let recovered = recover(&InMemoryPortal::new(&world), &mut log.clone(), &log).await.unwrap();
    let outcome = &recovered.targets[0].outcome;
    assert!(matches!(outcome, Outcome::Lost(text) if text.contains("not keep all")), "{outcome:?}");
}
