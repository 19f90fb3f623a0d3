//! Several versions of recard on one database: a schema and records that are too new.

use recard::records::{check_line, checked_line};

use super::workers::{World, wait_for_one};
use crate::support::env::TestEnv;
use crate::support::postgres::TestDatabase;

#[tokio::test(flavor = "multi_thread")]
async fn commands_and_workers_refuse_a_schema_that_is_too_new() {
    let Some(database) = TestDatabase::create().await else { return };
    let env = TestEnv::quickstart();
    let store = ["--store", database.url.as_str()];
    let embedded = ["--portal", "embedded"];
    let commands: [(&[&str], &[&str]); 8] = [
        (&["worker", "--secrets", "secrets"], &[]),
        (&["fleet", "status"], &[]),
        (&["store", "check"], &[]),
        (&["store", "migrate"], &[]),
        (&["history"], &embedded),
        (&["plan", "-f", "lead.yaml"], &embedded),
        (&["apply", "-f", "lead.yaml", "--auto-approve"], &embedded),
        (&["restore", "last", "--all", "--auto-approve"], &embedded),
    ];
    let applied = env.run(&[commands[6].0, &embedded[..], &store[..]].concat());
    assert_eq!(applied.code, 0, "{applied:?}");
    let client = database.client().await;
    client.batch_execute("insert into recard.schema_version values (8, 5)").await.unwrap();
    for (words, more) in commands {
        let refused = env.run(&[words, more, &store[..]].concat());
        assert_eq!(refused.code, 1, "{words:?}: {refused:?}");
        let told = "has format version 5, and this recard knows versions up to 1";
        assert!(refused.stderr.contains(told), "{words:?}: {refused:?}");
        let hint = "use the newer recard that wrote it";
        assert!(refused.stderr.contains(hint), "{words:?}: {refused:?}");
    }
    // A version that older programs may use changes nothing.
    let usable = "delete from recard.schema_version where version = 8; \
                  insert into recard.schema_version values (7, 1)";
    client.batch_execute(usable).await.unwrap();
    let restored = env.run(&[commands[7].0, &embedded[..], &store[..]].concat());
    assert_eq!(restored.code, 0, "{restored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_leaves_a_portal_with_newer_records_to_newer_workers() {
    let Some(world) = World::start(1).await else { return };
    let (portal, client) = (&world.emulator.portals()[0], world.client().await);
    let rows = portal.rows();
    let worker = world.worker();
    let round = |number: u32| {
        format!("select count(*) from recard.portal where claim is null and token = {number}")
    };
    wait_for_one(&client, &round(1), "no round").await;
    assert_eq!(portal.counters().rows_removed, 2);
    // A newer worker had a round meanwhile, and people customized the cards again.
    let closed = "select line from recard.journal where line like '%\"closed\"%'";
    let line: String = client.query_one(closed, &[]).await.unwrap().get(0);
    let json = check_line(line.as_bytes()).unwrap();
    let newer = json.replace("recard.journal/v", "recard.journal/v9");
    assert_ne!(newer, json);
    let replace = "update recard.journal set line = $1 where line like '%\"closed\"%'";
    client.execute(replace, &[&checked_line(&newer).trim_end()]).await.unwrap();
    rows.iter().for_each(|row| portal.put_row(row.clone()));
    let due = "update recard.portal set due = now()";
    client.execute(due, &[]).await.unwrap();
    wait_for_one(&client, &round(2), "no second round").await;
    assert_eq!(portal.counters().rows_removed, 2, "nothing was written");
    let left = "select parked is null and attempts = 0 and failures = 0 \
                and due between now() + interval '4 minutes' and now() + interval '6 minutes' \
                from recard.portal";
    assert!(client.query_one(left, &[]).await.unwrap().get::<_, bool>(0), "given back, for later");
    // With records that it knows the worker goes on.
    client.execute(replace, &[&line]).await.unwrap();
    client.execute(due, &[]).await.unwrap();
    wait_for_one(&client, &round(3), "no third round").await;
    assert_eq!(portal.counters().rows_removed, 4);
    drop(worker);
}
