//! `recard emulate` for programs in other languages: a ready file with the addresses, and HTTP.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::support::env::{CommandOutput, TestEnv};
use crate::support::raw::{Answer, host_of, send};
use crate::support::wire::{Case, lead_cases};

/// A running `recard emulate`; it ends with the test.
struct Served {
    child: Child,
    ready: Value,
    place: TestEnv,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let env = TestEnv::new();
        let file = env.file("ready.json", "{\"rest\": \"of an earlier one\"}");
        let mut command =
            env.command(&["emulate", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
        command.args(["--ready-file", "ready.json"]).args(arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut served = Self { child, ready: Value::Null, place: env };
        // It says a word when it is ready, and by then the file is there.
        let mut said = String::new();
        BufReader::new(served.child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("emulated portal"), "{said}");
        served.ready = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        served
    }

    fn control(&self, verb: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = send(
            host_of(self.ready["control"].as_str().unwrap()),
            verb,
            path,
            &[],
            body.as_bytes(),
        )
        .unwrap();
        assert_eq!(answer.header("x-recard-emulator"), Some("1"));
        (answer.status, answer.json())
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        let rest = self.ready["rest"].as_str().unwrap();
        assert!(rest.ends_with("/rest"), "{rest}");
        send(host_of(rest), "POST", path, &[("Content-Type", "application/json")], body.as_bytes())
            .unwrap()
    }
}

#[test]
fn emulate_writes_its_address_and_replaces_the_state() {
    let served = Served::start(&[]);
    let webhook = &served.ready["webhooks"][0];
    let url = webhook["url"].as_str().unwrap().to_owned();
    assert_eq!(webhook["user"], 1);
    assert!(url.starts_with(served.ready["rest"].as_str().unwrap()));
    let (_, company) = served.control("GET", "/state", &Value::Null);
    let path = &url[url.find("/rest/").unwrap()..];
    assert_eq!(served.post(&format!("{path}profile"), "{}").status, 200);

    let is_wanted = |case: &Case| {
        ["mid-get-personal-correct", "batch-input-vars-1000"].contains(&case.name.as_str())
    };
    for case in lead_cases().into_iter().filter(is_wanted) {
        assert_eq!(served.control("PUT", "/state", &case.state).0, 200);
        let (_, state) = served.control("GET", "/state", &Value::Null);
        let object = state.as_object().unwrap();
        assert_eq!(object.len(), 4);
        assert_eq!(object["variant"], case.variant);
        let environment = case.state["environment"].as_object().cloned().unwrap_or_default();
        assert_eq!(object["environment"], Value::Object(environment));
        assert_eq!(
            object["options"].as_array().unwrap().len(),
            case.state["options"].as_array().unwrap().len()
        );
        assert_eq!(
            object["portal"]["webhooks"][0]["secret"], "adminsecret00001",
            "parts left out are the base portal's"
        );
        // What it gives, it takes.
        assert_eq!(served.control("PUT", "/state", &state).0, 200);
        assert_eq!(served.control("GET", "/state", &Value::Null).1, state);
        assert_eq!(
            served.post(&format!("{path}profile"), "{}").status,
            401,
            "the webhooks of before are gone"
        );
    }
    assert_eq!(served.control("DELETE", "/state", &Value::Null).0, 200);
    assert_eq!(served.control("GET", "/state", &Value::Null).1, company);
    assert_eq!(served.control("PUT", "/seed", &json!("users=3")).0, 200);
    let (_, state) = served.control("GET", "/state", &Value::Null);
    assert_eq!(state["portal"]["users"].as_array().unwrap().len(), 4);
    let (status, refused) = served.control("PUT", "/seed", &json!("everybody"));
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("company, empty and users=N"));
    let (status, refused) = served.control("PUT", "/state", &json!({"variant": "old"}));
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("unknown variant `old`"), "{refused}");
    assert_eq!(
        served.control("GET", "/state", &Value::Null).1,
        state,
        "a state that is none changes nothing"
    );
}

#[test]
fn admin_api_reads_and_clears_counters_complaints_and_faults() {
    let served = Served::start(&["--seed", "empty", "--release", "mid"]);
    let path = "/rest/1/emulator00000001/crm.lead.details.configuration.reset";
    served.post(path, "{}");
    let (_, counters) = served.control("GET", "/counters", &Value::Null);
    assert_eq!(counters["requests"], 1);
    assert_eq!(counters["by_method"]["crm.lead.details.configuration.reset"], 1);
    served.control("DELETE", "/counters", &Value::Null);
    assert_eq!(served.control("GET", "/counters", &Value::Null).1["requests"], 0);
    let (_, complaints) = served.control("GET", "/complaints", &Value::Null);
    let kinds: Vec<&str> = complaints
        .as_array()
        .unwrap()
        .iter()
        .map(|complaint| complaint["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["bad-scope", "bad-user-id", "missing-extras"]);
    assert!(
        complaints[0]["text"].as_str().unwrap().contains("counts as personal"),
        "each says why"
    );
    served.control("DELETE", "/complaints", &Value::Null);
    assert_eq!(served.control("GET", "/complaints", &Value::Null).1, json!([]));
    assert_eq!(served.control("PUT", "/faults", &json!([{"do": "rate-limit"}])).0, 200);
    assert_eq!(served.post(path, "{}").status, 503);
    served.control("DELETE", "/faults", &Value::Null);
    assert_eq!(served.post(path, "{}").status, 200);
    let (status, refused) = served.control("PUT", "/faults", &json!([{"do": "explode"}]));
    assert_eq!(status, 400);
    assert!(refused["error"].as_str().unwrap().contains("rule 1"));
    assert_eq!(served.control("POST", "/state", &Value::Null).0, 405);
    assert_eq!(served.control("GET", "/rest/1/emulator00000001/profile", &Value::Null).0, 404);
    assert_eq!(
        served.post("/state", "{}").status,
        404,
        "the control is nowhere on the portal's address"
    );
}

#[test]
fn admin_api_refuses_requests_of_web_pages() {
    let served = Served::start(&["--seed", "empty"]);
    let host = host_of(served.ready["control"].as_str().unwrap());
    let answer = send(host, "GET", "/state", &[("Origin", "http://page.example")], b"").unwrap();
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    // A name that its owner lets point to this machine.
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let head =
        format!("GET /state HTTP/1.1\r\nHost: rebound.example:{}\r\nConnection: close\r\n\r\n", 80);
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 403"), "{line}");
}

impl Served {
    /// Looks at the portal by its first webhook; a host takes the place of the address.
    fn doctor(&self, host: Option<&str>, variables: &[(&str, &Path)]) -> CommandOutput {
        let mut url = self.ready["webhooks"][0]["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("https://127.0.0.1:"), "{url}");
        if let Some(host) = host {
            url = url.replace("127.0.0.1", host);
        }
        let mut command = self.place.command(&["doctor"]);
        command.env("RECARD_WEBHOOK_URL", url).envs(variables.iter().copied());
        CommandOutput::of(command.output().unwrap())
    }
}

#[test]
fn emulate_with_tls_writes_the_authority_that_clients_have_to_trust() {
    let served = Served::start(&["--tls", "--tls-ca-out", "authority.pem"]);
    let authority = served.place.at("authority.pem");
    let text = std::fs::read_to_string(&authority).unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----"), "{text}");
    assert_eq!(served.ready["authority"], text);
    for host in [None, Some("localhost")] {
        let ended = served.doctor(host, &[("SSL_CERT_FILE", &authority)]);
        assert!(ended.code == 0 && ended.stdout.contains("ok    portal"), "{ended:?}");
    }
    let another = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let another = served.place.file("another.pem", &another.cert.pem());
    let ended = served.doctor(None, &[("SSL_CERT_FILE", &another)]);
    assert!(ended.code == 1 && ended.stdout.contains("is not trusted"), "{ended:?}");
    // A portal that refuses plain HTTP is reached by TLS.
    let (_, mut state) = served.control("GET", "/state", &Value::Null);
    state["environment"] = json!({"https_required": true});
    assert_eq!(served.control("PUT", "/state", &state).0, 200);
    assert_eq!(served.doctor(None, &[("SSL_CERT_FILE", &authority)]).code, 0);
}

#[test]
fn emulate_with_a_certificate_from_outside_shows_it() {
    let env = TestEnv::new();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let chain = env.file("own.pem", &made.cert.pem());
    let key = env.file("own.key", &made.signing_key.serialize_pem());
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    let served = Served::start(&["--tls-cert", chain, "--tls-key", key]);
    assert_eq!(served.ready["authority"], Value::Null);
    let ended = served.doctor(None, &[("SSL_CERT_FILE", Path::new(chain))]);
    assert!(ended.code == 0 && ended.stdout.contains("ok    portal"), "{ended:?}");
    for (certificate, secret, code, text) in [
        (chain, chain, 1, "the private key cannot be used"),
        (key, key, 1, "the certificate with its key cannot be used"),
        (chain, "none.key", 1, "cannot read none.key"),
    ] {
        let ended = env.run(&["emulate", "--tls-cert", certificate, "--tls-key", secret]);
        assert!(ended.code == code && ended.stderr.contains(text), "{ended:?}");
    }
    assert_eq!(env.run(&["emulate", "--tls-cert", chain]).code, 64);
    assert_eq!(env.run(&["emulate", "--tls-ca-out", "authority.pem"]).code, 64);
}

#[test]
fn emulate_with_invalid_input_is_an_error() {
    let env = TestEnv::new();
    env.file("faults.json", "[{\"do\": \"slow\"}]");
    for (arguments, code, text) in [
        (["--listen", "0.0.0.0:0"], 1, "0.0.0.0:0 can be reached from other machines"),
        (["--control", "0.0.0.0:0"], 1, "--allow-remote"),
        (
            ["--seed", "compny"],
            64,
            "there are company, empty and users=N; nor is there such a file",
        ),
        (["--seed", "users=many"], 64, "how many people is a whole number"),
        (["--limits", "some"], 64, "there are off, standard, enterprise, X,Y and X,Y,SECONDS"),
        (["--release", "new"], 64, "there are current, mid and legacy-read"),
        (
            ["--faults", "faults.json"],
            1,
            "faults.json: not a script of faults: rule 1: ms goes with",
        ),
    ] {
        let ended = env.run(&["emulate", arguments[0], arguments[1]]);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(text), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[test]
fn emulate_writes_a_fleet_that_can_be_planned_and_applied() {
    let served = Served::start(&["--portals", "3", "--fleet-out", "trial"]);
    let fleet = |arguments: &[&str]| {
        let more = ["trial/fleet.yaml", "--secrets", "trial/secrets", "--rate", "unlimited"];
        served.place.run(&[&["fleet"], arguments, &more].concat())
    };
    let planned = fleet(&["plan", "--detailed-exitcode"]);
    assert_eq!(planned.code, 2, "{planned:?}");
    assert!(planned.stdout.contains("Fleet emulated: 3 portals"), "{planned:?}");
    assert_eq!(fleet(&["apply", "--auto-approve"]).code, 0);
    assert_eq!(fleet(&["plan", "--detailed-exitcode"]).code, 0);
}
