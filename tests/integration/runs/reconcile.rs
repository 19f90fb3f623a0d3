//! `recard reconcile`: rounds of apply, one after the other, observed over HTTP and ended by a
//! signal.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};
use recard::model::PortalId;
use recard::ports::{Clock, LockOwner};
use recard::store::Store;

fn rows_removed(env: &TestEnv) -> u64 {
    env.emulator().counters().rows_removed
}

const TWO_ROUNDS: &[&str] = &["reconcile", "-f", "lead.yaml", "--every", "1ms", "--rounds", "2"];

/// A process that a test has started, and ends.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn page(address: &str, path: &str) -> (String, String) {
    let (head, body) = page_for(address, path, "*/*");
    (head.lines().next().unwrap().to_owned(), body)
}

/// Returns the head and the body of a page for a reader that accepts a type.
fn page_for(address: &str, path: &str, accepted: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("Host: {address}\r\nAccept: {accepted}\r\nConnection: close");
    write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcile_second_round_has_no_changes() {
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let ended = env.run(TWO_ROUNDS);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(rows_removed(&env), 3);
    assert!(
        ended.stdout.contains("Done: 3 of 3 cards")
            && ended.stdout.contains("No changes. 10 cards"),
        "{ended:?}"
    );
    assert!(ended.stderr.contains("round 1: done; the next one in"), "{ended:?}");
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcile_round_refused_by_a_guard_writes_nothing_and_continues() {
    let env = TestEnv::with_manifest("{ all: true }").await;
    let ended = env.run(TWO_ROUNDS);
    assert_eq!((ended.code, rows_removed(&env)), (4, 0), "{ended:?}");
    assert_eq!(ended.stderr.matches("blocked by guard `").count(), 2, "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcile_with_a_refused_webhook_ends() {
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let wrong =
        env.emulator().webhook_url(1).unwrap().replace("emulator00000001", "emulator99999999");
    let mut command = env.command(&["reconcile", "-f", "lead.yaml", "--every", "1h"]);
    let ended = CommandOutput::of(command.env("RECARD_WEBHOOK_URL", wrong).output().unwrap());
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.stderr.contains("the loop ends here") && !ended.stderr.contains("emulator99999999"),
        "{ended:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcile_round_on_a_locked_portal_writes_nothing() {
    struct Noon;
    impl Clock for Noon {
        fn now(&self) -> jiff::Timestamp {
            "2026-11-01T12:00:00Z".parse().unwrap()
        }
    }
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let store =
        Store::open(&env.at(".recard").into(), &PortalId::new(&env.portal()).unwrap()).unwrap();
    let owner = LockOwner {
        process: std::process::id(),
        host: "elsewhere".into(),
        actor: "somebody".into(),
        command: "apply".into(),
        since: "2026-11-01T12:00:00Z".into(),
    };
    let held = store.lock(owner, Arc::new(Noon)).await.unwrap();
    let ended = env.run(TWO_ROUNDS);
    assert_eq!((ended.code, rows_removed(&env)), (6, 0), "{ended:?}");
    drop(held);
    assert_eq!(env.run(TWO_ROUNDS).code, 0);
    assert_eq!(rows_removed(&env), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconcile_serves_metrics_and_ends_on_a_signal() {
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let mut command =
        env.command(&["reconcile", "-f", "lead.yaml", "--every", "1h", "--listen", "127.0.0.1:0"]);
    let mut running =
        Running(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut talk = BufReader::new(running.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listening = talk.find(|line| line.starts_with("listening on ")).unwrap();
    let address = listening.split("http://").nth(1).unwrap().split(": ").next().unwrap().to_owned();
    talk.find(|line| line.starts_with("round 1: done")).unwrap();

    assert_eq!(page(&address, "/healthz"), ("HTTP/1.1 200 OK".into(), "ok\n".into()));
    assert_eq!(page(&address, "/readyz").0, "HTTP/1.1 200 OK");
    assert_eq!(page(&address, "/else").0, "HTTP/1.1 404 Not Found");
    let (head, metrics) = page_for(&address, "/metrics", "*/*");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    super::metrics::check(&metrics);
    for line in [
        "recard_rounds_total{result=\"done\"} 1",
        "recard_rounds_total{result=\"error\"} 0",
        "recard_cards{decision=\"reset\"} 3",
        "recard_cards{decision=\"keep\"} 7",
        "recard_outcomes_total{outcome=\"done\"} 3",
        "recard_drift_cards{kind=\"customized\"} 3",
        "recard_last_run_cards{outcome=\"done\"} 3",
        "recard_requests_total{result=\"failed\"} 0",
        "recard_limit_wait_seconds_total{limit=\"rate\"} 0.0",
        "recard_round_duration_seconds_count 1",
        concat!("recard_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("recard_last_success_timestamp_seconds 1"), "{metrics}");
    let sent = metrics.lines().find_map(|line| {
        line.strip_prefix("recard_requests_total{result=\"answered\"} ")?.parse::<u64>().ok()
    });
    assert_eq!(sent, Some(env.emulator().counters().requests), "{metrics}");
    super::metrics::check_names(&metrics);
    let accepted = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;q=0.5,*/*;q=0.1";
    let (head, metrics) = page_for(&address, "/metrics", accepted);
    assert!(head.contains("content-type: application/openmetrics-text"), "{head}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");

    // The wait of an hour ends with the signal.
    assert!(
        Command::new("kill")
            .args(["-TERM", &running.0.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(running.0.wait().unwrap().code(), Some(143));
    assert_eq!(rows_removed(&env), 3);
    let after = env.run(&["doctor", "--output", "json"]);
    assert!(
        after.stdout.contains("none is unfinished") && after.stdout.contains("\"free\""),
        "{after:?}"
    );
}

#[test]
fn reconcile_usage_errors_come_before_the_first_round() {
    let env = TestEnv::quickstart();
    let run = |more: &[&str]| {
        env.run(&[&["reconcile", "--portal", "embedded", "--rounds", "1"], more].concat())
    };
    let reachable = run(&["-f", "lead.yaml", "--listen", "0.0.0.0:0"]);
    assert!(reachable.code == 1 && reachable.stderr.contains("--allow-remote"), "{reachable:?}");
    assert_eq!(run(&["-f", "lead.yaml", "--every", "0s"]).code, 64);
    assert_eq!(run(&["-f", "-"]).code, 64);
    assert_eq!(run(&["-f", "missing.yaml"]).code, 1);
    env.file("other.yaml", &QUICKSTART.replace("embedded", "other.example"));
    let other = run(&["-f", "other.yaml"]);
    assert!(other.code == 1 && other.stderr.contains("nothing was sent"), "{other:?}");
}
