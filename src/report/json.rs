//! Plans and reports as JSON, for programs.
//!
//! Versioned by the field `format`. Within a version fields are only ever added, words never change their meaning, and a
//! reader must ignore fields that it does not know.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::about::AboutJson;
use super::{Checked, Commit, Content, Effective, Failed, Held, PlanReport, Purpose, SettledRun, Sight};
use crate::diagnostic::Diagnostic;
use crate::engine::Settled;
use crate::model::{Place, ReadTrust, TrustEvidence};
use crate::plan::diff::diff;
use crate::plan::{Decision, Drift, DriftKind, DriftedCard, OnceState, Plan, PlannedTarget, Removal};

/// A plan as JSON. The content that is lost stands in it only if it was asked for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard plan")]
pub struct PlanJson {
    /// Always `recard.plan/v1`.
    format: &'static str,
    /// What the command was for: `plan`, `apply` or `drift`.
    purpose: &'static str,
    /// The portal.
    portal: String,
    /// Whether the portal is an emulator.
    emulator: bool,
    /// Who made the plan.
    caller: CallerJson,
    /// Whether reads of other people's cards can be believed.
    reads_of_others: TrustJson,
    /// The manifest documents that it was made from.
    manifests: Vec<ManifestJson>,
    /// How many targets are decided how.
    counts: CountsJson,
    /// How many cards of mode `once` stand how, for each generation: `not-yet-reset`, `new-in-group`, `dismissed`,
    /// `out-of-reach`, `customised-again` and `done`, where nothing is to be done. They add up to the targets of that
    /// generation; what no card is in is left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    once: BTreeMap<String, BTreeMap<&'static str, u32>>,
    /// Every target with its decision, sorted.
    targets: Vec<TargetJson>,
    /// What the guards say.
    guards: GuardsJson,
    /// What apply will cost.
    cost: CostJson,
    /// What was odd in the manifests.
    warnings: Vec<String>,
    /// What drifted; only from `drift`.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<DriftJson>,
}

/// The owner of the webhook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CallerJson {
    /// The id.
    user: u32,
    /// The name; may be empty.
    name: String,
}

/// Whether reads can be believed, and by what sign.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TrustJson {
    /// `trusted`, `not-trusted` or `unproven`.
    trust: &'static str,
    /// What proves it: `whole-seconds`, `no-time-zone-offset` or `differing-read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'static str>,
}

/// A document of a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestJson {
    /// `metadata.name`.
    name: String,
    /// `metadata.reason`.
    reason: String,
}

/// How many targets are decided how.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CountsJson {
    /// To be reset.
    reset: u32,
    /// Nothing to do.
    keep: u32,
    /// Cannot or must not be decided now.
    hold: u32,
    /// People who would lose at least one card.
    people: u32,
}

/// One target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TargetJson {
    /// `common/repeat` or `personal/42/simple`.
    target: String,
    /// The person's name; may be empty, absent for common cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `reset`, `keep` or `hold`.
    decision: &'static str,
    /// The reason as a word that never changes.
    reason: &'static str,
    /// The reason for people.
    text: String,
    /// What is lost, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    loses: Option<LossJson>,
    /// The generation, in mode `once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
    /// How the card stands in mode `once`: `not-yet-reset`, `new-in-group`, `dismissed`, `out-of-reach`,
    /// `customised-again` or `done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    once: Option<&'static str>,
    /// What the person will see afterwards; only with `--effective`.
    #[serde(skip_serializing_if = "Option::is_none")]
    effective: Option<EffectiveJson>,
    /// Where in the manifests it comes from.
    origin: OriginJson,
}

/// What people will see afterwards. Which view a person looks at cannot be read. The words are `own-card`, `set-for-all`,
/// `common-card`, `built-in` and `unknown`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EffectiveJson {
    /// In the person's own view; absent for common cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    own_view: Option<&'static str>,
    /// In the common view.
    common_view: &'static str,
}

/// What a reset loses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LossJson {
    /// How many sections.
    sections: u32,
    /// How many fields.
    fields: u32,
    /// The digest of the canonical form.
    digest: String,
    /// The unified diff of what is lost; only with `--detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// Where a target comes from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OriginJson {
    /// `metadata.name` of the document.
    manifest: String,
    /// The file.
    file: String,
    /// The line, from 1.
    line: u32,
    /// The column in characters, from 1.
    column: u32,
    /// The selector that matched.
    selector: String,
    /// `metadata.reason` of the document.
    reason: String,
    /// The last commit of the file, where git knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitJson>,
}

/// A commit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CommitJson {
    /// Its id.
    id: String,
    /// Its author.
    author: String,
    /// Its date: `2026-11-01`.
    date: String,
}

/// What the guards say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GuardsJson {
    /// Whether apply is allowed.
    hold: bool,
    /// What stands against it.
    breaches: Vec<BreachJson>,
    /// What would, had a manifest not acknowledged it.
    acknowledged: Vec<BreachJson>,
    /// The lines of a manifest that would allow exactly this.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<String>,
}

/// A limit that a plan breaks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BreachJson {
    /// The guard as a word that never changes.
    guard: &'static str,
    /// The finding for people.
    text: String,
}

/// What apply costs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CostJson {
    /// HTTP requests.
    requests: u32,
    /// Seconds, by the model of the portal's limits.
    seconds: f64,
    /// Which part of the operating time that the portal grants a method in ten minutes it takes, of the method that it takes
    /// most of; 0.1 is a tenth.
    operating_share: f64,
}

/// What became of a run, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard report")]
pub struct ReportJson {
    /// Always `recard.report/v1`.
    format: &'static str,
    /// What the command was for: `apply`, `restore`, `resume` or `show`.
    purpose: &'static str,
    /// The run; absent if nothing was to be done and so no run was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The portal.
    portal: String,
    /// Every target that was to be changed, with its outcome, sorted.
    targets: Vec<OutcomeJson>,
    /// The sums; they add up to `planned`.
    totals: TotalsJson,
    /// Why the run ended before it had tried everything, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    /// The targets that the plan held, and that were therefore not tried.
    held: Vec<HeldJson>,
    /// What the run was about; only from `show` and `history`.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<AboutJson>,
}

/// A target that was held.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HeldJson {
    /// `common/repeat` or `personal/42/simple`.
    target: String,
    /// The person's name; absent for common cards, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The reason as a word that never changes.
    reason: &'static str,
    /// The reason for people.
    text: String,
}

/// What became of one target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OutcomeJson {
    /// `common/repeat` or `personal/42/simple`.
    target: String,
    /// The person's name; absent for common cards, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The outcome as a word that never changes.
    outcome: &'static str,
    /// The outcome for people.
    text: String,
}

/// What was found in manifests, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard validation")]
pub struct ValidationJson {
    /// Always `recard.validation/v1`.
    format: &'static str,
    /// What the command was for: `validate`, or another if the manifests stopped it.
    purpose: &'static str,
    /// Whether the manifests may be used.
    valid: bool,
    /// The portal that they are for, if they are valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    portal: Option<String>,
    /// What was found, in the order of the files.
    problems: Vec<ProblemJson>,
}

/// One problem.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProblemJson {
    /// The code, which never changes: `RC0201`.
    code: &'static str,
    /// `error` or `warning`.
    severity: &'static str,
    /// What is wrong.
    message: String,
    /// How to mend it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Where; absent only where there is no text at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceJson>,
}

/// A place in a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PlaceJson {
    /// The file.
    file: String,
    /// The line, from 1.
    line: u32,
    /// The column in characters, from 1.
    column: u32,
}

/// Why a command failed before it had anything else to tell, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard failure")]
pub struct FailureJson {
    /// Always `recard.failure/v1`.
    format: &'static str,
    /// What the command was for.
    purpose: &'static str,
    /// The exit code.
    exit_code: u8,
    /// What happened; the first text is the outermost, each next one its cause.
    messages: Vec<String>,
    /// What may help.
    hints: Vec<String>,
}

/// How many targets ended how.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TotalsJson {
    /// All targets.
    planned: u32,
    /// As the plan wants it, by this run.
    done: u32,
    /// Rightly not touched.
    skipped: u32,
    /// Surely not as wanted.
    failed: u32,
    /// Not known.
    unknown: u32,
}

/// What drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DriftJson {
    /// Names what drifted, the same for the same drift whenever it is looked at; absent if nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// How many cards are of each kind: `customised`, `not-yet-reset`, `new-in-group`, `dismissed`, `out-of-reach`, and
    /// `customised-again`, which is no drift but worth knowing. Kinds without a card are left out.
    counts: BTreeMap<&'static str, u32>,
    /// The cards, sorted.
    cards: Vec<DriftedCardJson>,
    /// People and departments that the manifests name and the portal no longer has.
    gone: Vec<String>,
}

/// A card that drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DriftedCardJson {
    /// The target.
    target: String,
    /// How it drifted.
    kind: &'static str,
}

impl DriftJson {
    fn of(drift: &Drift) -> Self {
        let counts = DriftKind::ALL.into_iter().map(|kind| (kind.word(), drift.count(kind)));
        let card = |card: &DriftedCard| DriftedCardJson { target: card.key.to_string(), kind: card.kind.word() };
        Self {
            fingerprint: drift.fingerprint().map(|fingerprint| fingerprint.to_string()),
            counts: counts.filter(|(_, count)| *count > 0).collect(),
            cards: drift.cards.iter().map(card).collect(),
            gone: drift.gone.iter().map(ToString::to_string).collect(),
        }
    }
}

impl PlanJson {
    /// The plan, with or without a diff of what each reset loses.
    pub fn new(report: &PlanReport<'_>, purpose: Purpose, content: Content) -> Self {
        let PlanReport { plan, caller, manifests, commits: _, cost, warnings, drift, effective: _ } = report;
        let counts = plan.counts();
        let (trust, evidence) = match plan.trust {
            ReadTrust::Trusted(evidence) => ("trusted", Some(evidence)),
            ReadTrust::NotTrusted => ("not-trusted", None),
            ReadTrust::Unproven => ("unproven", None),
        };
        let evidence = evidence.map(|evidence| match evidence {
            TrustEvidence::WholeSeconds => "whole-seconds",
            TrustEvidence::NoTimeZoneOffset => "no-time-zone-offset",
            TrustEvidence::DifferingRead => "differing-read",
        });
        let breach = |breach: &crate::plan::Breach| BreachJson { guard: breach.word(), text: breach.to_string() };
        let manifest =
            |(name, reason): &(&str, &str)| ManifestJson { name: (*name).to_owned(), reason: (*reason).to_owned() };
        Self {
            format: "recard.plan/v1",
            purpose: purpose.word(),
            portal: plan.portal.to_string(),
            emulator: caller.emulator,
            caller: CallerJson { user: caller.user.get(), name: caller.name.to_string() },
            reads_of_others: TrustJson { trust, evidence },
            manifests: manifests.iter().map(manifest).collect(),
            counts: CountsJson {
                reset: counts.reset,
                keep: counts.keep,
                hold: counts.hold,
                people: u32::try_from(plan.guards.measure.people.len()).unwrap_or(u32::MAX),
            },
            once: once_json(plan),
            targets: plan.targets.iter().map(|target| TargetJson::of(report, target, content)).collect(),
            guards: GuardsJson {
                hold: plan.guards.holds(),
                breaches: plan.guards.breaches.iter().map(breach).collect(),
                acknowledged: plan.guards.acknowledged.iter().map(breach).collect(),
                acknowledgement: plan.guards.acknowledgement(),
            },
            cost: CostJson {
                requests: cost.requests,
                seconds: (cost.seconds * 10.0).round() / 10.0,
                operating_share: (cost.operating_share * 1000.0).round() / 1000.0,
            },
            warnings: warnings.iter().map(ToString::to_string).collect(),
            drift: drift.map(DriftJson::of),
        }
    }
}

fn once_json(plan: &Plan) -> BTreeMap<String, BTreeMap<&'static str, u32>> {
    let words = |counts: BTreeMap<OnceState, u32>| counts.into_iter().map(|(state, count)| (state.word(), count));
    let counts = OnceState::count(&plan.targets).into_iter();
    counts.map(|(generation, counts)| (generation.to_string(), words(counts).collect())).collect()
}

impl TargetJson {
    fn of(report: &PlanReport<'_>, target: &PlannedTarget, content: Content) -> Self {
        let plan = report.plan;
        let reason = reason_word(&target.decision);
        let stand_in = target.key.user().and(plan.stand_ins.get(&target.key.lead));
        let loses = target.decision.layout().map(|layout| LossJson {
            sections: layout.sections(),
            fields: layout.fields(),
            digest: layout.digest().to_string(),
            diff: match content {
                Content::Left => None,
                Content::Shown => {
                    let lines = diff(Some(layout), stand_in);
                    Some(lines.iter().map(|line| format!("{}{}\n", line.change.sign(), line.text)).collect())
                }
            },
        });
        let origin = &target.origin;
        Self {
            target: target.key.to_string(),
            name: target.key.user().map(|_| plan.person_name(target.key).to_owned()),
            decision: target.decision.word(),
            reason,
            text: target.decision.to_string(),
            loses,
            generation: target.generation.as_ref().map(ToString::to_string),
            once: target.once.map(OnceState::word),
            effective: report.effective.map(|effective| EffectiveJson {
                own_view: Effective::own_view(plan, target).map(Sight::word),
                common_view: effective.common_view(target.key.lead).word(),
            }),
            origin: OriginJson {
                manifest: origin.manifest.to_string(),
                file: origin.place.file.to_string(),
                line: origin.place.line,
                column: origin.place.column,
                selector: origin.selector.to_string(),
                reason: origin.reason.to_string(),
                commit: report.commit(origin).map(|Commit { id, author, date }| CommitJson {
                    id: id.clone(),
                    author: author.clone(),
                    date: date.clone(),
                }),
            },
        }
    }
}

impl ReportJson {
    /// What became of a run.
    pub fn new(report: &SettledRun<'_>, purpose: Purpose) -> Self {
        let totals = report.totals();
        let name = |key| Some(report.person_name(key).to_owned()).filter(|name| !name.is_empty());
        let outcome = |settled: &Settled| OutcomeJson {
            target: settled.key.to_string(),
            name: name(settled.key),
            outcome: settled.outcome.word(),
            text: settled.outcome.to_string(),
        };
        let held = |Held { key, reason, text }: &Held| HeldJson {
            target: key.to_string(),
            name: name(*key),
            reason,
            text: text.to_string(),
        };
        Self {
            format: "recard.report/v1",
            purpose: purpose.word(),
            run: report.run.map(ToString::to_string),
            portal: report.portal.to_owned(),
            targets: report.targets.iter().map(outcome).collect(),
            totals: TotalsJson {
                planned: totals.planned(),
                done: totals.done,
                skipped: totals.skipped,
                failed: totals.failed,
                unknown: totals.unknown,
            },
            stopped: report.stopped.map(ToOwned::to_owned),
            held: report.held.iter().map(held).collect(),
            about: report.about.map(AboutJson::new),
        }
    }
}

impl ValidationJson {
    /// What was found.
    pub fn new(checked: &Checked<'_>, purpose: Purpose) -> Self {
        let place = |place: &Place| PlaceJson { file: place.file.to_string(), line: place.line, column: place.column };
        let problem = |found: &Diagnostic| ProblemJson {
            code: found.code.as_str(),
            severity: found.severity.as_str(),
            message: found.message.to_string(),
            help: found.help.as_ref().map(ToString::to_string),
            place: found.place().map(place),
        };
        Self {
            format: "recard.validation/v1",
            purpose: purpose.word(),
            valid: !checked.diagnostics.iter().any(Diagnostic::is_error),
            portal: checked.portal.map(ToOwned::to_owned),
            problems: checked.diagnostics.iter().map(problem).collect(),
        }
    }
}

impl FailureJson {
    /// Why a command failed.
    pub fn new(failed: &Failed<'_>, purpose: Purpose) -> Self {
        Self {
            format: "recard.failure/v1",
            purpose: purpose.word(),
            exit_code: failed.code,
            messages: failed.chain.iter().map(ToString::to_string).collect(),
            hints: failed.hints.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The reason of a decision as a word that never changes.
pub(super) fn reason_word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Keep(reason) => reason.word(),
        Decision::Reset(Removal::Layout(_)) => "customised",
        Decision::Reset(Removal::Unread) => "unread",
        Decision::Hold(reason) => reason.word(),
    }
}

/// The JSON Schema of [`PlanJson`].
pub fn plan_schema() -> schemars::Schema {
    generator().into_root_schema_for::<PlanJson>()
}

/// The JSON Schema of [`ReportJson`].
pub fn report_schema() -> schemars::Schema {
    generator().into_root_schema_for::<ReportJson>()
}

/// The JSON Schema of [`ValidationJson`].
pub fn validation_schema() -> schemars::Schema {
    generator().into_root_schema_for::<ValidationJson>()
}

/// The JSON Schema of [`FailureJson`].
pub fn failure_schema() -> schemars::Schema {
    generator().into_root_schema_for::<FailureJson>()
}

/// How the schemas of machine output are made.
pub(super) fn generator() -> schemars::SchemaGenerator {
    schemars::generate::SchemaSettings::draft07().for_serialize().into_generator()
}
