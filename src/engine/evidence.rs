//! Evidence for trusted reads that an earlier run recorded.

use std::collections::BTreeMap;

use crate::model::{CardKind, Digest, TrustEvidence, UserId};
use crate::ports::JournalRecord;

/// Returns the evidence in the records of a run.
///
/// The header says why reads were trusted when the run was planned. A run of an older recard, whose
/// header lacks this, shows the same by its backups, if they differ between users: an old release
/// answers with one card for all of them.
pub fn evidence_of_run(records: &[JournalRecord]) -> Option<TrustEvidence> {
    let is_recorded = records.iter().any(|record| match record {
        JournalRecord::Opened(header) => header.trust.is_some(),
        _ => false,
    });
    (is_recorded || backups_differ(records)).then_some(TrustEvidence::RunRecord)
}

/// Returns `true` if the backups of two users for one kind of card hold different layouts.
fn backups_differ(records: &[JournalRecord]) -> bool {
    let mut first: BTreeMap<CardKind, (UserId, Digest)> = BTreeMap::new();
    let intents = records.iter().filter_map(|record| match record {
        JournalRecord::Intent { targets } => Some(targets),
        _ => None,
    });
    for (key, digest) in intents.flatten() {
        let (Some(user), Some(digest)) = (key.user(), digest) else { continue };
        let (other, theirs) = *first.entry(key.kind).or_insert((user, *digest));
        if other != user && theirs != *digest {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CardKey, LeadCustomerType};
    use crate::ports::RunHeader;
    use crate::records::samples;

    fn run(
        trust: Option<TrustEvidence>,
        backups: &[(CardKey, Option<&str>)],
    ) -> Vec<JournalRecord> {
        let header = RunHeader { trust, ..samples::header(&[]) };
        let intent = |(key, name): &(CardKey, Option<&str>)| JournalRecord::Intent {
            targets: vec![(*key, name.map(|name| samples::layout(name).digest()))],
        };
        std::iter::once(JournalRecord::Opened(header)).chain(backups.iter().map(intent)).collect()
    }

    #[test]
    fn evidence_of_a_run_is_its_head_or_backups_that_differ_between_users() {
        let (one, two) = (samples::personal(2), samples::personal(3));
        let repeat = CardKey::personal(UserId::new(3).unwrap(), LeadCustomerType::Repeat);
        for (trust, backups, proved) in [
            (Some(TrustEvidence::WholeSeconds), vec![], true),
            (None, vec![], false),
            (None, vec![(one, Some("mine"))], false),
            (None, vec![(one, Some("mine")), (two, Some("mine"))], false),
            (None, vec![(one, Some("mine")), (two, Some("yours"))], true),
            // The same person twice, another kind of lead, the common card, and a blind reset prove
            // nothing.
            (None, vec![(one, Some("mine")), (one, Some("yours"))], false),
            (None, vec![(one, Some("mine")), (repeat, Some("yours"))], false),
            (None, vec![(one, Some("mine")), (samples::common(), Some("yours"))], false),
            (None, vec![(one, Some("mine")), (two, None)], false),
        ] {
            let found = evidence_of_run(&run(trust, &backups));
            assert_eq!(found, proved.then_some(TrustEvidence::RunRecord), "{trust:?} {backups:?}");
        }
    }
}
