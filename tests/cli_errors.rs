//! The ten most common errors, in the output of the whole program: problem, place and remedy. In
//! each case, `plan` and `apply` end alike, no secret is shown, and nothing is written to the
//! portal.

#![cfg(all(feature = "cli", feature = "emulator"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, dead_code, reason = "the support code is shared by several tests")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use recard::emulator::Emulator;
use serde_json::{Value, json};
use snapbox::{assert_data_eq, str};

use support::company::{manifest, portal_of, resets_sent, sets_sent};
use support::recard::{Ended, Place};

const SECRET: &str = "emulator00000001";

/// A small company's portal, and somebody who makes a mistake with it.
struct World {
    emulator: Emulator,
}

impl World {
    async fn new() -> Self {
        Self { emulator: Emulator::start().await.unwrap() }
    }

    fn webhook(&self) -> String {
        self.emulator.webhook_url(1).unwrap()
    }

    /// Changes the portal behind recard's back.
    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.emulator.state();
        change(&mut state);
        self.emulator.set_state(&state).unwrap();
    }

    /// Returns the message of plan about a selection; apply prints the same, and the portal is
    /// unchanged.
    fn told(&self, webhook: &str, users: &str, more: &str) -> String {
        let portal = portal_of(&self.emulator);
        let before = self.emulator.state()["options"].clone();
        let told = told(webhook, &portal, &manifest(&portal, users, more));
        assert_eq!(self.emulator.state()["options"], before);
        let counters = self.emulator.counters();
        assert_eq!((counters.rows_written, counters.rows_removed), (0, 0));
        assert_eq!((resets_sent(&self.emulator), sets_sent(&self.emulator)), (0, 0));
        assert_eq!(self.emulator.complaints(), []);
        told
    }
}

/// Returns the message of plan with a webhook and a manifest; apply prints the same. `PORTAL`
/// stands for the URL of the portal.
fn told(webhook: &str, portal: &str, manifest: &str) -> String {
    let place = Place::with_webhook(webhook);
    place.file("lead.yaml", manifest);
    let run = |arguments: &[&str]| {
        let ended = place.run(&[arguments, &["-f", "lead.yaml"]].concat());
        assert!(!ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET), "{ended:?}");
        ended
    };
    let (planned, applied) = std::thread::scope(|scope| {
        let applied = scope.spawn(|| run(&["apply", "--auto-approve"]));
        (run(&["plan"]), applied.join().unwrap())
    });
    let end =
        |ended: &Ended| ended.stderr.find("error").map(|start| ended.stderr[start..].to_owned());
    assert_eq!(
        (planned.code, end(&planned)),
        (applied.code, end(&applied)),
        "plan and apply end alike"
    );
    assert!(planned.code != 0 && planned.stdout.is_empty(), "{planned:?}");
    shown(&planned, portal)
}

fn shown(ended: &Ended, portal: &str) -> String {
    format!("exit {}\n{}", ended.code, ended.stderr).replace(portal, "PORTAL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_with_a_wrong_secret() {
    let world = World::new().await;
    let wrong = world.webhook().replace(SECRET, "emulator99999999");
    let told = world.told(&wrong, "{ ids: [7] }", "");
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
fn an_address_that_is_no_webhook() {
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
async fn a_webhook_that_lacks_a_right() {
    let world = World::new().await;
    let lacking = |scope: Value| {
        world.change(|state| state["portal"]["webhooks"][0]["scope"] = scope);
        world.told(&world.webhook(), "{ departments: [42] }", "")
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
fn plain_http_to_a_portal() {
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
fn an_address_where_nobody_listens() {
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
fn an_address_that_answers_with_a_web_page() {
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
async fn a_webhook_that_was_deleted_or_has_expired() {
    let world = World::new().await;
    world.emulator.set_faults(&json!([{"do": "expire-webhook", "times": 1}])).unwrap();
    assert_data_eq!(
        world.told(&world.webhook(), "{ ids: [7] }", ""),
        str![[r#"
exit 1
error: the portal does not accept the webhook
  caused by: the portal says: INVALID_CREDENTIALS Invalid request credentials
help: the webhook may have been deleted, switched off or mistyped: compare it with the portal's page Developer resources, and remember that its number is the id of its owner
help: it is the webhook http://PORTAL/rest/1/***/, from RECARD_WEBHOOK_URL

"#]]
    );
}

/// Returns the message and the output of plan, and apply's exit code. Nothing is written.
fn planned(world: &World, webhook: &str, portal: &str, manifest: &str) -> (String, i32) {
    let place = Place::with_webhook(webhook);
    place.file("lead.yaml", manifest);
    let planned = place.run(&["plan", "-f", "lead.yaml"]);
    let applied = place.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    assert!(applied.stderr.starts_with(&planned.stderr), "apply warns of the same: {applied:?}");
    assert!(!format!("{planned:?}{applied:?}").contains("emulator0000"), "{applied:?}");
    assert_eq!(world.emulator.counters().rows_removed, 0);
    (planned.shown().replace(portal, "PORTAL"), applied.code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_is_no_administrator() {
    let world = World::new().await;
    let (employee, portal) = (world.emulator.webhook_url(8).unwrap(), portal_of(&world.emulator));
    let spec = |spec: &str| {
        format!(
            "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
             \"{portal}\"\n{spec}  guards: {{ acknowledge: {{ common: [simple] }} }}\n"
        )
    };
    // Everybody may read a common card: only the card of somebody else tells that its reset will be
    // refused.
    let (common, code) =
        planned(&world, &employee, &portal, &spec("  common: { leadCustomerTypes: [simple] }\n"));
    assert_data_eq!(
        common,
        str![[r#"
exit 0
--- stdout
Portal PORTAL (an emulator), as user 8 Ivan Petrov
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest test: to try

reset  common/simple  loses 3 sections, 12 fields

Plan: 1 to reset, 0 to keep, 0 held.
Apply takes under a second.
acknowledged: the common card for simple leads would be lost, for everybody who looks at it
--- stderr
warning[RC0407]: user 8, the owner of the webhook, is no administrator of the CRM: the portal refuses the cards of others, and changes of common cards
 --> lead.yaml:6:33
  |
6 |   common: { leadCustomerTypes: [simple] }
  |                                 ^^^^^^
  |
  = help: make the webhook as an administrator of the CRM (of the portal, before release 25.100)


"#]]
    );
    assert_eq!(code, 3);
    let (personal, code) =
        planned(&world, &employee, &portal, &manifest(&portal, "{ ids: [7] }", ""));
    assert_data_eq!(
        personal,
        str![[r#"
exit 0
--- stdout
Portal PORTAL (an emulator), as user 8 Ivan Petrov
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest test: to try

hold   personal/7/simple  Maria Lindqvist  the portal refuses to show the card: Access denied.
hold   personal/7/repeat  Maria Lindqvist  the portal refuses to show the card: Access denied.

Plan: 0 to reset, 0 to keep, 2 held.
--- stderr
warning[RC0407]: user 8, the owner of the webhook, is no administrator of the CRM: the portal refuses the cards of others, and changes of common cards
 --> lead.yaml:7:22
  |
7 |     - users: { ids: [7] }
  |                      ^
  |
  = help: make the webhook as an administrator of the CRM (of the portal, before release 25.100)


"#]]
    );
    assert_eq!(code, 3);
    // An administrator of the CRM who is none of the portal may do both, and hears nothing of it.
    let administrator = world.emulator.webhook_url(9).unwrap();
    for manifest in [
        spec("  common: { leadCustomerTypes: [simple] }\n"),
        manifest(&portal, "{ ids: [16] }", ""),
    ] {
        let place = Place::with_webhook(&administrator);
        place.file("lead.yaml", &manifest);
        let ended = place.run(&["plan", "-f", "lead.yaml"]);
        assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
    }
    assert_eq!(world.emulator.complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_for_another_portal() {
    let world = World::new().await;
    let portal = portal_of(&world.emulator);
    let manifest = manifest("company.bitrix24.com", "{ ids: [7] }", "");
    assert_data_eq!(
        told(&world.webhook(), &portal, &manifest),
        str![[r#"
exit 1
error: the manifests are for the portal company.bitrix24.com, and the webhook is one of PORTAL
help: the portal is named at lead.yaml:5:11, and the webhook comes from RECARD_WEBHOOK_URL: mend the one or the other; nothing was sent

"#]]
    );
    assert_eq!(world.emulator.counters().requests, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_that_is_not_there() {
    let world = World::new().await;
    assert_data_eq!(
        world.told(&world.webhook(), "{ departments: [77] }", ""),
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
        world.emulator.counters().by_method.get("crm.lead.details.configuration.get").copied();
    assert_eq!(reads, None, "no card is read for manifests that are wrong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_was_dismissed() {
    let world = World::new().await;
    // By id it is taken at its word, and worth a warning.
    let portal = portal_of(&world.emulator);
    let (by_id, _) =
        planned(&world, &world.webhook(), &portal, &manifest(&portal, "{ ids: [10] }", ""));
    assert_data_eq!(
        by_id,
        str![[r#"
exit 0
--- stdout
Portal PORTAL (an emulator), as user 1 Olga Sokolova
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest test: to try

Nothing to do: 2 cards are as the manifests want.
--- stderr
warning[RC0406]: user 10 was dismissed, and is selected by id
 --> lead.yaml:7:22
  |
7 |     - users: { ids: [10] }
  |                      ^^
  |
  = help: the card is treated like any other; remove the id if that is not what you want


"#]]
    );
    assert_data_eq!(
        world.told(&world.webhook(), "{ emails: [fedor.orlov@company.example] }", ""),
        str![[r#"
exit 1
error[RC0406]: the person with the e-mail fedor.orlov@company.example was dismissed
 --> lead.yaml:7:25
  |
7 |     - users: { emails: [fedor.orlov@company.example] }
  |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: remove the address; a dismissed person can still be selected by id

error: 1 problem in the manifests; nothing was written

"#]]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selection_of_nobody() {
    let world = World::new().await;
    let everybody = "{ departments: [42], except: { departments: [42] } }";
    assert_data_eq!(
        world.told(&world.webhook(), everybody, ""),
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
fn the_documents_tell_what_each_message_means() {
    let page = support::page::read("docs/faq.md");
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
            include_str!("cli_errors.rs").contains(message),
            "no test shows the message: {message}"
        );
    }
}
