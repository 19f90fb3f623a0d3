//! Log lines of the library, in a process of its own: the subscriber is that of the whole process,
//! so that no call is missed.

use std::sync::{Arc, Mutex};

use recard::emulator::Emulator;
use recard::portal::{HttpPortal, PortalSettings, WebhookUrl};
use recard::ports::ReadPortal as _;
use serde_json::{Value, json};

use crate::support::env::{CommandOutput, TestEnv};
use crate::support::process;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The name of the test that is run in a process of its own.
const SECOND: &str = "log_in_a_second_process";

#[test]
fn log_at_the_lowest_level_shows_no_secret() {
    let ended = process::of_its_own(module_path!(), SECOND).output().unwrap();
    let ended = CommandOutput::of(ended);
    assert!(ended.code == 0 && ended.stdout.contains("1 passed"), "{ended:?}");
}

#[tokio::test]
#[ignore = "is the second process of the test above"]
async fn log_in_a_second_process() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let emulator = Emulator::start().await.unwrap();
    emulator.set_faults(&json!([{"nth": 1, "do": "cut-before"}])).unwrap();
    let webhook = emulator.webhook_url(1).unwrap();
    let secret = webhook.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    let portal =
        HttpPortal::connect(WebhookUrl::parse(&webhook).unwrap(), PortalSettings::default())
            .unwrap();
    portal.reader().identify().await.unwrap();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("answered") && text.contains("status=200"), "{text}");
    assert!(!text.contains(&secret), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_format_json_needs_no_filter_and_every_line_names_run_portal_and_command() {
    let env = TestEnv::with_manifest("{ departments: [42] }").await;
    let arguments = ["reconcile", "-f", "lead.yaml", "--every", "1ms", "--rounds", "2", "--quiet"];
    let ended = env.run(&[&arguments[..], &["--log-format", "json"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let lines: Vec<Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = &lines[0]["span"]["run"];
    assert!(run.as_str().is_some_and(|run| run.len() == 8), "{run}");
    for line in &lines {
        let span = &line["span"];
        assert_eq!((&span["run"], &span["command"]), (run, &json!("reconcile")), "{line}");
        assert_eq!(span["portal"], json!(env.portal()), "{line}");
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
    let of = |message: &str| -> Vec<&Value> {
        lines.iter().filter(|line| line["message"] == message).collect()
    };
    let rounds = of("round ended");
    assert_eq!(rounds.len(), 2, "{ended:?}");
    assert_eq!((&rounds[1]["round"], &rounds[1]["result"]), (&json!(2), &json!("done")));
    let history = env.run(&["history", "--output", "json"]).stdout;
    let stored = of("run begun");
    assert_eq!(stored.len(), 1, "only the first round had something to do: {ended:?}");
    assert!(history.contains(stored[0]["stored_run"].as_str().unwrap()), "{history}");
    assert_eq!(of("ended")[0]["code"], 0);

    let mut command = env.command(&["plan", "-f", "missing.yaml"]);
    let failed = CommandOutput::of(command.env("RECARD_LOG", "recard=info").output().unwrap());
    let line = failed.stderr.lines().find(|line| line.contains("ERROR")).unwrap();
    assert!(line.contains("recard{command=\"plan\" run=\""), "{line}");
    assert!(env.run(&["plan", "-f", "lead.yaml", "--quiet"]).stderr.is_empty());
}
