//! Rollout of a published revision by a real worker over emulated portals.

use recard::emulator::Portal;
use recard::model::{PortalId, UserId};
use recard::ports::{Interrupted, JournalRecord, RunHeader, RunLog as _};
use recard::store::{Store, StoreLocation};
use serde_json::json;

use super::fleets::Fleet;
use super::reconcile::Running;
use super::workers::{row, wait_until};
use crate::store::store_laws;
use crate::support::env::CommandOutput;

const WAVES: &str = "  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n";

fn worker(fleet: &Fleet) -> Running {
    Running(fleet.env.spawn(&["worker", "--secrets", "secrets", "--rate", "unlimited"]))
}

/// Publishes a fleet, and waits for the end of the rollout.
fn publish(fleet: &Fleet, more: &[&str]) -> CommandOutput {
    fleet.env.run(&[&["fleet", "publish", "--wait", "--deadline", "100s"], more].concat())
}

/// Publishes a fleet with a worker on its folder, and waits for the end of the rollout.
fn roll_out(fleet: &Fleet) -> CommandOutput {
    let _worker = worker(fleet);
    publish(fleet, &[])
}

fn resets(portal: &Portal) -> u64 {
    portal.counters().rows_removed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rollout_of_a_worker_resets_wave_by_wave_and_halts_before_the_next_if_the_canary_fails() {
    let (good, bad) = (Fleet::start(3).await, Fleet::start(3).await);
    for fleet in [&good, &bad] {
        fleet.declare(WAVES);
    }
    let reset = "crm.lead.details.configuration.reset";
    bad.portal(1).set_faults(&json!([{ "method": reset, "do": "fail-command" }])).unwrap();
    let (of_good, of_bad) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let bad = scope.spawn(|| roll_out(&bad));
            (roll_out(&good), bad.join().unwrap())
        })
    });
    assert_eq!(of_good.code, 0, "{of_good:?}");
    assert!(of_good.stdout.contains("Rollout complete"), "{}", of_good.stdout);
    assert!(of_good.stdout.contains("wave rest: 2 of 2 portals done, 0 failed"), "{of_good:?}");
    assert_eq!(good.removed(), [2, 2, 2]);
    assert_eq!(of_bad.code, 3, "{of_bad:?}");
    assert!(of_bad.stdout.contains("1 of 1 portals of the wave canary failed"), "{of_bad:?}");
    assert_eq!([2, 3].map(|number| resets(bad.portal(number))), [0, 0], "{of_bad:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rollout_goes_on_past_a_portal_that_was_broken_before_and_one_that_is_offline() {
    let fleet = Fleet::start(4).await;
    let rows: Vec<_> = fleet.emulator.portals().iter().map(Portal::rows).collect();
    std::fs::remove_file(fleet.env.at(fleet.secret(fleet.portal(2)))).unwrap();
    // No portal has a second round on the first revision.
    fleet.declare("");
    let _worker = worker(&fleet);
    let first = fleet.env.run(&["fleet", "publish"]);
    assert_eq!(first.code, 0, "{first:?}");
    wait_until("a round of each", || {
        let has_ended = |number| row(&fleet, number).state.row.is_some();
        fleet.removed() == [2, 0, 2, 2] && (1..=4).all(has_ended)
    });
    for (portal, rows) in fleet.emulator.portals().iter().zip(rows) {
        rows.into_iter().for_each(|row| portal.put_row(row));
    }
    fleet.portal(3).set_faults(&json!([{ "do": "cut-before" }])).unwrap();
    fleet.declare(WAVES);
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    // A portal that is back is tried again soon.
    fleet.env.file("fleet.yaml", &text.replace("defaults: {", "defaults: { every: 5s,"));
    // Without a git repository the publisher says what it means to replace.
    let refused = publish(&fleet, &[]);
    let (_, expected) = refused.stderr.trim().split_once("--expect ").unwrap();
    let second = fleet.env.run(&["fleet", "publish", "--expect", expected]);
    assert_eq!(second.code, 0, "{second:?}");
    wait_until("a round that did not reach the portal", || {
        let row = row(&fleet, 3).state.row.unwrap_or_default();
        row.contains("\"outcome\":\"unreachable\"")
    });
    wait_until("a round of the last portal", || resets(fleet.portal(4)) == 4);
    let status = fleet.env.run(&["fleet", "status"]);
    assert!(status.stdout.contains("Rollout under way"), "{status:?}");
    assert!(status.stdout.contains("wave rest: 1 of 2 portals done, 0 failed"), "{status:?}");
    assert!(status.stdout.contains("1 unreachable"), "{status:?}");
    assert_eq!(status.code, 3, "it needs a person all the same: {status:?}");
    fleet.portal(3).set_faults(&json!([])).unwrap();
    wait_until("the end of the rollout", || {
        fleet.env.run(&["fleet", "status"]).stdout.contains("Rollout complete")
    });
    assert_eq!([1, 2, 3, 4].map(|number| resets(fleet.portal(number))), [4, 0, 4, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rollout_of_a_worker_halts_once_it_reset_more_people_than_the_fleet_allows() {
    let fleet = Fleet::start(3).await;
    let waves = "  waves: [{ name: canary, select: { ring: canary } }, { name: second, percent: 33 }, { name: rest }]\n";
    fleet.declare(&format!("{waves}  guards: {{ maxPeople: 3 }}\n"));
    let halted = tokio::task::block_in_place(|| roll_out(&fleet));
    assert_eq!(halted.code, 3, "{halted:?}");
    let why = "4 people had cards reset on the revision; guard maxPeople of the fleet, limit 3";
    assert!(halted.stdout.contains(why), "{}", halted.stdout);
    assert_eq!(fleet.removed().iter().sum::<u64>(), 4, "the last wave is not open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rollout_counts_the_people_of_runs_that_were_cut() {
    let fleet = Fleet::start(3).await;
    fleet.declare("");
    assert_eq!(fleet.env.run(&["fleet", "publish"]).code, 0);
    let report = fleet.env.run(&["fleet", "status", "-o", "json"]).stdout;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let revision = report["rollout"]["revision"].as_str().unwrap();
    // Of a worker that died, of a round that was late, and of one that counted.
    let cut = JournalRecord::Closed { interrupted: Interrupted::Yes };
    let whole = JournalRecord::Closed { interrupted: Interrupted::No };
    for (number, end) in [(1, None), (2, Some(cut)), (3, Some(whole))] {
        let name = PortalId::new(fleet.portal(number).host()).unwrap();
        let location = StoreLocation::Folder(fleet.env.at(".recard"));
        let store = Store::open(&location, &name).unwrap();
        let mut guard = store_laws::lock(&store).await;
        let (card, before) = (store_laws::card(14), store_laws::layout("before"));
        let actor = format!("worker, revision {revision}");
        let header = store_laws::header(&store, &[card]);
        let header = RunHeader { actor, caller: UserId::new(1).unwrap(), ..header };
        let mut log = guard.start_run(store_laws::run(1), header).await.unwrap();
        log.save_backups(&[(card, &before)]).await.unwrap();
        log.append(&[store_laws::intent(card, &before), store_laws::done(card)]).await.unwrap();
        log.append(end.as_slice()).await.unwrap();
    }
    let _worker = worker(&fleet);
    wait_until("the resets", || fleet.removed() == [2, 2, 2]);
    let people = |number| Some(row(&fleet, number).state.rounds?.people);
    wait_until("a round of each", || (1..=3).all(|number| people(number).is_some()));
    assert_eq!([1, 2, 3].map(people), [Some(3), Some(3), Some(2)]);
}
