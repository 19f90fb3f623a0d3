//! The memory of `mode: {once: …}`.

use std::collections::BTreeMap;

use super::{CardKey, Digest, Generation};

/// Which targets had their reset for which generation. Holds no card content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeMap<(Generation, CardKey), LedgerEntry>,
}

/// One verified target of one generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The digest of the layout that was removed; none if the card was at its default when the
    /// generation came by.
    pub removed: Option<Digest>,
}

impl Ledger {
    /// Whether the target had its reset for the generation, and what it removed.
    pub fn get(&self, generation: &Generation, key: CardKey) -> Option<LedgerEntry> {
        // A lookup needs the pair by value; generations are shared text, so the clone is cheap.
        self.entries.get(&(generation.clone(), key)).copied()
    }

    /// Marks a target as done for a generation. The first mark stays: it tells what was removed.
    pub fn record_reset(&mut self, generation: Generation, key: CardKey, entry: LedgerEntry) {
        self.entries.entry((generation, key)).or_insert(entry);
    }

    /// All entries, sorted by generation and target.
    pub fn iter(&self) -> impl Iterator<Item = (&Generation, CardKey, LedgerEntry)> {
        self.entries.iter().map(|((generation, key), entry)| (generation, *key, *entry))
    }

    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes over the marks of another ledger; where both know a target, the own mark stays.
    pub fn merge(&mut self, other: Self) {
        for ((generation, key), entry) in other.entries {
            self.record_reset(generation, key, entry);
        }
    }
}
