//! Journals, read without recard's own replay.

use std::collections::BTreeSet;

use recard::model::CardKey;
use recard::ports::JournalRecord;

/// Returns the targets of a journal that have no outcome yet; empty for a finished run.
pub fn incomplete_targets(records: &[JournalRecord]) -> Vec<CardKey> {
    let mut open = BTreeSet::new();
    for record in records {
        match record {
            JournalRecord::Opened(header) => {
                open.extend(header.targets.iter().map(|target| target.key));
            }
            JournalRecord::Intent { targets } => open.extend(targets.iter().map(|(key, _)| *key)),
            JournalRecord::SetIntent { target, .. } => drop(open.insert(*target)),
            JournalRecord::Completed { target, .. } => drop(open.remove(target)),
            JournalRecord::Closed { .. } => {}
        }
    }
    open.into_iter().collect()
}
