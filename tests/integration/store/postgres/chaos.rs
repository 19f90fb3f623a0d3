//! Chaos: workers are killed and stopped and the server crashes, while people customize cards.
//!
//! The portals are reconciled by their own schedule. The full form is
//! `cargo test --release --features postgres --test integration -- --ignored
//! workers_of_the_full_chaos --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::{Duration, Instant};

use recard::emulator::{CardRow, Portal};
use recard::model::PortalId;
use recard::ports::FleetState as _;
use recard::store::postgres::PostgresFleets;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use tokio_postgres::{Client, Error, NoTls};

use super::round_watch::{Gap, RoundWatch, Span, time_of_day};
use super::workers::{Journals, LEASE, OPEN, Running, World};

/// Pause between two looks at the portals.
const TICK: Duration = Duration::from_millis(200);

/// Pause between two lines that tell of the queue.
const TOLD: Duration = Duration::from_secs(5);

/// Time for which a worker is stopped: longer than its lease.
const STOPPED: Duration = Duration::from_secs(8);

/// How long the chaos lasts, and over how much.
struct Chaos {
    portals: u32,
    every: Duration,
    workers: usize,
    lasts: Duration,
    /// A worker is killed each time.
    kill_every: Duration,
    /// The server crashes at these seconds, for so many.
    crashes: &'static [(u64, u64)],
    /// Share of the rounds that find cards which people have customized again.
    customized: f64,
    /// Fewest rounds of each portal.
    rounds: usize,
    /// The time between rounds has a limit, and no portal may be parked.
    is_timed: bool,
}

/// Everything that is killed, stopped and customized.
struct Stage<'a> {
    chaos: &'a Chaos,
    world: World,
    /// Cards of each portal, as people customize them.
    rows: Vec<Vec<CardRow>>,
    workers: Vec<Running>,
    stopped: Option<(Running, Instant)>,
    last_kill: Instant,
    started: usize,
    kills: usize,
    /// Workers that ended by themselves, and were started again.
    ended: usize,
    begun: Instant,
    /// Moment of the last crash, while the server is gone, and for how long it is.
    crashed: Option<(Instant, Duration)>,
    outages: Vec<Span>,
    crashes: std::slice::Iter<'static, (u64, u64)>,
}

impl<'a> Stage<'a> {
    fn new(chaos: &'a Chaos, world: World) -> Self {
        let rows = world.emulator.portals().iter().map(Portal::rows).collect();
        // Half a second for each write, in which a worker may die.
        let slow = json!([{
            "method": "batch", "inside": "crm.lead.details.configuration.reset", "do": "slow",
            "ms": 500
        }]);
        world.emulator.portals().iter().for_each(|portal| portal.set_faults(&slow).unwrap());
        let now = Instant::now();
        Self {
            chaos,
            world,
            rows,
            workers: Vec::new(),
            stopped: None,
            last_kill: now,
            started: 0,
            kills: 0,
            ended: 0,
            begun: now,
            crashed: None,
            outages: Vec::new(),
            crashes: chaos.crashes.iter(),
        }
    }

    /// Lets workers reset all portals, which are due at once. The chaos begins behind that.
    async fn reset_all(&mut self, client: &Client) {
        let left = "select count(*) from recard.portal where round_at is null";
        let begun = Instant::now();
        self.supervise();
        while client.query_one(left, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(begun.elapsed() < Duration::from_secs(300), "portals had no round");
            tokio::time::sleep(TICK).await;
        }
        say(&format!("{:?} for the first rounds, which reset all portals", begun.elapsed()));
        (self.begun, self.last_kill) = (Instant::now(), Instant::now());
    }

    /// Does what it is time for.
    fn step(&mut self) {
        self.supervise();
        self.crash();
        self.kill();
    }

    /// Starts workers until there are enough, as a supervisor does.
    fn supervise(&mut self) {
        let before = self.workers.len();
        self.workers.retain_mut(|worker| worker.0.try_wait().unwrap().is_none());
        self.ended += before - self.workers.len();
        while self.workers.len() < self.chaos.workers {
            let log = File::create(self.world.env.at(format!("log-{}", self.started))).unwrap();
            let mut command = self.world.command(&self.world.url, "unlimited");
            command.args(["--log-format", "json"]).stderr(log);
            self.workers.push(Running(command.spawn().unwrap()));
            self.started += 1;
        }
    }

    /// Kills the oldest worker, or stops it past its lease.
    fn kill(&mut self) {
        if self.stopped.as_ref().is_some_and(|(_, at)| at.elapsed() > STOPPED) {
            self.go_on();
        }
        if self.last_kill.elapsed() < self.chaos.kill_every {
            return;
        }
        if self.workers.is_empty() {
            return;
        }
        let worker = self.workers.remove(0);
        if self.kills % 3 == 1 && self.stopped.is_none() {
            worker.signal("-STOP");
            self.stopped = Some((worker, Instant::now()));
        } else {
            drop(worker);
        }
        self.last_kill += self.chaos.kill_every;
        self.kills += 1;
    }

    /// Lets a stopped worker go on: its lease is over, and other workers have its portals.
    fn go_on(&mut self) {
        if let Some((worker, _)) = self.stopped.take() {
            worker.signal("-CONT");
            self.workers.push(worker);
        }
    }

    /// Crashes the server, or starts it again.
    fn crash(&mut self) {
        if let Some((at, lasts)) = self.crashed {
            if at.elapsed() >= lasts {
                self.world.server.restart();
                self.crashed = None;
                self.outages.last_mut().unwrap().to = time_of_day();
            }
        } else if let Some((at, lasts)) = self.crashes.as_slice().first()
            && self.begun.elapsed() >= Duration::from_secs(*at)
        {
            self.outages.push(Span { from: time_of_day(), to: f64::INFINITY });
            self.world.server.crash();
            self.crashed = Some((Instant::now(), Duration::from_secs(*lasts)));
            self.crashes.next();
        }
    }

    /// Lets people customize cards again, of portals that no worker has at that time.
    async fn customize(&self, client: &Client) -> Result<(), Error> {
        let share = self.chaos.customized * TICK.as_secs_f64() / self.chaos.every.as_secs_f64();
        let portals = self.world.emulator.portals();
        let is_chosen = |_: &&Portal| rand::random_bool(share);
        let names: Vec<&str> = portals.iter().filter(is_chosen).map(Portal::host).collect();
        let text = format!(
            "select portal from recard.portal where portal = any($1) and claim is null \
             and due > now() + interval '1 second' and not {OPEN}"
        );
        let found = client.query(&text, &[&names]).await?;
        let found: BTreeSet<&str> = found.iter().map(|row| row.get(0)).collect();
        for (portal, rows) in portals.iter().zip(&self.rows) {
            if found.contains(portal.host()) {
                rows.iter().for_each(|row| portal.put_row(row.clone()));
            }
        }
        Ok(())
    }

    /// Ends the workers in order, after they have recovered what is left, each portal in its next
    /// round. Returns the portals that were parked, which a person has freed.
    async fn end(&mut self, client: &Client) -> Vec<String> {
        self.go_on();
        let parked = "select portal from recard.portal where parked is not null";
        let parked: Vec<String> =
            client.query(parked, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        let names: Vec<PortalId> = parked.iter().map(|name| PortalId::new(name).unwrap()).collect();
        let reasons = "select distinct parked || ' ' || coalesce(parked_text, '') \
                       from recard.portal where parked <> 'deaths'";
        let others = client.query(reasons, &[]).await.unwrap();
        let others: Vec<String> = others.iter().map(|row| row.get(0)).collect();
        assert_eq!(others, Vec::<String>::new(), "parked for another reason than deaths");
        if !names.is_empty() {
            // As `fleet retry` does.
            PostgresFleets::new(self.world.database()).retry(&names).await.unwrap();
        }
        let left = format!("select count(*) from recard.portal where {OPEN}");
        let quiet = Instant::now();
        while client.query_one(&left, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            self.supervise();
            let limit = Duration::from_secs(60).max(self.chaos.every * 4);
            assert!(quiet.elapsed() < limit, "runs are left open after {} kills", self.kills);
            tokio::time::sleep(TICK).await;
        }
        self.workers.iter().for_each(|worker| worker.signal("-TERM"));
        for worker in &mut self.workers {
            worker.0.wait().unwrap();
        }
        parked
    }

    /// Returns how late the rounds began, sorted, in seconds, and how the claims ended, as the
    /// workers told it.
    fn told(&self) -> (Vec<f64>, BTreeMap<String, usize>) {
        let (mut late, mut endings) = (Vec::new(), BTreeMap::new());
        for number in 0..self.started {
            let log = std::fs::read_to_string(self.world.env.at(format!("log-{number}"))).unwrap();
            for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
                if let (Some(milliseconds), Some(ending)) =
                    (line["overdue_milliseconds"].as_f64(), line["ending"].as_str())
                {
                    late.push(milliseconds / 1000.0);
                    *endings.entry(ending.to_owned()).or_default() += 1;
                }
            }
        }
        late.sort_by(f64::total_cmp);
        (late, endings)
    }
}

#[allow(clippy::print_stdout, reason = "the figures of the full form")]
fn say(text: &str) {
    println!("{text}");
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// Says what the queue holds.
async fn say_queue(client: &Client, stage: &Stage<'_>, watch: &RoundWatch) -> Result<(), Error> {
    let text = "select count(*) filter (where due <= now() and claim is null), \
        count(*) filter (where claim is not null), \
        count(*) filter (where attempts > 1 or attempts > 0 and coalesce(lease <= now(), true)), \
        count(*) filter (where failures > 0), \
        coalesce(extract(epoch from now() - min(due)), 0)::float8 \
        from recard.portal where parked is null";
    let row = client.query_one(text, &[]).await?;
    let count = |index: usize| row.get::<_, i64>(index);
    say(&format!(
        "{:>4} s: {} rounds, {} due, {} claimed, {} suspects, {} failing, {:.1} s overdue; {} kills",
        stage.begun.elapsed().as_secs(),
        watch.numbers().0,
        count(0),
        count(1),
        count(2),
        count(3),
        row.get::<_, f64>(4),
        stage.kills
    ));
    Ok(())
}

/// Lets workers die, and checks what they left.
async fn run(chaos: Chaos) {
    let Some(world) = World::with_interval(chaos.portals, chaos.every).await else { return };
    let url = world.url.clone();
    let mut client = world.client().await;
    let mut stage = Stage::new(&chaos, world);
    stage.reset_all(&client).await;
    let mut watch = RoundWatch::new(stage.world.emulator.portals(), time_of_day());
    let before = load();
    let mut told = Instant::now();
    while stage.begun.elapsed() < chaos.lasts || stage.crashed.is_some() {
        block_in_place(|| stage.step());
        tokio::time::sleep(TICK).await;
        let look = async {
            watch.look(&client, stage.world.emulator.portals()).await?;
            if told.elapsed() > TOLD {
                told = Instant::now();
                say_queue(&client, &stage, &watch).await?;
            }
            stage.customize(&client).await
        };
        if look.await.is_err()
            && let Ok((new, connection)) = tokio_postgres::connect(&url, NoTls).await
        {
            tokio::spawn(connection);
            client = new;
        }
    }
    watch.look(&client, stage.world.emulator.portals()).await.unwrap();
    let until = time_of_day();
    let parked = stage.end(&client).await;
    let mut gaps = watch.gaps(until, chaos.every, LEASE, &stage.outages);
    gaps.retain(|gap| !parked.contains(&gap.portal));
    let journals = Journals::read(&client).await;
    let (resets, taken_over): (u64, _) = (journals.done.values().sum(), journals.taken_over);
    let (rounds, fewest) = watch.numbers();
    let longest = gaps.iter().map(Gap::length).fold(0.0, f64::max);
    let (late, endings) = stage.told();
    let at = |share: usize| late.get((late.len().max(1) - 1) * share / 1000).copied();
    say(&format!(
        "{} kills, {} workers ended by themselves, {} crashes of the server; {taken_over} runs taken over",
        stage.kills,
        stage.ended,
        stage.outages.len()
    ));
    say(&format!(
        "{rounds} rounds and {} that failed, at least {fewest} of each portal; {} runs, {resets} resets",
        watch.failed,
        journals.open.len()
    ));
    say(&format!(
        "longest gap {longest:.1} s, {:.1} s {} what is allowed; {} gaps are too long; {} parked",
        gaps[0].excess.abs(),
        if gaps[0].excess > 0.0 { "beyond" } else { "below" },
        gaps.iter().filter(|gap| gap.excess > 0.0).count(),
        parked.len()
    ));
    say(&format!("{endings:?}; late: median {:?} s, 99 % {:?} s", at(500), at(990)));
    say(&format!("load before {before}, behind {}", load()));
    for gap in gaps.iter().take_while(|gap| gap.excess > 0.0).take(20) {
        let from = gap.span.from - watch.begun;
        say(&format!("{}: {:.1} s without a round from {from:.1} s on", gap.portal, gap.length()));
    }
    journals.check(stage.world.emulator.portals());
    for portal in stage.world.emulator.portals() {
        assert!(portal.counters().rows_removed >= 2, "{} was not reset", portal.host());
    }
    assert!(stage.kills >= 3 && taken_over > 0, "{taken_over} runs taken over");
    // A parked portal waits for a person.
    assert!(fewest >= chaos.rounds || !parked.is_empty(), "a portal had {fewest} rounds");
    if chaos.is_timed {
        assert!(gaps[0].excess <= 0.0, "{:?}", gaps[0]);
        assert_eq!(parked, Vec::<String>::new(), "healthy portals are parked");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_are_killed_and_stopped_write_nothing_after_their_lease() {
    run(Chaos {
        portals: 24,
        every: Duration::from_secs(2),
        workers: 3,
        lasts: Duration::from_secs(32),
        kill_every: Duration::from_secs(4),
        crashes: &[(14, 3)],
        customized: 1.0,
        rounds: 1,
        is_timed: false,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes three minutes; the full form"]
async fn workers_of_the_full_chaos_write_nothing_after_their_lease() {
    run(Chaos {
        portals: 2_000,
        every: Duration::from_secs(30),
        workers: 3,
        lasts: Duration::from_secs(180),
        kill_every: Duration::from_secs(8),
        crashes: &[(50, 4), (110, 10)],
        customized: 0.04,
        rounds: 5,
        is_timed: true,
    })
    .await;
}
