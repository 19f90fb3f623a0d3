//! Whole program, as a process, against the emulator in another process: its time as a ratio of the
//! lower bound that the portal's limits allow.
//!
//! ```sh
//! cargo bench --bench program              # a quick table, some two minutes
//! cargo bench --bench program -- all       # the whole table, some fifty minutes
//! cargo bench --bench program -- faults    # one part: sizes, 250, 1000, 2500, 10000, foreign, full, faults, start, memory, restore, fleet, worker
//! cargo bench --bench program -- 10000 enterprise    # of one size, the lines of one limit: standard or enterprise
//! cargo bench --bench program --features postgres -- calm    # workers on PostgreSQL, some six minutes
//! ```
//!
//! Everything is a ratio of two times of one run, since machines differ and are noisy. The bound
//! and its derivation stand in `bound.rs`. Where a line of the quick table says `×10`, the portal's
//! limits and the time of a command were both made ten times as quick, to measure a long run in a
//! short one; what recard itself costs then weighs ten times as much.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and cannot go on without its processes"
)]

mod bound;
#[cfg(feature = "postgres")]
#[allow(dead_code, unreachable_pub, reason = "the tests need more of the server than this")]
#[path = "../../tests/integration/support/browser.rs"]
mod browser;
#[cfg(feature = "postgres")]
mod calm;
mod faults;
mod fleet;
mod kind;
#[cfg(feature = "postgres")]
#[allow(dead_code, unreachable_pub, reason = "the tests need more of the server than this")]
#[path = "../../tests/integration/support/postgres.rs"]
mod postgres;
mod process;
mod worker;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bound::{Bound, Phase};
use kind::Kind;
use process::{Cards, Place, Portal, Taken, say};

/// Number of connections that recard keeps busy.
const CONNECTIONS: u64 = 8;

/// Cards that are reset or stored in a request: three commands each.
const WRITES: u64 = 16;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "--alone"
    {
        std::process::exit(process::alone(rest));
    }
    let wanted =
        |part: &str| arguments.iter().any(|argument| argument == part || argument == "all");
    let quick = arguments.is_empty();
    let sizes_wanted: Vec<u64> =
        SIZES.into_iter().filter(|users| wanted("sizes") || wanted(&users.to_string())).collect();
    if quick {
        sizes(&[(250, Kind::standard(1.0, 10)), (2_500, Kind::standard(10.0, 10))]).await;
    } else if !sizes_wanted.is_empty() {
        // The name of a limit leaves out the other one.
        let named = KINDS.iter().any(|kind| wanted(kind.name));
        let kinds: Vec<Kind> =
            KINDS.into_iter().filter(|kind| !named || wanted(kind.name)).collect();
        let all = |users: u64| kinds.iter().map(move |kind| (users, *kind));
        sizes(&sizes_wanted.into_iter().flat_map(all).collect::<Vec<_>>()).await;
    }
    if wanted("restore") {
        restore().await;
    }
    if wanted("foreign") {
        foreign().await;
    }
    if quick || wanted("full") {
        full().await;
    }
    if quick || wanted("faults") {
        faults::faults().await;
    }
    if quick || wanted("start") {
        start();
    }
    if wanted("memory") {
        memory().await;
    }
    if wanted("fleet") {
        fleet::fleet().await;
    }
    if wanted("worker") {
        worker::worker().await;
    }
    #[cfg(feature = "postgres")]
    if wanted("calm") {
        calm::calm().await;
    }
}

/// Numbers of people on the portals.
const SIZES: [u64; 4] = [250, 1_000, 2_500, 10_000];

/// Number of people of whom 2,500 cards are reset.
const RESTORE_USERS: u64 = 4_167;

/// The portals of the whole table: both limits, and quick and slow commands. They do not limit
/// operating time, of which commands of less than 0.1 s cost nothing (behavior notes, section 10).
const KINDS: [Kind; 4] = [
    Kind::standard(1.0, 10),
    Kind::enterprise(1.0, 10),
    Kind::standard(1.0, 50),
    Kind::enterprise(1.0, 50),
];

/// Measures the duration of a request without commands: the median of some.
async fn request_time(portal: &Portal) -> f64 {
    let mut times = Vec::new();
    for _ in 0..9 {
        times.push(portal.request(0).await.1);
    }
    times.sort_by(f64::total_cmp);
    portal.forget().await;
    times[times.len() / 2]
}

/// Seconds from which a read is repeated ahead of its reset.
const MAX_READ_AGE: f64 = 300.0;

/// The reads of a plan: everybody's two cards, and the pages of the list of people.
fn reads(users: u64) -> Phase {
    Phase { calls: 2 * users + users.div_ceil(50) + 1, most: 50 }
}

/// Resets of cards, or stores.
fn writes(cards: u64) -> Phase {
    Phase { calls: 3 * cards, most: 3 * WRITES }
}

/// The cards that must be read again ahead of their resets, because these leave more than five
/// minutes after the first read.
fn stale(removed: u64, reads_seconds: f64, all_seconds: f64) -> u64 {
    let late = (all_seconds - MAX_READ_AGE).max(0.0) / (all_seconds - reads_seconds).max(0.001);
    (removed as f64 * late.min(1.0)).ceil() as u64
}

struct Row {
    title: String,
    taken: Taken,
    bound: Bound,
    requests: u64,
    refused: u64,
}

impl Row {
    fn head(what: &str) {
        println!("\n### {what}\n");
        println!(
            "| work | wall s | bound s | ratio | requests / least | refused | CPU s | peak MiB |"
        );
        println!("|---|---|---|---|---|---|---|---|");
    }

    fn print(&self) {
        let Self { title, taken, bound, requests, refused } = self;
        println!(
            "| {title} | {:.2} | {:.2} | {:.3} | {requests} / {} = {:.3} | {refused} | {:.2} | {:.0} |",
            taken.wall,
            bound.seconds,
            taken.wall / bound.seconds,
            bound.requests,
            *requests as f64 / bound.requests as f64,
            taken.processor(),
            taken.peak_mib
        );
    }
}

/// `plan`, and `apply` with its plan, each on a portal that nobody has used.
async fn sizes(kinds: &[(u64, Kind)]) {
    Row::head("plan, and plan + apply, alone on a quiet portal");
    for (users, kind) in kinds {
        for apply in [false, true] {
            let portal = kind.portal(*users).await;
            let request = request_time(&portal).await;
            let place = Place::new(&portal, *users);
            let rate = kind.rate();
            let mut arguments =
                vec!["plan", "-f", "bench.yaml", "--rate", &rate, "--operating-share", "1"];
            if apply {
                arguments[0] = "apply";
                arguments.push("--auto-approve");
            }
            tokio::time::sleep(Duration::from_secs_f64(10.0 / (kind.per_second * kind.scale)))
                .await;
            let taken = place.measure(&portal.webhook, &arguments).await;
            assert_eq!(taken.code, 0, "{}", place.said());
            let removed = portal.counter("rows_removed").await;
            let mut phases = vec![reads(*users)];
            if apply {
                let alone = kind.bound(&phases, kind.burst, request).seconds;
                phases.push(writes(removed));
                let all = kind.bound(&phases, kind.burst, request).seconds;
                phases[0].calls += stale(removed, alone, all);
            }
            Row {
                title: format!(
                    "{}: {}",
                    kind.title(*users),
                    if apply { "plan + apply" } else { "plan" }
                ),
                taken,
                bound: kind.bound(&phases, kind.burst, request),
                requests: portal.counter("requests").await,
                refused: portal.counter("refused_by_rate").await,
            }
            .print();
        }
    }
}

/// Measures the restore of 2,500 cards by a new process, after the counter has leaked away. A write
/// is a batch of `get`, `set` and `get`; the plan of the restore reads each card once.
async fn restore() {
    Row::head("restore of 2,500 cards, alone on a quiet portal");
    for kind in KINDS {
        let portal = kind.portal(RESTORE_USERS).await;
        let request = request_time(&portal).await;
        let place = Place::new(&portal, RESTORE_USERS);
        let rate = kind.rate();
        let limits = ["--rate", &rate, "--operating-share", "1", "--auto-approve"];
        let apply = [&["apply", "-f", "bench.yaml"][..], &limits].concat();
        let taken = place.measure(&portal.webhook, &apply).await;
        assert_eq!(taken.code, 0, "{}", place.said());
        let cards = portal.counter("rows_removed").await;
        portal.forget().await;
        tokio::time::sleep(Duration::from_secs_f64(kind.burst / kind.per_second + 10.0)).await;
        let restore = [&["restore", "last", "--all"][..], &limits].concat();
        let taken = place.measure(&portal.webhook, &restore).await;
        assert_eq!(taken.code, 0, "{}", place.said());
        let phases = [Phase { calls: cards, most: 50 }, writes(cards)];
        Row {
            title: format!("{cards} cards, {}, {} ms", kind.name, kind.command.as_millis()),
            taken,
            bound: kind.bound(&phases, kind.burst, request),
            requests: portal.counter("requests").await,
            refused: portal.counter("refused_by_rate").await,
        }
        .print();
    }
}

/// Measures runs beside another program that sends a request every two seconds.
async fn foreign() {
    Row::head("plan + apply, while another program takes 0.5 requests a second");
    let (users, kind) = (2_500, Kind::standard(1.0, 10));
    let portal = std::sync::Arc::new(kind.portal(users).await);
    let request = request_time(&portal).await;
    let place = Place::new(&portal, users);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let other = {
        let portal = std::sync::Arc::clone(&portal);
        tokio::spawn(async move {
            let mut refused = 0_u64;
            let mut sent = 0_u64;
            loop {
                sent += 1;
                refused += u64::from(portal.request(1).await.0 != 200);
                FOREIGN.store(sent << 32 | refused, std::sync::atomic::Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        })
    };
    let taken = place
        .measure(
            &portal.webhook,
            &["apply", "-f", "bench.yaml", "--rate", &kind.rate(), "--auto-approve"],
        )
        .await;
    other.abort();
    assert_eq!(taken.code, 0, "{}", place.said());
    let foreign = FOREIGN.load(std::sync::atomic::Ordering::Relaxed);
    let removed = portal.counter("rows_removed").await;
    let slower = Kind { per_second: kind.per_second - 0.5, ..kind };
    Row {
        title: kind.title(users),
        taken,
        bound: slower.bound(&[reads(users), writes(removed)], kind.burst, request),
        requests: portal.counter("requests").await - (foreign >> 32),
        refused: portal.counter("refused_by_rate").await - (foreign & 0xffff_ffff),
    }
    .print();
}

/// Requests of the other program, and those that were refused.
static FOREIGN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// A process that finds the counter full, with and without what the one before it has kept.
async fn full() {
    Row::head("plan + apply by a new process, right after a plan has filled the counter");
    let (users, kind) = (1_500, Kind::standard(1.0, 10));
    for kept in [true, false] {
        let portal = kind.portal(users).await;
        let request = request_time(&portal).await;
        let place = Place::new(&portal, users);
        let rate = kind.rate();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let first =
            place.measure(&portal.webhook, &["plan", "-f", "bench.yaml", "--rate", &rate]).await;
        assert_eq!(first.code, 0, "{}", place.said());
        let before = portal.counter("requests").await;
        let room =
            kind.burst - (before as f64 - kind.per_second * first.wall).clamp(0.0, kind.burst);
        portal.forget().await;
        if !kept {
            forget_levels(&place.path().join(".recard"));
        }
        let taken = place
            .measure(
                &portal.webhook,
                &["apply", "-f", "bench.yaml", "--rate", &rate, "--auto-approve"],
            )
            .await;
        assert_eq!(taken.code, 0, "{}", place.said());
        let removed = portal.counter("rows_removed").await;
        let phases = [reads(users), writes(removed)];
        let title = if kept { "with the level that was kept" } else { "without it" };
        Row {
            title: format!("{}, {title}", kind.title(users)),
            taken,
            bound: kind.bound(&phases, room, request),
            requests: portal.counter("requests").await,
            refused: portal.counter("refused_by_rate").await,
        }
        .print();
    }
}

fn forget_levels(folder: &std::path::Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            forget_levels(&path);
        } else if path.ends_with("limiter.json") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// Measures the time from the start of the process to the first byte of its first request.
fn start() {
    println!("\n### From the start of the process to its first request\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let manifest = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: bench, reason: to measure }}\nspec:\n  portal: \
         {authority}\n  personal:\n    - users: {{ ids: [7] }}\n      leadCustomerTypes: [simple]\n"
    );
    recard::store::write_whole(&folder.path().join("bench.yaml"), manifest.as_bytes()).unwrap();
    let mut times = Vec::new();
    for _ in 0..11 {
        let started = Instant::now();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_recard"));
        command.args(["plan", "-f", "bench.yaml"]).current_dir(folder.path()).env_clear();
        command.env("RECARD_WEBHOOK_URL", format!("http://{authority}/rest/1/notasecret000001/"));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        let refusal = br#"{"error":"INVALID_CREDENTIALS","error_description":"no"}"#;
        let head = format!(
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\nconnection: close\r\n",
            refusal.len()
        );
        stream
            .write_all(format!("{head}content-type: application/json\r\n\r\n").as_bytes())
            .unwrap();
        stream.write_all(refusal).unwrap();
        // The rest of the request is read, so that the answer is not cut.
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
        let _ = stream.read_to_end(&mut Vec::new());
        child.wait().unwrap();
    }
    times.sort_by(f64::total_cmp);
    println!(
        "{:.1} ms in the middle of {}, {:.1} ms at best.",
        times[times.len() / 2],
        times.len(),
        times[0]
    );
}

/// Processor and memory without limits, for three sizes. The state of a portal for 100,000 people
/// is too large to be put into it anew, so that they have the cards of the seed.
async fn memory() {
    println!("\n### Processor and memory, a portal without limits\n");
    println!("| users | layouts | work | CPU s | CPU ms per 1,000 cards | peak MiB |");
    println!("|---|---|---|---|---|---|");
    for (users, cards, name) in [
        (1_000, Cards::Shared, "shared"),
        (10_000, Cards::Shared, "shared"),
        (100_000, Cards::Shared, "shared"),
        (1_000, Cards::Different, "all different"),
        (10_000, Cards::Different, "all different"),
    ] {
        say(&format!("{users} users"));
        let portal = Portal::start(users, "off", Duration::ZERO, cards).await;
        let place = Place::new(&portal, users);
        for work in ["plan", "apply"] {
            let mut arguments = vec![work, "-f", "bench.yaml", "--rate", "unlimited"];
            if work == "apply" {
                arguments.push("--auto-approve");
            }
            let taken = place.measure(&portal.webhook, &arguments).await;
            assert_eq!(taken.code, 0, "{}", place.said());
            println!(
                "| {users} | {name} | {work} | {:.2} | {:.1} | {:.0} |",
                taken.processor(),
                taken.processor() * 1000.0 / (2.0 * users as f64 / 1000.0),
                taken.peak_mib
            );
        }
    }
}
