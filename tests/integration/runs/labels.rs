//! Labels of fields: read beside the caller, kept in the store, and never a reason to stop.

use recard::model::EntityType;
use recard::records::PortalLabels;
use recard::store::write_whole;
use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::wait::Wait as _;

/// Returns the labels in the store.
fn kept(env: &TestEnv) -> Option<PortalLabels> {
    env.store().field_labels().wait().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_of_the_portal_are_kept_and_written_again_when_they_change() {
    let env = TestEnv::with_manifest("{ ids: [8] }").await;
    let planned = env.run(&["plan", "-f", "lead.yaml"]);
    assert!(planned.code == 0 && !planned.stderr.contains("warning"), "{planned:?}");
    let labels = kept(&env).unwrap();
    let label = |code| labels.labels.for_type(EntityType::Lead).get(code);
    assert_eq!(label("STATUS_ID"), Some("Status"));
    assert_eq!(label("UF_CRM_1712345678"), Some("Hall of the fair"));
    assert_eq!(label("UF_CRM_1712345679"), Some("Stand at the fair"));
    assert_eq!((label("UF_CRM_1798765432"), label("CLIENT")), (None, None));
    let user_fields: Vec<_> = labels.labels.for_type(EntityType::Lead).user_fields().collect();
    assert_eq!(user_fields, ["UF_CRM_1712345679", "UF_CRM_1712345678", "UF_CRM_1798765432"]);

    let file = env.store_folder().join("field-labels.json");
    let written = std::fs::read(&file).unwrap();
    env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(std::fs::read(&file).unwrap(), written);
    env.change(|state| {
        state["portal"]["lead_user_fields"][2]["EDIT_FORM_LABEL"] = json!("Budget");
    });
    env.run(&["plan", "-f", "lead.yaml"]);
    assert_eq!(
        kept(&env).unwrap().labels.for_type(EntityType::Lead).get("UF_CRM_1798765432"),
        Some("Budget")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_that_the_portal_refuses_stop_no_plan_and_no_apply() {
    let env = TestEnv::with_manifest("{ ids: [8] }").await;
    assert_eq!(env.run(&["plan", "-f", "lead.yaml"]).code, 0);
    let labels = kept(&env);
    let fault = json!([{"method": "crm.lead.fields", "do": "fail-command"}]);
    env.emulator().set_faults(&fault).unwrap();
    let requests = || env.emulator().counters().requests;
    let before = requests();
    let planned = env.run(&["plan", "-f", "lead.yaml"]);
    assert!(planned.code == 0 && !planned.stderr.contains("warning"), "{planned:?}");
    let sent = requests() - before;
    assert_eq!(kept(&env), labels, "those of the earlier command stay");

    // Without any labels the fields have their codes.
    let file = env.store_folder().join("field-labels.json");
    std::fs::remove_file(&file).unwrap();
    let planned = env.run(&["plan", "-f", "lead.yaml"]);
    assert!(planned.code == 0 && !planned.stderr.contains("warning"), "{planned:?}");
    assert_eq!((kept(&env), requests() - before), (None, 2 * sent));
    write_whole(&file, b"{").unwrap();
    let applied = env.run(&["apply", "-f", "lead.yaml", "--auto-approve"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert!(applied.stderr.contains("field-labels.json"), "{applied:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_cost_no_request_of_their_own() {
    let env = TestEnv::with_manifest("{ ids: [8] }").await;
    let requests = || env.emulator().counters().requests;
    let count = |answered: bool| {
        let rules = match answered {
            true => json!([]),
            false => json!([{"method": "crm.lead.fields", "do": "skip-command"}]),
        };
        env.emulator().set_faults(&rules).unwrap();
        let before = requests();
        assert_eq!(env.run(&["plan", "-f", "lead.yaml"]).code, 0);
        requests() - before
    };
    // The caller, the people, and their cards; guards count the employees.
    assert_eq!((count(true), count(false)), (4, 4));
}
