//! `recard doctor` on good and bad portals. It never writes to them.

use std::sync::Arc;

use crate::support::env::{CommandOutput, TestEnv};
use crate::support::wait::Wait as _;
use recard::emulator::{Emulator, EmulatorOptions, Release};
use recard::model::PortalId;
use recard::ports::{Clock, LockOwner};
use recard::records::{LockRecord, encode_lock};
use recard::store::Store;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

/// Looks at a portal as somebody; the verdicts and texts by the name of the check.
fn look(env: &TestEnv) -> (i32, Value) {
    let ended = env.run(&["doctor", "--output", "json"]);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    let checks = report["checks"].as_array().unwrap().iter();
    let by_name = checks.map(|check| (check["check"].as_str().unwrap().to_owned(), check.clone()));
    (ended.code, Value::Object(by_name.collect()))
}

fn assert_untouched(emulator: &Emulator) {
    let counters = emulator.counters();
    assert_eq!((counters.rows_written, counters.rows_removed), (0, 0));
    let writes = ["reset", "set", "forcecommonscopeforall"]
        .map(|verb| format!("crm.lead.details.configuration.{verb}"));
    assert!(writes.iter().all(|name| !counters.by_method.contains_key(name)), "{counters:?}");
    assert_eq!(emulator.complaints(), []);
}

#[test]
fn doctor_on_a_healthy_portal_passes() {
    let ended = TestEnv::new().run(&["doctor", "--portal", "embedded"]);
    assert_data_eq!(
        ended.shown(),
        str![[r#"
exit 0
--- stdout
Portal embedded (an emulator)

ok    portal           answers, and accepts the webhook
ok    rights           crm, user, department
ok    clock            agrees with the portal's
ok    limits           rate unlimited
ok    caller           user 1 Olga Sokolova, one of 37 active
ok    release          25.700 or newer, by the form of its answers
ok    administrator    of the portal
ok    reads            the cards of others are theirs
ok    lead types       simple and repeat are told apart: the common cards differ
ok    pipelines        12 kinds of cards: lead/simple, lead/repeat, deal/0,
                       deal/3, deal/5, contact, contact/9, company, quote,
                       smart-invoice/1, smart-process/177/5, smart-process/177/7
                       -> smart process 1044: no pipeline is listed, so that
                          these cards are held
ok    smart processes  a card without a pipeline is nobody's: a release from
                       July 2025 on
ok    store            can be written to
ok    lock             free
ok    runs             none is unfinished

14 ok, 0 warnings, 0 failures.
--- stderr

"#]]
    );
}

#[test]
fn doctor_json_is_valid_by_its_schema() {
    let schema_text = include_str!("../../../schemas/doctor.v1.schema.json");
    let env = TestEnv::new();
    assert_eq!(env.run(&["schema", "doctor"]).stdout, schema_text);
    let schema: Value = serde_json::from_str(schema_text).unwrap();
    let ended = env.run(&["doctor", "--portal", "embedded", "--output", "json"]);
    let value: Value = serde_json::from_str(&ended.stdout).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    assert_eq!(
        validator.iter_errors(&value).map(|problem| problem.to_string()).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_for_a_caller_without_read_permission_advises_an_administrator() {
    let emulator = Emulator::start().await.unwrap();
    for (user, verdict, code) in [(1, "ok", 0), (8, "failure", 1), (9, "ok", 0)] {
        let (ended, checks) = look(&TestEnv::with_webhook(&emulator.webhook_url(user).unwrap()));
        assert_eq!(
            (&checks["administrator"]["verdict"], ended),
            (&json!(verdict), code),
            "{user}: {checks}"
        );
    }
    let (_, checks) = look(&TestEnv::with_webhook(&emulator.webhook_url(8).unwrap()));
    assert!(
        checks["administrator"]["help"][0].as_str().unwrap().contains("administrator of the CRM"),
        "{checks}"
    );
    assert_untouched(&emulator);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_names_a_missing_permission() {
    let emulator = Emulator::start().await.unwrap();
    let mut state = emulator.state();
    let webhooks = state["portal"]["webhooks"].as_array_mut().unwrap();
    for webhook in webhooks {
        webhook["scope"] = json!(["crm", "user_brief", "task"]);
    }
    emulator.set_state(&state).unwrap();
    let (code, checks) = look(&TestEnv::with_webhook(&emulator.webhook_url(1).unwrap()));
    assert_eq!((code, &checks["rights"]["verdict"]), (1, &json!("failure")), "{checks}");
    assert_eq!(checks["rights"]["text"], "the webhook lacks user, department");
    assert_untouched(&emulator);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_detects_wrong_reads_of_an_old_portal_by_reading() {
    let options =
        EmulatorOptions { release: Some(Release::LegacyRead), ..EmulatorOptions::default() };
    let env = TestEnv::start_with(options).await;
    let emulator = env.emulator();
    let (_, checks) = look(&env);
    assert!(
        checks["reads"]["text"].as_str().unwrap().contains("nothing shows whose card"),
        "{checks}"
    );

    // The caller's own card comes back for everybody.
    let mut state = emulator.state();
    let card = json!([{"name": "default_column", "type": "column", "elements":
        [{"name": "main", "title": "Main", "type": "section", "elements": []}]}]);
    let row = json!({"user_id": 1, "category": "crm.entity.editor", "name": "lead_details", "common": "N", "value": card});
    state["options"].as_array_mut().unwrap().push(row);
    emulator.set_state(&state).unwrap();
    let (code, checks) = look(&env);
    assert_eq!(code, 0, "{checks}");
    assert_eq!(
        (&checks["release"]["verdict"], &checks["reads"]["verdict"]),
        (&json!("warning"), &json!("warning"))
    );
    assert!(checks["reads"]["text"].as_str().unwrap().contains("caller's own card"), "{checks}");
    assert_untouched(emulator);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_warns_where_simple_and_repeat_cards_read_the_same() {
    let env = TestEnv::start().await;
    let emulator = env.emulator();
    let mut state = emulator.state();
    let options = state["options"].as_array_mut().unwrap();
    let is_repeat =
        |row: &Value| row["name"].as_str().unwrap_or_default().starts_with("returning_");
    options.retain(|row| !is_repeat(row));
    let twins: Vec<Value> = options
        .iter()
        .map(|row| {
            let mut twin = row.clone();
            twin["name"] = json!(format!("returning_{}", row["name"].as_str().unwrap()));
            twin
        })
        .collect();
    options.extend(twins);
    emulator.set_state(&state).unwrap();
    let (code, checks) = look(&env);
    assert_eq!((code, &checks["lead types"]["verdict"]), (0, &json!("warning")), "{checks}");
    assert_untouched(emulator);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_reports_webhook_and_store_problems_together() {
    let emulator = Emulator::start().await.unwrap();
    let wrong = emulator.webhook_url(1).unwrap().replace("emulator00000001", "emulator99999999");
    let env = TestEnv::with_webhook(&wrong);
    let folder = wrong.split('/').nth(2).unwrap().replace(':', "_");
    env.file(&format!(".recard/portals/{folder}/lock/file"), "a folder where a file belongs\n");
    let (code, checks) = look(&env);
    assert_eq!((code, &checks["portal"]["verdict"]), (1, &json!("failure")), "{checks}");
    assert_eq!(checks["lock"]["verdict"], "failure", "{checks}");
    assert!(!checks.to_string().contains("emulator99999999"), "{checks}");
    assert_untouched(&emulator);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_checks_the_read_webhook_on_request_or_if_it_is_the_only_one() {
    let emulator = Emulator::start().await.unwrap();
    let (admin, employee) = (emulator.webhook_url(1).unwrap(), emulator.webhook_url(8).unwrap());
    let env = TestEnv::new();
    let caller = |arguments: &[&str], variables: &[(&str, &str)]| {
        let ended = CommandOutput::of(
            env.command(arguments).envs(variables.iter().copied()).output().unwrap(),
        );
        ended
            .stdout
            .lines()
            .find(|line| line.contains("caller"))
            .unwrap_or_else(|| panic!("{ended:?}"))
            .to_owned()
    };
    let both =
        [("RECARD_WEBHOOK_URL", admin.as_str()), ("RECARD_READ_WEBHOOK_URL", employee.as_str())];
    assert!(caller(&["doctor"], &both).contains("user 1 "));
    assert!(caller(&["doctor", "--read"], &both).contains("user 8 "));
    assert!(caller(&["doctor"], &both[1..]).contains("user 8 "));
}

#[test]
fn doctor_on_a_damaged_limiter_file_warns_once_and_repairs_it() {
    let env = TestEnv::new();
    assert_eq!(env.run(&["doctor", "--portal", "embedded"]).code, 0);
    let file = env.at(".recard/portals/embedded/limiter.json");
    assert!(file.is_file());
    env.file(".recard/portals/embedded/limiter.json", "{ damaged");
    let ended = env.run(&["doctor", "--portal", "embedded"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let line = ended
        .stdout
        .lines()
        .find(|line| line.contains("limiter.json"))
        .unwrap_or_else(|| panic!("{ended:?}"));
    assert!(
        line.starts_with("warn ") && line.contains("level") && line.contains("is damaged"),
        "{line}"
    );
    assert!(ended.stdout.contains("nothing needs to be done"), "{ended:?}");
    assert!(ended.stdout.contains("14 ok, 1 warning, 0 failures."), "{ended:?}");
    assert!(
        env.run(&["doctor", "--portal", "embedded"])
            .stdout
            .contains("14 ok, 0 warnings, 0 failures.")
    );
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-01T09:00:00Z".parse().unwrap()
    }
}

#[test]
fn doctor_tells_a_live_lock_owner_from_a_dead_one() {
    let env = TestEnv::new();
    assert_eq!(env.run(&["doctor", "--portal", "embedded"]).code, 0);
    let lock = || {
        let ended = env.run(&["doctor", "--portal", "embedded", "--output", "json"]);
        let report: Value =
            serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        let checks = report["checks"].as_array().unwrap().iter();
        let check = checks
            .into_iter()
            .find(|check| check["check"] == "lock")
            .unwrap_or_else(|| panic!("{report}"));
        (check["verdict"].as_str().unwrap().to_owned(), check["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(lock(), ("ok".to_owned(), "free".to_owned()));
    let store =
        Store::open(&env.at(".recard").into(), &PortalId::new("embedded").unwrap()).unwrap();
    let owner = |host: &str| LockOwner {
        process: std::process::id(),
        host: host.to_owned(),
        actor: "anna".to_owned(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    };
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let here = here.trim();
    let (locked, _) = store.lock(owner(here), Arc::new(Standing)).wait().unwrap();
    let name = std::fs::read_to_string(env.at(".recard/portals/embedded/lock")).unwrap();
    let lives = |(verdict, text): (String, String)| {
        assert!(
            verdict == "warning" && text.ends_with("; that process lives"),
            "{verdict}: {text}"
        );
    };
    lives(lock());
    drop(locked);
    // The file was replaced under a process that lives.
    env.file(".recard/portals/embedded/lock", &name);
    lives(lock());
    // As a process leaves it that was killed: its name inside, and nobody holding it.
    let dead = |host| LockOwner { process: 4_000_000_000, ..owner(host) };
    for (owner, left) in [
        (dead(here), "that process is dead"),
        (owner(here), "cannot be seen from here"),
        (dead("elsewhere"), "cannot be seen from this host"),
    ] {
        let left_behind = LockRecord { owner, process: None, file: String::new() };
        let name = encode_lock(&left_behind).unwrap();
        env.file(".recard/portals/embedded/lock", &String::from_utf8(name).unwrap());
        let (verdict, text) = lock();
        assert!(verdict == "warning" && text.starts_with("locked by process"), "{verdict}: {text}");
        assert!(text.ends_with(left), "{text}");
    }
}

/// The messages of the checks never contradict each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_on_every_release_and_for_every_caller_contradicts_itself_nowhere() {
    for release in [Release::Current, Release::Mid, Release::LegacyRead] {
        let options = EmulatorOptions { release: Some(release), ..EmulatorOptions::default() };
        let emulator = Emulator::start_with(options).await.unwrap();
        for user in [1, 8, 9] {
            let env = TestEnv::with_webhook(&emulator.webhook_url(user).unwrap());
            let (code, checks) = look(&env);
            let told = format!("{release:?}, user {user}, code {code}: {checks}");
            let of = |check: &str| {
                (
                    checks[check]["verdict"].as_str(),
                    checks[check]["text"].as_str().unwrap_or_default(),
                )
            };
            let others_are_refused = of("administrator").0 == Some("failure");
            assert!(!(others_are_refused && of("reads").1.contains("of others")), "{told}");
            assert!(
                !(others_are_refused && of("reads").0 == Some("warning")),
                "advice that cannot help: {told}"
            );
            // What proves the reads proves the release that they need.
            assert!(!(of("reads").0 == Some("ok") && of("release").0 != Some("ok")), "{told}");
            assert_eq!(code, i32::from(others_are_refused), "{told}");
        }
        assert_untouched(&emulator);
    }
}

#[test]
fn doctor_while_a_run_is_in_progress_does_not_call_it_cut() {
    let env = TestEnv::new();
    let portal = PortalId::new("embedded").unwrap();
    let store = Store::open(&env.at(".recard").into(), &portal).unwrap();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let owner = LockOwner {
        process: std::process::id(),
        host: host.trim().to_owned(),
        actor: String::new(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    };
    let (mut locked, _) = store.lock(owner, Arc::new(Standing)).wait().unwrap();
    let header = recard::ports::RunHeader {
        purpose: recard::ports::RunPurpose::Apply,
        portal,
        caller: recard::model::UserId::FIRST,
        actor: String::new(),
        manifest: None,
        commit: None,
        ledger: None,
        reasons: Vec::new(),
        trust: None,
        targets: Vec::new(),
    };
    let run: recard::model::RunId = "20261101T090000Z-1a2b3c".parse().unwrap();
    drop(locked.start_run(run, header).wait().unwrap());
    let told = env.run(&["doctor", "--portal", "embedded"]).stdout;
    assert!(
        told.contains("that process lives")
            && told.contains("the run 20261101T090000Z-1a2b3c is in progress"),
        "{told}"
    );
    assert!(!told.contains("was cut"), "{told}");
    // The owner is gone: now it was cut, and nothing says that the next run simply takes over.
    drop(locked);
    let told = env.run(&["doctor", "--portal", "embedded"]).stdout;
    assert!(
        told.contains("was cut before its end") && !told.contains("the next run takes over"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_lists_pipelines_and_names_those_that_are_hidden() {
    let env = TestEnv::start().await;
    let (_, report) = look(&env);
    let pipelines = &report["pipelines"];
    assert_eq!(pipelines["verdict"], "ok", "{pipelines}");
    assert!(pipelines["text"].as_str().unwrap().contains("deal/5"), "{pipelines}");
    assert!(pipelines["help"][0].as_str().unwrap().contains("smart process 1044"), "{pipelines}");
    let processes = &report["smart processes"]["text"];
    assert!(processes.as_str().unwrap().contains("from July 2025"), "{processes}");
    // A person in sales, who may not read pipeline 5 of deals.
    let webhook = env.emulator().webhook_url(8).unwrap();
    let mut command = env.command(&["doctor", "--json"]);
    let ended = CommandOutput::of(command.env("RECARD_WEBHOOK_URL", webhook).output().unwrap());
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let pipelines = checks.iter().find(|one| one["check"] == "pipelines").unwrap();
    assert_eq!(pipelines["verdict"], "warning", "{pipelines}");
    assert!(pipelines["help"][0].as_str().unwrap().contains("may not read: 5"), "{pipelines}");
    assert_eq!(env.emulator().complaints(), []);
}
