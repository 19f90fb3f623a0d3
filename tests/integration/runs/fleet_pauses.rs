//! Pauses by command, beside commands that are under way.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;

use serde_json::Value;

use super::fleets::{Fleet, outcomes};
use crate::support::env::CommandOutput;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_pause_since_the_begin_of_an_apply_holds_for_portals_that_it_has_not_begun() {
    let fleet = Fleet::start(2).await;
    fleet.declare("  waves: [{ name: canary, select: { ring: canary } }, { name: rest }]\n");
    assert_eq!(fleet.run("plan", &["--out", "fleet.json"]).0.code, 0);
    // The apply waits for the webhook of the first portal, as of a program that decrypts it.
    let secret = fleet.env.at(fleet.secret(fleet.portal(1)));
    let webhook = std::fs::read(&secret).unwrap();
    std::fs::remove_file(&secret).unwrap();
    assert!(Command::new("mkfifo").arg(&secret).status().unwrap().success());
    let apply = ["fleet", "apply", "fleet.json", "--secrets", "secrets", "--rate", "unlimited"];
    let applied = fleet.env.spawn(&[&apply[..], &["-o", "json=report.json"]].concat());
    let mut pipe = OpenOptions::new().write(true).open(&secret).unwrap();
    let pause = ["fleet", "pause", fleet.portal(2).host(), "--reason", "hands off"];
    assert_eq!(fleet.env.run(&pause).code, 0);
    pipe.write_all(&webhook).unwrap();
    drop(pipe);
    let ended = CommandOutput::of(applied.wait_with_output().unwrap());
    assert_eq!((ended.code, fleet.removed()), (0, vec![2, 0]), "{ended:?}");
    let report = std::fs::read(fleet.env.at("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(outcomes(&report), ["applied", "paused"]);
    assert!(report["portals"][1]["cause"].as_str().unwrap().contains("hands off"), "{report}");
}

#[test]
fn store_copy_keeps_the_pause_of_the_portal() {
    let env = crate::support::env::TestEnv::new();
    let copy = |portal: &str| {
        let copied = env.run(&["store", "copy", "--portal", portal, "--to", "other"]);
        assert_eq!(copied.code, 0, "{copied:?}");
        copied.stderr
    };
    let paused = env.run(&["fleet", "pause", "alpha.example", "--reason", "hands off"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    assert!(copy("alpha.example").contains("alpha.example is paused in other, too"));
    assert!(!copy("beta.example").contains("paused"));
    let ended = env.run(&["fleet", "unpause", "alpha.example", "beta.example", "--store", "other"]);
    assert_eq!((ended.code, &*ended.stdout), (0, "1 portal is no longer paused by command\n"));
    // Here, a pause would keep nobody from a portal that has moved.
    let pause = ["fleet", "pause", "alpha.example", "gamma.example", "--reason", "hands off"];
    let paused = env.run(&pause);
    assert_eq!((paused.code, &*paused.stdout), (3, "1 portal is paused\n"), "{paused:?}");
    assert!(paused.stderr.contains("the records of alpha.example have moved to other"));
}
