//! Publications of a fleet: rollbacks one after another.

use recard::model::Digest;
use recard::ports::{FleetView, RolloutChange};
use serde_json::json;

use super::fleet_revisions::{CARD, Fleet};

fn on(view: &FleetView) -> Vec<Option<Digest>> {
    view.portals.iter().map(|portal| portal.revision).collect()
}

#[tokio::test]
async fn fleet_rollback_that_is_repeated_never_brings_the_withdrawn_revision_back() {
    let fleet = Fleet::new(&["alpha", "beta", "gamma"]);
    fleet.publish(&[]);
    fleet.change(RolloutChange::Open(1)).await;
    fleet.change(RolloutChange::Complete).await;
    let good = fleet.view().await.head.revision;
    let mut before = good;
    for ids in ["8", "9"] {
        fleet.0.file("card.yaml", &CARD.replace("8, 12", ids));
        assert_eq!(fleet.publish(&["--expect", &before.to_string()]).0.code, 0);
        let bad = fleet.view().await.head.revision;
        assert_eq!(on(&fleet.view().await), [Some(bad), Some(good), Some(good)]);
        let (back, _) = fleet.run("rollback", &[]);
        assert_eq!(back.code, 0, "{back:?}");
        assert!(back.stderr.contains(&format!("--expect {bad}")), "{}", back.stderr);
        let rolled_back = fleet.view().await;
        assert_eq!(on(&rolled_back), [Some(good); 3]);
        for wrong in [&[][..], &["--expect", &good.to_string()], &["--expect", "none"]] {
            let (again, _) = fleet.run("rollback", wrong);
            assert_eq!(again.code, 4, "{again:?}");
            assert!(again.stderr.contains(&format!("withdrew {bad}")), "{}", again.stderr);
            assert!(again.stderr.contains(&format!("publish --expect {good}")), "{again:?}");
        }
        // The command of a pipeline that runs once more names what it withdraws.
        let (repeated, report) = fleet.run("rollback", &["--expect", &bad.to_string()]);
        assert_eq!(repeated.code, 0, "{repeated:?}");
        assert_eq!(report["rollout"]["revision"], json!(good.to_string()));
        let found = fleet.view().await;
        assert_eq!((&found.head, on(&found)), (&rolled_back.head, vec![Some(good); 3]));
        before = good;
    }
}
