//! Law of every format on random values: the decoded value is the encoded one.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::plan_file::{
    PlanFile, PlanFileContent, PlanFileMark, PlanFileTarget, PlanManifest, PlannedRemoval,
    RestorePlanFile,
};
use super::*;
use crate::model::*;
use crate::plan::{LimitSource, PlanCounts, SpecialPerson, Violation, ViolationKind};
use crate::ports::*;

fn users() -> impl Strategy<Value = UserId> {
    (1_u64..=2_147_483_646).prop_map(|id| UserId::new(id).unwrap())
}

fn kinds() -> impl Strategy<Value = CardKind> {
    let process = (0_u32..32).prop_map(|number| SmartProcessType::new(128 + number).unwrap());
    let id = || (1_u32..).prop_map(|id| PipelineId::new(id).unwrap());
    prop_oneof![
        prop::sample::select(CardKind::LEADS.to_vec()),
        any::<u32>().prop_map(CardKind::Deal),
        prop::option::of(id()).prop_map(CardKind::Contact),
        prop::option::of(id()).prop_map(CardKind::Company),
        Just(CardKind::Quote),
        id().prop_map(CardKind::SmartInvoice),
        (process.clone(), id()).prop_map(|(process, id)| CardKind::SmartProcess(process, id)),
        Just(CardKind::NoPipeline(PipelinedType::SmartInvoice)),
        process.prop_map(PipelinedType::SmartProcess).prop_map(CardKind::NoPipeline),
    ]
}

fn kind_names() -> impl Strategy<Value = KindNames> {
    let process = (0_u32..32).prop_map(|number| SmartProcessType::new(128 + number).unwrap());
    let name = || any::<String>().prop_map(Box::<str>::from);
    let pipelines = prop::collection::btree_map(kinds(), name(), 0..3);
    (pipelines, prop::collection::btree_map(process, name(), 0..3))
        .prop_map(|(pipelines, processes)| KindNames { pipelines, processes })
}

fn keys() -> impl Strategy<Value = CardKey> {
    prop_oneof![
        kinds().prop_map(CardKey::common),
        (users(), kinds()).prop_map(|(user, kind)| CardKey::personal(user, kind))
    ]
}

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 4]>().prop_map(|bytes| Digest::hash(&bytes))
}

fn generations() -> impl Strategy<Value = Generation> {
    "[a-zA-Z0-9._-]{1,64}".prop_map(|text| Generation::new(&text).unwrap())
}

fn portals() -> impl Strategy<Value = PortalId> {
    "[a-z][a-z0-9]{0,10}(\\.[a-z][a-z0-9]{0,10}){0,2}(:[1-9][0-9]{0,3})?"
        .prop_map(|text| PortalId::new(&text).unwrap())
}

fn runs() -> impl Strategy<Value = RunId> {
    any::<u32>().prop_map(|random| RunId::new("20261101T090000Z", random).unwrap())
}

fn moments() -> impl Strategy<Value = Timestamp> {
    (-62_000_000_000_i64..253_000_000_000, 0..1_000_000_000)
        .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
}

fn amounts() -> impl Strategy<Value = f64> {
    any::<f64>().prop_map(f64::abs).prop_filter("finite", |number| number.is_finite())
}

fn set_purposes() -> impl Strategy<Value = SetPurpose> {
    prop_oneof![Just(SetPurpose::Planned), Just(SetPurpose::Compensation)]
}

fn ends() -> impl Strategy<Value = Interrupted> {
    prop_oneof![Just(Interrupted::No), Just(Interrupted::Yes)]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let texts = (any::<String>(), any::<String>());
    (prop::sample::select(samples::outcomes()), texts).prop_map(|(outcome, (text, other))| {
        match outcome {
            Outcome::RestoredInPart(_) => Outcome::RestoredInPart(text),
            Outcome::Refused { .. } => Outcome::Refused { code: text, message: other },
            Outcome::NewerInBackup(_) => Outcome::NewerInBackup(text),
            Outcome::Lost(_) => Outcome::Lost(text),
            Outcome::Unknown(_) => Outcome::Unknown(text),
            Outcome::NotAttempted(_) => Outcome::NotAttempted(text),
            plain => plain,
        }
    })
}

fn headers() -> impl Strategy<Value = RunHeader> {
    let planned = (keys(), prop::option::of(digests()), prop::option::of(generations()))
        .prop_map(|(key, digest, generation)| PlannedCard { key, digest, generation });
    let purposes = prop_oneof![Just(RunPurpose::Apply), runs().prop_map(RunPurpose::Restore)];
    let texts = (any::<String>(), prop::option::of(any::<String>()));
    let reasons = prop::collection::vec((any::<String>(), any::<String>()), 0..3);
    let targets = prop::collection::vec(planned, 0..5);
    let trust = prop::option::of(prop::sample::select(TrustEvidence::ALL.to_vec()));
    (purposes, portals(), users(), texts, prop::option::of(digests()), reasons, trust, targets)
        .prop_map(
            |(purpose, portal, caller, (actor, commit), manifest, reasons, trust, targets)| {
                RunHeader {
                    purpose,
                    portal,
                    caller,
                    actor,
                    manifest,
                    commit,
                    ledger: None,
                    reasons,
                    trust,
                    targets,
                }
            },
        )
}

fn records() -> impl Strategy<Value = JournalRecord> {
    prop_oneof![
        headers().prop_map(JournalRecord::Opened),
        prop::collection::vec((keys(), prop::option::of(digests())), 0..4)
            .prop_map(|targets| JournalRecord::Intent { targets }),
        (keys(), digests(), set_purposes()).prop_map(|(target, digest, purpose)| {
            JournalRecord::SetIntent { target, digest, purpose }
        }),
        (keys(), outcomes())
            .prop_map(|(target, outcome)| JournalRecord::Completed { target, outcome }),
        ends().prop_map(|interrupted| JournalRecord::Closed { interrupted }),
    ]
}

fn violations() -> impl Strategy<Value = Violation> {
    let number = any::<u32>;
    let kinds = prop_oneof![
        (number(), number())
            .prop_map(|(people, limit)| ViolationKind::TooManyPeople { people, limit }),
        (number(), number(), any::<u8>()).prop_map(|(people, employees, limit)| {
            ViolationKind::TooLargeShare { people, employees, limit }
        }),
        kinds().prop_map(ViolationKind::CommonCard),
        users().prop_map(|user| ViolationKind::SpecialPerson(user, SpecialPerson::FirstUser)),
        users().prop_map(|user| ViolationKind::SpecialPerson(user, SpecialPerson::Caller)),
        users().prop_map(ViolationKind::Protected),
        (number(), number()).prop_map(|(now, before)| ViolationKind::Shrunk { now, before }),
    ];
    let sources = prop_oneof![
        Just(LimitSource::OnlyManifest),
        any::<String>().prop_map(|name| LimitSource::Manifest(name.into())),
        Just(LimitSource::AllManifests),
        Just(LimitSource::CommandLine),
    ];
    (sources, kinds).prop_map(|(source, kind)| Violation { source, kind })
}

fn origins() -> impl Strategy<Value = Origin> {
    let departments = (1_u64..2_000_000_000, any::<bool>()).prop_map(|(id, recursive)| {
        Selector::Department { id: DepartmentId::new(id).unwrap(), recursive }
    });
    let selectors = prop_oneof![
        Just(Selector::Id),
        any::<String>().prop_map(|email| Selector::Email(email.into())),
        departments,
        Just(Selector::All),
        Just(Selector::Common),
    ];
    (any::<[String; 3]>(), any::<[u32; 2]>(), selectors).prop_map(
        |([manifest, reason, file], [line, column], selector)| {
            let place = SourceLocation { file: file.into(), line, column };
            Origin { manifest: manifest.into(), reason: reason.into(), place, selector }
        },
    )
}

fn limits() -> impl Strategy<Value = GuardLimits> {
    let manifests =
        prop::collection::btree_map(any::<String>().prop_map(Arc::from), manifest_limits(), 0..3);
    (manifests, any::<Option<u32>>())
        .prop_map(|(manifests, max_users)| GuardLimits { manifests, max_users })
}

fn manifest_limits() -> impl Strategy<Value = ManifestLimits> {
    let people = || prop::collection::btree_set(users(), 0..3);
    let common = prop::collection::btree_set(kinds(), 0..3);
    let numbers = any::<(Option<u32>, Option<u8>, Option<u32>, Option<u32>)>();
    (numbers, common, people(), people()).prop_map(
        |(numbers, acknowledged_common, acknowledged_people, protected)| {
            let (max_users, max_percent_of_users, acknowledged_users, acknowledged_selection) =
                numbers;
            ManifestLimits {
                max_users,
                max_percent_of_users,
                acknowledged_users,
                acknowledged_selection,
                acknowledged_common,
                acknowledged_people,
                protected,
            }
        },
    )
}

fn plans() -> impl Strategy<Value = PlanFileContent> {
    let removals =
        prop_oneof![digests().prop_map(PlannedRemoval::Layout), Just(PlannedRemoval::Unread)];
    let names = prop::collection::btree_set(any::<String>().prop_map(Arc::from), 0..2);
    let target = (removals, prop::option::of(generations()), origins(), any::<String>(), names);
    let manifest = (any::<String>(), any::<String>(), any::<String>())
        .prop_map(|(name, reason, file)| PlanManifest { name, reason, file });
    let head = (moments(), moments(), portals(), users(), any::<String>(), digests());
    let manifests = prop::collection::vec(manifest, 0..3);
    let targets = prop::collection::btree_map(keys(), target, 0..5);
    let marks = prop::collection::btree_map(keys(), (generations(), origins()), 0..3);
    let found = || prop::collection::vec(violations(), 0..4);
    let people = prop::collection::vec(users(), 0..4);
    let selected = prop::collection::btree_map(any::<String>().prop_map(Arc::from), people, 0..3);
    let guards = (limits(), found(), found(), selected, any::<[u32; 2]>(), kind_names());
    (head, manifests, prop::option::of(any::<String>()), (targets, marks), guards).prop_map(
        |(
            head,
            manifests,
            commit,
            (targets, mut marks),
            (limits, violations, acknowledged, selected, numbers, kinds),
        )| {
            let (one, other, portal, caller, caller_name, manifest) = head;
            marks.retain(|key, _| !targets.contains_key(key));
            let reset = u32::try_from(targets.len()).unwrap();
            let targets = targets.into_iter();
            PlanFileContent {
                kinds,
                narrowed: false,
                created: one.min(other),
                expires: one.max(other),
                portal,
                caller,
                caller_name,
                manifest,
                manifests,
                commit,
                targets: targets
                    .map(|(key, (removal, generation, origin, name, also))| {
                        let name = PersonName::new(&name, "");
                        PlanFileTarget { key, removal, generation, origin, name, also }
                    })
                    .collect(),
                marks: marks
                    .into_iter()
                    .map(|(key, (generation, origin))| PlanFileMark { key, generation, origin })
                    .collect(),
                limits,
                violations,
                acknowledged,
                selected,
                counts: PlanCounts { keep: numbers[0], reset, hold: numbers[1] },
            }
        },
    )
}

fn selections() -> impl Strategy<Value = Selection> {
    // JSON does not keep numbers beyond 2^53, and no store has as many runs.
    let people = prop::collection::vec(users(), 0..4);
    (any::<u32>(), people, any::<String>(), any::<u32>()).prop_map(
        |(count, people, file, order)| Selection { count, people, file, order: order.into() },
    )
}

fn events() -> impl Strategy<Value = AuditEvent> {
    let totals = (0_u32..9, 0_u32..9, 0_u32..9, any::<u32>())
        .prop_map(|(done, skipped, failed, unknown)| Totals { done, skipped, failed, unknown });
    prop_oneof![
        (runs(), prop::option::of(runs()), any::<u32>())
            .prop_map(|(run, restores, targets)| AuditEvent::RunStarted { run, restores, targets }),
        (runs(), any::<u32>()).prop_map(|(run, torn)| AuditEvent::RunReopened { run, torn }),
        (runs(), totals, ends()).prop_map(|(run, totals, interrupted)| AuditEvent::RunClosed {
            run,
            totals,
            interrupted
        }),
        digests().prop_map(AuditEvent::PlanUsed),
        any::<String>().prop_map(AuditEvent::LockTakenOver),
    ]
}

proptest! {
    #[test]
    fn journal_record_is_read_back_as_written(record in records(), number in 1_u32..9) {
        let json = encode_record(number, &record).unwrap();
        prop_assert!(!json.contains('\n'));
        prop_assert_eq!(decode_record(number, &json).unwrap(), record);
    }

    #[test]
    fn backup_comes_back_byte_for_byte(text in any::<String>(), number in any::<f64>()) {
        let json = format!(" [ {} , {{\"b\":{}, \"a\": 1.50}} ]", serde_json::json!(text), serde_json::json!(number));
        let layout = Layout::from_json(&json).unwrap();
        let kept = encode_backup(&Backup { target: None, layout }).unwrap();
        let read = decode_backup(kept.as_bytes()).unwrap();
        prop_assert_eq!(read.layout.as_json(), json);
    }

    #[test]
    fn ledger_is_read_back_as_written(
        entries in prop::collection::vec((generations(), keys(), prop::option::of(digests())), 0..6),
    ) {
        let mut ledger = Ledger::default();
        for (generation, key, removed) in entries {
            ledger.record_reset(generation, key, LedgerEntry { removed });
        }
        prop_assert_eq!(decode_ledger(&samples::portal(), &encode_ledger(&samples::portal(), &ledger).unwrap()).unwrap(), ledger);
    }

    #[test]
    fn limiter_level_is_read_back_as_written(at in moments(), level in amounts()) {
        let stored = LimiterState { at, level };
        prop_assert_eq!(decode_limiter_state(&encode_limiter_state(&stored).unwrap()).unwrap(), stored);
    }

    #[test]
    fn selection_is_read_back_as_written(
        selections in prop::collection::btree_map(any::<String>(), selections(), 0..4),
    ) {
        let selections = Selections::new(selections);
        prop_assert_eq!(decode_selections(&encode_selections(&selections).unwrap()).unwrap(), selections);
    }

    #[test]
    fn lock_record_is_read_back_as_written(process in any::<u32>(), texts in any::<[String; 4]>()) {
        let [host, actor, command, since] = texts;
        let owner = LockOwner { process, host, actor, command, since };
        let lock = LockRecord { owner, process: None, file: String::new() };
        prop_assert_eq!(decode_lock(&encode_lock(&lock).unwrap()).unwrap(), lock);
    }

    #[test]
    fn used_plan_is_read_back_as_written(plan in digests(), at in moments()) {
        let used = ConsumedPlan { plan, at };
        prop_assert_eq!(decode_consumed_plan(&encode_consumed_plan(used).unwrap()).unwrap(), used);
    }

    #[test]
    fn audit_line_is_read_back_as_written(
        at in moments(), actor in any::<String>(), host in any::<String>(), process in any::<u32>(),
        event in events(), previous in digests(),
    ) {
        let entry = AuditEntry { at, actor, host, process, event };
        let (line, digest) = encode_audit(&entry, previous).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(decode_audit(&line).unwrap(), AuditLine { entry, previous, digest });
    }

    #[test]
    fn run_report_is_read_back_as_written(
        run in runs(), header in headers(), interrupted in ends(),
        targets in prop::collection::vec((keys(), outcomes()), 0..5),
    ) {
        let report = RunReport { run, header, interrupted, targets };
        let bytes = encode_run_report(&report).unwrap();
        prop_assert_eq!(decode_run_report(&bytes).unwrap(), report);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let canonical = serde_json_canonicalizer::to_string(&value).unwrap() + "\n";
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), canonical);
    }

    #[test]
    fn plan_file_is_read_back_as_written(content in plans()) {
        let file = PlanFile::new(content).unwrap();
        let bytes = file.encode().unwrap();
        prop_assert_eq!(PlanFile::parse(&bytes).unwrap(), file.clone());
        prop_assert_eq!(file.encode().unwrap(), bytes.clone());
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let canonical = serde_json_canonicalizer::to_string(&value).unwrap() + "\n";
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), canonical);
    }

    #[test]
    fn decoder_of_any_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PlanFile::parse(&bytes);
        let _ = RestorePlanFile::parse(&bytes);
        let _ = decode_backup(&bytes);
        let _ = decode_ledger(&samples::portal(), &bytes);
        let _ = decode_run_report(&bytes);
        let _ = read_lines(&bytes);
        prop_assert!(find_lines(&bytes).0.len() <= bytes.len());
    }
}
