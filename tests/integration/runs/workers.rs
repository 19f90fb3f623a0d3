//! `recard worker` over emulated portals and a folder: rounds, isolation, drain, recovery after a
//! kill.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use recard::model::PortalId;
use recard::records::fleet::QueueRow;
use recard::store::read_queue_row;
use serde_json::json;

use super::fleets::{Fleet, slow_down, wait_for_a_fault};
use super::reconcile::{Running, page};
use crate::support::env::TestEnv;

/// Longest wait of a test for something that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Worker of a test.
pub(super) struct Worker {
    process: Running,
    address: String,
    told: Arc<Mutex<String>>,
}

impl Worker {
    pub(super) fn start(fleet: &Fleet, more: &[&str]) -> Self {
        Self::start_on(&fleet.env, &[&["-f", "fleet.yaml"], more].concat())
    }

    /// Starts a worker on what is published, or on what the arguments name.
    pub(super) fn start_on(env: &TestEnv, more: &[&str]) -> Self {
        let mut command = env.command(&["worker", "--secrets", "secrets", "--rate", "unlimited"]);
        command.args(["--listen", "127.0.0.1:0"]).args(more);
        let mut process =
            Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let stderr = BufReader::new(process.0.stderr.take().unwrap());
        let mut talk = stderr.lines().map(Result::unwrap);
        let listening = talk.find(|line| line.starts_with("listening on ")).unwrap();
        let told = Arc::<Mutex<String>>::default();
        let into = Arc::clone(&told);
        std::thread::spawn(move || {
            talk.for_each(|line| *into.lock().unwrap() += &format!("{line}\n"))
        });
        let address = listening.split("http://").nth(1).unwrap().split(": ").next().unwrap();
        Self { process, address: address.to_owned(), told }
    }

    /// Returns what the worker said on stderr.
    pub(super) fn told(&self) -> String {
        self.told.lock().unwrap().clone()
    }

    pub(super) fn metric(&self, name: &str) -> f64 {
        self.known_metric(name).unwrap_or_else(|| panic!("{name}"))
    }

    /// Returns the value of a metric; `None` as long as it has none.
    fn known_metric(&self, name: &str) -> Option<f64> {
        let (_, text) = page(&self.address, "/metrics");
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// Returns the number of portals in a state; `None` before the queue was asked.
    pub(super) fn portals(&self, state: &str) -> Option<f64> {
        self.known_metric(&format!("recard_queue_portals{{state=\"{state}\"}}"))
    }

    pub(super) fn rounds(&self, result: &str) -> f64 {
        self.metric(&format!("recard_worker_rounds_total{{result=\"{result}\"}}"))
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.process.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Stops the worker, and waits for its end.
    pub(super) fn stop(&mut self) {
        self.signal("-TERM");
        self.code();
    }

    pub(super) fn code(&mut self) -> Option<i32> {
        self.process.0.wait().unwrap().code()
    }
}

/// Waits until something is so.
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn row(fleet: &Fleet, number: usize) -> QueueRow {
    let portal = PortalId::new(fleet.portal(number).host()).unwrap();
    read_queue_row(&fleet.env.at(".recard"), &portal).unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_resets_every_portal_but_one_without_a_secret() {
    let fleet = Fleet::start(20).await;
    std::fs::remove_file(fleet.env.at(fleet.secret(fleet.portal(7)))).unwrap();
    let mut worker = Worker::start(&fleet, &[]);
    wait_until("all rounds", || worker.rounds("succeeded") + worker.rounds("failed") >= 20.0);
    let expected: Vec<u64> = (1..=20).map(|number| if number == 7 { 0 } else { 2 }).collect();
    assert_eq!(fleet.removed(), expected);
    assert_eq!((worker.rounds("succeeded"), worker.rounds("failed")), (19.0, 1.0));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(page(&worker.address, path), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    }
    let (_, metrics) = page(&worker.address, "/metrics");
    super::metrics::check(&metrics);
    assert!(!metrics.contains("localhost"), "a label names a portal\n{metrics}");
    assert!(metrics.contains("recard_revision_info{revision=\"sha256:"), "{metrics}");
    let sent: u64 = fleet.emulator.portals().iter().map(|one| one.counters().requests).sum();
    assert_eq!(worker.metric("recard_requests_total{result=\"answered\"}"), sent as f64);
    assert_eq!(worker.metric("recard_throttled_total"), 0.0);
    let failing = row(&fleet, 7);
    assert_eq!((failing.state.failures, failing.state.attempts), (1, 0));
    let told = failing.state.row.unwrap();
    assert!(told.contains("cannot read the webhook") && told.contains("\"failed\""), "{told}");
    // A second worker on the folder is refused.
    let second = fleet.env.run(&["worker", "-f", "fleet.yaml", "--secrets", "secrets"]);
    assert_eq!(second.code, 6, "{second:?}");
    worker.signal("-TERM");
    assert_eq!(worker.code(), Some(143));
    assert!((1..=20).all(|number| row(&fleet, number).claim.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_takes_a_changed_fleet_and_keeps_the_last_valid_one() {
    let fleet = Fleet::start(2).await;
    let text = std::fs::read_to_string(fleet.env.at("fleet.yaml")).unwrap();
    let everywhere = "mode: drift\n      labels:";
    fleet.env.file("fleet.yaml", &text.replace("labels:", everywhere));
    let worker = Worker::start(&fleet, &[]);
    wait_until("a look at each", || worker.rounds("succeeded") >= 2.0);
    assert_eq!(fleet.removed(), [0, 0], "the mode drift only looks");
    fleet.env.file("fleet.yaml", "apiVersion: recard/v1\nkind: Fleet\n");
    fleet.env.file("fleet.yaml", &text);
    wait_until("a reset of each", || fleet.removed() == [2, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_is_told_to_stop_finishes_its_writes() {
    let fleet = Fleet::start(3).await;
    slow_down(fleet.portal(2), 1500);
    let mut worker = Worker::start(&fleet, &[]);
    wait_for_a_fault(fleet.portal(2));
    worker.signal("-TERM");
    assert_eq!(worker.code(), Some(143));
    assert_eq!(fleet.removed()[1], 2, "the request in flight was awaited");
    let told = row(&fleet, 2);
    assert_eq!((told.state.attempts, told.claim), (0, None));
    let portal = fleet.portal(2);
    let webhook = portal.webhook_url(1).unwrap();
    let history =
        fleet.env.command(&["history", "-o", "json"]).env("RECARD_WEBHOOK_URL", webhook).output();
    let history = String::from_utf8(history.unwrap().stdout).unwrap();
    assert!(!history.contains("unfinished"), "{history}");
    assert!(history.contains("worker, revision sha256:"), "{history}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_recovers_what_a_killed_one_left() {
    let fleet = Fleet::start(3).await;
    slow_down(fleet.portal(2), 60_000);
    let mut worker = Worker::start(&fleet, &[]);
    wait_for_a_fault(fleet.portal(2));
    worker.signal("-KILL");
    worker.code();
    assert_eq!(row(&fleet, 2).state.attempts, 1);
    fleet.portal(2).set_faults(&json!([])).unwrap();
    let worker = Worker::start(&fleet, &[]);
    wait_until("the others", || fleet.removed() == [2, 2, 2]);
    wait_until("its release", || row(&fleet, 2).state.attempts == 0);
    assert_eq!(worker.rounds("failed"), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_parks_a_portal_that_refuses_the_webhook_until_another_one_is_there() {
    let fleet = Fleet::start(2).await;
    let secret = fleet.secret(fleet.portal(1));
    let right = std::fs::read_to_string(fleet.env.at(&secret)).unwrap();
    let wrong = right.replace("emulator", "reloaded");
    assert_ne!(right, wrong);
    fleet.env.file(&secret, &wrong);
    let worker = Worker::start(&fleet, &[]);
    wait_until("the park", || worker.rounds("parked") >= 1.0);
    let parked = format!("{:?}", row(&fleet, 1).state.parked);
    assert!(parked.contains("WebhookRefused") && !parked.contains("reloaded"), "{parked}");
    fleet.env.file(&secret, &right);
    wait_until("the reset", || fleet.removed() == [2, 2]);
}
