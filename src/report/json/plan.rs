//! The plan as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::drift::DriftJson;
use super::generator;
use super::target::TargetJson;
use crate::model::{ReadTrust, TrustEvidence};
use crate::plan::{GuardReport, OnceState, Plan, Violation};
use crate::report::{DiffDetail, PlanReport, Purpose};

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
    /// How many cards of mode `once` stand how, for each generation: `not-yet-reset`,
    /// `new-in-group`, `dismissed`, `out-of-reach`, `customized-again` and `done`, where nothing is
    /// to be done. They add up to the targets of that generation; what no card is in is left out.
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
    /// What proves it: `whole-seconds`, `no-time-zone-offset`, `select-obeyed`, `differing-read`,
    /// `kept-proof` or `run-record`.
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
    /// The lines that would allow exactly this: the complete block `guards` of the manifest, or one
    /// for each manifest below a comment that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledgement: Option<String>,
}

/// A limit that a plan breaks.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct BreachJson {
    /// The guard as a word that never changes.
    guard: &'static str,
    /// The manifest whose limit it is, where the run has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
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
    /// Which part of the operating time that the portal grants a method in ten minutes it takes, of
    /// the method that it takes most of; 0.1 is a tenth.
    operating_share: f64,
}

impl PlanJson {
    /// The plan, with or without a diff of what each reset loses.
    pub fn new(report: &PlanReport<'_>, purpose: Purpose, content: DiffDetail) -> Self {
        let PlanReport { plan, caller, manifests, commits: _, cost, warnings, drift, effective: _ } =
            report;
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
            counts: CountsJson {
                reset: counts.reset,
                keep: counts.keep,
                hold: counts.hold,
                people: u32::try_from(plan.guards.impact.people.len()).unwrap_or(u32::MAX),
            },
            once: once_json(plan),
            targets: plan
                .targets
                .iter()
                .map(|target| TargetJson::new(report, target, content))
                .collect(),
            guards: GuardsJson::new(&plan.guards),
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
    fn new(guards: &GuardReport) -> Self {
        let breach = |breach: &Violation| BreachJson {
            guard: breach.as_str(),
            manifest: breach.manifest().map(str::to_owned),
            text: breach.to_string(),
        };
        Self {
            hold: guards.holds(),
            breaches: guards.violations.iter().map(breach).collect(),
            acknowledged: guards.acknowledged.iter().map(breach).collect(),
            acknowledgement: guards.acknowledgement(),
        }
    }
}

/// The counts of mode `once`, by generation and state.
fn once_json(plan: &Plan) -> BTreeMap<String, BTreeMap<&'static str, u32>> {
    let words = |counts: BTreeMap<OnceState, u32>| {
        counts.into_iter().map(|(state, count)| (state.as_str(), count))
    };
    let counts = OnceState::count(&plan.targets).into_iter();
    counts.map(|(generation, counts)| (generation.to_string(), words(counts).collect())).collect()
}

/// The JSON Schema of [`PlanJson`].
pub fn plan_schema() -> schemars::Schema {
    generator().into_root_schema_for::<PlanJson>()
}
