//! Workers on a database, over emulated portals.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use recard::diagnostic::Source;
use recard::emulator::{Emulator, EmulatorOptions, Portal};
use recard::i18n::Text;
use recard::manifest::{FleetFiles, StopRule, load_fleet};
use recard::ports::{FleetState as _, Publication, PublishedPortal, Publisher, RolloutWave};
use recard::records::fleet::FleetRevision;
use recard::store::postgres::{Database, DatabaseAccess, DatabaseAddress, PostgresFleets};
use tokio_postgres::{Client, NoTls};

use crate::support::env::TestEnv;
use crate::support::postgres::Server;

const CARD: &str = "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: { name: card, reason: test }\nspec:\n  \
                    personal: [{ users: { ids: [8, 12] }, leadCustomerTypes: [simple] }]\n";

/// Lease of the workers: short, so that much happens in little time.
pub(super) const LEASE: Duration = Duration::from_secs(6);

/// Portals with a run that has not ended.
pub(super) const OPEN: &str = "exists (select from recard.run where run.portal = portal.portal and not exists \
     (select from recard.journal where journal.portal = run.portal and journal.run = run.run \
     and line like '%\"closed\"%'))";

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
    pub(super) env: TestEnv,
    pub(super) server: Server,
    pub(super) url: String,
}

impl World {
    /// Starts portals whose rounds are so rare that a test sees only those that it makes due.
    pub(super) async fn start(portals: u32) -> Option<Self> {
        Self::with_interval(portals, Duration::from_secs(900)).await
    }

    /// Starts portals with this interval between their rounds.
    pub(super) async fn with_interval(portals: u32, every: Duration) -> Option<Self> {
        let server = tokio::task::spawn_blocking(|| Server::start(&[])).await.unwrap()?;
        let number = NonZeroU32::new(portals);
        let options = EmulatorOptions { portals: number, ..EmulatorOptions::default() };
        let emulator = Emulator::start_with(options).await.unwrap();
        let env = TestEnv::new();
        env.file("card.yaml", CARD);
        std::fs::create_dir(env.at("secrets")).unwrap();
        let mut text = format!(
            "apiVersion: recard/v1\nkind: Fleet\nmetadata: {{ name: test, reason: Test }}\nspec:\n  \
             defaults: {{ manifests: [card.yaml], webhook: {{ file: \"{{portal}}\" }}, every: {}s }}\n  \
             portals:\n",
            every.as_secs()
        );
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

    pub(super) fn database(&self) -> Database {
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
            max_people: None,
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
        let mut child = self.command(store, rate).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let begun = lines.find(|line| line.contains("reconciles up to"));
        assert!(begun.is_some(), "the worker did not start");
        std::thread::spawn(move || lines.for_each(drop));
        Running(child)
    }

    /// Returns the command of a worker.
    pub(super) fn command(&self, store: &str, rate: &str) -> Command {
        let lease = format!("{}s", LEASE.as_secs());
        let arguments = ["worker", "--secrets", "secrets", "--rate", rate, "--lease", &lease];
        let mut command = self.env.command(&arguments);
        command.args(["--store", store]).stdout(Stdio::null());
        command
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

/// Content of all journals.
#[derive(Default)]
pub(super) struct Journals {
    /// Resets by portal.
    pub(super) done: BTreeMap<String, u64>,
    /// Runs, and `true` for those without an end.
    pub(super) open: BTreeMap<(String, String), bool>,
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
