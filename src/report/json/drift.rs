//! What drifted, as JSON: part of the plan that `drift` shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::{Drift, DriftKind, DriftedCard};

/// What drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DriftJson {
    /// Names what drifted, the same for the same drift whenever it is looked at; absent if nothing
    /// did.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// How many cards are of each kind: `customized`, `not-yet-reset`, `new-in-group`, `dismissed`,
    /// `out-of-reach`, and `customized-again`, which is no drift but worth knowing. Kinds without a
    /// card are left out.
    counts: BTreeMap<&'static str, u32>,
    /// The cards, sorted.
    cards: Vec<DriftedCardJson>,
    /// People and departments that the manifests name and the portal no longer has.
    gone: Vec<String>,
}

/// A card that drifted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DriftedCardJson {
    /// The target.
    target: String,
    /// How it drifted.
    kind: &'static str,
}

impl DriftJson {
    /// What drifted.
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
