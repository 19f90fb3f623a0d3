//! Plan over many people, each with a layout of their own; no portal is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use recard::model::{
    CardKey, CardLabels, CardState, DepartmentId, DesiredState, DesiredTarget, Identity, Layout,
    LeadCustomerType, Mode, Observed, Origin, Person, PersonName, PortalId, ReadTrust, ReleaseSign,
    Selector, Snapshot, SourceLocation, TrustEvidence, UserId,
};
use recard::plan::{Plan, Policy, plan};
use recard::report::{Cost, OutputFormat, PlanReport, Purpose, RenderOptions, Report, Subject};

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn caller() -> Identity {
    Identity {
        user: user(1),
        name: PersonName::new("Olga", "Sokolova"),
        portal_admin: true,
        active_users: 20_000,
        release_sign: ReleaseSign::Trusted(TrustEvidence::WholeSeconds),
        emulator: false,
    }
}

/// Returns a plan that resets the simple card of so many people; `text` stands in all their texts.
pub fn large_plan(people: u64, text: &str) -> Plan {
    let origin = Arc::new(Origin {
        manifest: "everybody".into(),
        reason: format!("New form {text}").as_str().into(),
        place: SourceLocation { file: "manifests/lead.yaml".into(), line: 12, column: 9 },
        selector: Selector::All,
    });
    let ids = 2..people + 2;
    let key = |id| CardKey::personal(user(id), LeadCustomerType::Simple);
    let card = |id: u64| {
        let field = |number: u64| {
            format!(r#"{{"name":"UF_CRM_{}_{number}","optionFlags":"{}"}}"#, id % 97, number % 2)
        };
        let fields: Vec<String> = (0..10).map(field).collect();
        let title = serde_json::to_string(&format!("Section of {id} {text}")).unwrap();
        let fields = fields.join(",");
        let layout = format!(
            r#"[{{"name":"main","title":{title},"type":"section","elements":[{{"name":"TITLE"}},{fields}]}}]"#
        );
        Observed::Known(CardState::Customized(Layout::from_json(&layout).unwrap()))
    };
    let person = |id| Person {
        id: user(id),
        name: PersonName::new(&format!("Person {text}"), &id.to_string()),
        email: None,
        active: true,
        departments: vec![DepartmentId::new(id % 7 + 1).unwrap()],
    };
    let snapshot = Snapshot {
        portal: PortalId::new("company.bitrix24.com").unwrap(),
        caller: caller(),
        trust: ReadTrust::Trusted(TrustEvidence::WholeSeconds),
        common_defaults: BTreeMap::new(),
        common_cards: BTreeMap::new(),
        cards: ids.clone().map(|id| (key(id), card(id))).collect(),
    };
    let target =
        |id| DesiredTarget { key: key(id), mode: Mode::Enforce, origin: Arc::clone(&origin) };
    let desired = DesiredState {
        targets: ids.clone().map(target).collect(),
        people: ids.map(|id| (user(id), person(id))).collect(),
        ..DesiredState::default()
    };
    plan(&desired, &snapshot, &Policy::default())
}

/// Renders a plan as HTML.
pub fn html(plan: &Plan, options: &RenderOptions) -> String {
    let report = PlanReport {
        plan,
        caller: &caller(),
        manifests: vec![("everybody", "New form")],
        commits: &BTreeMap::new(),
        cost: Cost { requests: 1_000, seconds: 500.0, operating_share: 0.3 },
        warnings: &[],
        drift: None,
        labels: &CardLabels::default(),
    };
    Report { purpose: Purpose::Plan, subject: Subject::Plan(&report) }
        .render(OutputFormat::Html, options)
}

/// Writes a plan as HTML into a file.
#[allow(clippy::disallowed_methods, reason = "a test writes files as it likes")]
pub fn write_html(plan: &Plan, file: &Path) {
    std::fs::write(file, html(plan, &RenderOptions::default())).unwrap();
}
