//! Rules of a run that do not stand in a manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Ledger;

/// Permission to reset cards that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlindReset {
    /// Unreadable cards are held.
    #[default]
    Never,
    /// Unreadable cards are reset where the portal's release is one whose reads cannot be trusted.
    /// There will be no backup of them.
    Allowed,
}

/// Rules of a run that do not stand in a manifest.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The permission to reset unreadable cards.
    pub blind: BlindReset,
    /// The memory of mode `once`.
    pub ledger: Ledger,
    /// The number of people that each manifest selected in its last run on this portal, where it is
    /// known; for the guard on shrinking selections.
    pub previous_selections: BTreeMap<Arc<str>, u32>,
}
