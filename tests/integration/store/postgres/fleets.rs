//! State of fleets in a database: the laws of every state.

use std::time::Duration;

use recard::model::{Digest, PortalId};
use recard::ports::RoundClass;
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
