//! Plan of a restore, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::generator;
use crate::plan::diff::diff;
use crate::records::plan_file::{LayoutSummary, RestoreCounts, RestorePlanContent};
use crate::report::plan_file::format_time;
use crate::report::report_model::{ReportModel, Row};
use crate::report::restore::RestoreReport;
use crate::report::{DiffDetail, Purpose};

/// Plan of a restore, as JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "recard restore plan")]
pub(super) struct RestorePlanJson {
    /// Always `recard.restore-plan/v1`.
    format: &'static str,
    /// The purpose of the command: `restore` or `show`.
    purpose: &'static str,
    /// The run whose removals are restored.
    run: String,
    /// The portal.
    portal: String,
    /// The user behind the webhook.
    caller: CallerJson,
    /// The plan file; absent if none was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileJson>,
    /// `true` if lines of the run's journal are lost, so that cards may be missing in the plan.
    incomplete: bool,
    /// The number of targets by decision.
    counts: CountsJson,
    /// The targets, sorted.
    targets: Vec<TargetJson>,
}

/// User behind the webhook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CallerJson {
    /// Its id.
    user: u32,
    /// Its name; may be empty.
    name: String,
}

/// Restore plan file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FileJson {
    /// The id: the digest of its content.
    id: String,
    /// The time of its creation.
    created: String,
    /// The time from which it is refused.
    expires: String,
    /// The time of its use; absent if the store knows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<String>,
}

/// Number of targets by decision.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CountsJson {
    /// Cards that get the layout of their backup.
    restore: u32,
    /// Cards that are reset, because they were at their default before the run.
    reset: u32,
    /// Cards that are as they were before the run.
    keep: u32,
    /// Cards that are held, with a reason.
    hold: u32,
}

/// Target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TargetJson {
    /// `common/lead/repeat` or `personal/42/lead/simple`.
    target: String,
    /// The person's name; absent for common cards, and if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `restore`, `reset`, `keep` or `hold`.
    decision: &'static str,
    /// The reason as a stable word; of a card that changed since the file was made, the outcome
    /// that it would have.
    reason: &'static str,
    /// The reason for people.
    text: String,
    /// The present layout, as far as the plan replaces or keeps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<LayoutJson>,
    /// The layout of the backup that is put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<LayoutJson>,
    /// The unified diff from the present layout to the one afterwards; only with `--detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// Layout, without its content.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LayoutJson {
    /// The digest of the canonical form.
    digest: String,
    /// The number of sections.
    sections: u32,
    /// The number of fields.
    fields: u32,
}

impl RestorePlanJson {
    /// Converts the plan of a restore, with or without diffs of its layouts.
    pub(super) fn new(
        report: &RestoreReport<'_>,
        model: &ReportModel<'_>,
        content: DiffDetail,
    ) -> Self {
        let RestorePlanContent {
            caller,
            caller_name,
            created,
            expires,
            incomplete,
            portal,
            run,
            ..
        } = report.content;
        let RestoreCounts { restore, reset, keep, hold } = report.content.counts();
        let purpose: Purpose = model.purpose;
        let file = report.file.map(|file| FileJson {
            id: file.id.to_string(),
            created: format_time(*created),
            expires: format_time(*expires),
            used: file.used.map(format_time),
        });
        Self {
            format: "recard.restore-plan/v1",
            purpose: purpose.as_str(),
            run: run.to_string(),
            portal: portal.to_string(),
            caller: CallerJson { user: caller.get(), name: caller_name.clone() },
            file,
            incomplete: *incomplete,
            counts: CountsJson { restore, reset, keep, hold },
            targets: model.rows.iter().filter_map(|row| target(report, row, content)).collect(),
        }
    }
}

fn target(report: &RestoreReport<'_>, row: &Row<'_>, content: DiffDetail) -> Option<TargetJson> {
    let key = row.key?;
    let decision = &report.content.target(key)?.decision;
    let layout = |LayoutSummary { digest, fields, sections }: LayoutSummary| LayoutJson {
        digest: digest.to_string(),
        sections,
        fields,
    };
    let lines = match content {
        DiffDetail::Hidden => Vec::new(),
        DiffDetail::Shown => diff(row.layout, row.afterwards),
    };
    let text: String =
        lines.iter().map(|line| format!("{}{}\n", line.change.sign(), line.text)).collect();
    Some(TargetJson {
        target: key.to_string(),
        name: Some(row.name.to_owned()).filter(|name| !name.is_empty()),
        decision: row.word,
        reason: row.reason,
        text: row.text.to_string(),
        now: decision.present().map(layout),
        backup: decision.backup().map(layout),
        diff: Some(text).filter(|text| !text.is_empty()),
    })
}

/// Returns the JSON Schema of the plan of a restore.
pub fn restore_plan_schema() -> schemars::Schema {
    generator().into_root_schema_for::<RestorePlanJson>()
}
