//! Target of a plan, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::diff::diff;
use crate::plan::{OnceState, PlannedTarget};
use crate::report::review::departments_of;
use crate::report::{Commit, DiffDetail, PlanReport};

/// Target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TargetJson {
    /// `common/lead/repeat` or `personal/42/lead/simple`.
    target: String,
    /// The person's name; may be empty, absent for common cards.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The departments of the person; absent for common cards. A department without a known name
    /// has its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    departments: Option<Vec<String>>,
    /// `reset`, `keep` or `hold`.
    decision: &'static str,
    /// The reason as a stable word.
    reason: &'static str,
    /// The reason for people.
    text: String,
    /// The lost layout, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    loses: Option<LossJson>,
    /// The once key, in mode `once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
    /// The state of the card in mode `once`: `not-yet-reset`, `new-in-group`, `dismissed`,
    /// `out-of-reach`, `customised-again` or `done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    once: Option<&'static str>,
    /// The origin in the manifests.
    origin: OriginJson,
}

/// Layout that a reset loses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LossJson {
    /// The number of sections.
    sections: u32,
    /// The number of fields.
    fields: u32,
    /// The digest of the canonical form: a key of `layouts`.
    digest: String,
    /// The unified diff of the lost layout; only with `--detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
}

/// Origin of a target.
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
    /// The last commit of the file, if git knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<CommitJson>,
}

/// Commit.
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

impl TargetJson {
    /// Converts a target of the report's plan, with or without a diff of the lost layout.
    pub(super) fn new(
        report: &PlanReport<'_>,
        target: &PlannedTarget,
        content: DiffDetail,
    ) -> Self {
        let plan = report.plan;
        let loses = target.decision.layout().map(|layout| LossJson {
            sections: layout.sections(),
            fields: layout.fields(),
            digest: layout.digest().to_string(),
            diff: match content {
                DiffDetail::Hidden => None,
                DiffDetail::Shown => {
                    let lines = diff(Some(layout), plan.common_default(target.key));
                    Some(
                        lines
                            .iter()
                            .map(|line| format!("{}{}\n", line.change.sign(), line.text))
                            .collect(),
                    )
                }
            },
        });
        let origin = &target.origin;
        Self {
            target: target.key.to_string(),
            name: target.key.user().map(|_| plan.person_name(target.key).to_owned()),
            departments: departments_of(plan, target.key),
            decision: target.decision.as_str(),
            reason: target.decision.reason_str(),
            text: target.decision.to_string(),
            loses,
            generation: target.generation.as_ref().map(ToString::to_string),
            once: target.once.map(OnceState::as_str),
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
