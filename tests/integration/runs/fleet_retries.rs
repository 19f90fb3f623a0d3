//! Fleet commands that are run again, or over a portal whose files are damaged.

use recard::model::PortalId;
use recard::ports::{HaltCause, ParkReason, Parked, RolloutChange};
use recard::store::{fleet_file_name, read_queue_row, write_queue_row, write_whole};
use serde_json::json;

use super::fleet_revisions::{CARD, Fleet};

#[tokio::test]
async fn fleet_publish_that_is_repeated_after_a_lost_answer_is_current_already() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    let repeated = async |expect: &str| {
        let before = fleet.view().await.head;
        for _ in 0..2 {
            let (again, report) = fleet.publish(&["--expect", expect]);
            assert_eq!((again.code, &report["rollout"]["state"]), (0, &json!("running")));
            assert!(again.stderr.contains("is the current one already"), "{again:?}");
        }
        assert_eq!(fleet.view().await.head, before, "nothing was changed");
    };
    assert_eq!(fleet.publish(&["--expect", "none"]).0.code, 0);
    repeated("none").await;
    let first = fleet.current();
    fleet.0.file("card.yaml", &CARD.replace("[8, 12]", "[8, 12, 14]"));
    assert_eq!(fleet.publish(&["--expect", &first]).0.code, 0);
    repeated(&first).await;
    for wrong in ["none", &format!("sha256:{}", "0f".repeat(32))] {
        assert_eq!(fleet.publish(&["--expect", wrong]).0.code, 4, "{wrong}");
    }
    let (by, reason) = (String::new(), "calls".to_owned());
    fleet.change(RolloutChange::Halt(HaltCause::Command { by, reason })).await;
    let (halted, _) = fleet.publish(&["--expect", &first]);
    assert_eq!(halted.code, 4);
    assert!(halted.stderr.contains("this very revision is halted"), "{halted:?}");
}

#[tokio::test]
async fn fleet_retry_passes_a_damaged_row_and_status_tells_that_it_needs_a_person() {
    let fleet = Fleet::new(&["alpha", "beta", "gamma"]);
    fleet.publish(&[]);
    let root = fleet.0.at(".recard");
    for portal in ["alpha.example", "beta.example", "gamma.example"] {
        let portal = PortalId::new(portal).unwrap();
        let mut row = read_queue_row(&root, &portal).unwrap().unwrap_or_default();
        row.state.parked = Some(Parked { at: row.changed, reason: ParkReason::Deaths(3) });
        write_queue_row(&root, &portal, &row).unwrap();
    }
    let damaged = PortalId::new("beta.example").unwrap();
    let path = root.join("portals").join(damaged.folder_name()).join("queue.json");
    write_whole(&path, b"nonsense").unwrap();
    let (freed, _) = fleet.run("retry", &["-l", "ring in (canary,rest)"]);
    assert_eq!((freed.code, &*freed.stdout), (3, "2 portals are no longer parked\n"), "{freed:?}");
    assert!(freed.stderr.contains("beta.example cannot be freed"), "{freed:?}");
    assert!(freed.stderr.contains("queue.json is damaged"), "{freed:?}");
    let (status, report) = fleet.run("status", &[]);
    assert_eq!((status.code, &report["portals"][1]["outcome"]), (3, &json!("parked")));
    assert!(status.stdout.contains("its row in the work queue cannot be read"), "{status:?}");
    // The wave of the canary does not wait for it, and that of the portal does not either.
    fleet.change(RolloutChange::Open(1)).await;
    let waves = &fleet.run("status", &[]).1["rollout"]["waves"];
    assert_eq!((&waves[1]["portals"], &waves[1]["counted"]), (&json!(2), &json!(1)), "{waves}");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(fleet.run("status", &[]).0.code, 0);
}

#[tokio::test]
async fn store_copy_that_is_repeated_after_a_lost_answer_is_done_already() {
    let fleet = Fleet::new(&["alpha"]);
    let copy = |to: &str| fleet.0.run(&["store", "copy", "--portal", "alpha.example", "--to", to]);
    let first = copy("other");
    assert_eq!(first.code, 0, "{first:?}");
    let again = copy("other");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("are in other already"), "{again:?}");
    assert_eq!(copy("third").code, 1);
}

#[tokio::test]
async fn fleet_status_and_pause_pass_a_portal_whose_records_cannot_be_read() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.publish(&[]);
    let portals = fleet.0.at(".recard/portals");
    fleet.0.file(".recard/portals/alpha.example/runs", "no folder");
    let (status, report) = fleet.run("status", &[]);
    assert_eq!(
        (status.code, &report["portals"][0]["outcome"]),
        (3, &json!("failed")),
        "{status:?}"
    );
    assert_eq!(report["portals"][1]["outcome"], "never-seen", "{report}");
    std::fs::create_dir(portals.join("No portal")).unwrap();
    let (paused, _) = fleet.run("pause", &["beta.example", "--reason", "move"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    assert_eq!(fleet.run("status", &[]).1["portals"][1]["outcome"], "paused");
}

#[tokio::test]
async fn fleet_publish_never_brings_back_what_a_rollback_has_withdrawn() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.git(&["init", "-q"]);
    fleet.commit();
    fleet.publish(&[]);
    let good = fleet.current();
    fleet.0.file("card.yaml", &CARD.replace("[8, 12]", "[8, 12, 14]"));
    fleet.commit();
    let publish = ["--expect", &*good];
    assert_eq!(fleet.publish(&publish).0.code, 0);
    assert_eq!(fleet.run("rollback", &[]).0.code, 0);
    // Its answer was lost, and then there is a commit beside the fleet.
    for more in [&publish[..], &[]] {
        let (again, _) = fleet.publish(more);
        assert_eq!((again.code, fleet.current()), (4, good.clone()), "{again:?}");
        assert!(again.stderr.contains("was withdrawn by a rollback"), "{again:?}");
        fleet.commit();
    }
    fleet.0.file("card.yaml", &CARD.replace("[8, 12]", "[8, 14]"));
    fleet.commit();
    assert_eq!(fleet.publish(&[]).0.code, 0);
}

#[tokio::test]
async fn fleet_commands_take_effect_and_warn_where_the_kept_report_is_damaged() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.publish(&[]);
    let kept = format!(".recard/fleets/{}.json", fleet_file_name("customers"));
    fleet.0.file(&kept, "{\"format\": \"recard.fleet/v1\"");
    let stop = fleet.run("halt", &["--reason", "look"]);
    for (command, (run, report)) in [("halt", stop), ("status", fleet.run("status", &[]))] {
        assert!(run.stderr.contains("the kept report is damaged"), "{command}: {run:?}");
        assert_eq!(report["portals"][0]["outcome"], "never-seen", "{command}: {report}");
        assert_eq!(report["rollout"]["state"], "halted", "{command}: {report}");
    }
}

#[tokio::test]
async fn fleet_is_renamed_once_the_old_one_is_given_up_by_its_number() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    assert_eq!(fleet.publish(&[]).0.code, 0);
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    let renamed = fleet.0.file("renamed.yaml", &text.replace("customers", "clients"));
    let publish = || fleet.publish(&[renamed.to_str().unwrap()]).0;
    let refused = publish();
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("alpha.example is of the fleet customers"), "{refused:?}");
    let given_up = |guards: &str| {
        let head =
            "apiVersion: recard/v1\nkind: Fleet\nmetadata: { name: customers, reason: Renamed }\n";
        fleet.0.file("old.yaml", &format!("{head}spec:\n  portals: []\n{guards}"));
        fleet.publish(&["old.yaml", "--expect", &fleet.current_of("customers")]).0
    };
    for (guards, code) in [("", 1), ("  guards: { acknowledge: { fleet: 1 } }\n", 1)] {
        let refused = given_up(guards);
        assert_eq!(refused.code, code, "an empty list alone is no intent: {refused:?}");
    }
    let emptied = given_up("  guards: { acknowledge: { fleet: 0 } }\n");
    assert_eq!(emptied.code, 0, "{emptied:?}");
    let published = publish();
    assert_eq!(published.code, 0, "{published:?}");
    assert_eq!(fleet.run("status", &["--fleet", "customers"]).0.code, 0);
}

#[test]
fn fleet_status_of_the_only_fleet_tells_that_its_head_is_damaged() {
    let fleet = Fleet::new(&["alpha"]);
    fleet.publish(&[]);
    let entries = std::fs::read_dir(fleet.0.at(".recard/fleets")).unwrap();
    let mut files = entries.map(|entry| entry.unwrap().path());
    let head = files.find(|path| path.to_string_lossy().ends_with(".head.json")).unwrap();
    write_whole(&head, b"nonsense").unwrap();
    std::fs::remove_file(fleet.0.at("fleet.yaml")).unwrap();
    let (status, _) = fleet.run("status", &[]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(status.stderr.contains("head.json is damaged"), "{}", status.stderr);
}

#[test]
fn audit_heads_pass_a_file_beside_the_folders_of_portals_and_name_a_folder_of_none() {
    let fleet = Fleet::new(&["alpha"]);
    assert_eq!(fleet.run("pause", &["alpha.example", "--reason", "x"]).0.code, 0);
    fleet.0.file(".recard/portals/.DS_Store", "of a program that shows folders");
    let heads = fleet.0.run(&["audit", "heads"]);
    assert!(heads.stderr.contains("has no audit log"), "{heads:?}");
    std::fs::create_dir(fleet.0.at(".recard/portals/No portal")).unwrap();
    let heads = fleet.0.run(&["audit", "heads"]);
    assert_eq!(heads.code, 1, "{heads:?}");
    assert!(heads.stderr.contains("No portal is damaged: no portal has such a name"), "{heads:?}");
}
