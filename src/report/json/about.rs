//! Header of a run as JSON: part of its report.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::{RunHeader, RunPurpose};

/// Header of a run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutJson {
    /// `apply` or `restore`.
    purpose: &'static str,
    /// The restored run; only of a restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    restores: Option<String>,
    /// The number of planned targets; the totals of a finished run add up to it.
    planned: u32,
    /// The caller.
    caller: u32,
    /// The person or pipeline that started it, from the environment; may be empty.
    actor: String,
    /// The commit of the manifests, if it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// The digest of the manifests' meaning.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests_digest: Option<String>,
    /// The manifests.
    manifests: Vec<RunManifestJson>,
}

/// Document of a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RunManifestJson {
    /// `metadata.name`.
    name: String,
    /// `metadata.reason`.
    reason: String,
}

impl AboutJson {
    /// Converts the header of a run.
    pub(super) fn new(header: &RunHeader) -> Self {
        let RunHeader {
            purpose,
            portal: _,
            caller,
            actor,
            manifest,
            commit,
            ledger: _,
            reasons,
            trust: _,
            targets,
        } = header;
        let (purpose, restores) = match purpose {
            RunPurpose::Apply => ("apply", None),
            RunPurpose::Restore(run) => ("restore", Some(run.to_string())),
        };
        let named = |(name, reason): &(String, String)| RunManifestJson {
            name: name.clone(),
            reason: reason.clone(),
        };
        Self {
            purpose,
            restores,
            planned: u32::try_from(targets.len()).unwrap_or(u32::MAX),
            caller: caller.get(),
            actor: actor.clone(),
            commit: commit.clone(),
            manifests_digest: manifest.as_ref().map(ToString::to_string),
            manifests: reasons.iter().map(named).collect(),
        }
    }
}
