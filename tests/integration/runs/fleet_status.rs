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
