//! What a run of the store was about, as JSON: part of its report.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ports::{RunHeader, RunPurpose};

/// What a run was about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AboutJson {
    /// `apply` or `restore`.
    purpose: &'static str,
    /// The run whose removals were put back; only of a restore.
    #[serde(skip_serializing_if = "Option::is_none")]
    restores: Option<String>,
    /// How many targets were planned; of a run that came to its end the totals add up to it.
    planned: u32,
    /// The owner of the webhook.
    caller: u32,
    /// Who started it, as the environment told; may be empty.
    actor: String,
    /// The commit of the manifests, if it was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// The digest of what the manifests mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifests_digest: Option<String>,
    /// The manifests.
    manifests: Vec<RunManifestJson>,
}

/// A document of a manifest.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RunManifestJson {
    /// `metadata.name`.
    name: String,
    /// `metadata.reason`.
    reason: String,
}

impl AboutJson {
    /// The header of a run.
    pub(super) fn new(header: &RunHeader) -> Self {
        let RunHeader {
            purpose,
            portal: _,
            caller,
            actor,
            manifest,
            commit,
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
