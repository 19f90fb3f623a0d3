//! Rollout of a published revision by a real worker over emulated portals.

use recard::emulator::Portal;
use serde_json::json;

use super::fleets::Fleet;
use super::reconcile::Running;
use crate::support::env::CommandOutput;

const WAVES: &str = "  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n";

/// Publishes a fleet with a worker on its folder, and waits for the end of the rollout.
fn roll_out(fleet: &Fleet) -> CommandOutput {
    let worker = ["worker", "--secrets", "secrets", "--rate", "unlimited"];
    let _worker = Running(fleet.env.spawn(&worker));
    fleet.env.run(&["fleet", "publish", "--wait", "--deadline", "50s"])
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
