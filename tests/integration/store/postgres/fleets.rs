//! State of fleets in a database: the laws of every state.

use std::time::Duration;

use recard::model::{Digest, PortalId};
use recard::ports::{FleetState as _, ParkReason, RoundClass};
use recard::store::postgres::PostgresFleets;
use tokio_postgres::Client;

use crate::store::fleet_laws::{self, FleetWorld};
use crate::support::postgres::TestDatabase;

struct World {
    state: PostgresFleets,
    client: Client,
    database: TestDatabase,
}

impl FleetWorld for World {
    type State = PostgresFleets;

    fn state(&self) -> &PostgresFleets {
        &self.state
    }

    async fn round(&self, portal: &PortalId, revision: Digest, class: RoundClass, people: u32) {
        let text = "update recard.portal set \
            failures = case when $3 then failures + 1 else 0 end, round_failed = $3, \
            round_people = greatest($4, case when round_revision = $2 then round_people end), \
            round_revision = $2, round_at = now() where portal = $1";
        let (failed, people) = (class == RoundClass::Failed, i32::try_from(people).unwrap());
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&portal.as_str(), &revision.to_string(), &failed, &people];
        self.client.execute(text, &parameters).await.unwrap();
    }

    async fn park(&self, portal: &PortalId) {
        let text = "update recard.portal set parked = 'deaths', parked_deaths = 3, \
                    parked_at = now() where portal = $1";
        self.client.execute(text, &[&portal.as_str()]).await.unwrap();
    }

    async fn move_away(&self, portal: &PortalId) {
        let text = "update recard.portal set moved_to = 'elsewhere' where portal = $1";
        self.client.execute(text, &[&portal.as_str()]).await.unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.database.pass(time).await;
    }
}

#[tokio::test]
async fn database_keeps_the_laws_of_the_state_of_fleets() {
    let Some(database) = TestDatabase::with_clock().await else { return };
    let state = PostgresFleets::new(database.open().await);
    let world = World { state, client: database.client().await, database };
    fleet_laws::check(&world).await;
}

#[tokio::test]
async fn database_with_a_row_that_makes_no_sense_shows_the_other_portals_and_that_one_as_parked() {
    let Some(database) = TestDatabase::create().await else { return };
    let (state, client) = (PostgresFleets::new(database.open().await), database.client().await);
    let publication = fleet_laws::publication("odd", "odd 1", &[0, 1, 0], None);
    state.publish(&publication).await.unwrap();
    let changes = [
        ("labels = '[7]'", "invalid type"),
        (
            "round_revision = 'none', round_failed = false, round_people = 0, round_at = now()",
            "digest",
        ),
        ("round_revision = revision, round_failed = null", "NULL"),
        ("wave = null", "NULL"),
        ("parked = 'webhook', parked_at = 'infinity'", "NULL"),
    ];
    for (change, said) in changes {
        let name = publication.portals[0].portal.as_str();
        let text = format!("update recard.portal set {change} where portal = $1");
        client.execute(&text, &[&name]).await.unwrap();
        let view = state.view(&publication.fleet).await.unwrap().unwrap();
        let parked = |number: usize| view.portals[number].queue.parked.as_ref();
        let Some(ParkReason::UnreadableRow(problem)) = parked(0).map(|parked| &parked.reason)
        else {
            panic!("{change}: {:?}", view.portals[0]);
        };
        assert!(problem.contains(name) && problem.contains(said), "{change}: {problem}");
        assert_eq!((parked(1), parked(2), view.portals.len()), (None, None, 3));
        assert_eq!(view.portals[1].published, publication.portals[1]);
        let text = "update recard.portal set labels = '{}', round_revision = null, wave = 0, \
                    round_failed = false, parked = null, parked_at = null where portal = $1";
        client.execute(text, &[&name]).await.unwrap();
    }
    // Values that no command writes, and that are beyond what times can be.
    let text = "update recard.portal set due = '20000-01-01', every = '1000000 years', \
                pause = '200000-01-01', pause_at = 'infinity', declared_pause = '-infinity'";
    client.execute(text, &[]).await.unwrap();
    let view = state.view(&publication.fleet).await.unwrap().unwrap();
    assert!(view.portals.iter().all(|one| one.queue.parked.is_none() && one.is_paused(view.now)));
}

#[tokio::test]
async fn database_pause_that_somebody_wrote_by_hand_holds_for_commands_as_for_workers() {
    let Some(database) = TestDatabase::create().await else { return };
    let (state, client) = (PostgresFleets::new(database.open().await), database.client().await);
    let text = "insert into recard.portal (portal, pause) values ('by-hand.example', 'infinity')";
    client.execute(text, &[]).await.unwrap();
    let pauses = state.pauses().await.unwrap();
    let pause = &pauses[&PortalId::new("by-hand.example").unwrap()];
    assert_eq!((pause.until, &*pause.by, &*pause.reason), (None, "", ""));
}
