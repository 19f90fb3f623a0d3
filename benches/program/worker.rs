//! Isolation in a worker: how late the rounds of healthy portals begin while others hang.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fleet::portals;
use crate::process::{Place, RECARD, Running, say};

/// Number of portals that answer.
const PORTALS: usize = 200;
/// Interval of their rounds, in seconds.
const EVERY: u64 = 5;
/// Time of the measurement; the first part is not counted.
const LASTS: Duration = Duration::from_secs(75);
const WARM_UP: usize = 30;

/// Measures `recard worker` on a folder, without and with portals that hang.
pub(crate) async fn worker() {
    println!(
        "| worker, {PORTALS} portals every {EVERY} s, 200 slots | rounds | late, median | 99 % | most | peak |"
    );
    println!("|---|---|---|---|---|---|");
    for hanging in [0, PORTALS / 4] {
        say(&format!("worker: {hanging} portals hang"));
        row(hanging).await;
    }
    println!("| wanted | | | 0.50 s | | 64 MiB |\n");
}

async fn row(hanging: usize) {
    let place = Place::empty();
    let _emulator = portals(&place, PORTALS).await;
    // Connections to these portals are accepted, and never answered.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            kept.push(stream);
        }
    });
    let fleet = std::fs::read_to_string(place.path().join("fleet/fleet.yaml")).unwrap();
    let mut more = format!("    every: {EVERY}s\n  portals:\n");
    for number in 0..hanging {
        let host = format!("silent{number:04}.localhost:{port}");
        let _ = writeln!(more, "    - portal: \"{host}\"");
        more.push_str("      values: { people: { ids: [8, 12] } }\n");
        let webhook = format!("http://{host}/rest/1/silent0000000001/");
        let name = format!("fleet/secrets/{}", host.replace(':', "_"));
        place.write(&name, webhook.as_bytes());
    }
    place.write("fleet/fleet.yaml", fleet.replace("  portals:\n", &more).as_bytes());
    let log = std::fs::File::create(place.path().join("log")).unwrap();
    let mut worker = Command::new(RECARD);
    worker.args(["worker", "-f", "fleet/fleet.yaml", "--secrets", "fleet/secrets"]);
    worker.args(["--rate", "unlimited", "--portal-deadline", "10s", "--log-format", "json"]);
    worker.current_dir(place.path()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    let worker = Running::start(worker.stderr(log));
    tokio::time::sleep(LASTS).await;
    let peak = worker.peak_mib();
    drop(worker);
    accepting.abort();
    let mut late = late(&place, "log", PORTALS * WARM_UP / usize::try_from(EVERY).unwrap());
    late.sort_by(f64::total_cmp);
    assert!(late.len() > PORTALS, "{} rounds", late.len());
    println!(
        "| {hanging} more hang | {} | {:.2} s | {:.2} s | {:.2} s | {peak:.0} MiB |",
        late.len(),
        share(&late, 50),
        share(&late, 99),
        share(&late, 100),
    );
}

/// Returns how late the rounds in the log of a worker began, in seconds, without those of portals
/// that hang, and without the first ones.
pub(crate) fn late(place: &Place, log: &str, warm: usize) -> Vec<f64> {
    let log = std::fs::read_to_string(place.path().join(log)).unwrap();
    log.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|line| line["message"] == "round")
        .filter(|line| line["portal"].as_str().is_some_and(|name| !name.starts_with("silent")))
        .map(|line| line["overdue_milliseconds"].as_f64().unwrap() / 1000.0)
        .skip(warm)
        .collect()
}

/// Returns the number below which so many percent of sorted numbers lie.
pub(crate) fn share(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}
