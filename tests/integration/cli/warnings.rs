//! Warnings of a plan about the caller and the people it selects: shown by `plan` and `apply`, and
//! nothing is written.

use snapbox::{assert_data_eq, str};

use super::errors::told_about_users;
use crate::support::company::manifest;
use crate::support::env::TestEnv;

/// Returns the message and the output of plan, and apply's exit code. Nothing is written.
fn planned(env: &TestEnv, webhook: &str, portal: &str, manifest: &str) -> (String, i32) {
    let caller = TestEnv::with_webhook(webhook);
    caller.file("lead.yaml", manifest);
    let planned = caller.run(&["plan", "-f", "lead.yaml"]);
    let applied = caller.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    let warnings = planned.stderr.split("To apply exactly this plan").next().unwrap();
    assert!(applied.stderr.starts_with(warnings), "apply warns of the same: {applied:?}");
    assert!(!format!("{planned:?}{applied:?}").contains("emulator0000"), "{applied:?}");
    assert_eq!(env.emulator().counters().rows_removed, 0);
    (planned.shown().replace(portal, "PORTAL"), applied.code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_of_an_employee_warns_and_exits_with_3() {
    let env = TestEnv::start().await;
    let (employee, portal) = (env.emulator().webhook_url(8).unwrap(), env.portal());
    let spec = |spec: &str| {
        format!(
            "apiVersion: recard/v1\nkind: LeadCardReset\nmetadata: {{ name: test, reason: to try }}\nspec:\n  portal: \
             \"{portal}\"\n{spec}  guards: {{ acknowledge: {{ common: [simple] }} }}\n"
        )
    };
    // Everybody may read a common card: only the card of somebody else tells that its reset will be
    // refused.
    let (common, code) =
        planned(&env, &employee, &portal, &spec("  common: { leadCustomerTypes: [simple] }\n"));
    assert_data_eq!(
        common,
        str![[r#"
exit 0
--- stdout
Portal PORTAL (an emulator), as user 8 Ivan Petrov
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest test: to try

reset  1 card: layout "About the lead" (3 sections, 12 fields)
       common/lead/simple

Plan: 1 to reset, 0 to keep, 0 held.
Only card layouts change. No lead, contact or deal data is touched. Undo: `recard restore RUN --all`.
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

To apply exactly this plan, save it with --out FILE and run `recard apply FILE`.

"#]]
    );
    assert_eq!(code, 3);
    let (personal, code) =
        planned(&env, &employee, &portal, &manifest(&portal, "{ ids: [7] }", ""));
    assert_data_eq!(
        personal,
        str![[r#"
exit 0
--- stdout
Portal PORTAL (an emulator), as user 8 Ivan Petrov
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest test: to try

hold   personal/7/lead/simple  Maria Lindqvist  the portal refuses to show the card: Access denied.
hold   personal/7/lead/repeat  Maria Lindqvist  the portal refuses to show the card: Access denied.

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
    let administrator = env.emulator().webhook_url(9).unwrap();
    for manifest in [
        spec("  common: { leadCustomerTypes: [simple] }\n"),
        manifest(&portal, "{ ids: [16] }", ""),
    ] {
        let env = TestEnv::with_webhook(&administrator);
        env.file("lead.yaml", &manifest);
        let ended = env.run(&["plan", "-f", "lead.yaml", "--quiet"]);
        assert_eq!((ended.code, &*ended.stderr), (0, ""), "{ended:?}");
    }
    assert_eq!(env.emulator().complaints(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dismissed_user_is_a_warning() {
    let env = TestEnv::start().await;
    // By id it is taken at its word, and worth a warning.
    let portal = env.portal();
    let (by_id, _) = planned(&env, env.webhook(), &portal, &manifest(&portal, "{ ids: [10] }", ""));
    assert_data_eq!(
        by_id,
        str![[r#"
exit 0
--- stdout
Portal PORTAL (an emulator), as user 1 Olga Sokolova
Reads of other users: trusted (the answers show a release from 25.700 on)
Manifest test: to try

No changes. 2 cards match the manifests.
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
        told_about_users(&env, env.webhook(), "{ emails: [fedor.orlov@company.example] }", ""),
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
