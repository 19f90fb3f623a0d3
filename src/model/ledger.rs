//! Memory of `mode: {once: …}`.

use std::collections::BTreeMap;

use super::{CardKey, Digest, Generation};

/// Targets that had their reset, by once key. Holds no card content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeMap<(Generation, CardKey), LedgerEntry>,
}

/// One verified target of one once key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The digest of the layout that was removed; `None` if the card was at its default already.
    pub removed: Option<Digest>,
}

impl Ledger {
    /// Returns the entry of a target that had its reset for the once key.
    pub fn get(&self, generation: &Generation, key: CardKey) -> Option<LedgerEntry> {
        // A lookup needs the pair by value; once keys are shared text, and a clone is cheap.
        self.entries.get(&(generation.clone(), key)).copied()
    }

    /// Marks a target as reset for a once key. The first mark stays, because it holds the digest of
    /// the removed layout.
    pub fn record_reset(&mut self, generation: Generation, key: CardKey, entry: LedgerEntry) {
        self.entries.entry((generation, key)).or_insert(entry);
    }

    /// Iterates over all entries, sorted by once key and target.
    pub fn iter(&self) -> impl Iterator<Item = (&Generation, CardKey, LedgerEntry)> {
        self.entries.iter().map(|((generation, key), entry)| (generation, *key, *entry))
    }

    /// Returns `true` if no target is marked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
