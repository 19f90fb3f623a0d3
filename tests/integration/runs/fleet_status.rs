//! What `recard fleet status` tells of portals that somebody works on, or that are elsewhere, and
//! what every report over a fleet has.

use std::time::Duration;

use jiff::Timestamp;
use recard::model::PortalId;
use recard::ports::ClaimId;
use recard::records::fleet::QueueRow;
use recard::store::write_queue_row;
use serde_json::json;

use super::fleet_revisions::Fleet;

#[tokio::test]
async fn fleet_status_tells_how_many_portals_are_worked_on() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    fleet.publish(&[]);
    let until: Timestamp = "9000-01-01T00:00:00Z".parse().unwrap();
    let mut row = QueueRow { claim: Some((ClaimId::new(7), until)), ..QueueRow::default() };
    row.state.worker = Some("machine/7".to_owned());
    let portal = PortalId::new("alpha.example").unwrap();
    write_queue_row(&fleet.0.at(".recard"), &portal, &row).unwrap();
    let (status, report) = fleet.run("status", &["-o", "csv=status.csv"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.stdout.contains("1 portal is worked on now\n"), "{}", status.stdout);
    let workers = [0, 1].map(|number| &report["portals"][number]["worker"]);
    assert_eq!(workers, [&json!("machine/7"), &json!(null)]);
    let table = std::fs::read_to_string(fleet.0.at("status.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().ends_with(",\"machine/7\""), "{table}");
    // A lease that has ended is no work.
    let until = Timestamp::UNIX_EPOCH + Duration::from_secs(1);
    write_queue_row(
        &fleet.0.at(".recard"),
        &portal,
        &QueueRow { claim: Some((ClaimId::new(7), until)), ..row },
    )
    .unwrap();
    assert!(!fleet.run("status", &[]).0.stdout.contains("worked on now"));
}

#[tokio::test]
async fn fleet_status_tells_that_a_portal_has_moved_and_its_wave_does_not_wait_for_it() {
    let fleet = Fleet::new(&["alpha", "beta", "gamma"]);
    let copy = ["store", "copy", "--portal", "beta.example", "--to", "other"];
    let is_told = || {
        let (status, report) = fleet.run("status", &["fleet.yaml"]);
        let beta = &report["portals"][1];
        assert_eq!((status.code, &beta["outcome"]), (3, &json!("failed")), "{status:?}");
        assert!(beta["cause"].as_str().unwrap().contains("moved to other"), "{beta}");
        report
    };
    assert_eq!(fleet.0.run(&copy).code, 0);
    is_told();
    fleet.publish(&[]);
    fleet.change(recard::ports::RolloutChange::Open(1)).await;
    let waves = &is_told()["rollout"]["waves"];
    assert_eq!((&waves[1]["portals"], &waves[1]["counted"]), (&json!(2), &json!(1)), "{waves}");
}

#[test]
fn fleet_comment_is_found_by_the_same_line_whether_the_command_fails_or_not() {
    let fleet = Fleet::new(&["alpha"]);
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    let first_line = |arguments: &[&str]| {
        let _ = std::fs::remove_file(fleet.0.at("comment.md"));
        fleet.0.run(&[&["fleet"], arguments, &["-o", "markdown=comment.md"]].concat());
        let comment = std::fs::read_to_string(fleet.0.at("comment.md")).unwrap();
        comment.lines().next().unwrap().to_owned()
    };
    for (arguments, line) in [
        (&["plan"][..], "<!-- recard:plan -->"),
        (&["plan", "--marker", "first-fleet"], "<!-- recard:plan:first-fleet -->"),
        (&["drift"], "<!-- recard:drift -->"),
        (&["apply", "--auto-approve"], "<!-- recard:apply -->"),
        (&["status", "fleet.yaml"], "<!-- recard:show -->"),
    ] {
        for fleet_text in
            [text.clone(), text.replace("customers", "Клиенты"), "kind: Fleet".to_owned()]
        {
            fleet.0.file("fleet.yaml", &fleet_text);
            assert_eq!(first_line(arguments), line, "{fleet_text}");
        }
    }
}

#[test]
fn fleet_reports_of_commands_that_end_at_the_same_time_are_all_kept() {
    const PORTALS: usize = 16;
    let fleet = Fleet::new(&["p0"]);
    let text = std::fs::read_to_string(fleet.0.at("fleet.yaml")).unwrap();
    let (text, _) = text.split_at(text.find("    - portal:").unwrap());
    let entry = |number: usize| {
        format!("    - {{ portal: p{number}.example, labels: {{ number: \"{number}\" }} }}\n")
    };
    let text = format!("{text}{}", (0..PORTALS).map(entry).collect::<String>());
    fleet.0.file("fleet.yaml", &text);
    let plan = |number: usize| fleet.0.spawn(&["fleet", "plan", "-l", &format!("number={number}")]);
    for command in (0..PORTALS).map(plan).collect::<Vec<_>>() {
        // No portal has a secret.
        assert_eq!(command.wait_with_output().unwrap().status.code(), Some(3));
    }
    let (status, report) = fleet.run("status", &["fleet.yaml"]);
    assert_eq!(report["totals"], json!({ "failed": PORTALS }), "{status:?}");
}

#[test]
fn fleet_plan_beside_a_damaged_report_of_the_last_round_tells_what_to_do_with_it() {
    let fleet = Fleet::new(&["alpha", "beta"]);
    assert_eq!(fleet.run("plan", &[]).0.code, 3);
    let entries = std::fs::read_dir(fleet.0.at(".recard/fleets")).unwrap();
    let mut files = entries.map(|entry| entry.unwrap().path());
    let kept = files.find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    recard::store::write_whole(&kept, b"nonsense").unwrap();
    let (plan, _) = fleet.run("plan", &[]);
    assert_eq!(plan.code, 1, "{plan:?}");
    assert!(plan.stderr.contains("keep it elsewhere"), "{plan:?}");
    assert!(!plan.stderr.contains("-o json=FILE"), "{plan:?}");
    std::fs::rename(&kept, fleet.0.at("elsewhere.json")).unwrap();
    assert_eq!(fleet.run("plan", &[]).0.code, 3);
}
