//! Report of a run, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::about::AboutJson;
use super::generator;
use crate::engine::TargetOutcome;
use crate::plan::PlanExtent;
use crate::report::{HeldTarget, Purpose, ReportedRun};

/// Report of a run, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard report")]
pub struct ReportJson {
    /// Always `recard.report/v1`.
    format: &'static str,
    /// What the command was for: `apply`, `restore`, `recover` or `show`.
    purpose: &'static str,
    /// The run; absent if there was nothing to do and no run was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The portal.
    portal: String,
    /// `true` if the run was narrowed on the command line: the manifests may select more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    /// Every planned target with its outcome, sorted.
    targets: Vec<OutcomeJson>,
    /// The totals; they add up to `planned`.
    totals: TotalsJson,
    /// The reason why the run ended before all targets were attempted, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    /// The targets that the plan held, and that were not attempted.
    held: Vec<HeldJson>,
    /// What may be left to do with cards that nobody can name, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<String>,
    /// The header of the run; only from `show` and `history`.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<AboutJson>,
}

/// Outcome of one target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OutcomeJson {
    /// `common/lead/repeat` or `personal/42/lead/simple`.
    target: String,
    /// The person's name; absent for common cards, and if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The outcome as a stable word.
    outcome: &'static str,
    /// The outcome for people.
    text: String,
}

/// Number of targets by class of outcome.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TotalsJson {
    /// All targets.
    planned: u32,
    /// Brought to the planned state by this run.
    done: u32,
    /// Correctly left alone: at the default already, or changed since the plan.
    skipped: u32,
    /// Known not to be in the planned state.
    failed: u32,
    /// Indeterminate.
    unknown: u32,
}

/// Target that was held.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HeldJson {
    /// `common/lead/repeat` or `personal/42/lead/simple`.
    target: String,
    /// The person's name; absent for common cards, and if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The reason as a stable word.
    reason: &'static str,
    /// The reason for people.
    text: String,
}

impl ReportJson {
    /// Converts the report of a run.
    pub fn new(report: &ReportedRun<'_>, purpose: Purpose) -> Self {
        let totals = report.totals();
        let name = |key| Some(report.person_name(key).to_owned()).filter(|name| !name.is_empty());
        let outcome = |settled: &TargetOutcome| OutcomeJson {
            target: settled.key.to_string(),
            name: name(settled.key),
            outcome: settled.outcome.as_str(),
            text: settled.outcome.to_string(),
        };
        let held = |HeldTarget { key, reason, text }: &HeldTarget| HeldJson {
            target: key.to_string(),
            name: name(*key),
            reason,
            text: text.to_string(),
        };
        Self {
            format: "recard.report/v1",
            purpose: purpose.as_str(),
            run: report.run.map(ToString::to_string),
            portal: report.portal.to_owned(),
            partial: report.plan.is_some_and(|plan| plan.extent == PlanExtent::Partial),
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
            incomplete: report.incomplete.as_ref().map(ToString::to_string),
            about: report.header.map(AboutJson::new),
        }
    }
}

/// Returns the JSON Schema of [`ReportJson`].
pub fn report_schema() -> schemars::Schema {
    generator().into_root_schema_for::<ReportJson>()
}
