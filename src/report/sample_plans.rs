//! Plans for the tests of reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{RestoreDecision, RestorePlan, RestoreTarget};
use crate::model::*;
use crate::plan::{BlindReset, Plan, Policy, plan};
use crate::records::plan_file::{PlannedRestore, RestorePlanContent, RestorePlanTarget};
use crate::records::samples;

pub(super) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

pub(super) fn identity() -> Identity {
    Identity {
        user: user(1),
        name: PersonName::new("Olga", "Sokolova"),
        portal_admin: true,
        active_users: 9000,
        release_sign: ReleaseSign::Trusted(TrustEvidence::WholeSeconds),
        emulator: false,
    }
}

/// Returns a plan over people with a name each, all customized with a section of that title; every
/// tenth cannot be read.
pub(super) fn planned(people: u64, name: &str, title: &str, reason: &str) -> Plan {
    planned_of(people, name, &[title], reason)
}

/// Returns a plan as [`planned`] does, with layouts of several titles in turn.
pub(super) fn planned_of(people: u64, name: &str, titles: &[&str], reason: &str) -> Plan {
    let origin = |line, selector| {
        let place = SourceLocation { file: "manifests/lead.yaml".into(), line, column: 9 };
        Arc::new(Origin { manifest: "sales".into(), reason: reason.into(), place, selector })
    };
    let department =
        origin(12, Selector::Department { id: DepartmentId::new(41).unwrap(), recursive: true });
    let common = origin(20, Selector::Common);
    let elements = r#"[{"name":"::warning::f","optionFlags":"1"},{"name":"PHONE"}]"#;
    let layout = |title: &&str| {
        let title = serde_json::to_string(title).unwrap();
        let text = format!(
            r#"[{{"name":"main","title":{title},"type":"section","elements":{elements}}}]"#
        );
        Layout::from_json(&text).unwrap()
    };
    let layouts: Vec<Layout> = titles.iter().map(layout).collect();
    let title = serde_json::to_string(titles[0]).unwrap();
    let mut targets = vec![CardKey::common(LeadCustomerType::Simple)];
    targets.extend((2..people + 2).map(|id| CardKey::personal(user(id), LeadCustomerType::Simple)));
    let observed = |key: &CardKey| match key.user() {
        Some(id) if id.get() % 10 == 3 => Observed::Unreadable(UnreadableReason::Refused {
            code: "ACCESS".into(),
            message: title.as_str().into(),
        }),
        user => {
            let turn = user.map_or(0, |user| user.get() as usize % layouts.len());
            Observed::Known(CardState::Customized(layouts[turn].clone()))
        }
    };
    let snapshot = Snapshot {
        portal: PortalId::new("company.bitrix24.com").unwrap(),
        caller: identity(),
        trust: ReadTrust::Trusted(TrustEvidence::WholeSeconds),
        common_defaults: BTreeMap::new(),
        common_cards: BTreeMap::new(),
        cards: targets.iter().map(|key| (*key, observed(key))).collect(),
    };
    let person = |id| Person {
        id: user(id),
        name: PersonName::new(name, ""),
        email: None,
        active: true,
        departments: Vec::new(),
    };
    let desired = DesiredState {
        targets: targets
            .iter()
            .map(|key| DesiredTarget {
                key: *key,
                mode: Mode::Enforce,
                origin: Arc::clone(if key.user().is_some() { &department } else { &common }),
            })
            .collect(),
        people: (2..people + 2).map(|id| (user(id), person(id))).collect(),
        ..DesiredState::default()
    };
    plan(&desired, &snapshot, &Policy { blind: BlindReset::Never, ..Policy::default() })
}

/// Returns the plan of a restore of the resets of a plan, with a text in every place for foreign
/// text.
pub(super) fn planned_restore(plan: &Plan, text: &str) -> (RestorePlanContent, RestorePlan) {
    let layout = |key: CardKey| {
        let target = plan.targets.iter().find(|target| target.key == key);
        target.and_then(|target| target.decision.layout()).cloned()
    };
    let decision = |key: CardKey| match layout(key) {
        Some(wanted) => RestoreDecision::Restore { over: Some(wanted.clone()), wanted },
        None => RestoreDecision::BackupUnusable(text.to_owned()),
    };
    let targets: Vec<RestoreTarget> = plan
        .targets
        .iter()
        .map(|target| RestoreTarget { key: target.key, decision: decision(target.key) })
        .collect();
    let name = PersonName::new(text, "");
    let named = |target: &RestoreTarget| RestorePlanTarget {
        decision: match layout(target.key) {
            Some(wanted) => {
                PlannedRestore::Restore { backup: (&wanted).into(), over: Some((&wanted).into()) }
            }
            None => PlannedRestore::BackupUnusable(text.to_owned()),
        },
        name: name.clone(),
        key: target.key,
    };
    let content = RestorePlanContent {
        caller_name: text.to_owned(),
        targets: targets.iter().map(named).collect(),
        ..samples::restore_plan()
    };
    let common_defaults = BTreeMap::new();
    let trust = ReadTrust::Trusted(TrustEvidence::WholeSeconds);
    (content, RestorePlan { restored_run: samples::run(), trust, targets, common_defaults })
}
