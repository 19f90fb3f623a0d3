//! Tests of the guards with one manifest and with several.

use super::*;
use crate::model::LeadCustomerType;
use crate::plan::Advice;

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn people(ids: std::ops::Range<u64>) -> Vec<UserId> {
    ids.map(user).collect()
}

fn measure_of(manifests: &[(&str, std::ops::Range<u64>)], employees: u32) -> Impact {
    let mut all: Vec<UserId> = manifests.iter().flat_map(|(_, ids)| people(ids.clone())).collect();
    all.sort_unstable();
    all.dedup();
    let impact = |(name, ids): &(&str, std::ops::Range<u64>)| {
        let people = people(ids.clone());
        (
            (*name).into(),
            ManifestImpact { selected: people.clone(), people, common: BTreeSet::new() },
        )
    };
    Impact {
        people: all,
        common: BTreeSet::new(),
        manifests: manifests.iter().map(impact).collect(),
        previous_selections: BTreeMap::new(),
        active_users: employees,
        employees: Some(employees),
        caller: user(1000),
    }
}

fn impact(people: u64, employees: u32) -> Impact {
    measure_of(&[("sales", 2..people + 2)], employees)
}

fn limits_of(manifests: &[(&str, ManifestLimits)]) -> GuardLimits {
    let manifests =
        manifests.iter().map(|(name, limits)| ((*name).into(), limits.clone())).collect();
    GuardLimits { manifests, max_users: None }
}

fn limits(limits: ManifestLimits) -> GuardLimits {
    limits_of(&[("sales", limits)])
}

fn words(report: &GuardReport) -> Vec<&'static str> {
    report.violations.iter().map(Violation::as_str).collect()
}

fn messages(report: &GuardReport) -> Vec<String> {
    report.violations.iter().map(ToString::to_string).collect()
}

fn acknowledging(users: u32) -> ManifestLimits {
    ManifestLimits { acknowledged_users: Some(users), ..ManifestLimits::default() }
}

#[test]
fn twenty_five_people_pass_and_one_more_does_not() {
    let limits = GuardLimits::default();
    assert!(report(impact(25, 1000), &limits).holds());
    assert_eq!(words(&report(impact(26, 1000), &limits)), ["too-many-people"]);
}

#[test]
fn acknowledgement_covers_its_number_and_not_one_more() {
    let limits = limits(acknowledging(37));
    assert!(report(impact(37, 100), &limits).holds());
    let refused = report(impact(38, 100), &limits);
    assert_eq!(words(&refused), ["too-many-people", "too-large-share"]);
    assert_eq!(refused.acknowledgement().unwrap(), "guards:\n  acknowledge: { users: 38 }");
}

#[test]
fn share_counts_only_for_more_than_ten_people() {
    let limits = GuardLimits::default();
    assert!(report(impact(10, 20), &limits).holds());
    assert_eq!(words(&report(impact(11, 20), &limits)), ["too-large-share"]);
    assert!(report(impact(11, 110), &limits).holds());
    assert_eq!(words(&report(impact(11, 109), &limits)), ["too-large-share"]);
}

#[test]
fn share_of_employees_that_nobody_counted_is_too_large() {
    let uncounted =
        |people| report(Impact { employees: None, ..impact(people, 0) }, &GuardLimits::default());
    assert!(uncounted(10).holds() && !uncounted(10).lacks_employees());
    assert_eq!(words(&uncounted(11)), ["too-large-share"]);
    assert!(uncounted(11).lacks_employees());
    assert!(uncounted(11).with_employees(110).holds());
}

#[test]
fn user_1_the_caller_and_common_cards_need_their_names() {
    let mut affected = impact(0, 1000);
    affected.people = vec![user(1), user(1000)];
    affected.common.insert(CardKind::Lead(LeadCustomerType::Repeat));
    let own = ManifestImpact {
        people: affected.people.clone(),
        common: affected.common.clone(),
        selected: Vec::new(),
    };
    affected.manifests.insert("sales".into(), own);
    let refused = report(affected.clone(), &GuardLimits::default());
    assert_eq!(words(&refused), ["common-card", "first-user", "caller"]);
    let lines = refused.acknowledgement().unwrap();
    assert_eq!(lines, "guards:\n  acknowledge: { common: [repeat], people: [1, 1000] }");
    let limits = limits(ManifestLimits {
        acknowledged_common: [CardKind::Lead(LeadCustomerType::Repeat)].into(),
        acknowledged_people: [user(1), user(1000)].into(),
        ..ManifestLimits::default()
    });
    let allowed = report(affected, &limits);
    assert!(allowed.holds());
    assert_eq!(allowed.acknowledged.len(), 3);
}

#[test]
fn protection_is_lifted_by_no_acknowledgement() {
    let limits = limits(ManifestLimits {
        protected: [user(2)].into(),
        acknowledged_people: [user(2)].into(),
        ..acknowledging(100)
    });
    let refused = report(impact(1, 1000), &limits);
    assert_eq!(words(&refused), ["protected"]);
    assert_eq!(refused.acknowledgement(), None);
    assert_eq!(refused.advice(), [Advice::LeaveOut]);
}

#[test]
fn protection_of_one_manifest_holds_for_the_targets_of_all() {
    let protecting = ManifestLimits { protected: [user(3)].into(), ..ManifestLimits::default() };
    let limits = limits_of(&[("sales", ManifestLimits::default()), ("support", protecting)]);
    let refused = report(measure_of(&[("sales", 2..5), ("support", 50..51)], 1000), &limits);
    assert_eq!(
        messages(&refused),
        ["manifest support: user 3 would lose a card, and is protected"]
    );
}

#[test]
fn selection_may_shrink_by_a_fifth() {
    let shrunk = |now: u64, before: u32, acknowledged: Option<u32>| {
        let stated =
            ManifestLimits { acknowledged_selection: acknowledged, ..ManifestLimits::default() };
        let mut impact = impact(0, 1000);
        impact.manifests.entry("sales".into()).or_default().selected = people(2..2 + now);
        impact.previous_selections.insert("sales".into(), before);
        words(&report(impact, &limits(stated)))
    };
    assert!(shrunk(80, 100, None).is_empty());
    assert_eq!(shrunk(79, 100, None), ["selection-shrank"]);
    assert!(shrunk(79, 100, Some(79)).is_empty());
    assert_eq!(shrunk(78, 100, Some(79)), ["selection-shrank"]);
}

#[test]
fn acknowledgement_holds_for_the_targets_of_its_own_manifest_alone() {
    let affected = || measure_of(&[("sales", 2..32), ("support", 100..104)], 10_000);
    // The other manifest acknowledges more than enough for both.
    let limits =
        limits_of(&[("sales", ManifestLimits::default()), ("support", acknowledging(1000))]);
    let refused = report(affected(), &limits);
    assert_eq!(
        messages(&refused),
        [
            "manifest sales: 30 people would lose a card; the limit maxUsers is 25",
            "34 people of all manifests would lose a card; the smallest limit maxUsers is 25",
        ]
    );
    assert_eq!(
        refused.acknowledgement().unwrap(),
        "# manifest sales\nguards:\n  acknowledge: { users: 30 }"
    );
    let both = limits_of(&[("sales", acknowledging(30)), ("support", acknowledging(4))]);
    assert!(report(affected(), &both).holds());
}

#[test]
fn run_is_measured_against_the_smallest_limit_unless_all_that_contribute_acknowledge() {
    let wide = |limit| ManifestLimits { max_users: Some(limit), ..ManifestLimits::default() };
    let affected = || measure_of(&[("sales", 2..22), ("support", 100..120)], 10_000);
    let refused = report(affected(), &GuardLimits::default());
    let together =
        "40 people of all manifests would lose a card; the smallest limit maxUsers is 25";
    assert_eq!(messages(&refused), [together]);
    assert!(report(affected(), &limits_of(&[("sales", wide(40)), ("support", wide(50))])).holds());
    assert_eq!(
        messages(&report(affected(), &limits_of(&[("sales", wide(40)), ("support", wide(25))]))),
        [together]
    );
    // One acknowledgement is not enough, and the advice names what is missing.
    let one =
        report(affected(), &limits_of(&[("sales", acknowledging(20)), ("support", wide(25))]));
    assert_eq!(
        one.acknowledgement().unwrap(),
        "# manifest support\nguards:\n  maxUsers: 25\n  acknowledge: { users: 20 }"
    );
    // A stated limit counts even if its manifest affects no one; the built-in limit of such a
    // manifest does not.
    let third = |limits: ManifestLimits| {
        limits_of(&[("sales", wide(100)), ("support", wide(100)), ("common", limits)])
    };
    assert!(report(affected(), &third(ManifestLimits::default())).holds());
    assert_eq!(words(&report(affected(), &third(wide(30)))), ["too-many-people"]);
}

#[test]
fn share_of_all_manifests_is_measured_as_well() {
    let refused =
        report(measure_of(&[("sales", 2..8), ("support", 100..106)], 100), &GuardLimits::default());
    assert_eq!(
        messages(&refused),
        [
            "12 of 100 employees would lose a card by all manifests; the smallest limit maxPercentOfUsers is 10 %"
        ]
    );
}

#[test]
fn common_card_and_a_special_person_of_two_manifests_need_both() {
    let mut affected = measure_of(&[("sales", 1..2), ("support", 1..2)], 1000);
    for own in affected.manifests.values_mut() {
        own.common.insert(CardKind::Lead(LeadCustomerType::Simple));
    }
    affected.common.insert(CardKind::Lead(LeadCustomerType::Simple));
    let allowing = ManifestLimits {
        acknowledged_common: [CardKind::Lead(LeadCustomerType::Simple)].into(),
        acknowledged_people: [user(1)].into(),
        ..ManifestLimits::default()
    };
    let one = limits_of(&[("sales", allowing.clone()), ("support", ManifestLimits::default())]);
    let refused = report(affected.clone(), &one);
    assert_eq!(words(&refused), ["common-card", "first-user"]);
    assert!(refused.violations.iter().all(|violation| violation.manifest() == Some("support")));
    assert!(
        report(affected, &limits_of(&[("sales", allowing.clone()), ("support", allowing)])).holds()
    );
}

#[test]
fn limit_of_the_command_line_is_named_and_not_lifted_by_a_manifest() {
    let flag = GuardLimits { max_users: Some(5), ..limits(acknowledging(100)) };
    let refused = report(impact(6, 10_000), &flag);
    assert_eq!(
        messages(&refused),
        ["6 people would lose a card; the limit maxUsers is 5, by --max-users"]
    );
    assert_eq!(refused.advice(), [Advice::Flag { limit: 5, people: 6 }]);
    assert!(refused.advice()[0].to_string().contains("--max-users 6"));
    assert_eq!(refused.acknowledgement(), None);
    // The flag only lowers.
    let high = GuardLimits { max_users: Some(50), ..GuardLimits::default() };
    assert_eq!(messages(&report(impact(26, 10_000), &high)).len(), 1);
}

#[test]
fn advice_is_the_complete_block_of_the_manifest() {
    let stated = ManifestLimits {
        max_users: Some(20),
        max_percent_of_users: Some(5),
        acknowledged_users: Some(10),
        acknowledged_selection: Some(7),
        acknowledged_common: [CardKind::Lead(LeadCustomerType::Repeat)].into(),
        acknowledged_people: [user(1)].into(),
        protected: [user(900)].into(),
    };
    let mut affected = impact(21, 10_000);
    affected
        .manifests
        .get_mut("sales")
        .unwrap()
        .common
        .insert(CardKind::Lead(LeadCustomerType::Simple));
    let refused = report(affected, &limits(stated));
    assert_eq!(
        refused.acknowledgement().unwrap(),
        "guards:\n  maxUsers: 20\n  maxPercentOfUsers: 5\n  acknowledge: { users: 21, selection: 7, \
         common: [simple, repeat], people: [1] }"
    );
    assert!(refused.advice()[0].to_string().contains("in place of `guards`"));
}

#[test]
fn violation_names_the_pipeline_if_its_name_is_known() {
    let (source, kind) = (LimitSource::OnlyManifest, ViolationKind::CommonCard(CardKind::Deal(3)));
    let violation = Violation { source, kind };
    let pipelines = BTreeMap::from([(CardKind::Deal(3), "Partners".into())]);
    let names = KindNames { pipelines, ..KindNames::default() };
    let told = violation.words(&names).to_string();
    assert!(told.contains("deals of pipeline Partners (3)"), "{told}");
    assert!(violation.to_string().contains("deals of pipeline 3 "), "{violation}");
}
