//! Portals of a fleet with `mode: drift`, and portals that two fleets have.

use serde_json::json;

use super::fleets::{Fleet, outcomes};

/// Writes a line into the entry of a portal.
pub(super) fn add_to_entry(fleet: &Fleet, number: usize, line: &str) {
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let entry = format!("    - portal: \"{}\"\n", fleet.portal(number).host());
    assert!(text.contains(&entry), "{text}");
    fleet.env.file("fleet.yaml", &text.replace(&entry, &format!("{entry}      {line}\n")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_portal_of_mode_drift_is_shown_with_its_drift_and_never_written_to() {
    let fleet = Fleet::start(3).await;
    add_to_entry(&fleet, 2, "readWebhook: { file: \"reading\" }");
    add_to_entry(&fleet, 2, "mode: drift");
    // Its webhook that writes is not needed.
    let secret = fleet.env.at(fleet.secret(fleet.portal(2)));
    std::fs::rename(secret, fleet.env.at("secrets/reading")).unwrap();

    let (plan, report) = fleet.run("plan", &["--out", "fleet.json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert_eq!(outcomes(&report), ["changes", "drifted", "changes"]);
    assert!(plan.stderr.contains("2 plans are in fleet.json"), "{}", plan.stderr);
    assert_eq!(report["portals"][1]["counts"]["reset"], 2, "its drift is shown");
    assert_eq!(report["sums"]["reset"], 4, "and is nothing that apply resets");
    assert!(!plan.stdout.contains(&format!("  {}", fleet.portal(2).host())), "{}", plan.stdout);

    let (applied, report) = fleet.run("apply", &["fleet.json"]);
    assert_eq!((applied.code, fleet.removed()), (0, vec![2, 0, 2]), "{applied:?}");
    assert_eq!(outcomes(&report), ["applied", "passed-over", "applied"]);
    assert_eq!(report["sums"]["reset"], 4);
    let cause = "the mode of the portal is `drift`: 2 cards differ, and were left as they are";
    assert_eq!(report["portals"][1]["cause"], cause);
    assert!(applied.stdout.contains("1 only looked at"), "{}", applied.stdout);

    let (again, report) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!((again.code, fleet.removed()), (0, vec![2, 0, 2]), "{again:?}");
    assert_eq!(outcomes(&report), ["unchanged", "passed-over", "unchanged"]);
    assert!(!again.stdout.contains("No changes."), "{}", again.stdout);
    let (plan, report) = fleet.run("plan", &["--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "nothing is left that apply would change: {plan:?}");
    assert_eq!(report["totals"], json!({ "drifted": 1, "unchanged": 2 }));
    assert!(!plan.stdout.contains("No changes."), "{}", plan.stdout);
    assert_eq!(fleet.run("drift", &[]).0.code, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_with_portals_of_another_published_fleet_is_told_and_never_written() {
    let fleet = Fleet::start(2).await;
    let (plan, _) = fleet.run("plan", &["--out", "other.json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    fleet.env.file("first.yaml", &text.replace("name: test", "name: first"));
    let published = fleet.env.run(&["fleet", "publish", "first.yaml"]);
    assert_eq!(published.code, 0, "{published:?}");

    let (plan, _) = fleet.run("plan", &[]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let places = ["fleet.yaml:7:", "fleet.yaml:10:"];
    let is_told = |stderr: &str| {
        for (number, place) in (1..).zip(places) {
            let host = fleet.portal(number).host();
            let message = format!("the portal {host} is of the fleet first, too");
            assert!(stderr.contains(&message) && stderr.contains(place), "{message}\n{stderr}");
        }
    };
    is_told(&plan.stderr);
    let (applied, _) = fleet.run("apply", &["--auto-approve"]);
    assert_eq!(applied.code, 1, "{applied:?}");
    is_told(&applied.stderr);
    let (applied, _) = fleet.run("apply", &["other.json"]);
    assert_eq!(applied.code, 1, "{applied:?}");
    assert!(applied.stderr.contains("is of the fleet first, too"), "{applied:?}");
    for command in [&["fleet", "publish"][..], &["worker", "-f", "fleet.yaml"]] {
        let refused = fleet.env.run(command);
        assert_eq!(refused.code, 1, "{refused:?}");
        is_told(&refused.stderr);
    }
    assert_eq!(fleet.removed(), [0, 0]);
}
