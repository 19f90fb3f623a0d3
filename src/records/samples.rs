//! Sample values for the tests of formats and of the store.

use super::{LockRecord, ProcessIdentity};
use crate::model::{
    CardKey, DepartmentId, Digest, FieldLabels, Generation, GuardLimits, Layout, LeadCustomerType,
    Ledger, LedgerEntry, ManifestLimits, Origin, Outcome, PersonName, PortalId, RunId, Selector,
    SourceLocation, TrustEvidence, UserId,
};
use crate::plan::{LimitSource, PlanCounts, Violation, ViolationKind};
use crate::ports::{Interrupted, LockOwner, PlannedCard, RunHeader, RunPurpose};
use crate::records::plan_file::{
    LayoutSummary, PlanFileContent, PlanFileMark, PlanFileTarget, PlanManifest, PlannedRemoval,
    PlannedRestore, RestorePlanContent, RestorePlanTarget,
};
use crate::records::{LimiterState, PortalLabels, ReadProof, RunReport};

pub(crate) fn portal() -> PortalId {
    PortalId::new("company.bitrix24.com").unwrap()
}

pub(crate) fn run() -> RunId {
    RunId::new("20261101T090000Z", 0x1a_2b3c).unwrap()
}

pub(crate) fn common() -> CardKey {
    CardKey::common(LeadCustomerType::Simple)
}

pub(crate) fn personal(id: u64) -> CardKey {
    CardKey::personal(UserId::new(id).unwrap(), LeadCustomerType::Simple)
}

pub(crate) fn layout(title: &str) -> Layout {
    Layout::from_json(&format!(
        r#"[{{"name":"main","title":"{title}","type":"section","elements":[]}}]"#
    ))
    .unwrap()
}

pub(crate) fn header(targets: &[CardKey]) -> RunHeader {
    RunHeader {
        purpose: RunPurpose::Apply,
        portal: portal(),
        caller: UserId::new(7).unwrap(),
        actor: "anna".to_owned(),
        manifest: Some(Digest::hash(b"manifest")),
        commit: None,
        ledger: None,
        reasons: vec![("sales".to_owned(), "a new form".to_owned())],
        trust: Some(TrustEvidence::SelectObeyed),
        targets: targets
            .iter()
            .map(|key| PlannedCard { key: *key, digest: None, generation: None })
            .collect(),
    }
}

pub(crate) fn owner() -> LockOwner {
    LockOwner {
        process: 4711,
        host: "build".to_owned(),
        actor: "anna".to_owned(),
        command: "apply".to_owned(),
        since: "2026-11-01T09:00:00Z".to_owned(),
    }
}

pub(crate) fn lock() -> LockRecord {
    let process = ProcessIdentity {
        process: 4711,
        boot: "17b617bc-a10a-43d0-8981-9b0bb23bb4c0".to_owned(),
        namespace: "pid:[4026531836]".to_owned(),
        started: "81234".to_owned(),
    };
    LockRecord { owner: owner(), process: Some(process), file: "65024:9".to_owned() }
}

pub(crate) fn ledger() -> Ledger {
    let generation = Generation::new("2026-11").unwrap();
    let mut ledger = Ledger::default();
    ledger.record_reset(generation.clone(), common(), LedgerEntry { removed: None });
    ledger.record_reset(generation, personal(7), LedgerEntry { removed: Some(Digest::hash(b"x")) });
    ledger
}

pub(crate) fn limiter_state() -> LimiterState {
    LimiterState { at: "2026-11-01T09:00:00.5Z".parse().unwrap(), level: 12.1 }
}

pub(crate) fn portal_labels() -> PortalLabels {
    let lead = FieldLabels::from_fields([
        ("TITLE", Some("Lead name")),
        ("UF_CRM_2", Some("Выставка")),
        ("UF_CRM_1", None),
    ]);
    PortalLabels { at: limiter_state().at, portal: portal(), labels: lead.into() }
}

pub(crate) fn read_proof() -> ReadProof {
    ReadProof { at: limiter_state().at, portal: portal(), evidence: TrustEvidence::SelectObeyed }
}

pub(crate) fn outcomes() -> Vec<Outcome> {
    let text = || "why".to_owned();
    vec![
        Outcome::Reset,
        Outcome::ResetUnseen,
        Outcome::ResetBlind,
        Outcome::AlreadyDefault,
        Outcome::Changed,
        Outcome::Compensated,
        Outcome::Restored,
        Outcome::RestoredUnseen,
        Outcome::RestoredInPart(text()),
        Outcome::NewerKept,
        Outcome::NewerInBackup(text()),
        Outcome::Refused { code: "403".to_owned(), message: text() },
        Outcome::StillCustomized,
        Outcome::Lost(text()),
        Outcome::Unknown(text()),
        Outcome::NotAttempted(text()),
    ]
}

pub(crate) fn report() -> RunReport {
    let targets = [common(), personal(7)];
    RunReport {
        run: run(),
        header: header(&targets),
        interrupted: Interrupted::No,
        targets: vec![
            (common(), Outcome::Reset),
            (personal(7), Outcome::Unknown("no answer".to_owned())),
        ],
    }
}

fn origin(line: u32, selector: Selector) -> Origin {
    Origin {
        manifest: "sales".into(),
        reason: "a new form".into(),
        place: SourceLocation { file: "sales.yaml".into(), line, column: 3 },
        selector,
    }
}

pub(crate) fn plan() -> PlanFileContent {
    let limits = ManifestLimits {
        acknowledged_users: Some(30),
        protected: [UserId::FIRST].into(),
        ..ManifestLimits::default()
    };
    let violation = |kind| Violation { source: LimitSource::OnlyManifest, kind };
    PlanFileContent {
        kinds: Default::default(),
        narrowed: false,
        created: "2026-11-01T09:00:00Z".parse().unwrap(),
        expires: "2026-11-02T09:00:00Z".parse().unwrap(),
        portal: portal(),
        caller: UserId::new(7).unwrap(),
        caller_name: "Anna".to_owned(),
        manifest: Digest::hash(b"manifest"),
        manifests: vec![PlanManifest {
            name: "sales".to_owned(),
            reason: "a new form".to_owned(),
            file: "sales.yaml".to_owned(),
        }],
        commit: Some("1a2b3c".to_owned()),
        targets: vec![
            PlanFileTarget {
                key: common(),
                removal: PlannedRemoval::Unread,
                generation: None,
                origin: origin(9, Selector::Common),
                name: PersonName::default(),
                also: Default::default(),
            },
            PlanFileTarget {
                key: personal(7),
                removal: PlannedRemoval::Layout(layout("mine").digest()),
                generation: Generation::new("2026-11"),
                origin: origin(7, Selector::Email("anna@company.example".into())),
                name: PersonName::new("Anna", "Petrova"),
                also: ["support".into()].into(),
            },
        ],
        marks: vec![PlanFileMark {
            key: personal(8),
            generation: Generation::new("2026-11").unwrap(),
            origin: origin(
                8,
                Selector::Department { id: DepartmentId::new(41).unwrap(), recursive: true },
            ),
        }],
        limits: GuardLimits {
            manifests: [("sales".into(), limits)].into(),
            ..GuardLimits::default()
        },
        violations: vec![violation(ViolationKind::CommonCard(LeadCustomerType::Simple.into()))],
        acknowledged: vec![violation(ViolationKind::TooManyPeople { people: 30, limit: 25 })],
        selected: [("sales".into(), vec![UserId::new(7).unwrap(), UserId::new(8).unwrap()])].into(),
        counts: PlanCounts { keep: 1, reset: 2, hold: 0 },
    }
}

/// Returns a restore plan with every kind of decision.
pub(crate) fn restore_plan() -> RestorePlanContent {
    let summary = |title: &str| LayoutSummary::from(&layout(title));
    let name = PersonName::new("Anna", "Petrova");
    let target =
        |id, decision| RestorePlanTarget { decision, name: name.clone(), key: personal(id) };
    let unusable = "the backups cannot be read".to_owned();
    RestorePlanContent {
        caller: UserId::new(7).unwrap(),
        caller_name: "Anna".to_owned(),
        created: "2026-11-01T09:00:00Z".parse().unwrap(),
        expires: "2026-11-02T09:00:00Z".parse().unwrap(),
        incomplete: true,
        portal: portal(),
        run: run(),
        targets: vec![
            RestorePlanTarget {
                decision: PlannedRestore::Reset(summary("of all")),
                name: PersonName::default(),
                key: common(),
            },
            target(7, PlannedRestore::Restore { backup: summary("mine"), over: None }),
            target(
                8,
                PlannedRestore::Restore { backup: summary("old"), over: Some(summary("new")) },
            ),
            target(9, PlannedRestore::NewerKept(summary("newer"))),
            target(10, PlannedRestore::AsBefore),
            target(11, PlannedRestore::NoBackup),
            target(12, PlannedRestore::BackupUnusable(unusable)),
            target(13, PlannedRestore::Unreadable),
        ],
    }
}

/// Flips each bit once.
pub(crate) fn flip_every_bit(bytes: &[u8], mut look: impl FnMut(&[u8])) {
    let mut damaged = bytes.to_vec();
    for index in 0..bytes.len() * 8 {
        damaged[index / 8] ^= 1 << (index % 8);
        look(&damaged);
        damaged[index / 8] ^= 1 << (index % 8);
    }
}
