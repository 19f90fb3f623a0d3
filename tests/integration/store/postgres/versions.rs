//! Several versions of recard on one database: a schema and records that are too new.

use std::process::Stdio;
use std::time::{Duration, Instant};

use recard::emulator::Portal;
use recard::records::{check_line, checked_line};
use serde_json::json;
use tokio_postgres::Client;

use super::workers::{INTENTS, Journals, OPEN, Running, World, wait_for_one};
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
        let told = "needs a program that knows schema version 5, and this recard knows 1";
        assert!(refused.stderr.contains(told), "{words:?}: {refused:?}");
        let hint = "use the recard whose `recard store migrate` made it";
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

/// Makes the role `newer` a program with a newer format of journals: what it writes has that
/// format, and it reads both.
const NEWER: &str = "create role newer login;
    grant usage on schema recard to newer;
    alter table recard.journal rename to kept_journal;
    alter table recard.kept_journal drop constraint journal_portal_run_fkey;
    create function recard.in_format(line text, old text, new text) returns text
    language sql immutable as $$
        select left(encode(sha256(convert_to(json, 'utf8')), 'hex'), 16) || ' ' || json from
        (select replace(substr(line, 18), '\"recard.journal/' || old, '\"recard.journal/' || new)
        as json) as changed
    $$;
    create view recard.journal as select portal, run, number, case when session_user = 'newer'
    then recard.in_format(line, 'v9', 'v') else line end as line, worker, token
    from recard.kept_journal;
    create function recard.keep() returns trigger language plpgsql as $$ begin
        if session_user = 'newer' then new.line = recard.in_format(new.line, 'v', 'v9'); end if;
        insert into recard.kept_journal values
        (new.portal, new.run, new.number, new.line, new.worker, new.token) on conflict do nothing;
        -- Lines that are written again are there already.
        if not found then return null; end if;
        return new;
    end $$;
    create trigger keep instead of insert on recard.journal
    for each row execute function recard.keep();
    grant all on all tables in schema recard to newer;";

/// Tells if a worker waits for the answer to a write.
const WRITES: &str = "select count(*) from recard.portal where claim is not null \
    and exists (select from recard.journal where journal.portal = portal.portal \
    and journal.token = portal.token and line like '%\"intent\"%')";

/// Starts a worker with fewer slots than there are portals.
fn worker(world: &World, store: &str) -> Running {
    let mut command = world.command(store, "unlimited");
    Running(command.args(["--slots", "4"]).stderr(Stdio::null()).spawn().unwrap())
}

/// Makes portals with an open run due again and again, until there is none.
async fn settle(client: &Client) {
    let left = format!("select count(*) from recard.portal where claim is not null or {OPEN}");
    let due = format!("update recard.portal set due = now() where claim is null and {OPEN}");
    let begun = Instant::now();
    while client.query_one(&left, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        client.batch_execute(&due).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "runs are left open");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_of_two_versions_lose_no_round_and_do_none_twice() {
    let Some(world) = World::start(6).await else { return };
    let (portals, client) = (world.emulator.portals(), world.client().await);
    client.batch_execute(NEWER).await.unwrap();
    let rows: Vec<_> = portals.iter().map(Portal::rows).collect();
    let slow = json!([{
        "method": "batch", "inside": "crm.lead.details.configuration.reset", "do": "slow",
        "ms": 1500
    }]);
    portals.iter().for_each(|portal| portal.set_faults(&slow).unwrap());
    let removed = || portals.iter().map(|portal| portal.counters().rows_removed).sum::<u64>();
    let count = async |text: &str| client.query_one(text, &[]).await.unwrap().get::<_, i64>(0);
    let newer_url = world.url.replace("recard@", "newer@");
    assert_ne!(newer_url, world.url);

    // Runs of a newer worker that was killed while it wrote are left to newer ones.
    let killed = worker(&world, &newer_url);
    wait_for_one(&client, INTENTS, "no intent").await;
    drop(killed);
    let older = worker(&world, &world.url);
    let all_looked_at = "select (count(*) = 6)::int::int8 from recard.portal \
                         where claim is null and due > now() + interval '1 minute'";
    wait_for_one(&client, all_looked_at, "portals are left").await;
    let open = count(&format!("select count(*) from recard.portal where {OPEN}")).await;
    assert!(open > 0, "killed too late");
    let given_back = "select count(*) from recard.portal where parked is null and attempts = 1 \
                      and failures = 0 and due < now() + interval '6 minutes'";
    assert_eq!(count(given_back).await, open);
    let journals = Journals::read(&client).await;
    assert_eq!(journals.taken_over, 0, "the older worker added to runs of a newer one");
    let newer = "select count(distinct run) from recard.journal where line like '%journal/v9%'";
    assert_eq!(count(newer).await, open);

    // A newer worker ends them, beside the older one.
    let mut ended = worker(&world, &newer_url);
    settle(&client).await;
    assert_eq!(removed(), 12);
    Journals::read(&client).await.check(portals);
    ended.signal("-TERM");
    assert_eq!(ended.0.wait().unwrap().code(), Some(143));

    // The older one is killed while it writes. A newer one takes its runs over.
    let customize = || {
        for (portal, rows) in portals.iter().zip(&rows) {
            rows.iter().for_each(|row| portal.put_row(row.clone()));
        }
    };
    customize();
    let older_ones = "update recard.portal set due = now() where not exists (select \
        from recard.journal where journal.portal = portal.portal and line like '%journal/v9%')";
    client.batch_execute(older_ones).await.unwrap();
    wait_for_one(&client, WRITES, "the older one does not write").await;
    drop(older);
    let mut drained = worker(&world, &newer_url);
    client.batch_execute("update recard.portal set due = now()").await.unwrap();
    wait_until_removed(&removed, 24).await;
    settle(&client).await;
    let journals = Journals::read(&client).await;
    journals.check(portals);
    assert!(journals.taken_over > 0);

    // It is drained while it writes. Of an older and a newer one, the newer goes on.
    customize();
    client.batch_execute("update recard.portal set due = now()").await.unwrap();
    wait_for_one(&client, WRITES, "the newer one does not write").await;
    drained.signal("-TERM");
    assert_eq!(drained.0.wait().unwrap().code(), Some(143));
    let written = removed();
    assert!(written > 24, "its requests under way are finished");
    let open = count(&format!("select count(*) from recard.portal where {OPEN}")).await;
    assert_eq!(open, 0, "and its runs are closed");
    let last = [worker(&world, &world.url), worker(&world, &newer_url)];
    let again = async {
        // What the older one gave back is for later.
        let due = "update recard.portal set due = now() where due < now() + interval '6 minutes'";
        loop {
            client.batch_execute(due).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        () = wait_until_removed(&removed, 36) => {}
        () = again => {}
    }
    settle(&client).await;
    drop(last);
    assert_eq!(removed(), 36);
    Journals::read(&client).await.check(portals);
    let unusual = "select count(*) from recard.portal where parked is not null or attempts > 0 \
                   or failures > 0";
    assert_eq!(count(unusual).await, 0);
}

async fn wait_until_removed(removed: &impl Fn() -> u64, wanted: u64) {
    let begun = Instant::now();
    while removed() < wanted {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} resets of {wanted}", removed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
