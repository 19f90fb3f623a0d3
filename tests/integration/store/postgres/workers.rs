//! Workers on a database: what holds while they are killed and stopped, and the server crashes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use recard::diagnostic::Source;
use recard::emulator::{CardRow, Emulator, EmulatorOptions, Portal};
use recard::i18n::Text;
use recard::manifest::{FleetFiles, StopRule, load_fleet};
use recard::model::PortalId;
use recard::ports::{FleetState as _, Publication, PublishedPortal, Publisher, RolloutWave};
use recard::records::fleet::FleetRevision;
use recard::store::postgres::{Database, DatabaseAccess, DatabaseAddress, PostgresFleets};
use serde_json::json;
use tokio_postgres::{Client, NoTls};

use crate::support::env::TestEnv;
use crate::support::postgres::Server;

const CARD: &str = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: card, reason: test }\nspec:\n  \
                    personal: [{ users: { ids: [8, 12] }, leadCustomerTypes: [simple] }]\n";

/// Lease of the workers of the chaos: short, so that much happens in little time.
const LEASE: &str = "6s";

/// How long the chaos lasts, and over how much.
struct Chaos {
    portals: u32,
    workers: usize,
    lasts: Duration,
    /// A worker is killed each time.
    kill_every: Duration,
    /// The server crashes at these moments, for these times.
    crashes: &'static [(u64, u64)],
}

struct Disk;

impl FleetFiles for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
        Ok(std::fs::read(path).unwrap())
    }

    fn names(&self, _: &Path) -> Result<Vec<String>, Text> {
        Ok(Vec::new())
    }
}

/// Portals, a server, and the fleet that was published in it.
pub(super) struct World {
    pub(super) emulator: Emulator,
    env: TestEnv,
    pub(super) server: Server,
    url: String,
}

impl World {
    pub(super) async fn start(portals: u32) -> Option<Self> {
        let server = tokio::task::spawn_blocking(|| Server::start(&[])).await.unwrap()?;
        let number = NonZeroU32::new(portals);
        let options = EmulatorOptions { portals: number, ..EmulatorOptions::default() };
        let emulator = Emulator::start_with(options).await.unwrap();
        let env = TestEnv::new();
        env.file("card.yaml", CARD);
        std::fs::create_dir(env.at("secrets")).unwrap();
        let mut text = "apiVersion: recard/v1\nkind: Fleet\nmetadata: { name: test, reason: Test }\nspec:\n  \
                        defaults: { manifests: [card.yaml], webhook: { file: \"{portal}\" } }\n  portals:\n"
            .to_owned();
        for portal in emulator.portals() {
            text.push_str(&format!("    - {{ portal: \"{}\" }}\n", portal.host()));
            let secret = format!("secrets/{}", portal.host().replace(':', "_"));
            env.file(&secret, &portal.webhook_url(1).unwrap());
        }
        env.file("fleet.yaml", &text);
        let url = server.url("postgres");
        let world = Self { emulator, env, server, url };
        world.publish().await;
        Some(world)
    }

    fn database(&self) -> Database {
        let address = DatabaseAddress::parse(&self.url).unwrap();
        Database::new(address, &DatabaseAccess::default()).unwrap()
    }

    async fn publish(&self) {
        self.database().migrate().await.unwrap();
        let name = self.env.at("fleet.yaml");
        let bytes = std::fs::read(&name).unwrap();
        let source = Source { name: name.display().to_string().into(), bytes };
        let loaded = load_fleet(&[source], &Disk);
        let fleet = loaded.fleet.unwrap();
        let revision = FleetRevision::new(&fleet, &loaded.sources, 1).unwrap();
        let published = |portal: &recard::manifest::FleetPortal| PublishedPortal {
            portal: portal.portal.clone().unwrap(),
            wave: 0,
            labels: BTreeMap::new(),
            every: portal.every,
            pause: None,
        };
        let wave = RolloutWave { name: "all".into(), settle: Duration::ZERO, opened: None };
        let publication = Publication {
            fleet: "test".to_owned(),
            revision: revision.digest,
            document: revision.encode().unwrap(),
            expected: None,
            publisher: Publisher::default(),
            waves: vec![wave],
            stop: StopRule { failed: Some(1_000_000), failed_percent: None },
            portals: fleet.portals.iter().map(published).collect(),
            withdrawn: None,
        };
        PostgresFleets::new(self.database()).publish(&publication).await.unwrap();
    }

    pub(super) fn worker(&self) -> Running {
        self.worker_over(&self.url, "unlimited")
    }

    /// Starts a worker whose way to the database is this address.
    pub(super) fn worker_over(&self, store: &str, rate: &str) -> Running {
        let arguments = ["worker", "--secrets", "secrets", "--rate", rate, "--lease", LEASE];
        let mut command = self.env.command(&arguments);
        command.args(["--slots", "10", "--store", store, "--log-format", "text"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let begun = lines.find(|line| line.contains("reconciles up to"));
        assert!(begun.is_some(), "the worker did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Running(child)
    }

    pub(super) async fn client(&self) -> Client {
        loop {
            let plain = self.url.split('?').next().unwrap();
            if let Ok((client, connection)) = tokio_postgres::connect(plain, NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Worker process, which ends with the test.
pub(super) struct Running(pub(super) Child);

impl Running {
    pub(super) fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes portals due that wait for their next round. Those without an open run are customized
/// again before: no worker has them at that time.
async fn next_rounds(
    client: &Client,
    portals: &[Portal],
    rows: &[Vec<CardRow>],
) -> Result<(), tokio_postgres::Error> {
    let waiting = "select portal, exists (select from recard.run where run.portal = portal.portal \
        and not exists (select from recard.journal where journal.portal = run.portal \
        and journal.run = run.run and line like '%\"closed\"%')) \
        from recard.portal where claim is null and due > now()";
    let mut names = Vec::new();
    for row in client.query(waiting, &[]).await? {
        let (name, is_open): (String, bool) = (row.get(0), row.get(1));
        let (portal, rows) =
            portals.iter().zip(rows).find(|(portal, _)| portal.host() == name).unwrap();
        if !is_open && portal.rows().len() < rows.len() {
            rows.iter().for_each(|row| portal.put_row(row.clone()));
        }
        names.push(name);
    }
    let due = "update recard.portal set due = now() where claim is null and portal = any($1)";
    client.execute(due, &[&names]).await?;
    Ok(())
}

/// Frees the parked portals, as `fleet retry` does: workers die here for no fault of a portal, and
/// so often that one may be parked for it. Returns their number.
async fn free(
    client: &Client,
    fleets: &PostgresFleets,
) -> Result<usize, Box<dyn std::error::Error>> {
    let parked = "select portal from recard.portal where parked is not null";
    let mut names = Vec::new();
    for row in client.query(parked, &[]).await? {
        names.push(PortalId::new(row.get(0))?);
    }
    match names.is_empty() {
        true => Ok(0),
        false => Ok(fleets.retry(&names).await?.len()),
    }
}

/// Lets workers die, and checks what they left.
async fn run(chaos: Chaos) {
    let Some(mut world) = World::start(chaos.portals).await else { return };
    let rows: Vec<Vec<CardRow>> = world.emulator.portals().iter().map(Portal::rows).collect();
    // Half a second for each write, in which a worker may die.
    let slow = json!([{
        "method": "batch", "inside": "crm.lead.details.configuration.reset", "do": "slow", "ms": 500
    }]);
    world.emulator.portals().iter().for_each(|portal| portal.set_faults(&slow).unwrap());
    let mut workers: Vec<Running> = (0..chaos.workers).map(|_| world.worker()).collect();
    let mut client = world.client().await;
    let (fleets, mut freed) = (PostgresFleets::new(world.database()), 0);
    let begun = Instant::now();
    let (mut last_kill, mut kills, mut crashes) = (Instant::now(), 0_usize, chaos.crashes.iter());
    let mut next_crash = crashes.next();
    let mut stopped: Option<(Running, Instant)> = None;
    while begun.elapsed() < chaos.lasts {
        tokio::time::sleep(Duration::from_millis(200)).await;
        if next_rounds(&client, world.emulator.portals(), &rows).await.is_err() {
            client = world.client().await;
        }
        freed += free(&client, &fleets).await.unwrap_or_default();
        if let Some((at, lasts)) = next_crash
            && begun.elapsed() > Duration::from_secs(*at)
        {
            world.server.crash();
            tokio::time::sleep(Duration::from_secs(*lasts)).await;
            world.server.restart();
            next_crash = crashes.next();
        }
        if stopped.as_ref().is_some_and(|(_, at)| at.elapsed() > Duration::from_secs(8)) {
            // Its lease is over, and another worker has its portals.
            let (worker, _) = stopped.take().unwrap();
            worker.signal("-CONT");
            workers.push(worker);
        }
        if last_kill.elapsed() > chaos.kill_every {
            let worker = workers.remove(0);
            if kills % 3 == 1 && stopped.is_none() {
                worker.signal("-STOP");
                stopped = Some((worker, Instant::now()));
            } else {
                drop(worker);
            }
            while workers.len() < chaos.workers {
                workers.push(world.worker());
            }
            (last_kill, kills) = (Instant::now(), kills + 1);
        }
    }
    if let Some((worker, _)) = stopped {
        worker.signal("-CONT");
        workers.push(worker);
    }
    // The rest recover what is left, each portal in its next round, and stop in order.
    let open = "exists (select from recard.run where run.portal = portal.portal and not exists \
        (select from recard.journal where journal.portal = run.portal and journal.run = run.run \
        and line like '%\"closed\"%'))";
    let due = format!("update recard.portal set due = now() where claim is null and {open}");
    let left = format!("select count(*) from recard.portal where claim is not null or {open}");
    let quiet = Instant::now();
    while client.query_one(&left, &[]).await.unwrap().get::<_, i64>(0) > 0 {
        freed += free(&client, &fleets).await.unwrap();
        client.execute(&due, &[]).await.unwrap();
        if quiet.elapsed() > Duration::from_secs(60).max(chaos.lasts) {
            let states = "select coalesce(parked, ''), attempts, count(*) from recard.portal \
                          group by 1, 2 order by 1, 2";
            let states = client.query(states, &[]).await.unwrap();
            let states: Vec<(String, i32, i64)> =
                states.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
            panic!("runs are left open after {kills} kills: {states:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    workers.iter().for_each(|worker| worker.signal("-TERM"));
    for worker in &mut workers {
        worker.0.wait().unwrap();
    }
    check(&world, &client, kills, freed).await;
}

/// Content of all journals.
#[derive(Default)]
pub(super) struct Journals {
    /// Resets by portal.
    done: BTreeMap<String, u64>,
    /// Runs, and `true` for those without an end.
    open: BTreeMap<(String, String), bool>,
    /// Number of runs that another worker took over.
    pub(super) taken_over: u32,
}

impl Journals {
    /// Reads them. Requires that no worker wrote after another one took over.
    pub(super) async fn read(client: &Client) -> Self {
        let lines = "select portal, run, number, token, line from recard.journal \
                     order by portal, run, number";
        let mut found = Self::default();
        let mut last: Option<(String, i64)> = None;
        for row in client.query(lines, &[]).await.unwrap() {
            let (portal, run, token): (String, String, i64) = (row.get(0), row.get(1), row.get(3));
            let line: String = row.get(4);
            if let Some((before, earlier)) = &last
                && *before == portal
            {
                assert!(*earlier <= token, "{portal} {run}: {earlier} wrote after {token}\n{line}");
                found.taken_over += u32::from(*earlier < token && row.get::<_, i32>(2) > 1);
            }
            last = Some((portal.clone(), token));
            let reset = [r#""outcome":"reset""#, r#""outcome":"reset-unseen""#];
            let resets: usize = reset.iter().map(|word| line.matches(word).count()).sum();
            *found.done.entry(portal.clone()).or_default() += resets as u64;
            found.open.insert((portal, run), !line.contains(r#""closed""#));
        }
        found
    }

    /// Requires that each reset of the portals stands in them, and that every run has ended.
    pub(super) fn check(&self, portals: &[Portal]) {
        let unfinished: Vec<_> = self.open.iter().filter(|(_, is_open)| **is_open).collect();
        assert!(unfinished.is_empty(), "{unfinished:?}");
        for portal in portals {
            let removed = portal.counters().rows_removed;
            let known = self.done.get(portal.host()).copied().unwrap_or_default();
            assert_eq!(removed, known, "{}: resets and outcomes in journals", portal.host());
            assert!(portal.complaints().is_empty(), "{:?}", portal.complaints());
        }
    }
}

/// Checks that each reset stands in the journal of the worker that held the portal, and no other.
#[allow(clippy::print_stdout, reason = "the figures of the full form")]
async fn check(world: &World, client: &Client, kills: usize, freed: usize) {
    let journals = Journals::read(client).await;
    let (resets, taken_over): (u64, _) = (journals.done.values().sum(), journals.taken_over);
    let runs = journals.open.len();
    println!("{kills} kills, {runs} runs, {taken_over} taken over, {resets} resets, {freed} freed");
    journals.check(world.emulator.portals());
    for portal in world.emulator.portals() {
        let removed = portal.counters().rows_removed;
        assert!(removed >= 4, "{} had {removed} resets", portal.host());
    }
    assert!(kills >= 3 && taken_over > 0, "{kills} kills, {taken_over} runs taken over");
}

/// Waits until a statement that counts finds something.
pub(super) async fn wait_for_one(client: &Client, counting: &str, what: &str) {
    let begun = Instant::now();
    while client.query_one(counting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Counts intents of runs.
pub(super) const INTENTS: &str =
    "select count(*) from recard.journal where line like '%\"intent\"%'";

/// Counts portals that a second claim has ended.
pub(super) const TAKEN_OVER: &str =
    "select count(*) from recard.portal where claim is null and token > 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_was_stopped_past_its_lease_sends_the_write_no_more() {
    let Some(world) = World::start(1).await else { return };
    let (portal, client) = (&world.emulator.portals()[0], world.client().await);
    let rows = portal.rows();
    // It has its intent in the journal, and waits for the rate limiter before it sends the write.
    let slow = world.worker_over(&world.url, "3,0.25");
    wait_for_one(&client, INTENTS, "no intent").await;
    slow.signal("-STOP");
    assert_eq!(portal.counters().rows_removed, 0, "the write waits");
    let other = world.worker();
    wait_for_one(&client, TAKEN_OVER, "no other worker took over").await;
    drop(other);
    // Recovered and reset by the other one; since then people have customized the cards again.
    assert_eq!(portal.counters().rows_removed, 2);
    rows.iter().for_each(|row| portal.put_row(row.clone()));
    slow.signal("-CONT");
    // Its wait for the limiter is over long before that.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(portal.counters().rows_removed, 2, "an old holder wrote");
    assert_eq!(portal.rows().len(), rows.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_are_killed_and_stopped_write_nothing_after_their_lease() {
    run(Chaos {
        portals: 24,
        workers: 3,
        lasts: Duration::from_secs(32),
        kill_every: Duration::from_secs(4),
        crashes: &[(14, 3)],
    })
    .await;
}

/// The full form: `cargo test --release --features postgres --test integration -- --ignored
/// workers_of_the_full_chaos --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes three minutes; the full form"]
async fn workers_of_the_full_chaos_write_nothing_after_their_lease() {
    run(Chaos {
        portals: 300,
        workers: 3,
        lasts: Duration::from_secs(180),
        kill_every: Duration::from_secs(8),
        crashes: &[(50, 4), (110, 10)],
    })
    .await;
}
