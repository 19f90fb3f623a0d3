//! Plan as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::drift::DriftJson;
use super::generator;
use super::review::{self, GroupJson, LayoutJson};
use super::target::TargetJson;
use crate::model::{ReadTrust, TrustEvidence};
use crate::plan::{OnceState, Plan, PlanExtent, Violation};
use crate::report::review::Review;
use crate::report::{DiffDetail, PlanReport, Purpose};

/// Plan as JSON. The lost layouts stand in it only on request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard plan")]
pub struct PlanJson {
    /// Always `recard.plan/v1`.
    format: &'static str,
    /// The purpose of the command: `plan`, `apply` or `drift`.
    purpose: &'static str,
    /// The portal.
    portal: String,
    /// `true` if the portal is an emulator.
    emulator: bool,
    /// The caller.
    caller: CallerJson,
    /// The trust in reads of other people's cards.
    reads_of_others: TrustJson,
    /// The manifest documents.
    manifests: Vec<ManifestJson>,
    /// `true` if the run was narrowed on the command line: the manifests may select more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    /// The kinds of cards among the targets besides leads, such as `deal/5`, each in words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kinds: BTreeMap<String, String>,
    /// The number of targets by decision.
    counts: CountsJson,
    /// The number of cards of mode `once` by state, for each once key: `not-yet-reset`,
    /// `new-in-group`, `dismissed`, `out-of-reach`, `customised-again` and `done`, which needs no
    /// change. They add up to the targets of that key; states without a card are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    once: BTreeMap<String, BTreeMap<&'static str, u32>>,
    /// The cards to be reset, grouped by layout; the largest group comes first.
    groups: Vec<GroupJson>,
    /// The layouts that `groups` names.
    layouts: BTreeMap<String, LayoutJson>,
    /// Every target with its decision, sorted.
    targets: Vec<TargetJson>,
    /// The findings of the guards.
    guards: GuardsJson,
    /// The cost of an apply.
    cost: CostJson,
    /// The warnings about the manifests.
    warnings: Vec<String>,
    /// The drift; only from `drift`.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<DriftJson>,
}

/// Caller of the webhook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CallerJson {
    /// The id.
    user: u32,
    /// The name; may be empty.
    name: String,
}

/// Trust in reads, with its evidence.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TrustJson {
    /// `trusted`, `not-trusted` or `unproven`.
    trust: &'static str,
    /// The evidence: `whole-seconds`, `no-time-zone-offset`, `select-obeyed`, `differing-read`,
    /// `kept-proof` or `run-record`.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'static str>,
}

/// Document of a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ManifestJson {
    /// `metadata.name`.
    name: String,
    /// `metadata.reason`.
    reason: String,
}

/// Number of targets by decision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CountsJson {
    /// To be reset.
    reset: u32,
    /// To be kept.
    keep: u32,
    /// Held: no decision is possible now.
    hold: u32,
    /// People who would lose at least one card.
    people: u32,
}

/// Findings of the guards.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct GuardsJson {
    /// `true` if apply is allowed.
    hold: bool,
    /// The violations that block it.
    breaches: Vec<BreachJson>,
    /// The violations that a manifest acknowledges.
    acknowledged: Vec<BreachJson>,
    /// The lines that would allow exactly this: the complete block `guards` of the manifest, or one
    /// for each manifest below a comment that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<String>,
}

/// Limit that a plan violates.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BreachJson {
    /// The guard as a stable word.
    guard: &'static str,
    /// The manifest whose limit it is, if the run has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
    /// The finding for people.
    text: String,
}

/// Cost of an apply.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CostJson {
    /// HTTP requests.
    requests: u32,
    /// Seconds, by the model of the portal's limits.
    seconds: f64,
    /// The share of the operating time that the portal grants a method in ten minutes, of the
    /// method that takes most; 0.1 is a tenth.
    operating_share: f64,
}

impl PlanJson {
    /// Converts the plan, with or without a diff of each lost layout.
    pub fn new(report: &PlanReport<'_>, purpose: Purpose, content: DiffDetail) -> Self {
        let PlanReport { plan, caller, manifests, commits: _, cost, warnings, drift, labels } =
            report;
        let (groups, layouts) = review::groups(&Review::new(plan, labels), plan);
        let counts = plan.counts();
        let manifest = |(name, reason): &(&str, &str)| ManifestJson {
            name: (*name).to_owned(),
            reason: (*reason).to_owned(),
        };
        Self {
            format: "recard.plan/v1",
            purpose: purpose.as_str(),
            portal: plan.portal.to_string(),
            emulator: caller.emulator,
            caller: CallerJson { user: caller.user.get(), name: caller.name.to_string() },
            reads_of_others: TrustJson::new(plan.trust),
            manifests: manifests.iter().map(manifest).collect(),
            partial: plan.extent == PlanExtent::Partial,
            kinds: plan
                .kinds_besides_leads()
                .into_iter()
                .map(|kind| {
                    (kind.to_string(), plan.kinds.words(kind, str::to_owned).english().to_owned())
                })
                .collect(),
            counts: CountsJson {
                reset: counts.reset,
                keep: counts.keep,
                hold: counts.hold,
                people: u32::try_from(plan.guards.impact.people.len()).unwrap_or(u32::MAX),
            },
            once: once_json(plan),
            groups,
            layouts,
            targets: plan
                .targets
                .iter()
                .map(|target| TargetJson::new(report, target, content))
                .collect(),
            guards: GuardsJson::new(plan),
            cost: CostJson {
                requests: cost.requests,
                seconds: (cost.seconds * 10.0).round() / 10.0,
                operating_share: (cost.operating_share * 1000.0).round() / 1000.0,
            },
            warnings: warnings.iter().map(ToString::to_string).collect(),
            drift: drift.map(DriftJson::new),
        }
    }
}

impl TrustJson {
    fn new(trust: ReadTrust) -> Self {
        let (trust, evidence) = match trust {
            ReadTrust::Trusted(evidence) => ("trusted", Some(evidence)),
            ReadTrust::NotTrusted => ("not-trusted", None),
            ReadTrust::Unproven => ("unproven", None),
        };
        Self { trust, evidence: evidence.map(TrustEvidence::as_str) }
    }
}

impl GuardsJson {
    fn new(plan: &Plan) -> Self {
        let guards = &plan.guards;
        let breach = |breach: &Violation| BreachJson {
            guard: breach.as_str(),
            manifest: breach.manifest().map(str::to_owned),
            text: breach.words(&plan.kinds).into(),
        };
        Self {
            hold: guards.holds(),
            breaches: guards.violations.iter().map(breach).collect(),
            acknowledged: guards.acknowledged.iter().map(breach).collect(),
            acknowledgement: guards.acknowledgement(),
        }
    }
}

/// Returns the counts of mode `once`, by once key and state.
fn once_json(plan: &Plan) -> BTreeMap<String, BTreeMap<&'static str, u32>> {
    let words = |counts: BTreeMap<OnceState, u32>| {
        counts.into_iter().map(|(state, count)| (state.as_str(), count))
    };
    let counts = OnceState::count(&plan.targets).into_iter();
    counts.map(|(generation, counts)| (generation.to_string(), words(counts).collect())).collect()
}

/// Returns the JSON Schema of [`PlanJson`].
pub fn plan_schema() -> schemars::Schema {
    generator().into_root_schema_for::<PlanJson>()
}
