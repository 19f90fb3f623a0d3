//! Exit codes of commands, each with its documents in all formats.

use std::sync::Arc;

use recard::emulator::{EmulatorOptions, Release};
use recard::model::PortalId;
use recard::ports::{Clock, LockOwner};
use recard::store::Store;
use serde_json::json;

use super::outputs::{FORMATS, check, in_every_format, manifest};
use crate::support::env::{CommandOutput, TestEnv};
use crate::support::wait::Wait as _;

#[test]
fn exit_code_is_0_when_converged_and_2_with_changes_pending() {
    let env = TestEnv::quickstart();
    in_every_format(&env, &["validate", "-f", "lead.yaml"], 0);
    in_every_format(
        &env,
        &["plan", "--portal", "embedded", "-f", "lead.yaml", "--detail", "--unchanged"],
        0,
    );
    in_every_format(
        &env,
        &["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"],
        2,
    );
    in_every_format(&env, &["drift", "--portal", "embedded", "-f", "lead.yaml"], 2);
    let apply = ["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"];
    in_every_format(&env, &apply, 0);
    in_every_format(&env, &["drift", "--portal", "embedded", "-f", "lead.yaml"], 0);
    in_every_format(
        &env,
        &["plan", "--portal", "embedded", "-f", "lead.yaml", "--detailed-exitcode"],
        0,
    );
    in_every_format(&env, &["show", "last", "--portal", "embedded"], 0);
    in_every_format(
        &env,
        &["restore", "last", "--everything", "--portal", "embedded", "--auto-approve"],
        0,
    );
}

#[test]
fn exit_code_of_an_error_is_1_and_of_a_usage_error_64() {
    let env = TestEnv::quickstart();
    env.file(
        "wrong.yaml",
        &manifest("embedded", "  personal: [{ users: { ids: [0] }, leadCustomerTypes: [both] }]"),
    );
    env.file(
        "nobody.yaml",
        &manifest("embedded", "  personal: [{ users: { ids: [999] }, leadCustomerTypes: [1] }]"),
    );
    in_every_format(&env, &["validate", "-f", "wrong.yaml"], 1);
    in_every_format(&env, &["plan", "--portal", "embedded", "-f", "wrong.yaml"], 1);
    in_every_format(&env, &["plan", "--portal", "embedded", "-f", "nobody.yaml"], 1);
    in_every_format(&env, &["apply", "--portal", "embedded", "-f", "none.yaml"], 1);
    // No portal is given.
    in_every_format(&env, &["plan", "-f", "lead.yaml"], 1);
    in_every_format(&env, &["show", "20261101T090000Z-000001", "--portal", "embedded"], 1);
    in_every_format(&env, &["restore", "last", "--everything", "--portal", "embedded"], 1);
    for format in FORMATS {
        assert_eq!(env.run(&["plan", "--fly", "--output", format]).code, 64);
    }
    assert_eq!(env.run(&["plan", "-f", "lead.yaml", "--output", "yaml"]).code, 64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_code_of_held_cards_is_3() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let emulator = env.emulator();
    let portal =
        emulator.rest_url().trim_start_matches("http://").trim_end_matches("/rest").to_owned();
    env.file(
        "lead.yaml",
        &manifest(&portal, "  personal: [{ users: { ids: [7] }, leadCustomerTypes: [1, 2] }]"),
    );
    in_every_format(&env, &["apply", "-f", "lead.yaml", "--auto-approve"], 3);
}

#[test]
fn exit_code_of_a_guard_is_4_and_each_report_names_it() {
    let env = TestEnv::quickstart();
    env.file("common.yaml", &manifest("embedded", "  common: { leadCustomerTypes: [simple] }"));
    // Nobody can be asked.
    in_every_format(&env, &["apply", "--portal", "embedded", "-f", "lead.yaml"], 4);
    in_every_format(
        &env,
        &["apply", "--portal", "embedded", "-f", "common.yaml", "--auto-approve"],
        4,
    );
    let text = |format: &str| std::fs::read_to_string(env.at(format!("out.{format}"))).unwrap();
    for format in ["json", "junit", "sarif", "github"] {
        assert!(text(format).contains("common-card"), "{format}");
    }
    assert!(
        text("github").starts_with("::error file=common.yaml,line=6,col="),
        "{}",
        text("github")
    );
    assert!(text("markdown").contains("**Apply will refuse this plan.**"));
    assert!(text("text").contains("the common card for simple leads would be lost"));
}

#[test]
fn exit_code_of_a_consumed_plan_file_is_5() {
    let env = TestEnv::quickstart();
    let plan =
        ["plan", "--portal", "embedded", "-f", "lead.yaml", "--out", "reviewed.recard-plan.json"];
    assert_eq!(env.run(&plan).code, 0);
    let apply = ["apply", "--portal", "embedded", "reviewed.recard-plan.json"];
    assert_eq!(env.run(&apply).code, 0);
    in_every_format(&env, &apply, 5);
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-01T09:00:00Z".parse().unwrap()
    }
}

#[test]
fn exit_code_of_a_locked_portal_is_6() {
    let env = TestEnv::quickstart();
    let store =
        Store::open(&env.at(".recard").into(), &PortalId::new("embedded").unwrap()).unwrap();
    let owner = LockOwner {
        process: std::process::id(),
        host: "build".to_owned(),
        actor: String::new(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    };
    let _locked = store.lock(owner, Arc::new(Standing)).wait().unwrap();
    in_every_format(
        &env,
        &["apply", "--portal", "embedded", "-f", "lead.yaml", "--auto-approve"],
        6,
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_code_of_a_signal_is_128_plus_its_number() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    let portal =
        emulator.rest_url().trim_start_matches("http://").trim_end_matches("/rest").to_owned();
    env.file(
        "lead.yaml",
        &manifest(&portal, "  personal: [{ users: { ids: [7] }, leadCustomerTypes: [1, 2] }]"),
    );
    for (format, signal, code) in
        FORMATS.map(|format| (format, "-INT", 130)).into_iter().chain([("json", "-TERM", 143)])
    {
        emulator.set_faults(&json!([{"do": "slow", "ms": 200}])).unwrap();
        let before = emulator.counters().requests;
        let mut command =
            env.command(&["apply", "-f", "lead.yaml", "--auto-approve", "--output", format]);
        let child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The first request is under way: the program listens for signals.
        while emulator.counters().requests == before {
            std::thread::yield_now();
        }
        std::process::Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        let ended = CommandOutput::of(child.wait_with_output().unwrap());
        assert_eq!(ended.code, code, "{format}: {ended:?}");
        if format != "text" && format != "github" {
            check(format, &ended.stdout, "apply", code);
        }
    }
}
