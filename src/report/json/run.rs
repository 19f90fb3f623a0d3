//! What became of a run, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::about::AboutJson;
use super::generator;
use crate::engine::TargetOutcome;
use crate::report::{HeldTarget, Purpose, ReportedRun};

/// What became of a run, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard report")]
pub struct ReportJson {
    /// Always `recard.report/v1`.
    format: &'static str,
    /// What the command was for: `apply`, `restore`, `recover` or `show`.
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

/// What became of one target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OutcomeJson {
    /// `common/lead/repeat` or `personal/42/lead/simple`.
    target: String,
    /// The person's name; absent for common cards, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The outcome as a word that never changes.
    outcome: &'static str,
    /// The outcome for people.
    text: String,
}

/// How many targets ended how.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TotalsJson {
    /// All targets.
    planned: u32,
    /// As the plan wants it, by this run.
    done: u32,
    /// Rightly not touched: at its default already, or changed since the plan.
    skipped: u32,
    /// Surely not as wanted.
    failed: u32,
    /// Not known.
    unknown: u32,
}

/// A target that was held.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct HeldJson {
    /// `common/lead/repeat` or `personal/42/lead/simple`.
    target: String,
    /// The person's name; absent for common cards, and where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The reason as a word that never changes.
    reason: &'static str,
    /// The reason for people.
    text: String,
}

impl ReportJson {
    /// What became of a run.
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
            about: report.header.map(AboutJson::new),
        }
    }
}

/// The JSON Schema of [`ReportJson`].
pub fn report_schema() -> schemars::Schema {
    generator().into_root_schema_for::<ReportJson>()
}
