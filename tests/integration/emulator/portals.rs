//! Several portals behind one address, told apart by their host names.

use std::num::NonZeroU32;

use recard::emulator::{Emulator, EmulatorOptions, Portal, Seed, Tls};
use serde_json::{Value, json};

use crate::support::env::{CommandOutput, TestEnv};
use crate::support::raw::{host_of, send};

async fn three() -> Emulator {
    let options = EmulatorOptions { portals: NonZeroU32::new(3), ..EmulatorOptions::default() };
    Emulator::start_with(options).await.unwrap()
}

/// Plans one person on a portal with a webhook; returns exit code and stderr.
fn plan(portal: &Portal, webhook: &str) -> (i32, String) {
    let env = TestEnv::with_webhook(webhook);
    let manifest = format!(
        "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: one, reason: test }}\nspec:\n  portal: {}\n  \
         personal: [{{ users: {{ ids: [8] }}, leadCustomerTypes: [simple] }}]\n",
        portal.host()
    );
    env.file("lead.yaml", &manifest);
    let done = env.run(&["plan", "--rate", "unlimited", "lead.yaml"]);
    (done.code, done.stderr)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portals_of_one_address_have_their_own_webhooks_rows_and_faults() {
    let emulator = three().await;
    let [one, two, three] = emulator.portals() else { panic!("three portals") };
    let (_, port) = one.host().split_once(':').unwrap();
    assert_eq!(three.host(), format!("p0003.localhost:{port}"));
    assert_eq!(emulator.rest_url(), one.rest_url(), "the emulator stands for its first portal");

    two.set_faults(&json!([{"do": "expire-webhook"}])).unwrap();
    for (portal, code) in [(one, 0), (two, 1), (three, 0)] {
        let (ended, stderr) = plan(portal, &portal.webhook_url(1).unwrap());
        assert_eq!(ended, code, "{}: {stderr}", portal.host());
        assert!(portal.counters().requests > 0);
        assert!(portal.complaints().is_empty(), "{:?}", portal.complaints());
    }
    let mut row = three.rows().remove(0);
    row.user = 8;
    three.put_row(row);
    assert_eq!(one.rows().len() + 1, three.rows().len(), "a change is of one portal alone");

    // The secret of another portal opens none.
    let secret = one.webhook_url(1).unwrap();
    let foreign = secret.replace(one.host(), three.host());
    assert_eq!(plan(three, &foreign).0, 1);
    // The name of no portal is none, and a number is the first one.
    let path = &secret[secret.find("/rest/").unwrap()..];
    for (host, status) in [("p0004.localhost", 404), ("127.0.0.1", 200), ("P0001.LOCALHOST", 200)] {
        let address = format!("127.0.0.1:{port}");
        let headers = [("Host", host), ("Content-Type", "application/json")];
        let answer = send(&address, "POST", &format!("{path}profile"), &headers, b"{}").unwrap();
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_address_names_a_portal_in_the_path() {
    let emulator = three().await;
    let control = |verb: &str, path: &str, body: &str| {
        let control = emulator.control_url();
        let answer = send(host_of(&control), verb, path, &[], body.as_bytes()).unwrap();
        (answer.status, answer.json())
    };
    let names = json!(["p0001.localhost", "p0002.localhost", "p0003.localhost"]);
    assert_eq!(control("GET", "/portals", ""), (200, names));
    let script = r#"[{"do": "rate-limit"}]"#;
    assert_eq!(control("PUT", "/portals/p0002.localhost/faults", script), (200, json!({})));
    assert_eq!(control("PUT", "/portals/p0009.localhost/faults", script).0, 404);
    let [one, two, _] = emulator.portals() else { panic!("three portals") };
    for (portal, faults) in [(one, false), (two, true)] {
        let webhook = portal.webhook_url(1).unwrap();
        let path = format!("{}profile", &webhook[webhook.find("/rest/").unwrap()..]);
        let headers = [("Host", portal.host()), ("Content-Type", "application/json")];
        send(
            host_of(&emulator.portals()[0].rest_url().replace("p0001.localhost", "127.0.0.1")),
            "POST",
            &path,
            &headers,
            b"{}",
        )
        .unwrap();
        assert_eq!(portal.counters().faults > 0, faults, "{}", portal.host());
    }
    assert_eq!(control("PUT", "/portals/p0003.localhost/seed", "\"empty\"").0, 200);
    let people = |number: u32| {
        let state = control("GET", &format!("/portals/p000{number}.localhost/state"), "").1;
        state["portal"]["users"].as_array().map_or(0, Vec::len)
    };
    assert!(people(1) > 30 && people(3) == 1, "{} {}", people(1), people(3));
}

#[tokio::test]
async fn ready_document_lists_the_portals_with_their_webhooks() {
    let options = EmulatorOptions {
        portals: NonZeroU32::new(1000),
        seed: Seed::Users(40),
        ..EmulatorOptions::default()
    };
    let emulator = Emulator::start_with(options).await.unwrap();
    let ready = emulator.ready_document();
    let portals = ready["portals"].as_array().unwrap();
    let last = portals.last().unwrap();
    assert_eq!((portals.len(), ready["rest"] == portals[0]["rest"]), (1000, true));
    assert!(last["portal"].as_str().unwrap().starts_with("p1000.localhost:"), "{last}");
    let url = last["webhooks"][0]["url"].as_str().unwrap();
    assert!(url.ends_with("/rest/1/emulator00000001p1000/"), "{url}");
    let of_one = Emulator::start().await.unwrap().ready_document();
    assert_eq!(of_one.get("portals"), None::<&Value>);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn portals_of_one_address_share_a_certificate_with_all_their_names() {
    let (portals, tls) = (NonZeroU32::new(2), Some(Tls::SelfSigned));
    let options = EmulatorOptions { portals, tls, ..EmulatorOptions::default() };
    let emulator = Emulator::start_with(options).await.unwrap();
    let last = &emulator.portals()[1];
    let webhook = last.webhook_url(1).unwrap();
    assert!(webhook.starts_with("https://p0002.localhost:"), "{webhook}");
    let env = TestEnv::with_webhook(&webhook);
    env.file("ca.pem", emulator.authority().unwrap());
    let inventory = |more: &str| {
        let mut command = env.command(&["inventory", "--rate", "unlimited"]);
        CommandOutput::of(command.env("SSL_CERT_FILE", env.at(more)).output().unwrap())
    };
    let done = inventory("ca.pem");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(last.counters().requests > 0 && last.complaints().is_empty());
}
