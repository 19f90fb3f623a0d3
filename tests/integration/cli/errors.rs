//! The ten most common errors, in the output of the whole program: problem, place and remedy. In
//! each case, `plan` and `apply` end alike, no secret is shown, and nothing is written to the
//! portal.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use super::untrusted_text::assert_hidden;
use crate::support::company::{manifest, resets_sent, sets_sent};
use crate::support::env::{CommandOutput, QUICKSTART, TestEnv};

const SECRET: &str = "emulator00000001";

/// Returns the message of plan about a selection; apply prints the same, and the portal is
/// unchanged.
pub(super) fn told_about_users(env: &TestEnv, webhook: &str, users: &str, more: &str) -> String {
    let portal = env.portal();
    let before = env.emulator().state()["options"].clone();
    let told = told(webhook, &portal, &manifest(&portal, users, more));
    assert_eq!(env.emulator().state()["options"], before);
    let counters = env.emulator().counters();
    assert_eq!((counters.rows_written, counters.rows_removed), (0, 0));
    assert_eq!((resets_sent(env.emulator()), sets_sent(env.emulator())), (0, 0));
    assert_eq!(env.emulator().complaints(), []);
    told
}

/// Returns the message of plan with a webhook and a manifest; apply prints the same. `PORTAL`
/// stands for the URL of the portal.
fn told(webhook: &str, portal: &str, manifest: &str) -> String {
    let env = TestEnv::with_webhook(webhook);
    env.file("lead.yaml", manifest);
    let run = |arguments: &[&str]| {
        let ended = env.run(&[arguments, &["-f", "lead.yaml"]].concat());
        assert!(!ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET), "{ended:?}");
        ended
    };
    let (planned, applied) = std::thread::scope(|scope| {
        let applied = scope.spawn(|| run(&["apply", "--auto-approve"]));
        (run(&["plan"]), applied.join().unwrap())
    });
    let end = |ended: &CommandOutput| {
        ended.stderr.find("error").map(|start| ended.stderr[start..].to_owned())
    };
    assert_eq!(
        (planned.code, end(&planned)),
        (applied.code, end(&applied)),
        "plan and apply end alike"
    );
    assert!(planned.code != 0 && planned.stdout.is_empty(), "{planned:?}");
    shown(&planned, portal)
}

fn shown(ended: &CommandOutput, portal: &str) -> String {
    format!("exit {}\n{}", ended.code, ended.stderr).replace(portal, "PORTAL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_with_a_wrong_secret_is_an_error() {
    let env = TestEnv::start().await;
    let wrong = env.webhook().replace(SECRET, "emulator99999999");
    let told = told_about_users(&env, &wrong, "{ ids: [7] }", "");
    assert!(!told.contains("emulator99999999"), "{told}");
    assert_data_eq!(
        told,
        str![[r#"
exit 1
error: the portal does not accept the webhook
  caused by: the portal says: INVALID_CREDENTIALS Invalid request credentials
help: the webhook may have been deleted, switched off or mistyped: compare it with the portal's page Developer resources, and remember that its number is the id of its owner
help: it is the webhook http://PORTAL/rest/1/***/, from RECARD_WEBHOOK_URL

"#]]
    );
}

#[test]
fn webhook_url_of_another_form_is_an_error() {
    let manifest = manifest("company.bitrix24.com", "{ ids: [7] }", "");
    let said = |address: &str| told(address, "no portal", &manifest);
    for path in [format!("crm/lead/{SECRET}"), format!("rest/{SECRET}")] {
        assert_data_eq!(
            said(&format!("https://company.bitrix24.com/{path}/")),
            str![[r#"
exit 1
error: RECARD_WEBHOOK_URL does not hold the address of a webhook: the path of the webhook is not of the form /rest/<user>/<secret>/
help: it looks like https://company.bitrix24.com/rest/1/xxxxxxxxxxxxxxxx/
help: the portal shows it on its page Developer resources, under Inbound webhook

"#]]
        );
    }
    assert_data_eq!(
        said(SECRET),
        str![[r#"
exit 1
error: RECARD_WEBHOOK_URL does not hold the address of a webhook: the webhook is not a web address of the form https://portal/rest/1/secret/
help: it looks like https://company.bitrix24.com/rest/1/xxxxxxxxxxxxxxxx/
help: the portal shows it on its page Developer resources, under Inbound webhook

"#]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_without_a_permission_is_an_error() {
    let env = TestEnv::start().await;
    let lacking = |scope: Value| {
        env.change(|state| state["portal"]["webhooks"][0]["scope"] = scope);
        told_about_users(&env, env.webhook(), "{ departments: [42] }", "")
    };
    assert_data_eq!(
        lacking(json!(["user", "department"])),
        str![[r#"
exit 1
error: cannot read the cards
  caused by: the webhook lacks a right
  caused by: the portal says: insufficient_scope crm.lead.details.configuration.get
help: the webhook needs the rights crm, user and department: edit it on the portal's page Developer resources; `recard doctor` tells which one is missing
help: it is the webhook http://PORTAL/rest/1/***/, from RECARD_WEBHOOK_URL

"#]]
    );
    assert_data_eq!(
        lacking(json!(["crm", "user"])),
        str![[r#"
exit 1
error: cannot look up people and departments
  caused by: the webhook lacks a right
  caused by: the portal says: insufficient_scope department.get
help: the webhook needs the rights crm, user and department: edit it on the portal's page Developer resources; `recard doctor` tells which one is missing
help: it is the webhook http://PORTAL/rest/1/***/, from RECARD_WEBHOOK_URL

"#]]
    );
    assert_data_eq!(
        lacking(json!(["crm", "department"])),
        str![[r#"
exit 1
error: the webhook lacks a right
  caused by: the portal says: insufficient_scope user.get
help: the webhook needs the rights crm, user and department: edit it on the portal's page Developer resources; `recard doctor` tells which one is missing
help: it is the webhook http://PORTAL/rest/1/***/, from RECARD_WEBHOOK_URL

"#]]
    );
}

#[test]
fn webhook_url_over_plain_http_is_an_error() {
    let manifest = manifest("company.bitrix24.com", "{ ids: [7] }", "");
    let address = format!("http://company.bitrix24.com/rest/1/{SECRET}/");
    assert_data_eq!(
        told(&address, "no portal", &manifest),
        str![[r#"
exit 1
error: RECARD_WEBHOOK_URL does not hold the address of a webhook: the webhook must start with https://; plain http is accepted for this machine alone
help: it looks like https://company.bitrix24.com/rest/1/xxxxxxxxxxxxxxxx/
help: the portal shows it on its page Developer resources, under Inbound webhook

"#]]
    );
}

#[test]
fn webhook_url_without_a_server_is_an_error() {
    // Whoever had this port has given it back.
    let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let told = told(
        &format!("http://{host}/rest/1/{SECRET}/"),
        &host,
        &manifest(&host, "{ ids: [7] }", ""),
    );
    assert_data_eq!(
        &told[told.find("error: the portal").unwrap()..],
        str![[r#"
error: the portal did not take the request: [..]
help: nothing was done; see that the address is right and that this machine reaches the portal, or try again later

"#]]
    );
}

#[test]
fn webhook_url_that_answers_with_a_web_page_is_an_error() {
    // The page that people see who have not signed in.
    let page =
        "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>";
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let address = format!("http://{host}/rest/1/{SECRET}/");
    let told = told(&address, &host, &manifest(&host, "{ ids: [7] }", ""));
    // It may have been a short outage, so that recard tries for some seconds; the same words again
    // and again are said once.
    let (tries, end) = told.split_at(told.find("error:").unwrap());
    assert!((2..=4).contains(&tries.lines().count()), "{tries}");
    assert_data_eq!(
        end,
        str![[r#"
error: no usable answer from the portal: a page in place of JSON, with status 200
help: open the portal in a browser on this machine: a sign-in page, a proxy or maintenance may stand in the way; if it looks well, try again later

"#]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_that_was_deleted_or_expired_is_an_error() {
    let env = TestEnv::start().await;
    env.emulator().set_faults(&json!([{"do": "expire-webhook", "times": 1}])).unwrap();
    assert_data_eq!(
        told_about_users(&env, env.webhook(), "{ ids: [7] }", ""),
        str![[r#"
exit 1
error: the portal does not accept the webhook
  caused by: the portal says: INVALID_CREDENTIALS Invalid request credentials
help: the webhook may have been deleted, switched off or mistyped: compare it with the portal's page Developer resources, and remember that its number is the id of its owner
help: it is the webhook http://PORTAL/rest/1/***/, from RECARD_WEBHOOK_URL

"#]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn manifest_for_another_portal_is_an_error() {
    let env = TestEnv::start().await;
    let portal = env.portal();
    let manifest = manifest("company.bitrix24.com", "{ ids: [7] }", "");
    assert_data_eq!(
        told(env.webhook(), &portal, &manifest),
        str![[r#"
exit 1
error: the manifests are for the portal company.bitrix24.com, and the webhook is one of PORTAL
help: the portal is named at lead.yaml:5:11, and the webhook comes from RECARD_WEBHOOK_URL: mend the one or the other; nothing was sent

"#]]
    );
    assert_eq!(env.emulator().counters().requests, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn department_that_is_unknown_is_an_error() {
    let env = TestEnv::start().await;
    assert_data_eq!(
        told_about_users(&env, env.webhook(), "{ departments: [77] }", ""),
        str![[r#"
exit 1
error[RC0404]: the portal has no active department 77
 --> lead.yaml:7:30
  |
7 |     - users: { departments: [77] }
  |                              ^^
  |
  = help: departments that the webhook can see: 1 (Company), 41 (Sales), 42 (Sales East), 43 (Support), 45 (Marketing)

error: 1 problem in the manifests; nothing was written

"#]]
    );
    let reads =
        env.emulator().counters().by_method.get("crm.lead.details.configuration.get").copied();
    assert_eq!(reads, None, "no card is read for manifests that are wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn selection_without_users_is_an_error() {
    let env = TestEnv::start().await;
    let everybody = "{ departments: [42], except: { departments: [42] } }";
    assert_data_eq!(
        told_about_users(&env, env.webhook(), everybody, ""),
        str![[r#"
exit 1
error[RC0303]: this block selects nobody on the portal
 --> lead.yaml:7:7
  |
7 |     - users: { departments: [42], except: { departments: [42] } }
  |       ^^^^^^
  |
  = help: an empty selection is more often a mistake than a wish: mend the selectors or remove the block

error: 1 problem in the manifests; nothing was written

"#]]
    );
}

#[test]
fn error_messages_are_explained_in_the_documents() {
    let page = crate::support::page::read("docs/faq.md");
    let table =
        page.split("## What a message means").nth(1).unwrap().split("\n## ").next().unwrap();
    let messages: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    assert_eq!(messages.len(), 10, "{messages:?}");
    for message in messages {
        assert!(
            concat!(include_str!("errors.rs"), include_str!("warnings.rs")).contains(message),
            "no test shows the message: {message}"
        );
    }
}

#[test]
fn rest_3_url_in_a_manifest_is_refused_unless_of_another_service() {
    let env = TestEnv::new();
    env.file("lead.yaml", &format!("{QUICKSTART}# https://h/rest/api/1/{SECRET}/\n"));
    let ended = env.run(&["validate", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("the manifest contains the secret of a webhook"), "{ended:?}");
    assert_hidden(SECRET, &(ended.stdout + &ended.stderr), "the manifest");
    env.file(
        "lead.yaml",
        &format!("{QUICKSTART}# https://h/rest/api/2/issue/ABC-1, rest/1/notes\n"),
    );
    let ended = env.run(&["validate", "-f", "lead.yaml"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn every_error_in_a_manifest_has_a_place_and_a_hint() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/invalid");
    let mut errors = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let env = TestEnv::new();
        env.file("lead.yaml", "");
        std::fs::copy(&path, env.at("lead.yaml")).unwrap();
        let told = env.run(&["validate", "lead.yaml"]).stderr;
        for error in told.split("error[").skip(1) {
            let error = error.split("\nwarning[").next().unwrap();
            let has_place = error.contains("--> lead.yaml:") || error.contains("--> ./lead.yaml:");
            assert!(has_place && error.contains("= help: "), "{}: {error}", path.display());
            errors += 1;
        }
    }
    assert!(errors > 50, "{errors}");
}
