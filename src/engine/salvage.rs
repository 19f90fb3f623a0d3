//! Mending of a journal that lost lines, from its undamaged lines, the header and the backups.
//!
//! A write is sent only after its intent. If synced records are lost, any target without an intent
//! in an undamaged line may have been written to: it gets an intent, which says exactly that. Only
//! the portal can tell more.

use std::collections::{BTreeMap, BTreeSet};

use super::restore_plan::needed_backups;
use crate::model::{CardKey, Digest};
use crate::ports::{
    Archive, JournalLoss, JournalRecord, PlannedCard, RunHeader, RunPurpose, SalvagedJournal,
    SetPurpose,
};

/// Records of a run with an intent for every target that may have been written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MendedJournal {
    /// The header, the added intents, and the undamaged records.
    pub records: Vec<JournalRecord>,
    /// The intents that no undamaged line holds.
    pub added: BTreeMap<CardKey, JournalRecord>,
    /// The targets of the added intents that may stand in a lost line. An unchanged card proves
    /// nothing about them.
    pub doubtful: BTreeSet<CardKey>,
    /// The cards that a restore wrote to, and whose earlier layout the lost header named: an undo
    /// would have to guess.
    pub unplanned: BTreeSet<CardKey>,
    /// The number of backups that no undamaged line and no planned target names.
    pub unnamed_backups: usize,
}

/// Adds the intents that lost lines may have held. `header` is the header of the journal, however
/// it was found.
///
/// A torn line and an interrupted run are treated alike where a backup shows that a request was
/// prepared: such a card is read, though a crash explains both.
pub async fn mend<A: Archive>(
    header: RunHeader,
    salvaged: &SalvagedJournal,
    archive: &A,
) -> MendedJournal {
    let intended = intended(&salvaged.records);
    let mut named: BTreeSet<Digest> = intended.iter().filter_map(|(_, digest)| *digest).collect();
    let intended: BTreeSet<CardKey> = intended.into_iter().map(|(key, _)| key).collect();
    let settled: BTreeSet<CardKey> = salvaged.records.iter().filter_map(settled_target).collect();
    let kept: BTreeSet<Digest> = salvaged.backups.iter().map(|(_, digest)| *digest).collect();
    let is_closed =
        salvaged.records.iter().any(|record| matches!(record, JournalRecord::Closed { .. }));

    let may_be_sent = |target: &&PlannedCard| match (salvaged.lost, target.digest) {
        _ if intended.contains(&target.key) => false,
        (JournalLoss::Lines, _) => true,
        _ if is_closed || settled.contains(&target.key) => false,
        (JournalLoss::TornLine, digest) => digest.is_none_or(|digest| kept.contains(&digest)),
        (JournalLoss::Nothing, digest) => {
            digest.is_some_and(|digest| kept.contains(&digest) && !named.contains(&digest))
        }
    };
    let mut missing: BTreeMap<CardKey, Option<Digest>> = header
        .targets
        .iter()
        .filter(may_be_sent)
        .map(|target| (target.key, target.digest))
        .collect();
    if salvaged.lost == JournalLoss::Lines {
        // A backup with the name of its target exists because a request with it was prepared.
        let with_target =
            salvaged.backups.iter().filter_map(|(target, digest)| Some((target.as_ref()?, digest)));
        for (key, digest) in with_target.filter(|(key, _)| !intended.contains(*key)) {
            missing.entry(*key).or_insert(Some(*digest));
        }
    }
    let sent_back = match &header.purpose {
        RunPurpose::Apply => BTreeMap::new(),
        RunPurpose::Restore(of) => {
            let needed =
                archive.journal(of).await.ok().and_then(|records| needed_backups(&records).ok());
            needed.unwrap_or_default().into_iter().collect()
        }
    };
    let intent = |(key, digest): (&CardKey, &Option<Digest>)| match sent_back.get(key) {
        Some(sent) => (
            *key,
            JournalRecord::SetIntent { target: *key, digest: *sent, purpose: SetPurpose::Planned },
        ),
        None => (*key, JournalRecord::Intent { targets: vec![(*key, *digest)] }),
    };
    let added: BTreeMap<CardKey, JournalRecord> = missing.iter().map(intent).collect();
    named.extend(header.targets.iter().filter_map(|target| target.digest));
    named.extend(missing.values().flatten());
    named.extend(missing.keys().filter_map(|key| sent_back.get(key)));
    let planned: BTreeSet<CardKey> = header.targets.iter().map(|target| target.key).collect();
    let unplanned = match &header.purpose {
        RunPurpose::Apply => BTreeSet::new(),
        RunPurpose::Restore(_) => intended.difference(&planned).copied().collect(),
    };
    MendedJournal {
        unplanned,
        doubtful: if salvaged.lost == JournalLoss::Lines {
            missing.into_keys().collect()
        } else {
            BTreeSet::new()
        },
        unnamed_backups: kept.difference(&named).count(),
        records: std::iter::once(JournalRecord::Opened(header))
            .chain(added.values().cloned())
            .chain(salvaged.records.iter().cloned())
            .collect(),
        added,
    }
}

/// Returns the targets of all intents, each with the digest of its backup.
fn intended(records: &[JournalRecord]) -> Vec<(CardKey, Option<Digest>)> {
    let mut intended = Vec::new();
    for record in records {
        match record {
            JournalRecord::Intent { targets } => intended.extend(targets.iter().copied()),
            JournalRecord::SetIntent { target, digest, .. } => {
                intended.push((*target, Some(*digest)))
            }
            JournalRecord::Opened(_)
            | JournalRecord::Completed { .. }
            | JournalRecord::Closed { .. } => {}
        }
    }
    intended
}

fn settled_target(record: &JournalRecord) -> Option<CardKey> {
    match record {
        JournalRecord::Completed { target, .. } => Some(*target),
        _ => None,
    }
}
