//! `contrib/compose`: its services run against a real server and emulated portals.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::fleets::Fleet;
use super::reconcile::Running;
use super::workers::wait_until;
use crate::support::env::CommandOutput;
use crate::support::page::{read, root};
use crate::support::postgres::Server;

/// What stands in for the paths of the containers.
struct Composed<'a> {
    services: Value,
    fleet: &'a Fleet,
    paths: BTreeMap<&'static str, String>,
}

impl Composed<'_> {
    fn real(&self, text: &str) -> String {
        let replaced = |text: String, (path, real): (&&str, &String)| text.replace(*path, real);
        self.paths.iter().rev().fold(text.to_owned(), replaced)
    }

    /// Returns the command of a service, with the environment of its container.
    fn command(&self, service: &str) -> Command {
        let service = &self.services[service];
        let words = service["command"].as_array().unwrap().iter();
        let words: Vec<String> = words.map(|word| self.real(word.as_str().unwrap())).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = self.fleet.env.command(&words);
        for (name, value) in service["environment"].as_object().unwrap() {
            command.env(name, self.real(value.as_str().unwrap()));
        }
        command
    }

    fn run(&self, service: &str) -> CommandOutput {
        CommandOutput::of(self.command(service).stdin(Stdio::null()).output().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compose_services_migrate_publish_and_reconcile() {
    let Some(server) = Server::start(&["fsync=off"]) else { return };
    let fleet = Fleet::start(3).await;
    let mut composed: Value = serde_yaml::from_str(&read("contrib/compose/compose.yaml")).unwrap();
    let services = composed["services"].take();
    for service in ["migrate", "worker", "publish"] {
        let of = &services[service];
        assert_eq!((&of["user"], &of["read_only"]), (&json!("65532:65532"), &json!(true)));
    }
    let (folder, port) = (server.folder().display(), server.port());
    fleet.env.file("run-secrets/owner", "of the owner");
    fleet.env.file("run-secrets/worker", "of the worker");
    let at = |name: &str| fleet.env.at(name).display().to_string();
    let paths = BTreeMap::from([
        ("/run/secrets", at("run-secrets")),
        ("/run/webhooks", at("secrets")),
        ("/work/fleet.yaml", at("fleet.yaml")),
        ("0.0.0.0:9464", "127.0.0.1:0".to_owned()),
        // The database and its owner are those of the test's server.
        ("recard_owner@/recard", "recard@/postgres".to_owned()),
        ("recard_worker@/recard", "recard_worker@/postgres".to_owned()),
        ("host=/var/run/postgresql", format!("host={folder}&port={port}")),
    ]);
    let composed = Composed { services, fleet: &fleet, paths };

    let script =
        composed.real(&fs::read_to_string(root().join("contrib/compose/roles.sh")).unwrap());
    let mut roles = Command::new("sh");
    roles.args(["-c", &script]).envs([("POSTGRES_USER", "recard"), ("POSTGRES_DB", "postgres")]);
    roles.env("PGHOST", server.folder()).env("PGPORT", port.to_string());
    let made = roles.stdin(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let early = composed.run("publish");
    assert_eq!(early.code, 1, "{early:?}");
    for service in ["migrate", "publish"] {
        let ended = composed.run(service);
        assert_eq!(ended.code, 0, "{service}: {ended:?}");
    }
    let workers: Vec<Running> = (0..2)
        .map(|_| {
            let mut command = composed.command("worker");
            Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
        })
        .collect();
    wait_until("a reset of each", || fleet.removed() == [2, 2, 2]);
    for mut worker in workers {
        let id = worker.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(worker.0.wait().unwrap().code(), Some(143));
    }
}
