//! Log lines of the library, in a process of its own: the subscriber is that of the whole process,
//! so that no call is missed.

use std::sync::{Arc, Mutex};

use recard::emulator::Emulator;
use recard::portal::{HttpPortal, PortalSettings, WebhookUrl};
use recard::ports::ReadPortal as _;
use serde_json::json;

use crate::support::env::CommandOutput;
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
