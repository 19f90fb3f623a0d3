//! Selectors of the commands over a fleet: each is honored, or a usage error.

use super::fleets::{Fleet, outcomes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_apply_of_a_plan_file_takes_the_selected_portals_alone() {
    let fleet = Fleet::start(2).await;
    let (plan, _) = fleet.run("plan", &["--out", "fleet.json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let (none, _) = fleet.run("apply", &["fleet.json", "-l", "ring=nowhere"]);
    assert_eq!((none.code, fleet.removed()), (1, vec![0, 0]), "{none:?}");
    assert!(none.stderr.contains("no portal has the labels"), "{}", none.stderr);
    let (canary, report) = fleet.run("apply", &["fleet.json", "-l", "ring=canary"]);
    assert_eq!((canary.code, fleet.removed()), (0, vec![2, 0]), "{canary:?}");
    assert_eq!(outcomes(&report), ["applied"]);
    let (rest, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((rest.code, fleet.removed()), (0, vec![2, 2]), "{rest:?}");
    assert_eq!(outcomes(&report), ["applied-before", "applied"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_selector_that_does_not_apply_is_refused_and_none_is_ignored() {
    let fleet = Fleet::start(2).await;
    assert_eq!(fleet.env.run(&["fleet", "publish"]).code, 0);
    std::fs::remove_file(fleet.env.at("fleet.yaml")).unwrap();
    for (arguments, code) in [
        (&["fleet", "status", "--fleet", "test", "-l", "ring=canary"][..], 0),
        (&["fleet", "status", "--fleet", "test", "-l", "ring=nowhere"], 1),
        (&["fleet", "status", "-l", "ring=nowhere"], 1),
        (&["fleet", "pause", "-l", "ring=nowhere", "--reason", "x"], 1),
        (&["fleet", "pause", fleet.portal(1).host(), "--fleet", "other", "--reason", "x"], 64),
        (&["fleet", "publish", "-l", "ring=canary"], 64),
        (&["worker", "-l", "ring=nowhere"], 64),
        (&["worker", "-f", "fleet.yaml", "--trusted-key", "key.pem"], 64),
    ] {
        let ended = fleet.env.run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
    }
    // One portal cannot be selected by the options of the commands over one.
    for option in
        [&["--portal", "alpha.example"][..], &["--emulator"], &["--webhook-url-file", "x"]]
    {
        for command in [&["fleet", "plan"][..], &["fleet", "apply", "--auto-approve"], &["worker"]]
        {
            let ended = fleet.env.run(&[command, option].concat());
            assert_eq!(ended.code, 64, "{command:?} {option:?}: {ended:?}");
            let told = format!("{} names one portal", option[0]);
            assert!(ended.stderr.contains(&told), "{}", ended.stderr);
        }
    }
    assert_eq!(fleet.removed(), [0, 0]);
}
