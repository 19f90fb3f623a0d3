//! Drift as JSON: part of the plan that `drift` shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::{Drift, DriftKind, DriftedCard};

/// Drift.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DriftJson {
    /// The fingerprint of the drift, the same for the same drift at any time; absent without drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// The number of cards by kind: `customised`, `not-yet-reset`, `new-in-group`, `dismissed`,
    /// `out-of-reach`, and `customised-again`, which is a notice and not drift. Kinds without a
    /// card are left out.
    counts: BTreeMap<&'static str, u32>,
    /// The cards, sorted.
    cards: Vec<DriftedCardJson>,
    /// People and departments in the manifests that the portal no longer has.
    gone: Vec<String>,
}

/// Card that drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DriftedCardJson {
    /// The target.
    target: String,
    /// The kind of drift.
    kind: &'static str,
}

impl DriftJson {
    /// Converts drift.
    pub(super) fn new(drift: &Drift) -> Self {
        let counts = DriftKind::ALL.into_iter().map(|kind| (kind.as_str(), drift.count(kind)));
        let card = |card: &DriftedCard| DriftedCardJson {
            target: card.key.to_string(),
            kind: card.kind.as_str(),
        };
        Self {
            fingerprint: drift.fingerprint().map(|fingerprint| fingerprint.to_string()),
            counts: counts.filter(|(_, count)| *count > 0).collect(),
            cards: drift.cards.iter().map(card).collect(),
            gone: drift.gone.iter().map(ToString::to_string).collect(),
        }
    }
}
