//! Workers on PostgreSQL over thousands of portals on which nothing changes: how late their rounds
//! begin, and what the server and the workers take.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use recard::store::postgres::{Database, DatabaseAccess, DatabaseAddress};

use crate::fleet::portals;
use crate::postgres::Server;
use crate::process::{Place, RECARD, Running, say};
use crate::worker::{late, share};

/// Number of workers.
const WORKERS: usize = 3;

/// Clock ticks of the kernel in a second (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

/// Measures `recard worker` on a server. A machine without one is told so.
pub(crate) async fn calm() {
    println!(
        "| calm, {WORKERS} workers | rounds | late, median | 99 % | most | server | a worker | largest peak |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (number, every) in [(2_000, 30), (5_000, 60)] {
        say(&format!("calm: {number} portals every {every} s"));
        if row(number, every).await.is_none() {
            println!("PostgreSQL is not installed");
            return;
        }
    }
    println!("| wanted | | | 0.50 s | | 0.30 cores | | 64 MiB |\n");
}

async fn row(number: usize, every: u64) -> Option<()> {
    let server = tokio::task::spawn_blocking(|| Server::start(&[])).await.unwrap()?;
    let url = server.url("postgres");
    let address = DatabaseAddress::parse(&url).unwrap();
    Database::new(address, &DatabaseAccess::default()).unwrap().migrate().await.unwrap();
    let place = Place::empty();
    let _emulator = portals(&place, number).await;
    // One wave: nothing is rolled out here.
    let fleet = std::fs::read_to_string(place.path().join("fleet/fleet.yaml")).unwrap();
    let (head, rest) = fleet.split_once("  portals:\n").unwrap();
    let (portals, _) = rest.split_once("  waves:\n").unwrap();
    let people = 2 * number;
    let guards =
        format!("  guards: {{ acknowledge: {{ portals: {number}, people: {people} }} }}\n");
    let fleet = format!("{head}    every: {every}s\n  portals:\n{portals}{guards}");
    place.write("fleet/fleet.yaml", fleet.as_bytes());
    let publish = ["fleet", "publish", "-f", "fleet/fleet.yaml", "--store", &url];
    let published = place.measure("", &publish).await;
    assert_eq!(published.code, 0, "{}", place.said());
    let workers: Vec<Running> = (0..WORKERS)
        .map(|worker| {
            let mut command = Command::new(RECARD);
            command.args(["worker", "--store", &url, "--secrets", "fleet/secrets"]);
            command.args(["--rate", "unlimited", "--log-format", "json"]);
            let log = std::fs::File::create(place.path().join(format!("log{worker}"))).unwrap();
            command.current_dir(place.path()).env_clear().stdin(Stdio::null());
            Running::start(command.stdout(Stdio::null()).stderr(log))
        })
        .collect();
    // All portals are due at once in the beginning.
    tokio::time::sleep(Duration::from_secs(every * 3 / 2)).await;
    let taken = || {
        let workers: f64 = workers.iter().map(|worker| ticks(worker.id(), false)).sum();
        (Instant::now(), ticks(server.process(), true) / TICKS, workers / TICKS)
    };
    let before = taken();
    tokio::time::sleep(Duration::from_secs(every * 2)).await;
    let after = taken();
    let seconds = (after.0 - before.0).as_secs_f64();
    let peak = workers.iter().map(Running::peak_mib).fold(0.0, f64::max);
    drop(workers);
    let warm = number / WORKERS * 3 / 2;
    let rounds = |worker: usize| late(&place, &format!("log{worker}"), warm);
    let mut late: Vec<f64> = (0..WORKERS).flat_map(rounds).collect();
    late.sort_by(f64::total_cmp);
    assert!(late.len() > number, "{} rounds", late.len());
    println!(
        "| {number} portals every {every} s | {} | {:.2} s | {:.2} s | {:.2} s | {:.2} cores | {:.2} cores | {peak:.0} MiB |",
        late.len(),
        share(&late, 50),
        share(&late, 99),
        share(&late, 100),
        (after.1 - before.1) / seconds,
        (after.2 - before.2) / seconds / WORKERS as f64,
    );
    Some(())
}

/// Returns the processor time of a process in ticks, with that of its children on request: those
/// that live, and those that ended.
fn ticks(process: u32, with_children: bool) -> f64 {
    let numbers = |process: u32| -> Option<Vec<u64>> {
        let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, rest) = text.rsplit_once(')')?;
        Some(rest.split_whitespace().skip(1).map(|word| word.parse().unwrap_or(0)).collect())
    };
    let own = numbers(process).unwrap();
    // User, system, and both of ended children (proc(5)); the parent is the first of these numbers.
    let mut sum: u64 = own[10..if with_children { 14 } else { 12 }].iter().sum();
    if with_children {
        let all = std::fs::read_dir("/proc").unwrap();
        let names = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let living = names.filter_map(numbers).filter(|one| one[0] == u64::from(process));
        sum += living.map(|one| one[10] + one[11]).sum::<u64>();
    }
    sum as f64
}
