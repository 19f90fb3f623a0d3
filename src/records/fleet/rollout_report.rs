//! Rollout in the report over a fleet.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Current revision of a fleet, and its rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutReport {
    /// The digest of the revision.
    pub revision: String,
    /// The digest of the revision before, to which `fleet rollback` leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// The number of the publication, from 1.
    pub number: u32,
    /// The time of the publication.
    #[schemars(with = "String")]
    pub published: Timestamp,
    /// The commit of the publication, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The person or pipeline that published it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// The state.
    pub state: RolloutPhase,
    /// The time of the halt or of the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The cause of a halt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cause: String,
    /// The cause in the language of people.
    #[serde(skip)]
    pub shown_cause: String,
    /// The waves, in their order.
    pub waves: Vec<WaveReport>,
}

/// Worker that is alive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReport {
    /// Its id.
    pub id: String,
    /// The version of its program, if it is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The seconds since its last sign of life.
    pub silent_seconds: u32,
}

/// State of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RolloutPhase {
    /// Waves are opened in their order.
    Running,
    /// No wave is opened any more.
    Halted,
    /// The last wave is over.
    Complete,
}

/// Wave of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaveReport {
    /// The name.
    pub name: String,
    /// The time of its opening; missing if it is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub opened: Option<Timestamp>,
    /// All portals of the wave.
    pub portals: u32,
    /// The portals that count: not failing before, and not paused.
    pub counted: u32,
    /// Those of them that had a round on the revision, or are parked.
    pub done: u32,
    /// Those of them that failed since the wave opened.
    pub failed: u32,
    /// The people whose cards were reset on the revision.
    pub people: u32,
}
